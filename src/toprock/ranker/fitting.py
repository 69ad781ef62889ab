"""From features and pairs to a model: choose how long, train every member on all, weigh its streams, fix the zero."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import torch

from toprock.calibration import HeldOut
from toprock.comparisons import Pair
from toprock.ranker.batch import Arrays
from toprock.ranker.checkpoint import Checkpoint
from toprock.ranker.choosing import Advance, Choice, OnAdvance, choose_steps, thinned_folds
from toprock.ranker.fusion import apply_gains
from toprock.ranker.learning import FEWEST, SHARES, LearningCurve, draw_on
from toprock.ranker.model import Ranker, RankerConfig
from toprock.ranker.team import team
from toprock.ranker.training import (
    PairIndex,
    TrainingConfig,
    TrainingState,
    branch_scores,
    fix_zero,
    scale_of,
    start,
    train,
)

MEMBERS = 5
"""Rankers in an ensemble, where nothing else is said."""
_LAYOUT = 2
"""Of what a checkpoint keeps; one of another layout is begun anew."""


@dataclass(frozen=True)
class Fitted:
    """Trained members, how long they were trained and why, and their scores of the training performances.

    Attributes:
        members: rankers that differ in their seed; the score is the mean of theirs.
        choice: of the number of steps.
        centre, spread: mean and standard deviation of the training performances' scores, without the bias.
        learning: how much more comparisons would bring, where asked for and measurable.
    """

    members: list[Ranker]
    choice: Choice
    centre: float
    spread: float
    learning: LearningCurve | None = None


def fit(
    data: Sequence[Arrays],
    ids: Sequence[str],
    groups: Sequence[str],
    pairs: Sequence[Pair],
    model: RankerConfig,
    config: TrainingConfig,
    *,
    members: int = 1,
    steps: int | None = None,
    initial: Sequence[Ranker] = (),
    known: frozenset[str] = frozenset(),
    build: Callable[[RankerConfig], Ranker] = Ranker,
    everyone: bool = False,
    learning: bool = False,
    checkpoint: Path | None = None,
    on_advance: OnAdvance | None = None,
) -> Fitted:
    """Train a model on pairs.

    Args:
        data, ids, groups: features, ids and performers of the training performances, in one order.
        pairs: among them.
        model, config: what is trained, and how.
        members: rankers in the ensemble.
        steps: how long to train; None chooses by cross-validation. With fixed steps nothing is held out: every
            stream counts alike, and there is no percentile.
        initial: trained rankers of the same kind to start from and to stay near, in turn if they are fewer than the
            members; the first one is what cross-validation starts from. It may choose to leave them as they are.
        known: ids that the initial rankers have learnt from: scores of them tell nothing about new performances.
        build: makes a ranker.
        everyone: hold every performance out once, for calibration; see `choose_steps`.
        learning: also learn from parts of the comparisons, to tell what more of them would bring.
        checkpoint: a folder that an interrupted training resumes from; None keeps nothing.
        on_advance: called after every step.
    """
    inputs = (data, ids, groups, pairs, model, config, steps, initial)
    keep = Checkpoint(checkpoint, _digest(*inputs) if team().first and checkpoint is not None else "", ids)
    choice, curve = Choice(steps or 0), None
    if steps is None:
        begin = partial(start, initial=next(iter(initial), None), build=build)
        side = (data, ids, groups, pairs, model, config, begin)
        choice = choose_steps(
            *side,
            started=bool(initial),
            known=known,
            everyone=everyone,
            checkpoint=keep,
            on_advance=on_advance,
        )
        if learning and choice.steps and choice.folds and len(pairs) >= FEWEST:
            parts: dict[float, list[HeldOut]] = {1.0: choice.folds}
            for share in SHARES:
                parts[share] = thinned_folds(
                    *side, choice=choice, share=share, known=known, checkpoint=keep, on_advance=on_advance
                )
            curve = draw_on(parts, pairs)
    index = PairIndex.of(pairs, ids)
    scale = None if initial else scale_of(data, list(model.dimensions))
    rankers = []
    for number in range(members):
        stage = f"member{number + 1}of{members}"
        seeded = config.model_copy(update={"seed": config.seed + number, "steps": choice.steps})
        begun = initial[number % len(initial)] if initial else None
        state = start(data, model, seeded, initial=begun, build=build, scale=scale)
        keep.load(stage, state)

        def advance(state: TrainingState, stage: str = stage) -> None:
            if on_advance:
                on_advance(Advance(stage, state.step, choice.steps, state.loss))
            if state.step % 50 == 0:
                keep.save(stage, state)

        train(state, data, index, seeded, on_step=advance)
        keep.save(stage, state)
        apply_gains(state.ranker, choice.gains)
        fix_zero(state.ranker, data)
        rankers.append(state.ranker)
    scores = torch.stack([r.final(branch_scores(r, data)) for r in rankers]).mean(0)
    return Fitted(rankers, choice, float(scores.mean()), max(float(scores.std(correction=0)), 1e-6), curve)


def _digest(
    data: Sequence[Arrays],
    ids: Sequence[str],
    groups: Sequence[str],
    pairs: Sequence[Pair],
    model: RankerConfig,
    config: TrainingConfig,
    steps: int | None,
    initial: Sequence[Ranker],
) -> str:
    whole = hashlib.sha256()
    for ranker in initial:
        for name, value in ranker.state_dict().items():
            whole.update(name.encode() + value.numpy().tobytes())
    for arrays in data:
        for stream in sorted(arrays):
            array = arrays[stream]
            whole.update(stream.encode() + str(array.shape).encode())
            whole.update(np.ascontiguousarray(array).data)
    listed = [(p.better, p.worse, p.tie, p.weight) for p in pairs]
    plain = [_LAYOUT, list(ids), list(groups), listed, model.model_dump(), config.model_dump(), steps]
    whole.update(json.dumps(plain).encode())
    return whole.hexdigest()
