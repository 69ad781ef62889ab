"""How much each stream counts in the sum: late fusion weighted by how well each one ranks performances it has not seen.

A stream that tells little is learnt by heart on the training performances, and its noise then drowns the other
stream on new ones. Only performances held out show it, so the weights are fitted there. Ours.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from toprock.backbones.base import Stream
from toprock.comparisons import Pair
from toprock.ranker.model import Ranker


def stream_gains(held_out: Mapping[str, Sequence[float]], pairs: Sequence[Pair]) -> list[float]:
    """Gains above 0, one a stream, whose geometric mean is 1.

    Minimises, over gains g and one scale c, the logistic loss of c g . (s_i - s_j) on the pairs, counted as one
    observation a performance, plus half the squared log of each gain: with few performances every stream stays near 1.

    Args:
        held_out: id -> score of each stream by a ranker that had not seen the performance.
        pairs: those with both sides in `held_out` count; without any, every gain is 1.

    >>> seen = {"a": (1.0, 0.5), "b": (0.5, -2.0), "c": (0.0, 2.0), "d": (-1.0, -0.5)}
    >>> first, second = stream_gains(seen, [Pair("a", "b"), Pair("b", "c"), Pair("c", "d"), Pair("a", "d")])
    >>> first > 1 > second
    True
    """
    from scipy.optimize import minimize

    inside = [p for p in pairs if not p.tie and p.better in held_out and p.worse in held_out]
    streams = len(next(iter(held_out.values()), ()))
    if streams < 2 or not inside:
        return [1.0] * streams
    difference = np.array([np.subtract(held_out[p.better], held_out[p.worse]) for p in inside])  # (N, R)
    weight = np.array([p.weight for p in inside])
    weight = weight / weight.sum() * len({ident for p in inside for ident in (p.better, p.worse)})

    def loss(log_weights: np.ndarray) -> float:
        prior = ((log_weights - log_weights.mean()) ** 2).sum() / 2
        return float(weight @ np.logaddexp(0, -difference @ np.exp(log_weights)) + prior)

    found = minimize(loss, np.zeros(streams), method="L-BFGS-B", bounds=[(-6, 6)] * streams).x
    return np.exp(found - found.mean()).tolist()


def apply_gains(ranker: Ranker, gains: Mapping[Stream, float]) -> None:
    """Scale what each stream says, in place; its value maps are linear, so scores and evidence scale alike."""
    for stream, gain in gains.items():
        ranker.stream(stream).scale(gain)
