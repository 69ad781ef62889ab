"""Several performances beside each other: rank, distance from the typical performance, timeline in small."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from toprock.assess.assessment import Assessment
from toprock.report.figures import sign
from toprock.report.view import PerformanceView


@dataclass(frozen=True)
class Standing:
    """One line of the standings; `x`, `width` and `zero` (the typical performance) in percent of the bar."""

    rank: str  # empty where scores of different models cannot be ranked
    view: PerformanceView
    x: float
    width: float
    zero: float
    sign: int


def standings(assessments: Sequence[Assessment], views: Sequence[PerformanceView], decimals: int) -> list[Standing]:
    """Rank performances by score, highest first; equal displayed scores share a rank.

    Scores of different models are not ranked: only differences within one model mean something.

    Args:
        assessments: sorted by score, highest first.
        views: of them, in the same order.
        decimals: with which scores are displayed.
    """
    places = ranks(assessments, decimals)
    reach = [a.score - a.bias for a in assessments]
    low, high = min(0.0, *reach), max(0.0, *reach)
    room = (high - low or 1.0) * 0.04
    low, span = low - room, (high - low or 1.0) + 2 * room
    zero = -low / span * 100
    found: list[Standing] = []
    for rank, view, value in zip(places, views, reach, strict=True):
        width = abs(value) / span * 100
        x = zero if value >= 0 else zero - width
        found.append(Standing(rank, view, round(x, 2), round(width, 2), round(zero, 2), sign(value)))
    return found


def one_model(assessments: Sequence[Assessment]) -> bool:
    """Whether all scores come from one model, so that their differences mean something."""
    return len({(str(a.model.get("name")), str(a.model.get("created")), round(a.bias, 6)) for a in assessments}) == 1


def ranks(assessments: Sequence[Assessment], decimals: int) -> list[str]:
    """Ranks of assessments sorted by score; equal displayed scores share one, and across models there is none."""
    if not one_model(assessments):
        return [""] * len(assessments)
    shown = [round(a.score, decimals) for a in assessments]
    return [str(shown.index(score) + 1) for score in shown]
