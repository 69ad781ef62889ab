"""Geometry of the timeline: path data and positions, no text and no colour.

Paths live in a box `WIDTH` wide that the page stretches to any width; texts and badges are placed in percent.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

WIDTH = 1000.0
ATTENTION_LEVELS = (1.25, 2.0, 4.0, 8.0)  # times what an even look would be


@dataclass(frozen=True)
class Scale:
    """Values to pixels: where zero lies below the top, and how many pixels one unit takes."""

    zero: float
    unit: float

    @classmethod
    def over(cls, series: Sequence[np.ndarray], height: float) -> Scale:
        """The largest scale that holds all values, with room for both signs however uneven they are.

        >>> Scale.over([np.array([3.0, -1.0])], 82)
        Scale(zero=61.0, unit=20.0)
        """
        high = max((float(s.max(initial=0.0)) for s in series), default=0.0)
        low = -min((float(s.min(initial=0.0)) for s in series), default=0.0)
        if max(high, low) < 1e-12:
            return cls(height / 2, 0.0)
        high, low = max(high, 0.25 * low), max(low, 0.25 * high)
        unit = (height - 2) / (high + low)
        return cls(1 + high * unit, unit)


def area(rates: np.ndarray, edges: np.ndarray, scale: Scale) -> tuple[str, str]:
    """Path data of the areas above and below zero.

    Args:
        rates: (n,) values.
        edges: (n + 1,) positions in [0, WIDTH].
        scale: of the box.
    """
    tops = scale.zero - rates * scale.unit
    return _steps(tops, edges, scale.zero, rates > 0), _steps(tops, edges, scale.zero, rates < 0)


def positions(edges_s: np.ndarray) -> np.ndarray:
    """Times as positions in [0, WIDTH]."""
    return (edges_s - edges_s[0]) / max(edges_s[-1] - edges_s[0], 1e-9) * WIDTH


def shades(relative: np.ndarray, edges: np.ndarray, *, height: float) -> list[str]:
    """Path data of the columns in each of the attention levels, faintest first.

    Args:
        relative: (n,) attention divided by what an even look would be.
        edges: (n + 1,) positions in [0, WIDTH].
        height: of the box, in pixels.
    """
    level = np.searchsorted(ATTENTION_LEVELS, relative)
    return [
        "".join(f"M{_n(edges[a])},0H{_n(edges[b])}V{_n(height)}H{_n(edges[a])}Z" for a, b in _runs(level == wanted))
        for wanted in range(1, len(ATTENTION_LEVELS) + 1)
    ]


def levels(centres: Sequence[float], *, apart: float) -> list[int]:
    """Rows for badges so that two in one row are at least `apart` from each other.

    >>> levels([10, 12, 30], apart=5)
    [0, 1, 0]
    """
    rows: list[list[float]] = []
    found = [0] * len(centres)
    for i in sorted(range(len(centres)), key=lambda i: centres[i]):
        row = next((r for r, taken in enumerate(rows) if centres[i] - taken[-1] >= apart), len(rows))
        if row == len(rows):
            rows.append([])
        rows[row].append(centres[i])
        found[i] = row
    return found


def _steps(tops: np.ndarray, edges: np.ndarray, middle: float, keep: np.ndarray) -> str:
    parts: list[str] = []
    for first, after in _runs(keep):
        parts.append(f"M{_n(edges[first])},{_n(middle)}")
        last = ""
        for i in range(first, after):
            top = _n(tops[i])
            if top != last:
                parts.append(f"V{top}" if i == first else f"H{_n(edges[i])}V{top}")
                last = top
        parts.append(f"H{_n(edges[after])}V{_n(middle)}Z")
    return "".join(parts)


def _runs(keep: np.ndarray) -> Iterable[tuple[int, int]]:
    change = np.flatnonzero(np.diff(np.concatenate([[0], keep.astype(np.int8), [0]])))
    return zip(change[::2].tolist(), change[1::2].tolist(), strict=True)


def _n(value: float) -> str:
    return f"{value:.1f}".removesuffix(".0")
