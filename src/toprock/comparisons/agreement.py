"""How well scores agree with pairs: pairwise accuracy, and its interval by bootstrap over performances."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from toprock.comparisons.pairs import Pair

_AT_ONCE = 4_000_000
"""Counts of pairs in memory, of all resamples."""


def pair_outcomes(scores: Mapping[str, float], pairs: Sequence[Pair]) -> np.ndarray:
    """1 where the better one scores higher, 0.5 where both score the same, else 0; (N,). Pass no ties."""
    difference = np.array([scores[p.better] - scores[p.worse] for p in pairs])
    return np.where(difference == 0, 0.5, (difference > 0).astype(float))


def pairwise_accuracy(scores: Mapping[str, float], pairs: Sequence[Pair]) -> float:
    """Weighted share of pairs ranked right; ties of the scores count 0.5, pairs judged a tie do not count.

    NaN where no pair has a winner.

    >>> pairwise_accuracy({"a": 2.0, "b": 1.0, "c": 1.0}, [Pair("a", "b"), Pair("b", "c")])
    0.75
    """
    won = [p for p in pairs if not p.tie]
    if not won:
        return float("nan")
    return float(np.average(pair_outcomes(scores, won), weights=[p.weight for p in won]))


def bootstrap_interval(
    outcomes: np.ndarray,
    pairs: Sequence[Pair],
    *,
    resamples: int = 2000,
    level: float = 0.95,
    seed: int = 0,
) -> tuple[float, float]:
    """Interval of the mean of `outcomes` (N,) of pairs, by drawing performances anew with replacement.

    A pair counts as often as both of its performances were drawn together. Pairs of one performance share its
    luck, so an interval over pairs would be far too narrow. Resamples without any pair are left out.
    """
    if not len(pairs):
        return (float("nan"), float("nan"))
    ids = sorted({ident for p in pairs for ident in (p.better, p.worse)})
    place = {ident: i for i, ident in enumerate(ids)}
    better = np.array([place[p.better] for p in pairs])
    worse = np.array([place[p.worse] for p in pairs])
    weight = np.array([p.weight for p in pairs])
    rng = np.random.default_rng(seed)
    drawn = rng.multinomial(len(ids), np.full(len(ids), 1 / len(ids)), size=resamples)
    found = []
    for some in np.array_split(drawn, max(1, len(drawn) * len(pairs) // _AT_ONCE)):
        counts = some[:, better] * some[:, worse] * weight
        total = counts.sum(1)
        found.append((counts @ outcomes)[total > 0] / total[total > 0])
    means = np.concatenate(found)
    if not len(means):
        return (float("nan"), float("nan"))
    low, high = np.quantile(means, [(1 - level) / 2, (1 + level) / 2])
    return (float(low), float(high))
