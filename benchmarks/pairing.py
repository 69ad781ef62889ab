"""How many comparisons choosing the next pair saves against drawing pairs at random.

    python benchmarks/pairing.py [--performances 100] [--seeds 20] [--first-seed 1] [--only ...]

True ratings are drawn from a normal distribution, answers from the Bradley-Terry model (or Davidson's, with ties).
Random pairing draws among the pairs that the annotator has not judged. Both are rated by `rate` with its defaults, and
compared by Spearman's rank correlation with the truth, a mean over seeds. Printed is the share of random pairing's
comparisons after which the other reaches the same mean, read off the mean curve between steps of 10 comparisons, with a
95 % interval by bootstrap over seeds. "10 each" means that performances took part in 10 comparisons each on average:
5 times as many comparisons as performances.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from toprock.comparisons import Pair, next_pair, rank_gain, rate
from toprock.comparisons.davidson import chances, information

EACH = (5, 10, 20)
STEP = 10
RESAMPLES = 2000


@dataclass(frozen=True)
class Setting:
    """Whom and what is judged.

    Attributes:
        spread: standard deviation of the true ratings, logits.
        tie: Davidson's nu.
        annotators: who judge at the same time, each with a pair open while the others answer.
        careless: share of answers that are tosses of a coin.
    """

    spread: float
    tie: float = 0.0
    annotators: int = 1
    careless: float = 0.0


def information_gain(values: np.ndarray, covariance: np.ndarray, tie: float) -> np.ndarray:
    """Fall in the entropy of the ratings (D-optimality)."""
    difference, variance = apart(values, covariance)
    return np.log1p(information(difference / np.sqrt(1 + np.pi * variance / 8), tie) * variance)


def rating_gain(values: np.ndarray, covariance: np.ndarray, tie: float) -> np.ndarray:
    """Fall in the sum of the variances of the ratings (A-optimality)."""
    difference, variance = apart(values, covariance)
    products = covariance @ covariance
    size = np.diag(products)
    told = information(difference / np.sqrt(1 + np.pi * variance / 8), tie)
    return told / (1 + told * variance) * (size[:, None] + size - 2 * products)


def nearness(values: np.ndarray, covariance: np.ndarray, tie: float) -> np.ndarray:
    """Like standing, and nothing else."""
    return -np.abs(apart(values, covariance)[0])


def apart(values: np.ndarray, covariance: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Differences of ratings and their variances."""
    own = np.diag(covariance)
    return values[:, None] - values, np.maximum(own[:, None] + own - 2 * covariance, 1e-9)


