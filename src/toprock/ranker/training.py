"""Training on pairs: every performance of a batch is encoded once, and all its pairs are formed from the scores."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from pydantic import BaseModel, ConfigDict, Field
from torch import Tensor

from toprock.backbones.base import Stream
from toprock.comparisons import Pair
from toprock.errors import PairsError
from toprock.ranker import losses
from toprock.ranker.batch import Arrays, Batch, collate
from toprock.ranker.losses import LossConfig
from toprock.ranker.model import Output, Ranker, RankerConfig

IN_MEMORY = 1 << 30
"""Bytes that the padded features of all training performances may take; beyond it each step pads its own."""


class TrainingConfig(BaseModel):
    """How a ranker is trained.

    Attributes:
        steps: the most optimiser steps; how many are taken is chosen by `ranker.choosing`.
        learning_rate, weight_decay: of AdamW.
        batch: performances a step at most; all pairs among them are used.
        noise: spread of a random offset of a performance's standardised features, the same in all its segments:
            another body, another place.
        segments: of a performance and stream, so many at most are drawn at random for a step. The work of a step does
            not grow with the length of a video.
        segment_dropout: share of the segments left out of a step where there are fewer.
        stream_dropout: chance that a performance is trained on without one of its streams.
        averaging: what is measured and kept is a running mean of the weights, of which each step keeps this share; 0
            keeps the last weights alone.
        anchor: with a model to start from, the rate at which each step pulls the weights back to it, in learning rates.
        seed: of initial values, order and noise.
        loss: terms, margins and weights.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    steps: int = Field(160, ge=1)
    learning_rate: float = Field(5e-3, gt=0)
    weight_decay: float = Field(0.3, ge=0)
    batch: int = Field(64, ge=2)
    noise: float = Field(0.1, ge=0)
    segments: int = Field(64, ge=1)
    segment_dropout: float = Field(0.3, ge=0, lt=1)
    stream_dropout: float = Field(0.5, ge=0, lt=1)
    averaging: float = Field(0.97, ge=0, lt=1)
    anchor: float = Field(0.3, ge=0)
    seed: int = 0
    loss: LossConfig = LossConfig()


@dataclass
class TrainingState:
    """All that a resume needs.

    Attributes:
        learner: the ranker that takes the steps.
        ranker: the running mean of its weights: what is measured and kept.
        optimiser, generator, step, losses: of the learner.
        anchor: weights of the model it was started from, if any.
        weights, means: of the learner and of the ranker, in one order, as the anchor's.
    """

    learner: Ranker
    ranker: Ranker
    optimiser: torch.optim.AdamW
    generator: torch.Generator
    step: int = 0
    losses: list[dict[str, float]] = field(default_factory=list)
    anchor: list[Tensor] = field(default_factory=list)
    weights: list[Tensor] = field(init=False)
    means: list[Tensor] = field(init=False)

    def __post_init__(self) -> None:
        self.weights, self.means = list(self.learner.parameters()), list(self.ranker.parameters())

    @property
    def loss(self) -> float | None:
        """Of the last step, all terms together; None before the first."""
        return sum(self.losses[-1].values()) if self.losses else None


@dataclass(frozen=True)
class PairIndex:
    """Pairs as numbers: rows of the better and the worse performance, weights, and which are ties; (N,) each."""

    better: Tensor
    worse: Tensor
    weight: Tensor
    tie: Tensor

    @classmethod
    def of(cls, pairs: Sequence[Pair], ids: Sequence[str]) -> PairIndex:
        """Index pairs by the place of their performances in `ids`."""
        place = {ident: row for row, ident in enumerate(ids)}
        return cls(
            torch.tensor([place[p.better] for p in pairs], dtype=torch.long),
            torch.tensor([place[p.worse] for p in pairs], dtype=torch.long),
            torch.tensor([p.weight for p in pairs], dtype=torch.float32),
            torch.tensor([p.tie for p in pairs], dtype=torch.bool),
        )

    def among(self, rows: Tensor, total: int) -> PairIndex:
        """The pairs whose two sides are both among `rows`, renumbered by place in `rows`."""
        place = torch.full((total,), -1, dtype=torch.long)
        place[rows] = torch.arange(len(rows))
        better, worse = place[self.better], place[self.worse]
        keep = (better >= 0) & (worse >= 0)
        return PairIndex(better[keep], worse[keep], self.weight[keep], self.tie[keep])

    def __len__(self) -> int:
        return len(self.better)


