"""Backbone "flow" (dynamic stream): descriptors of the performer's motion in short clips."""

from __future__ import annotations

from collections import deque
from typing import Any

import numpy as np

from toprock.backbones.base import BackboneSpec, Frame, Reading, Segment
from toprock.backbones.motion import PerformerMotion, small_grey
from toprock.backbones.motion_descriptor import (
    DIMENSION,
    Derivatives,
    Habit,
    PairMotion,
    PerformerBox,
    describe_motion,
)
from toprock.backbones.on_beat import OnBeat
from toprock.backbones.settings import checked_settings
from toprock.errors import UsageError

FLOW_SETTINGS: dict[str, Any] = {
    "version": 1,
    "clip_s": 0.8,
    "every_s": 0.4,
    "rate_hz": 15.0,
    "short_side": 128,
    "box_memory_s": 3.0,
    "habit_memory_s": 30.0,
}
_SLACK_S = 1e-6


class Flow:
    """Optical-flow descriptors of clips, less the camera's motion.

    Args:
        settings: of `clip_s` (length of a clip), `every_s` (from one clip's start to the next), `rate_hz`
            (frames a second), `short_side` (pixels), `box_memory_s` and `habit_memory_s` (for how long motion
            counts in the performer's box and usual speed), `version`; those not given have their defaults.

    Raises:
        UsageError: an unknown setting, a value that is not positive, or every_s > clip_s.
        RecipeMismatch: another version.

    >>> Flow(clip_s=1.2).settings["clip_s"]
    1.2
    """

    name = "flow"
    defaults = FLOW_SETTINGS

    def __init__(self, **settings: Any) -> None:
        self.settings: dict[str, Any] = checked_settings(self.name, settings, self.defaults)
        clip_s, every_s = self.settings["clip_s"], self.settings["every_s"]
        if every_s > clip_s:
            raise UsageError(
                f"every_s={every_s} of the backbone '{self.name}' is longer than clip_s={clip_s}",
                advice="Give at most clip_s: no time may be left out.",
            )
        self.reading = Reading(rate_hz=self.settings["rate_hz"], short_side=self.settings["short_side"])
        self.spec = BackboneSpec(
            name=self.name,
            stream="dynamic",
            dimension=DIMENSION,
            description="optical flow of short clips: direction, speed, smoothness and rhythm",
            licence="Apache-2.0",
            size_mb=0.0,
            source="embedded",
        )

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Flow) and (other.name, other.settings) == (self.name, self.settings)

    def __hash__(self) -> int:
        return hash(tuple(self.settings.items()))

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(f'{key}={value!r}' for key, value in self.settings.items())})"

    def describer(self) -> FlowDescriber:
        """Start looking at one interval."""
        return FlowDescriber(self.settings)


class FlowDescriber:
    """Looks at one interval; holds the flow of one clip and no more.

    Args:
        settings: of the backbone.
        on_beat: adds its channels to every clip.
    """

    def __init__(self, settings: dict[str, Any], on_beat: OnBeat | None = None) -> None:
        self._settings = settings
        self._on_beat = on_beat
        self._habit = Habit(settings["habit_memory_s"])
        self._shot: _Shot | None = None
        self._amount, self._lasting_s = 0.0, 0.0

    @property
    def mean_motion(self) -> float:
        """Mean speed over picture and time so far, camera's motion excluded; picture heights a second."""
        return self._amount / self._lasting_s if self._lasting_s else 0.0

    def push(self, frame: Frame, *, new_shot: bool) -> list[Segment]:
        """Look at the next frame; return the clips that it completes."""
        done: list[Segment] = []
        if new_shot or self._shot is None:
            if self._shot is not None:
                done = self._shot.finish(frame.time_s)
            self._shot = _Shot(self._settings, self._habit, self._on_beat)
        pair = self._shot.look(frame)
        if pair is not None:
            self._amount += float(np.hypot(pair.velocity[..., 0], pair.velocity[..., 1]).mean()) * pair.step_s
            self._lasting_s += pair.step_s
        return done + self._shot.complete()

    def finish(self, end_s: float) -> list[Segment]:
        """Return the clips that are left when the interval ends at `end_s`."""
        shot, self._shot = self._shot, None
        return shot.finish(end_s) if shot is not None else []


class _Shot:
    """The clips of one shot. The newest is held back: the rest of the shot may be too short for one more."""

    def __init__(self, settings: dict[str, Any], habit: Habit, on_beat: OnBeat | None) -> None:
        self._settings = settings
        self._habit = habit
        self._on_beat = on_beat
        self._pairs: deque[PairMotion] = deque()
        self._before: tuple[float, np.ndarray] | None = None
        self._start_s = 0.0
        self._clips = 0
        self._held: Segment | None = None

    def look(self, frame: Frame) -> PairMotion | None:
        """Take in a frame; what moved since the one in front of it."""
        grey = small_grey(frame.image, self._settings["short_side"])
        before, self._before = self._before, (float(frame.time_s), grey)
        if before is None:
            self._start_s = frame.time_s
            self._motion = PerformerMotion(grey.shape)
            self._derivatives = Derivatives(self._motion.grid)
            self._box = PerformerBox(self._motion.grid, self._settings["box_memory_s"])
            return None
        step_s = max(float(frame.time_s) - before[0], 1e-3)
        velocity = self._motion.between(before[1], grey) / step_s
        acceleration, jerk = self._derivatives.push(velocity, step_s)
        camera = self._motion.camera
        speed = float(np.hypot(camera.shift_x, camera.shift_y)) / self._motion.height_px / step_s
        pair = PairMotion(before[0], before[0] + step_s, velocity, acceleration, jerk, speed)
        self._pairs.append(pair)
        self._box.push(pair)
        if self._on_beat is not None:
            self._on_beat.push(pair)
        return pair

    def complete(self) -> list[Segment]:
        """Clips that the newest frame ends, but for the one held back."""
        done: list[Segment] = []
        clip_s, every_s = self._settings["clip_s"], self._settings["every_s"]
        while self._before is not None and self._before[0] >= self._next_s() + clip_s - _SLACK_S:
            start_s = self._next_s()
            clip = self._describe(start_s, start_s + clip_s)
            if self._held is not None:
                done.append(self._held)
            self._held = clip
            self._clips += 1
            while self._pairs and self._pairs[0].end_s <= self._next_s() - every_s:
                self._pairs.popleft()
        return done

    def finish(self, end_s: float) -> list[Segment]:
        """The clips left when the shot ends: one more, moved back to end there, or a longer held one."""
        clip_s, every_s = self._settings["clip_s"], self._settings["every_s"]
        if self._held is None:
            return [self._describe(self._start_s, max(end_s, self._start_s + 1e-3))]
        if end_s - self._held.end_s <= every_s / 4:  # too short for one more
            return [self._held._replace(end_s=max(end_s, self._held.start_s + 1e-3))]
        start_s = max(self._start_s, end_s - clip_s)
        return [self._held, self._describe(start_s, end_s)]

    def _next_s(self) -> float:
        return self._start_s + self._clips * self._settings["every_s"]

    def _describe(self, start_s: float, end_s: float) -> Segment:
        inside = [p for p in self._pairs if start_s <= (p.start_s + p.end_s) / 2 < end_s]
        if not inside:
            inside = [p for p in self._pairs if p.start_s < end_s and p.end_s > start_s]
        vector = describe_motion(inside, self._box.get(), self._habit)
        if self._on_beat is not None:
            vector = np.concatenate([vector, self._on_beat.describe(start_s)])
        return Segment(start_s, end_s, vector)