ROWS: dict[str, tuple[str, Setting, Callable[..., np.ndarray]]] = {
    "sd2": ("sd 2", Setting(2), rank_gain),
    "sd1": ("sd 1", Setting(1), rank_gain),
    "sd4": ("sd 4", Setting(4), rank_gain),
    "ties": ("sd 2, a quarter of the answers on equals are ties", Setting(2, tie=0.67), rank_gain),
    "two": (
        "sd 2, two annotators at once, a tenth of answers a toss",
        Setting(2, annotators=2, careless=0.1),
        rank_gain,
    ),
    "information": ("sd 2, information about ratings", Setting(2), information_gain),
    "ratings": ("sd 2, variance of ratings", Setting(2), rating_gain),
    "nearness": ("sd 2, nearest standing", Setting(2), nearness),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--performances", type=int, default=100)
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--first-seed", type=int, default=1)
    parser.add_argument("--only", nargs="*", choices=list(ROWS), default=list(ROWS))
    options = parser.parse_args()
    seeds = range(options.first_seed, options.first_seed + options.seeds)
    print("| true ratings | " + " | ".join(f"{each} each: random's Spearman, share needed" for each in EACH) + " |")
    print("| --- |" + " --- |" * len(EACH))
    for name in options.only:
        label, setting, gain = ROWS[name]
        print(f"| {label} | " + " | ".join(row(setting, gain, options.performances, seeds)) + " |", flush=True)


def row(setting: Setting, gain: Callable[..., np.ndarray], count: int, seeds: range) -> list[str]:
    """Cells of one setting: what random pairing reaches, and the share of its comparisons that `gain` needs."""
    budgets = [each * count // 2 for each in EACH]
    random = np.array([curve(setting, count, seed, None, budgets[-1]) for seed in seeds])
    active = np.array([curve(setting, count, seed, gain, budgets[-1]) for seed in seeds])
    cells = []
    for budget in budgets:
        target = random[:, budget // STEP - 1].mean()
        share, low, high = share_needed(active, random, budget)
        cells.append(f"{target:.3f}, {share:.2f} ({low:.2f} to {high:.2f})")
    return cells


def curve(
    setting: Setting, count: int, seed: int, gain: Callable[..., np.ndarray] | None, comparisons: int
) -> list[float]:
    """Spearman with the truth after every STEP comparisons; pairs are random where `gain` is None."""
    from scipy.stats import spearmanr

    truth_rng, rng = np.random.default_rng(seed), np.random.default_rng([seed, gain is None])
    truth = truth_rng.normal(size=count) * setting.spread
    ids = [f"{number}" for number in range(count)]
    judged: list[Pair] = []
    shown: list[tuple[str, str, str]] = []
    reached = []
    while len(judged) < comparisons:
        while len(shown) < setting.annotators:
            who = f"{(len(judged) + len(shown)) % setting.annotators}"
            shown.append((who, *choose(ids, judged, who, rng, [pair for _, *pair in shown], gain)))
        who, left, right = shown.pop(0)
        judged.append(answer(left, right, who, truth, setting, rng))
        if len(judged) % STEP == 0:
            standings = rate(judged, ids).standings
            reached.append(float(spearmanr([standings[ident].value for ident in ids], truth)[0]))
    return reached


def choose(
    ids: list[str],
    judged: list[Pair],
    annotator: str,
    rng: np.random.Generator,
    shown: list[list[str]],
    gain: Callable[..., np.ndarray] | None,
) -> tuple[str, str]:
    """The next pair, drawn at random where there is no gain to go by."""
    if gain is not None:
        pair = next_pair(ids, judged, annotator=annotator, rng=rng, avoid=shown, gain=gain)
        assert pair is not None
        return pair
    done = {frozenset((p.better, p.worse)) for p in judged if p.annotator == annotator} | {frozenset(p) for p in shown}
    while True:
        first, second = rng.choice(len(ids), 2, replace=False)
        if frozenset((ids[first], ids[second])) not in done:
            return ids[first], ids[second]


def answer(
    left: str, right: str, annotator: str, truth: np.ndarray, setting: Setting, rng: np.random.Generator
) -> Pair:
    """One judgement drawn from the model."""
    win, lose, _ = chances(truth[int(left)] - truth[int(right)], setting.tie)
    drawn = rng.uniform()
    if rng.uniform() < setting.careless:
        win, lose = 0.5, 0.5
    better, worse = (left, right) if drawn < win else (right, left)
    return Pair(better, worse, tie=bool(drawn > win + lose), annotator=annotator)


def share_needed(active: np.ndarray, random: np.ndarray, budget: int) -> tuple[float, float, float]:
    """Share of `budget` after which the mean of `active` (seeds, steps) is what `random` has there; its interval."""

    def share(of: np.ndarray) -> float:
        mean = np.concatenate([[0.0], active[of].mean(0)])
        target = random[of, budget // STEP - 1].mean()
        if mean.max() < target:
            return float("inf")
        after = int(np.argmax(mean >= target))
        between = (target - mean[after - 1]) / (mean[after] - mean[after - 1])
        return (after - 1 + between) * STEP / budget

    rng = np.random.default_rng(0)
    drawn = [share(rng.integers(len(active), size=len(active))) for _ in range(RESAMPLES)]
    low, high = np.quantile(drawn, [0.025, 0.975], method="nearest")
    return share(np.arange(len(active))), float(low), float(high)


if __name__ == "__main__":
    main()