def start(
    data: Sequence[Arrays],
    model: RankerConfig,
    config: TrainingConfig,
    *,
    initial: Ranker | None = None,
    build: Callable[[RankerConfig], Ranker] = Ranker,
) -> TrainingState:
    """A ranker ready for its first step.

    Args:
        data: the training performances; a fresh ranker takes the scale of their features.
        model, config: what is trained.
        initial: a trained ranker of the same kind to start from, scale and all, and to stay near.
        build: makes the ranker.
    """
    generator = torch.Generator().manual_seed(config.seed)
    with torch.random.fork_rng():
        torch.manual_seed(config.seed)
        ranker = build(model)
    anchor: list[Tensor] = []
    if initial is None:
        ranker.fit_scale({stream: _segments(data, stream) for stream in model.dimensions})
    else:
        ranker.load_state_dict(initial.state_dict())
        for stream in model.dimensions:
            ranker.stream(stream).zero.zero_()
        anchor = [value.detach().clone() for value in ranker.parameters()]
    optimiser = torch.optim.AdamW(
        ranker.parameters(), lr=config.learning_rate, weight_decay=config.weight_decay, fused=True
    )
    return TrainingState(ranker, copy.deepcopy(ranker).eval(), optimiser, generator, anchor=anchor)


def train(
    state: TrainingState,
    data: Sequence[Arrays],
    pairs: PairIndex,
    config: TrainingConfig,
    *,
    until: int | None = None,
    on_step: Callable[[TrainingState], None] | None = None,
) -> None:
    """Take steps until `until` (by default all), in place.

    Args:
        state: from `start` or a checkpoint.
        data: features of the training performances.
        pairs: rows of `data`.
        config: the same as at the start.
        until: the step to stop at.
        on_step: called after every step, in evaluation mode; may measure and save.

    Raises:
        PairsError: there is no pair to learn from.
    """
    if not (~pairs.tie).any():
        raise PairsError("there is no pair with a winner to learn from", advice="Judge a few pairs.")
    learner, dimensions = state.learner.train(), state.ranker.config.dimensions
    whole = collate(data, dimensions) if _fits(data) else None
    everyone = torch.arange(len(data))
    until = config.steps if until is None else until
    with torch.random.fork_rng():
        while state.step < until:
            # of the processor alone: torch.manual_seed also walks the stack, to note who asked for every other device
            torch.default_generator.manual_seed(int(torch.randint(2**62, (), generator=state.generator)))
            few = len(data) > config.batch
            rows = draw_rows(pairs, len(data), config.batch, state.generator) if few else everyone
            some = pairs.among(rows, len(data)) if few else pairs
            if whole is None:
                batch = perturbed(collate([data[row] for row in rows.tolist()], dimensions), learner, config)
            else:
                batch = perturbed(whole, learner, config, rows=rows)
            terms = step_losses(learner, batch, some, config)
            loss = torch.stack(list(terms.values())).sum()
            state.optimiser.zero_grad(set_to_none=True)
            loss.backward()
            torch.nn.utils.clip_grad_norm_(state.weights, 1.0)
            state.optimiser.step()
            state.step += 1
            after_step(state, config)
            state.losses.append({name: float(value.detach()) for name, value in terms.items()})
            if on_step:
                on_step(state)


