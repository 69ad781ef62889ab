"""The push-up performances end to end: extract, train, evaluate, score one; prints the table of docs/results.md.

    python benchmarks/pushups.py [--work FOLDER]

Needs data/pushups below $TOPROCK_SHARED (by default ../shared beside the repository).
"""

from __future__ import annotations

import argparse
import csv
import os
import tempfile
from pathlib import Path

from toprock.assess.model import Model
from toprock.backbones import build
from toprock.comparisons import match_pairs, read_pairs
from toprock.evaluate import evaluate, read_moments
from toprock.evaluate.evaluation import Accuracy
from toprock.features import FeatureStore, extract
from toprock.peers import fit_linear
from toprock.performance import Performance
from toprock.ranker import Plan, TrainingConfig, train_from_store
from toprock.ranker.from_store import arrays_of
from toprock.report import write_report

SHARED = Path(os.environ.get("TOPROCK_SHARED", Path(__file__).parents[2] / "shared"))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--work", type=Path, help="keep features, model and report here")
    parser.add_argument("--seeds", type=int, default=3)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        run(options.work or Path(temporary), options.seeds)


def run(work: Path, seeds: int) -> None:
    data = SHARED / "data" / "pushups"
    with (data / "videos.csv").open() as file:
        rows = list(csv.DictReader(file))
    performers = {r["video"].removesuffix(".mp4"): r["persons"].replace(" ", ";") for r in rows}
    performances = [Performance(r["video"].removesuffix(".mp4"), data / "videos" / r["video"]) for r in rows]
    store = FeatureStore(work / "features", create=True)
    result = extract(performances, store, [build("flow"), build("posture")])
    print(f"extracted {len(result.written)}, kept {len(result.kept)}, failed {len(result.failed)}")
    train_pairs, test_pairs = read_pairs(data / "pairs_train.txt"), read_pairs(data / "pairs_test.txt")
    moments = read_moments(data / "moments.csv")
    for seed in range(seeds):
        saved = train_from_store(
            store,
            train_pairs,
            name="push-ups",
            performers=performers,
            plan=Plan(training=TrainingConfig(seed=seed)),
        )
        model = Model(saved)
        found = evaluate(model, store, test_pairs, moments=moments, performers=performers, train_pairs=train_pairs)
        print(f"\nseed {seed}: {saved.config.steps} steps")
        _row("ranker", found.accuracy)
        _row("  same person", found.same_performer)
        for name, accuracy in found.branches.items():
            _row(f"  branch {name} alone", accuracy)
        if found.good and found.bad:
            low, high = found.good.interval
            over = f"over {found.good.performances} videos, pooled {found.good.pooled:.3f}"
            print(f"moments: AUC {found.good.auc:.3f} ({low:.3f} to {high:.3f}) {over}; tiled: {found.good.tiled}")
        if seed == 0:
            for name, accuracy in found.controls.items():
                _row(f"control {name}", accuracy)
            ids = [p.id for p in performances]
            arrays = {i: arrays_of(store.read(i), saved.recipes) for i in ids}
            trained = {i: arrays[i] for i in saved.config.trained_on.performances}
            plain = [match_pairs(side, store.ids()).pairs for side in (train_pairs, test_pairs)]
            linear = fit_linear(trained, plain[0], performers)
            _row("linear on pooled statistics", Accuracy.of(linear.scores(arrays), plain[1]))
            saved.save(work / "model")
            shown = Performance("v24", data / "videos" / "v24.mp4", performer=performers["v24"])
            assessment = model.assess(shown)
            write_report([assessment], work / "report.html", videos={"v24": shown.video})
            print(f"scored v24: {assessment.score:+.3f}; {len(assessment.moments)} moments; {work / 'report.html'}")


def _row(name: str, accuracy: Accuracy) -> None:
    if accuracy.value is None or accuracy.interval is None:
        print(f"{name:<30} -")
        return
    low, high = accuracy.interval
    print(f"{name:<30} {accuracy.value:6.1%}  ({low:.1%} to {high:.1%}), {accuracy.pairs} pairs")


if __name__ == "__main__":
    main()
