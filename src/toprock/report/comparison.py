"""The page of two performances beside each other: who is likely better, by what, and when."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from toprock.assess.assessment import Assessment
from toprock.errors import UsageError
from toprock.performance import Performance
from toprock.report import words
from toprock.report.cards import Card
from toprock.report.chart import frame_of
from toprock.report.figures import apportion, decimals_for, percent, show, units
from toprock.report.gauge import axis_for
from toprock.report.layout import document
from toprock.report.provenance import models_of
from toprock.report.standings import one_model
from toprock.report.timeline import Cell, Timeline
from toprock.report.view import PerformanceView, checked_timeline, name_of, view_all
from toprock.report.waterfall import Step, waterfall

if TYPE_CHECKING:
    from toprock.assess.model import Comparison

_COLUMNS = 600


@dataclass(frozen=True)
class Bar:
    """The chance, drawn: percent of the bar that is the first one's, and the band of its interval."""

    first: str
    second: str
    x: float
    left: float
    width: float


@dataclass(frozen=True)
class Carried:
    """A moment that spoke for one of the two, and whose it is (`one` or `two`)."""

    card: Card
    name: str
    whose: str
    marked: bool


def render_comparison(
    comparison: Comparison,
    *,
    pictures: Mapping[str, Mapping[float, bytes]] | None = None,
    performances: Mapping[str, Performance] | None = None,
    no_pictures: Mapping[str, str] | None = None,
    title: str = "",
    made: str = "",
    blurred: str = "",
) -> str:
    """One HTML document about two performances.

    Pure: the same arguments give the same text. What else is given, and raised, is as in `render_report`.

    Args:
        comparison: with its two assessments, as `Model.compare` gives it.

    Raises:
        UsageError: the assessments are missing, come from different models, or cannot be shown.
    """
    shown = view_comparison(
        comparison, pictures=pictures, performances=performances, no_pictures=no_pictures, blurred=blurred
    )
    return document(
        "compare.html.j2", title=title or f"{shown['names'][0]} against {shown['names'][1]}", made=made, **shown
    )


def view_comparison(
    comparison: Comparison,
    *,
    pictures: Mapping[str, Mapping[float, bytes]] | None = None,
    performances: Mapping[str, Performance] | None = None,
    no_pictures: Mapping[str, str] | None = None,
    blurred: str = "",
) -> dict[str, Any]:
    """What the page of two performances is given; arguments and errors as in `render_comparison`."""
    one, two = _sides(comparison)
    timelines = [checked_timeline(one), checked_timeline(two)]
    decimals = decimals_for([one.score, two.score, one.bias])
    frame = frame_of(timelines, _COLUMNS) if any(t.duration_s > 0 for t in timelines) else None
    names = _names(one, two, performances or {})
    views = view_all(
        [one, two],
        timelines,
        decimals=decimals,
        columns=_COLUMNS,
        pictures=pictures,
        no_pictures=no_pictures,
        performances=performances,
        axis=axis_for([one, two]),
        frame=frame,
        blurred=blurred,
    )
    scores = units(one.score, decimals), units(two.score, decimals)
    parts = _parts(timelines, scores[0] - scores[1], decimals)
    labels = (f"Score of {names[1]}", f"Score of {names[0]}")
    steps, zero = waterfall(parts, scores[1], scores[0], decimals, labels=labels, notes=("", ""))
    headline, detail = words.verdict(comparison, names)
    return {
        "names": names,
        "views": views,
        "headline": headline,
        "detail": detail,
        "bar": _bar(comparison),
        "difference": show(scores[0] - scores[1], decimals, signed=True),
        "speaks": [show(sum(abs(v) for v in parts.values() if sign * v > 0), decimals) for sign in (1, -1)],
        "steps": _named_steps(steps, parts, names),
        "zero": zero,
        "carried": _carried(comparison, views, names),
        "models": models_of([one, two], names),
    }


def _sides(comparison: Comparison) -> tuple[Assessment, Assessment]:
    one, two = comparison.first, comparison.second
    if one is None or two is None:
        raise UsageError(
            "the comparison holds no assessments to show", advice="Compare with Model.compare or Model.compared."
        )
    if not one_model([one, two]):
        raise UsageError(
            f"'{one.id}' and '{two.id}' were scored by different models", advice="Score both with one model."
        )
    return one, two


def _names(one: Assessment, two: Assessment, performances: Mapping[str, Performance]) -> tuple[str, str]:
    """Performers where that tells the two apart, else ids."""
    first, second = (name_of(a, performances.get(a.id)) for a in (one, two))
    return (first, second) if first != second else (one.id, two.id)


def _parts(timelines: Sequence[Timeline], difference: int, decimals: int) -> dict[Cell, int]:
    """By stream and branch, the contribution of the first less that of the second; they sum to `difference`."""
    cells = list(dict.fromkeys(cell for timeline in timelines for cell in timeline.contributions))
    if not cells:
        return {}
    first, second = (
        {cell: density.between(t.start_s, t.end_s) for cell, density in t.contributions.items()} for t in timelines
    )
    apart = [first.get(cell, 0.0) - second.get(cell, 0.0) for cell in cells]
    return dict(zip(cells, apportion(apart, difference, decimals), strict=True))


def _named_steps(steps: Sequence[Step], parts: Mapping[Cell, int], names: tuple[str, str]) -> list[Step]:
    """The parts with whom they speak for, in place of what the branch looks for."""
    notes = {1: f"speaks for {names[0]}", -1: f"speaks for {names[1]}", 0: "the same in both"}
    return [replace(step, note=notes[step.sign]) if step.kind == "part" else step for step in steps]


def _bar(comparison: Comparison) -> Bar | None:
    chance, interval = comparison.probability, comparison.interval
    if chance is None or interval is None:
        return None
    low, high = interval
    return Bar(
        percent(chance), percent(1 - chance), round(100 * chance, 2), round(100 * low, 2), round(100 * (high - low), 2)
    )


def _carried(
    comparison: Comparison, views: Sequence[PerformanceView], names: tuple[str, str]
) -> list[tuple[str, str, list[Carried]]]:
    """What spoke for each: its own best moments and the worst of the other, the strongest first."""
    strength: dict[str, float] = {}
    for view, assessment in zip(views, (comparison.first, comparison.second), strict=True):
        assert assessment is not None
        values = {kind: [m.contribution for m in assessment.moments if m.kind == kind] for kind in ("best", "worst")}
        strength |= {c.anchor: abs(values[c.kind][c.number - 1]) for c in (*view.best, *view.worst)}
    columns = []
    for own, other, whose in ((0, 1, "one"), (1, 0, "two")):
        rest = "two" if whose == "one" else "one"
        found = [Carried(c, names[own], whose, views[own].chart is not None) for c in views[own].best]
        found += [Carried(c, names[other], rest, views[other].chart is not None) for c in views[other].worst]
        columns.append((whose, names[own], sorted(found, key=lambda c: -strength[c.card.anchor])))
    return columns
