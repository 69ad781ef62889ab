"""The chapter on kills, on a small scale."""

import pytest

from hardening.chapter import Scale
from hardening.chapters import kills

pytestmark = pytest.mark.long


def test_what_is_killed_at_random_moments_ends_as_if_undisturbed(tmp_path):
    chapter = kills.run(Scale(False, tmp_path))
    assert not chapter.lost
    moments, rooms, ends = chapter.tables
    assert {row[0] for row in ends.rows} == {
        "`toprock extract`",
        "`toprock train`",
        "overwriting features",
        "overwriting a model folder",
        "a judging room",
    }
    assert sum(row[2] for row in moments.rows) == 2 + 2 + 6 + 4
    assert sum(row[1] for row in rooms.rows) == 2
    assert any(row[moments.head.index("in a write")] for row in moments.rows)
