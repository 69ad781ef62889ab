"""The demo: rendered battles whose good and bad moments are known, from pixels to a report, with figures."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from toprock.assess.assessment import BRANCHES, Branch
from toprock.assess.evidence import EvidenceCurve
from toprock.assess.model import Model
from toprock.backbones import build
from toprock.comparisons import Pair
from toprock.evaluate.evaluation import Accuracy, control_accuracies, moment_pair
from toprock.evaluate.moments import LabelledMoment, MomentScores
from toprock.features import FeatureStore, PerformanceFeatures, extract
from toprock.files import write_json
from toprock.machine import cores
from toprock.peers import fit_linear
from toprock.performance import read_manifest
from toprock.ranker import Plan, train_from_store
from toprock.ranker.from_store import arrays_of
from toprock.synthetic import SyntheticPerformance, render_performances

TRAIN, TEST = 220, 40
COLOUR_TRAIN = 60
"""Training performances from which the direction of the colour control is learnt: reading them takes time."""
CLEAR = 0.1
"""Pairs whose planted quality differs by at least this share of its range are clear."""

OnAdvance = Callable[[str, float, float], None]


@dataclass(frozen=True)
class Rendered:
    """Both sides of the demo: performances and the store with their features."""

    train: list[SyntheticPerformance]
    test: list[SyntheticPerformance]
    store: FeatureStore


def run_demo(
    out: Path, *, seed: int = 1, plan: Plan | None = None, on_advance: OnAdvance | None = None
) -> dict[str, Any]:
    """Render, extract, train, evaluate and report; returns what it writes to out/results.json.

    Args:
        out: folder for videos, features, model, results.json and report.html.
        seed: of the rendered performances; the held-out ones are of another seed: new bodies, clothes, places.
        plan: how it trains; None is the default.
        on_advance: called with what is going on, how much is done, and of how much.
    """
    begun = time.monotonic()
    tell = on_advance or (lambda what, done, total: None)
    rendered = render_and_extract(out, seed=seed, tell=tell)
    model = train_model(rendered, checkpoint=out / "model" / "checkpoint", tell=tell, plan=plan)
    model.saved.save(out / "model")
    tell("Evaluating", 0, 1)
    results = measure(model, rendered)
    report(model, rendered, out / "report.html")
    results["seconds"] = round(time.monotonic() - begun, 1)
    write_json(out / "results.json", results)
    return results


def render_and_extract(out: Path, *, seed: int, tell: OnAdvance) -> Rendered:
    """Render training and held-out performances and extract their features."""
    sides = []
    for side, count, offset in (("train", TRAIN, 0), ("test", TEST, 10_000)):
        sides.append(
            render_performances(
                out / side,
                count=count,
                seed=seed + offset,
                prefix=side,
                on_progress=lambda done, side=side, count=count: tell(f"Rendering {side}", done, count),  # type: ignore[misc]
            )
        )
    store = FeatureStore(out / "features", create=True)
    performances = read_manifest(out / "train" / "manifest.csv") + read_manifest(out / "test" / "manifest.csv")
    extract(
        performances,
        store,
        [build("flow"), build("posture")],
        on_progress=lambda p: tell("Reading videos", p.done, p.total),
    )
    return Rendered(sides[0], sides[1], store)


def train_model(rendered: Rendered, *, checkpoint: Path | None, tell: OnAdvance, plan: Plan | None = None) -> Model:
    """Learn from all pairs among the training performances."""
    saved = train_from_store(
        rendered.store,
        quality_pairs(rendered.train),
        name="synthetic battles",
        performers={p.id: p.performer for p in rendered.train},
        plan=plan,
        checkpoint=checkpoint,
        on_advance=lambda at: tell(f"Training {at.stage}", at.done, at.total),
    )
    return Model(saved)


def measure(model: Model, rendered: Rendered) -> dict[str, Any]:
    """Every figure of the demo, on held-out performances."""
    test = rendered.test
    found = {p.id: rendered.store.read(p.id) for p in test}
    qualities = {p.id: p.quality for p in test}
    span = max(qualities.values()) - min(qualities.values())
    pairs = quality_pairs(test)
    clear = [p for p in pairs if qualities[p.better] - qualities[p.worse] >= CLEAR * span]
    moments = labelled(test)

    def figures(branches: Sequence[Branch] | None) -> dict[str, Any]:
        segments = {i: model.evidence(f, branches=branches) for i, f in found.items()}
        scores = {i: sum(s.contribution for s in parts) for i, parts in segments.items()}
        good, bad = moment_pair(model, found, moments, branches=branches)
        return {
            **_accuracy("pairwise_accuracy", Accuracy.of(scores, clear)),
            **_accuracy("pairwise_accuracy_all", Accuracy.of(scores, pairs)),
            **_auc("good", good),
            **_auc("bad", bad),
        }

    train_data = {p.id: arrays_of(rendered.store.read(p.id), model.saved.recipes) for p in rendered.train}
    linear = fit_linear(train_data, quality_pairs(rendered.train), {})
    linear_scores = linear.scores({i: arrays_of(f, model.saved.recipes) for i, f in found.items()})
    controls = control_accuracies(model.saved.config.controls, found, pairs)
    colour = colour_control(rendered)
    return {
        **figures(None),
        "clear_pairs_share": len(clear) / len(pairs),
        "branches": {branch: figures([branch]) for branch in BRANCHES},
        "average_branch": figures(["average"]),
        "linear": {
            **_accuracy("pairwise_accuracy", Accuracy.of(linear_scores, clear)),
            **_accuracy("pairwise_accuracy_all", Accuracy.of(linear_scores, pairs)),
        },
        "controls": {
            "duration": controls["duration"].value,
            "mean_motion": controls["mean_motion"].value,
            "mean_colour": colour.value,
        },
        "controls_intervals": {
            "duration": controls["duration"].interval,
            "mean_motion": controls["mean_motion"].interval,
            "mean_colour": colour.interval,
        },
        "faults": fault_table(model, found, test),
        "performances": {"train": len(rendered.train), "test": len(rendered.test)},
        "steps": model.saved.config.steps,
    }


def fault_table(
    model: Model, found: Mapping[str, PerformanceFeatures], test: Sequence[SyntheticPerformance]
) -> list[dict[str, Any]]:
    """AUC of each planted kind of moment against the neutral rest, by the evidence of each stream alone."""

    kinds = sorted({(m.label, m.stream, m.kind) for p in test for m in p.moments})
    segments = {i: model.evidence(f) for i, f in found.items()}
    rows = []
    for label, planted, kind in kinds:
        row: dict[str, Any] = {"kind": kind, "label": label, "planted_in": planted}
        for stream in ("dynamic", "static", "both"):
            curves = {
                i: EvidenceCurve.of([s for s in parts if stream in (s.stream, "both")]) for i, parts in segments.items()
            }
            values = []
            for p in test:
                wanted = [
                    LabelledMoment(p.id, m.start_s, m.end_s, m.label)
                    for m in p.moments
                    if (m.label, m.stream, m.kind) == (label, planted, kind)
                ]
                if wanted:
                    # other planted moments are neither wanted nor neutral: they are cut out of the span
                    others = [(m.start_s, m.end_s) for m in p.moments if m.kind != kind]
                    values.append((p, wanted, others))
            row[stream] = _kind_auc(curves, values, label)
            row["moments"] = sum(len(w) for _, w, _ in values)
        rows.append(row)
    return rows


def _kind_auc(curves: Mapping[str, Any], values: Sequence[tuple[Any, Any, Any]], label: str) -> float:
    import numpy as np

    from toprock.evaluate.moments import auc, unlabelled

    sign = 1 if label == "good" else -1
    each = []
    for p, wanted, others in values:
        curve = curves[p.id]
        planted = wanted + [LabelledMoment(p.id, a, b, "bad") for a, b in others]
        neutral = unlabelled(planted, 0.0, p.duration_s)
        w = sign * np.array([curve.between(m.start_s, m.end_s) / (m.end_s - m.start_s) for m in wanted])
        o = sign * np.array([curve.between(a, b) / (b - a) for a, b in neutral])
        if len(o):
            each.append(auc(w, o))
    return float(np.mean(each)) if each else float("nan")


def colour_control(rendered: Rendered) -> Accuracy:
    """Mean colour of the pictures: the channel and direction that rank pairs of some training performances best."""
    from concurrent.futures import ThreadPoolExecutor

    import numpy as np

    from toprock.comparisons import pairwise_accuracy
    from toprock.video import read_frames

    def colour(p: SyntheticPerformance) -> np.ndarray:
        with read_frames(p.video, rate_hz=0.5, short_side=32) as frames:
            return np.mean([f.image.mean((0, 1)) for f in frames], axis=0)

    some = rendered.train[:COLOUR_TRAIN]
    both = [*some, *rendered.test]
    with ThreadPoolExecutor(cores()) as pool:  # each reads in a process of its own
        means = dict(zip([p.id for p in both], pool.map(colour, both), strict=True))
    train, test = ({p.id: means[p.id] for p in side} for side in (some, rendered.test))
    pairs = quality_pairs(some)
    accuracies = [pairwise_accuracy({i: v[c] for i, v in train.items()}, pairs) for c in range(3)]
    channel = int(np.argmax(np.abs(np.array(accuracies) - 0.5)))
    sign = 1 if accuracies[channel] >= 0.5 else -1
    return Accuracy.of({i: sign * float(v[channel]) for i, v in test.items()}, quality_pairs(rendered.test))


def report(model: Model, rendered: Rendered, path: Path) -> None:
    """The report on the held-out performance in the middle of the field."""
    from toprock.report import write_report

    middle = sorted(rendered.test, key=lambda p: p.quality)[len(rendered.test) // 2]
    assessment = model.assess(rendered.store.read(middle.id))
    write_report([assessment], path, videos={middle.id: middle.video})


def quality_pairs(performances: Sequence[SyntheticPerformance]) -> list[Pair]:
    """Every two performances of different planted quality."""
    return [Pair(a.id, b.id) for a in performances for b in performances if a.quality > b.quality]


def labelled(performances: Sequence[SyntheticPerformance]) -> list[LabelledMoment]:
    """Planted moments as labels."""
    return [LabelledMoment(p.id, m.start_s, m.end_s, m.label) for p in performances for m in p.moments]


def summary(results: Mapping[str, Any], out: Path) -> None:
    """Print the figures for people."""
    baseline, linear, controls = results["average_branch"], results["linear"], results["controls"]
    count = results["performances"]
    print(f"{count['train']} performances to learn from, {count['test']} held out; {results['seconds']:.0f} s in all")
    share = results["clear_pairs_share"]
    print(f"clear pairs ranked right  {results['pairwise_accuracy']:.1%}  ({share:.0%} of all pairs are clear)")
    print(f"  average branch alone    {baseline['pairwise_accuracy']:.1%}")
    print(f"  linear model            {linear['pairwise_accuracy']:.1%}")
    print(f"all pairs ranked right    {results['pairwise_accuracy_all']:.1%}")
    for name, value in controls.items():  # none of them looks at how well somebody dances
        print(f"  control {name.replace('_', ' '):<15} {value:.1%}")
    print(f"AUC of planted moments    good {results['moment_auc_good']:.3f}, bad {results['moment_auc_bad']:.3f}")
    print(f"figures: {out / 'results.json'}\nreport:  {out / 'report.html'}")


def _accuracy(name: str, found: Accuracy) -> dict[str, Any]:
    return {name: found.value, f"{name}_interval": found.interval}


def _auc(label: str, found: MomentScores) -> dict[str, Any]:
    return {f"moment_auc_{label}": found.auc, f"moment_auc_{label}_interval": found.interval}
