import errno
import json
import os
import signal
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from toprock import files
from toprock.errors import FeaturesError, StorageError, UnknownPerformance
from toprock.features.recipe import Recipe
from toprock.features.store import FeatureStore, PerformanceFeatures, StreamFeatures, _id_of

STATIC = Recipe("static", "posture", {"rate_hz": 6})
DYNAMIC = Recipe("dynamic", "flow", {"clip_s": 0.8})


def features(ident="a", recipe=STATIC, length=4, source=None, **facts):
    rng = np.random.default_rng(length)
    times = np.stack([np.arange(length), np.arange(length) + 1.0], 1)
    stream = StreamFeatures(rng.normal(size=(length, 3)).astype(np.float16), times)
    return PerformanceFeatures(ident, {recipe: stream}, facts, source or {"size": 1})


def test_what_is_written_is_read(tmp_path):
    store = FeatureStore(tmp_path / "f", create=True)
    store.write(features(duration_s=4.0))
    found = FeatureStore(tmp_path / "f").read("a")
    assert found.facts == {"duration_s": 4.0}
    np.testing.assert_array_equal(found.streams[STATIC].features, features().streams[STATIC].features)
    np.testing.assert_array_equal(found.streams[STATIC].times, features().streams[STATIC].times)


def test_a_stream_is_added_to_what_is_there(tmp_path):
    store = FeatureStore(tmp_path / "f", create=True)
    store.write(features(duration_s=4.0))
    store.write(features(recipe=DYNAMIC, mean_motion=0.5))
    found = store.read("a")
    assert set(found.streams) == {STATIC, DYNAMIC}
    assert found.facts == {"duration_s": 4.0, "mean_motion": 0.5}


def test_a_stream_that_another_run_has_added_meanwhile_stays(tmp_path):
    one = FeatureStore(tmp_path / "f", create=True)
    one.add_recipes(STATIC)
    FeatureStore(tmp_path / "f").write(features(recipe=DYNAMIC))
    one.write(features(recipe=STATIC))
    found = FeatureStore(tmp_path / "f")
    assert set(found.read("a").streams) == set(found.recipes) == {STATIC, DYNAMIC}


def test_features_of_a_changed_video_do_not_stay(tmp_path):
    store = FeatureStore(tmp_path / "f", create=True)
    store.write(features())
    assert store.has("a", [STATIC], {"size": 1})
    assert not store.has("a", [STATIC, DYNAMIC], {"size": 1})
    store.write(features(recipe=DYNAMIC))
    store.path("a").write_bytes(store.path("a").read_bytes().replace(rb"\"flow\"", rb"\"wolf\""))
    assert not store.has("a", [DYNAMIC], {"size": 1})  # which its notes do not tell of, so that none could read it
    assert not store.has("a", [STATIC], {"size": 2})
    store.write(features(recipe=DYNAMIC, source={"size": 2}))
    assert set(store.read("a").streams) == {DYNAMIC}


@given(st.text(min_size=1).filter(lambda s: "\0" not in s and s.isprintable()))
def test_names_of_files_are_safe_and_reversible(tmp_path_factory, ident):
    store = FeatureStore.__new__(FeatureStore)
    store.folder = tmp_path_factory.getbasetemp()
    path = store.path(ident)
    inside = path.relative_to(store.folder)
    assert ".." not in inside.parts
    assert _id_of(inside) == ident
    assert all(len(part.encode()) < 250 for part in inside.parts)


@pytest.mark.parametrize("ident", ["../../etc/passwd", "-rf", "a/b c", "x" * 2000, "..", "ä.mp4", "con"])
def test_awkward_ids_come_back(tmp_path, ident):
    store = FeatureStore(tmp_path / "f", create=True)
    store.write(features(ident))
    assert store.ids() == [ident]
    assert store.read(ident).id == ident
    assert {p.name for p in tmp_path.iterdir()} == {"f"}


