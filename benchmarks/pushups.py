"""The push-up performances end to end, with one choice of backbones after the other; prints the tables of
docs/results.md.

    python benchmarks/pushups.py [--work FOLDER] [--only NAME ...]

Persons of the test pairs are in no training pair. Needs data/pushups below $TOPROCK_SHARED (by default ../shared beside
the repository); for checkpoints and pose also weights/mobilenet_v2 and weights/movenet there, and the extras.
"""

from __future__ import annotations

import argparse
import csv
import os
import tempfile
import time
from pathlib import Path

import numpy as np

from toprock.assess.model import Model
from toprock.backbones import build
from toprock.backbones.base import Backbone
from toprock.comparisons import match_pairs, read_pairs
from toprock.evaluate import evaluate, read_moments
from toprock.evaluate.evaluation import Accuracy, Evaluation
from toprock.features import FeatureStore, extract
from toprock.peers import fit_linear
from toprock.performance import Performance
from toprock.ranker import Plan, TrainingConfig, train_from_store
from toprock.ranker.from_store import arrays_of
from toprock.report import write_report

SHARED = Path(os.environ.get("TOPROCK_SHARED", Path(__file__).parents[2] / "shared"))
MOBILENET, MOVENET = str(SHARED / "weights" / "mobilenet_v2"), str(SHARED / "weights" / "movenet")
CHOICES = {
    "embedded": ("flow", "posture"),
    "MobileNetV2": ("none", MOBILENET),
    "MobileNetV2, performer": ("none", f"{MOBILENET}|performer"),
    "temporal": ("temporal", MOBILENET),
    "temporal, performer": ("temporal|performer", f"{MOBILENET}|performer"),
    "pose": ("pose-motion", "pose"),
    "flow and pose": ("flow", "pose"),
}
"""Name -> backbones of the dynamic and the static stream."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--work", type=Path, help="keep features, models and report here")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--only", nargs="+", choices=list(CHOICES), default=list(CHOICES))
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        work = options.work or Path(temporary)
        for name in options.only:
            run(name, work, options.seeds)


def backbone(written: str) -> Backbone:
    """What `CHOICES` names."""
    name, _, crop = written.partition("|")
    more = {"crop": crop, "pose": MOVENET} if crop else {}
    if name == "temporal":
        return build("temporal", image=MOBILENET, **more)
    if name.startswith("pose"):
        return build(name, at=MOVENET)
    return build(name, **more)


def run(name: str, work: Path, seeds: int) -> None:
    """Extract, train, evaluate with one choice; the first also scores a video and writes a report."""
    data = SHARED / "data" / "pushups"
    with (data / "videos.csv").open() as file:
        rows = list(csv.DictReader(file))
    performers = {r["video"].removesuffix(".mp4"): r["persons"].replace(" ", ";") for r in rows}
    performances = [Performance(r["video"].removesuffix(".mp4"), data / "videos" / r["video"]) for r in rows]
    place = work / name.replace(",", "").replace(" ", "-")
    store = FeatureStore(place / "features", create=True)
    begun = time.perf_counter()
    result = extract(performances, store, [backbone(written) for written in CHOICES[name] if written != "none"])
    seconds = time.perf_counter() - begun
    train_pairs, test_pairs = read_pairs(data / "pairs_train.txt"), read_pairs(data / "pairs_test.txt")
    moments = read_moments(data / "moments.csv")
    them = []
    for seed in range(seeds):
        plan = Plan(training=TrainingConfig(seed=seed))
        saved = train_from_store(store, train_pairs, name="push-ups", performers=performers, plan=plan)
        model = Model(saved)
        found = evaluate(model, store, test_pairs, moments=moments, performers=performers, train_pairs=train_pairs)
        them.append(found)
        if seed == 0 and name == "embedded":
            detail(found, store, saved.recipes, train_pairs, test_pairs, performers)
            saved.save(place / "model")
            shown = Performance("v24", data / "videos" / "v24.mp4", performer=performers["v24"])
            assessment = model.assess(shown)
            write_report([assessment], place / "report.html", videos={"v24": shown.video})
            print(f"scored v24: {assessment.score:+.3f}; {len(assessment.moments)} moments; {place / 'report.html'}")
    paces = "; ".join(f"{key}: {value}" for key, value in result.paces.items())
    print(f"\n{name}: extracted {len(result.written)} in {seconds:.0f} s, failed {len(result.failed)} {paces}")
    table(them)


def table(them: list[Evaluation]) -> None:
    """A line a seed, and their mean."""
    for seed, found in enumerate(them):
        _row(f"  seed {seed}", found.accuracy)
        _row("    same person", found.same_performer)
        if found.good:
            low, high = found.good.interval
            print(f"    moments: AUC {found.good.auc:.3f} ({low:.3f} to {high:.3f}), {found.good.performances} videos")
    right = [found.accuracy.value for found in them if found.accuracy.value is not None]
    areas = [found.good.auc for found in them if found.good]
    print(f"  mean: {np.mean(right):.1%} of pairs, moments {np.mean(areas):.3f}", flush=True)


def detail(found, store, recipes, train_pairs, test_pairs, performers) -> None:  # type: ignore[no-untyped-def]
    """Branches, controls and the linear model, for the first choice."""
    for branch, accuracy in found.branches.items():
        _row(f"branch {branch} alone", accuracy)
    for control, accuracy in found.controls.items():
        _row(f"control {control}", accuracy)
    arrays = {ident: arrays_of(store.read(ident), recipes) for ident in store.ids()}
    plain = [match_pairs(side, store.ids()).pairs for side in (train_pairs, test_pairs)]
    trained = {ident: arrays[ident] for pair in plain[0] for ident in (pair.better, pair.worse)}
    linear = fit_linear(trained, plain[0], performers)
    _row("linear on pooled statistics", Accuracy.of(linear.scores(arrays), plain[1]))


def _row(name: str, accuracy: Accuracy) -> None:
    if accuracy.value is None or accuracy.interval is None:
        print(f"{name:<30} -")
        return
    low, high = accuracy.interval
    print(f"{name:<30} {accuracy.value:6.1%}  ({low:.1%} to {high:.1%}), {accuracy.pairs} pairs")


if __name__ == "__main__":
    main()
