"""Nothing leaves the machine: in a network of their own, neither the room nor a command sends a packet unasked."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.long


def quiet(*arguments: object, given: str = "") -> dict[str, Any]:
    """What `quiet.py` found."""
    able = shutil.which("unshare") and shutil.which("ip")
    apart = ["unshare", "--net", "--mount"]
    if not able or subprocess.run([*apart, "true"], capture_output=True, check=False).returncode:
        reason = "a network namespace cannot be made here"
        if os.environ.get("CI") == "true":
            pytest.fail(reason)
        pytest.skip(reason)
    command = [*apart, sys.executable, Path(__file__).with_name("quiet.py"), *map(str, arguments)]
    done = subprocess.run(command, input=given, capture_output=True, text=True, timeout=280, check=False)
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout.splitlines()[-1])
    assert said["probe"] >= 2, "the counter does not count"
    return said["found"]


def test_a_room_sends_no_packet(make_video, tmp_path):
    videos = [make_video(tmp_path / f"v{n}.mp4", frames=60 + n) for n in range(2)]
    found = quiet("room", tmp_path / "library", *videos)
    assert found["sent"] == 0
    assert found["jobs"] == ["done", "done"]
    assert [path for path in found["left"] if not path.endswith("features/store.json")] == []


def test_commands_send_no_packet_but_to_fetch_what_was_asked_for(place, write_jigsaws, monkeypatch, tmp_path):
    for variable in ("HF_HOME", "HF_HUB_CACHE", "XDG_CACHE_HOME", "TOPROCK_WEIGHTS"):
        monkeypatch.setenv(variable, str(tmp_path / "nothing-here"))
    monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
    write_jigsaws(tmp_path / "jigsaws")
    store, model, pairs = place / "features", place / "model", place / "pairs.txt"
    stored = ("--features", store, "--model", model)
    first, second = place.video(0), place.video(1)
    silent = {
        "extract": ("extract", first, "--out", tmp_path / "features"),
        "train": ("train", "--features", store, "--pairs", pairs, "--out", tmp_path / "model", "--steps", 2),
        "evaluate": ("evaluate", *stored, "--pairs", pairs),
        "score": ("score", first, "--model", model, "--report", tmp_path / "report.html"),
        "score, as PDF": ("score", *stored, "battle-000", "--report", tmp_path / "report.pdf"),
        "compare": ("compare", first, second, "--model", model),
        "rank": ("rank", *stored),
        "benchmark": (
            *("benchmark", "jigsaws", "--data", tmp_path / "jigsaws", "--out", tmp_path / "rows"),
            *("--model", "linear", "--seeds", 1, "--workers", 1),
        ),
        "features verify": ("features", "verify", store),
        "backbones": ("backbones",),
    }
    without_weights = {
        name: ("extract", first, "--out", tmp_path / "none", *options)
        for name, options in {
            "a network that is not there": ("--static", "dinov2-small"),
            "poses that are not there": ("--dynamic", "pose-motion"),
            "a crop that needs poses": ("--static", "dinov2-small", "--crop", "performer"),
        }.items()
    }
    asked = {name: ("backbones", "--download", name) for name in ("dinov2-small", "pose")}
    every = {name: [*map(str, words)] for name, words in (silent | without_weights | asked).items()}
    found = quiet("commands", given=json.dumps(list(every.items())))
    assert {name: told for name in silent if (told := found[name])["status"] or told["sent"]} == {}
    assert found["importing"]["sent"] == 0
    for name in without_weights:
        assert (found[name]["status"], found[name]["sent"]) == (1, 0), found[name]
        assert "toprock backbones --download" in " ".join(found[name]["told"].split()), found[name]
    for name in asked:
        assert found[name]["status"] == 1
        assert found[name]["sent"] > 0, "a download that was asked for was not tried"
        assert "cannot be reached" in " ".join(found[name]["told"].split()), found[name]
