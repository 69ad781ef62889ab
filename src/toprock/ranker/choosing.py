"""How long to train and how much each stream counts: cross-validation on the training side, performers kept apart.

A training that starts from a model may choose 0 steps, which is that model: few pairs say little, and the best of many
looks at them is often luck. So it leaves its start only for a gain larger than the gain's standard error (the
one-standard-error rule of Breiman et al., "Classification and regression trees", 1984, with the start as the simplest).
"""

from __future__ import annotations

import zlib
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import numpy as np

from toprock.backbones.base import Stream
from toprock.calibration import HeldOut
from toprock.comparisons import Pair, pair_outcomes
from toprock.ranker.batch import Arrays, segments_in
from toprock.ranker.checkpoint import Checkpoint
from toprock.ranker.fusion import stream_gains
from toprock.ranker.model import RankerConfig
from toprock.ranker.team import team
from toprock.ranker.training import PairIndex, TrainingConfig, TrainingState, start, stream_scores, train

MEASUREMENTS = 24
"""How often a fold is measured on its way; the steps are chosen among these."""

ENOUGH_PERFORMERS = 30
"""From so many performers on, one fold of five is enough to choose the steps on."""


@dataclass(frozen=True)
class Advance:
    """How far a training is.

    Attributes:
        stage: a fold, or a member of the ensemble.
        done, total: steps taken in it, and all its steps.
        loss: of the last step.
        accuracy: share of the held-out pairs ranked right, where that was just measured; only folds hold pairs out.
    """

    stage: str
    done: int
    total: int
    loss: float | None = None
    accuracy: float | None = None


OnAdvance = Callable[[Advance], None]
"""Called after every step of a training."""

Begin = Callable[[Sequence[Arrays], RankerConfig, TrainingConfig], TrainingState]
"""Training performances, model and training options -> a state ready for its first step, as `training.start` makes."""


@dataclass(frozen=True)
class Choice:
    """What cross-validation found.

    Attributes:
        steps: how long to train; 0 is the model that the training started from, as it was.
        curve: (step, accuracy on pairs with a held-out performance) at each measurement; empty where nothing was held
            out.
        folds: scores by rankers that had not seen part of the performances.
        chose_alone: whether the first fold's scores chose the very steps and gains that they are of.
        gains: how much each stream counts (with a start: over what the start gave it); empty where nothing was held
            out: all count alike.
    """

    steps: int
    curve: list[tuple[int, float]] = field(default_factory=list)
    folds: list[HeldOut] = field(default_factory=list)
    gains: dict[Stream, float] = field(default_factory=dict)
    chose_alone: bool = False

    @property
    def held_out(self) -> dict[str, float]:
        """Id -> score by a ranker that had not seen it, in spreads of that ranker's training scores."""
        return _unseen(self.folds)

    @property
    def independent(self) -> dict[str, float]:
        """Those of `held_out` that had no say in the steps and gains that they are of."""
        return _unseen(self.folds[1:] if self.chose_alone else self.folds)


def _unseen(folds: Sequence[HeldOut]) -> dict[str, float]:
    return {ident: fold.scores[ident] for fold in folds for ident in sorted(fold.unseen)}


def performer_groups(ids: Sequence[str], performers: Mapping[str, str]) -> list[str]:
    """The group of each id: performances that share a performer, of which `;` separates several, are in one group.

    One whose performer is unknown stands alone.

    >>> performer_groups(["a", "b", "c", "d"], {"a": "ann;bob", "b": "bob;cy", "c": "dee", "d": "ann"})
    ['ann', 'ann', 'dee', 'ann']
    """
    people = [sorted({n.strip() for n in (performers.get(i) or "").split(";")} - {""}) or [f"\0{i}"] for i in ids]
    leader: dict[str, str] = {}

    def led(name: str) -> str:
        while leader.setdefault(name, name) != name:
            name = leader[name]
        return name

    for first, *others in people:
        for other in others:
            one, two = sorted((led(first), led(other)))
            leader[two] = one
    return [led(first) for first, *_ in people]


