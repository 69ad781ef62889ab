"""Performances as tensors: padded to the longest of a batch, with masks so that padding counts for nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from toprock.backbones.base import Stream
from toprock.errors import FeaturesError


@dataclass(frozen=True)
class Batch:
    """Features of B performances.

    Attributes:
        features: stream -> (B, T, D) float32, zeros where padded.
        masks: stream -> (B, T) bool, true where there is a segment. A performance without a stream has none.
        places: stream -> (B, T) where in its performance a segment lies, from 0 (start) to 1 (end).
    """

    features: Mapping[Stream, Tensor]
    masks: Mapping[Stream, Tensor]
    places: Mapping[Stream, Tensor]

    def __len__(self) -> int:
        return next(iter(self.features.values())).shape[0]


Arrays = Mapping[Stream, np.ndarray]
"""Features of one performance: stream -> (T, D) float16 or float32."""


def collate(performances: Sequence[Arrays], dimensions: Mapping[Stream, int]) -> Batch:
    """Pad performances to one batch.

    Args:
        performances: one mapping a performance; a stream may be absent or have no segment.
        dimensions: stream -> D; streams not named here are left out.

    Raises:
        FeaturesError: a dimension differs, a value is not finite, or a performance has no segment at all.
    """
    features: dict[Stream, Tensor] = {}
    masks: dict[Stream, Tensor] = {}
    places: dict[Stream, Tensor] = {}
    for stream, dimension in dimensions.items():
        longest = max(1, max(len(p.get(stream, ())) for p in performances))
        x = torch.zeros(len(performances), longest, dimension)
        mask = torch.zeros(len(performances), longest, dtype=torch.bool)
        for row, performance in enumerate(performances):
            array = performance.get(stream)
            if array is None or len(array) == 0:
                continue
            if array.ndim != 2 or array.shape[1] != dimension:
                raise FeaturesError(
                    f"{stream} features are {array.shape}, not (segments, {dimension})",
                    advice="Extract them with the recipe that the model was trained on.",
                )
            if not np.isfinite(array).all():
                raise FeaturesError(
                    f"{stream} features hold values that are not finite",
                    advice="Extract that performance again.",
                )
            x[row, : len(array)] = torch.from_numpy(array.astype(np.float32))
            mask[row, : len(array)] = True
        features[stream], masks[stream] = x, mask
        places[stream] = (torch.arange(longest) + 0.5) / mask.sum(1, keepdim=True).clamp(min=1)
    empty = ~torch.stack([m.any(1) for m in masks.values()]).any(0)
    if empty.any():
        raise FeaturesError(
            "a performance has no segment in any stream", advice="It is too short to be judged; leave it out."
        )
    return Batch(features, masks, places)
