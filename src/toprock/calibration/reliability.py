"""Whether chances come true: calibration error, Brier score and log loss, beside a model that is not calibrated and
beside one constant confidence.

Source: Guo et al., "On calibration of modern neural networks" (ICML 2017) for the expected calibration error.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from toprock.comparisons import Pair, bootstrap_interval

BINS = 10


@dataclass(frozen=True)
class Bin:
    """Pairs whose named winner was given a chance between `low` and `high`.

    Attributes:
        confidence: mean chance given to the named winner; None where the bin is empty.
        right: share of them that the named winner won; None where the bin is empty.
        pairs: how many.
    """

    low: float
    high: float
    confidence: float | None
    right: float | None
    pairs: int


@dataclass(frozen=True)
class Figures:
    """Expected calibration error in ten bins of equal width, Brier score and log loss: lower is better."""

    ece: float
    brier: float
    log_loss: float


@dataclass(frozen=True)
class Reliability:
    """How well chances came true on pairs.

    Attributes:
        pairs: how many.
        calibrated: of the chances named.
        uncalibrated: of sigmoid(difference of raw scores), as if a score were a logit.
        constant: of one confidence for every pair, the accuracy on held-out pairs of the training side.
        over_uncalibrated, over_constant: metric -> calibrated less the other, mean and 95 % interval over performances.
        bins: the reliability diagram of the calibrated chances.
    """

    pairs: int
    calibrated: Figures
    uncalibrated: Figures
    constant: Figures
    over_uncalibrated: dict[str, tuple[float, float, float]]
    over_constant: dict[str, tuple[float, float, float]]
    bins: list[Bin]

    def to_json(self) -> dict[str, Any]:
        """The documented JSON object."""
        kinds = {"calibrated": self.calibrated, "uncalibrated": self.uncalibrated, "constant": self.constant}
        return {
            "pairs": self.pairs,
            **{name: vars(figures) for name, figures in kinds.items()},
            "over_uncalibrated": self.over_uncalibrated,
            "over_constant": self.over_constant,
            "bins": [vars(one) for one in self.bins],
        }


def reliability(
    calibrated: ArrayLike, uncalibrated: ArrayLike, constant: ArrayLike, pairs: Sequence[Pair]
) -> Reliability:
    """Measure the chances that three ways of telling give to the true winner of each pair.

    Args:
        calibrated, uncalibrated, constant: (N,) chance that the better one of a pair is better; 0.5 names no winner.
        pairs: (N,), without ties.

    >>> found = reliability([0.9, 0.8], [0.6, 0.6], [0.7, 0.7], [Pair("a", "b"), Pair("c", "d")])
    >>> round(found.calibrated.brier, 3), found.bins[9].pairs
    (0.025, 1)
    """
    ways = [np.asarray(chances, dtype=np.float64) for chances in (calibrated, uncalibrated, constant)]
    weight = np.array([pair.weight for pair in pairs])

    def compared(other: np.ndarray) -> dict[str, tuple[float, float, float]]:
        found = {}
        for name, loss in (("brier", _brier), ("log_loss", _log_loss)):
            less = loss(ways[0]) - loss(other)
            found[name] = (float(np.average(less, weights=weight)), *bootstrap_interval(less, pairs))
        return found

    one, two, three = (
        Figures(
            expected_calibration_error(chances, weight),
            float(np.average(_brier(chances), weights=weight)),
            float(np.average(_log_loss(chances), weights=weight)),
        )
        for chances in ways
    )
    bins = _bins(ways[0], weight)
    return Reliability(len(pairs), one, two, three, compared(ways[1]), compared(ways[2]), bins)


def expected_calibration_error(chances: np.ndarray, weight: np.ndarray) -> float:
    """Mean over pairs of |confidence - share right| of their bin.

    Args:
        chances: (N,) that the better one of each pair was given.
        weight: (N,) of the pairs.

    >>> round(expected_calibration_error(np.array([0.8, 0.8, 0.8, 0.2]), np.ones(4)), 3)
    0.05
    """
    confidence, right, place = _named(chances)
    total = 0.0
    for number in range(BINS):
        here = place == number
        if here.any():
            total += abs(float(weight[here] @ (confidence[here] - right[here])))
    return total / float(weight.sum())


def _named(chances: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Chance of the named winner, whether it won, and its bin; (N,) each."""
    confidence = np.maximum(chances, 1 - chances)
    right = np.where(chances == 0.5, 0.5, chances > 0.5)
    return confidence, right, np.minimum((confidence * BINS + 1e-9).astype(int), BINS - 1)


def _bins(chances: np.ndarray, weight: np.ndarray) -> list[Bin]:
    confidence, right, place = _named(chances)
    found = []
    for number in range(BINS):
        here = place == number
        named, won = (
            float(np.average(x[here], weights=weight[here])) if here.any() else None for x in (confidence, right)
        )
        found.append(Bin(number / BINS, (number + 1) / BINS, named, won, int(here.sum())))
    return found


def _brier(chances: np.ndarray) -> np.ndarray:
    return (1 - chances) ** 2


def _log_loss(chances: np.ndarray) -> np.ndarray:
    return -np.log(np.clip(chances, 1e-12, 1.0))