def test_choice_of_streams(tmp_path):
    store = FeatureStore(tmp_path / "f", create=True)
    with pytest.raises(FeaturesError, match="holds no features"):
        store.choose()
    store.add_recipes(STATIC, DYNAMIC)
    assert store.choose() == {"dynamic": DYNAMIC, "static": STATIC}
    assert store.choose(dynamic="none") == {"static": STATIC}
    other = Recipe("static", "posture", {"rate_hz": 3})
    store.add_recipes(other)
    with pytest.raises(FeaturesError, match="2 kinds of static features") as caught:
        store.choose()
    assert other.hash in caught.value.advice
    assert store.choose(static=other.hash[:6])["static"] == other
    with pytest.raises(FeaturesError, match="no static features called 'clip'"):
        store.choose(static="clip")


def test_folders_that_are_no_store(tmp_path):
    with pytest.raises(FeaturesError, match="is no feature store"):
        FeatureStore(tmp_path)
    (tmp_path / "holiday.jpg").touch()
    with pytest.raises(FeaturesError, match="other things in it"):
        FeatureStore(tmp_path, create=True)


def test_damage_and_newer_formats_are_named(tmp_path):
    store = FeatureStore(tmp_path / "f", create=True)
    store.write(features())
    path = store.path("a")
    path.write_bytes(path.read_bytes()[:-7])
    with pytest.raises(FeaturesError, match="is damaged"):
        store.read("a")
    assert not store.has("a", [STATIC], {"size": 1})
    odd = features("odd")
    odd.streams[STATIC].times.resize((3, 2), refcheck=False)
    store.write(odd)
    with pytest.raises(FeaturesError, match="is damaged"):
        store.read("odd")
    with pytest.raises(UnknownPerformance, match="no features of 'b'"):
        store.read("b")
    (tmp_path / "f" / "store.json").write_text(json.dumps({"format": 99, "recipes": []}))
    with pytest.raises(FeaturesError, match="newer version"):
        FeatureStore(tmp_path / "f")


def test_an_interrupted_write_leaves_nothing(tmp_path, monkeypatch):
    def full(descriptor):
        raise OSError(errno.ENOSPC, "no space")

    store = FeatureStore(tmp_path / "f", create=True)
    store.write(features(length=3))
    monkeypatch.setattr(files.os, "fsync", full)
    with pytest.raises(StorageError, match="the disk is full"):
        store.write(features(length=5))
    monkeypatch.undo()
    assert len(store.read("a").streams[STATIC].features) == 3
    assert not [p for p in tmp_path.rglob("*") if p.suffix == ".part"]


@pytest.mark.parametrize(
    ("number", "what"),
    [
        (errno.EDQUOT, "your share of the disk is full"),
        (errno.EFBIG, "grows larger than a file may be"),
        (errno.EACCES, "may not be written"),
        (errno.EIO, r"cannot be written \(Input/output error\)"),
    ],
)
def test_every_trouble_of_a_disk_is_one_error_with_advice(tmp_path, monkeypatch, number, what):
    def trouble(descriptor):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(files.os, "fsync", trouble)
    with pytest.raises(StorageError, match=what) as caught:
        files.write_text(tmp_path / "x", "x")
    assert caught.value.advice
    assert list(tmp_path.iterdir()) == []


KILLED = """
import os, signal, sys
from pathlib import Path
from toprock import files
step = sys.argv[1]
def killed(*_):
    os.kill(os.getpid(), signal.SIGKILL)
def hook(event, arguments):
    if event == step:
        killed()
if step == "fsync":
    files.os.fsync = killed
else:
    sys.addaudithook(hook)
files.write_bytes(sys.argv[2], b"new" * 100_000)
"""


@pytest.mark.parametrize("step", ["tempfile.mkstemp", "fsync", "os.chmod", "os.rename"])
def test_a_file_is_whole_wherever_the_write_is_killed(tmp_path, step):
    path = tmp_path / "f"
    path.write_bytes(b"old")
    done = subprocess.run([sys.executable, "-c", KILLED, step, path])
    assert done.returncode == -signal.SIGKILL
    assert path.read_bytes() == b"old"
    files.tidy(tmp_path)
    assert list(tmp_path.iterdir()) == [path]


