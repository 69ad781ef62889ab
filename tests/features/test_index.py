"""The index of a store: the same as one made anew, whatever happened to the files, to the index, or to who made it."""

import fcntl
import json
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from toprock.errors import FeaturesError
from toprock.features import (
    FeatureStore,
    Index,
    PerformanceFeatures,
    Recipe,
    StreamFeatures,
    indexfile,
    scanning,
    verify,
)

STATIC = Recipe("static", "stills", {"rate_hz": 6})
DYNAMIC = Recipe("dynamic", "moves", {"clip_s": 0.8})
AWKWARD = ["semi/anna", "two words", "試合 1", "x" * 700, "a.b", "-rf", "../up", "%2F", "\U0010ffff", "ü" * 90]


def features(ident, recipe=STATIC, length=4, size=1):
    times = np.stack([np.arange(length), np.arange(length) + 1.0], 1)
    stream = StreamFeatures(np.full((length, 3), size, np.float16), times)
    return PerformanceFeatures(ident, {recipe: stream}, {"duration_s": float(length)}, {"size": size})


@pytest.fixture
def store(tmp_path):
    return FeatureStore(tmp_path / "store", create=True)


def rows(store):
    """Everything that the index tells after a refresh."""
    with Index(store) as index:
        index.refresh()
        return [*index.entries()], index.totals(), index.failures(limit=99), index.count()


def rebuilt(store, tmp_path):
    """The same of an index that begins with nothing: it is made somewhere else."""
    with Index.__new__(Index) as index:
        index.store, index._root = store, str(store.folder)
        index.file = indexfile.IndexFile.__new__(indexfile.IndexFile)
        index.file.path, index.file._held = None, None
        index.file.database = indexfile._connected(":memory:")
        index.file.database.executescript(indexfile._SCHEMA)
        index.refresh()
        return [*index.entries()], index.totals(), index.failures(limit=99), index.count()


def unsettle(monkeypatch):
    """As if all that has been done were long past: no file or folder is looked at twice for being new."""
    monkeypatch.setattr("toprock.features.index._MARGIN_NS", -(10**9))


def test_it_tells_what_the_files_tell(store):
    for ident in AWKWARD:
        store.write(features(ident))
    store.write(features("a.b", DYNAMIC, length=7))
    entries, totals, _, count = rows(store)
    assert [entry.id for entry in entries] == store.ids() == sorted(AWKWARD)
    assert (totals, count) == ({STATIC.hash: len(AWKWARD), DYNAMIC.hash: 1}, len(AWKWARD))
    for entry in entries:
        path = store.path(entry.id)
        assert store.folder / entry.file == path
        assert entry.size == path.stat().st_size
        assert entry.problem == ""
        assert entry.shapes[STATIC.hash] == (4, 3)
    assert {e.id: e.duration_s for e in entries}["a.b"] == 7.0
    with Index(store) as index:
        assert index.verify() == []


def test_pages_of_all_kinds(store):
    ids = [f"{group}/{n}" for group in ("a", "b", "b!") for n in range(7)]
    for ident in ids:
        store.write(features(ident, DYNAMIC if ident.endswith("3") else STATIC))
    store.note_failures({"b/x": "no", "c": "broken"})
    with Index(store) as index:
        index.refresh()
        found, after = [], ""
        while page := index.page(after=after, limit=4):
            found += [entry.id for entry in page]
            after = found[-1]
        assert found == sorted(ids)
        assert [e.id for e in index.page(prefix="b/")] == [f"b/{n}" for n in range(7)]
        assert [e.id for e in index.page(prefix="b", after="b/2", limit=2)] == ["b/3", "b/4"]
        assert [e.id for e in index.page(prefix="b/", after="a/2", limit=1)] == ["b/0"]
        assert [e.id for e in index.page(recipes=[DYNAMIC.hash])] == ["a/3", "b!/3", "b/3"]
        assert index.page(recipes=["0" * 16]) == index.page(after="c") == index.page(prefix="\U0010ffff") == []
        assert (index.count(prefix="b"), index.count(recipes=[DYNAMIC.hash]), index.count(failed=True)) == (14, 3, 2)
        assert index.failures(prefix="b") == {"b/x": "no"}
        assert index.failures(after="b/x") == {"c": "broken"}
        store.note_failures({}, succeeded=["b/x", "c"])
        index.refresh()
        assert index.failures() == {}


