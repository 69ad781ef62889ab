"""The curves of a training, drawn: held-out accuracy and loss, as it goes and afterwards."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

WIDTH, HEIGHT = 600.0, 180.0
_WORTH = 0.4
"""Lowest accuracy that is drawn: below a coin there is little to see."""


@dataclass(frozen=True)
class Line:
    """A curve in the drawing's own units, as the points of a polyline."""

    name: str
    points: str
    last: float


@dataclass(frozen=True)
class Curves:
    """Several curves on one scale.

    Attributes:
        lines: the curves, in the order they began.
        ticks: height in the drawing and text, from the top down.
        sentence: what there is to see, for those who do not see it.
    """

    lines: Sequence[Line]
    ticks: Sequence[tuple[float, str]]
    sentence: str


def accuracy_curves(log: Iterable[Mapping[str, Any]]) -> Curves | None:
    """Accuracy on held-out pairs by step, a line a held-out group; None where nothing was measured twice."""
    stages = _stages(log, "accuracy")
    if not stages:
        return None
    lines = _lines(stages, _WORTH, 1.0)
    ticks = [(_y(value, _WORTH, 1.0), f"{value:.0%}") for value in (1.0, 0.75, 0.5)]
    mean = sum(line.last for line in lines) / len(lines)
    groups = "one group" if len(lines) == 1 else f"{len(lines)} groups"
    return Curves(lines, ticks, f"Held-out pairs right: {mean:.0%} on average over {groups} so far.")


def loss_curves(log: Iterable[Mapping[str, Any]]) -> Curves | None:
    """Loss by step, a line a stage; None where there is nothing yet."""
    stages = _stages(log, "loss")
    if not stages:
        return None
    top = max(value for stage in stages.values() for _, value in stage) or 1.0
    lines = _lines(stages, 0.0, top)
    ticks = [(_y(value, 0.0, top), f"{value:.2g}") for value in (top, top / 2, 0.0)]
    return Curves(lines, ticks, f"Loss of the last step: {lines[-1].last:.3g}, from {top:.3g} at its highest.")


def _stages(log: Iterable[Mapping[str, Any]], what: str) -> dict[str, list[tuple[float, float]]]:
    """Stage -> points (share of its steps, value), for stages with two points or more."""
    stages: dict[str, list[tuple[float, float]]] = {}
    for entry in log:
        if what in entry:
            share = float(entry["step"]) / max(1.0, float(entry.get("total") or 1))
            stages.setdefault(str(entry["stage"]), []).append((min(1.0, share), float(entry[what])))
    return {stage: points for stage, points in stages.items() if len(points) > 1}


def _lines(stages: Mapping[str, Sequence[tuple[float, float]]], low: float, high: float) -> list[Line]:
    return [
        Line(stage, " ".join(f"{WIDTH * x:.1f},{_y(y, low, high):.1f}" for x, y in points), points[-1][1])
        for stage, points in stages.items()
    ]


def _y(value: float, low: float, high: float) -> float:
    share = (min(max(value, low), high) - low) / max(high - low, 1e-9)
    return round(HEIGHT * (1 - share), 1)
