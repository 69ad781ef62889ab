"""Interrupted, killed, out of disk: nothing half-written stays, and the same command goes on."""

import json
import os
import resource
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file

from toprock.features import FeatureStore

COPIES = 4


@pytest.fixture(scope="module")
def long_videos(place, tmp_path_factory):
    """A folder of videos of about 45 s each, so that there is something to interrupt."""
    folder = tmp_path_factory.mktemp("long")
    listing = folder / "list.txt"
    listing.write_text("".join(f"file '{place.video(i % place.count)}'\n" for i in range(3)))
    join = ["ffmpeg", "-v", "error", "-f", "concat", "-safe", "0", "-i", listing, "-c", "copy", folder / "v0.mp4"]
    subprocess.run(join, check=True)
    listing.unlink()
    for i in range(1, COPIES):
        (folder / f"v{i}.mp4").symlink_to(folder / "v0.mp4")
    return folder


@contextmanager
def started(*arguments):
    """The command in a session of its own, as in a terminal; whatever is left of it is ended."""
    command = [sys.executable, "-m", "toprock", *map(str, arguments)]
    process = subprocess.Popen(command, stdout=-1, stderr=-1, text=True, start_new_session=True)
    try:
        yield process
    finally:
        for pid in members(process.pid):
            os.kill(pid, signal.SIGKILL)
        process.communicate()


def members(session):
    """Living processes of a session."""
    found = []
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            try:
                state, *rest = (folder / "stat").read_text().rpartition(")")[2].split()
            except OSError:
                continue
            if int(rest[2]) == session and state != "Z":
                found.append(int(folder.name))
    return found


def until(condition, process, within_s=120.0):
    """Wait for something that a running command does."""
    end = time.monotonic() + within_s
    while not condition():
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < end
        time.sleep(0.01)


def interrupted(process, kind=signal.SIGINT):
    """Send a signal as a terminal does, to all of its foreground group; returns what the command said."""
    os.killpg(process.pid, kind)
    _, told = process.communicate(timeout=60)
    end = time.monotonic() + 10
    while (left := members(process.pid)) and time.monotonic() < end:
        time.sleep(0.05)
    assert left == []
    return told


def half_written(folder):
    return [path for path in folder.rglob("*") if path.suffix == ".part"]


def all_whole(folder):
    """Ids in a store, each of which was read and found whole."""
    store = FeatureStore(folder)
    for ident in store.ids():
        streams = store.read(ident).streams
        assert {recipe.stream for recipe in streams} == {"dynamic", "static"}
        assert all(len(s.features) == len(s.times) > 0 and np.isfinite(s.features).all() for s in streams.values())
    return store.ids()


@pytest.mark.parametrize("kind", [signal.SIGINT, signal.SIGTERM])
def test_extraction_goes_on_after_an_interrupt(toprock, long_videos, tmp_path, kind):
    out = tmp_path / "f"
    with started("extract", long_videos, "--out", out) as process:
        until(lambda: len(list(out.rglob("*.safetensors"))) >= 2, process)
        told = interrupted(process, kind)
    assert process.returncode == 130
    assert told.splitlines()[-1] == "interrupted; extract, train, benchmark and demo go on from here when run again."
    assert "Traceback" not in told
    assert half_written(out) == []
    before = all_whole(out)
    assert 2 <= len(before) < COPIES
    stamps = {ident: FeatureStore(out).path(ident).stat().st_mtime_ns for ident in before}
    _, told = toprock("extract", long_videos, "--out", out)
    assert f"{COPIES - len(before)} performances written to {out}, {len(before)} were there already" in told
    assert len(all_whole(out)) == COPIES
    assert {ident: FeatureStore(out).path(ident).stat().st_mtime_ns for ident in before} == stamps


def test_a_single_video_can_be_interrupted(toprock, long_videos, tmp_path):
    """One video is read by the command itself, not by a worker."""
    out = tmp_path / "f"
    with started("extract", long_videos / "v0.mp4", "--out", out) as process:
        until(lambda: len(members(process.pid)) > 1, process)  # the decoder runs
        time.sleep(0.3)
        told = interrupted(process)
    assert (process.returncode, len(told.splitlines())) == (130, 1)
    assert half_written(out) == []
    assert all_whole(out) == []
    toprock("extract", long_videos / "v0.mp4", "--out", out)
    assert all_whole(out) == ["v0"]


def test_workers_end_with_a_command_that_is_killed(toprock, long_videos, tmp_path):
    out = tmp_path / "f"
    with started("extract", long_videos, "--out", out) as process:
        until(lambda: list(out.rglob("*.safetensors")), process)
        process.kill()
        _, told = process.communicate(timeout=60)
        end = time.monotonic() + 30
        while members(process.pid) and time.monotonic() < end:
            time.sleep(0.05)
        assert members(process.pid) == []
    assert told == ""
    abandoned, fresh = out / "ab" / ".01234567-leftover.part", out / ".01234567-begunnow.part"
    abandoned.parent.mkdir(exist_ok=True)
    for path, age_s in ((abandoned, 7200), (fresh, 60)):
        path.touch()
        os.utime(path, (time.time() - age_s,) * 2)
    toprock("extract", long_videos, "--out", out)
    assert len(all_whole(out)) == COPIES
    assert half_written(out) == [fresh]  # another machine may be at it


