"""The simplest learner that could work: a linear Bradley-Terry model on pooled statistics of the features."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from toprock.comparisons import Pair, pairwise_accuracy
from toprock.peers.learner import Scorer, TrainingSide, Watch
from toprock.ranker.batch import Arrays
from toprock.ranker.choosing import choosing_folds, performer_groups

PENALTIES = (1e-4, 1e-3, 1e-2, 1e-1, 1.0, 10.0)


@dataclass(frozen=True)
class LinearModel:
    """score = weights . (pooled - mean) / spread; all (D,)."""

    mean: np.ndarray
    spread: np.ndarray
    weights: np.ndarray

    def scores(self, data: Mapping[str, Arrays]) -> dict[str, float]:
        """id -> score."""
        return {
            ident: float(((pooled(arrays) - self.mean) / self.spread) @ self.weights) for ident, arrays in data.items()
        }


def pooled(arrays: Arrays) -> np.ndarray:
    """Mean and standard deviation over the segments of each feature of each stream, in one vector."""
    parts = []
    for stream in sorted(arrays):
        x = arrays[stream].astype(np.float64)
        parts += [x.mean(0), x.std(0)]
    return np.concatenate(parts)


def fit_linear(
    data: Mapping[str, Arrays], pairs: Sequence[Pair], groups: Mapping[str, str], *, seed: int = 0
) -> LinearModel:
    """Fit with a ridge penalty that cross-validation chooses on the training side, performers kept apart.

    Args:
        data: id -> features of the training performances; all have the same streams.
        pairs: among them.
        groups: id -> performer.
        seed: of the split.
    """
    ids = sorted({ident for p in pairs for ident in (p.better, p.worse)})
    x = np.stack([pooled(data[ident]) for ident in ids])
    won = [p for p in pairs if not p.tie]
    right = dict.fromkeys(PENALTIES, 0.0)
    for held in choosing_folds(performer_groups(ids, groups), seed=seed):
        outside = {ids[row] for row in held}
        inside = [p for p in won if p.better not in outside and p.worse not in outside]
        test = [p for p in won if p.better in outside or p.worse in outside]
        if not inside or not test:
            continue
        kept = [row for row, ident in enumerate(ids) if ident not in outside]
        for penalty in PENALTIES:
            model = _fit(x[kept], [ids[row] for row in kept], inside, penalty)
            values = ((x - model.mean) / model.spread) @ model.weights
            right[penalty] += pairwise_accuracy(dict(zip(ids, values, strict=True)), test) * sum(p.weight for p in test)
    best = max(PENALTIES, key=lambda penalty: (right[penalty], penalty))
    return _fit(x, ids, won, best)


@dataclass(frozen=True)
class Linear:
    """`fit_linear` as a learner; there is nothing to watch, it is solved in one go."""

    @property
    def settings(self) -> dict[str, Any]:
        """Its ridge penalties."""
        return {"penalties": list(PENALTIES)}

    def __call__(self, side: TrainingSide, *, seed: int, watch: Watch | None = None) -> Scorer:
        """Fit it."""
        return fit_linear(side.data, side.pairs, side.performers, seed=seed).scores


def _fit(x: np.ndarray, ids: Sequence[str], pairs: Sequence[Pair], penalty: float) -> LinearModel:
    """Minimise mean softplus(-(s_i - s_j)) + penalty / 2 |w|^2 with w in the span of the performances."""
    from scipy.optimize import minimize

    mean, spread = x.mean(0), x.std(0)
    spread = np.where(spread > 1e-6, spread, np.inf)
    z = (x - mean) / spread / np.sqrt(x.shape[1])
    u, s, vt = np.linalg.svd(z, full_matrices=False)
    base = u * s  # (N, rank): the same inner products as z in few columns
    place = {ident: i for i, ident in enumerate(ids)}
    difference = np.stack([base[place[p.better]] - base[place[p.worse]] for p in pairs])
    weight = np.array([p.weight for p in pairs])
    weight = weight / weight.sum()

    def loss(w: np.ndarray) -> tuple[float, np.ndarray]:
        margin = difference @ w
        value = weight @ np.logaddexp(0, -margin) + penalty / 2 * w @ w
        pull = -weight / (1 + np.exp(np.clip(margin, -50, 50)))
        return float(value), difference.T @ pull + penalty * w

    found = minimize(loss, np.zeros(base.shape[1]), jac=True, method="L-BFGS-B")
    return LinearModel(mean, spread, vt.T @ found.x / np.sqrt(x.shape[1]))
