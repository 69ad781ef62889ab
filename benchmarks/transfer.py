"""Few comparisons: trained from scratch, or from a model that has learnt something else; prints a table of each.

    python benchmarks/transfer.py [--only jigsaws|pushups] [--seeds 5] [--pairs 0 5 10 20 40 80] [--work FOLDER]

JIGSAWS: the start learns one exercise from five surgeons, then n pairs of another exercise of the same five; tested on
that exercise by the other three, drawn anew for each seed, whom neither training has seen. Push-ups: the start learns
rendered battles. n counts the pairs drawn at random from those of the training side. Intervals are over performances;
performances of one surgeon are alike, so that they are rather too narrow. With --work an interrupted run goes on.

Needs data/jigsaws and data/epic-skills, or data/pushups, below $TOPROCK_SHARED (by default ../shared).
"""

from __future__ import annotations

import argparse
import csv
import hashlib
import json
import multiprocessing
import os
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch

from toprock import __version__
from toprock.backbones import build
from toprock.comparisons import Pair, read_pairs
from toprock.datasets import jigsaws
from toprock.datasets.task import Fold, Task
from toprock.evaluate.summary import Figure, FoldScores, TaskScores, summarise
from toprock.features import FeatureStore, extract
from toprock.files import write_json
from toprock.machine import cores
from toprock.performance import Performance, read_manifest
from toprock.ranker import Ranker, RankerConfig, TrainingConfig
from toprock.ranker.batch import Arrays
from toprock.ranker.choosing import performer_groups
from toprock.ranker.fitting import MEMBERS, Fitted, fit
from toprock.ranker.from_store import arrays_of
from toprock.ranker.training import branch_scores
from toprock.synthetic import quality_pairs, render_performances

SHARED = Path(os.environ.get("TOPROCK_SHARED", Path(__file__).parents[2] / "shared"))
EXERCISES = ("Suturing", "Knot_Tying", "Needle_Passing")
UNSEEN = 3
"""Surgeons of the eight who are kept for the test."""
BATTLES = 80

Plain = tuple[str, str]
"""The better and the worse one; travels to another process."""


@dataclass(frozen=True)
class Case:
    """One transfer with one seed.

    Attributes:
        name: what is learnt first, and what then.
        seed: of the split, of the draw of pairs and of the trainings.
        data: id -> features of all performances.
        performers: id -> who performed.
        first: pairs that the start learns from.
        own: pairs of the other task to draw from, in the order drawn.
        test: pairs to be ranked.
    """

    name: str
    seed: int
    data: Mapping[str, Arrays]
    performers: Mapping[str, str]
    first: Sequence[Plain]
    own: Sequence[Plain]
    test: Sequence[Plain]

    def learn(self, pairs: Sequence[Plain], initial: Sequence[Ranker] = ()) -> Fitted:
        """Train as `toprock train` does by default, with --start-from where a start is given."""
        ids = _named(pairs)
        dimensions = {stream: array.shape[1] for stream, array in self.data[ids[0]].items()}
        groups = performer_groups(ids, self.performers)
        data = [self.data[ident] for ident in ids]
        config = TrainingConfig(seed=self.seed)
        model = RankerConfig(dimensions=dimensions)
        return fit(data, ids, groups, _pairs(pairs), model, config, members=MEMBERS, initial=initial)

    def scores(self, rankers: Sequence[Ranker]) -> dict[str, float]:
        """id -> score of the test performances."""
        ids = _named(self.test)
        each = [ranker.final(branch_scores(ranker, [self.data[i] for i in ids])) for ranker in rankers]
        return dict(zip(ids, torch.stack(each).mean(0).tolist(), strict=True))

    def digest(self) -> str:
        """Names all that decides the rows, the code apart."""
        whole = hashlib.sha256()
        for ident in sorted(self.data):
            for stream, array in sorted(self.data[ident].items()):
                whole.update(f"{ident} {stream} {array.shape}".encode() + array.tobytes())
        options = [MEMBERS, TrainingConfig().model_dump(), RankerConfig(dimensions={"static": 1}).model_dump()]
        rest = [self.first, self.own, self.test, sorted(self.performers.items())]
        whole.update(json.dumps([__version__, self.seed, options, *rest]).encode())
        return whole.hexdigest()


