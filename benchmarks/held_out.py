"""How near the figure that a model leads with comes to what it does on new performances, and others that it could.

    python benchmarks/held_out.py [--performances 16] [--each 10] [--seeds 12] [--steps 120] [--signal 0 0.3 1]

Performances are random segments; a hidden quality, times the signal, shifts one of their six columns. Judges answer by
the Bradley-Terry model. A model of one ranker is trained on a few performances as `toprock train` does, and ranks 150
new ones. Printed, in per cent of pairs right, a mean over seeds:

- chose: what the number of steps was chosen by (in training, the accuracy beside each step);
- one, both: held-out folds, on pairs with one side that is new to the ranker, and with two, by the same ranker;
- leads: each performance scored by the ranker that had not seen it (`toprock.calibration.ranked_right`), and how often
  its 95 % interval holds the truth;
- truth: pairs of two new performances, by the model; and of a new one with one of the training.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

import numpy as np
import torch

from toprock.assess.model import Model
from toprock.comparisons import Pair, pairwise_accuracy
from toprock.features import FeatureStore, PerformanceFeatures, Recipe
from toprock.features.store import StreamFeatures
from toprock.ranker import Plan, TrainingConfig, train_from_store

RECIPE = Recipe("static", "made-up", {})
NEW = 150
SPREAD = 3.0
"""Standard deviation of the true ratings, logits."""
COLUMNS = ("chose", "one", "both", "leads", "truth", "truth, one", "holds")


def measure(seed: int, signal: float, performances: int, each: int, steps: int) -> list[float]:
    """The figures of one model, as in COLUMNS; NaN where there is none."""
    rng = np.random.default_rng(seed)
    names = [f"v{n:03}" for n in range(performances + NEW)]
    quality = dict(zip(names, rng.normal(size=len(names)).tolist(), strict=True))
    known, new = names[:performances], names[performances:]

    def judged(a: str, b: str) -> Pair:
        return Pair(a, b) if rng.random() < 1 / (1 + np.exp(-SPREAD * (quality[a] - quality[b]))) else Pair(b, a)

    couples = [(a, b) for n, a in enumerate(known) for b in known[:n]]
    rng.shuffle(couples)
    pairs = [judged(a, b) for a, b in couples[: each * performances // 2]]
    with tempfile.TemporaryDirectory() as folder:
        store = FeatureStore(Path(folder) / "features", create=True)
        store.add_recipes(RECIPE)
        for name in names:
            rows = rng.normal(size=(20, 6))
            rows[:, 0] += signal * quality[name]
            times = np.stack([np.arange(20.0), np.arange(20.0) + 1], 1)
            features = StreamFeatures(rows.astype(np.float32), times)
            store.write(PerformanceFeatures(name, {RECIPE: features}, {}))
        saved = train_from_store(store, pairs, plan=Plan(training=TrainingConfig(steps=steps), members=1))
        model = Model(saved)
        scores = {name: model.assess(store.read(name)).score for name in names}
    config = saved.config
    truth = pairwise_accuracy(scores, [judged(a, b) for n, a in enumerate(new) for b in new[:n]])
    tested, slopes = config.tested, config.slopes
    return [
        dict(config.curve)[config.steps],
        *(slopes[kind].accuracy if kind in slopes else np.nan for kind in ("one", "both")),
        tested.accuracy if tested else np.nan,
        truth,
        pairwise_accuracy(scores, [judged(a, b) for a in new for b in known]),
        tested.interval[0] <= truth <= tested.interval[1] if tested and tested.interval else np.nan,
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--performances", type=int, default=16)
    parser.add_argument("--each", type=int, default=10, help="comparisons that a performance takes part in")
    parser.add_argument("--seeds", type=int, default=12)
    parser.add_argument("--steps", type=int, default=120)
    parser.add_argument("--signal", type=float, nargs="+", default=[0.0, 0.3, 1.0])
    wanted = parser.parse_args()
    torch.set_num_threads(1)
    print(f"| signal | {' | '.join(COLUMNS)} |\n|{' --- |' * (1 + len(COLUMNS))}")
    for signal in wanted.signal:
        found = [measure(s, signal, wanted.performances, wanted.each, wanted.steps) for s in range(wanted.seeds)]
        means = np.nanmean(np.array(found), axis=0)
        print(f"| {signal:g} | {' | '.join(f'{100 * value:.0f}' for value in means)} |", flush=True)


if __name__ == "__main__":
    main()
