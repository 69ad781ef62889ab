"""What people said of a performance, at a time of its video, as a report tells it."""

from __future__ import annotations

from dataclasses import dataclass

from toprock.report.timeline import clock


@dataclass(frozen=True)
class Remark:
    """A comment.

    Attributes:
        time_s: of the video.
        author: who said it.
        text: what was said; lines stay lines.
        date: when, as 2026-11-27.

    >>> Remark(75.26, "Kim", "Late on the beat.", "2026-11-27").at
    '1:15.3'
    """

    time_s: float
    author: str
    text: str
    date: str

    @property
    def at(self) -> str:
        """The time of the video, for reading."""
        return clock(self.time_s, tenths=True)
