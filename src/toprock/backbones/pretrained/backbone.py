"""Pretrained backbones: frames through an image model (static), clips through a video model (dynamic)."""

from __future__ import annotations

import copy
import os
from pathlib import Path
from typing import Any, Self

import numpy as np

from toprock.backbones.base import BackboneSpec, Box, Compute, Describer, Frame, Network, Reading, Segment, Stream
from toprock.backbones.pretrained.catalogue import CATALOGUE
from toprock.backbones.pretrained.checkpoint import Checkpoint, locate
from toprock.backbones.pretrained.cropping import Cropping, Middle, Performer
from toprock.backbones.settings import checked_settings
from toprock.backbones.spans import ClipSpans, FrameSpans
from toprock.errors import UsageError

_PERFORMER_SIDE = 384
"""Pixels of the shorter side that a video is read at where the performer is cut out of it."""
MOST_FRAMES = 128
"""In a clip: a bound against slips of the hand, which would fill the memory."""


class _Pretrained:
    """What image and video backbones share; see there.

    Args:
        name: of the catalogue, or of the checkpoint's folder.
        checkpoint: the folder, looked at.
        crop: `middle`, as the checkpoint was trained, or `performer`: what is shown is cut out around the performer.
        pose: where the weights of the pose network are, for `performer`.
        pose_weights: the content that they must have, where a recipe says so.
        settings: the numbers, which differ.

    Raises:
        UsageError: an unknown setting or value.
        WeightsError: the pose network is not there.
    """

    stream: Stream

    def __init__(
        self,
        name: str,
        checkpoint: Checkpoint,
        *,
        crop: str = "middle",
        pose: str | Path | None = None,
        pose_weights: str | None = None,
        **settings: Any,
    ) -> None:
        numbers = self._numbers(name, checkpoint, settings)
        self.checkpoint = checkpoint
        self.cropping: Cropping
        if crop == "middle":
            self.cropping = Middle(checkpoint.preparation)
        elif crop == "performer":
            self.cropping = Performer(checkpoint.preparation, at=pose, weights=pose_weights)
        else:
            raise UsageError(f"'{name}' cannot crop to '{crop}'", advice="Allowed: middle, performer.")
        places = [str(checkpoint.folder.absolute()), self.cropping.where]
        self.weights_at = os.pathsep.join(filter(None, places))
        side = _PERFORMER_SIDE if crop == "performer" else checkpoint.preparation.reading_side
        self.settings: dict[str, Any] = {
            **numbers,
            **self.cropping.settings,
            "weights": checkpoint.weights,
            "preparation": checkpoint.preparation.to_json(),
        }
        self.reading = Reading(rate_hz=numbers["rate_hz"], short_side=side)
        known = CATALOGUE.get(name)  # a folder is never called as one of these
        self.spec = BackboneSpec(
            name=name,
            stream=self.stream,
            dimension=checkpoint.dimension,
            description=known.description if known else f"{checkpoint.family.title}, from a folder",
            licence=known.licence if known else "see the folder",
            size_mb=round(checkpoint.size_mb, 1),
            source=known.source if known else str(checkpoint.folder),
        )

    def __eq__(self, other: object) -> bool:
        mine = (type(self), self.spec.name, self.settings, self.cropping)
        return isinstance(other, _Pretrained) and mine == (
            type(other),
            other.spec.name,
            other.settings,
            other.cropping,
        )

    def __hash__(self) -> int:
        return hash((self.spec.name, self.settings["weights"]))

    @staticmethod
    def _numbers(name: str, checkpoint: Checkpoint, given: dict[str, Any]) -> dict[str, Any]:
        """The settings that are numbers, checked."""
        raise NotImplementedError

    @property
    def _shape(self) -> tuple[int, ...]:
        """Of one picture as the network is shown it."""
        return self.checkpoint.preparation.height, self.checkpoint.preparation.width, 3

    def open(self, compute: Compute) -> Network:
        """Load the network; errors as in `NetworkBackbone.open`."""
        from toprock.backbones.pretrained.network import TransformersNetwork

        return TransformersNetwork(self.checkpoint, shape=self._shape, compute=compute)

    def following(self, start_box: Box) -> Self:
        """The same backbone for a performance that begins with its performer in this box."""
        told = copy.copy(self)
        told.cropping = self.cropping.following(start_box)
        return told

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.spec.name!r}, {self.checkpoint.folder.as_posix()!r})"


class PretrainedImage(_Pretrained):
    """Single frames through an image model; arguments and errors as of `_Pretrained`.

    Settings are `rate_hz` (frames a second) and `version`; those not given have their defaults.
    """

    stream: Stream = "static"

    @staticmethod
    def _numbers(name: str, checkpoint: Checkpoint, given: dict[str, Any]) -> dict[str, Any]:
        return checked_settings(name, given, {"version": 1, "rate_hz": checkpoint.family.rate_hz})

    def describer(self) -> Describer:
        """Start looking at one interval."""
        return _Frames(self.cropping)


