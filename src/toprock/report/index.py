"""The index of a folder of reports: a ranking that sorts by any column and leads to a page a performance."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from toprock.assess.assessment import Assessment
from toprock.performance import Performance
from toprock.report.figures import decimals_for, seconds, show, units
from toprock.report.gauge import Gauge, axis_for, draw_gauge
from toprock.report.layout import document
from toprock.report.progress import date_of, progress
from toprock.report.provenance import models_of
from toprock.report.standings import ranks
from toprock.report.view import checked_timeline, name_of


@dataclass(frozen=True)
class Row:
    """One line of the ranking; `length_s` and `date` also as what they are sorted by."""

    rank: str
    page: str
    name: str
    id: str
    gauge: Gauge | None
    score: str
    score_number: float
    event: str
    date: str
    sorted_date: str
    length: str
    length_s: float
    cautions: int


def render_index(
    assessments: Sequence[Assessment],
    pages: Mapping[str, str],
    *,
    performances: Mapping[str, Performance] | None = None,
    title: str = "",
    made: str = "",
) -> str:
    """The index of a folder, as one HTML document. Pure.

    Args:
        assessments: sorted by score, highest first.
        pages: id -> file of its page, in the same folder.
        performances, title, made: as in `render_report`.
    """
    performances = performances or {}
    judged = [checked_timeline(a).judged_s for a in assessments]
    axis, decimals = axis_for(assessments), decimals_for([n for a in assessments for n in (a.score, a.bias)])
    rows = []
    for assessment, rank, judged_s in zip(assessments, ranks(assessments, decimals), judged, strict=True):
        known = performances.get(assessment.id)
        gauge = None
        if assessment.scaled is not None and axis is not None:
            gauge = draw_gauge(assessment.scaled, axis, None)
        when = date_of(known)
        name = name_of(assessment, known)
        rows.append(
            Row(
                rank=rank,
                page=pages[assessment.id],
                name=name,
                id=assessment.id if name != assessment.id else "",
                gauge=gauge,
                score=show(units(assessment.score, decimals), decimals),
                score_number=assessment.score,
                event=known.event if known else "",
                date=known.extra.get("date", "") if known else "",
                sorted_date="" if when is None else when.isoformat(),
                length=seconds(judged_s) if judged_s else "",
                length_s=round(judged_s, 2),
                cautions=len(assessment.cautions),
            )
        )
    return document(
        "index.html.j2",
        scripts=("sort.js",),
        title=title or "Standings",
        rows=rows,
        ranked=bool(rows[0].rank),
        cautioned=[row for row in rows if row.cautions],
        scaled=next((row.gauge.caption for row in rows if row.gauge), ""),
        progress=progress(assessments, performances),
        views=rows,
        models=models_of(assessments, [row.name for row in rows]),
        made=made,
    )
