"""Nothing leaves the machine: a room in a network of its own sends no packet while it takes in, looks and deletes."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest


def test_a_room_sends_no_packet(make_video, tmp_path):
    able = shutil.which("unshare") and shutil.which("ip")
    if not able or subprocess.run(["unshare", "-n", "true"], capture_output=True, check=False).returncode:
        reason = "a network namespace cannot be made here"
        if os.environ.get("CI") == "true":
            pytest.fail(reason)
        pytest.skip(reason)
    videos = [str(make_video(tmp_path / f"v{n}.mp4", frames=60 + n)) for n in range(2)]
    script = Path(__file__).with_name("quiet.py")
    command = ["unshare", "-n", sys.executable, str(script), str(tmp_path / "library"), *videos]
    done = subprocess.run(command, capture_output=True, text=True, timeout=240, check=False)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout.splitlines()[-1])
    assert found["probe"] > 0, "the counter does not count"
    assert found["room"] == 0
    assert found["jobs"] == ["done", "done"]
    assert [path for path in found["left"] if not path.endswith("features/store.json")] == []