def run(case: Case, *, sizes: Sequence[int], folder: Path) -> dict[str, Any]:
    """Rows of a case by `scratch-N` and `start-N`: scores of the test performances and the steps chosen."""
    torch.set_num_threads(1)
    path, digest = folder / f"{case.name.replace(' ', '-')}-seed-{case.seed}.json", case.digest()
    kept = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    rows: dict[str, Any] = kept["rows"] if kept.get("digest") == digest else {}
    start: Fitted | None = None
    for size in sizes:
        for kind in ("scratch", "start"):
            if f"{kind}-{size}" in rows:
                continue
            if kind == "start" and start is None:
                start = case.learn(case.first)
            initial = start.members if kind == "start" and start else []
            if size:
                fitted = case.learn(case.own[:size], initial)
                row = {"scores": case.scores(fitted.members), "steps": fitted.choice.steps}
            elif initial:
                row = {"scores": case.scores(initial), "steps": 0}
            else:
                row = {"scores": dict.fromkeys(_named(case.test), 0.0), "steps": 0}  # nothing learnt: chance
            rows[f"{kind}-{size}"] = row
            write_json(path, {"digest": digest, "rows": rows})
    return rows


def jigsaws_cases(seeds: int) -> Iterator[Case]:
    """Each exercise after another one; surgeons are split anew for each seed."""
    (task,) = jigsaws.read(SHARED / "data" / "jigsaws", SHARED / "data" / "epic-skills")
    data = {ident: arrays_of(found, task.recipes) for ident, found in task.features.items()}
    pairs = sorted({(p.better, p.worse) for fold in task.folds for p in (*fold.train, *fold.test)})
    surgeons = sorted(set(task.performers.values()))
    for seed in range(seeds):
        unseen = set(np.random.default_rng(seed).choice(surgeons, UNSEEN, replace=False).tolist())

        def of(exercise: str, tested: bool, unseen: set[str] = unseen) -> list[Plain]:
            both = [pair for pair in pairs if {ident.split("/")[0] for ident in pair} == {exercise}]
            return [pair for pair in both if all((task.performers[ident] in unseen) == tested for ident in pair)]

        for number, after in enumerate(EXERCISES):
            first, own, test = of(EXERCISES[number - 1], False), _shuffled(of(after, False), seed), of(after, True)
            inside = {i: data[i] for i in _named([*first, *own, *test])}
            yield Case(f"{EXERCISES[number - 1]} to {after}", seed, inside, task.performers, first, own, test)


def pushup_cases(seeds: int, work: Path) -> Iterator[Case]:
    """Rendered battles, then push-ups with the split of `pushups.py`."""
    rendered = render_performances(work / "battles", count=BATTLES, seed=1, prefix="battle")
    folder = SHARED / "data" / "pushups"
    with (folder / "videos.csv").open() as file:
        people = {row["video"].removesuffix(".mp4"): row["persons"].replace(" ", ";") for row in csv.DictReader(file)}
    real = [Performance(name, folder / "videos" / f"{name}.mp4") for name in people]
    store = FeatureStore(work / "features", create=True)
    everyone = [*read_manifest(work / "battles" / "manifest.csv"), *real]
    result = extract(everyone, store, [build("flow"), build("posture")])
    print(f"extracted {len(result.written)}, kept {len(result.kept)}, failed {len(result.failed)}", flush=True)
    recipes = store.choose()
    data = {ident: arrays_of(store.read(ident), recipes) for ident in store.ids()}
    performers = {p.id: p.performer for p in rendered} | people
    own, test = (
        [(p.better.removesuffix(".mp4"), p.worse.removesuffix(".mp4")) for p in read_pairs(folder / name)]
        for name in ("pairs_train.txt", "pairs_test.txt")
    )
    for seed in range(seeds):
        yield Case("battles to push-ups", seed, data, performers, quality_pairs(rendered), _shuffled(own, seed), test)


