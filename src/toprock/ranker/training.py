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
from toprock.calibration import Column, typical_segment
from toprock.comparisons import Pair
from toprock.errors import PairsError
from toprock.ranker import losses
from toprock.ranker.batch import Arrays, collate, segments_in
from toprock.ranker.drawing import Draw, Drawn, Pool, draw
from toprock.ranker.losses import LossConfig
from toprock.ranker.model import Output, Ranker, RankerConfig, StreamOutput
from toprock.ranker.team import Team, team


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

    @property
    def draw(self) -> Draw:
        """What of a performance a step sees."""
        return Draw(self.segments, self.segment_dropout, self.noise)


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
    scale: Scale | None = None,
) -> TrainingState:
    """A ranker ready for its first step.

    Args:
        data: the training performances; a fresh ranker takes the scale of their features.
        model, config: what is trained.
        initial: a trained ranker of the same kind to start from, scale and all, and to stay near.
        build: makes the ranker.
        scale: of the features, as `scale_of` gives it, where it is known already.
    """
    generator = torch.Generator().manual_seed(config.seed)
    with torch.random.fork_rng():
        torch.manual_seed(config.seed)
        ranker = build(model)
    anchor: list[Tensor] = []
    if initial is None:
        ranker.set_scale(scale or scale_of(data, list(model.dimensions)))
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
    learner, us = state.learner.train(), team()
    pool = Pool(data, state.ranker.config.dimensions)
    everyone = torch.arange(len(data))
    until = config.steps if until is None else until
    with torch.random.fork_rng():
        while state.step < until:
            # of the processor alone: torch.manual_seed also walks the stack, to note who asked for every other device
            torch.default_generator.manual_seed(int(torch.randint(2**62, (), generator=state.generator)))
            few = len(data) > config.batch
            rows = draw_rows(pairs, len(data), config.batch, state.generator) if few else everyone
            some = pairs.among(rows, len(data)) if few else pairs
            drawn = draw(pool, learner, config.draw, rows=rows, part=us.encoded(len(rows)))
            terms = step_losses(learner, drawn, some, config, us)
            loss = torch.stack(list(terms.values())).sum()
            state.optimiser.zero_grad(set_to_none=True)
            if loss.requires_grad:
                loss.backward()
            us.sum_gradients(state.weights)
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


def step_losses(ranker: Ranker, drawn: Drawn, pairs: PairIndex, config: TrainingConfig, us: Team) -> dict[str, Tensor]:
    """The weighted loss terms of one step, over all performances of its batch, whoever of us has encoded them."""
    keep = keep_streams(drawn.masks, config.stream_dropout)
    count = len(next(iter(keep.values())))
    part = us.encoded(count)
    with us.whole_draws(count):
        own = ranker(drawn.batch, keep={stream: rows[part] for stream, rows in keep.items()})
    out = own if us.size == 1 else _gathered(own, count, us)
    return loss_terms(out, pairs, {s: m & keep[s][:, None] for s, m in drawn.masks.items()}, config.loss)


def _gathered(own: Output, count: int, us: Team) -> Output:
    """Scores and attention of all performances of a batch; contributions are not sent."""
    shapes = [own.scores.shape[1:], *(stream.attention.shape[1:] for stream in own.streams.values())]
    flat = [own.scores, *(stream.attention.flatten(1) for stream in own.streams.values())]
    parts = us.gathered(torch.cat(flat, 1), count).split([shape.numel() for shape in shapes], 1)
    scores, *attention = (x.unflatten(1, shape) for x, shape in zip(parts, shapes, strict=True))
    nothing = scores.new_zeros(0)
    return Output(scores, {s: StreamOutput(nothing, a) for s, a in zip(own.streams, attention, strict=True)})


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


def keep_streams(masks: Mapping[Stream, Tensor], chance: float) -> dict[Stream, Tensor]:
    """(B,) a stream: false hides it. Never hides the last stream that a performance has."""
    present = {stream: mask.any(1) for stream, mask in masks.items()}
    names = list(present)
    count = torch.stack(list(present.values())).sum(0)
    hide = (torch.rand(len(count)) < chance) & (count > 1)
    which = torch.randint(len(names), (len(count),))
    return {stream: present[stream] & ~(hide & (which == i)) for i, stream in enumerate(names)}