@torch.no_grad()
def after_step(state: TrainingState, config: TrainingConfig) -> None:
    """Pull the learner a little back to where it was started from, and take it into the running mean."""
    kept = min(config.averaging, state.step / (state.step + 5))
    back = min(1.0, config.anchor * config.learning_rate)
    for value, held in zip(state.weights, state.anchor, strict=bool(state.anchor)):
        value.lerp_(held, back)
    for value, mean in zip(state.weights, state.means, strict=True):
        mean.lerp_(value, 1 - kept if config.averaging else 1.0)


def step_losses(ranker: Ranker, batch: Batch, pairs: PairIndex, config: TrainingConfig) -> dict[str, Tensor]:
    """The weighted loss terms of one step."""
    keep = keep_streams(batch, config.stream_dropout)
    out = ranker(batch, keep=keep)
    return loss_terms(out, pairs, {s: m & keep[s][:, None] for s, m in batch.masks.items()}, config.loss)


def loss_terms(out: Output, pairs: PairIndex, masks: Mapping[Stream, Tensor], config: LossConfig) -> dict[str, Tensor]:
    """Every term of the loss that is on, weighted, by name."""
    won = ~pairs.tie
    better, worse, weight = out.scores[pairs.better[won]], out.scores[pairs.worse[won]], pairs.weight[won]
    attention = [stream.attention for stream in out.streams.values()]
    terms: dict[str, Tensor] = {}
    if config.ranking:
        ranked = losses.ranking(better, worse, weight, margin=config.margin_ranking, form=config.form)
        if pairs.tie.any():
            a, b = out.scores[pairs.better[pairs.tie]], out.scores[pairs.worse[pairs.tie]]
            equal = losses.tie(a, b, pairs.weight[pairs.tie], margin=config.margin_ranking, form=config.form)
            share = pairs.weight[pairs.tie].sum() / pairs.weight.sum()
            ranked = (1 - share) * ranked + share * equal
        terms["ranking"] = config.ranking * ranked
    if config.average:
        margin = config.margin_average
        terms["average"] = config.average * losses.beats_average(better, worse, weight, margin=margin)
    if config.disagreement:
        apart = losses.useful_disagreement(better, worse, weight, margin=config.margin_disagreement)
        terms["disagreement"] = config.disagreement * apart
    if config.overlap:
        terms["overlap"] = config.overlap * losses.overlap(attention)
    if config.entropy and config.entropy_floor:
        fallen = losses.collapse(attention, [masks[s] for s in out.streams], floor=config.entropy_floor)
        terms["entropy"] = config.entropy * fallen
    return terms


def keep_streams(batch: Batch, chance: float) -> dict[Stream, Tensor]:
    """(B,) a stream: false hides it. Never hides the last stream that a performance has."""
    present = {stream: mask.any(1) for stream, mask in batch.masks.items()}
    names = list(present)
    count = torch.stack(list(present.values())).sum(0)
    hide = (torch.rand(len(batch)) < chance) & (count > 1)
    which = torch.randint(len(names), (len(batch),))
    return {stream: present[stream] & ~(hide & (which == i)) for i, stream in enumerate(names)}


def perturbed(batch: Batch, ranker: Ranker, config: TrainingConfig, *, rows: Tensor | None = None) -> Batch:
    """Some segments of every performance, drawn at random, with a random offset of its features.

    Args:
        batch: performances.
        ranker: knows the spread of the features.
        config: how many segments, and how far off.
        rows: the performances to take, (B,); None is all.
    """
    features, masks, places = {}, {}, {}
    rows = torch.arange(len(batch)) if rows is None else rows
    for stream, x in batch.features.items():
        mask = batch.masks[stream][rows]
        kept = (mask.sum(1) * (1 - config.segment_dropout)).ceil().clamp(max=config.segments).long()  # (B,)
        drawn = torch.rand(mask.shape).masked_fill(~mask, -1.0).topk(max(1, int(kept.max()))).indices  # (B, T')
        masks[stream] = torch.arange(drawn.shape[1]) < kept[:, None]
        places[stream] = batch.places[stream][rows[:, None], drawn]
        scale = ranker.stream(stream).spread
        offset = torch.randn(len(rows), 1, x.shape[2]) * torch.where(scale.isfinite(), scale, 0.0)
        features[stream] = (x[rows[:, None], drawn] + config.noise * offset) * masks[stream][..., None]
    return Batch(features, masks, places)


