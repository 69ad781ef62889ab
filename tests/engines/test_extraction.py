"""Extraction on a Ray cluster: what the local engine stores, byte for byte, whatever becomes of the machines."""

import json
import os
import shutil
import subprocess
import sys
import time

import pytest

VIDEOS = 12


@pytest.fixture(scope="module")
def videos(make_video, tmp_path_factory):
    folder = tmp_path_factory.mktemp("videos")
    for number in range(VIDEOS):
        make_video(folder / f"{number:02}.mp4", frames=90 + 15 * number, rate_hz=15, size=(320, 240))
    (folder / "bad.mp4").write_bytes(b"\0" * 5000)
    return folder


@pytest.fixture(scope="module")
def local(videos, tmp_path_factory):
    """What extraction on this machine stores."""
    folder = tmp_path_factory.mktemp("local") / "features"
    extracted(videos, folder)
    return folder


def command(videos, out, *options):
    return [sys.executable, "-m", "toprock", "extract", str(videos), "--out", str(out), *options]


def extracted(videos, out, *options, environment=None):
    done = subprocess.run(command(videos, out, *options), capture_output=True, text=True, env=environment, timeout=240)
    assert done.returncode == 1, done.stderr  # one video is bad
    return done


def contents(store):
    """Every file below a store but its head, which has a sign of its own."""
    files = {p.relative_to(store).as_posix(): p.read_bytes() for p in store.rglob("*") if p.is_file()}
    files.pop("store.json")
    return files


def test_a_machine_killed_half_way_loses_nothing_and_doubles_nothing(cluster, videos, local, tmp_path):
    out = tmp_path / "features"
    other = cluster.join()
    run = subprocess.Popen(
        command(videos, out, "--engine", "ray", "--address", cluster.address),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | cluster.environment,
    )
    until = time.monotonic() + 120
    while len(list(out.glob("??/??/*.safetensors"))) < VIDEOS // 4 or not other.busy:
        assert time.monotonic() < until and run.poll() is None, run.stderr.read()
        time.sleep(0.05)
    other.kill()
    before = {path.name: path.stat().st_mtime_ns for path in out.glob("??/??/*.safetensors")}
    _, said = run.communicate(timeout=180)
    assert run.returncode == 1, said
    assert f"{VIDEOS} performances written" in said and "bad.mp4" in said
    assert contents(out) == contents(local)
    after = {path.name: path.stat().st_mtime_ns for path in out.glob("??/??/*.safetensors")}
    assert len(before) < VIDEOS and before.items() <= after.items(), "a result that was there was written again"


def test_a_run_that_is_there_already_has_nothing_to_do(cluster, videos, local):
    done = extracted(
        videos, local, "--engine", "ray", "--address", cluster.address, environment=os.environ | cluster.environment
    )
    assert f"0 performances written to {local}, {VIDEOS} were there already, 1 failed." in done.stderr


def test_without_an_address_a_cluster_is_started_here(videos, local, tmp_path):
    few = tmp_path / "videos"
    few.mkdir()
    for name in ("00.mp4", "01.mp4", "bad.mp4"):
        shutil.copy2(videos / name, few / name)
    extracted(few, tmp_path / "features", "--engine", "ray", "--workers", "2")
    there, expected = contents(tmp_path / "features"), contents(local)
    failures = json.loads(there.pop("failures.json"))
    assert list(failures) == ["bad"]
    assert len(there) == 2 and there.items() <= expected.items()
