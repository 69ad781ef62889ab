"""Bars that lead from one number to another, each starting where the one before it ended."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from toprock.report import words
from toprock.report.figures import show, sign
from toprock.report.timeline import Cell


@dataclass(frozen=True)
class Step:
    """One bar of the waterfall: `x` and `width` in percent, `sign` of the number shown."""

    label: str
    note: str
    kind: str  # total, part
    stream: str
    value: str
    sign: int
    x: float
    width: float
    end: float


def waterfall(
    nets: Mapping[Cell, int],
    start: int,
    end: int,
    decimals: int,
    *,
    labels: tuple[str, str] = ("Typical performance", "Score"),
    notes: tuple[str, str] = ("where every score starts", ""),
) -> tuple[list[Step], float]:
    """Bars from `start` to `end` on one axis that holds them all, and where `start` lies on it.

    Args:
        nets: a part each, in units of the last decimal; they lead from start to end.
        start, end: in the same units.
        decimals: of the units.
        labels, notes: of start and end.
    """
    reached: int = start
    runs: list[tuple[Cell, int, int]] = []
    for cell, net in nets.items():
        runs.append((cell, reached, reached + net))
        reached += net
    marks = [start, end, *(n for _, a, b in runs for n in (a, b))]
    length = max(max(marks) - min(marks), 1)
    low, span = min(marks) - 0.06 * length, 1.12 * length

    def at(value: float) -> float:
        return round((value - low) / span * 100, 2)

    steps = [Step(labels[0], notes[0], "total", "", show(start, decimals), 0, at(start), 0, at(start))]
    for (stream, branch), a, b in runs:
        label = f"{words.STREAM_NAMES[stream]} · {words.BRANCH_NAMES[branch].lower()}"
        value, x = show(b - a, decimals, signed=True), at(min(a, b))
        width = round(at(max(a, b)) - x, 2)
        steps.append(Step(label, words.BRANCH_SENSE[branch], "part", stream, value, sign(b - a), x, width, at(b)))
    x, width = min(at(start), at(end)), round(abs(at(end) - at(start)), 2)
    steps.append(Step(labels[1], notes[1], "total", "", show(end, decimals), sign(end - start), x, width, at(end)))
    return steps, at(start)
