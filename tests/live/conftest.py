"""Recorders at work: ffmpeg writes files, faster than real time where nothing depends on it, and a real RTSP server."""

import os
import shutil
import subprocess
from contextlib import contextmanager
from pathlib import Path

import pytest

from toprock.assess.model import load

DEBIAN_PYTHON = "/usr/bin/python3"


@pytest.fixture(scope="session")
def model(place):
    return load(place / "model")


@pytest.fixture(scope="session")
def film(place, tmp_path_factory):
    """8 s, 60 frames a second, with sound: more frames than any backbone looks at."""
    path = tmp_path_factory.mktemp("film") / "film.mp4"
    command = ["ffmpeg", "-v", "error", "-t", "8", "-i", str(place.video(0)), "-f", "lavfi", "-t", "8", "-i", "sine"]
    coded = ["-r", "60", "-c:v", "libx264", "-preset", "ultrafast", "-g", "30", "-c:a", "aac"]
    subprocess.run([*command, *coded, str(path)], check=True)
    return path


@pytest.fixture(scope="session")
def recorded(film):
    """A function, a context manager: ffmpeg records the film into a file, `speed` times as fast as it was played."""

    @contextmanager
    def record(path, *form, speed=4.0):
        command = ["ffmpeg", "-v", "error", "-readrate", str(speed), "-i", str(film), "-c", "copy"]
        with subprocess.Popen([*command, "-flush_packets", "1", *form, str(path)]) as writer:
            try:
                yield writer
            finally:
                writer.kill()

    return record


@pytest.fixture(scope="session")
def rtsp():
    """A function, a context manager: the port at which a real server sends a file in real time."""
    known = [DEBIAN_PYTHON, "-c", "import gi; gi.require_version('GstRtspServer', '1.0')"]
    if shutil.which(DEBIAN_PYTHON) is None or subprocess.run(known, capture_output=True).returncode:
        if os.environ.get("CI") == "true":
            pytest.fail("there is no RTSP server")
        pytest.skip("there is no RTSP server: install gir1.2-gst-rtsp-server-1.0 and others, see .ci/run")

    @contextmanager
    def serve(path, *account):
        command = [DEBIAN_PYTHON, Path(__file__).with_name("rtsp_server.py"), path, *account]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
            try:
                yield int(server.stdout.readline()), server
            finally:
                server.kill()

    return serve
