"""What a backbone is: it is fed the frames of a performance in order and gives back segments.

A backbone never sees a file. It is pushed one `Frame` after the other (times rising, picture size constant)
and is told where a shot begins; no segment may reach over such a border. That makes extraction one pass in
bounded memory, for any length.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple, Protocol, runtime_checkable

import numpy as np

Stream = Literal["dynamic", "static"]
STREAMS: tuple[Stream, ...] = ("dynamic", "static")


class Frame(NamedTuple):
    """One decoded picture: presentation time in seconds and RGB pixels, (height, width, 3) uint8."""

    time_s: float
    image: np.ndarray


class Segment(NamedTuple):
    """Features of one clip or one frame, and the span of time they speak for.

    `vector` is (dimension,) float32.
    """

    start_s: float
    end_s: float
    vector: np.ndarray


@dataclass(frozen=True, kw_only=True)
class BackboneSpec:
    """What a person should know about a backbone before choosing it.

    Attributes:
        name: registry name.
        stream: `dynamic` (clips) or `static` (frames).
        dimension: length of one feature vector.
        description: one line.
        licence: of the weights, or of the code where there are none.
        size_mb: of the weights; 0 where there are none.
        source: where the weights come from; "embedded" where there are none.
    """

    name: str
    stream: Stream
    dimension: int
    description: str
    licence: str
    size_mb: float
    source: str


@dataclass(frozen=True, kw_only=True)
class Reading:
    """Which frames a backbone wants to be fed.

    Attributes:
        rate_hz: frames a second; a video with fewer gives all it has.
        short_side: pixels of the shorter side after scaling (smaller videos are scaled up).
    """

    rate_hz: float
    short_side: int


class Describer(Protocol):
    """The state of one backbone while it looks at one interval of one performance."""

    def push(self, frame: Frame, *, new_shot: bool) -> list[Segment]:
        """Look at the next frame; return the segments that it completes.

        `new_shot` is true at the first frame after a cut (and at the very first frame).
        """
        ...

    def finish(self, end_s: float) -> list[Segment]:
        """Return what is left when the interval ends at `end_s`."""
        ...


class Backbone(Protocol):
    """A way to describe segments. `settings` (JSON values) makes an equal backbone again: see Recipe."""

    spec: BackboneSpec
    reading: Reading
    settings: Mapping[str, Any]

    def describer(self) -> Describer:
        """Start looking at one interval."""
        ...


@runtime_checkable
class HearingBackbone(Backbone, Protocol):
    """A backbone whose features depend on the beats of the music too; without `hearing`, there are none."""

    def hearing(self, beats_s: np.ndarray) -> Backbone:
        """The same backbone for one performance, whose beats (B,) lie at these seconds in the video."""
        ...
