"""The evidence timeline of one performance: net contribution, a lane a stream and branch, badges, axis."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from toprock.assess.assessment import Assessment, Moment
from toprock.report import drawing, words
from toprock.report.cards import moment_anchor, moment_decimals, moment_value, numbered, span
from toprock.report.figures import decimals_for, show, sign, units
from toprock.report.timeline import Cell, Timeline, clock, ticks

NET_HEIGHT, LANE_HEIGHT, BADGE_ROW = 204, 40, 28
_BADGES_APART = 8.0  # percent of the width: a badge is 26 px, a phone's timeline 335 px
_BADGE_MARGIN = 4.0


@dataclass(frozen=True)
class Badge:
    """A numbered mark on the timeline; positions in percent."""

    anchor: str
    number: int
    text: str
    x: float
    centre: float
    row: int


@dataclass(frozen=True)
class Lane:
    """One branch of one stream, drawn."""

    name: str
    branch: str
    note: str
    value: str
    sign: int
    above: str
    below: str
    shades: Sequence[str]


@dataclass(frozen=True)
class StreamLanes:
    """The lanes of one stream."""

    stream: str
    name: str
    unit: str
    value: str
    sign: int
    lanes: Sequence[Lane]


@dataclass(frozen=True)
class Chart:
    """The evidence timeline, drawn."""

    overview: str
    above: str
    below: str
    zero: float
    lane_zero: float
    peaks: str
    streams: Sequence[StreamLanes]
    ticks: Sequence[tuple[float, str, str, bool]]  # percent, text, anchor, stays on a narrow screen
    gaps: Sequence[tuple[float, float]]
    bands: Sequence[tuple[str, str, float, float]]  # anchor, kind, x, width
    best: Sequence[Badge]
    worst: Sequence[Badge]
    best_height: int
    worst_height: int
    data: Mapping[str, Any]


@dataclass(frozen=True)
class Frame:
    """What timelines that are to be compared share: seconds across, and the scale of the net and of the lanes."""

    length_s: float
    net: drawing.Scale
    lane: drawing.Scale


def frame_of(timelines: Sequence[Timeline], columns: int) -> Frame:
    """The smallest frame that holds all timelines when they are drawn in at most `columns` columns."""
    length_s = max(timeline.duration_s for timeline in timelines)
    net, lanes = [], []
    for timeline in timelines:
        edges = replace(timeline, end_s=timeline.start_s + length_s).edges(columns)
        net.append(timeline.rates(timeline.net, edges))
        lanes += [timeline.rates(density, edges) for density in timeline.contributions.values()]
    return Frame(length_s, drawing.Scale.over(net, NET_HEIGHT), drawing.Scale.over(lanes, LANE_HEIGHT))


def draw_chart(
    assessment: Assessment,
    timeline: Timeline,
    anchor: str,
    columns: int,
    nets: Mapping[Cell, int],
    decimals: int,
    frame: Frame | None = None,
) -> Chart:
    """Draw the timeline of a performance that has a length, in at most `columns` columns.

    In a `frame` of several it is drawn as wide as the longest of them, and hatched after its end.
    """
    frame = frame or frame_of([timeline], columns)
    timeline = replace(timeline, end_s=timeline.start_s + frame.length_s)
    edges = timeline.edges(columns)
    x = drawing.positions(edges)
    net = timeline.rates(timeline.net, edges)
    rates = {cell: timeline.rates(density, edges) for cell, density in timeline.contributions.items()}
    net_scale, lane_scale = frame.net, frame.lane
    above, below = drawing.area(net, x, net_scale)
    best, best_height = _badges(assessment, timeline, anchor, "best")
    worst, worst_height = _badges(assessment, timeline, anchor, "worst")
    return Chart(
        overview=words.overview(assessment, timeline),
        above=above,
        below=below,
        zero=round(net_scale.zero, 1),
        lane_zero=round(lane_scale.zero, 1),
        peaks=_peaks(net),
        streams=_streams(timeline, edges, rates, nets, decimals, lane_scale),
        ticks=_ticks(timeline),
        gaps=[_place(timeline, a, b) for a, b in timeline.gaps],
        bands=[
            (moment_anchor(anchor, m.kind, i), m.kind, *_place(timeline, m.start_s, m.end_s))
            for m, i in numbered(assessment)
        ],
        best=best,
        worst=worst,
        best_height=best_height,
        worst_height=worst_height,
        data=_data(timeline, edges, rates),
    )


def _streams(
    timeline: Timeline,
    edges: np.ndarray,
    rates: Mapping[Cell, np.ndarray],
    nets: Mapping[Cell, int],
    decimals: int,
    scale: drawing.Scale,
) -> list[StreamLanes]:
    """A lane a stream and branch, all on one scale."""
    x = drawing.positions(edges)
    streams = []
    for stream in timeline.streams:
        lanes = []
        for branch in timeline.branches:
            up, down = drawing.area(rates[stream, branch], x, scale)
            shades: list[str] = []
            if (stream, branch) in timeline.attention:
                look = timeline.rates(timeline.attention[stream, branch], edges) * timeline.judged_s
                shades = drawing.shades(look, x, height=LANE_HEIGHT)
            value = nets[stream, branch]
            lanes.append(
                Lane(words.BRANCH_NAMES[branch], branch, words.BRANCH_SENSE[branch],
                     show(value, decimals, signed=True), sign(value), up, down, shades)
            )  # fmt: skip
        total = sum(nets[stream, b] for b in timeline.branches)
        streams.append(
            StreamLanes(stream, words.STREAM_NAMES[stream], words.STREAM_UNITS[stream],
                        show(total, decimals, signed=True), sign(total), lanes)
        )  # fmt: skip
    return streams


def _short(values: np.ndarray, decimals: int) -> list[float]:
    return [float(v) for v in np.round(values, decimals) + 0.0]


def _data(timeline: Timeline, edges: np.ndarray, rates: Mapping[Cell, np.ndarray]) -> dict[str, Any]:
    """What the page's script shows at a point in time: rates rounded as shown, so that sums add up."""
    decimals = decimals_for(list(map(_largest, rates.values())), least=0, most=9) + 1
    return {
        "edges": [round(float(e), 3) for e in edges],
        "decimals": decimals,
        "streams": [
            {
                "name": words.STREAM_NAMES[s],
                "branches": [
                    {"name": words.BRANCH_NAMES[b], "rates": _short(rates[s, b], decimals)} for b in timeline.branches
                ],
            }
            for s in timeline.streams
        ],
    }


