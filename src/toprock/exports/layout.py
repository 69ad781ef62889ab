"""Where the lower third lies in a picture, and where a time lies along it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

Box = tuple[int, int, int, int]  # left, top, right, bottom in pixels; right and bottom are outside

_SMALLEST_UNIT = 0.66  # a letter needs pixels, however small the picture


@dataclass(frozen=True)
class Place:
    """Where a line of text stands: `x` is its left end, or its right end where it is `from_right`."""

    x: int
    baseline: int
    from_right: bool = False


@dataclass(frozen=True)
class Layout:
    """Where everything is, in pixels of the picture.

    Attributes:
        unit: pixels for one pixel of a design that is 720 high.
        panel: holds all but the badge.
        chart: the evidence; the marks of moments lie in its last `mark` pixels.
        name, name_width: who performs, and how long that may be.
        score, against: the running score, and how far from typical it is.
        time: of the video; None where there is no room.
        badge: left end and bottom of the badge, above the panel.
    """

    unit: float
    panel: Box
    chart: Box
    mark: int
    name: Place
    name_width: int
    score: Place
    against: Place
    time: Place | None
    badge: tuple[int, int]

    @classmethod
    def of(cls, width: int, height: int) -> Layout:
        """For a picture of that size: one row where it is wide, two where it is narrow.

        >>> Layout.of(1280, 720).panel, Layout.of(360, 640).panel
        ((32, 608, 1248, 688), (13, 543, 347, 627))
        """
        unit = max(min(width, height) / 720, _SMALLEST_UNIT)

        def px(value: float) -> int:
            return round(value * unit)

        wide = width >= 960 * unit
        margin, pad, tall = (px(32), px(22), px(80)) if wide else (px(20), px(18), px(128))
        left, top, right, bottom = margin, height - margin - tall, width - margin, height - margin
        common = {"unit": unit, "panel": (left, top, right, bottom), "mark": px(4), "badge": (left, top - px(10))}
        if wide:
            return cls(
                **common,  # type: ignore[arg-type]
                chart=(left + px(300), top + px(11), right - px(104), bottom - px(11)),
                name=Place(left + pad, top + px(30)),
                name_width=px(262),
                score=Place(left + pad, bottom - px(17)),
                against=Place(left + pad, bottom - px(17)),
                time=Place(right - pad, top + px(47), from_right=True),
            )
        return cls(
            **common,  # type: ignore[arg-type]
            chart=(left + pad, top + px(66), right - pad, bottom - px(14)),
            name=Place(left + pad, top + px(30)),
            name_width=round(0.6 * (right - left)) - pad,
            score=Place(right - pad, top + px(47), from_right=True),
            against=Place(left + pad, top + px(52)),
            time=None,
        )


class Axis:
    """Time along the spans of a video that are shown one after the other.

    Args:
        spans: in seconds of the video, in order.

    >>> axis = Axis([(10.0, 12.0), (20.0, 24.0)])
    >>> axis.length_s, axis.along(21.0), axis.along(15.0), axis.times(np.array([1.0, 5.0])).tolist()
    (6.0, 3.0, 2.0, [11.0, 23.0])
    """

    def __init__(self, spans: Sequence[tuple[float, float]]) -> None:
        self._times = np.array(spans, float).ravel()
        lengths = np.maximum(np.diff(np.array(spans, float), axis=1)[:, 0], 0.0)
        ends = np.cumsum(lengths)
        self._along = np.stack([ends - lengths, ends], axis=1).ravel()

    @property
    def length_s(self) -> float:
        """Seconds shown."""
        return float(self._along[-1])

    @property
    def cuts_s(self) -> list[float]:
        """Seconds along the axis at which one span ends and the next begins."""
        return [float(a) for a in self._along[1:-1:2]]

    def along(self, time_s: float) -> float:
        """Seconds of what is shown up to a time of the video; times between two spans are where those meet."""
        return float(np.interp(time_s, self._times, self._along))

    def times(self, along_s: np.ndarray) -> np.ndarray:
        """The inverse of `along`."""
        return np.interp(along_s, self._along, self._times)
