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
from toprock.report.chart import Chart, draw_chart
from toprock.report.figures import apportion, seconds, show, sign, units
from toprock.report.timeline import Cell, Timeline, clock, round_step

SPARK_HEIGHT = 40
_TABLE_STEPS_S = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600)


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
) -> PerformanceView:
    """Work out everything that the report shows of one assessment, whose `timeline` has been checked."""
    anchor = f"p{number}"
    score, typical = units(assessment.score, decimals), units(assessment.bias, decimals)
    raised, lowered = apportion([timeline.net.raised, timeline.net.lowered], score - typical, decimals)
    cells = {
        cell: density.between(timeline.start_s, timeline.end_s) for cell, density in timeline.contributions.items()
    }
    nets = dict(zip(cells, apportion(list(cells.values()), score - typical, decimals), strict=True)) if cells else {}
    steps, zero = _waterfall(nets, typical, score, decimals)
    cards = moment_cards(assessment, timeline, anchor, pictures)
    head, rows, total = _table(timeline, decimals + 1)
    edges = timeline.edges(120)
    spark = None
    if len(edges) > 1:
        rates = timeline.rates(timeline.net, edges)
        spark_scale = drawing.Scale.over([rates], SPARK_HEIGHT)
        spark = (*drawing.area(rates, drawing.positions(edges), spark_scale), round(spark_scale.zero, 1))
    return PerformanceView(
        anchor=anchor,
        name=(performance.performer if performance else "") or assessment.id,
        id=assessment.id,
        facts=_facts(assessment, timeline, performance),
        score=show(score, decimals),
        typical=show(typical, decimals),
        difference=_against(score - typical, decimals),
        sign=sign(score - typical),
        raised=show(raised, decimals),
        lowered=show(abs(lowered), decimals),
        standing=words.standing(
            assessment.percentile, assessment.model.get("performances"), assessment.model.get("held_out")
        ),
        percentile=None if assessment.percentile is None else min(100.0, max(0.0, assessment.percentile)),
        steps=steps,
        zero=zero,
        chart=draw_chart(assessment, timeline, anchor, columns, nets, decimals) if len(edges) > 1 else None,
        best=[c for c in cards if c.kind == "best"],
        worst=[c for c in cards if c.kind == "worst"],
        pictures_note="" if any(c.pictures for c in cards) or not cards else pictures_note,
        table_head=head,
        table=rows,
        table_total=total,
        spark=spark,
    )


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


def _waterfall(nets: Mapping[Cell, int], typical: int, score: int, decimals: int) -> tuple[list[Step], float]:
    """Bars from typical to the score on one axis that holds them all, and where typical lies on it."""
    reached: int = typical
    runs: list[tuple[Cell, int, int]] = []
    for cell, net in nets.items():
        runs.append((cell, reached, reached + net))
        reached += net
    marks = [typical, score, *(n for _, a, b in runs for n in (a, b))]
    length = max(max(marks) - min(marks), 1)
    low, span = min(marks) - 0.06 * length, 1.12 * length

    def at(value: float) -> float:
        return round((value - low) / span * 100, 2)

    steps = [
        Step(
            "Typical performance",
            "where every score starts",
            "total",
            "",
            show(typical, decimals),
            0,
            at(typical),
            0,
            at(typical),
        )
    ]
    for (stream, branch), a, b in runs:
        label = f"{words.STREAM_NAMES[stream]} · {words.BRANCH_NAMES[branch].lower()}"
        value, x = show(b - a, decimals, signed=True), at(min(a, b))
        steps.append(
            Step(
                label,
                words.BRANCH_SENSE[branch],
                "part",
                stream,
                value,
                sign(b - a),
                x,
                round(at(max(a, b)) - x, 2),
                at(b),
            )
        )
    x = min(at(typical), at(score))
    width = round(abs(at(score) - at(typical)), 2)
    steps.append(Step("Score", "", "total", "", show(score, decimals), sign(score - typical), x, width, at(score)))
    return steps, at(typical)


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
