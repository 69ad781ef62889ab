"""Videos as cameras make them are read as a player shows them; what compares them is not blind."""

import numpy as np
import pytest

from hardening.cameras import KINDS, turned_180
from hardening.chapter import Scale
from hardening.chapters.real_videos import Compared, Truth, alike, compare, run, shown


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind.short], ids=lambda kind: kind.make.__name__)
def test_a_kind_of_video_is_read_as_a_player_shows_it(kind, tmp_path):
    found = compare(kind, tmp_path / "v")
    assert found.lost == []
    assert found.frames >= 25


def test_pictures_that_lie_wrong_are_told(tmp_path):
    path = turned_180(tmp_path)
    truth = Truth.of(path, 0)
    right = shown(path, 0, np.zeros((25, 96, 160, 3), np.uint8))
    for wrong in (right[:, ::-1], right[:, :, ::-1], right[:, ::-1, ::-1], np.roll(right, 1, 0), right[..., ::-1]):
        found = Compared("wrong")
        alike(found, wrong, right)
        assert found.lost
    assert (len(truth.times_s), truth.size) == (25, (160, 96))


def test_the_chapter_holds_a_row_a_kind(tmp_path, monkeypatch):
    monkeypatch.setattr("hardening.chapters.real_videos.KINDS", [kind for kind in KINDS if kind.make is turned_180])
    chapter = run(Scale(True, tmp_path))
    ((row,),) = (table.rows for table in chapter.tables)
    assert row == ["turned by 180 degrees", "mov, h264", 25, "0.00", "0.00", ""]
    assert chapter.lost == []
