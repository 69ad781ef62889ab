"""What a step sees of its performances: some segments of each, drawn at random, and moved a little."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from toprock.backbones.base import Stream
from toprock.ranker.batch import Arrays, Batch, checked, collate, refuse_empty, segments_in, shape_in
from toprock.ranker.model import Ranker

IN_MEMORY = 1 << 30
"""Bytes that the padded features of all training performances may take; beyond it each step reads what it draws."""


class Pool:
    """Training performances that steps draw from: padded in memory where they fit, else read as they are drawn.

    Args:
        data: the performances.
        dimensions: stream -> D.

    Attributes:
        lengths: stream -> segments of each performance, (N,).
    """

    def __init__(self, data: Sequence[Arrays], dimensions: Mapping[Stream, int]) -> None:
        self._data, self._dimensions = data, dimensions
        self.lengths = {s: torch.tensor([segments_in(p, s) for p in data]) for s in dimensions}
        self._whole = collate(data, dimensions) if self._fits() else None
        refuse_empty({stream: count[:, None] > 0 for stream, count in self.lengths.items()})

    def _fits(self) -> bool:
        widths = {s: max((shape_in(p, s)[1] for p in self._data), default=0) for s in self._dimensions}
        return 4 * sum(len(self._data) * int(self.lengths[s].max()) * widths[s] for s in widths) <= IN_MEMORY

    def __len__(self) -> int:
        return len(self._data)

    def segments(self, stream: Stream, rows: Tensor, drawn: Tensor, kept: Tensor) -> Tensor:
        """(B, T', D): the segments `drawn` (B, T') of the performances `rows` (B,); the first `kept` (B,) count."""
        if self._whole is not None:
            return self._whole.features[stream][rows[:, None], drawn]
        size = self._dimensions[stream]
        x = torch.zeros(*drawn.shape, size)
        for place, (row, count) in enumerate(zip(rows.tolist(), kept.tolist(), strict=True)):
            if count:
                some = self._data[row][stream][drawn[place, :count].numpy()]
                x[place, :count] = checked(some, stream, size)
        return x


class Drawn(NamedTuple):
    """What a step sees: a batch of a part of its performances, and the masks (B, T') of all of them."""

    batch: Batch
    masks: Mapping[Stream, Tensor]


class Draw(NamedTuple):
    """How many segments a step draws, the share that it leaves out of few, and the spread of the offset."""

    segments: int
    dropout: float
    noise: float


def draw(pool: Pool, ranker: Ranker, how: Draw, *, rows: Tensor | None = None, part: slice = slice(None)) -> Drawn:
    """Some segments of every performance, drawn at random, with a random offset of its features.

    What is drawn is the same whatever part is read.

    Args:
        pool: performances.
        ranker: knows the spread of the features.
        how: how many segments, and how far off.
        rows: the performances to take, (B,); None is all.
        part: of the rows: those whose features are wanted.
    """
    features, own, places, masks = {}, {}, {}, {}
    rows = torch.arange(len(pool)) if rows is None else rows
    for stream, lengths in pool.lengths.items():
        count = lengths[rows]  # (B,)
        mask = torch.arange(max(1, int(lengths.max()))) < count[:, None]  # (B, T)
        kept = (count * (1 - how.dropout)).ceil().clamp(max=how.segments).long()  # (B,)
        drawn = torch.rand(mask.shape).masked_fill(~mask, -1.0).topk(max(1, int(kept.max()))).indices  # (B, T')
        masks[stream] = torch.arange(drawn.shape[1]) < kept[:, None]
        scale = ranker.stream(stream).spread
        offset = torch.randn(len(rows), 1, len(scale)) * torch.where(scale.isfinite(), scale, 0.0)
        own[stream] = masks[stream][part]
        places[stream] = ((drawn + 0.5) / count[:, None].clamp(min=1))[part]
        x = pool.segments(stream, rows[part], drawn[part], kept[part])
        features[stream] = (x + how.noise * offset[part]) * own[stream][..., None]
    return Drawn(Batch(features, own, places), masks)
