"""Settings of the ranker searched on the training pairs alone: bad ones are given up after part of the folds.

Every trial learns from the same folds, performers kept apart, and is measured on the pairs that they hold out.
Successive halving (Jamieson and Talwalkar, "Non-stochastic best arm identification and hyperparameter optimization",
AISTATS 2016): after each rung the better third goes on; the defaults always do. They are left only for a gain larger
than its standard error (`choosing.worth_leaving`).
"""

from __future__ import annotations

import hashlib
import json
import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import ValidationError

from toprock.backbones.base import Stream
from toprock.comparisons import Pair, match_pairs, pair_outcomes
from toprock.datasets.task import Fold, Task
from toprock.engines import Engine, LocalEngine
from toprock.errors import PairsError, UsageError
from toprock.evaluate.benchmark import Job, OnRow, digest_of, run_jobs, tested, training_side
from toprock.evaluate.space import Settings, Space, draw_trials
from toprock.evaluate.summary import FoldScores, TaskScores, summarise
from toprock.features.recipe import Recipe
from toprock.features.store import FeatureStore
from toprock.files import as_bytes, write_bytes, write_json
from toprock.peers import Qsd
from toprock.ranker.batch import Arrays
from toprock.ranker.choosing import performer_groups, split_groups, worth_leaving
from toprock.ranker.from_store import arrays_of
from toprock.ranker.mapped import map_features
from toprock.ranker.model import Ranker, RankerConfig
from toprock.ranker.saved import Swept

DEFAULT = "default"
KEEP = 3
"""One of so many trials goes on to the next rung."""


@dataclass(frozen=True)
class Trial:
    """One setting, and how it ranked held-out pairs.

    Attributes:
        name: `default`, or a number.
        settings: what is not as by default.
        accuracy: share of held-out pairs ranked right, mean over its folds and seeds.
        interval: of it, 95 %, performances drawn anew.
        units: folds and seeds that it was measured on; those of trials that were given up are fewer.
        whole: whether it was measured on all of them.
    """

    name: str
    settings: Settings
    accuracy: float
    interval: tuple[float, float] | None
    units: int
    whole: bool

    def to_json(self) -> dict[str, Any]:
        """JSON values."""
        return {
            "trial": self.name,
            "accuracy": self.accuracy,
            "interval": self.interval,
            "units": self.units,
            "whole": self.whole,
            "settings": self.settings.to_json(),
        }


@dataclass(frozen=True)
class Sweep:
    """What a search found.

    Attributes:
        trials: the best first, those measured on everything before those given up.
        chosen: the settings to train with; the defaults where nothing was worth leaving them for.
        told: what a model that is trained with them says of the search.
    """

    trials: list[Trial]
    chosen: Settings
    told: Swept


