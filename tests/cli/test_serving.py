"""The command that opens the room: what it refuses, and how it ends."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request

import pytest

OPEN_TO_ALL = ["--host", "0.0.0.0"]


def refused(*arguments, **environment):
    command = [sys.executable, "-m", "toprock", "serve", *map(str, arguments)]
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=60, env=os.environ | environment, check=False
    )
    assert done.returncode == 2 or done.returncode == 1
    (line,) = done.stderr.splitlines()
    return line


@pytest.mark.parametrize(
    ("arguments", "environment", "why"),
    [
        (OPEN_TO_ALL, {}, "there is no password"),
        (OPEN_TO_ALL, {"TOPROCK_PASSWORD": "short"}, "5 characters"),
        (OPEN_TO_ALL, {"TOPROCK_JUDGE_PASSWORD": "long enough"}, "no password"),
        (["--static", "nothing-like-it"], {}, "nothing-like-it"),
        (["--database", "postgresql+psycopg://nobody@127.0.0.1:1/none"], {}, "cannot be used"),
        (["--database", "nonsense"], {}, "cannot be used"),
    ],
)
def test_what_cannot_be_opened_is_refused_in_a_line(tmp_path, arguments, environment, why):
    assert why in refused(tmp_path / "library", *arguments, **environment)


def test_a_folder_of_other_things_is_left_alone(tmp_path):
    (tmp_path / "holiday.mp4").write_text("x")
    assert "other things in it" in refused(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["holiday.mp4"]


def test_a_port_that_is_taken_is_named(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert f"127.0.0.1:{port} cannot be listened at" in refused(tmp_path / "library", "--port", port)


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
def test_it_opens_says_where_and_closes(tmp_path, how):
    command = [sys.executable, "-m", "toprock", "serve", str(tmp_path / "library"), "--port", "0", "--workers", "1"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as room:
        assert room.stderr is not None
        try:
            address = re.search(r"http://\S+", room.stderr.readline())[0]
            with urllib.request.urlopen(address + "/healthz", timeout=20) as answer:
                assert answer.read() == b"ok\n"
        finally:
            room.send_signal(how)
        _, rest = room.communicate(timeout=30)
    assert "the room is closed" in rest
    assert room.returncode == 0


def test_it_keeps_to_the_bounds_that_are_set(tmp_path):
    """More connections than may be are told to come again, and those that go make room."""
    chosen = tmp_path / "settings.toml"
    chosen.write_text("[room]\nmax_connections = 4\nworkers = 1\n")
    command = [sys.executable, "-m", "toprock", "serve", str(tmp_path / "library"), "--port", "0"]
    environment = os.environ | {"TOPROCK_SETTINGS": str(chosen)}
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=environment) as room:
        try:
            address = re.search(r"http://\S+", room.stderr.readline())[0]
            port = int(address.rpartition(":")[2])
            with contextlib.ExitStack() as held:
                for _ in range(5):
                    held.enter_context(socket.create_connection(("127.0.0.1", port)))
                time.sleep(0.5)
                with pytest.raises(urllib.error.HTTPError) as refused_with:
                    urllib.request.urlopen(address + "/healthz", timeout=20)
                assert refused_with.value.code == 503
                refused_with.value.close()
            time.sleep(0.5)
            with urllib.request.urlopen(address + "/healthz", timeout=20) as answer:
                assert answer.status == 200
        finally:
            room.terminate()
        room.communicate(timeout=30)
