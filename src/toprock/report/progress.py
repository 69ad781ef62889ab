"""How one performer's performances went over time: their values with intervals, by the dates of a manifest."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise

from toprock.assess.assessment import Assessment
from toprock.performance import Performance
from toprock.report.figures import decimals_for, show, units
from toprock.report.gauge import Axis, axis_for, round_axis, texts
from toprock.report.standings import one_model

HEIGHT = 190
_TOP, _BOTTOM = 20.0, 150.0  # pixels between which the axis lies
_MARGIN, _APART, _LABEL = 8.0, 2.5, 30.0  # percent: at the sides, between points of one day, between dates shown


@dataclass(frozen=True)
class Point:
    """One performance: x in percent, the rest in pixels; `label` is empty where there is no room for the date."""

    x: float
    y: float
    high: float
    low: float
    anchor: str
    label: str
    date: str
    value: str
    interval: str
    id: str


@dataclass(frozen=True)
class Person:
    """One performer's dated performances, in order."""

    name: str
    points: Sequence[Point]
    grid: Sequence[tuple[float, str]]  # pixels, text
    sentence: str

    @property
    def pairs(self) -> list[tuple[Point, Point]]:
        """Each point with the next."""
        return list(pairwise(self.points))


@dataclass(frozen=True)
class Progress:
    """All performers with two or more dated performances, and what has no date."""

    people: Sequence[Person]
    measure: str
    undated: Sequence[str]


def progress(assessments: Sequence[Assessment], performances: Mapping[str, Performance]) -> Progress | None:
    """Progress of those who performed at least twice; None where nobody did, or scores are of different models."""
    by_person: dict[str, list[Assessment]] = {}
    for assessment in {a.id: a for a in assessments}.values():
        known = performances.get(assessment.id)
        for person in {name.strip(): None for name in (known.performer if known else "").split(";")}:
            by_person.setdefault(person, []).append(assessment)
    by_person.pop("", None)
    several = {name: them for name, them in by_person.items() if len(them) > 1}
    if not several or not one_model(assessments):
        return None
    shown = [a for them in several.values() for a in them]
    dates = {a.id: date_of(performances.get(a.id)) for a in shown}
    axis = axis_for(shown)
    scaled = axis is not None
    axis = axis or round_axis(min(a.score for a in shown), max(a.score for a in shown))
    people = []
    for name in sorted(several):
        dated = sorted((when, a.id, a) for a in several[name] if (when := dates[a.id]) is not None)
        if len(dated) > 1:
            people.append(_person(name, [(when, a) for when, _, a in dated], axis, scaled))
    undated = sorted({a.id for a in shown if dates[a.id] is None})
    measure = (
        "Score" if not scaled else "Out of 100" if shown[0].scaled and shown[0].scaled.scale == "training" else "Marks"
    )
    return Progress(people, measure, undated)


def date_of(performance: Performance | None) -> datetime | None:
    """The date in a manifest, where it is written as ISO 8601 does (2026-03-01)."""
    try:
        found = datetime.fromisoformat(performance.extra.get("date", "").strip() if performance else "")
    except ValueError:
        return None
    return found.replace(tzinfo=None)


def _person(name: str, dated: Sequence[tuple[datetime, Assessment]], axis: Axis, scaled: bool) -> Person:
    first, last = dated[0][0], dated[-1][0]
    length = (last - first).total_seconds()
    places: list[float] = []
    for i, (when, _) in enumerate(dated):
        share = (when - first).total_seconds() / length if length else i / (len(dated) - 1)
        x = _MARGIN + share * (100 - 2 * _MARGIN)
        places.append(max(x, places[-1] + _APART) if places else x)
    stretch = (100 - 2 * _MARGIN) / max(places[-1] - _MARGIN, 1e-9)
    places = [_MARGIN + (x - _MARGIN) * min(1.0, stretch) for x in places]
    decimals = decimals_for([a.score for _, a in dated])
    points: list[Point] = []
    labelled = -100.0
    for i, ((when, assessment), x) in enumerate(zip(dated, places, strict=True)):
        value, low, high, text, interval = _values(assessment, scaled, decimals)
        final = i == len(dated) - 1
        room = x - labelled >= _LABEL and (final or places[-1] - x >= _LABEL)
        label = f"{when:%Y-%m-%d}" if room or final else ""
        labelled = x if label else labelled
        anchor = "start" if i == 0 else "end" if final else "middle"
        points.append(
            Point(round(x, 2), _y(axis, value), _y(axis, high), _y(axis, low), anchor, label,
                  f"{when:%Y-%m-%d}", text, interval, assessment.id)
        )  # fmt: skip
    grid = [(_y(axis, axis.low + share / 100 * (axis.high - axis.low)), text) for share, text in axis.marks]
    return Person(name, points, grid, _sentence(points, dated, scaled))


def _values(assessment: Assessment, scaled: bool, decimals: int) -> tuple[float, float, float, str, str]:
    found = assessment.scaled
    if not scaled or found is None:
        return (assessment.score,) * 3 + (show(units(assessment.score, decimals), decimals), "")
    value, low, high = texts(found)
    return found.value, found.low, found.high, value, f"{low} to {high}"


def _sentence(points: Sequence[Point], dated: Sequence[tuple[datetime, Assessment]], scaled: bool) -> str:
    first, last = points[0], points[-1]
    ends = [f"{p.value}{f' ({p.interval})' if p.interval else ''} on {p.date}" for p in (first, last)]
    text = f"{len(points)} performances: from {ends[0]} to {ends[1]}."
    one, two = dated[0][1].scaled, dated[-1][1].scaled
    if not scaled or one is None or two is None:
        return f"{text} This model gives no intervals."
    overlap = one.low <= two.high and two.low <= one.high
    return f"{text} The first and the last interval {'overlap' if overlap else 'do not overlap'}."


def _y(axis: Axis, value: float) -> float:
    return round(_BOTTOM - axis.at(value) / 100 * (_BOTTOM - _TOP), 1)