def test_training_goes_on_after_an_interrupt(toprock, place, tmp_path):
    common = ("train", "--features", place / "features", "--pairs", place / "pairs.txt")
    common = (*common, "--steps", 130, "--members", 3, "--out")
    out = tmp_path / "m"
    with started(*common, out) as process:
        until(lambda: list(out.rglob("member1*.safetensors")), process)  # saved after 50 steps
        told = interrupted(process)
    assert (process.returncode, len(told.splitlines())) == (130, 1)
    assert half_written(out) == []
    _, told = toprock("score", place.video(0), "--model", out, status=1)
    assert "is no model folder" in told
    toprock(*common, out)
    assert {path.name for path in out.iterdir()} == {"README.md", "config.json", "model.safetensors"}
    toprock(*common, tmp_path / "whole")
    one, other = (load_file(folder / "model.safetensors") for folder in (out, tmp_path / "whole"))
    for name, value in one.items():
        np.testing.assert_allclose(value, other[name], atol=1e-5)


def test_extraction_goes_on_after_a_full_disk(toprock, place, small_disk):
    out = small_disk("300k") / "f"
    _, told = toprock("extract", place / "in/manifest.csv", "--out", out, status=1)
    assert "the disk is full. Free some space and run the same command again" in told
    assert len(told.splitlines()) == 1
    assert half_written(out) == []
    assert 1 <= len(all_whole(out)) < place.count
    small_disk("10m")
    toprock("extract", place / "in/manifest.csv", "--out", out)
    assert len(all_whole(out)) == place.count


def test_training_goes_on_after_a_full_disk(toprock, place, small_disk):
    out = small_disk("3m") / "m"
    common = ("train", "--features", place / "features", "--pairs", place / "pairs.txt", "--steps", 60, "--out", out)
    _, told = toprock(*common, status=1)
    assert "the disk is full. Free some space and run the same command again" in told
    assert len(told.splitlines()) == 1
    assert half_written(out) == []
    assert not (out / "config.json").exists()
    small_disk("30m")
    toprock(*common)
    toprock("score", "battle-000", "--features", place / "features", "--model", out)


def test_an_overlay_that_is_interrupted_leaves_nothing(place, long_videos, tmp_path):
    with started("overlay", long_videos / "v0.mp4", "--model", place / "model", "--out", tmp_path / "o.mp4") as process:
        until(lambda: any(path.stat().st_size for path in half_written(tmp_path)), process)
        told = interrupted(process)
    *cautions, last = told.splitlines()
    assert (process.returncode, last.split(";")[0]) == (130, "interrupted")
    assert all(line.startswith("! v0: ") for line in cautions)
    assert list(tmp_path.iterdir()) == []


def no_larger_than(size):
    """For `preexec_fn`: files of this process and its children end at so many bytes; pipes do not count."""
    return lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))


def test_files_that_may_not_grow(fresh_toprock, place, tmp_path):
    """What a disk quota or `ulimit -f` does; needs no rights to mount, so it runs everywhere."""
    out = tmp_path / "f"
    limited = {"preexec_fn": no_larger_than(50_000)}
    _, told = fresh_toprock("extract", place / "in/manifest.csv", "--out", out, status=1, **limited)
    assert "it grows larger than a file may be here" in told
    assert len(told.splitlines()) == 1
    assert half_written(out) == []
    assert all_whole(out) == []
    common = ("train", "--features", place / "features", "--pairs", place / "pairs.txt", "--steps", 3)
    _, told = fresh_toprock(*common, "--out", tmp_path / "m", status=1, **limited)
    assert "it grows larger than a file may be here" in told
    assert len(told.splitlines()) == 1
    assert half_written(tmp_path / "m") == []
    assert not (tmp_path / "m/config.json").exists()
    score = ("score", "battle-000", "--features", place / "features", "--model", place / "model", "--json")
    out, told = fresh_toprock(*score, "--report", tmp_path / "r.html", status=1, **limited)
    assert "it grows larger than a file may be here" in told
    assert json.loads(out)["id"] == "battle-000"
    assert [p.name for p in tmp_path.iterdir() if p.name.startswith((".", "r"))] == []


@pytest.mark.parametrize("end", ["interrupted", "killed"])
def test_a_benchmark_ends_with_its_processes_and_goes_on(toprock, tmp_path, write_jigsaws, end):
    folder, out = write_jigsaws(tmp_path / "data"), tmp_path / "out"
    common = ("benchmark", "jigsaws", "--data", folder, "--out", out, "--seeds", 1, "--model", "linear", "--json")
    with started(*common, "--model", "raan", "--epochs", 20_000, "--workers", 2) as process:
        until(lambda: list(out.rglob("*.json")), process)
        if end == "interrupted":
            assert interrupted(process).count("\n") == 1
            assert process.returncode == 130
        else:
            process.kill()
            process.communicate(timeout=60)
            gone = time.monotonic() + 30
            while members(process.pid) and time.monotonic() < gone:
                time.sleep(0.05)
            assert members(process.pid) == []
    assert half_written(out) == []
    done = {path: path.stat().st_mtime_ns for path in out.rglob("*.json")}
    assert all("linear" in path.name for path in done)
    found = json.loads(toprock(*common)[0])
    assert len(found["rows"]) == 4
    assert {path: path.stat().st_mtime_ns for path in done} == done
