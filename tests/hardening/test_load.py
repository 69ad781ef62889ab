"""The readers of the long run, for a few seconds: every kind of request is answered while two workers work."""

from __future__ import annotations

from hardening.chapter import Scale
from hardening.chapters import load
from hardening.machines import open_room


def test_fifty_read_while_two_extractions_run(place, tmp_path):
    scale = Scale(False, tmp_path)
    folder, keys = load.make_room(tmp_path, place, 3)
    with open_room(folder) as room:
        busy = load.keep_busy(room, scale, place)
        found = load.read(room, keys, 5, think=True, seed=0)
        assert all(room.ask("GET", f"/jobs/{number}")[1]["state"] in ("running", "done") for number in busy)
    assert found["troubles"] == []
    assert {kind for kind, times in found["times"].items() if times} == {
        *("library page", "picture", "performance page", "assessment JSON", "part of a video", "standings page")
    }
