"""Whether scores deserve trust: chances, intervals and evidence on performances that no model has seen.

    python benchmarks/trust.py [--only synthetic jigsaws pushups] [--seeds 31 32] [--work FOLDER]

Rendered battles need nothing; JIGSAWS and push-ups need $TOPROCK_SHARED (by default ../shared beside the repository).
"""

from __future__ import annotations

import argparse
import os
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from toprock.assess.evidence import EvidenceCurve
from toprock.assess.model import Model
from toprock.backbones import build
from toprock.calibration import Reliability, Unseen
from toprock.comparisons import read_pairs
from toprock.datasets import jigsaws
from toprock.demo import labelled, quality_pairs
from toprock.evaluate import evaluate, read_moments
from toprock.evaluate.evaluation import Told, calibration_of, moment_pair
from toprock.evaluate.faithfulness import Faithfulness, elsewhere, faithfulness, strongest
from toprock.features import FeatureStore, PerformanceFeatures, extract
from toprock.performance import Performance, read_manifest
from toprock.ranker import train_from_store
from toprock.synthetic import SyntheticPerformance, render_performances

SHARED = Path(os.environ.get("TOPROCK_SHARED", Path(__file__).parents[2] / "shared"))
TRAIN, TEST = 220, 200
UNINFORMED = 90.0
"""Width of an interval that holds nine tenths of the scale and knows nothing."""
RECUT, RECUT_RANDOM = 10, 3


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", nargs="+", default=["synthetic", "jigsaws", "pushups"])
    parser.add_argument("--seeds", type=int, nargs="+", default=[31, 32])
    parser.add_argument("--work", type=Path, help="keep videos, features and models here")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        work = options.work or Path(temporary)
        if "synthetic" in options.only:
            for seed in options.seeds:
                synthetic(work / f"synthetic-{seed}", seed)
        if "jigsaws" in options.only:
            surgeons(work / "jigsaws")
        if "pushups" in options.only:
            push_ups(work / "pushups")


def synthetic(place: Path, seed: int) -> None:
    """Battles of fresh performers: chances, intervals of the quality, evidence, and evidence on pixels."""
    train, test = (
        render_performances(place / side, count=count, seed=seed + offset, prefix=side)
        for side, count, offset in (("train", TRAIN, 0), ("test", TEST, 10_000))
    )
    store = FeatureStore(place / "features", create=True)
    performances = [p for side in ("train", "test") for p in read_manifest(place / side / "manifest.csv")]
    extract(performances, store, [build("flow"), build("posture")])
    saved = train_from_store(store, quality_pairs(train), performers={p.id: p.performer for p in train})
    saved.save(place / "model")
    model = Model(saved)
    found = {p.id: model.features_of(store, p.id) for p in test}
    assessed = {ident: model.assess(f) for ident, f in found.items()}
    pairs = quality_pairs(test)
    right = np.mean([assessed[p.better].score > assessed[p.worse].score for p in pairs])
    print(f"\nrendered battles, seed {seed}: {right:.1%} of all {len(pairs)} pairs of {TEST} new performances right")
    for kind, measured in calibration_of(model, assessed, pairs).items():
        show(f"chances, {kind} unseen", measured)
    intervals(assessed, train, test)
    good, bad = moment_pair(model, found, labelled(test))
    print(f"  planted moments: AUC good {good.auc:.3f}, bad {bad.auc:.3f}")
    evidence(faithfulness(model, found))
    recut(model, found, {p.id: p.video for p in test}, place / "recut")


def intervals(
    assessed: Mapping[str, object], train: Sequence[SyntheticPerformance], test: Sequence[SyntheticPerformance]
) -> None:
    """Whether the 90 % intervals hold the planted quality's percentile among the training performances."""
    qualities = np.array([p.quality for p in train])
    inside, widths = [], []
    for p in test:
        scaled = assessed[p.id].scaled  # type: ignore[attr-defined]
        truth = 100 * ((qualities < p.quality).mean() + 0.5 * (qualities == p.quality).mean())
        inside.append(scaled.low <= truth <= scaled.high)
        widths.append(scaled.high - scaled.low)
    width = float(np.mean(widths))
    print(
        f"  90 % intervals hold the planted quality's percentile of {np.mean(inside):.1%} of {len(test)} performances; "
        f"mean width {width:.1f}, {width / UNINFORMED:.2f} of an uninformed one"
    )
    cautions = sum(bool(assessed[p.id].cautions) for p in test)  # type: ignore[attr-defined]
    print(f"  {cautions} of {len(test)} are said to be unlike the training performances")


