"""A score on the scale that people read: the headline number, and its interval as a band on a bar."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from toprock.assess.assessment import Assessment
from toprock.calibration import Caution, Scaled
from toprock.report import words
from toprock.report.figures import percent, show, units


@dataclass(frozen=True)
class Axis:
    """The span that bars stand for, and its marks: (percent, text)."""

    low: float
    high: float
    marks: Sequence[tuple[float, str]]

    def at(self, value: float) -> float:
        """Where a value lies, in percent."""
        return round(min(100.0, max(0.0, (value - self.low) / (self.high - self.low) * 100)), 2)


@dataclass(frozen=True)
class Gauge:
    """A scaled value, drawn.

    Attributes:
        caption: what the number is.
        value, low, high: as text.
        of: what it is out of; empty where the scale has no end.
        spoken: value and interval in one phrase.
        sentence: what they mean.
        x, left, width: tick, and band, in percent of the bar.
        marks: of the bar's axis, (percent, text).
        number: the value, to sort by.
        vague: whether the interval is the whole scale, so that the number tells nothing.
    """

    caption: str
    value: str
    of: str
    low: str
    high: str
    spoken: str
    sentence: str
    x: float
    left: float
    width: float
    marks: Sequence[tuple[float, str]]
    number: float
    vague: bool


@dataclass(frozen=True)
class Alert:
    """A caution as the strip shows it."""

    label: str
    share: str
    text: str


def alerts(cautions: Sequence[Caution]) -> list[Alert]:
    """The cautions in their order, each with its share where it has one."""
    return [
        Alert(words.CAUTION_NAMES.get(c.kind, c.kind), "" if c.share is None else percent(c.share), c.text)
        for c in cautions
    ]


def axis_for(assessments: Sequence[Assessment]) -> Axis | None:
    """One axis for all: 0 to 100, or one that holds all marks; None where not every score is on one scale."""
    found = [a.scaled for a in assessments]
    scaled = [s for s in found if s is not None]
    if len(scaled) < len(found) or len({s.scale for s in scaled}) != 1:
        return None
    if scaled[0].scale == "training":
        return Axis(0, 100, [(float(v), str(v)) for v in (0, 25, 50, 75, 100)])
    return round_axis(min(s.low for s in scaled), max(s.high for s in scaled))


def round_axis(low: float, high: float) -> Axis:
    """The smallest axis of round numbers that holds a span.

    >>> round_axis(6.1, 8.7).low, [text for _, text in round_axis(6.1, 8.7).marks]
    (6.0, ['6', '6.5', '7', '7.5', '8', '8.5', '9'])
    """
    step = _round_step((high - low) or max(abs(high), 1.0))
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    first, last = (first, last) if last > first else (first - 1, last + 1)
    marks = [((k - first) / (last - first) * 100, f"{k * step:g}".replace("-", "−")) for k in range(first, last + 1)]
    return Axis(first * step, last * step, marks)


def draw_gauge(scaled: Scaled, axis: Axis, crowd: int | None) -> Gauge:
    """A scaled value on an axis that holds it.

    Args:
        scaled: the value with its interval.
        axis: see `axis_for`.
        crowd: how many training performances there are, where that is known.
    """
    value, low, high = texts(scaled)
    left = axis.at(scaled.low)
    if scaled.scale == "training":
        every = f"the {crowd:,} training performances" if crowd else "the training performances"
        meaning = f"Likely better than {percent(scaled.value / 100)} of {every}."
        caption, of = "Out of 100", "/100"
    else:
        meaning, caption, of = "On the scale of the judges’ marks.", "Judges’ scale", ""
    interval = f"90\N{NO-BREAK SPACE}% interval: {low} to {high}"
    vague = scaled.scale == "training" and scaled.low <= 0 and scaled.high >= 100
    if vague:
        interval += ", the whole scale, so that the number tells nothing here"
    return Gauge(
        caption=caption,
        value=value,
        of=of,
        low=low,
        high=high,
        spoken=f"{value}{' of 100' if of else ''}, {interval}",
        sentence=f"{meaning} {interval}.",
        x=axis.at(scaled.value),
        left=left,
        width=round(axis.at(scaled.high) - left, 2),
        marks=axis.marks,
        number=scaled.value,
        vague=vague,
    )


def texts(scaled: Scaled) -> tuple[str, str, str]:
    """Value, low and high as shown: whole shares, or marks to a tenth."""
    decimals = 0 if scaled.scale == "training" else 1
    value, low, high = (show(units(v, decimals), decimals) for v in (scaled.value, scaled.low, scaled.high))
    return value, low, high


def _round_step(length: float) -> float:
    """1, 2 or 5 times a power of ten that divides a length into at most six.

    >>> _round_step(24), _round_step(1.1)
    (5.0, 0.2)
    """
    power = 10.0 ** math.floor(math.log10(length / 6))
    return next(power * k for k in (1, 2, 5, 10) if power * k * 6 >= length * (1 - 1e-9))
