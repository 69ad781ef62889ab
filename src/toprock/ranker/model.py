"""The ranker: two streams, each decoupled into high, low and average evidence; the score is a sum over segments.

After Gao et al., "Athlete action quality assessment based on transfer neural network quality score decoupling in
complex sports scenarios", Sci Rep 16, 15795 (2026): streams, branches, late fusion. The decoder prototypes are
those of GDLT (Xu et al., CVPR 2022). The exact evidence is ours: the last layer's attention weighs a value
of every segment, so that the score is bias + sum over (stream, branch, segment) of contributions.

Shapes: B performances, T segments, D backbone dimension, d width, H heads, K prototypes a branch, P = 2K.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import NamedTuple, Self

import numpy as np
import torch
from pydantic import BaseModel, ConfigDict, Field, model_validator
from torch import Tensor, nn
from torch.nn import functional as F

from toprock.backbones.base import Stream
from toprock.ranker.batch import Batch


class RankerConfig(BaseModel):
    """What the ranker is made of.

    Attributes:
        dimensions: stream -> D.
        width: d.
        layers: decoder layers; the last one is the evidence layer.
        heads: of attention; divides `width`.
        prototypes: K of each of high and low.
        hidden: width of the encoder that values each segment for high and low. The average branch reads the
            linear embedding, as the neutral baseline that it is.
        contrast: share of a performance's own mean that is taken from its segments before high and low look at
            them, so that they see what stands out in it and less of body, clothes and place.
        dropout: share of values dropped in training.
        feature_dropout: share of backbone features that a performance is trained without in a step.
        positions: whether attention sees where in the performance a segment lies, start to end.
        encoder_layers: self-attention layers among the segments before the prototypes look at them. A segment's value
            is its own with any of these.
        average_in_score: whether s_average is part of the score.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    dimensions: dict[Stream, int] = Field(min_length=1)
    width: int = Field(64, ge=8)
    layers: int = Field(1, ge=1)
    heads: int = Field(4, ge=1)
    prototypes: int = Field(1, ge=1)
    hidden: int = Field(64, ge=1)
    contrast: float = Field(0.0, ge=0, le=1)
    dropout: float = Field(0.3, ge=0, lt=1)
    feature_dropout: float = Field(0.2, ge=0, lt=1)
    positions: bool = False
    encoder_layers: int = Field(0, ge=0)
    average_in_score: bool = False

    @model_validator(mode="after")
    def _heads_divide_width(self) -> Self:
        if self.width % self.heads:
            raise ValueError(f"{self.heads} heads do not divide a width of {self.width}")
        return self


class StreamOutput(NamedTuple):
    """What one stream says.

    contributions: (B, 3, T), branches high, low, average; zero where padded.
    attention: (B, P, T) of the evidence layer, mean over heads; rows sum to 1 over the segments.
    """

    contributions: Tensor
    attention: Tensor


class Output(NamedTuple):
    """What the ranker says of a batch.

    scores: (B, 3), s_b summed over the streams, without the bias.
    streams: stream -> StreamOutput.
    """

    scores: Tensor
    streams: dict[Stream, StreamOutput]


class Ranker(nn.Module):
    """Scores performances from the features of their segments.

    >>> import numpy as np
    >>> from toprock.ranker.batch import collate
    >>> ranker = Ranker(RankerConfig(dimensions={"static": 8}, width=16)).eval()
    >>> batch = collate([{"static": np.ones((5, 8), np.float32)}], {"static": 8})
    >>> ranker(batch).scores.shape
    torch.Size([1, 3])
    """

    def __init__(self, config: RankerConfig) -> None:
        super().__init__()
        self.config = config
        self.streams = nn.ModuleDict(
            {name: self.build_stream(size, config) for name, size in config.dimensions.items()}
        )

    def build_stream(self, dimension: int, config: RankerConfig) -> StreamRanker:
        """The part that looks at one stream, untrained."""
        return StreamRanker(dimension, config)

    def forward(self, batch: Batch, *, keep: Mapping[Stream, Tensor] | None = None) -> Output:
        """Score a batch; `keep` (B,) bool a stream hides a stream of some performances (stream dropout)."""
        streams: dict[Stream, StreamOutput] = {}
        for name, x in batch.features.items():
            mask = batch.masks[name]
            if keep is not None:
                mask = mask & keep[name][:, None]
            streams[name] = self.streams[name](x, mask, batch.places[name])
        scores = torch.stack([out.contributions.sum(-1) for out in streams.values()]).sum(0)  # (B, 3)
        return Output(scores, streams)

    def final(self, branches: Tensor) -> Tensor:
        """The score (without the bias) of branch values (..., 3): high + low, and average where configured."""
        return (branches * self.counted).sum(-1)

    @property
    def counted(self) -> Tensor:
        """(3,): 1 for branches that are part of the score, else 0."""
        return torch.tensor([1.0, 1.0, float(self.config.average_in_score)])

    def stream(self, name: Stream) -> StreamRanker:
        """The part that looks at one stream."""
        module = self.streams[name]
        assert isinstance(module, StreamRanker)
        return module

    @torch.no_grad()
    def set_scale(self, scale: Mapping[Stream, tuple[np.ndarray, np.ndarray]]) -> None:
        """Take mean and spread (D,) of the training segments of each stream; features that never vary do not count."""
        for name, (mean, spread) in scale.items():
            stream = self.stream(name)
            stream.mean.copy_(torch.from_numpy(mean))
            stream.spread.copy_(torch.from_numpy(spread))


