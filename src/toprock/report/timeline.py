"""Evidence over time: contributions as densities on the time axis, their sums over bins, and a time scale.

Every number that a report draws comes from here. A segment's contribution is spread evenly over its span; a
segment without length stands for `INSTANT_S`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from toprock.assess.assessment import BRANCHES, Branch, SegmentEvidence
from toprock.backbones.base import STREAMS, Stream
from toprock.errors import UsageError

INSTANT_S = 0.1  # the step of the evidence grid: interfaces.md, Measures
_BIN_STEPS_S = (0.1, 0.2, 0.25, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 1800, 3600)
_TICK_STEPS_S = (0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400)

Cell = tuple[Stream, Branch]


class Density:
    """A quantity spread over time: the sum of masses, each even over its own span.

    Args:
        start_s, end_s: (n,) spans, end after start.
        mass: (n,) what lies in each span.

    >>> Density(np.array([0.0, 1.0]), np.array([2.0, 3.0]), np.array([4.0, -2.0])).between(0, 1)
    2.0
    """

    def __init__(self, start_s: np.ndarray, end_s: np.ndarray, mass: np.ndarray) -> None:
        self.edges_s = np.unique(np.concatenate([start_s, end_s]))
        change = np.zeros(len(self.edges_s))
        rate = mass / (end_s - start_s)
        np.add.at(change, np.searchsorted(self.edges_s, start_s), rate)
        np.subtract.at(change, np.searchsorted(self.edges_s, end_s), rate)
        pieces = np.cumsum(change)[:-1] * np.diff(self.edges_s)
        self._pieces = pieces
        self._until = np.concatenate([[0.0], np.cumsum(pieces)])

    def sums(self, edges_s: np.ndarray) -> np.ndarray:
        """(n,) what lies between each two of (n + 1,) rising edges."""
        if not len(self.edges_s):
            return np.zeros(len(edges_s) - 1)
        return np.diff(np.interp(edges_s, self.edges_s, self._until))

    def between(self, start_s: float, end_s: float) -> float:
        """What lies in a span."""
        return float(self.sums(np.array([start_s, end_s]))[0])

    @property
    def raised(self) -> float:
        """The area above zero."""
        return float(self._pieces[self._pieces > 0].sum())

    @property
    def lowered(self) -> float:
        """The area below zero (a negative number)."""
        return float(self._pieces[self._pieces < 0].sum())


@dataclass(frozen=True)
class Timeline:
    """All evidence of one performance as densities.

    Attributes:
        start_s, end_s: from the first second judged to the last.
        streams: those that spoke, dynamic first.
        branches: those that are part of the score: not an average that contributed nothing anywhere.
        contributions: a density a stream and branch.
        attention: a density a stream and branch (high, low); its whole is 1.
        net: all contributions together.
        covered: spans in which any segment lies, in order, as (n, 2) seconds.
    """

    start_s: float
    end_s: float
    streams: tuple[Stream, ...]
    branches: tuple[Branch, ...]
    contributions: Mapping[Cell, Density]
    attention: Mapping[Cell, Density]
    net: Density
    covered: np.ndarray

    @classmethod
    def of(cls, segments: Sequence[SegmentEvidence]) -> Timeline:
        """Spread the segments of one performance over time.

        Raises:
            UsageError: a time or a contribution is not a finite number, or a segment ends before it starts.
        """
        start, end = _spans(segments)
        streams = tuple(s for s in STREAMS if any(e.stream == s for e in segments))
        values = {b: np.array([e.contributions.get(b, 0.0) for e in segments], dtype=float) for b in BRANCHES}
        looks: dict[Branch, np.ndarray] = {
            "high": np.array([e.attention_high for e in segments], dtype=float),
            "low": np.array([e.attention_low for e in segments], dtype=float),
        }
        if not all(np.isfinite(v).all() for v in (*values.values(), *looks.values())):
            raise UsageError("a contribution is not a finite number", advice="Score the performance again.")
        branches = tuple(b for b in BRANCHES if b != "average" or values[b].any())
        of = {s: np.array([e.stream == s for e in segments], dtype=bool) for s in streams}
        return cls(
            start_s=float(start.min()) if len(start) else 0.0,
            end_s=float(end.max()) if len(end) else 0.0,
            streams=streams,
            branches=branches,
            contributions={
                (s, b): Density(start[of[s]], end[of[s]], values[b][of[s]]) for s in streams for b in branches
            },
            attention={(s, b): Density(start[of[s]], end[of[s]], v[of[s]]) for s in streams for b, v in looks.items()},
            net=Density(start, end, sum(values.values(), start=np.zeros(len(start)))),
            covered=_union(start, end),
        )

    @property
    def duration_s(self) -> float:
        """From the first second judged to the last, gaps included."""
        return self.end_s - self.start_s

    @cached_property
    def judged_s(self) -> float:
        """Seconds in which any segment lies."""
        return float((self.covered[:, 1] - self.covered[:, 0]).sum())

    @property
    def gaps(self) -> list[tuple[float, float]]:
        """Spans inside the performance in which no segment lies, and what is shown after its end."""
        found = [(float(a), float(b)) for a, b in zip(self.covered[:-1, 1], self.covered[1:, 0], strict=True)]
        if len(self.covered) and self.end_s - self.covered[-1, 1] > 1e-6:
            found.append((float(self.covered[-1, 1]), self.end_s))
        return found

    def edges(self, columns: int) -> np.ndarray:
        """(n + 1,) edges in seconds of at most `columns` bins of a round width; the last may be narrower."""
        if self.duration_s <= 0:
            return np.array([self.start_s])
        step = round_step(self.duration_s, columns, _BIN_STEPS_S)
        inner = self.start_s + step * np.arange(1, math.ceil(self.duration_s / step))
        inner = inner[inner < self.end_s - 1e-6 * step]
        return np.concatenate([[self.start_s], inner, [self.end_s]])

    def rates(self, density: Density, edges_s: np.ndarray) -> np.ndarray:
        """(n,) mean per second in each bin."""
        return density.sums(edges_s) / np.diff(edges_s)

    def parts(self, start_s: float, end_s: float) -> dict[Cell, float]:
        """What each stream and branch contributed within a span."""
        return {cell: density.between(start_s, end_s) for cell, density in self.contributions.items()}


def round_step(length: float, at_most: int, steps: Sequence[float] = _BIN_STEPS_S) -> float:
    """The smallest of the round steps that divides `length` into no more than `at_most`.

    >>> round_step(2400, 600)
    5
    """
    for step in steps:
        if length / step <= at_most:
            return step
    return steps[-1] * math.ceil(length / steps[-1] / at_most)


def ticks(start_s: float, end_s: float) -> list[tuple[float, bool]]:
    """Times for the axis, at most ten or so; true where one stays on a narrow screen (every few of them).

    >>> ticks(0, 8)
    [(0, True), (1, False), (2, True), (3, False), (4, True), (5, False), (6, True), (7, False), (8, True)]
    """
    length = end_s - start_s
    if length <= 0:
        return [(start_s, True)]
    step = round_step(length, 10, _TICK_STEPS_S)
    first, last = math.ceil(start_s / step - 1e-6), math.floor(end_s / step + 1e-6)
    every = max(1, math.ceil((last - first) / 4))
    return [(k * step, (k - first) % every == 0) for k in range(first, last + 1)]


def clock(time_s: float, *, tenths: bool = False) -> str:
    """Seconds as m:ss or h:mm:ss, with tenths where wanted.

    >>> clock(75.26), clock(75.26, tenths=True), clock(3661)
    ('1:15', '1:15.3', '1:01:01')
    """
    whole = round(abs(time_s) * 10) if tenths else round(abs(time_s)) * 10
    minutes, rest = divmod(whole, 600)
    seconds = f"{rest // 10:02d}.{rest % 10}" if tenths else f"{rest // 10:02d}"
    head = f"{minutes // 60}:{minutes % 60:02d}" if minutes >= 60 else f"{minutes}"
    return f"{'−' if time_s < 0 and whole else ''}{head}:{seconds}"


def _spans(segments: Sequence[SegmentEvidence]) -> tuple[np.ndarray, np.ndarray]:
    start = np.array([s.start_s for s in segments], dtype=float)
    end = np.array([s.end_s for s in segments], dtype=float)
    if not (np.isfinite(start).all() and np.isfinite(end).all()):
        raise UsageError("the time of a segment is not a finite number", advice="Score the performance again.")
    if (end < start).any():
        worst = int(np.argmin(end - start))
        raise UsageError(
            f"a segment ends before it starts ({start[worst]:g} s to {end[worst]:g} s)",
            advice="Extract the features again.",
        )
    return start, np.where(end - start < 1e-6, start + INSTANT_S, end)


def _union(start: np.ndarray, end: np.ndarray) -> np.ndarray:
    if not len(start):
        return np.zeros((0, 2))
    order = np.argsort(start, kind="stable")
    start, reach = start[order], np.maximum.accumulate(end[order])
    opens = np.concatenate([[0], np.flatnonzero(start[1:] > reach[:-1] + 1e-6) + 1])
    closes = np.concatenate([opens[1:] - 1, [len(start) - 1]])
    return np.stack([start[opens], reach[closes]], axis=1)
