"""The page of one performance, or of several with their standings first."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from toprock.assess.assessment import Assessment
from toprock.errors import UsageError
from toprock.performance import Performance
from toprock.report.figures import decimals_for
from toprock.report.gauge import axis_for
from toprock.report.layout import document
from toprock.report.progress import progress
from toprock.report.provenance import models_of
from toprock.report.remarks import Remark
from toprock.report.standings import Standing, standings
from toprock.report.view import checked_timeline, view_all

MAX_COLUMNS = 600
_ALL_COLUMNS = 4800  # of all performances of one file together


@dataclass(frozen=True)
class Neighbours:
    """Pages beside this one in a folder: the index, and the next better and worse, empty where there is none."""

    index: str
    better: str
    worse: str


def render_report(
    assessments: Sequence[Assessment],
    *,
    pictures: Mapping[str, Mapping[float, bytes]] | None = None,
    performances: Mapping[str, Performance] | None = None,
    no_pictures: Mapping[str, str] | None = None,
    title: str = "",
    made: str = "",
    blurred: str = "",
    among: Sequence[Assessment] = (),
    neighbours: Neighbours | None = None,
    remarks: Mapping[str, Sequence[Remark]] | None = None,
) -> str:
    """One HTML document about one performance, or about several with their standings first.

    Pure: the same arguments give the same text.

    Args:
        assessments: in the order wanted; several are sorted by score.
        pictures: id -> time in the video in seconds -> JPEG (or PNG) bytes. A moment shows those in its span.
        performances: id -> performance, for performer, event and date where known.
        no_pictures: id -> why there are none, as a sentence.
        title: of the document; by default the name, or "Standings".
        made: when the report was made, as text.
        blurred: that the pictures are blurred, as a sentence; empty where they are not.
        among: all performances whose pages stand beside this one, so that numbers are drawn on one scale.
        neighbours: links to these.
        remarks: id -> what people said of it; those of one that is not named, or none, get no section.

    Raises:
        UsageError: no assessment, one that cannot be shown, or a picture that is neither JPEG nor PNG.
    """
    if not assessments:
        raise UsageError("there is no assessment to report", advice="Score at least one performance.")
    ordered = sorted(assessments, key=lambda a: -a.score) if len(assessments) > 1 else list(assessments)
    timelines = [checked_timeline(a) for a in ordered]
    axis = axis_for(among or ordered)
    decimals = decimals_for([n for a in among or ordered for n in (a.score, a.bias)])
    views = view_all(
        ordered,
        timelines,
        decimals=decimals,
        columns=max(120, min(MAX_COLUMNS, _ALL_COLUMNS // len(ordered))),
        pictures=pictures,
        no_pictures=no_pictures,
        performances=performances,
        axis=axis,
        blurred=blurred,
    )
    table: list[Standing] = standings(ordered, views, decimals) if len(views) > 1 else []
    return document(
        "report.html.j2",
        title=title or (views[0].name if len(views) == 1 else "Standings"),
        views=views,
        standings=table,
        cautioned=[v for v in views if v.alerts] if table else [],
        scaled=next((v.gauge.caption for v in views if v.gauge), "") if axis else "",
        ranked=not table or bool(table[0].rank),
        progress=progress(ordered, performances or {}) if table else None,
        neighbours=neighbours,
        remarks={view.id: (remarks or {}).get(view.id, ()) for view in views},
        models=models_of(ordered, [v.name for v in views]),
        made=made,
    )
