"""How much more comparisons would bring: the accuracy on held-out performances with a part of them, drawn on.

Source of the form: errors fall as a power of the number of examples (Hestness et al., "Deep learning scaling is
predictable, empirically", 2017).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from pydantic import BaseModel, ConfigDict

from toprock.calibration import HeldOut, Unseen
from toprock.comparisons import Pair, pair_outcomes

SHARES = (0.25, 0.5)
"""Of the comparisons, beside all of them."""
FEWEST = 20
"""Comparisons below which a part of them is too little to learn from."""
_RESAMPLES, _AT_ONCE = 1000, 4_000_000
_KINDS: tuple[Unseen, ...] = ("one", "both")


class LearningCurve(BaseModel):
    """Accuracy on pairs with a held-out performance, by how many comparisons were learnt from.

    Attributes:
        pairs: comparisons, rising; the last one is all.
        accuracy: with so many.
        twice: what twice as many between the same performances would likely bring, in accuracy; 95 % interval.
        gain: the same less the accuracy with all; with its 95 % interval.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    pairs: list[int]
    accuracy: list[float]
    twice: tuple[float, float, float]
    gain: tuple[float, float, float]

    def __str__(self) -> str:
        past = ", ".join(f"{n} comparisons {a:.1%}" for n, a in zip(self.pairs, self.accuracy, strict=True))
        gain, low, high = self.gain
        return (
            f"held-out pairs right with {past}; twice as many between the same performances would likely bring "
            f"{self.twice[0]:.1%} ({gain:+.1%}, 95 % interval {low:+.1%} to {high:+.1%})"
        )


def draw_on(folds: Mapping[float, Sequence[HeldOut]], pairs: Sequence[Pair], *, seed: int = 0) -> LearningCurve | None:
    """The curve and where it goes; None where a share was not measured on the folds that all of them were.

    Args:
        folds: share of the comparisons (1 is all) -> folds that learnt from it.
        pairs: of the training side.
        seed: of the resamples, over performances.
    """
    shares = sorted(folds)
    held = {fold.unseen for fold in folds[shares[0]]}
    kept = {share: [fold for fold in folds[share] if fold.unseen in held] for share in shares}
    if len({len(some) for some in kept.values()}) > 1 or not held:
        return None
    tested = [pair for fold in kept[1.0] for kind in _KINDS for pair, _ in fold.pairs(pairs, kind)]
    right = np.array(
        [
            [right for fold in kept[share] for kind in _KINDS for right in _outcomes(fold, pairs, kind)]
            for share in shares
        ]
    )  # (shares, N)
    ids = sorted({ident for pair in tested for ident in (pair.better, pair.worse)})
    place = {ident: row for row, ident in enumerate(ids)}
    better, worse = ([place[getattr(pair, side)] for pair in tested] for side in ("better", "worse"))
    weight = np.array([pair.weight for pair in tested])
    rng = np.random.default_rng(seed)
    drawn = rng.multinomial(len(ids), np.full(len(ids), 1 / len(ids)), size=_RESAMPLES)
    parts = []
    for some in np.array_split(drawn, max(1, len(drawn) * len(tested) // _AT_ONCE)):
        counts = some[:, better] * some[:, worse] * weight  # (resamples, N)
        counts = counts[counts.sum(1) > 0]
        parts.append((right @ counts.T) / counts.sum(1))
    sampled = np.concatenate(parts, axis=1)  # (shares, resamples)
    accuracy = right @ weight / weight.sum()
    ahead, many = _ahead(accuracy[:, None], shares)[0], _ahead(sampled, shares)
    gains = np.quantile(many - sampled[-1], [0.025, 0.975])
    ends = np.quantile(many, [0.025, 0.975])
    return LearningCurve(
        pairs=[round(share * len(pairs)) for share in shares],
        accuracy=accuracy.tolist(),
        twice=(float(ahead), float(ends[0]), float(ends[1])),
        gain=(float(ahead - accuracy[-1]), float(gains[0]), float(gains[1])),
    )


def _outcomes(fold: HeldOut, pairs: Sequence[Pair], kind: Unseen) -> list[float]:
    chosen = [pair for pair, _ in fold.pairs(pairs, kind)]
    return pair_outcomes(fold.scores, chosen).tolist() if chosen else []


def _ahead(accuracy: np.ndarray, shares: Sequence[float]) -> np.ndarray:
    """(N,): accuracy with twice as many, where errors (shares, N) fall as a power of the number of comparisons."""
    error = np.log(np.clip(1 - accuracy, 1e-3, None))
    x = np.log(np.array(shares))
    x = x - x.mean()
    power = np.minimum(0.0, (x @ (error - error.mean(0))) / (x @ x))
    found: np.ndarray = np.maximum(accuracy[-1], 1 - np.exp(error[-1] + power * np.log(2)))
    return found
