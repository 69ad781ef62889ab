"""A few of the faults of the long run, each done for real."""

from __future__ import annotations

import pytest

from hardening.chapter import Scale
from hardening.chapters import faults
from hardening.machines import mounts, ready_commands

pytestmark = pytest.mark.long


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
    assert any(trial.told for trial in tried)  # it was felt


@pytest.mark.parametrize("name", ["full_disk", "read_only"])
def test_commands_on_bad_disks(place, scale, commands, name):
    if not mounts():
        pytest.skip("no disks can be mounted here")
    survived(getattr(faults, name)(place, scale, commands))


@pytest.mark.parametrize("name", ["lost_output", "few_files", "little_memory"])
def test_commands_that_lack_something(place, scale, name):
    survived(getattr(faults, name)(place, scale))


def test_a_video_that_changes_while_it_is_read(place, scale, commands):
    survived(faults.changing_videos(place, scale, commands))
