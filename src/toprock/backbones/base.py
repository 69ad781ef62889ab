"""What a backbone is: it is fed the frames of a performance in order and gives back segments.

A backbone never sees a file. It is pushed one `Frame` after the other (times rising, picture size constant)
and is told where a shot begins; no segment may reach over such a border. That makes extraction one pass in
bounded memory, for any length.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple, Protocol, runtime_checkable

import numpy as np

from toprock.errors import UsageError

Stream = Literal["dynamic", "static"]
STREAMS: tuple[Stream, ...] = ("dynamic", "static")
STREAM_WORDS: Mapping[Stream, str] = {"dynamic": "motion", "static": "posture"}
"""What each stream shows, for people."""


Box = tuple[float, float, float, float]
"""Left, top, right and bottom in shares of the picture's width and height."""


class Frame(NamedTuple):
    """One decoded picture: presentation time in seconds and RGB pixels, (height, width, 3) uint8."""

    time_s: float
    image: np.ndarray


class Segment(NamedTuple):
    """Features of one clip or one frame, and the span of time they speak for.

    `vector` is (dimension,) float32; on the way to a network, what the network is to be shown.
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


@runtime_checkable
class FollowingBackbone(Backbone, Protocol):
    """A backbone that keeps to the performer, and can be told where that is when the performance begins."""

    def following(self, start_box: Box) -> Backbone:
        """The same backbone for one performance, whose performer begins in this box."""
        ...


@runtime_checkable
class NetworkBackbone(Backbone, Protocol):
    """A backbone with a network, which is shown many segments at once.

    Its describer's segments carry in place of the vector what the network is to be shown: arrays of one shape.
    """

    def open(self, compute: Compute) -> Network:
        """Load the network, ready to be shown segments.

        Raises:
            WeightsError: the weights are not there, or damaged, or a part is not installed.
        """
        ...


@dataclass(frozen=True, kw_only=True)
class Compute:
    """Where and how networks run; `auto` is what a short trial finds fastest.

    Attributes:
        device: auto, cpu or cuda.
        precision: auto, float32 or bfloat16.
    """

    device: str = "auto"
    precision: str = "auto"

    def __post_init__(self) -> None:
        for name, value, allowed in (
            ("device", self.device, ("auto", "cpu", "cuda")),
            ("precision", self.precision, ("auto", "float32", "bfloat16")),
        ):
            if value not in allowed:
                raise UsageError(f"there is no {name} '{value}'", advice=f"Allowed: {', '.join(allowed)}.")


class Network(Protocol):
    """A loaded network."""

    @property
    def batch(self) -> int:
        """How many inputs it is best shown at once; less where memory did not suffice for more."""
        ...

    @property
    def pace(self) -> str:
        """How it runs, in words for people: device, precision, threads."""
        ...

    def launch(self, inputs: Sequence[np.ndarray]) -> Callable[[], np.ndarray]:
        """Show it B inputs of one shape; what is returned waits for their features (B, dimension) float32."""
        ...
