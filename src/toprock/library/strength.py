"""Ratings of performances with the errors of all of them together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

_PRIOR = 0.1


@dataclass(frozen=True, eq=False)
class Strength:
    """Ratings (n,) in log-odds, and their covariance (n, n)."""

    rating: np.ndarray
    covariance: np.ndarray

    @property
    def gap(self) -> np.ndarray:
        """(n, n) how much better the row's one is than the column's one."""
        return self.rating[:, None] - self.rating[None]

    @property
    def spread(self) -> np.ndarray:
        """(n, n) the standard error of that."""
        own = np.diag(self.covariance)
        return np.sqrt(np.maximum(own[:, None] + own[None] - 2 * self.covariance, 1e-12))


def strength(place: Mapping[str, int], judgments: Sequence[Any]) -> Strength:
    """Bradley-Terry ratings; `place` numbers the performances, and judgments have left, right, outcome and weight."""
    n = len(place)
    left = np.array([place[one.left] for one in judgments], dtype=int)
    right = np.array([place[one.right] for one in judgments], dtype=int)
    share = np.array([{"left": 1.0, "right": 0.0}.get(one.outcome, 0.5) for one in judgments])
    weight = np.array([one.weight for one in judgments], dtype=float)
    rating = np.zeros(n)
    hessian = np.eye(n)
    for _ in range(50):
        chance = 1 / (1 + np.exp(np.clip(rating[right] - rating[left], -30, 30)))
        pull, curve = weight * (share - chance), weight * chance * (1 - chance)
        gradient = -_PRIOR * rating + np.bincount(left, pull, n) - np.bincount(right, pull, n)
        apart = np.bincount(left * n + right, curve, n * n).reshape(n, n)
        apart = apart + apart.T
        hessian = np.diag(apart.sum(1) + _PRIOR) - apart
        step = np.linalg.solve(hessian, gradient)
        rating += np.clip(step, -2, 2)
        if np.abs(step).max(initial=0.0) < 1e-6:
            break
    return Strength(rating, np.linalg.inv(hessian))