class Seen(NamedTuple):
    """What a stream has seen before it judges.

    plain: (B, T, d), what the average branch reads. valued: (B, T, hidden), what high and low value. looked_at:
    (B, T, d), what the prototypes looked at. by_head: (B, H, 2, T), attention of high and low. weights: (B, 3, T), of
    each branch over all heads. attention: (B, P, T), of each prototype.
    """

    plain: Tensor
    valued: Tensor
    looked_at: Tensor
    by_head: Tensor
    weights: Tensor
    attention: Tensor


class StreamRanker(nn.Module):
    """One stream: embedding, encoder, prototypes, decoder, and a value of each segment a branch."""

    mean: Tensor
    spread: Tensor
    zero: Tensor

    def __init__(self, dimension: int, config: RankerConfig) -> None:
        super().__init__()
        width, self.heads, self.prototypes = config.width, config.heads, config.prototypes
        self.register_buffer("mean", torch.zeros(dimension))
        self.register_buffer("spread", torch.ones(dimension))
        # what a segment's value is measured from, a branch: see training.fix_zero
        self.register_buffer("zero", torch.zeros(3))
        self.embed = nn.Linear(dimension, width)
        self.encode = nn.Sequential(
            nn.Linear(dimension, config.hidden),
            nn.GELU(),
            nn.Dropout(config.dropout),
        )
        self.refine = nn.Linear(config.hidden, width)
        self.blind = nn.Dropout1d(config.feature_dropout)  # a feature of all segments at once
        self.place = nn.Linear(8, width) if config.positions else None
        self.encoders = nn.ModuleList(
            nn.TransformerEncoderLayer(
                width, config.heads, 2 * width, config.dropout, "gelu", batch_first=True, norm_first=True
            )
            for _ in range(config.encoder_layers)
        )
        self.norm, self.norm_encoded = nn.LayerNorm(width), nn.LayerNorm(width)
        self.contrast = config.contrast
        self.queries = nn.Parameter(torch.randn(2 * self.prototypes, width) / math.sqrt(width))
        self.decoder = nn.ModuleList(DecoderLayer(config) for _ in range(config.layers - 1))
        self.look = PrototypeAttention(config)
        self.evidence = CrossAttention(width, config.heads)
        nn.init.zeros_(self.evidence.query.weight)  # attention starts even
        self.value = nn.Linear(config.hidden, 2 * self.heads, bias=False)
        self.value_average = nn.Linear(width, 1, bias=False)
        self.dropout = nn.Dropout1d(config.dropout)  # a channel of all segments at once

    def forward(self, x: Tensor, mask: Tensor, places: Tensor) -> StreamOutput:
        """(B, T, D), (B, T) and (B, T) -> contributions and attention; a row without any segment gives zeros."""
        seen = self.see(x, mask, places)
        return StreamOutput(self.judge(seen) - seen.weights * self.zero[:, None], seen.attention)

    def see(self, x: Tensor, mask: Tensor, places: Tensor) -> Seen:
        """Where each branch looks, and what there is to be valued."""
        x = ((x - self.mean) / self.spread).clamp(-8, 8)
        x = self.blind(x.mT).mT
        embedded = self.embed(x)
        plain = self.dropout(self.norm(embedded).mT).mT  # (B, T, d), what the average branch reads
        uniform = mask / mask.sum(1, keepdim=True).clamp(min=1)  # (B, T)
        if self.contrast:
            own = self.contrast * (uniform[:, None] @ x)  # (B, 1, D)
            # the map is linear: what it makes of x - own, without another pass over the features
            x, embedded = x - own, embedded - F.linear(own, self.embed.weight)
        h = self.encode(x)  # (B, T, hidden), what is valued
        z = embedded + self.refine(h)
        if self.place is not None:
            z = z + self.place(waves(places))
        z = self.norm_encoded(z)
        for encoder in self.encoders:
            z = encoder(z, src_key_padding_mask=~(mask | ~mask.any(1, keepdim=True)))
        z = self.dropout(z.mT).mT  # (B, T, d), what the prototypes look at
        q = self.queries.expand(len(x), -1, -1)  # (B, P, d)
        for layer in self.decoder:
            q = layer(q, z, mask)
        heads = self.evidence(self.look(q), z, mask)  # (B, H, P, T)
        by_branch = heads.unflatten(2, (2, self.prototypes)).mean(3)  # (B, H, 2, T)
        weights = torch.cat([by_branch.mean(1), uniform[:, None]], 1)  # (B, 3, T)
        return Seen(plain, h, z, by_branch, weights, heads.mean(1))

    def judge(self, seen: Seen) -> Tensor:
        """Contributions (B, 3, T), before the zero is fixed: attention times a linear value of each segment."""
        values = self.value(seen.valued).unflatten(-1, (2, self.heads)).permute(0, 3, 2, 1)  # (B, H, 2, T)
        average = seen.weights[:, 2] * self.value_average(seen.plain)[..., 0]  # (B, T)
        return torch.cat([(seen.by_head * values).mean(1), average[:, None]], 1)

    @torch.no_grad()
    def scale(self, gain: float) -> None:
        """Multiply all that this stream says, in place."""
        self.zero *= gain
        self.value.weight *= gain
        self.value_average.weight *= gain