class PretrainedVideo(_Pretrained):
    """Clips through a video model; arguments and errors as of `_Pretrained`. A clip is cropped with one box.

    Settings are `rate_hz` (frames a second within a clip), `frames` (in a clip), `every_s` (from one clip's start to
    the next, by default and at most as long as a clip) and `version`.
    """

    stream: Stream = "dynamic"

    @staticmethod
    def _numbers(name: str, checkpoint: Checkpoint, given: dict[str, Any]) -> dict[str, Any]:
        family = checkpoint.family
        frames = family.frames(checkpoint.config) if family.frames else 16
        return clip_settings(name, given, rate_hz=family.rate_hz, frames=frames)

    @property
    def _shape(self) -> tuple[int, ...]:
        return self.settings["frames"], *super()._shape

    def describer(self) -> Describer:
        """Start looking at one interval."""
        return Clips(self.cropping, self.settings)


def clip_settings(name: str, given: dict[str, Any], *, rate_hz: float, frames: int) -> dict[str, Any]:
    """The numbers of a plan of clips: `rate_hz`, `frames`, `every_s` and `version`, checked.

    Raises:
        UsageError: an unknown setting or value, or `every_s` longer than a clip.
    """
    defaults = {"version": 1, "rate_hz": rate_hz, "frames": frames, "every_s": 1.0}
    numbers = checked_settings(name, given, defaults)
    if numbers["frames"] > MOST_FRAMES:
        raise UsageError(
            f"frames={numbers['frames']} of '{name}' are more than it can be shown",
            advice=f"Give at most {MOST_FRAMES} frames a clip.",
        )
    clip_s = numbers["frames"] / numbers["rate_hz"]
    if "every_s" not in given:
        numbers["every_s"] = round(clip_s, 6)
    elif numbers["every_s"] > clip_s + 1e-5:
        raise UsageError(
            f"every_s={numbers['every_s']} of '{name}' is longer than its clips of {clip_s:.3f} s",
            advice="Give at most that: no time may be left out.",
        )
    return numbers


def from_checkpoint(
    name: str, *, at: str | Path | None = None, weights: str | None = None, **settings: Any
) -> PretrainedImage | PretrainedVideo:
    """The backbone of a checkpoint on this machine.

    Args:
        name: of the catalogue, or of a folder.
        at: a folder to look at first.
        weights: the content that it must have, where a recipe says so.
        settings: of `PretrainedImage` or `PretrainedVideo`.

    Raises:
        WeightsError: it is not here, or not usable; says how to get it.
        UsageError: an unknown setting or value.
    """
    settings.pop("preparation", None)  # of a recipe; what is in the folder counts and is compared
    if weights is not None and at is not None:  # where both were last seen
        folder, _, pose = str(at).partition(os.pathsep)
        at = folder
        if pose and settings.get("pose") is None and settings.get("pose_weights") is not None:
            settings["pose"] = pose
    checkpoint = locate(name, at=at, weights=weights)
    kind = PretrainedVideo if checkpoint.family.stream == "dynamic" else PretrainedImage
    return kind(name, checkpoint, **settings)


class _Frames:
    """Looks at one interval: every frame is cropped and handed on."""

    def __init__(self, cropping: Cropping) -> None:
        self._crop = cropping.start()
        self._spans: FrameSpans[np.ndarray] = FrameSpans()

    def push(self, frame: Frame, *, new_shot: bool) -> list[Segment]:
        """Look at the next frame; return the segment of the one in front of it."""
        picture = self._crop.still(self._crop.see(frame, new_shot=new_shot))
        return [Segment(*span) for span in self._spans.push(frame.time_s, picture, new_shot=new_shot)]

    def finish(self, end_s: float) -> list[Segment]:
        """Return the last frame's segment, which lasts to `end_s`."""
        return [Segment(*span) for span in self._spans.finish(end_s)]


class Clips:
    """Looks at one interval: frames are gathered to clips (F, height, width, 3) and handed on.

    Args:
        cropping: how frames are cropped.
        settings: with `frames`, `rate_hz` and `every_s`.
    """

    def __init__(self, cropping: Cropping, settings: dict[str, Any]) -> None:
        self._crop = cropping.start()
        frames = settings["frames"]
        self._spans: ClipSpans[Any] = ClipSpans(
            clip_s=frames / settings["rate_hz"], every_s=settings["every_s"], frames=frames
        )

    def push(self, frame: Frame, *, new_shot: bool) -> list[Segment]:
        """Look at the next frame; return the clips that it completes."""
        seen = self._crop.see(frame, new_shot=new_shot)
        return self._segments(self._spans.push(frame.time_s, seen, new_shot=new_shot))

    def finish(self, end_s: float) -> list[Segment]:
        """Return the clips that are left when the interval ends at `end_s`."""
        return self._segments(self._spans.finish(end_s))

    def _segments(self, clips: list[tuple[float, float, list[Any]]]) -> list[Segment]:
        return [Segment(start_s, end_s, self._crop.clip(seen)) for start_s, end_s, seen in clips]