def sweep(
    store: FeatureStore,
    pairs: Sequence[Pair],
    space: Space,
    *,
    recipes: Mapping[Stream, Recipe],
    performers: Mapping[str, str],
    folder: Path,
    engine: Engine,
    trials: int = 20,
    seeds: int = 2,
    base: Settings = Settings(),
    seed: int = 0,
    skip_missing: bool = False,
    on_row: OnRow | None = None,
) -> Sweep:
    """Search a space of settings; what was measured before in the same folder is read, not done again.

    Args:
        store, pairs, recipes, performers, skip_missing: as `train_from_store` is given them.
        space: which settings may take which values.
        folder: keeps a row a trial, fold and seed, and the table: trials.csv and sweep.json.
        engine: where rows are made; on other machines than this one, the store's folder must be there too.
        trials: settings that are tried, the defaults with them.
        seeds: of each trial on each fold.
        base: what every trial has, `default` with them, where it is not as by default.
        seed: of the draws from the space.
        on_row: tells progress.

    Raises:
        PairsError: too few performances or performers to hold any out.
        UsageError: the space holds a setting that there is not, or a value that it cannot take.
    """
    matched = match_pairs(pairs, store.ids(), skip_missing=skip_missing, why=store.failures())
    ids = sorted({ident for p in matched.pairs for ident in (p.better, p.worse)})
    folds = _folds(ids, matched.pairs, performers, seed)
    settings = _named(draw_trials(space, trials - 1, seed=seed), base)
    learners = {name: Qsd(*base.with_these(some).options, members=1) for name, some in settings.items()}
    here = isinstance(engine, LocalEngine)
    found = map_features(store, ids, recipes) if here else [arrays_of(store.read(ident), recipes) for ident in ids]
    data = dict(zip(ids, found, strict=True))
    write_bytes(folder / "space.toml", as_bytes(space.text))
    search = _Search(folds, data, performers, learners, folder / "rows", engine, on_row)
    rungs = _rungs(len(folds), seeds)
    alive, rows = list(learners), dict[str, list[dict[str, Any]]]()
    for number, units in enumerate(rungs):
        rows |= search.measured(alive, units)
        if number + 1 < len(rungs):
            alive = _better(rows, alive)
    table = [search.trial(name, settings[name], rows[name], name in alive) for name in learners]
    table.sort(key=lambda trial: (not trial.whole, -trial.accuracy))
    best = next(trial for trial in table if trial.whole)
    gained = best.name != DEFAULT and worth_leaving(search.gained(rows[best.name], rows[DEFAULT]))
    default = next(trial for trial in table if trial.name == DEFAULT)
    taken = best if gained else default
    told = Swept(
        tried=len(table),
        folds=len(folds),
        seeds=seeds,
        settings=taken.settings.to_json(),
        accuracy=taken.accuracy,
        interval=taken.interval,
        default_accuracy=default.accuracy,
        best_accuracy=best.accuracy,
    )
    _keep(folder, table, told)
    return Sweep(table, taken.settings, told)


def _named(trials: Sequence[Settings], base: Settings) -> dict[str, Settings]:
    """Name -> settings, the defaults first; those that are the defaults by another way are left out."""
    found, default = {DEFAULT: Settings()}, Qsd(*base.options).settings
    for some in trials:
        try:
            whole = base.with_these(some)
            made = Qsd(*whole.options).settings
            Ranker(RankerConfig.model_validate({**whole.model, "dimensions": {"static": 1}}))
        except (ValueError, RuntimeError) as problem:
            reason = problem.errors()[0]["msg"] if isinstance(problem, ValidationError) else problem
            raise UsageError(
                f"no ranker can be made with {some.to_json()} ({reason})",
                advice="Take a value out of the space; for instance, heads must divide width.",
            ) from None
        if made != default:
            text = json.dumps(some.to_json(), sort_keys=True)
            found["trial-" + hashlib.sha256(text.encode()).hexdigest()[:6]] = some
    return found


def _folds(ids: Sequence[str], pairs: Sequence[Pair], performers: Mapping[str, str], seed: int) -> list[Fold]:
    found = []
    for number, held in enumerate(split_groups(performer_groups(ids, performers), seed=seed), 1):
        outside = {ids[row] for row in held}
        train = [p for p in pairs if not {p.better, p.worse} & outside]
        test = [p for p in pairs if {p.better, p.worse} & outside and not p.tie]
        if test and any(not p.tie for p in train):
            found.append(Fold(str(number), train, test))
    if not found:
        raise PairsError(
            "too few performers can be held out to compare settings on",
            advice="Train without --sweep, or bring comparisons of more performers.",
        )
    return found


def _rungs(folds: int, seeds: int) -> list[list[tuple[int, int]]]:
    """The (fold, seed) units of each rung, the earlier ones within the later: two folds, all folds, all seeds."""
    every = [(fold, seed) for seed in range(seeds) for fold in range(folds)]
    return [every[:count] for count in sorted({min(2, folds), folds, folds * seeds})]


def _better(rows: Mapping[str, Sequence[Mapping[str, Any]]], alive: Sequence[str]) -> list[str]:
    """The better third of the trials, and the defaults."""
    others = sorted((n for n in alive if n != DEFAULT), key=lambda n: -np.mean([row["accuracy"] for row in rows[n]]))
    kept = {DEFAULT, *others[: math.ceil(len(others) / KEEP)]}
    return [name for name in alive if name in kept]


