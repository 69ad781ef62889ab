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
"""Features of one performance: stream -> (T, D) float16 or float32. They may be read when asked for: see `mapped`."""


def segments_in(performance: Arrays, stream: Stream) -> int:
    """T of a stream, 0 where the performance lacks it; nothing is read.

    >>> segments_in({"static": np.ones((3, 2))}, "static"), segments_in({}, "static")
    (3, 0)
    """
    return shape_in(performance, stream)[0]


def shape_in(performance: Arrays, stream: Stream) -> tuple[int, ...]:
    """(T, D) of a stream, zeros where the performance lacks it; nothing is read."""
    shapes = getattr(performance, "shapes", None)
    if shapes is not None:
        return tuple(shapes.get(stream, (0, 0)))
    return performance[stream].shape if stream in performance else (0, 0)


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
        longest = max(1, max(segments_in(p, stream) for p in performances))
        x = torch.zeros(len(performances), longest, dimension)
        mask = torch.zeros(len(performances), longest, dtype=torch.bool)
        for row, performance in enumerate(performances):
            array = performance.get(stream)
            if array is None or len(array) == 0:
                continue
            x[row, : len(array)] = checked(array, stream, dimension)
            mask[row, : len(array)] = True
        features[stream], masks[stream] = x, mask
        places[stream] = even_places(mask)
    refuse_empty(masks)
    return Batch(features, masks, places)


def checked(array: np.ndarray, stream: Stream, dimension: int) -> Tensor:
    """Segments (T, D) as float32.

    Raises:
        FeaturesError: their dimension is another, or a value is not finite.
    """
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
    return torch.from_numpy(array.astype(np.float32))


def even_places(mask: Tensor) -> Tensor:
    """(B, T) where the segments of a mask lie, from 0 (start) to 1 (end)."""
    return (torch.arange(mask.shape[1]) + 0.5) / mask.sum(1, keepdim=True).clamp(min=1)


def refuse_empty(masks: Mapping[Stream, Tensor]) -> None:
    """See that every performance of a batch has a segment.

    Raises:
        FeaturesError: one has none in any stream.
    """
    if (~torch.stack([m.any(1) for m in masks.values()]).any(0)).any():
        raise FeaturesError(
            "a performance has no segment in any stream", advice="It is too short to be judged; leave it out."
        )