def draw_rows(pairs: PairIndex, total: int, most: int, generator: torch.Generator) -> Tensor:
    """Rows for a batch: both sides of pairs drawn in proportion to their weights, until `most` are together."""
    order = torch.multinomial(pairs.weight, len(pairs), generator=generator)
    ends = torch.stack([pairs.better[order], pairs.worse[order]], 1).flatten().numpy()
    _, first = np.unique(ends, return_index=True)
    rows = ends[np.sort(first)][:most]
    return torch.from_numpy(np.sort(rows))


def branch_scores(ranker: Ranker, data: Sequence[Arrays], *, batch: int = 16) -> Tensor:
    """(N, 3) branch scores without the bias, in evaluation mode."""
    return _in_parts(ranker, data, lambda out: out.scores, 3, batch)


def stream_scores(ranker: Ranker, data: Sequence[Arrays], *, batch: int = 16) -> Tensor:
    """(N, R) what each stream adds to the score, without the bias, in evaluation mode."""

    def added(out: Output) -> Tensor:
        return torch.stack([ranker.final(stream.contributions.sum(-1)) for stream in out.streams.values()], 1)

    return _in_parts(ranker, data, added, len(ranker.config.dimensions), batch)


@torch.no_grad()
def _in_parts(
    ranker: Ranker, data: Sequence[Arrays], what: Callable[[Output], Tensor], width: int, batch: int
) -> Tensor:
    """(N, width) of all performances, those of like length together so that little is padded."""
    ranker.eval()
    us, dimensions = team(), ranker.config.dimensions
    order = sorted(range(len(data)), key=lambda row: [segments_in(data[row], s) for s in dimensions])
    found = torch.zeros(len(data), width)
    for part in [order[i : i + batch] for i in range(0, len(order), batch)][us.rank :: us.size]:
        found[torch.tensor(part)] = what(ranker(collate([data[row] for row in part], dimensions)))
    return us.summed(found)


@torch.no_grad()
def fix_zero(ranker: Ranker, data: Sequence[Arrays]) -> None:
    """Centre every value map so that the mean contribution over the training performances is 0.

    Afterwards a contribution above 0 means better than typical, and the ranker's bias, `bias(ranker)`, is the score
    of a typical performance. No score of a performance that has all streams changes.
    """
    ranker.eval()
    us = team()
    for stream in ranker.config.dimensions:
        rows = [row for row, arrays in enumerate(data) if segments_in(arrays, stream)]
        each = torch.zeros(len(rows), 3, dtype=torch.float64)
        for place in range(us.rank, len(rows), us.size):
            out = ranker(collate([{stream: data[rows[place]][stream]}], ranker.config.dimensions))
            each[place] = out.streams[stream].contributions[0].sum(-1).double()
        total = sum(us.summed(each), start=torch.zeros(3, dtype=torch.float64))  # one after the other
        ranker.stream(stream).zero += (total / max(len(rows), 1)).float()


def bias(ranker: Ranker) -> float:
    """The score of a typical performance: what `fix_zero` took out of the contributions that count."""
    return sum(float(ranker.final(ranker.stream(stream).zero)) for stream in ranker.config.dimensions)


Scale = Mapping[Stream, tuple[np.ndarray, np.ndarray]]
"""Stream -> mean and spread (D,) of its segments, as `typical_segment` gives them."""


def scale_of(data: Sequence[Arrays], streams: Sequence[Stream]) -> Scale:
    """Mean and spread of the training segments of each stream, read one performance after the other.

    Raises:
        PairsError: a stream is nowhere.
    """
    columns = {s: Column([p for p in data if segments_in(p, s)], s) for s in streams}
    for stream, column in columns.items():
        if not column.performances:
            raise PairsError(
                f"no training performance has {stream} features",
                advice=f"Train with --{stream} none, or extract them.",
            )
    return {stream: typical_segment(column) for stream, column in columns.items()}
