"""Backbone "pose-motion" (dynamic stream): how the performer's body moves in short clips, from its points."""

from __future__ import annotations

from collections import deque
from typing import Any, ClassVar

from toprock.backbones.base import BackboneSpec, Frame, Segment
from toprock.backbones.pose.backbone import SIZE_MB, SOURCE, PoseBackbone, scaled_down
from toprock.backbones.pose.motion_descriptor import MOTION_NAMES, Moment, describe_pose_motion
from toprock.backbones.pose.tracking import PerformerTracker
from toprock.errors import UsageError

_SLACK_S = 1e-6


class PoseMotion(PoseBackbone):
    """Speed, smoothness, range, turning and rhythm of the performer's body in clips.

    Args:
        at, weights: see `PoseBackbone`.
        settings: of `clip_s` (length of a clip), `every_s` (from one clip's start to the next), `rate_hz` (frames a
            second), `short_side` (pixels), `rhythm_s` (how far back rhythm is looked for), `version`; those not
            given have their defaults.

    Raises:
        UsageError: also where every_s > clip_s.
        RecipeMismatch, WeightsError: see `PoseBackbone`.
    """

    name = "pose-motion"
    defaults: ClassVar[dict[str, Any]] = {
        "version": 1,
        "clip_s": 0.8,
        "every_s": 0.4,
        "rate_hz": 15.0,
        "short_side": 256,
        "rhythm_s": 3.2,
    }
    spec = BackboneSpec(
        name="pose-motion",
        stream="dynamic",
        dimension=len(MOTION_NAMES),
        description="motion of the performer's body points in short clips: speed, smoothness, range, turning, rhythm",
        licence="Apache-2.0",
        size_mb=SIZE_MB,
        source=SOURCE,
    )

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings)
        clip_s, every_s = self.settings["clip_s"], self.settings["every_s"]
        if every_s > clip_s:
            raise UsageError(
                f"every_s={every_s} of the backbone '{self.name}' is longer than clip_s={clip_s}",
                advice="Give at most clip_s: no time may be left out.",
            )

    def describer(self) -> PoseMotionDescriber:
        """Start looking at one interval."""
        return PoseMotionDescriber(self.tracker(), self.settings)


class PoseMotionDescriber:
    """Looks at one interval; holds the points of one clip and what rhythm looks back on."""

    def __init__(self, tracker: PerformerTracker, settings: dict[str, Any]) -> None:
        self._tracker = tracker
        self._settings = settings
        self._shot: _Shot | None = None

    def push(self, frame: Frame, *, new_shot: bool) -> list[Segment]:
        """Look at the next frame; return the clips that it completes."""
        done: list[Segment] = []
        if new_shot or self._shot is None:
            if self._shot is not None:
                done = self._shot.finish(frame.time_s)
            self._shot = _Shot(self._settings, float(frame.time_s))
        image = scaled_down(frame.image, self._settings["short_side"])
        points = self._tracker.push(Frame(frame.time_s, image), new_shot=new_shot).points
        return done + self._shot.push(Moment(float(frame.time_s), points, image.shape[1] / image.shape[0]))

    def finish(self, end_s: float) -> list[Segment]:
        """Return the clips that are left when the interval ends at `end_s`."""
        shot, self._shot = self._shot, None
        return shot.finish(end_s) if shot is not None else []


class _Shot:
    """The clips of one shot. The newest is held back: the rest of the shot may be too short for one more."""

    def __init__(self, settings: dict[str, Any], start_s: float) -> None:
        self._settings = settings
        self._start_s = start_s
        self._moments: deque[Moment] = deque()
        self._clips = 0
        self._held: Segment | None = None

    def push(self, moment: Moment) -> list[Segment]:
        """Take in what was seen; the clips that it ends, but for the one held back."""
        self._moments.append(moment)
        done: list[Segment] = []
        clip_s, every_s = self._settings["clip_s"], self._settings["every_s"]
        while moment.time_s >= (start_s := self._start_s + self._clips * every_s) + clip_s - _SLACK_S:
            clip = self._describe(start_s, start_s + clip_s)
            if self._held is not None:
                done.append(self._held)
            self._held = clip
            self._clips += 1
            kept_s = min(start_s - 1 / self._settings["rate_hz"], clip.end_s - self._settings["rhythm_s"])
            while self._moments[0].time_s < kept_s:
                self._moments.popleft()
        return done

    def finish(self, end_s: float) -> list[Segment]:
        """The clips left when the shot ends: one more, moved back to end there, or a longer held one."""
        if self._held is None:
            return [self._describe(self._start_s, max(end_s, self._start_s + 1e-3))]
        if end_s - self._held.end_s <= self._settings["every_s"] / 4:  # too short for one more
            return [self._held._replace(end_s=max(end_s, self._held.start_s + 1e-3))]
        return [self._held, self._describe(max(self._start_s, end_s - self._settings["clip_s"]), end_s)]

    def _describe(self, start_s: float, end_s: float) -> Segment:
        rate_hz, rhythm_s = self._settings["rate_hz"], self._settings["rhythm_s"]
        vector = describe_pose_motion(self._moments, start_s, end_s, rate_hz=rate_hz, rhythm_s=rhythm_s)
        return Segment(start_s, end_s, vector)
