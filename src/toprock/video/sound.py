"""The sound track of a video, piece by piece, in bounded memory."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np

from toprock.video.limits import Limits
from toprock.video.reader import start_decoder

_HEAD = struct.Struct("<d")


class Sound(NamedTuple):
    """A piece of a sound track: the second at which it starts, and mono samples (N,) float32 in -1 to 1."""

    time_s: float
    samples: np.ndarray


def read_sound(path: str | Path, *, rate_hz: int, limits: Limits | None = None) -> Iterator[Sound]:
    """Read the sound track of a video once, in order; nothing comes where it has none.

    Args:
        path: the video.
        rate_hz: samples a second; the sound is mixed to one channel.
        limits: bounds on what the decoder may use.

    Yields:
        Pieces whose times are those of the pictures, and rise. Where sound starts late or is damaged, a gap is left.

    Raises:
        VideoError: the video cannot be used.

    >>> list(read_sound("battle.mp4", rate_hz=16000))  # a silent film
    []
    """
    child = start_decoder(Path(path), {"job": "listen", "rate_hz": rate_hz}, limits)
    try:
        while (message := child.read()).kind == b"S":
            try:
                (time_s,) = _HEAD.unpack_from(message.body)
                samples = np.frombuffer(message.body, np.float32, offset=_HEAD.size)
            except (ValueError, struct.error):
                raise child.nonsense() from None
            yield Sound(time_s, np.nan_to_num(samples, posinf=0.0, neginf=0.0).clip(-1, 1))
    finally:
        child.close()