def _badges(assessment: Assessment, timeline: Timeline, anchor: str, kind: str) -> tuple[list[Badge], int]:
    chosen = [(m, i) for m, i in numbered(assessment) if m.kind == kind]
    centres = [_centre(timeline, m) for m, _ in chosen]
    held = [min(100 - _BADGE_MARGIN, max(_BADGE_MARGIN, c)) for c in centres]
    rows = drawing.levels(held, apart=_BADGES_APART)
    decimals = moment_decimals(assessment)
    badges = [
        Badge(
            moment_anchor(anchor, kind, i), i,
            f"{kind.capitalize()} moment {i}: {span(m)}, {moment_value(m, decimals)}",
            round(x, 2), round(c, 2), row,
        )
        for (m, i), x, c, row in zip(chosen, held, centres, rows, strict=True)
    ]  # fmt: skip
    return badges, BADGE_ROW * (max(rows, default=-1) + 1) + (8 if chosen else 0)


def _ticks(timeline: Timeline) -> list[tuple[float, str, str, bool]]:
    marks = ticks(timeline.start_s, timeline.end_s)
    tenths = any(abs(t - round(t)) > 1e-3 for t, _ in marks)
    found = []
    for time_s, stays in marks:
        x = _place(timeline, time_s, time_s)[0]
        anchor = "start" if x < 3 else "end" if x > 97 else "middle"
        found.append((x, clock(time_s, tenths=tenths), anchor, stays))
    return found


def _place(timeline: Timeline, start_s: float, end_s: float) -> tuple[float, float]:
    """Left edge and width of a span in percent of the timeline, cut to it."""
    left, right = (
        min(100.0, max(0.0, (t - timeline.start_s) / max(timeline.duration_s, 1e-9) * 100)) for t in (start_s, end_s)
    )
    return round(left, 3), round(right - left, 3)


def _centre(timeline: Timeline, moment: Moment) -> float:
    left, width = _place(timeline, moment.start_s, moment.end_s)
    return left + width / 2


def _largest(values: np.ndarray) -> float:
    return float(np.abs(values).max(initial=0.0))


def _peaks(net: np.ndarray) -> str:
    """The highest and lowest rate in words."""
    high, low = float(net.max()), float(net.min())
    decimals = decimals_for([high, low])
    shown = [show(units(v, decimals), decimals, signed=True) for v in (high, low) if v]
    return (
        f"between {shown[1]} and {shown[0]} a second"
        if high > 0 > low
        else f"up to {show(units(high or low, decimals), decimals, signed=True)} a second"
    )


def to_script_json(value: Any) -> str:
    """JSON that can stand in a script element."""
    text = json.dumps(value, separators=(",", ":"), ensure_ascii=True)
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")
