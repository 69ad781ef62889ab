"""Which part of a frame a network is shown: its middle, or the performer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import numpy as np

from toprock.backbones.base import Box, Frame
from toprock.backbones.pretrained.preparing import Preparation
from toprock.backbones.weights import VARIABLE
from toprock.errors import WeightsError


class Seen(NamedTuple):
    """A frame on its way into a segment, and the performer's box where one is looked for."""

    image: np.ndarray
    box: Box | None


class Crop(Protocol):
    """Cropping at work on one interval."""

    def see(self, frame: Frame, *, new_shot: bool) -> Seen:
        """Take a frame in, in order."""
        ...

    def still(self, seen: Seen) -> np.ndarray:
        """The picture (height, width, 3) of one frame."""
        ...

    def clip(self, seen: Sequence[Seen]) -> np.ndarray:
        """The pictures (F, height, width, 3) of a clip, all of one part of the frame."""
        ...


class Cropping(Protocol):
    """A way to crop."""

    @property
    def settings(self) -> dict[str, Any]:
        """What of it belongs into a recipe."""
        ...

    @property
    def where(self) -> str:
        """The file of weights that it needs; empty where it needs none."""
        ...

    def start(self) -> Crop:
        """Begin with an interval."""
        ...

    def following(self, start_box: Box) -> Cropping:
        """The same for a performance whose performer begins in this box."""
        ...


@dataclass(frozen=True)
class Middle:
    """The middle of the frame, resized as the checkpoint says."""

    preparation: Preparation

    @property
    def settings(self) -> dict[str, Any]:
        """Nothing: what a checkpoint says is the rule."""
        return {"crop": "middle"}

    @property
    def where(self) -> str:
        """It needs no weights."""
        return ""

    def start(self) -> Crop:
        """Begin with an interval; it remembers nothing."""
        return self

    def following(self, start_box: Box) -> Middle:
        """Where the performer is does not matter to it."""
        return self

    def see(self, frame: Frame, *, new_shot: bool) -> Seen:
        """Crop at once, so that only what is needed is kept."""
        return Seen(self.preparation.fit(frame.image), None)

    def still(self, seen: Seen) -> np.ndarray:
        """The cropped picture."""
        return seen.image

    def clip(self, seen: Sequence[Seen]) -> np.ndarray:
        """The cropped pictures."""
        return np.stack([one.image for one in seen])


@dataclass(frozen=True)
class Performer:
    """What lies around the performer, found by the pose network; the whole frame where nobody is found.

    A clip is cut out with one box, the smallest that holds its frames' boxes, so that motion in it stays motion.

    Args:
        preparation: of the checkpoint.
        at: where the weights of the pose network are; by default they are looked for.
        weights: the content that they must have, where a recipe says so.
        start_box: where the performer is at first.

    Raises:
        WeightsError: the pose network is not there, or another one.
    """

    preparation: Preparation
    at: str | Path | None = field(default=None, compare=False)
    weights: str | None = None
    start_box: Box | None = None

    def __post_init__(self) -> None:
        from toprock.backbones.pose.movenet import find_movenet, movenet_hash

        path = find_movenet(self.at)
        found = movenet_hash(path)
        if self.weights not in (None, found):
            raise WeightsError(
                f"{path}: is not the pose network that was used ({self.weights})",
                advice=f"Bring the one that was used, and set {VARIABLE} to the folder that holds it.",
            )
        object.__setattr__(self, "at", path)
        object.__setattr__(self, "weights", found)

    @property
    def settings(self) -> dict[str, Any]:
        """The content of the pose network's weights."""
        return {"crop": "performer", "pose_weights": self.weights}

    @property
    def where(self) -> str:
        """The pose network's file."""
        return str(self.at)

    def following(self, start_box: Box) -> Performer:
        """The same for a performance whose performer begins in this box."""
        return replace(self, start_box=start_box)

    def start(self) -> Crop:
        """Begin with an interval."""
        return _PerformerCrop(self)


class _PerformerCrop:
    def __init__(self, cropping: Performer) -> None:
        from toprock.backbones.pose.movenet import MoveNet
        from toprock.backbones.pose.tracking import PerformerTracker

        assert cropping.at is not None
        self._preparation = cropping.preparation
        self._tracker = PerformerTracker(MoveNet(cropping.at), start_box=cropping.start_box)

    def see(self, frame: Frame, *, new_shot: bool) -> Seen:
        return Seen(frame.image, self._tracker.push(frame, new_shot=new_shot).box)

    def still(self, seen: Seen) -> np.ndarray:
        return self.clip([seen])[0]

    def clip(self, seen: Sequence[Seen]) -> np.ndarray:
        boxes = [one.box for one in seen if one.box is not None]
        left, top = min(b[0] for b in boxes), min(b[1] for b in boxes)
        right, bottom = max(b[2] for b in boxes), max(b[3] for b in boxes)
        return np.stack([self._preparation.cut(one.image, (left, top, right, bottom)) for one in seen])
