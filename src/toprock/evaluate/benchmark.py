"""Learners side by side on the same features, folds and seeds: one row a learner, fold and seed, kept as it is done."""

from __future__ import annotations

import contextlib
import hashlib
import json
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from toprock._version import __version__
from toprock.comparisons import Pair, pairwise_accuracy
from toprock.datasets.task import Fold, Task
from toprock.engines import Engine, LocalEngine
from toprock.errors import Lost, PairsError
from toprock.evaluate.evaluation import memorised
from toprock.evaluate.summary import FoldScores, TaskScores
from toprock.files import finite, write_json
from toprock.peers import Learner, Scorer, TrainingSide
from toprock.ranker.batch import Arrays
from toprock.ranker.choosing import choosing_folds, performer_groups
from toprock.ranker.from_store import arrays_of, control_signs, control_value

OnRow = Callable[[str, int, int], None]
"""Called with what is being done, rows done and all rows of the task."""


def run_benchmark(
    tasks: Iterable[Task],
    learners: Mapping[str, Learner],
    *,
    seeds: Sequence[int],
    folder: Path,
    published: bool = False,
    engine: Engine | None = None,
    on_row: OnRow | None = None,
) -> list[TaskScores]:
    """Train and test every learner on every fold with every seed; what was done before is read, not done again.

    Args:
        tasks: one after the other; the features of only one are held at a time.
        learners: name -> learner.
        seeds: one row each; a learner whose rows do not differ by seed is run all the same.
        folder: where finished rows lie, each named by its data and settings: tables of several kinds can share it.
        published: also note the best accuracy on test pairs at any time of the training, as the field reports it.
        engine: where rows are made; None is a process a core of this machine.
        on_row: tells progress.

    Raises:
        PairsError: a fold has nothing to learn from or nothing to be tested on.
    """
    results = []
    for task in tasks:
        named = {i for fold in task.folds for p in (*fold.train, *fold.test) for i in (p.better, p.worse)}
        data = {ident: arrays_of(task.features[ident], task.recipes) for ident in sorted(named)}
        sides = {
            fold.name: (training_side(task.name, fold, data, task.performers), tested(fold, data))
            for fold in task.folds
        }
        digests = {ident: digest_of(arrays) for ident, arrays in data.items()}
        jobs = [
            Job(task.name, fold.name, name, learner, seed, published, *sides[fold.name])
            for seed in seeds
            for fold in task.folds
            for name, learner in learners.items()
        ]
        rows = run_jobs(jobs, digests, folder / task.name, engine or LocalEngine(), on_row)
        results.append(_scores_of(task, rows))
    return results


def inner_folds(task: Task) -> Task:
    """The task with folds inside its training sides, performers kept apart: what choices may be made on.

    No pair of an official test list is ranked by what has learnt from the training list beside it.
    """
    folds = []
    for fold in task.folds:
        ids = sorted({i for p in fold.train for i in (p.better, p.worse)})
        for number, held in enumerate(choosing_folds(performer_groups(ids, task.performers)), 1):
            outside = {ids[row] for row in held}
            train = [p for p in fold.train if not {p.better, p.worse} & outside]
            test = [p for p in fold.train if {p.better, p.worse} & outside]
            if train and test:
                folds.append(Fold(f"{fold.name}.{number}", train, test))
    return replace(task, name=f"{task.name}, inside the training sides", folds=folds)


@dataclass(frozen=True)
class Job:
    """One row: a learner that learns from a training side with a seed, and is tested."""

    task: str
    fold: str
    model: str
    learner: Learner
    seed: int
    published: bool
    side: TrainingSide
    tested: tuple[dict[str, Arrays], Sequence[Pair]]

    def digest(self, digests: Mapping[str, str]) -> str:
        """Names everything that decides the row; `digests` are those of the features, by id."""
        seen = [{ident: digests[ident] for ident in data} for data in (self.side.data, self.tested[0])]
        listed = [[(p.better, p.worse, p.tie, p.weight) for p in pairs] for pairs in (self.side.pairs, self.tested[1])]
        learner = [type(self.learner).__name__, self.learner.settings]
        plain = [__version__, learner, self.seed, self.published, listed, dict(self.side.performers), seen]
        return hashlib.sha256(json.dumps(plain, sort_keys=True).encode()).hexdigest()

    def row(self) -> dict[str, Any]:
        """Learn and test."""
        data, pairs = self.tested
        best: list[float] = []

        def watch(scorer: Scorer) -> None:
            best.append(pairwise_accuracy(scorer(data), pairs))

        with _one_thread():
            started = time.perf_counter()
            scorer = self.learner(self.side, seed=self.seed, watch=watch if self.published else None)
            seconds = time.perf_counter() - started
            scores = scorer(data)
        return {
            "task": self.task,
            "fold": self.fold,
            "model": self.model,
            "seed": self.seed,
            "seconds": None if self.published else round(seconds, 1),  # the watch takes its time
            "settings": self.learner.settings,
            "published": max(best) if best else None,
            "scores": scores,
        }