def split_groups(groups: Sequence[str], *, folds: int = 5, seed: int = 0) -> list[list[int]]:
    """Rows held out in each fold: groups (performers) whole, all rows in one fold each.

    >>> sorted(sum(split_groups(["ann", "bob", "ann", "cy"], folds=3), []))
    [0, 1, 2, 3]
    """
    names = sorted(set(groups))
    np.random.default_rng(seed).shuffle(names)
    rows = {name: [i for i, g in enumerate(groups) if g == name] for name in names}
    if len(names) >= ENOUGH_PERFORMERS:
        ends = [round(len(names) * k / folds) for k in range(folds + 1)]
        return [sorted(r for name in names[a:b] for r in rows[name]) for a, b in pairwise(ends)]
    count = min(folds, len(names))
    held: list[list[int]] = [[] for _ in range(count)]
    for name in sorted(names, key=lambda n: -len(rows[n])):
        min(held, key=len).extend(rows[name])
    return [sorted(h) for h in held]


def choosing_folds(groups: Sequence[str], *, seed: int = 0) -> list[list[int]]:
    """The folds that choices are made on: from 30 groups on, the first is enough."""
    return split_groups(groups, seed=seed)[: 1 if len(set(groups)) >= ENOUGH_PERFORMERS else None]


def choose_steps(
    data: Sequence[Arrays],
    ids: Sequence[str],
    groups: Sequence[str],
    pairs: Sequence[Pair],
    model: RankerConfig,
    config: TrainingConfig,
    begin: Begin = start,
    *,
    started: bool = False,
    known: frozenset[str] = frozenset(),
    everyone: bool = False,
    checkpoint: Checkpoint,
    on_advance: OnAdvance | None = None,
) -> Choice:
    """Train on folds; take the steps at which unseen performances are ranked best, and the gains that fit them there.

    From 30 performers on, one fold of five is looked at, unless everyone is to be held out once. Where nothing can be
    held out, a training from scratch takes all its steps, one from a start none.

    Args:
        data, ids, groups: features, ids and performers of the training performances, in one order.
        pairs: among them.
        model, config: what is trained; `config.steps` bounds the choice.
        begin: makes the state before the first step.
        started: whether that state is a trained model, which is then measured too.
        known: ids that a model to start from has learnt from: no ranker here has not seen them.
        everyone: whether the folds that nothing is chosen on are trained too, for the steps chosen: then every
            performance has a score by a ranker that had not seen it.
        checkpoint: keeps finished and running folds.
        on_advance: called after every step.
    """
    folds = split_groups(groups, seed=config.seed)
    unmeasured = Choice(0 if started else config.steps)
    if len(folds) < 2:
        return unmeasured
    whole = _Side(data, ids, pairs, model, config, begin, started, checkpoint, on_advance)
    watched = choosing_folds(groups, seed=config.seed)
    results = [result for number, held in enumerate(watched, 1) if (result := _fold(whole, number, len(folds), held))]
    if not results:
        return unmeasured
    steps = [step for step, *_ in results[0]["curve"]]
    accuracy = _accuracy(results)
    best = _best(accuracy)
    if started and not worth_leaving([result["measured"][best]["gained"] for result in results]):
        best = 0
    best = team().agreed(best)
    measured = [result["measured"][best] for result in results]
    gains = _gains(measured, pairs) if steps[best] else np.ones(len(model.dimensions))
    apart = [
        _standardised(result["measured"][at], theirs, known)
        for result, (at, theirs) in zip(results, _elsewhere(results, best, gains, pairs), strict=True)
    ]
    for number, held in enumerate(folds[len(watched) :] if everyone else (), len(watched) + 1):
        if result := _fold(whole, number, len(folds), held, only=steps[best]):
            apart += [_standardised(fold, gains, known) for fold in result["measured"]]
    curve = [(step, float(a)) for step, a in zip(steps, accuracy, strict=True)]
    weights = dict(zip(model.dimensions, gains.tolist(), strict=True))
    return Choice(steps[best], curve, apart, weights, chose_alone=len(results) == 1 and steps[best] > 0)


def _elsewhere(
    results: Sequence[dict[str, Any]], best: int, gains: np.ndarray, pairs: Sequence[Pair]
) -> list[tuple[int, np.ndarray]]:
    """For each fold, the measurement and the gains that the other folds would choose: its scores chose nothing."""
    if len(results) < 2 or not results[0]["curve"][best][0]:
        return [(best, gains)] * len(results)
    chosen = []
    for left_out in results:
        others = [result for result in results if result is not left_out]
        at = max(_best(_accuracy(others)), 1 if not results[0]["curve"][0][0] else 0)
        chosen.append((at, _gains([result["measured"][at] for result in others], pairs)))
    return chosen


