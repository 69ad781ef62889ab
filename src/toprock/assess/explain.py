"""What a moment was made of, in a sentence of measured quantities: time, contribution, stream, and what differed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from toprock.assess.assessment import Moment, SegmentEvidence
from toprock.assess.evidence import EvidenceCurve
from toprock.backbones.base import STREAM_WORDS, Stream
from toprock.backbones.readings import Reading

_DIFFERENT = 1.0
"""Spreads of the training segments from which on a difference is worth telling."""
_MOST = 2

Standard = Mapping[Stream, np.ndarray]
"""Stream -> (T, D) features of every segment, in spreads of the training segments from their mean."""


def explained(
    moments: Sequence[Moment],
    segments: Sequence[SegmentEvidence],
    standard: Standard,
    readings: Mapping[Stream, Sequence[Reading]],
) -> tuple[Moment, ...]:
    """The moments with the stream that spoke most, and a sentence.

    Args:
        moments: of one performance.
        segments: its evidence, in order of time within a stream.
        standard: its features, rows as the segments of each stream.
        readings: stream -> what numbers of its features mean.
    """
    streams: tuple[Stream, ...] = tuple(dict.fromkeys(s.stream for s in segments))
    curves = {stream: EvidenceCurve.of([s for s in segments if s.stream == stream]) for stream in streams}
    times = {stream: np.array([(s.start_s, s.end_s) for s in segments if s.stream == stream]) for stream in streams}
    found = []
    for moment in moments:
        sign = 1 if moment.kind == "best" else -1
        spoke = {stream: curve.between(moment.start_s, moment.end_s) for stream, curve in curves.items()}
        lead = max(streams, key=lambda stream: sign * spoke[stream])
        middle = times[lead].mean(1)
        inside = (middle >= moment.start_s) & (middle <= moment.end_s)
        differs = _differs(standard[lead][inside], readings.get(lead, ()))
        sentence = _sentence(moment, lead, spoke[lead], differs)
        found.append(replace(moment, stream=lead, differs=differs, sentence=sentence))
    return tuple(found)


def _differs(rows: np.ndarray, readings: Sequence[Reading]) -> tuple[str, ...]:
    """What differs most from the training segments, in words and spreads."""
    if not len(rows):
        return ()
    away = {reading: float(rows[:, reading.place].mean()) for reading in readings}
    told = sorted((r for r in away if abs(away[r]) >= _DIFFERENT), key=lambda r: -abs(away[r]))
    return tuple(
        f"{r.higher if away[r] > 0 else r.lower} ({abs(away[r]):.1f} times the usual variation)" for r in told[:_MOST]
    )


def _sentence(moment: Moment, lead: Stream, share: float, differs: Sequence[str]) -> str:
    verb = "raised" if moment.contribution > 0 else "lowered"
    text = (
        f"{clock(moment.start_s)} to {clock(moment.end_s)} {verb} the score by {abs(moment.contribution):.3f}, "
        f"{STREAM_WORDS[lead]} spoke most ({share:+.3f})"
    )
    if not differs:
        return f"{text}."
    return f"{text}: it was {' and '.join(differs)} than in the training performances."


def clock(time_s: float) -> str:
    """Minutes and seconds.

    >>> clock(75.25)
    '1:15.2'
    """
    minutes, seconds = divmod(round(time_s, 1), 60)
    return f"{int(minutes)}:{seconds:04.1f}"
