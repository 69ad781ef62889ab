"""A scale that people read, with an interval: what a score says among the training performances.

Where a score lies among other scores says less than it seems: the best of 200 scores is often not the best of 200
performances. So the scale from 0 to 100 tells the *quality* that a score stands for: the share of training performances
that are worse by their comparisons. Its interval is calibrated on performances that were scored by rankers that had not
seen them: of all sets of qualities that hold the truth nine times of ten, the one that is shortest on the mean, by a
threshold on the predicted density (after HPD-split: Izbicki et al., "CD-split and HPD-split", JMLR 23, 2022). Nine of
ten such intervals are to hold the truth for performances like the training ones; docs/results.md has what was measured.
The order by comparisons is what is taken for true: where some performances were never compared with the rest, even
through others, both parts are taken to be equally good, which `TrainingScale.parts` tells.

Where judges gave marks, the scale is theirs: isotonic regression (Barlow et al., 1972) of marks on scores, and an
interval from how far each mark lies from what the others would tell (jackknife: Barber et al., Annals of Statistics 49,
2021).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, model_validator

from toprock.calibration.chance import LEVEL

_FEWEST = 9
"""Held-out performances below which 90 % can be promised by nothing but the whole scale."""

_KNOWS_NOTHING = 0.97
_LEAST_SPREAD = 0.02

Scale = Literal["training", "marks"]


class Scaled(BaseModel):
    """A score on a scale that people read.

    Attributes:
        value: where it most likely lies.
        low, high: the 90 % interval.
        scale: `training`: share (0 to 100) of training performances that are worse; `marks`: the judges' own scale.
    """

    model_config = ConfigDict(frozen=True)

    value: float
    low: float
    high: float
    scale: Scale


class TrainingScale(BaseModel):
    """From a standardised score to the share of training performances that are worse; kept with the model.

    A quality is read as a normal score: 0 is the middle of the training performances, 1 is better than 84 % of them.
    That of a score s is normal with mean `at` + `slope` * s and standard deviation `spread`.

    Attributes:
        at, slope, spread: see above. A spread of 1 says that scores tell nothing.
        reach: of the interval: how unlikely, in logarithms, a quality in it may be.
        among: training performances.
        held_out: of them, those that this was fitted on.
        parts: into which the comparisons fall, none compared with another.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    at: float
    slope: float = Field(ge=0)
    spread: float = Field(gt=0)
    reach: float = Field(ge=0)
    among: int = Field(gt=0)
    held_out: int
    parts: int = 1

    def scaled(self, score: float) -> Scaled:
        """Read a standardised score.

        >>> TrainingScale(at=0, slope=1, spread=0.5, reach=1, among=50, held_out=50).scaled(0.0).value
        50.0
        """
        mean = self.at + self.slope * score
        low, high = (_percent(end) for end in self._interval(mean))
        step = 50 / self.among  # half of what one performance is worth: nearer to an end is that end
        low, high = (0.0 if low < step else low), (100.0 if high > 100 - step else high)
        return Scaled(value=_percent(mean), low=low, high=high, scale="training")

    def _interval(self, mean: float) -> tuple[float, float]:
        """Normal scores z with (z - mean)^2 / (2 spread^2) - z^2 / 2 <= reach: where a share's density is high."""
        if self.spread > _KNOWS_NOTHING:
            return -math.inf, math.inf
        bend, middle = 1 / self.spread**2 - 1, mean / self.spread**2
        root = math.sqrt(max(0.0, mean**2 / self.spread**2 + 2 * self.reach * bend))
        return (middle - root) / bend, (middle + root) / bend


