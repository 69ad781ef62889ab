"""What nobody needs is found and removed; what is needed, new, or made elsewhere stays, whenever it is killed."""

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from toprock.errors import FeaturesError
from toprock.features import (
    FeatureStore,
    Index,
    PerformanceFeatures,
    Recipe,
    StreamFeatures,
    collecting,
    import_features,
)
from toprock.features.collecting import delete, find_garbage

MOVES = Recipe("dynamic", "moves", {"clip_s": 0.8})
STILLS = Recipe("static", "stills", {"rate_hz": 6})


def features(ident, *recipes, size=1):
    times = np.stack([np.arange(4), np.arange(4) + 1.0], 1)
    streams = {r: StreamFeatures(np.full((4, 3), size, np.float16), times) for r in recipes}
    told = {recipe.hash: f"beats of {recipe.backbone}" for recipe in recipes}
    return PerformanceFeatures(ident, streams, {"duration_s": 4.0}, {"size": size, "beats": told})


@pytest.fixture
def store(tmp_path):
    """Performances a, b and c/1 with both streams, and b with imported features besides."""
    made = FeatureStore(tmp_path / "store", create=True)
    for ident in ("a", "b", "c/1"):
        made.write(features(ident, MOVES, STILLS))
    (tmp_path / "in").mkdir()
    np.save(tmp_path / "in/b.npy", np.ones((4, 3)))
    import_features(tmp_path / "in", made, stream="static", name="rn50", rate_hz=1)
    return made


def garbage(store, **what):
    with Index(store) as index:
        return find_garbage(index, **what)


def collect(store, **what):
    with Index(store) as index:
        found = find_garbage(index, **what)
        return delete(index, found)


def held(store):
    """Id -> names of the features that are there, each of which is whole."""
    return {i: sorted(r.backbone for r in store.read(i).streams) for i in store.ids()}


EVERYTHING = {"a": ["moves", "stills"], "b": ["moves", "rn50", "stills"], "c/1": ["moves", "stills"]}


def counts(found):
    return {kind: count for kind, (count, _) in found.sums().items() if count}


def test_a_tidy_store_holds_nothing_that_nobody_needs(store):
    assert counts(garbage(store)) == {}
    assert collect(store) == []
    assert held(store) == EVERYTHING


def test_looking_changes_nothing(store):
    before = {p: p.read_bytes() for p in store.folder.rglob("*") if p.is_file()}
    found = garbage(store, keep=["a"], recipes=[MOVES], damaged=True)
    assert counts(found) == {"performances": 2, "features": 1}
    after = {p: p.read_bytes() for p in store.folder.rglob("*") if p.is_file() and not p.name.startswith("index.")}
    assert before == after


def test_performances_that_the_manifest_does_not_name_go_and_imported_features_stay(store):
    found = garbage(store, keep=["a.mp4"])
    assert (counts(found), found.imported) == ({"performances": 2}, 1)
    assert {one.id: bool(one.recipes) for one in found.waste} == {"b": True, "c/1": False}
    whole = next(one for one in found.waste if one.id == "c/1")
    assert whole.bytes == store.path("c/1").stat().st_size
    collect(store, keep=["a.mp4"])
    assert held(store) == {"a": ["moves", "stills"], "b": ["rn50"]}
    assert not store.path("c/1").parent.exists()
    assert store.read("b").source.keys() == {"size", "imported"}  # no beats of features that are gone
    assert collect(store, keep=["a.mp4"], imported=True) == []
    assert held(store) == {"a": ["moves", "stills"]}
    assert {r.backbone for r in FeatureStore(store.folder).recipes} == {"moves", "stills", "rn50"}


def test_features_of_other_recipes_go_and_the_rest_of_a_file_stays(store):
    before = store.read("b")
    collect(store, recipes=[MOVES])
    assert held(store) == {"a": ["moves"], "b": ["moves", "rn50"], "c/1": ["moves"]}
    after = store.read("b")
    for recipe, stream in after.streams.items():
        np.testing.assert_array_equal(stream.features, before.streams[recipe].features)
        np.testing.assert_array_equal(stream.times, before.streams[recipe].times)
    assert after.facts == before.facts
    assert after.source["beats"] == {MOVES.hash: "beats of moves"}
    assert after.source["imported"] == before.source["imported"]
    assert FeatureStore(store.folder).choose(static="rn50").keys() == {"dynamic", "static"}
    assert [r.backbone for r in FeatureStore(store.folder).recipes] == ["moves", "rn50"]
    assert store.has("a", [MOVES], {"size": 1, "beats": {MOVES.hash: "beats of moves"}})
    collect(store, recipes=[MOVES], imported=True)
    assert held(store) == {"a": ["moves"], "b": ["moves"], "c/1": ["moves"]}
    assert set(FeatureStore(store.folder).choose()) == {"dynamic"}


def test_nothing_is_thrown_away_by_a_wrong_manifest_or_model(store):
    with pytest.raises(FeaturesError, match="holds none of what is to be kept"):
        garbage(store, keep=["x", "y"])
    with pytest.raises(FeaturesError, match="holds none of what is to be kept"):
        garbage(store, recipes=[Recipe("static", "stills", {"rate_hz": 7})])


def test_features_that_store_json_does_not_name_may_be_imported_ones_and_stay(store):
    store.recipes.remove(STILLS)
    assert counts(garbage(store, recipes=[MOVES])) == {}


def test_damaged_files_go_where_asked(store):
    for ident, place in (("a", -3), ("b", 40)):
        data = bytearray(store.path(ident).read_bytes())
        data[place] ^= 0x55
        store.path(ident).write_bytes(data)
    assert counts(garbage(store)) == {}
    found = garbage(store, damaged=True)
    assert [one.id for one in found.waste if one.kind == "damaged" and one.why] == ["a", "b"]
    collect(store, damaged=True)
    assert held(store) == {"c/1": ["moves", "stills"]}


