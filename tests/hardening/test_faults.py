"""A few of the faults of the long run, each done for real."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from hardening import faults, room_faults
from hardening.chapter import Scale
from hardening.machines import faketime, mounts, open_room, ready_commands
from tests.web.shelf import repeat_video

COMMANDS = ("full_disk", "read_only", "no_temporary")


@pytest.fixture
def scale(tmp_path):
    return Scale(False, tmp_path)


@pytest.fixture(scope="module")
def commands():
    with ready_commands() as ready:
        yield ready


def survived(trials):
    tried = list(trials)
    assert tried
    assert [(trial.fault, trial.where, trial.lost) for trial in tried if trial.lost] == []


@pytest.mark.parametrize("name", COMMANDS)
def test_commands_on_bad_disks(place, scale, commands, name):
    if not mounts():
        pytest.skip("no disks can be mounted here")
    fault = getattr(faults, name)
    survived(fault(place, scale) if name == "no_temporary" else fault(place, scale, commands))


@pytest.mark.parametrize("name", ["lost_output", "few_files", "no_home", "little_memory"])
def test_commands_that_lack_something(place, scale, name):
    survived(getattr(faults, name)(place, scale))


def test_videos_that_change_while_they_are_read(place, scale, commands):
    survived(faults.changing_videos(place, scale, commands))


@pytest.fixture(scope="module")
def library(place, tmp_path_factory):
    return room_faults._library(tmp_path_factory.mktemp("faults") / "room", place)


def test_a_room_whose_database_is_held_and_whose_workers_starve(place, scale, library):
    long = repeated(place, scale.folder)
    with open_room(library) as room:
        for fault in (room_faults.starved_worker, room_faults.locked):
            survived(fault(room, long, place, scale))


def test_a_room_whose_clock_is_set(place, scale, library):
    if not faketime():
        if os.environ.get("CI") == "true":
            pytest.fail("faketime is not installed")
        pytest.skip("faketime is not installed")
    survived(room_faults.clock(library.parent, repeated(place, scale.folder), place, scale))


def repeated(place, folder):
    repeat_video(place.video(2), folder / "long.mp4", 120)
    return folder / "long.mp4"
