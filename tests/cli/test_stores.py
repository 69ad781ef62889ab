"""features list, verify and gc as a person and a program call them."""

import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest

from toprock.features import FeatureStore, Index

FILE_KEYS = {"id", "file", "size", "check", "duration_s", "recipes", "problem"}


@pytest.fixture
def store(place, tmp_path):
    """A store of six performances that may be changed."""
    shutil.copytree(place / "features", tmp_path / "store", ignore=shutil.ignore_patterns("index.*"))
    return FeatureStore(tmp_path / "store")


def test_list_a_page_and_the_next(toprock, store):
    out, told = toprock("features", "list", store.folder, "--limit", 4, "--json")
    first = json.loads(out)
    assert told == ""
    assert set(first) == {"schema", "performances", "recipes", "total", "next"}
    assert (first["schema"], first["total"], first["next"]) == (1, 6, "battle-003")
    assert all(set(one) == FILE_KEYS for one in first["performances"])
    assert {r["hash"]: r["performances"] for r in first["recipes"]} == {r.hash: 6 for r in store.recipes}
    one = first["performances"][0]
    features = store.read("battle-000")
    assert one["recipes"] == {r.hash: len(s.features) for r, s in features.streams.items()}
    assert (one["duration_s"], one["problem"]) == (features.facts["duration_s"], None)
    rest = json.loads(toprock("features", "list", store.folder, "--after", first["next"], "--json")[0])
    assert [p["id"] for p in rest["performances"]] == ["battle-004", "battle-005"]
    assert rest["next"] is None
    out, told = toprock("features", "list", store.folder, "--limit", 4)
    assert [line.split()[0] for line in out.splitlines()] == [f"battle-00{n}" for n in range(4)]
    assert " s  flow " in out
    assert told == "4 of 6 performances; go on with --after 'battle-003'.\n"


def test_list_by_prefix_recipe_and_failure(toprock, store):
    store.note_failures({"x": "x.mp4: there is no such file", "y": "y.mp4: is damaged"})
    common = ("features", "list", store.folder, "--json")
    assert len(json.loads(toprock(*common, "--prefix", "battle-00")[0])["performances"]) == 6
    assert json.loads(toprock(*common, "--prefix", "dance")[0])["total"] == 0
    assert json.loads(toprock(*common, "--recipe", "flow")[0])["total"] == 6
    assert json.loads(toprock(*common, "--recipe", store.recipes[0].hash[:6])[0])["total"] == 6
    failed = json.loads(toprock(*common, "--failed", "--limit", 1)[0])
    assert failed["failures"] == [{"id": "x", "error": "x.mp4: there is no such file"}]
    assert (failed["total"], failed["next"]) == (2, "x")
    _, told = toprock(*common, "--recipe", "nonsense", status=2)
    assert "has no features called 'nonsense'. It has: flow (" in told
    _, told = toprock(*common, "--recipe", "flow", "--failed", status=2)
    assert "--failed and --recipe exclude each other" in told


def test_quick_verify_reads_no_arrays_and_finds_what_is_cut_off(toprock, store):
    whole = json.loads(toprock("features", "verify", store.folder, "--json")[0])
    assert json.loads(toprock("features", "verify", store.folder, "--quick", "--json")[0]) == whole
    assert whole["sound"] == 6
    flip(store.path("battle-001"), -5)
    assert json.loads(toprock("features", "verify", store.folder, "--quick", "--json")[0]) == whole
    assert set(json.loads(toprock("features", "verify", store.folder, "--json", status=1)[0])["damaged"]) == {
        "battle-001"
    }
    os.truncate(store.path("battle-001"), 5000)
    out, _ = toprock("features", "verify", store.folder, "--quick", status=1)
    assert f"damaged: {store.path('battle-001')}: is damaged (its arrays take" in out
    assert "5 performances are sound, 1 are damaged. Arrays were not read; without --quick they are." in out


def flip(path, place):
    data = bytearray(path.read_bytes())
    data[place] ^= 0x10
    path.write_bytes(data)


def test_a_damaged_index_is_made_again_and_said(toprock, store):
    toprock("features", "list", store.folder)
    (store.folder / "index.sqlite").write_bytes(b"x" * 9999)
    out, told = toprock("features", "list", store.folder, "--json")
    assert len(json.loads(out)["performances"]) == 6
    assert told == f"note: {store.folder / 'index.sqlite'}: could not be used, and is made again.\n"


STOPPED = """
import os, sys
from toprock.features import store, verification
read, left = store.FeatureStore.read, [int(sys.argv.pop())]
how = sys.argv.pop()
def read_some(self, ident):
    left[0] -= 1
    if left[0] < 0:
        if how == "kill":
            os.kill(os.getpid(), 9)
        raise KeyboardInterrupt
    print(ident, file=sys.stderr)
    return read(self, ident)
store.FeatureStore.read = read_some
verification._NOTED_EVERY_S = 0
from toprock.cli import main
sys.argv = ["toprock", *sys.argv[1:]]
main()
"""