def test_what_killed_writes_left_goes_with_the_next_write(tmp_path):
    path = tmp_path / "f"
    for _ in range(3):
        subprocess.run([sys.executable, "-c", KILLED, "fsync", path])
    assert len(list(tmp_path.iterdir())) == 1  # each finds what the one before left
    files.write_text(path, "whole")
    assert list(tmp_path.iterdir()) == [path]


def test_a_store_whose_first_write_was_killed_is_begun_again(tmp_path):
    """And so is one that another process is about to begin."""
    folder = tmp_path / "f"
    subprocess.run([sys.executable, "-c", KILLED, "fsync", folder / "store.json"])
    assert len(list(folder.iterdir())) == 1
    assert FeatureStore(folder, create=True).ids() == []
    assert [path.name for path in folder.iterdir()] == ["store.json"]


def test_a_write_that_goes_on_is_not_tidied_away(tmp_path):
    with files.whole_file(tmp_path / "f") as part:
        os.utime(part, (0, 0))
        files.tidy(tmp_path)
        part.write_bytes(b"whole")
    assert (tmp_path / "f").read_bytes() == b"whole"


def test_what_another_machine_left_goes_when_it_is_old(tmp_path):
    theirs, foreign = tmp_path / ".01234567-abc_defg.part", tmp_path / ".film.mp4.part"
    theirs.touch()
    foreign.touch()
    os.utime(foreign, (0, 0))
    files.tidy(tmp_path)
    assert theirs.exists()
    os.utime(theirs, (0, 0))
    files.write_text(tmp_path / "x", "x")
    files.tidy(tmp_path)
    assert not theirs.exists()
    assert foreign.exists()  # some other program's download


def test_a_request_to_stop_waits_for_the_end_of_a_write(tmp_path):
    """SIGTERM comes while the file is synced, and ends the process only when the file is there."""
    code = KILLED.replace("SIGKILL", "SIGTERM")
    done = subprocess.run([sys.executable, "-c", code, "fsync", tmp_path / "f"])
    assert done.returncode == -signal.SIGTERM
    assert [path.name for path in tmp_path.iterdir()] == ["f"]
    assert len((tmp_path / "f").read_bytes()) == 300_000


def test_json_of_names_that_are_no_text_and_of_numbers_that_are_none(tmp_path):
    value = {"path": os.fsdecode(b"raw-\xff"), "auc": float("nan"), "range": (0.5, float("inf"))}
    files.write_json(tmp_path / "x.json", value)
    assert json.loads((tmp_path / "x.json").read_text()) == {"path": value["path"], "auc": None, "range": [0.5, None]}


def test_permissions_follow_the_umask(tmp_path):
    old = os.umask(0o027)
    try:
        files.write_text(tmp_path / "x", "x")
    finally:
        os.umask(old)
    assert (tmp_path / "x").stat().st_mode & 0o777 == 0o640


def test_recipes_are_equal_by_content():
    assert Recipe("static", "posture", {"a": 1, "b": 2}) == Recipe("static", "posture", {"b": 2, "a": 1})
    assert Recipe("static", "posture", {"rate_hz": 5}) != STATIC
    assert Recipe.from_json(STATIC.to_json()) == STATIC
    assert STATIC.differences(Recipe("static", "posture", {"rate_hz": 5})) == ["rate_hz is 5, not 6"]
    with pytest.raises(FeaturesError, match="unknown stream 'sound'"):
        Recipe.from_json({"stream": "sound", "backbone": "x", "settings": {}})


def test_a_file_that_is_another_performances_is_noticed(tmp_path):
    store = FeatureStore(tmp_path / "f", create=True)
    store.write(features())
    store.path("b").parent.mkdir(parents=True)
    store.path("a").rename(store.path("b"))
    with pytest.raises(FeaturesError, match="is damaged"):
        store.read("b")
