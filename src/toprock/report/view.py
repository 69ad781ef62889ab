"""What the templates are given: everything computed and worded, nothing left to work out in HTML."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from toprock.assess.assessment import Assessment
from toprock.errors import UsageError
from toprock.performance import Performance
from toprock.report import drawing, words
from toprock.report.cards import Card, moment_cards
from toprock.report.chart import Chart, Frame, draw_chart
from toprock.report.figures import apportion, seconds, show, sign, units
from toprock.report.gauge import Alert, Axis, Gauge, alerts, axis_for, draw_gauge
from toprock.report.timeline import Timeline, clock, round_step
from toprock.report.waterfall import Step, waterfall

SPARK_HEIGHT = 40
_FEATURES_ONLY = "No pictures: this report was made from features, without the video."
_TABLE_STEPS_S = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600)


@dataclass(frozen=True)
class PerformanceView:
    """One performance, ready to be set."""

    anchor: str
    name: str
    id: str
    facts: Sequence[str]
    score: str
    typical: str
    difference: str
    sign: int
    raised: str
    lowered: str
    standing: str
    percentile: float | None
    gauge: Gauge | None
    alerts: Sequence[Alert]
    length_s: float
    steps: Sequence[Step]
    zero: float
    chart: Chart | None
    best: Sequence[Card]
    worst: Sequence[Card]
    pictures_note: str
    table_head: Sequence[str]
    table: Sequence[tuple[str, Sequence[tuple[str, int]]]]
    table_total: Sequence[tuple[str, int]]
    spark: tuple[str, str, float] | None


def view_performance(
    assessment: Assessment,
    timeline: Timeline,
    *,
    number: int,
    decimals: int,
    columns: int,
    pictures: Mapping[float, bytes],
    pictures_note: str,
    performance: Performance | None,
    axis: Axis | None = None,
    frame: Frame | None = None,
    blurred: str = "",
) -> PerformanceView:
    """Work out all that is shown of one assessment, whose `timeline` has been checked.

    `axis` is that of all gauges to compare, `frame` that of all timelines; `blurred` says that the pictures are.
    """
    anchor = f"p{number}"
    score, typical = units(assessment.score, decimals), units(assessment.bias, decimals)
    raised, lowered = apportion([timeline.net.raised, timeline.net.lowered], score - typical, decimals)
    cells = {
        cell: density.between(timeline.start_s, timeline.end_s) for cell, density in timeline.contributions.items()
    }
    nets = dict(zip(cells, apportion(list(cells.values()), score - typical, decimals), strict=True)) if cells else {}
    steps, zero = waterfall(nets, typical, score, decimals)
    cards = moment_cards(assessment, timeline, anchor, pictures)
    head, rows, total = _table(timeline, decimals + 1)
    spark = _spark(timeline)
    gauge, crowd = None, assessment.model.get("performances")
    if assessment.scaled is not None and (axis := axis or axis_for([assessment])):
        gauge = draw_gauge(assessment.scaled, axis, crowd if isinstance(crowd, int) else None)
    return PerformanceView(
        anchor=anchor,
        name=name_of(assessment, performance),
        id=assessment.id,
        facts=_facts(assessment, timeline, performance),
        score=show(score, decimals),
        typical=show(typical, decimals),
        difference=_against(score - typical, decimals),
        sign=sign(score - typical),
        raised=show(raised, decimals),
        lowered=show(abs(lowered), decimals),
        standing="" if gauge else words.standing(assessment.percentile, crowd, assessment.model.get("held_out")),
        percentile=None if gauge or assessment.percentile is None else min(100.0, max(0.0, assessment.percentile)),
        gauge=gauge,
        alerts=alerts(assessment.cautions),
        length_s=timeline.judged_s,
        steps=steps,
        zero=zero,
        chart=draw_chart(assessment, timeline, anchor, columns, nets, decimals, frame) if spark else None,
        best=[c for c in cards if c.kind == "best"],
        worst=[c for c in cards if c.kind == "worst"],
        pictures_note=blurred if any(c.pictures for c in cards) else pictures_note if cards else "",
        table_head=head,
        table=rows,
        table_total=total,
        spark=spark,
    )


def view_all(
    assessments: Sequence[Assessment],
    timelines: Sequence[Timeline],
    *,
    decimals: int,
    columns: int,
    pictures: Mapping[str, Mapping[float, bytes]] | None,
    no_pictures: Mapping[str, str] | None,
    performances: Mapping[str, Performance] | None,
    axis: Axis | None,
    frame: Frame | None = None,
    blurred: str = "",
) -> list[PerformanceView]:
    """`view_performance` of each, with what is known of it by its id."""
    return [
        view_performance(
            assessment,
            timeline,
            number=number,
            decimals=decimals,
            columns=columns,
            pictures=(pictures or {}).get(assessment.id, {}),
            pictures_note=(no_pictures or {}).get(assessment.id) or _FEATURES_ONLY,
            performance=(performances or {}).get(assessment.id),
            axis=axis,
            frame=frame,
            blurred=blurred,
        )
        for number, (assessment, timeline) in enumerate(zip(assessments, timelines, strict=True), start=1)
    ]


def name_of(assessment: Assessment, performance: Performance | None) -> str:
    """What a performance is called: its performer where known, else its id."""
    return (performance.performer if performance else "") or assessment.id


def checked_timeline(assessment: Assessment) -> Timeline:
    """The timeline of an assessment that can be shown.

    Raises:
        UsageError: a number is not finite, or the contributions do not sum to score - bias.
    """
    numbers = [
        assessment.score,
        assessment.bias,
        *([] if assessment.percentile is None else [assessment.percentile]),
    ]
    if assessment.scaled is not None:
        numbers += [assessment.scaled.value, assessment.scaled.low, assessment.scaled.high]
    numbers += [n for m in assessment.moments for n in (m.start_s, m.end_s, m.contribution)]
    advice = "Score the performance again; if this stays, the model folder is damaged."
    if not all(math.isfinite(n) for n in numbers):
        raise UsageError(f"the assessment of '{assessment.id}' holds a number that is not finite", advice=advice)
    try:
        timeline = Timeline.of(assessment.segments)
    except UsageError as problem:
        raise UsageError(f"the assessment of '{assessment.id}': {problem.message}", advice=problem.advice) from None
    parts = [s.contribution for s in assessment.segments]
    missing = assessment.score - assessment.bias - math.fsum(parts)
    if abs(missing) > 1e-4 * max(1.0, abs(assessment.score), math.fsum(map(abs, parts))):
        raise UsageError(
            f"the assessment of '{assessment.id}' does not add up: {missing:.4g} is missing",
            advice=advice,
        )
    return timeline


def _spark(timeline: Timeline) -> tuple[str, str, float] | None:
    """The timeline in small; None where it has no length."""
    edges = timeline.edges(120)
    if len(edges) < 2:
        return None
    rates = timeline.rates(timeline.net, edges)
    scale = drawing.Scale.over([rates], SPARK_HEIGHT)
    return (*drawing.area(rates, drawing.positions(edges), scale), round(scale.zero, 1))


def _against(difference: int, decimals: int) -> str:
    if not difference:
        return "the score of a typical performance"
    return f"{show(abs(difference), decimals)} {'above' if difference > 0 else 'below'} typical"


def _facts(assessment: Assessment, timeline: Timeline, performance: Performance | None) -> list[str]:
    facts: list[str] = []
    if performance and performance.performer and performance.performer != assessment.id:
        facts.append(assessment.id)
    if performance and performance.event:
        facts.append(performance.event)
    if performance and performance.extra.get("date"):
        facts.append(performance.extra["date"])
    if timeline.judged_s:
        span = f"{clock(timeline.start_s)}–{clock(timeline.end_s)}"
        facts.append(f"{span}, {seconds(timeline.judged_s)} judged")
    return facts


def _table(
    timeline: Timeline, decimals: int
) -> tuple[list[str], list[tuple[str, list[tuple[str, int]]]], list[tuple[str, int]]]:
    """Contributions by stream in at most 40 spans; columns and rows add up as shown."""
    head = [words.STREAM_NAMES[s] for s in timeline.streams]
    if timeline.duration_s <= 0:
        return head, [], []
    step = round_step(timeline.duration_s, 40, _TABLE_STEPS_S)
    edges = np.append(np.arange(timeline.start_s, timeline.end_s - 1e-6 * step, step), timeline.end_s)
    columns = []
    for stream in timeline.streams:
        sums = sum(
            (timeline.contributions[stream, b].sums(edges) for b in timeline.branches), start=np.zeros(len(edges) - 1)
        )
        columns.append(apportion(sums.tolist(), units(float(sums.sum()), decimals), decimals))

    def shown(values: Sequence[int]) -> list[tuple[str, int]]:
        return [(show(v, decimals, signed=True), sign(v)) for v in (*values, sum(values))]

    rows = [
        (f"{clock(a)}–{clock(b)}", shown(values)) for a, b, *values in zip(edges[:-1], edges[1:], *columns, strict=True)
    ]
    return head, rows, shown([sum(c) for c in columns])