@pytest.mark.parametrize("how", ["kill", "interrupt"])
def test_a_check_goes_on_where_it_was_stopped(toprock, store, how):
    flip(store.path("battle-001"), -5)
    time.sleep(2.1)  # what has changed just now would be read again

    def check(*options, reads):
        command = [sys.executable, "-c", STOPPED, "features", "verify", store.folder, *options, how, str(reads)]
        return subprocess.run(command, capture_output=True, text=True)

    stopped = check(reads=4)
    assert stopped.returncode == (-signal.SIGKILL if how == "kill" else 130)
    assert stopped.stderr.split()[:4] == [f"battle-00{n}" for n in range(4)]
    store.write(store.read("battle-000"))  # what has changed is read again
    on = check("--json", reads=99)
    told = [line for line in on.stderr.splitlines() if line.startswith("battle")]
    assert told == ["battle-000", "battle-004", "battle-005"]
    assert "the check goes on that was interrupted; 3 files were read then" in on.stderr
    found = json.loads(on.stdout)
    assert (on.returncode, found["sound"], set(found["damaged"])) == (1, 5, {"battle-001"})
    assert all(r["performances"] == 5 for r in found["recipes"])
    again = check(reads=99)  # one that came to its end begins anew
    assert again.stderr.split() == [f"battle-00{n}" for n in range(6)]
    check(reads=2)
    assert check("--anew", reads=99).stderr.split() == [f"battle-00{n}" for n in range(6)]


def test_gc_tells_and_deletes_only_where_asked(toprock, store, place, tmp_path):
    lines = (place / "in/manifest.csv").read_text().splitlines()
    (tmp_path / "keep.csv").write_text("\n".join(lines[:4]) + "\n")
    store.note_failures({"gone": "v.mp4: there is no such file"})
    common = ("features", "gc", store.folder, "--keep", tmp_path / "keep.csv", "--recipes", place / "model")
    out, told = toprock(*common)
    size = sum(store.path(f"battle-00{n}").stat().st_size for n in (3, 4, 5))
    assert out.splitlines() == [
        f"3 performances that the manifest does not name, {size} bytes",
        "1 failures of performances that the manifest does not name",
        f"4 things, {size} bytes: not needed; --delete removes them.",
    ]
    assert told == ""
    assert len(store.ids()) == 6
    found = json.loads(toprock(*common, "--delete", "--json")[0])
    assert set(found) == {"schema", "deleted", "waste", "imported", "unreadable", "changed"}
    assert (found["schema"], found["deleted"], found["changed"]) == (1, True, [])
    assert found["waste"]["performances"] == {"count": 3, "bytes": size}
    assert set(found["waste"]) == {"parts", "performances", "features", "damaged", "failures", "folders"}
    assert store.ids() == ["battle-000", "battle-001", "battle-002"]
    assert store.failures() == {}
    out, _ = toprock(*common, "--delete")
    assert out == "0 things, 0 bytes: deleted.\n"
    toprock("features", "verify", store.folder)
    toprock("features", "gc", store.folder, "--recipes", "flow", "--delete")
    assert [r.backbone for r in FeatureStore(store.folder).recipes] == ["flow"]
    with Index(store) as index:
        index.refresh()
        assert {len(entry.shapes) for entry in index.page()} == {1}


def test_gc_is_not_talked_into_deleting_everything(toprock, store, tmp_path):
    (tmp_path / "keep.csv").write_text("id,video\nother,v.mp4\n")
    _, told = toprock("features", "gc", store.folder, "--keep", tmp_path / "keep.csv", "--delete", status=1)
    assert "holds none of what is to be kept" in told
    _, told = toprock("features", "gc", store.folder, "--recipes", "nonsense", "--delete", status=2)
    assert "has no features called 'nonsense'" in told
    assert len(store.ids()) == 6


def test_the_commands_and_the_code_of_the_page_on_stores(toprock, store, place, tmp_path, monkeypatch, capsys):
    page = (Path(__file__).resolve().parents[2] / "docs/stores.md").read_text(encoding="utf-8")
    blocks = re.findall(r"(?:^ {4}.*\n|^\n(?= {4}))+", page, flags=re.MULTILINE)
    shutil.copytree(place / "model", tmp_path / "model")
    shutil.copy(place / "in/manifest.csv", tmp_path)
    store.folder.rename(tmp_path / "features")
    ran = []
    for line in "".join(blocks).splitlines():
        if line.startswith("    toprock "):
            _, *arguments = shlex.split(line, comments=True)
            toprock(*arguments, cwd=tmp_path)
            ran.append(arguments[1])
    assert set(ran) == {"list", "verify", "gc"}
    (code,) = [block for block in blocks if "import" in block]
    monkeypatch.chdir(tmp_path)
    exec(compile(textwrap.dedent(code), "stores.md", "exec"), {})
    assert [line.split()[0] for line in capsys.readouterr().out.splitlines()] == store.__class__("features").ids()