@given(
    prefix=st.text(max_size=3), ids=st.lists(st.text(min_size=1, max_size=4), unique=True), after=st.text(max_size=3)
)
def test_the_end_of_a_prefix(prefix, ids, after):
    bound, values = __import__("toprock.features.index", fromlist=["_end"])._end(prefix)
    ids = [i for i in ids if not any(0xD800 <= ord(c) < 0xE000 for c in i + prefix)]
    kept = [i for i in ids if i >= prefix and (not bound or i < values[0])]
    assert all(i in kept for i in ids if i.startswith(prefix))
    if bound:
        assert all(i.startswith(prefix.rstrip("\U0010ffff")) for i in kept)


STEP = st.tuples(
    st.sampled_from(["write", "replace", "delete", "damage", "wrong place", "fail", "refresh", "folder"]),
    st.integers(0, 5),
    st.integers(1, 3),
)


@settings(max_examples=25, suppress_health_check=[HealthCheck.too_slow])
@given(steps=st.lists(STEP, max_size=14))
def test_a_refresh_equals_one_made_anew(tmp_path_factory, steps):
    place = tmp_path_factory.mktemp("any")
    store = FeatureStore(place / "store", create=True)
    for what, which, size in steps:
        ident = AWKWARD[which]
        path = store.path(ident)
        if what == "write":
            store.write(features(ident, DYNAMIC if size == 2 else STATIC, length=size))
        elif what == "replace" and path.exists():  # the same length within the same tick
            before = path.stat()
            store.write(features(ident, size=size))
            os.utime(path, ns=(before.st_mtime_ns, before.st_mtime_ns))
        elif what == "delete":
            path.unlink(missing_ok=True)
        elif what == "damage" and path.exists():
            path.with_name("new").write_bytes(path.read_bytes()[:-size])
            path.with_name("new").replace(path)
        elif what == "wrong place" and path.exists():
            (store.folder / "zz" / "00").mkdir(parents=True, exist_ok=True)
            shutil.copy(path, store.folder / "zz" / "00" / path.name)
        elif what == "fail":
            store.note_failures({ident: f"for the {size}. time"})
        elif what == "folder" and path.parent.exists():
            shutil.rmtree(path.parent)
        elif what == "refresh":
            rows(store)
    assert rows(store) == rebuilt(store, place)
    with Index(store) as index:
        index.refresh(thorough=True)
        assert index.faults() == []
    assert rows(store) == rebuilt(store, place)


def test_what_has_not_changed_is_not_looked_at(store, monkeypatch):
    unsettle(monkeypatch)
    for ident in AWKWARD:
        store.write(features(ident))
    with Index(store) as index:
        assert index.refresh().read == len(AWKWARD)
        done = index.refresh()
        assert (done.listed, done.read) == (1, 0)  # the store itself
        store.write(features("a.b", DYNAMIC))
        done = index.refresh()
        assert (done.listed, done.read) == (2, 1)
        store.path("two words").unlink()
        assert index.refresh().gone == 1
        assert index.count() == len(AWKWARD) - 1


def test_a_file_replaced_within_the_same_tick_is_seen(store):
    """Its length, its times and those of its folder are as they were."""
    store.write(features("a", size=1))
    path = store.path("a")
    first = rows(store)[0][0].check
    times = [(p, p.stat().st_mtime_ns) for p in (path, path.parent)]
    store.write(features("a", size=2))
    for changed, time_ns in times:
        os.utime(changed, ns=(time_ns, time_ns))
    assert rows(store)[0][0].check != first


def test_a_file_changed_in_place_is_found_by_a_thorough_look(store, monkeypatch):
    unsettle(monkeypatch)
    store.write(features("a"))
    rows(store)
    path = store.path("a")
    with path.open("r+b") as file:
        file.truncate(path.stat().st_size - 1)
    assert rows(store)[0][0].problem == ""  # as no writer of ours changes a file
    with Index(store) as index:
        index.refresh(thorough=True)
        assert "its arrays take" in index.page()[0].problem