def _accuracy(results: Sequence[Mapping[str, Any]]) -> np.ndarray:
    """At each measurement, over the pairs of all folds."""
    right = np.array([[r for _, r, _ in result["curve"]] for result in results]).sum(0)
    total: np.ndarray = np.array([[n for *_, n in result["curve"]] for result in results]).sum(0)
    return right / total


def _standardised(fold: Mapping[str, Any], gains: np.ndarray, known: frozenset[str]) -> HeldOut:
    """Scores of a fold's ranker, in spreads of the scores of those that it was trained on.

    Those that a model to start from has learnt from do not count as unseen.
    """
    seen = {ident: float(gains @ values) for ident, values in fold["seen"].items()}
    unseen = {ident: float(gains @ values) for ident, values in fold["held_out"].items()}
    mean, spread = np.mean(list(seen.values())), max(float(np.std(list(seen.values()))), 1e-6)
    scores = {ident: float((value - mean) / spread) for ident, value in (seen | unseen).items()}
    return HeldOut(scores, frozenset(unseen) - known)


def _best(accuracy: np.ndarray) -> int:
    """Where accuracy, smoothed over seven measurements, is highest: a single peak of a flat curve is chance."""
    return int(np.argmax(np.convolve(np.pad(accuracy, 3, mode="edge"), np.full(7, 1 / 7), mode="valid").round(6)))


def worth_leaving(gained: Sequence[Mapping[str, float]]) -> bool:
    """Whether more pairs are ranked right than by the start, by more than the standard error of the difference.

    Pairs that share a performance stand and fall together, so the variance is the sum of squares of the sums over each
    performance: no less than that of Aronow et al., "Cluster-robust variance estimation for dyadic data", Political
    Analysis 23 (2015). With four performances or fewer nothing is worth it.

    Args:
        gained: a fold each: id of a performance -> how much more of its pairs' weight is ranked right.

    >>> worth_leaving([{"a": 1.0, "b": 1.0}, {"c": 1.0, "d": 1.0}])
    False
    >>> worth_leaving([{"a": 1.0, "b": 1.0, "c": 1.0}, {"d": 1.0, "e": 1.0, "f": 1.0}])
    True
    """
    total: Counter[str] = Counter()
    for fold in gained:
        total.update(fold)
    each = np.array(list(total.values()))
    return bool(each.sum() / 2 > np.sqrt((each**2).sum()))


def _gains(measured: Sequence[dict[str, Any]], pairs: Sequence[Pair]) -> np.ndarray:
    """One gain a stream, (R,): the geometric mean over the folds, each on its own held-out pairs."""
    logs = [np.log(stream_gains(fold["held_out"], pairs)) for fold in measured]
    return np.exp(np.mean(logs, axis=0))


def thinned_folds(
    data: Sequence[Arrays],
    ids: Sequence[str],
    groups: Sequence[str],
    pairs: Sequence[Pair],
    model: RankerConfig,
    config: TrainingConfig,
    begin: Begin = start,
    *,
    choice: Choice,
    share: float,
    known: frozenset[str] = frozenset(),
    checkpoint: Checkpoint,
    on_advance: OnAdvance | None = None,
) -> list[HeldOut]:
    """What the folds that the steps were chosen on give when they learn from a share of their pairs, drawn at random.

    Args:
        data, ids, groups, pairs, model, config, begin, checkpoint, on_advance: as in `choose_steps`.
        choice: what that found; the folds take as many steps.
        share: of the pairs (0 to 1).
        known: as in `choose_steps`.
    """
    folds = split_groups(groups, seed=config.seed)
    side = _Side(data, ids, pairs, model, config, begin, False, checkpoint, on_advance, share)
    gains = np.array([choice.gains[stream] for stream in model.dimensions])
    found = []
    for number, held in enumerate(choosing_folds(groups, seed=config.seed), 1):
        if result := _fold(side, number, len(folds), held, only=choice.steps):
            found += [_standardised(fold, gains, known) for fold in result["measured"]]
    return found


