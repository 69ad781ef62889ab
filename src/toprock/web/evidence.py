"""What pages show of evidence: the report's own drawings, and the numbers that their scripts need."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

from toprock.assess.assessment import Assessment
from toprock.errors import ToprockError
from toprock.exports.film import FASTEST_HZ
from toprock.library import catalogue, comments, tables
from toprock.library.library import Library
from toprock.performance import parse_intervals
from toprock.report import words
from toprock.report.cards import numbered
from toprock.report.figures import decimals_for, seconds
from toprock.report.timeline import clock, ticks
from toprock.report.view import PerformanceView, checked_timeline, view_performance

COLUMNS = 600
Span = tuple[float, float]


@dataclass(frozen=True)
class Shown:
    """One performance as a page shows it.

    Attributes:
        view: as in a report; None where no model has scored it, or what is kept cannot be drawn (`trouble` says why).
        percentile, standing: where its score stands among the training performances, as a number and in words.
        moments: in order of time: what the list and the script need.
    """

    view: PerformanceView | None = None
    percentile: float | None = None
    standing: str = ""
    moments: list[dict[str, Any]] = field(default_factory=list)
    trouble: str = ""


def shown(library: Library, row: tables.Performance, assessment: Assessment | None) -> Shown:
    """Work out what is shown of a performance."""
    if assessment is None:
        return Shown()
    try:
        view = view_performance(
            assessment,
            checked_timeline(assessment),
            number=1,
            decimals=decimals_for([assessment.score, assessment.bias]),
            columns=COLUMNS,
            pictures={},
            pictures_note="",
            performance=catalogue.performance_of(library, row),
        )
    except ToprockError as problem:
        return Shown(trouble=str(problem))
    crowd = assessment.model.get("performances")
    standing = words.standing(
        assessment.percentile, crowd if isinstance(crowd, int) else None, assessment.model.get("held_out")
    )
    return Shown(view, assessment.percentile, standing, moments_of(assessment, view))


def moments_of(assessment: Assessment, view: PerformanceView) -> list[dict[str, Any]]:
    """The moments in order of time: their cards, and when they are."""
    cards = {card.anchor: card for card in (*view.best, *view.worst)}
    found = []
    for moment, number in numbered(assessment):
        name = f"{moment.kind}-{number}"
        card = cards[f"{view.anchor}-{name}"]
        found.append({"id": name, "card": card, "start_s": moment.start_s, "end_s": moment.end_s})
    return sorted(found, key=lambda m: m["start_s"])


def spans_of(row: tables.Performance) -> list[Span]:
    """The spans of the video that are this performance; all of it where it names none and the length is known."""
    spans = [(float(a), float(b)) for a, b in parse_intervals(row.intervals)]
    whole = row.video.duration_s
    return spans or ([(0.0, whole)] if whole else [])


def source_of(row: tables.Performance) -> dict[str, Any]:
    """What a player needs: where the video is, its frame rate as shown, and the spans to keep to."""
    video = row.video
    rate_hz = video.rate_hz
    if video.preview and rate_hz >= FASTEST_HZ + 0.5:
        rate_hz = FASTEST_HZ
    # the address changes with the copy, so that no browser goes on with the file that it could not play
    return {
        "key": row.key,
        "src": f"/api/v1/performances/{row.key}/video?as={'copy' if video.preview else 'it-is'}",
        "rate_hz": rate_hz,
        "copy": bool(video.preview),
        "duration_s": video.duration_s,
        "spans": spans_of(row),
        "whole": not row.intervals,
    }


def bare_chart(spans: list[Span], *, until_s: float | None = None) -> dict[str, Any] | None:
    """A time axis without evidence, at least up to a time; None where the length is not known.

    >>> [text for _, text, *_ in bare_chart([(1.5, 2.25)])["ticks"]][:2]
    ['0:01.5', '0:01.6']
    """
    if not spans:
        return None
    start_s, end_s = spans[0][0], max(spans[-1][1], until_s or 0.0)
    length_s = max(end_s - start_s, 1e-6)
    marks, times = [], ticks(start_s, end_s)
    tenths = any(abs(time_s - round(time_s)) > 1e-3 for time_s, _ in times)
    for time_s, stays in times:
        x = round(100 * (time_s - start_s) / length_s, 3)
        marks.append((x, clock(time_s, tenths=tenths), "start" if x < 3 else "end" if x > 97 else "middle", stays))
    gaps = [(a[1], b[0]) for a, b in pairwise([*spans, (end_s, end_s)]) if b[0] - a[1] > 1e-6]
    return {
        "ticks": marks,
        "gaps": [(round(100 * (a - start_s) / length_s, 3), round(100 * (b - a) / length_s, 3)) for a, b in gaps],
        "data": {"edges": [start_s, end_s], "decimals": 2, "streams": []},
    }


def said(library: Library, key: str) -> list[dict[str, Any]]:
    """Comments as the script shows them."""
    return [
        {
            "id": c.id,
            "author": c.author,
            "time_s": c.time_s,
            "text": c.text,
            "created": c.created.isoformat(timespec="seconds") + "Z",
        }
        for c in comments.of(library, key)
    ]


def facts_of(row: tables.Performance) -> list[str]:
    """Where and when it was, which part of the video it is, and how long."""
    spans = parse_intervals(row.intervals)
    length_s = sum(b - a for a, b in spans) if spans else row.video.duration_s
    facts = [row.event, row.date, row.name if row.performer else ""]
    facts.append("; ".join(f"{clock(a)}–{clock(b)}" for a, b in spans[:4]) + ("; …" if len(spans) > 4 else ""))
    facts.append(seconds(length_s) if length_s else "")
    return [fact for fact in facts if fact]
