"""Backbone "temporal" (dynamic stream): clips through an image model, for those who have no video model.

The features of a clip's frames are pooled: their mean tells what is seen, their differences how it changes, and the
rhythm of the differences when.
"""

from __future__ import annotations

import copy
from pathlib import Path
from typing import TYPE_CHECKING, Any

from toprock.backbones import REGISTRY
from toprock.backbones.base import BackboneSpec, Box, Compute, Describer, Network, Reading
from toprock.backbones.pretrained.backbone import Clips, PretrainedImage, clip_settings, from_checkpoint
from toprock.backbones.pretrained.catalogue import CATALOGUE
from toprock.backbones.pretrained.checkpoint import folder_name
from toprock.errors import UsageError

if TYPE_CHECKING:
    import torch

RHYTHM = 6
"""Numbers of a clip's rhythm: mean, spread and largest of the changes, and how alike they are 1, 2 and 3 frames on."""


class Temporal:
    """Clips through an image model, pooled over their frames.

    Args:
        image: the image model: a name of the catalogue, or a checkpoint folder.
        at: a folder to look for it first.
        weights: the content that it must have, where a recipe says so.
        crop, pose, pose_weights: as of `PretrainedImage`.
        settings: of `rate_hz` (frames a second within a clip), `frames` (in a clip, at least 4), `every_s` (from one
            clip's start to the next) and `version`.

    Raises:
        UsageError: an unknown setting or value, a model of clips, or fewer than 4 frames.
        WeightsError: the image model is not here, or not usable.
    """

    def __init__(
        self,
        *,
        image: str = "dinov2-small",
        at: str | Path | None = None,
        weights: str | None = None,
        crop: str = "middle",
        pose: str | Path | None = None,
        pose_weights: str | None = None,
        **settings: Any,
    ) -> None:
        settings.pop("preparation", None)  # of a recipe; what is in the folder counts and is compared
        if not image.strip() or image in REGISTRY or (image in CATALOGUE and CATALOGUE[image].stream == "dynamic"):
            raise UsageError(
                f"'{image}' is no model of single pictures", advice="Give image=NAME or image=FOLDER of one of those."
            )
        if at is None and weights is None and Path(image).is_dir():
            image, at = folder_name(Path(image)), image
        found = from_checkpoint(image, at=at, weights=weights, crop=crop, pose=pose, pose_weights=pose_weights)
        if not isinstance(found, PretrainedImage):
            raise UsageError(f"'{image}' looks at clips already", advice="Give it as --dynamic by itself.")
        self._image = found
        self.weights_at = found.weights_at
        numbers = clip_settings("temporal", settings, rate_hz=7.5, frames=8)
        if numbers["frames"] < 4:
            raise UsageError(f"frames={numbers['frames']} of 'temporal' are too few", advice="Give 4 or more.")
        kept = {key: value for key, value in found.settings.items() if key not in ("version", "rate_hz")}
        self.settings: dict[str, Any] = {**numbers, "image": image, **kept}
        self.reading = Reading(rate_hz=numbers["rate_hz"], short_side=found.reading.short_side)
        self.spec = BackboneSpec(
            name="temporal",
            stream="dynamic",
            dimension=2 * found.spec.dimension + RHYTHM,
            description=f"clips through {image}: what is seen, how it changes, and its rhythm",
            licence=found.spec.licence,
            size_mb=found.spec.size_mb,
            source=found.spec.source,
        )

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Temporal) and (other.settings, other._image) == (self.settings, self._image)

    def __hash__(self) -> int:
        return hash(("temporal", self._image))

    def __repr__(self) -> str:
        return f"Temporal(image={self.weights_at!r})"

    def open(self, compute: Compute) -> Network:
        """Load the network; errors as in `NetworkBackbone.open`."""
        from toprock.backbones.pretrained.network import TransformersNetwork

        p = self._image.checkpoint.preparation
        shape = (self.settings["frames"], p.height, p.width, 3)
        return TransformersNetwork(self._image.checkpoint, shape=shape, compute=compute, pool=pool)

    def following(self, start_box: Box) -> Temporal:
        """The same backbone for a performance that begins with its performer in this box."""
        told = copy.copy(self)
        told._image = self._image.following(start_box)
        return told

    def describer(self) -> Describer:
        """Start looking at one interval."""
        return Clips(self._image.cropping, self.settings)


def pool(rows: torch.Tensor) -> torch.Tensor:
    """Frame features (B, F, D) as clip features (B, 2 D + RHYTHM).

    >>> import torch
    >>> pool(torch.zeros(2, 8, 5)).shape
    torch.Size([2, 16])
    """
    import torch

    changes = rows.diff(dim=1)  # (B, F - 1, D)
    size = changes.square().mean(2).sqrt()  # (B, F - 1)
    spread = size - size.mean(1, keepdim=True)
    power = spread.square().sum(1).clamp_min(1e-8)
    alike = [(spread[:, lag:] * spread[:, : size.shape[1] - lag]).sum(1) / power for lag in (1, 2, 3)]
    rhythm = torch.stack([size.mean(1), size.std(1, unbiased=False), size.amax(1), *alike], 1)
    return torch.cat([rows.mean(1), changes.abs().mean(1), rhythm], 1)
