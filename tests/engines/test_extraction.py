"""Extraction on a Ray cluster: what the local engine stores, byte for byte, whatever becomes of the machines."""

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from toprock.backbones import build
from toprock.backbones.base import Compute
from toprock.errors import ComputeError
from toprock.features import FeatureStore
from toprock.features.elsewhere import read_there, setup_of
from toprock.video import Limits

sys.path.insert(0, str(Path(__file__).parents[1] / "backbones"))
from checkpoints import make_checkpoint

pytestmark = pytest.mark.long

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


def test_machines_that_cannot_are_left_out_and_named(cluster, videos, tmp_path):
    out, weights, few = tmp_path / "features", tmp_path / "weights", tmp_path / "videos"
    FeatureStore(out, create=True)
    make_checkpoint("dinov2", weights)
    few.mkdir()
    for number in range(VIDEOS):
        shutil.copy2(videos / f"{number:02}.mp4", few)
    views = {
        f"mount -t tmpfs none {weights}": f"{weights}: ",
        f"mount --bind {out} {out} && mount -o remount,ro,bind {out}": "Read-only file system|may not be written",
    }
    nodes = [cluster.join(view) for view in views]
    try:
        options = ("--dynamic", "none", "--static", str(weights), "--precision", "float32")
        done = subprocess.run(
            command(few, out, "--engine", "ray", "--address", cluster.address, *options),
            capture_output=True,
            text=True,
            env=os.environ | cluster.environment,
            timeout=240,
        )
    finally:
        for node in nodes:
            node.kill()
    assert done.returncode == 0, done.stderr
    left_out = [line for line in done.stderr.splitlines() if "left out on the machine" in line]
    assert len(left_out) == len(views), done.stderr
    for what in views.values():
        assert any(word in line for line in left_out for word in what.split("|")), (what, left_out)
    assert len(FeatureStore(out).ids()) == VIDEOS


def test_what_is_not_to_be_seen_from_a_machine_is_told_there(videos, tmp_path):
    store = FeatureStore(tmp_path / "features", create=True)
    setup = setup_of(store, [build("posture")], Limits(), Compute())
    plain = {"id": "00", "intervals": "", "beats": None, "box": None}
    empty = tmp_path / "empty"
    empty.mkdir()
    for folder in (tmp_path / "absent", empty):
        with pytest.raises(ComputeError, match=re.escape(f"the folder {folder} is not there, or empty")):
            read_there(setup, [plain | {"video": str(folder / "00.mp4")}])
    assert read_there(setup, [plain | {"video": str(videos / "00.mp4")}]) == ({}, {})
    assert store.ids() == ["00"]
    shutil.move(store.folder, tmp_path / "moved")
    FeatureStore(tmp_path / "features", create=True)  # where the other machine has a store of its own
    fresh = json.dumps(json.loads(setup) | {"limits": {}})  # a process keeps what it has opened
    with pytest.raises(ComputeError, match="another store there than here"):
        read_there(fresh, [plain | {"video": str(videos / "00.mp4")}])
    shutil.rmtree(tmp_path / "features")
    with pytest.raises(ComputeError, match="the store cannot be seen from there"):
        read_there(fresh, [plain | {"video": str(videos / "00.mp4")}])


def test_an_address_that_answers_nothing_is_told_at_once(videos, tmp_path, toprock):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{free.getsockname()[1]}"
        out = tmp_path / "features"
        _, told = toprock("extract", videos, "--out", out, "--engine", "ray", "--address", address, status=1)
    assert f"nothing answers at {address}" in told
    assert not out.exists()
    _, told = toprock("extract", videos, "--out", out, "--engine", "ray", "--address", "here", status=2)
    assert "'here' is no address" in told
    _, told = toprock("extract", videos, "--out", out, "--address", address, status=2)
    assert "--address is for --engine ray" in told


def test_an_address_where_something_else_answers_is_told_at_once(videos, tmp_path, toprock):
    class Page(BaseHTTPRequestHandler):
        def log_message(self, *_):
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Page) as server, socket.create_server(("127.0.0.1", 0)) as silent:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        for port, words in (
            (server.server_port, "what answers at 127.0.0.1:{} is no Ray cluster"),
            (silent.getsockname()[1], "nothing answers at 127.0.0.1:{} (timed out)"),
        ):
            address, begun_s = f"127.0.0.1:{port}", time.monotonic()
            options = ("--out", tmp_path / "features", "--engine", "ray", "--address", address)
            _, told = toprock("extract", videos, *options, status=1)
            assert words.format(port) in told
            assert time.monotonic() - begun_s < 30  # Ray itself asks again for minutes
        server.shutdown()


def test_a_token_in_rays_own_place_is_used(cluster, videos, local, tmp_path):
    folder = tmp_path / ".ray"
    folder.mkdir()
    (folder / "auth_token").write_text(cluster.environment["RAY_AUTH_TOKEN"])
    named = {key: value for key, value in (os.environ | cluster.environment).items() if "AUTH" not in key}
    options = ("--engine", "ray", "--address", cluster.address)
    done = extracted(videos, local, *options, environment=named | {"HOME": str(tmp_path)})
    assert f"{VIDEOS} were there already" in done.stderr


def test_a_run_that_is_asked_to_end_says_so(cluster, videos, tmp_path):
    out = tmp_path / "features"
    told = command(videos, out, "--engine", "ray", "--address", cluster.address, "--workers", "1")
    running = subprocess.Popen(told, stderr=subprocess.PIPE, text=True, env=os.environ | cluster.environment)
    until = time.monotonic() + 120
    while not list(out.rglob("*.safetensors")):
        assert running.poll() is None
        assert time.monotonic() < until
        time.sleep(0.02)
    running.send_signal(signal.SIGTERM)
    _, said = running.communicate(timeout=60)
    assert running.returncode == 130, said
    assert "interrupted" in said
    assert "SIGTERM received" not in said
    until = time.monotonic() + 30
    while any(node.busy for node in cluster.nodes):
        assert time.monotonic() < until, "a task runs on for a program that is gone"
        time.sleep(0.1)
