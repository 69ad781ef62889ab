"""Backbone "pose" (static stream): the performer's posture in single frames, from the points of their body."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np

from toprock.backbones.base import BackboneSpec, Frame, Segment
from toprock.backbones.pose.backbone import SIZE_MB, SOURCE, PoseBackbone, scaled_down
from toprock.backbones.pose.descriptor import POSE_NAMES, describe_pose
from toprock.backbones.pose.tracking import PerformerTracker
from toprock.backbones.spans import FrameSpans


class Pose(PoseBackbone):
    """Angles, directions, extension, symmetry, inversion and support of the performer's body in single frames.

    Args:
        at, weights: see `PoseBackbone`.
        settings: of `rate_hz` (frames a second), `short_side` (pixels), `version`; those not given have their
            defaults.

    Raises:
        UsageError, RecipeMismatch, WeightsError: see `PoseBackbone`.
    """

    name = "pose"
    defaults: ClassVar[dict[str, Any]] = {"version": 1, "rate_hz": 6.0, "short_side": 256}
    spec = BackboneSpec(
        name="pose",
        stream="static",
        dimension=len(POSE_NAMES),
        description="the performer's body points in single frames: angles, extension, symmetry, inversion, support",
        licence="Apache-2.0",
        size_mb=SIZE_MB,
        source=SOURCE,
    )

    def describer(self) -> PoseDescriber:
        """Start looking at one interval."""
        return PoseDescriber(self.tracker(), self.settings["short_side"])


class PoseDescriber:
    """Looks at one interval. A frame speaks for the time half way to its neighbours in the same shot.

    Where nobody is found, the vector is 0.
    """

    def __init__(self, tracker: PerformerTracker, short_side: int) -> None:
        self._tracker = tracker
        self._short_side = short_side
        self._spans: FrameSpans[np.ndarray] = FrameSpans()

    def push(self, frame: Frame, *, new_shot: bool) -> list[Segment]:
        """Look at the next frame; return the segment of the one in front of it."""
        image = scaled_down(frame.image, self._short_side)
        points = self._tracker.push(Frame(frame.time_s, image), new_shot=new_shot).points
        height, width = image.shape[:2]
        vector = np.zeros(len(POSE_NAMES), np.float32) if points is None else describe_pose(points, width / height)
        return [Segment(*span) for span in self._spans.push(frame.time_s, vector, new_shot=new_shot)]

    def finish(self, end_s: float) -> list[Segment]:
        """Return the last frame's segment, which lasts to `end_s`."""
        return [Segment(*span) for span in self._spans.finish(end_s)]
