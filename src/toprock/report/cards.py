"""The best and worst moments as cards: where, how much, which stream and branch spoke, and pictures."""

from __future__ import annotations

import base64
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from toprock.assess.assessment import Assessment, Moment
from toprock.backbones.base import Stream
from toprock.errors import UsageError
from toprock.report import words
from toprock.report.figures import apportion, decimals_for, show, sign, units
from toprock.report.timeline import Timeline, clock


@dataclass(frozen=True)
class Card:
    """One moment."""

    anchor: str
    kind: str
    number: int
    span: str
    spoken: str
    value: str
    sentence: str
    parts: Sequence[tuple[str, str, int, float, float]]  # stream, value, sign, x, width
    pictures: Sequence[tuple[str, str]]  # data URI, time


def moment_cards(
    assessment: Assessment, timeline: Timeline, anchor: str, pictures: Mapping[float, bytes]
) -> list[Card]:
    """A card a moment, in the order of the assessment."""
    decimals = moment_decimals(assessment)
    cards = []
    for moment, number in numbered(assessment):
        parts = timeline.parts(moment.start_s, moment.end_s)
        streams = {s: sum(parts[s, b] for b in timeline.branches) for s in timeline.streams}
        whole, shown = math.fsum(streams.values()), units(moment.contribution, decimals)
        if abs(whole - moment.contribution) > 0.02 * abs(moment.contribution) + 10.0**-decimals:
            shown_parts = units(whole, decimals)  # the moment was measured otherwise: show what the segments say
        else:
            shown_parts = shown
        values = (
            dict(zip(streams, apportion(list(streams.values()), shown_parts, decimals), strict=True)) if streams else {}
        )
        lead = max(streams, key=lambda s: abs(streams[s]), default=None)
        top = None
        if lead is not None and streams[lead]:
            sign = math.copysign(1, streams[lead])
            top = max(timeline.branches, key=lambda b: sign * parts[lead, b])
        cards.append(
            Card(
                anchor=moment_anchor(anchor, moment.kind, number),
                kind=moment.kind,
                number=number,
                span=span(moment),
                spoken=f"{moment.kind.capitalize()} moment {number}",
                value=moment_value(moment, decimals),
                sentence=words.moment(moment, timeline, values, top, decimals),
                parts=_part_bars(values, decimals),
                pictures=_pictures(moment, pictures),
            )
        )
    return cards


def _part_bars(values: Mapping[Stream, int], decimals: int) -> list[tuple[str, str, int, float, float]]:
    largest = max((abs(v) for v in values.values()), default=0) or 1
    bars = []
    for stream, value in values.items():
        width = round(50 * abs(value) / largest, 2)
        x = 50.0 if value >= 0 else 50 - width
        bars.append((words.STREAM_NAMES[stream], show(value, decimals, signed=True), sign(value), x, width))
    return bars


def _pictures(moment: Moment, pictures: Mapping[float, bytes]) -> list[tuple[str, str]]:
    inside = sorted(t for t in pictures if moment.start_s - 1e-6 <= t <= moment.end_s + 1e-6)
    return [(_data_uri(pictures[t]), clock(t, tenths=True)) for t in inside]


def _data_uri(picture: bytes) -> str:
    if picture[:3] == b"\xff\xd8\xff":
        kind = "jpeg"
    elif picture[:8] == b"\x89PNG\r\n\x1a\n":
        kind = "png"
    else:
        raise UsageError("a picture is neither JPEG nor PNG", advice="Give the bytes of an encoded picture.")
    return f"data:image/{kind};base64,{base64.b64encode(picture).decode('ascii')}"


def numbered(assessment: Assessment) -> list[tuple[Moment, int]]:
    """Moments with their rank within their kind."""
    count = {"best": 0, "worst": 0}
    found = []
    for moment in assessment.moments:
        count[moment.kind] += 1
        found.append((moment, count[moment.kind]))
    return found


def moment_anchor(anchor: str, kind: str, number: int) -> str:
    """The id of a moment's card in the page."""
    return f"{anchor}-{kind}-{number}"


def moment_decimals(assessment: Assessment) -> int:
    """Decimals that show the smallest moment with two digits."""
    values = [abs(m.contribution) for m in assessment.moments if m.contribution]
    return decimals_for([10 * min(values)]) if values else 2


def moment_value(moment: Moment, decimals: int) -> str:
    """What it contributed, with its sign."""
    return show(units(moment.contribution, decimals), decimals, signed=True)


def span(moment: Moment) -> str:
    """From when to when, to the tenth of a second."""
    return f"{clock(moment.start_s, tenths=True)}–{clock(moment.end_s, tenths=True)}"