@dataclass(frozen=True)
class _Search:
    """What all trials share."""

    folds: Sequence[Fold]
    data: Mapping[str, Arrays]
    performers: Mapping[str, str]
    learners: Mapping[str, Qsd]
    folder: Path
    engine: Engine
    on_row: OnRow | None

    def measured(self, names: Sequence[str], units: Sequence[tuple[int, int]]) -> dict[str, list[dict[str, Any]]]:
        """The rows of trials on units, each with its accuracy."""
        sides = [
            (training_side("sweep", fold, self.data, self.performers), tested(fold, self.data)) for fold in self.folds
        ]
        jobs = [
            Job("sweep", self.folds[fold].name, name, self.learners[name], seed, False, *sides[fold])
            for fold, seed in units
            for name in names
        ]
        digests = {ident: digest_of(arrays) for ident, arrays in self.data.items()}
        found: dict[str, list[dict[str, Any]]] = {name: [] for name in names}
        for row in run_jobs(jobs, digests, self.folder, self.engine, self.on_row):
            found[row["model"]].append({**row, "accuracy": self._right(row) @ self._weight(row)})
        return found

    def trial(self, name: str, settings: Settings, rows: Sequence[dict[str, Any]], whole: bool) -> Trial:
        """What a trial's rows say."""
        scores: dict[str, list[dict[str, float]]] = {}
        for row in rows:
            scores.setdefault(row["fold"], []).append(row["scores"])
        there = [fold for fold in self.folds if fold.name in scores]
        task = Task("sweep", {}, {}, there, self.performers)
        named = [FoldScores(fold, {name: scores[fold.name]}) for fold in there]
        (line,) = summarise([TaskScores(task, named, {}, list(rows))], reference=name)
        accuracy = float(np.mean([row["accuracy"] for row in rows]))
        return Trial(name, settings, accuracy, line.accuracy.interval, len(rows), whole)

    def gained(self, rows: Sequence[dict[str, Any]], others: Sequence[dict[str, Any]]) -> list[dict[str, float]]:
        """Of each fold, mean over the seeds: id -> how much more of its pairs' weight is ranked right."""
        seeds = len({row["seed"] for row in rows})
        found: dict[str, Counter[str]] = {}
        for row, other in zip(rows, others, strict=True):
            fold = self._fold(row)
            for pair, more in zip(fold.test, self._right(row) - self._right(other), strict=True):
                if more:
                    value = float(more) * pair.weight / seeds
                    found.setdefault(fold.name, Counter()).update({pair.better: value, pair.worse: value})
        return [dict(sums) for sums in found.values()]

    def _fold(self, row: Mapping[str, Any]) -> Fold:
        return next(fold for fold in self.folds if fold.name == row["fold"])

    def _right(self, row: Mapping[str, Any]) -> np.ndarray:
        return pair_outcomes(row["scores"], self._fold(row).test)

    def _weight(self, row: Mapping[str, Any]) -> np.ndarray:
        weight = np.array([p.weight for p in self._fold(row).test])
        return weight / weight.sum()


def _keep(folder: Path, table: Sequence[Trial], told: Swept) -> None:
    """trials.csv and sweep.json."""
    names = sorted({name for trial in table for name in trial.settings.to_json()})
    lines = [",".join(["trial", "accuracy", "low", "high", "units", *names])]
    for trial in table:
        settings = trial.settings.to_json()
        low, high = trial.interval or ("", "")
        lines.append(",".join(map(str, [trial.name, trial.accuracy, low, high, trial.units])) + ",")
        lines[-1] += ",".join(str(settings.get(name, "")) for name in names)
    write_bytes(folder / "trials.csv", as_bytes("\n".join(lines) + "\n"))
    write_json(folder / "sweep.json", {"schema": 1, "told": told.model_dump(), "trials": [t.to_json() for t in table]})