@contextlib.contextmanager
def _one_thread() -> Iterator[None]:
    """Rows run side by side, one a core; and a row's result must not hang on how many cores there are."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def digest_of(arrays: Arrays) -> str:
    """Names the features of one performance."""
    whole = hashlib.sha256()
    for stream in sorted(arrays):
        array = arrays[stream]
        whole.update(f"{stream} {array.shape} {array.dtype}".encode() + array.tobytes())
    return whole.hexdigest()


def training_side(name: str, fold: Fold, data: Mapping[str, Arrays], performers: Mapping[str, str]) -> TrainingSide:
    """What a learner may see of a fold.

    Raises:
        PairsError: there is nothing to learn from, or nothing to be tested on.
    """
    ids = {i for p in fold.train for i in (p.better, p.worse)}
    if not any(not p.tie for p in fold.train) or not any(not p.tie for p in fold.test):
        raise PairsError(
            f"{name}, fold {fold.name}: has no pair left to learn from, or none to be tested on",
            advice="Bring more of its videos.",
        )
    known = {i: performers[i] for i in sorted(ids) if i in performers}
    return TrainingSide({i: data[i] for i in sorted(ids)}, fold.train, known)


def tested(fold: Fold, data: Mapping[str, Arrays]) -> tuple[dict[str, Arrays], Sequence[Pair]]:
    """The performances that a fold's test pairs name, and those pairs."""
    ids = {i for p in fold.test for i in (p.better, p.worse)}
    return {i: data[i] for i in sorted(ids)}, fold.test


def run_jobs(
    jobs: Sequence[Job], digests: Mapping[str, str], folder: Path, engine: Engine, on_row: OnRow | None
) -> list[dict[str, Any]]:
    """The rows of jobs, in order; those that lie in `folder` already are read.

    Args:
        jobs: what is to be learnt and tested.
        digests: of the features, by id.
        folder: where finished rows lie.
        engine: where the others are made.
        on_row: tells progress.
    """
    rows: dict[int, dict[str, Any]] = {}
    waiting: dict[int, tuple[Path, str]] = {}
    for number, job in enumerate(jobs):
        digest = job.digest(digests)
        path = folder / f"{job.model}-fold-{job.fold}-seed-{job.seed}-{digest[:8]}.json"
        kept = _kept(path, digest)
        if kept is None:
            waiting[number] = (path, digest)
        else:
            rows[number] = kept
    done = len(rows)

    def finish(number: int, row: dict[str, Any]) -> None:
        path, digest = waiting[number]
        write_json(path, {"digest": digest, **row})
        rows[number] = finite(row)
        if on_row:
            on_row(f"{row['model']}, fold {row['fold']}, seed {row['seed']}", len(rows), len(jobs))

    if on_row and jobs:
        on_row(jobs[0].task, done, len(jobs))
    with contextlib.closing(engine.run({number: jobs[number].row for number in waiting})) as found:
        for number, row in found:
            if isinstance(row, Lost):
                raise Lost(row.message, advice=f"{row.advice} Finished rows are kept.".strip())
            finish(number, row)
    return [rows[number] for number in range(len(jobs))]


def _kept(path: Path, digest: str) -> dict[str, Any] | None:
    try:
        row = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    if not isinstance(row, dict) or row.pop("digest", None) != digest:
        return None
    return row


def _scores_of(task: Task, rows: Sequence[dict[str, Any]]) -> TaskScores:
    folds = []
    for fold in task.folds:
        scores: dict[str, list[dict[str, float]]] = {}
        for row in rows:
            if row["fold"] == fold.name:
                scores.setdefault(row["model"], []).append(row["scores"])
        folds.append(FoldScores(fold, scores | {name: [found] for name, found in controls(task, fold).items()}))
    durations = {i: f.facts.get("duration_s") for i, f in task.features.items()}
    return TaskScores(replace(task, features={}), folds, durations, list(rows))


def controls(task: Task, fold: Fold) -> dict[str, dict[str, float]]:
    """Scores that never look at a performance, each with its direction learnt on the training pairs of the fold.

    `duration`, `mean_motion`, `cut_rate` where every performance has it; `memorisation`: training performances by their
    Bradley-Terry rating, others at the median.
    """
    ids = {i for p in (*fold.train, *fold.test) for i in (p.better, p.worse)}
    found = {i: task.features[i] for i in ids}
    out: dict[str, dict[str, float]] = {}
    for name, sign in control_signs(found, fold.train).items():
        values = ((i, control_value(f, name)) for i, f in found.items())
        out[name] = {i: sign * value for i, value in values if value is not None}
    return out | {"memorisation": memorised(fold.train, ids)}