class PrototypeAttention(nn.Module):
    """Self-attention among the prototypes: residual, normalised before."""

    def __init__(self, config: RankerConfig) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(config.width)
        self.attend = nn.MultiheadAttention(config.width, config.heads, config.dropout, batch_first=True)

    def forward(self, q: Tensor) -> Tensor:
        """(B, P, d) -> (B, P, d)."""
        normed = self.norm(q)
        return q + self.attend(normed, normed, normed, need_weights=False)[0]


class DecoderLayer(nn.Module):
    """Self-attention among prototypes, cross-attention to the segments, feed-forward."""

    def __init__(self, config: RankerConfig) -> None:
        super().__init__()
        self.look = PrototypeAttention(config)
        self.norm_cross, self.norm_forward = nn.LayerNorm(config.width), nn.LayerNorm(config.width)
        self.cross = CrossAttention(config.width, config.heads)
        self.value = nn.Parameter(torch.randn(config.heads, config.width, config.width // config.heads))
        self.out = nn.Linear(config.width, config.width)
        self.feed_forward = nn.Sequential(
            nn.Linear(config.width, 2 * config.width),
            nn.GELU(),
            nn.Dropout(config.dropout),
            nn.Linear(2 * config.width, config.width),
        )
        self.dropout = nn.Dropout(config.dropout)
        nn.init.normal_(self.value, std=config.width**-0.5)

    def forward(self, q: Tensor, z: Tensor, mask: Tensor) -> Tensor:
        """Prototypes (B, P, d), segments (B, T, d), mask (B, T) -> prototypes (B, P, d)."""
        q = self.look(q)
        weights = self.cross(self.norm_cross(q), z, mask)  # (B, H, P, T)
        seen = (weights.flatten(1, 2) @ z).unflatten(1, weights.shape[1:3])  # (B, H, P, d)
        seen = torch.einsum("bhpd,hde->bphe", seen, self.value).flatten(2)  # (B, P, d)
        q = q + self.dropout(self.out(seen))
        return q + self.dropout(self.feed_forward(self.norm_forward(q)))


class CrossAttention(nn.Module):
    """Which segments each prototype looks at.

    There are few prototypes and many segments, so the key map is applied to the prototypes instead of to the
    segments: (W_q q) . (W_k z) = (W_k^T W_q q) . z, the same weights at a fraction of the work.
    """

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.query = nn.Linear(width, width, bias=False)
        self.key = nn.Linear(width, width, bias=False)

    def forward(self, q: Tensor, z: Tensor, mask: Tensor) -> Tensor:
        """Prototypes (B, P, d), segments (B, T, d), mask (B, T) -> weights (B, H, P, T).

        They sum to 1 over the segments; those of a performance without any segment are zero.
        """
        queries = self.query(q).unflatten(-1, (self.heads, -1)).transpose(1, 2)  # (B, H, P, d / H)
        keys = self.key.weight.unflatten(0, (self.heads, -1))  # (H, d / H, d)
        folded = torch.einsum("bhpe,hed->bhpd", queries, keys).flatten(1, 2)  # (B, H P, d)
        dots = folded @ z.mT / math.sqrt(queries.shape[-1])  # (B, H P, T)
        weights = F.softmax(dots.masked_fill(~mask[:, None], -1e9), -1) * mask[:, None]
        return weights.unflatten(1, (self.heads, -1))


def waves(places: Tensor) -> Tensor:
    """(B, T) from 0 to 1 -> (B, T, 8): sines and cosines of half a turn to four turns."""
    turns = places[..., None] * torch.tensor([0.5, 1.0, 2.0, 4.0]) * (2 * math.pi)
    return torch.cat([turns.sin(), turns.cos()], -1)