def recut(model: Model, found: Mapping[str, PerformanceFeatures], videos: Mapping[str, Path], place: Path) -> None:
    """Deletion on pixels: the video cut anew without the best fifth of its time, extracted and scored again."""
    place.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(0)
    changes, random = [], []
    for ident in sorted(found)[:RECUT]:
        curve = EvidenceCurve.of(model.evidence(found[ident]))
        whole = model.assess(videos[ident]).score
        chosen = strongest(curve, "best")
        for spans in (chosen, *(elsewhere(chosen, curve, rng) for _ in range(RECUT_RANDOM))):
            cut = place / "cut.mp4"
            keep = "not(" + "+".join(f"between(t,{a:.3f},{b - 0.001:.3f})" for a, b in spans) + ")"
            filters = f"select='{keep}',setpts=N/FRAME_RATE/TB"
            command = ["ffmpeg", "-v", "error", "-y", "-i", str(videos[ident]), "-vf", filters, "-an", str(cut)]
            subprocess.run(command, check=True)
            change = model.assess(cut).score - whole
            if spans is chosen:
                changes.append(change)
            else:
                random.append(abs(change))
    change, by_chance = float(np.mean(changes)), float(np.mean(random))
    print(
        f"  on pixels ({len(changes)} videos cut anew without their best fifth): the score changes by {change:+.3f}, "
        f"without random spans by {by_chance:.3f} to either side: {-change / by_chance:.1f} times"
    )


def surgeons(place: Path) -> None:
    """EPIC-Skills' four folds of JIGSAWS: chances and evidence on the test pairs."""
    data = SHARED / "data"
    (task,) = jigsaws.read(data / "jigsaws", data / "epic-skills")
    store = FeatureStore(place / "features", create=True)
    store.add_recipes(*task.recipes.values())
    for found in task.features.values():
        store.write(found)
    told: dict[Unseen, Told] = {}
    moved = []
    for fold in task.folds:
        model = Model(train_from_store(store, fold.train, recipes=task.recipes, performers=task.performers))
        ids = sorted({ident for p in fold.test for ident in (p.better, p.worse)})
        features = {ident: model.features_of(store, ident) for ident in ids}
        assessed = {ident: model.assess(f) for ident, f in features.items()}
        for kind in model.saved.config.slopes:
            here = Told.by(model, assessed, fold.test, kind)
            show(f"JIGSAWS fold {fold.name}, {kind} unseen", here.reliability())
            told[kind] = told[kind] + here if kind in told else here
        seen = model.saved.config.seen
        moved.append(faithfulness(model, {i: f for i, f in features.items() if i not in seen}))
    for kind, chances in told.items():
        show(f"JIGSAWS, all folds, {kind} unseen", chances.reliability())
    show("JIGSAWS, all folds", (told["one"] + told["both"]).reliability())
    for fold, faithful in zip(task.folds, moved, strict=True):
        print(f"  fold {fold.name}:")
        evidence(faithful)


def push_ups(place: Path) -> None:
    """Push-ups: chances and evidence on people that the model has not seen."""
    data = SHARED / "data" / "pushups"
    with (data / "videos.csv").open() as file:
        head, *lines = (line.rstrip("\n").split(",") for line in file)
    rows = [dict(zip(head, line, strict=False)) for line in lines]
    performers = {r["video"].removesuffix(".mp4"): r["persons"].replace(" ", ";") for r in rows}
    performances = [Performance(r["video"].removesuffix(".mp4"), data / "videos" / r["video"]) for r in rows]
    store = FeatureStore(place / "features", create=True)
    extract(performances, store, [build("flow"), build("posture")])
    saved = train_from_store(store, read_pairs(data / "pairs_train.txt"), performers=performers)
    model = Model(saved)
    moments = [replace(m, id=m.id.removesuffix(".mp4")) for m in read_moments(data / "moments.csv")]
    test = read_pairs(data / "pairs_test.txt")
    found = evaluate(model, store, test, moments=moments, faithful=True)
    print(f"\npush-ups: {found.accuracy.value:.1%} of {found.accuracy.pairs} pairs right")
    for kind, measured in found.calibration.items():
        show(f"push-ups, {kind} unseen", measured)
    evidence(found.faithfulness)
    ids = sorted({i.removesuffix(".mp4") for p in test for i in (p.better, p.worse)})
    features = {ident: model.features_of(store, ident) for ident in ids}
    recut(model, features, {p.id: p.video for p in performances}, place / "recut")


def show(name: str, found: Reliability) -> None:
    """A line a way of being sure."""
    print(f"  {name}: {found.pairs} pairs")
    for way, figures in (
        ("calibrated", found.calibrated),
        ("not calibrated", found.uncalibrated),
        ("one constant", found.constant),
    ):
        print(f"    {way:<15} ECE {figures.ece:.3f}  Brier {figures.brier:.4f}  log loss {figures.log_loss:.4f}")
    for other, less in (("not calibrated", found.over_uncalibrated), ("constant", found.over_constant)):
        told = ", ".join(f"{name} {mean:+.4f} ({low:+.4f} to {high:+.4f})" for name, (mean, low, high) in less.items())
        print(f"    less {other}: {told}")


def evidence(found: Faithfulness | None) -> None:
    """How far scores move with their evidence."""
    if found is None:
        return
    for what, moved in (("without", found.deletion), ("alone", found.insertion)):
        for sign, one in moved.items():
            beyond, low, high = one.beyond
            print(
                f"    the {sign} fifth of the time, {what}: {one.change:+.3f}, at random {one.random:.3f}, "
                f"{one.ratio:.1f} times, farther by {beyond:.3f} ({low:.3f} to {high:.3f}) of {found.performances}",
                flush=True,
            )


if __name__ == "__main__":
    main()