@pytest.mark.parametrize(
    ("spoil", "what"),
    [
        (lambda data: data[:6], "is cut off"),
        (lambda data: b"\xff" * 8 + data[8:], "is cut off, or no file of features"),
        (lambda data: data[:8] + b"!" + data[9:], "is damaged"),
        (lambda data: data + b"x", "its arrays take"),
        (lambda data: data.replace(b'"id":"a"', b'"id":"b"'), "another performance's"),
        (lambda data: data.replace(b"[4,2]", b"[2,4]"), "features and times do not fit"),
        (lambda data: data.replace(b'"F64"', b'"F16"'), "do not lie where they should"),
        (lambda data: data.replace(b"[4,1]", b"[1e999,1]").replace(b"[4,2]", b"[1e999,2]"), "is damaged"),
    ],
)
def test_heads_that_cannot_be_whole(store, spoil, what):
    store.write(features("a"))
    path = store.path("a")
    whole = path.read_bytes()
    assert scanning.read_head(str(path), "a").problem == ""
    path.write_bytes(spoil(whole))
    assert path.read_bytes() != whole
    assert what in scanning.read_head(str(path), "a").problem


SPOILT = {
    "no database": lambda path: path.write_bytes(b"holiday" * 999),
    "cut off": lambda path: os.truncate(path, path.stat().st_size // 2),
    "of another program": lambda path: (path.unlink(), sqlite3.connect(path).execute("CREATE TABLE x(y)")),
    "of a newer format": lambda path: sqlite3.connect(path).execute("PRAGMA user_version = 99"),
    "without a table": lambda path: sqlite3.connect(path).execute("DROP TABLE performances"),
    "overwritten in the middle": lambda path: overwrite(path, 2),
    "empty": lambda path: path.write_bytes(b""),
}


def overwrite(path, from_page):
    data = bytearray(path.read_bytes())
    data[4096 * from_page :] = os.urandom(len(data) - 4096 * from_page)
    path.write_bytes(data)


@pytest.mark.filterwarnings("ignore:unclosed database")
@pytest.mark.parametrize("how", SPOILT)
def test_an_index_that_cannot_be_used_is_made_again(store, how):
    for ident in AWKWARD:
        store.write(features(ident))
    whole = rows(store)
    SPOILT[how](store.folder / indexfile.NAME)
    notes = []
    with Index(store, on_note=notes.append) as index:
        index.refresh()
        assert index.page(limit=99) == whole[0]
        assert index.verify() == []
    assert len(notes) == (how != "empty")
    assert rows(store) == whole


@pytest.mark.filterwarnings("ignore:unclosed database")
def test_an_index_that_is_spoilt_while_it_is_read_is_an_error_with_advice(store):
    for ident in ("a", "b", "c"):
        store.write(features(ident))
    with Index(store) as index:
        index.refresh()
        entries = index.entries(at_once=1)
        assert next(entries).id == "a"
        overwrite(store.folder / indexfile.NAME, 0)
        with pytest.raises(FeaturesError, match="Delete it; it is made again by itself"):
            list(entries)
    assert [row.id for row in rows(store)[0]] == ["a", "b", "c"]


def test_an_index_that_tells_lies_is_found_out(store):
    store.write(features("a"))
    store.write(features("b"))
    with Index(store) as index:
        index.refresh()
        assert index.verify() == []
        with index.file.writing() as database:
            database.execute("UPDATE performances SET id = 'c' WHERE id = 'b'")
            database.execute("UPDATE kinds SET performances = 9")
        faults = index.faults()
        assert "its sums are not those of its rows" in faults
        assert any("is noted as 'c'" in fault for fault in faults)
        index.rebuild()
        assert index.verify() == []


def test_files_whose_names_are_no_text_are_none_of_a_store(store):
    store.write(features("a"))
    store.path("a").with_name(os.fsdecode(b"\xff.safetensors")).write_bytes(b"x")
    assert store.ids() == ["a"]
    with Index(store) as index:
        index.refresh(thorough=True)
        assert [entry.id for entry in index.page()] == ["a"]


def test_files_in_wrong_places_and_unknown_recipes_are_named(store):
    store.write(features("a"))
    (store.folder / "zz/zz").mkdir(parents=True)
    shutil.copy(store.path("a"), store.folder / "zz/zz/a.safetensors")
    store.recipes.clear()
    with Index(store) as index:
        index.refresh()
        found = index.verify()
        assert index.faults() == []
    assert [w for w in found if "lies where 'a' is not looked for" in w and w.startswith("zz/zz/")]
    assert [w for w in found if STATIC.hash in w]


KILLED = """
import os, sys, time
from toprock.features import FeatureStore, Index, index, scanning
index._BATCH = 3
read, left = scanning.read_head, [int(sys.argv[2])]
def read_some(path, ident):
    left[0] -= 1
    if left[0] < 0:
        os.kill(os.getpid(), 9)
    return read(path, ident)
scanning.read_head = read_some
with Index(FeatureStore(sys.argv[1])) as made:
    made.refresh()
"""


@pytest.mark.parametrize("after", [0, 2, 4, 9])
def test_killed_in_the_middle_of_a_refresh(store, tmp_path, after):
    for ident in AWKWARD:
        store.write(features(ident))
    done = subprocess.run([sys.executable, "-c", KILLED, store.folder, str(after)])
    assert done.returncode == -signal.SIGKILL
    assert rows(store) == rebuilt(store, tmp_path)


def test_what_a_killed_refresh_had_done_is_not_done_again(store, monkeypatch):
    unsettle(monkeypatch)
    for number in range(40):
        store.write(features(f"p{number}"))
    code = KILLED.replace("index._BATCH = 3", "index._BATCH, index._MARGIN_NS = 3, -10**9")
    subprocess.run([sys.executable, "-c", code, store.folder, "30"])
    with Index(store) as index:
        assert 0 < index.refresh().read <= 15
        assert index.count() == 40


def test_several_refreshes_and_writers_at_once(store, tmp_path):
    script = (
        "import sys\nfrom toprock.features import FeatureStore, Index\n"
        "for _ in range(4):\n"
        "    with Index(FeatureStore(sys.argv[1])) as index:\n        index.refresh()\n        index.page()\n"
    )
    for number in range(30):
        store.write(features(f"p{number}"))
    running = [subprocess.Popen([sys.executable, "-c", script, store.folder], stderr=-1) for _ in range(3)]
    for number in range(15, 45):
        store.write(features(f"p{number}", DYNAMIC))
        store.path(f"p{number - 15}").unlink()
    for process in running:
        _, told = process.communicate(timeout=100)
        assert (process.returncode, told) == (0, b"")
    assert rows(store) == rebuilt(store, tmp_path)


def test_two_find_a_damaged_index_at_once(store):
    store.write(features("a"))
    (store.folder / indexfile.NAME).write_bytes(b"x" * 5000)
    notes = []

    def look(_):
        with Index(store, on_note=notes.append) as index:
            index.refresh()
            return index.count()

    with ThreadPoolExecutor(4) as pool:
        assert [*pool.map(look, range(4))] == [1] * 4
    assert len(notes) == 1


def test_one_that_another_program_holds_is_not_thrown_away(store, monkeypatch):
    store.write(features("a"))
    rows(store)
    monkeypatch.setattr(indexfile, "_WAIT_S", 0.2)
    held = sqlite3.connect(store.folder / indexfile.NAME, isolation_level=None)
    held.execute("BEGIN IMMEDIATE")
    with pytest.raises(FeaturesError, match="another program holds the index"):
        Index(store)
    held.execute("COMMIT")
    held.close()
    assert rows(store)[3] == 1


def test_a_damaged_one_that_another_has_open_is_waited_for(store, monkeypatch):
    store.write(features("a"))
    monkeypatch.setattr(indexfile, "_WAIT_S", 0.2)
    (store.folder / indexfile.NAME).write_bytes(b"x" * 5000)
    other = os.open(store.folder / "index.lock", os.O_RDONLY | os.O_CREAT)
    fcntl.flock(other, fcntl.LOCK_SH)
    with pytest.raises(FeaturesError, match="is damaged, and another program has it open"):
        Index(store)
    os.close(other)
    assert rows(store)[3] == 1


def test_a_store_that_may_not_be_written(store, tmp_path, monkeypatch):
    store.write(features("a"))
    cache = tmp_path / "cache"
    monkeypatch.setenv("XDG_CACHE_HOME", str(cache))
    disk = tmp_path / "disk"
    disk.mkdir()
    if subprocess.run(["mount", "--bind", store.folder, disk], capture_output=True).returncode:
        pytest.skip("may not mount")
    try:
        subprocess.run(["mount", "-o", "remount,ro,bind", disk], check=True)
        found = rows(FeatureStore(disk))
        assert [entry.id for entry in found[0]] == ["a"]
        (made,) = cache.rglob(indexfile.NAME)
        assert rows(FeatureStore(disk)) == found
        monkeypatch.setenv("XDG_CACHE_HOME", str(disk / "none"))
        assert rows(FeatureStore(disk)) == found  # in memory
    finally:
        subprocess.run(["umount", disk], check=True)
    assert not (store.folder / indexfile.NAME).exists()
    assert made.exists()


def test_the_index_is_no_part_of_the_store(store):
    store.write(features("a"))
    rows(store)
    assert (store.folder / indexfile.NAME).exists()
    assert FeatureStore(store.folder).ids() == ["a"]
    (store.folder / indexfile.NAME).unlink()
    assert rows(store)[3] == 1


def test_ids_are_those_that_a_glob_finds(store):
    for ident in AWKWARD:
        store.write(features(ident))
    (store.path("a.b").parent / ".hidden.safetensors").touch()
    (store.folder / "models/x/y").mkdir(parents=True)
    (store.folder / "models/x/y/z.safetensors").touch()
    (store.folder / "ab" / "c").mkdir(parents=True, exist_ok=True)
    (store.folder / "ab/c/z.safetensors").touch()
    globbed = [p for p in store.folder.glob("??/??/**/*.safetensors") if not p.name.startswith(".")]
    assert len(globbed) == len(AWKWARD)
    assert store.ids() == sorted(scanning.id_of(p.relative_to(store.folder).as_posix()) for p in globbed)
    assert json.dumps([entry.to_json() for entry in rows(store)[0]])


def test_a_store_whose_clock_is_ahead_is_looked_at_again(store):
    """What is dated in the future is never taken for settled."""
    store.write(features("a"))
    path = store.path("a")
    later = time.time() + 3600
    os.utime(path, (later, later))
    os.utime(path.parent, (later, later))
    with Index(store) as index:
        index.refresh()
        assert index.refresh().read == 1


def test_a_store_at_an_address(tmp_path, monkeypatch):
    """Its index lies in the cache; what is replaced there is seen by its time of change or tag."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    store = FeatureStore(f"memory://index-{os.getpid()}", create=True)
    assert rows(store)[0] == []
    for ident in AWKWARD:
        store.write(features(ident))
    store.note_failures({"gone": "no"})
    entries, totals, failures, count = rows(store)
    assert [entry.id for entry in entries] == store.ids() == sorted(AWKWARD)
    assert (totals, failures, count) == ({STATIC.hash: len(AWKWARD)}, {"gone": "no"}, len(AWKWARD))
    assert {entry.problem for entry in entries} == {""}
    assert len([*tmp_path.rglob(indexfile.NAME)]) == 1
    store.write(features("a.b", size=2))
    store.path("two words").unlink()
    with Index(store) as index:
        done = index.refresh()
        assert (done.read, done.gone) == (1, 1)
        assert index.verify() == []
        (changed,) = index.page(prefix="a.b")
        assert changed.check != next(entry.check for entry in entries if entry.id == "a.b")
    assert verify(store).sound == verify(store, quick=True).sound == len(AWKWARD) - 1
    store.path("a.b").write_bytes(b"x" * 100)
    assert set(verify(store, quick=True).damaged) == {"a.b"}
