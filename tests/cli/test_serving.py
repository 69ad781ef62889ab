"""The command that opens the room: what it refuses, and how it ends."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
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
