"""The time grid that frames are chosen on; decoder and parent ask the same one."""

from __future__ import annotations

import math

EPSILON_S = 1e-4
"""A frame so little ahead of a border counts as behind it: times in files are rounded."""


class Grid:
    """Which frames one looks at who looks every so many ticks: the first of each new index.

    Args:
        rate_hz: ticks a second, counted from 0 s; a frame belongs to the tick nearest to it.
        every: ticks from one look to the next.
        source_hz: frames a second of the video; where it has more, the first frame of a tick is the one nearest.
    """

    def __init__(self, rate_hz: float, every: int, source_hz: float) -> None:
        self._rate_hz, self._every = rate_hz, every
        self._tolerance_s = 0.5 * min(1.0 / rate_hz, 1.0 / source_hz)

    def index(self, time_s: float) -> int:
        """Of the look that a frame at this time would be for."""
        return math.floor((time_s + self._tolerance_s) * self._rate_hz + 1e-6) // self._every
