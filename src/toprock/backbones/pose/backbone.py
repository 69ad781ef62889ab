"""What the two backbones on body points share: where the weights are, what names them, and whom to follow."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar, Self

import cv2
import numpy as np

from toprock.backbones.base import BackboneSpec, Box, Reading
from toprock.backbones.pose.movenet import MoveNet, find_movenet, movenet_hash, require_litert
from toprock.backbones.pose.tracking import PerformerTracker
from toprock.backbones.settings import checked_settings
from toprock.errors import RecipeMismatch, UsageError

SOURCE = "MoveNet"
SIZE_MB = 2.9


class PoseBackbone:
    """A backbone that looks through MoveNet.

    `settings` holds the content hash of the weights; where they lie is `weights_at` and no setting.

    Args:
        at: the weights file or its folder; by default it is looked for (see `find_movenet`).
        weights: content hash that the weights must have.
        settings: of `defaults`.

    Raises:
        UsageError: an unknown setting, or a value that is not positive.
        RecipeMismatch: another version, or weights of another hash.
        WeightsError: the weights are absent or damaged, or LiteRT is not installed.
    """

    name: ClassVar[str]
    defaults: ClassVar[dict[str, Any]]
    spec: BackboneSpec

    def __init__(self, *, at: str | Path | None = None, weights: str | None = None, **settings: Any) -> None:
        numbers = checked_settings(self.name, settings, self.defaults)
        require_litert()
        path = find_movenet(at)
        found = movenet_hash(path)
        if weights is not None and str(weights) != found:
            raise RecipeMismatch(
                f"{path}: these weights of the backbone '{self.name}' are {found} and the recipe asks for {weights}",
                advice=f"Name the weights it was made with as {self.name}:at=FOLDER, or extract the features again.",
            )
        self.settings: dict[str, Any] = {"weights": found, **numbers}
        self.weights_at = str(path)
        self.reading = Reading(rate_hz=self.settings["rate_hz"], short_side=self.settings["short_side"])
        self._start_box: Box | None = None

    def __eq__(self, other: object) -> bool:
        return isinstance(other, PoseBackbone) and (other.name, other.settings) == (self.name, self.settings)

    def __hash__(self) -> int:
        return hash(tuple(self.settings.items()))

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(f'{key}={value!r}' for key, value in self.settings.items())})"

    def following(self, start_box: Sequence[float]) -> Self:
        """The same backbone for a performance whose performer is in this box at its start.

        Args:
            start_box: x0, y0, x1, y1 in fractions of the picture; y downwards.

        Raises:
            UsageError: it is no box within the picture.
        """
        corners = tuple(float(edge) for edge in start_box)
        if len(corners) != 4 or not (0 <= corners[0] < corners[2] <= 1 and 0 <= corners[1] < corners[3] <= 1):
            raise UsageError(
                f"start_box={tuple(start_box)!r} is no box in the picture",
                advice="Give x0, y0, x1, y1 in fractions of it, x0 < x1 and y0 < y1.",
            )
        following = copy.copy(self)
        following._start_box = (corners[0], corners[1], corners[2], corners[3])
        return following

    def tracker(self) -> PerformerTracker:
        """A tracker with a net of its own."""
        cv2.setNumThreads(1)
        return PerformerTracker(MoveNet(self.weights_at), start_box=self._start_box)


def scaled_down(image: np.ndarray, short_side: int) -> np.ndarray:
    """The picture with its shorter side at most `short_side` pixels."""
    height, width = image.shape[:2]
    scale = short_side / min(height, width)
    if scale >= 1:
        return image
    small: np.ndarray = cv2.resize(image, (round(width * scale), round(height * scale)), interpolation=cv2.INTER_AREA)
    return small
