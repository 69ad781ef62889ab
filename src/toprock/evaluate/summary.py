"""One table from many rows: means over folds and seeds, intervals over performances, differences drawn together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from toprock.comparisons import Pair, pair_outcomes, pairwise_accuracy
from toprock.datasets.task import Fold, Task
from toprock.ranker.from_store import CONTROLS

RESAMPLES = 2000
SIMILAR = 0.15
"""Pairs whose durations differ by less than this share of the longer one: duration tells next to nothing there."""


@dataclass(frozen=True)
class FoldScores:
    """A fold, and for each learner or control the scores of each seed: name -> [id -> score]."""

    fold: Fold
    scores: Mapping[str, Sequence[Mapping[str, float]]]


@dataclass(frozen=True)
class TaskScores:
    """All rows of a task."""

    task: Task
    folds: Sequence[FoldScores]
    durations: Mapping[str, float | None]
    rows: Sequence[dict[str, Any]]

    @property
    def names(self) -> list[str]:
        """Learners in the order of their rows, then controls that all folds have."""
        learners = list(dict.fromkeys(row["model"] for row in self.rows))
        common = set.intersection(*(set(fold.scores) for fold in self.folds))
        return learners + [n for n in (*CONTROLS, "memorisation") if n in common]

    def row_accuracies(self) -> list[dict[str, float | None]]:
        """Accuracy, and that on pairs of two unseen performances, of every row."""
        out: list[dict[str, float | None]] = []
        for row in self.rows:
            (fold,) = (one.fold for one in self.folds if one.fold.name == row["fold"])
            unseen = kept_pairs(self, fold, "unseen")
            out.append(
                {
                    "accuracy": pairwise_accuracy(row["scores"], fold.test),
                    "both_unseen": pairwise_accuracy(row["scores"], unseen) if unseen else None,
                }
            )
        return out


@dataclass(frozen=True)
class Figure:
    """A mean with its 95 % interval; None where nothing could be measured."""

    value: float | None
    interval: tuple[float, float] | None

    @property
    def inconclusive(self) -> bool:
        """Of a difference: whether the interval holds 0."""
        return self.interval is None or self.interval[0] <= 0 <= self.interval[1]


@dataclass(frozen=True)
class Line:
    """What the table says of one learner or control.

    Attributes:
        accuracy, both_unseen, similar_length: pairwise accuracy on all test pairs, on those of which no training pair
            names either side, and on those of like duration; means over tasks, folds and seeds.
        new_performers: on pairs of two performers whom no training pair names, where performers are known.
        difference, difference_unseen: accuracy of the reference minus this one's, performances drawn together.
        spearman: rank correlation with absolute scores of performances unseen in training.
        published: mean of the best test accuracy at any time of a training, the field's figure; no fair estimate.
        seconds: of training, a row; None where a watch took its time in between.
    """

    name: str
    accuracy: Figure
    both_unseen: Figure
    similar_length: Figure
    new_performers: Figure
    difference: Figure
    difference_unseen: Figure
    spearman: float | None
    published: float | None
    seconds: float | None

    def to_json(self) -> dict[str, Any]:
        """The documented JSON object."""
        return {
            "accuracy": self.accuracy.value,
            "interval": self.accuracy.interval,
            "both_unseen": self.both_unseen.value,
            "both_unseen_interval": self.both_unseen.interval,
            "similar_length": self.similar_length.value,
            "similar_length_interval": self.similar_length.interval,
            "new_performers": self.new_performers.value,
            "new_performers_interval": self.new_performers.interval,
            "difference": self.difference.value,
            "difference_interval": self.difference.interval,
            "both_unseen_difference": self.difference_unseen.value,
            "both_unseen_difference_interval": self.difference_unseen.interval,
            "spearman": self.spearman,
            "published_protocol": self.published,
            "seconds": self.seconds,
        }


def summarise(tasks: Sequence[TaskScores], *, reference: str, seed: int = 0) -> list[Line]:
    """One line for each name that all tasks have.

    Args:
        tasks: their figures are averaged, each counting alike; within a task each fold counts alike.
        reference: what the others are subtracted from, where it is there.
        seed: of the bootstrap.
    """
    names = [name for name in tasks[0].names if all(name in task.names for task in tasks)]
    kinds = {kind: _bootstrap(tasks, names, kind, seed) for kind in ("all", "unseen", "similar", "new")}
    against = names.index(reference) if reference in names else None
    lines = []
    for column, name in enumerate(names):
        rows = [row for task in tasks for row in task.rows if row["model"] == name]
        best = [row["published"] for row in rows if row.get("published") is not None]
        lines.append(
            Line(
                name,
                accuracy=_figure(*kinds["all"], column),
                both_unseen=_figure(*kinds["unseen"], column),
                similar_length=_figure(*kinds["similar"], column),
                new_performers=_figure(*kinds["new"], column),
                difference=_difference(*kinds["all"], against, column),
                difference_unseen=_difference(*kinds["unseen"], against, column),
                spearman=_mean([rank_correlation(task, name) for task in tasks]),
                published=float(np.mean(best)) if best else None,
                seconds=_mean([row["seconds"] for row in rows]),
            )
        )
    return lines


def kept_pairs(task: TaskScores, fold: Fold, kind: str) -> list[Pair]:
    """The test pairs with a winner that a figure is taken over: all, unseen, similar, or new (performers)."""
    won = [p for p in fold.test if not p.tie]
    seen = {i for p in fold.train for i in (p.better, p.worse)}
    if kind == "unseen":
        return [p for p in won if p.better not in seen and p.worse not in seen]
    if kind == "similar":
        return [p for p in won if _similar(task.durations.get(p.better), task.durations.get(p.worse))]
    if kind == "new":
        who = task.task.performers
        known = {who.get(i) for i in seen} | {None, ""}
        return [p for p in won if who.get(p.better) not in known and who.get(p.worse) not in known]
    return won


def _similar(a: float | None, b: float | None) -> bool:
    return a is not None and b is not None and abs(a - b) < SIMILAR * max(a, b)


def _bootstrap(tasks: Sequence[TaskScores], names: Sequence[str], kind: str, seed: int) -> tuple[Any, Any]:
    """Means (M,) and resampled means (RESAMPLES, M): performances of each task drawn anew, the same for all names."""
    rng = np.random.default_rng(seed)
    means, draws = [], []
    for task in tasks:
        ids = sorted({i for fold in task.folds for p in fold.fold.test for i in (p.better, p.worse)})
        place = {ident: row for row, ident in enumerate(ids)}
        drawn = rng.multinomial(len(ids), np.full(len(ids), 1 / len(ids)), size=RESAMPLES)
        fold_means, fold_draws = [], []
        for fold in task.folds:
            pairs = kept_pairs(task, fold.fold, kind)
            if not pairs:
                continue
            right = np.stack(
                [np.mean([pair_outcomes(s, pairs) for s in fold.scores[name]], axis=0) for name in names], axis=1
            )  # (N, M), means over the seeds
            weight = np.array([p.weight for p in pairs])
            ends = [np.array([place[getattr(p, side)] for p in pairs]) for side in ("better", "worse")]
            counts = drawn[:, ends[0]] * drawn[:, ends[1]] * weight  # (RESAMPLES, N)
            total = counts.sum(1, keepdims=True)
            fold_means.append(weight @ right / weight.sum())
            fold_draws.append(np.where(total > 0, counts @ right / np.maximum(total, 1e-12), np.nan))
        if fold_means:
            means.append(np.mean(fold_means, axis=0))
            draws.append(_nanmean(np.stack(fold_draws)))
    if not means:
        return None, None
    return np.mean(means, axis=0), _nanmean(np.stack(draws))


def _nanmean(x: np.ndarray) -> np.ndarray:
    """Mean over the first axis of what is there; NaN where nothing is."""
    there = ~np.isnan(x)
    total = np.where(there, x, 0.0).sum(0)
    return np.where(there.any(0), total / np.maximum(there.sum(0), 1), np.nan)


def _figure(means: Any, draws: Any, column: int) -> Figure:
    if means is None:
        return Figure(None, None)
    return Figure(float(means[column]), _interval(draws[:, column]))


def _difference(means: Any, draws: Any, reference: int | None, column: int) -> Figure:
    if means is None or reference is None or reference == column:
        return Figure(None, None)
    return Figure(float(means[reference] - means[column]), _interval(draws[:, reference] - draws[:, column]))


def _interval(values: np.ndarray) -> tuple[float, float] | None:
    values = values[~np.isnan(values)]
    if not len(values):
        return None
    low, high = np.quantile(values, [0.025, 0.975])
    return float(low), float(high)


def rank_correlation(task: TaskScores, name: str) -> float | None:
    """Spearman's correlation with the judges' scores over performances unseen in training, mean over folds and seeds.

    Performances that no chain of pairs connects (other exercises) are not compared with each other; the groups count
    by their size, and groups below three are left out.
    """
    from scipy.stats import spearmanr

    if not task.task.scores:
        return None
    group = _groups([p for fold in task.folds for p in (*fold.fold.train, *fold.fold.test)])
    found: list[float] = []
    for fold in task.folds:
        seen = {i for p in fold.fold.train for i in (p.better, p.worse)}
        tested = {i for p in fold.fold.test for i in (p.better, p.worse)} - seen
        for scores in fold.scores[name]:
            total, weight = 0.0, 0
            for one in sorted({group[i] for i in tested}):
                ids = sorted(i for i in tested if group[i] == one and i in task.task.scores)
                judged = [task.task.scores[i] for i in ids]
                given = [scores[i] for i in ids]
                if len(ids) >= 3 and len(set(judged)) > 1:
                    same = len(set(given)) == 1
                    total += 0.0 if same else len(ids) * float(spearmanr(judged, given).statistic)
                    weight += len(ids)
            if weight:
                found.append(total / weight)
    return _mean(found)


def _groups(pairs: Sequence[Pair]) -> dict[str, int]:
    """id -> number of the group that pairs connect it with."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    ids = sorted({i for p in pairs for i in (p.better, p.worse)})
    place = {ident: row for row, ident in enumerate(ids)}
    ends = ([place[p.better] for p in pairs], [place[p.worse] for p in pairs])
    _, labels = connected_components(coo_array((np.ones(len(pairs)), ends), shape=(len(ids),) * 2), directed=False)
    return dict(zip(ids, labels.tolist(), strict=True))


def _mean(values: Sequence[float | None]) -> float | None:
    there = [value for value in values if value is not None]
    return float(np.mean(there)) if there else None