def draw_rows(pairs: PairIndex, total: int, most: int, generator: torch.Generator) -> Tensor:
    """Rows for a batch: both sides of pairs drawn in proportion to their weights, until `most` are together."""
    order = torch.multinomial(pairs.weight, len(pairs), generator=generator)
    ends = torch.stack([pairs.better[order], pairs.worse[order]], 1).flatten().numpy()
    _, first = np.unique(ends, return_index=True)
    rows = ends[np.sort(first)][:most]
    return torch.from_numpy(np.sort(rows))


def branch_scores(ranker: Ranker, data: Sequence[Arrays], *, batch: int = 16) -> Tensor:
    """(N, 3) branch scores without the bias, in evaluation mode."""
    return _in_parts(ranker, data, lambda out: out.scores, batch)


def stream_scores(ranker: Ranker, data: Sequence[Arrays], *, batch: int = 16) -> Tensor:
    """(N, R) what each stream adds to the score, without the bias, in evaluation mode."""

    def added(out: Output) -> Tensor:
        return torch.stack([ranker.final(stream.contributions.sum(-1)) for stream in out.streams.values()], 1)

    return _in_parts(ranker, data, added, batch)


@torch.no_grad()
def _in_parts(ranker: Ranker, data: Sequence[Arrays], what: Callable[[Output], Tensor], batch: int) -> Tensor:
    """(N, ...) of all performances, those of like length together so that little is padded."""
    ranker.eval()
    order = sorted(range(len(data)), key=lambda row: [len(data[row].get(s, ())) for s in ranker.config.dimensions])
    parts = [order[i : i + batch] for i in range(0, len(order), batch)]
    found = [what(ranker(collate([data[row] for row in part], ranker.config.dimensions))) for part in parts]
    return torch.cat(found)[torch.tensor(order).argsort()]


@torch.no_grad()
def fix_zero(ranker: Ranker, data: Sequence[Arrays]) -> None:
    """Centre every value map so that the mean contribution over the training performances is 0.

    Afterwards a contribution above 0 means better than typical, and the ranker's bias, `bias(ranker)`, is the score
    of a typical performance. No score of a performance that has all streams changes.
    """
    ranker.eval()
    for stream in ranker.config.dimensions:
        module = ranker.stream(stream)
        sums = torch.zeros(3, dtype=torch.float64)
        count = 0
        for arrays in data:
            if len(arrays.get(stream, ())):
                out = ranker(collate([{stream: arrays[stream]}], ranker.config.dimensions))
                sums += out.streams[stream].contributions[0].sum(-1).double()
                count += 1
        module.zero += (sums / max(count, 1)).float()


def bias(ranker: Ranker) -> float:
    """The score of a typical performance: what `fix_zero` took out of the contributions that count."""
    return sum(float(ranker.final(ranker.stream(stream).zero)) for stream in ranker.config.dimensions)


def _fits(data: Sequence[Arrays]) -> bool:
    """Whether all performances, padded, may lie in memory at once."""
    streams = {stream for arrays in data for stream in arrays}
    numbers = 0
    for stream in streams:
        arrays = [p[stream] for p in data if len(p.get(stream, ()))]
        numbers += len(data) * max((len(a) for a in arrays), default=0) * max((a.shape[1] for a in arrays), default=0)
    return 4 * numbers <= IN_MEMORY


def _segments(data: Sequence[Arrays], stream: Stream) -> Tensor:
    arrays = [p[stream] for p in data if len(p.get(stream, ()))]
    if not arrays:
        raise PairsError(
            f"no training performance has {stream} features",
            advice=f"Train with --{stream} none, or extract them.",
        )
    return torch.from_numpy(np.concatenate(arrays).astype(np.float32))
