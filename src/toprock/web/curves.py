"""The curves of a training, drawn: held-out accuracy and loss, as it goes and afterwards."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

WIDTH, HEIGHT = 600.0, 180.0
_WORTH = 0.4
"""Lowest accuracy that is drawn: below a coin there is little to see."""
_Points = Sequence[tuple[float, float]]


@dataclass(frozen=True)
class Line:
    """A curve in the drawing's own units, as the points of a polyline; one is bold, the others stand behind it."""

    points: str
    bold: bool


@dataclass(frozen=True)
class Curves:
    """Several curves on one scale.

    Attributes:
        lines: the curves, the bold one last.
        ticks: height in the drawing and text, from the top down.
        steps: of training at the right end.
        sentence: what there is to see, for those who do not see it.
    """

    lines: Sequence[Line]
    ticks: Sequence[tuple[float, str]]
    steps: int
    sentence: str


def accuracy_curves(log: Iterable[Mapping[str, Any]], *, over: bool = False) -> Curves | None:
    """Accuracy on held-out pairs by step: a line a held-out group, and in bold the mean over those that are through.

    None where nothing was measured twice. `over` says that no further group will come.

    >>> log = [{"stage": "group 1", "step": step, "total": 20, "accuracy": 0.5 + step / 40} for step in (0, 10, 20)]
    >>> accuracy_curves(log).sentence
    'Held-out pairs right: 100% on average over one group so far.'
    """
    log = list(log)
    stages = _stages(log, "accuracy")
    if not stages:
        return None
    longest = max(len(points) for points in stages)
    through = [points for points in stages if len(points) == longest]
    mean = [(share, sum(points[n][1] for points in through) / len(through)) for n, (share, _) in enumerate(through[0])]
    drawn = [*stages, mean] if len(through) > 1 else stages
    ticks = [(_y(value, _WORTH, 1.0), f"{value:.0%}") for value in (1.0, 0.75, 0.5)]
    told = sum(points[-1][1] for points in stages) / len(stages)
    groups = "one group" if len(stages) == 1 else f"{len(stages)} groups"
    sentence = f"Held-out pairs right: {told:.0%} on average over {groups}{'' if over else ' so far'}."
    return Curves(_lines(drawn, _WORTH, 1.0), ticks, _steps(log, "accuracy"), sentence)


def choice_curve(curve: Sequence[Sequence[float]], steps: int) -> Curves | None:
    """Accuracy on the held-out pairs of all groups by step, which chose how many steps a model took; all in one line.

    None where nothing was measured twice.

    >>> choice_curve([(10, 0.6), (20, 0.75), (30, 0.7)], 20).sentence
    'Held-out pairs right, of all groups together: 75% at 20 steps, which were chosen; 70% after all 30.'
    """
    if len(curve) < 2:
        return None
    total = int(curve[-1][0])
    points = [(step / max(total, 1), share) for step, share in curve]
    there = {int(step): share for step, share in curve}
    at = f"{there[steps]:.0%} at {steps} steps, which were chosen; " if steps in there else ""
    sentence = f"Held-out pairs right, of all groups together: {at}{curve[-1][1]:.0%} after all {total}."
    ticks = [(_y(value, _WORTH, 1.0), f"{value:.0%}") for value in (1.0, 0.75, 0.5)]
    return Curves(_lines([points], _WORTH, 1.0), ticks, total, sentence)


def loss_curves(log: Iterable[Mapping[str, Any]]) -> Curves | None:
    """Loss by step, a line a stage, the last in bold; None where there is nothing yet."""
    log = list(log)
    stages = _stages(log, "loss")
    if not stages:
        return None
    top = max(value for points in stages for _, value in points) or 1.0
    ticks = [(_y(value, 0.0, top), f"{value:.2g}") for value in (top, top / 2, 0.0)]
    sentence = f"Loss of the last step: {stages[-1][-1][1]:.3g}, from {top:.3g} at its highest."
    return Curves(_lines(stages, 0.0, top), ticks, _steps(log, "loss"), sentence)


def _stages(log: Iterable[Mapping[str, Any]], what: str) -> list[_Points]:
    """Points (share of the stage's steps, value) of each stage that has two or more, as stages began."""
    stages: dict[str, list[tuple[float, float]]] = {}
    for entry in log:
        if what in entry:
            share = float(entry["step"]) / max(1.0, float(entry.get("total") or 1))
            points = stages.setdefault(str(entry["stage"]), [])
            if points and share <= points[-1][0]:
                points.clear()  # the stage was begun again
            points.append((min(1.0, share), float(entry[what])))
    return [points for points in stages.values() if len(points) > 1]


def _steps(log: Iterable[Mapping[str, Any]], what: str) -> int:
    return max(int(entry.get("total") or entry["step"]) for entry in log if what in entry)


def _lines(stages: Sequence[_Points], low: float, high: float) -> list[Line]:
    drawn = (" ".join(f"{WIDTH * x:.1f},{_y(y, low, high):.1f}" for x, y in points) for points in stages)
    return [Line(points, number == len(stages)) for number, points in enumerate(drawn, start=1)]


def _y(value: float, low: float, high: float) -> float:
    share = (min(max(value, low), high) - low) / max(high - low, 1e-9)
    return round(HEIGHT * (1 - share), 1)