def table(cases: Sequence[Case], rows: Sequence[Mapping[str, Any]], sizes: Sequence[int]) -> None:
    """Print a line for each number of pairs: means over tasks and seeds."""
    names = dict.fromkeys(case.name for case in cases)
    print(f"\n{'; '.join(names)}")
    print(f"{'pairs':>5}  {'from scratch':<26}{'from the start':<26}{'start over scratch':<26}start kept as it was")
    for size in sizes:
        tasks = []
        for name in names:
            mine = [(case, found) for case, found in zip(cases, rows, strict=True) if case.name == name]
            folds = [
                FoldScores(
                    Fold(str(case.seed), _pairs(case.own[:size]), _pairs(case.test)),
                    {kind: [found[f"{kind}-{size}"]["scores"]] for kind in ("scratch", "start")},
                )
                for case, found in mine
            ]
            listed = [
                {"model": kind, "fold": str(case.seed), "seconds": 0.0, **found[f"{kind}-{size}"]}
                for case, found in mine
                for kind in ("scratch", "start")
            ]
            tasks.append(TaskScores(Task(name, {}, {}, [one.fold for one in folds]), folds, {}, listed))
        scratch, start = summarise(tasks, reference="start")
        kept = sum(not found[f"start-{size}"]["steps"] for found in rows)
        figures = (_words(scratch.accuracy), _words(start.accuracy), _words(scratch.difference, sign="+"))
        print(f"{size:>5}  " + "".join(f"{text:<26}" for text in figures) + f"{kept} of {len(rows)}")
    fewest = min(len(case.own) for case in cases)
    if fewest < max(sizes):
        print(f"(some training sides hold fewer pairs, {fewest} at least: all of them are used)")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", choices=("jigsaws", "pushups"))
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--pairs", type=int, nargs="+", default=[0, 5, 10, 20, 40, 80])
    parser.add_argument("--processes", type=int, default=cores())
    parser.add_argument("--work", type=Path, help="keep features and finished rows here")
    options = parser.parse_args()
    began = time.perf_counter()
    with tempfile.TemporaryDirectory() as temporary:
        work = options.work or Path(temporary)
        for name in ("jigsaws", "pushups") if options.only is None else (options.only,):
            cases = list(jigsaws_cases(options.seeds) if name == "jigsaws" else pushup_cases(options.seeds, work))
            one = partial(run, sizes=options.pairs, folder=work / "rows")
            with ProcessPoolExecutor(options.processes, mp_context=multiprocessing.get_context("spawn")) as pool:
                rows = list(pool.map(one, cases))
            table(cases, rows, options.pairs)
    print(f"{time.perf_counter() - began:.0f} s with {options.processes} processes on {cores()} cores")


def _pairs(plain: Sequence[Plain]) -> list[Pair]:
    return [Pair(better, worse) for better, worse in plain]


def _named(pairs: Sequence[Plain]) -> list[str]:
    return sorted({ident for pair in pairs for ident in pair})


def _shuffled(pairs: Sequence[Plain], seed: int) -> list[Plain]:
    return [pairs[i] for i in np.random.default_rng([seed, 1]).permutation(len(pairs))]


def _words(figure: Figure, *, sign: str = "") -> str:
    if figure.value is None or figure.interval is None:
        return "-"
    low, high = figure.interval
    return f"{100 * figure.value:{sign}.1f} % ({100 * low:{sign}.1f} to {100 * high:{sign}.1f})"


if __name__ == "__main__":
    main()
