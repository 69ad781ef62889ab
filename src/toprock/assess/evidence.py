"""Evidence over time: what every segment added, as a curve on a grid, and as best and worst moments."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from toprock.assess.assessment import Moment, SegmentEvidence

STEP_S = 0.1
_SHORTEST_S = 1e-3
_CLEARLY = 1.1
"""How many times what is usual in a performance a moment reaches at its peak."""


@dataclass(frozen=True)
class EvidenceCurve:
    """Contributions of all streams and branches over time, each spread evenly over its segment.

    Attributes:
        times_s: (N,) rising, where the running total bends.
        totals: (N,) sum of the contributions up to there.
    """

    times_s: np.ndarray
    totals: np.ndarray

    @classmethod
    def of(cls, segments: Sequence[SegmentEvidence], values: Sequence[float] | None = None) -> EvidenceCurve:
        """The exact curve of an assessment's segments.

        Args:
            segments: may overlap and leave gaps.
            values: one number a segment, such as its attention; by default its contribution.

        >>> half = SegmentEvidence("static", 0.0, 2.0, {"high": 1.0, "low": 0.0, "average": 0.0}, 1.0, 1.0)
        >>> EvidenceCurve.of([half]).between(0.0, 1.0)
        0.5
        """
        if not segments:
            return cls(np.zeros(1), np.zeros(1))
        start = np.array([s.start_s for s in segments])
        end = np.maximum(np.array([s.end_s for s in segments]), start + _SHORTEST_S)
        amounts = [s.contribution for s in segments] if values is None else values
        rate = np.array(amounts, dtype=np.float64) / (end - start)
        times, where = np.unique(np.concatenate([start, end]), return_inverse=True)
        bends = np.zeros(len(times))
        np.add.at(bends, where, np.concatenate([rate, -rate]))
        totals = np.concatenate([[0.0], np.cumsum(np.cumsum(bends)[:-1] * np.diff(times))])
        return cls(times, totals)

    def between(self, start_s: float, end_s: float) -> float:
        """Contribution of a span of time."""
        a, b = np.interp([start_s, end_s], self.times_s, self.totals)
        return float(b - a)

    def grid(self, step_s: float = STEP_S) -> tuple[np.ndarray, np.ndarray]:
        """Cell borders (N + 1,) on multiples of `step_s` and the contribution (N,) of every cell."""
        first = np.floor(self.times_s[0] / step_s)
        last = max(np.ceil(self.times_s[-1] / step_s), first + 1)
        borders = np.arange(first, last + 1) * step_s
        return borders, np.diff(np.interp(borders, self.times_s, self.totals))


def find_moments(
    segments: Sequence[SegmentEvidence], *, most: int = 5, longest_s: float = 6.0, shortest_s: float = 0.4
) -> tuple[Moment, ...]:
    """The spans that raised and lowered the score most, strongest first within a kind; none overlaps another.

    From the strongest cell of the smoothed curve outwards as long as the evidence stays nearer to that peak than to
    zero, or to the mean of the performance where that is of the same sign: where nearly all of it raised the score, or
    lowered it, moments are what did so clearly more than the rest. Neighbours of one kind less than half a second apart
    become one. Spans that carry less than a fortieth of all evidence of their sign are not worth showing.
    """
    borders, cells = EvidenceCurve.of(segments).grid()
    smooth = np.convolve(np.pad(cells, 2), np.full(5, 0.2), mode="valid")
    taken = np.zeros(len(cells), dtype=bool)
    typical = float(cells[cells != 0].mean()) if cells.any() else 0.0
    found: list[Moment] = []
    kinds: tuple[tuple[Literal["best", "worst"], int], ...] = (("best", 1), ("worst", -1))
    for kind, sign in kinds:
        usual = max(0.0, sign * typical)
        spans = _strong_spans(sign * smooth, usual, taken, most, round(longest_s / STEP_S))
        whole = np.clip(sign * cells, 0, None).sum()
        moments = []
        for low, high in spans:
            value = float(cells[low:high].sum())
            if sign * value > whole / 40 and (high - low) * STEP_S >= shortest_s - 1e-9:
                moments.append(Moment(kind, round(float(borders[low]), 3), round(float(borders[high]), 3), value))
        moments.sort(key=lambda m: -abs(m.contribution))
        found += moments
    return tuple(found)


def _strong_spans(curve: np.ndarray, usual: float, taken: np.ndarray, most: int, longest: int) -> list[tuple[int, int]]:
    """Up to `most` spans [low, high) of cells around peaks of a curve above what is usual; marks them in `taken`."""
    free = ~taken
    spans: list[tuple[int, int]] = []
    for _ in range(2 * most):
        if len(spans) >= most:
            break
        left = np.where(free, curve, -np.inf)
        peak = int(np.argmax(left))
        if left[peak] <= _CLEARLY * usual:
            break
        low, high = peak, peak + 1
        while high - low < longest:
            before = left[low - 1] if low > 0 else -np.inf
            after = left[high] if high < len(left) else -np.inf
            if max(before, after) < (left[peak] + usual) / 2:
                break
            if before >= after:
                low -= 1
            else:
                high += 1
        free[low:high] = False
        spans = _join([*spans, (low, high)], free, gap=round(0.5 / STEP_S), longest=longest)
    for low, high in spans:
        taken[low:high] = True
    return spans


def _join(spans: list[tuple[int, int]], free: np.ndarray, *, gap: int, longest: int) -> list[tuple[int, int]]:
    joined: list[tuple[int, int]] = []
    for low, high in sorted(spans):
        if (
            joined
            and low - joined[-1][1] <= gap
            and high - joined[-1][0] <= longest
            and free[joined[-1][1] : low].all()
        ):
            free[joined[-1][0] : high] = False
            joined[-1] = (joined[-1][0], high)
        else:
            joined.append((low, high))
    return joined