class MarksScale(BaseModel):
    """From a standardised score to the judges' own marks; kept with the model.

    Attributes:
        scores, marks: the map, at rising scores; straight between them and flat outside.
        margin: half of the interval's width, in marks.
        held_out: performances that this was fitted on.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    scores: list[float] = Field(min_length=1)
    marks: list[float] = Field(min_length=1)
    margin: float = Field(ge=0)
    held_out: int

    @model_validator(mode="after")
    def _rising(self) -> MarksScale:
        if len(self.scores) != len(self.marks) or sorted(self.scores) != self.scores:
            raise ValueError("the scale of marks does not rise")
        return self

    def scaled(self, score: float) -> Scaled:
        """Read a standardised score.

        >>> MarksScale(scores=[-1, 1], marks=[10, 30], margin=4, held_out=50).scaled(0.0)
        Scaled(value=20.0, low=16.0, high=24.0, scale='marks')
        """
        value = float(np.interp(score, self.scores, self.marks))
        return Scaled(value=value, low=value - self.margin, high=value + self.margin, scale="marks")


def fit_training_scale(
    held_out: Mapping[str, float], ratings: Mapping[str, float], *, parts: int = 1
) -> TrainingScale | None:
    """The scale of the training performances; None where fewer than nine were held out.

    Args:
        held_out: id -> standardised score by a ranker that had not seen it.
        ratings: id -> rating of every training performance by its comparisons; only their order matters.
        parts: into which the comparisons fall.

    >>> scores = {str(i): float(i) for i in range(20)}
    >>> fit_training_scale(scores, scores).scaled(9.5).value
    50.0
    """
    ids = [ident for ident in held_out if ident in ratings]
    if len(ids) < _FEWEST:
        return None
    normal = _normal_scores(ratings)
    x, y = np.array([held_out[i] for i in ids]), np.array([normal[i] for i in ids])
    varies = float(x.var())
    slope = max(0.0, float(np.cov(x, y, ddof=0)[0, 1]) / varies) if varies > 1e-12 else 0.0
    at = float(y.mean() - slope * x.mean())
    leverage = 1 / len(ids) + (x - x.mean()) ** 2 / max(len(ids) * varies, 1e-12)
    away = (y - at - slope * x) / np.clip(1 - leverage, 0.1, None)  # as if the line were fitted without it
    spread = max(float(np.sqrt((away**2).mean())), _LEAST_SPREAD)
    reach = _conformal(away**2 / (2 * spread**2) - y**2 / 2)
    return TrainingScale(
        at=at,
        slope=slope,
        spread=spread,
        reach=max(0.0, reach),
        among=len(ratings),
        held_out=len(ids),
        parts=parts,
    )


def fit_marks(held_out: Mapping[str, float], marks: Mapping[str, float]) -> MarksScale | None:
    """The judges' own scale; None where fewer than nine held-out performances have a mark, or marks do not rise.

    Marks that are all one, or run against the scores, tell nothing of new performances.

    >>> scores = {str(i): float(i) for i in range(20)}
    >>> fit_marks(scores, {ident: 2 * value for ident, value in scores.items()}).scaled(7.5).value
    15.0
    """
    from scipy.optimize import isotonic_regression

    ids = sorted((ident for ident in held_out if ident in marks), key=lambda ident: held_out[ident])
    if len(ids) < _FEWEST:
        return None
    x, y = np.array([held_out[i] for i in ids]), np.array([marks[i] for i in ids])

    def knots(keep: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        fitted = isotonic_regression(y[keep]).x
        blocks = np.flatnonzero(np.diff(fitted, prepend=-np.inf))
        middle = [part.mean() for part in np.split(x[keep], blocks[1:])]
        return np.array(middle), fitted[blocks]

    everyone = np.ones(len(ids), dtype=bool)
    left_out = []
    for row in range(len(ids)):
        others = everyone.copy()
        others[row] = False
        left_out.append(abs(y[row] - np.interp(x[row], *knots(others))))
    scores, values = knots(everyone)
    if len(values) < 2:
        return None
    return MarksScale(
        scores=scores.tolist(),
        marks=values.tolist(),
        margin=_conformal(np.array(left_out)),
        held_out=len(ids),
    )


def _normal_scores(ratings: Mapping[str, float]) -> dict[str, float]:
    from scipy.special import ndtri
    from scipy.stats import rankdata

    ids = sorted(ratings)
    share = (rankdata([ratings[i] for i in ids]) - 0.5) / len(ids)
    return dict(zip(ids, ndtri(share).tolist(), strict=True))


def _conformal(misfits: np.ndarray) -> float:
    """What LEVEL of the misfits of new performances stay below: the ceil((n + 1) LEVEL)-th smallest."""
    place = math.ceil((len(misfits) + 1) * LEVEL)
    return float(np.sort(misfits)[min(place, len(misfits)) - 1])


def _percent(normal: float) -> float:
    return 50 * math.erfc(-normal / math.sqrt(2))
