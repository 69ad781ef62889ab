"""Backbone "posture" (static stream): descriptors of the performer's posture in single frames."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np

from toprock.backbones.base import BackboneSpec, Frame, Reading, Segment
from toprock.backbones.posture_descriptor import DIMENSION, describe_posture
from toprock.backbones.settings import checked_settings
from toprock.backbones.silhouette import find_silhouette
from toprock.backbones.spans import FrameSpans

_DEFAULTS: dict[str, Any] = {"version": 1, "rate_hz": 6.0, "short_side": 128}


class Posture:
    """Edge directions and outline of the performer in single frames, each described without the others.

    Args:
        settings: of `rate_hz` (frames a second), `short_side` (pixels), `version`; those not given have their
            defaults.

    Raises:
        UsageError: an unknown setting or a value that is not positive.
        RecipeMismatch: another version.

    >>> Posture(rate_hz=4).reading.rate_hz
    4.0
    """

    def __init__(self, **settings: Any) -> None:
        self.settings: dict[str, Any] = checked_settings("posture", settings, _DEFAULTS)
        self.reading = Reading(rate_hz=self.settings["rate_hz"], short_side=self.settings["short_side"])
        self.spec = BackboneSpec(
            name="posture",
            stream="static",
            dimension=DIMENSION,
            description="edge directions and outline of the performer in single frames",
            licence="Apache-2.0",
            size_mb=0.0,
            source="embedded",
        )

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Posture) and other.settings == self.settings

    def __hash__(self) -> int:
        return hash(tuple(self.settings.items()))

    def __repr__(self) -> str:
        return f"Posture({', '.join(f'{key}={value!r}' for key, value in self.settings.items())})"

    def describer(self) -> PostureDescriber:
        """Start looking at one interval."""
        return PostureDescriber(self.settings["short_side"])


class PostureDescriber:
    """Looks at one interval. A frame speaks for the time half way to its neighbours in the same shot."""

    def __init__(self, short_side: int) -> None:
        cv2.setNumThreads(1)
        self._short_side = short_side
        self._spans: FrameSpans[np.ndarray] = FrameSpans()

    def push(self, frame: Frame, *, new_shot: bool) -> list[Segment]:
        """Look at the next frame; return the segment of the one in front of it."""
        image = _small(frame.image, self._short_side)
        vector = describe_posture(image, find_silhouette(image))
        return [Segment(*span) for span in self._spans.push(frame.time_s, vector, new_shot=new_shot)]

    def finish(self, end_s: float) -> list[Segment]:
        """Return the last frame's segment, which lasts to `end_s`."""
        return [Segment(*span) for span in self._spans.finish(end_s)]


def _small(image: np.ndarray, short_side: int) -> np.ndarray:
    height, width = image.shape[:2]
    scale = short_side / min(height, width)
    if scale >= 1:
        return image
    return cv2.resize(image, (round(width * scale), round(height * scale)), interpolation=cv2.INTER_AREA)