@dataclass(frozen=True)
class _Side:
    """The training side as `choose_steps` is given it, and what share of its pairs a fold learns from."""

    data: Sequence[Arrays]
    ids: Sequence[str]
    pairs: Sequence[Pair]
    model: RankerConfig
    config: TrainingConfig
    begin: Begin
    started: bool
    checkpoint: Checkpoint
    on_advance: OnAdvance | None
    share: float = 1.0

    def learnt(self, inside: Sequence[Pair], stage: str) -> list[Pair]:
        """Those of a fold's pairs that it learns from."""
        rng = np.random.default_rng([self.config.seed, zlib.crc32(stage.encode())])
        count = round(self.share * len(inside))
        return [inside[i] for i in sorted(rng.permutation(len(inside))[:count])]


def _fold(side: _Side, number: int, folds: int, held: Sequence[int], *, only: int | None = None) -> dict[str, Any]:
    """Train without the held rows; measure as it goes, or `only` after so many steps, which are then all.

    Empty where the fold cannot be trained or measured.
    """
    stage = f"fold{number}of{folds}" + ("" if only is None else f"steps{only}")
    stage += "" if side.share == 1 else f"share{side.share:g}"
    result: dict[str, Any] | None = side.checkpoint.result(stage)
    if result is None:
        result = team().agreed(_trained_fold(side, stage, held, only))
        side.checkpoint.finish(stage, result)
    return result


def _trained_fold(side: _Side, stage: str, held: Sequence[int], only: int | None) -> dict[str, Any]:
    ids, outside = side.ids, set(held)
    kept = [row for row in range(len(ids)) if row not in outside]
    names_kept, names_held = [ids[row] for row in kept], [ids[row] for row in held]
    names = set(names_kept)
    inside = side.learnt([p for p in side.pairs if p.better in names and p.worse in names], stage)
    test = [p for p in side.pairs if not p.tie and not (p.better in names and p.worse in names)]
    lacking = any(not any(segments_in(side.data[row], stream) for row in kept) for stream in side.model.dimensions)
    if lacking or all(p.tie for p in inside) or not test:
        return {}
    weight = np.array([p.weight for p in test])
    until = side.config.steps if only is None else only
    every = max(1, side.config.steps // MEASUREMENTS) if only is None else max(1, only)
    train_data = [side.data[row] for row in kept]
    state = side.begin(train_data, side.model, side.config)
    notes = side.checkpoint.load(stage, state) or {"curve": [], "measured": []}

    def follow(state: TrainingState) -> None:
        accuracy = None if state.step % every else measure(state)
        if side.on_advance:
            side.on_advance(Advance(stage, state.step, until, state.loss, accuracy))

    def measure(state: TrainingState) -> float:
        values = (
            stream_scores(state.ranker, [*train_data, *(side.data[row] for row in held)]).double().numpy()
        )  # (N, R)
        scores = dict(zip([*names_kept, *names_held], values.sum(1).tolist(), strict=True))
        right = weight * pair_outcomes(scores, test)
        if not state.step:
            notes["at_start"] = right.tolist()
        notes["curve"].append([state.step, float(right.sum()), float(weight.sum())])
        notes["measured"].append(
            {
                "gained": _by_performance(right - notes["at_start"], test) if side.started and only is None else {},
                "seen": dict(zip(names_kept, values[: len(kept)].tolist(), strict=True)),
                "held_out": dict(zip(names_held, values[len(kept) :].tolist(), strict=True)),
            }
        )
        if len(notes["curve"]) % 5 == 0:
            side.checkpoint.save(stage, state, notes)
        return float(right.sum() / weight.sum())

    if not notes["curve"] and (side.started if only is None else only == 0):
        follow(state)
    train(state, train_data, PairIndex.of(inside, names_kept), side.config, until=until, on_step=follow)
    return dict(notes)


def _by_performance(values: np.ndarray, pairs: Sequence[Pair]) -> dict[str, float]:
    """Sums of values of pairs over the pairs of each performance; those of 0 are left out."""
    sums: Counter[str] = Counter()
    for pair, value in zip(pairs, values.tolist(), strict=True):
        if value:
            sums.update({pair.better: value, pair.worse: value})
    return dict(sums)