def test_failures_go_with_their_performances(store):
    store.note_failures({"a": "no", "gone": "no"})
    assert counts(garbage(store, keep=["a", "b", "c/1"])) == {"failures": 1}
    collect(store, keep=["a", "b", "c/1"])
    assert store.failures() == {"a": "no"}


def test_parts_of_killed_writes_and_empty_folders_go(store):
    code = (
        "import os, sys\nfrom toprock import files\nfiles.os.fsync = lambda f: os.kill(os.getpid(), 9)\n"
        "files.write_bytes(sys.argv[1], b'x' * 1000)"
    )
    new = store.folder / "00/11/new.safetensors"
    for path in (new, store.path("a")):
        subprocess.run([sys.executable, "-c", code, path])
    writing = subprocess.Popen(
        [
            sys.executable,
            "-c",
            code.replace("os.kill(os.getpid(), 9)", "(print(flush=True), input())"),
            store.path("b"),
        ],
        stdin=-1,
        stdout=-1,
    )
    writing.stdout.readline()
    foreign = store.folder / "notes" / "empty"
    foreign.mkdir(parents=True)
    found = garbage(store)
    assert found.sums()["parts"] == (2, 2000)
    assert {one.name for one in found.waste if one.kind == "folders"} == {"00/11", "00"}
    collect(store)
    assert counts(garbage(store)) == {}
    assert foreign.exists()
    assert not (store.folder / "00").exists()
    writing.communicate(b"\n")
    assert store.path("b").read_bytes() == b"x" * 1000  # the write that went on came to its end


def test_what_is_newer_than_the_look_stays(store):
    with Index(store) as index:
        found = find_garbage(index, keep=["a"], recipes=[MOVES])
        for ident in ("a", "b", "c/1"):
            store.write(features(ident, MOVES, STILLS, size=2))
        changed = delete(index, found)
    assert sorted(changed) == sorted(str(store.path(i).relative_to(store.folder)) for i in ("a", "b", "c/1"))
    assert held(store) == EVERYTHING


def test_a_writer_whose_empty_folder_is_removed_makes_it_again(tmp_path):
    """As many writes as removals, all at once."""
    code = (
        "import sys\nfrom toprock.files import write_bytes\nfrom pathlib import Path\n"
        "for n in range(300):\n    path = Path(sys.argv[1], 'ab', 'cd', str(n))\n"
        "    write_bytes(path, b'')\n    path.unlink()"
    )
    code = "import os\nos.fsync = lambda f: None\n" + code
    writer = subprocess.Popen([sys.executable, "-c", code, tmp_path], stderr=-1)
    while writer.poll() is None:
        collecting._remove_empty(tmp_path, tmp_path / "ab/cd")
    _, told = writer.communicate()
    assert (writer.returncode, told) == (0, b"")


KILLED = """
import os, sys
from toprock.features import FeatureStore, Index, Recipe
from toprock.features.collecting import delete, find_garbage
left = [int(sys.argv[2])]
def hook(event, arguments):
    if event in ("os.remove", "os.rename", "os.rmdir"):
        left[0] -= 1
        if left[0] < 0:
            os.kill(os.getpid(), 9)
store = FeatureStore(sys.argv[1])
with Index(store) as index:
    found = find_garbage(index, keep=["a", "b"], recipes=[r for r in store.recipes if r.backbone == "moves"])
    sys.addaudithook(hook)
    delete(index, found)
"""


@pytest.mark.parametrize("after", [0, 1, 2, 3, 5])
def test_killed_halfway_it_loses_nothing_and_can_be_run_again(store, tmp_path, after):
    keeps = {"a": ["moves"], "b": ["moves", "rn50"]}
    done = subprocess.run([sys.executable, "-c", KILLED, store.folder, str(after)])
    assert done.returncode == -signal.SIGKILL
    there = held(FeatureStore(store.folder))
    assert there.keys() >= keeps.keys()
    assert all(set(keeps[ident]) <= set(there[ident]) for ident in keeps)
    again = FeatureStore(store.folder)
    collect(again, keep=["a", "b"], recipes=[MOVES])
    assert held(again) == keeps
    assert counts(garbage(again)) == {}


def test_beside_an_extraction_that_runs_nothing_new_is_lost(store):
    """Another process writes performances anew, again and again, while those that nobody needs are removed."""
    code = (
        "import sys\nfrom tests.features.test_gc import *\nstore = FeatureStore(sys.argv[1])\n"
        "for n in range(60):\n    store.write(features(f'n{n}', MOVES, STILLS, size=n))\n"
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(Path(__file__).parents[2]), *sys.path])}
    writer = subprocess.Popen([sys.executable, "-c", code, store.folder], env=environment, stderr=-1)
    keep = ["a", *(f"n{n}" for n in range(60))]
    while writer.poll() is None:
        collect(store, keep=keep)
    _, told = writer.communicate()
    assert (writer.returncode, told) == (0, b"")
    assert set(held(store)) == {"b", *keep}


def test_a_file_that_cannot_be_read_is_not_taken_for_damaged(store, monkeypatch):
    whole = store.path("a")
    data = whole.read_bytes()
    whole.unlink()
    whole.mkdir()  # what a read refuses, by root too
    (whole / "x").touch()
    assert counts(garbage(store, damaged=True)) == {}
    shutil.rmtree(whole)
    whole.write_bytes(data)
    assert held(store) == EVERYTHING


def test_a_store_at_an_address_is_not_tidied(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    store = FeatureStore(f"memory://gc-{os.getpid()}", create=True)
    with pytest.raises(FeaturesError, match="is an address, where files have no locks"):
        garbage(store)
