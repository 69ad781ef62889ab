"""How likely it is that the one that scores higher is the better one.

P(a is better than b) = 1 / (1 + exp(-slope * d)), d the difference of their scores: the Bradley-Terry model (Biometrika
39, 1952) with one slope, or temperature, for all pairs, fitted after training on pairs that the ranker had not seen, as
Guo et al., "On calibration of modern neural networks" (ICML 2017) do for classes. Two slopes are kept: pairs of a new
performance with a training performance are easier than pairs of two new ones.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from toprock.calibration.held_out import HeldOut, Unseen
from toprock.comparisons import Pair

LEVEL = 0.9
"""Share of the intervals that should hold what they are about."""
_NORMAL = 1.6448536269514722
"""A standard normal variable lies within +- this with a chance of LEVEL."""
COIN = 0.6
"""A chance below this is too close to call: fewer than six of ten such calls would be right."""
_FEWEST = 6
"""Held-out performances below which no chance is named."""


class Slope(BaseModel):
    """How fast a difference of scores becomes certainty.

    Attributes:
        slope: logits a spread of the training scores; 0 where scores of unseen performances tell nothing.
        error: its standard error.
        accuracy: share of the pairs ranked right.
        pairs, performances: that it was fitted on.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    slope: float = Field(ge=0)
    error: float = Field(ge=0)
    accuracy: float
    pairs: int
    performances: int

    @property
    def constant(self) -> float:
        """One confidence for every pair: the accuracy with half a performance more that is right and half that is not.

        Otherwise a few pairs that were all right would make it certain.
        """
        return (self.accuracy * self.performances + 0.5) / (self.performances + 1)

    def chance(self, difference: float, spread: float = 0.0) -> Chance:
        """The chance that the first is better.

        Args:
            difference: of the scores, in spreads of the training scores.
            spread: standard deviation of that difference over the members of an ensemble.

        >>> Slope(slope=2.0, error=0.2, accuracy=0.8, pairs=50, performances=20).chance(1.0).probability
        0.8807970779778823
        """
        logit = self.slope * difference
        reach = _NORMAL * math.hypot(self.error * difference, self.slope * spread)
        interval = (_sigmoid(logit - reach), _sigmoid(logit + reach))
        return Chance(probability=_sigmoid(logit), interval=interval)


class Chance(BaseModel):
    """A probability that the first of two is better, with a 90 % interval of that probability."""

    model_config = ConfigDict(frozen=True)

    probability: float
    interval: tuple[float, float]

    @property
    def too_close(self) -> bool:
        """Whether no winner should be named: it is little more than tossing a coin, or might be the other way round."""
        low, high = self.interval
        return max(self.probability, 1 - self.probability) < COIN or low <= 0.5 <= high


def fit_slope(
    folds: Sequence[HeldOut], pairs: Sequence[Pair], unseen: Unseen, groups: Mapping[str, str] | None = None
) -> Slope | None:
    """Fit one slope on pairs that rankers had not seen; None where fewer than 6 performances are among them.

    By maximum likelihood, with half a pair more that is won and half a pair that is lost at the typical distance, so
    that a few pairs that happen to be all right do not make certainty (Krichevsky and Trofimov, IEEE Transactions on
    Information Theory 27, 1981). All pairs together count as much as there are performances, and the standard error is
    that of Aronow et al. (Political Analysis 23, 2015): pairs that share a performer stand and fall together.

    Args:
        folds: of a cross-validation.
        pairs: of the training side.
        unseen: how many sides of a pair are new to the ranker.
        groups: id -> performer; those that are not named stand alone.

    >>> fold = HeldOut({i: float(place) for place, i in enumerate("abcdefgh")}, frozenset("abcdefgh"))
    >>> pairs = [Pair(*sorted((a, b), reverse=True)) for a in "abcdefgh" for b in "abcdefgh" if a < b]
    >>> found = fit_slope([fold], pairs, "both")
    >>> found.pairs, found.slope > 0.5
    (28, True)
    """
    chosen = [(pair, d) for fold in folds for pair, d in fold.pairs(pairs, unseen)]
    ids = sorted({ident for pair, _ in chosen for ident in (pair.better, pair.worse)})
    if len(ids) < _FEWEST:
        return None
    difference = np.array([d for _, d in chosen])
    weight = np.array([pair.weight for pair, _ in chosen])
    weight = weight / weight.sum() * len(ids)
    typical = max(float(np.sqrt(np.average(difference**2, weights=weight))), 1e-6)
    slope = _maximum(np.append(difference, [typical, -typical]), np.append(weight, [0.5, 0.5]))
    right = np.where(difference == 0, 0.5, difference > 0)
    return Slope(
        slope=slope,
        error=_error(slope, difference, weight, [pair for pair, _ in chosen], groups or {}),
        accuracy=float(np.average(right, weights=weight)),
        pairs=len(chosen),
        performances=len(ids),
    )


def _maximum(difference: np.ndarray, weight: np.ndarray) -> float:
    """The slope of the greatest likelihood, at least 0; the likelihood is concave."""
    from scipy.optimize import minimize_scalar

    most = 50.0 / float(np.abs(difference).max())

    def loss(slope: float) -> float:
        return float(weight @ np.logaddexp(0, -slope * difference))

    found = minimize_scalar(loss, bounds=(0.0, most), method="bounded", options={"xatol": 1e-6}).x
    return 0.0 if loss(0.0) <= loss(found) else float(found)


def _error(
    slope: float, difference: np.ndarray, weight: np.ndarray, pairs: Sequence[Pair], groups: Mapping[str, str]
) -> float:
    chance = 1 / (1 + np.exp(np.clip(-slope * difference, -50, 50)))
    pull = weight * difference * (1 - chance)
    curve = float((weight * difference**2 * chance * (1 - chance)).sum())
    by_group: dict[str, float] = {}
    for pair, value in zip(pairs, pull.tolist(), strict=True):
        for group in {groups.get(ident, ident) for ident in (pair.better, pair.worse)}:
            by_group[group] = by_group.get(group, 0.0) + value
    return math.sqrt(sum(value**2 for value in by_group.values())) / max(curve, 1e-6)


def _sigmoid(logit: float) -> float:
    return 1 / (1 + math.exp(-max(-700.0, min(700.0, logit))))


def fit_slopes(
    folds: Sequence[HeldOut], pairs: Sequence[Pair], groups: Mapping[str, str] | None = None
) -> dict[Unseen, Slope]:
    """The slopes of pairs with one unseen side and with two, where each can be fitted; see `fit_slope`."""
    kinds: tuple[Unseen, ...] = ("one", "both")
    return {kind: slope for kind in kinds if (slope := fit_slope(folds, pairs, kind, groups)) is not None}
