"""Davidson's model of comparisons with ties, fitted to judgements.

P(a is called better than b) = exp(d/2) / Z, P(tie) = nu / Z, with d = r_a - r_b and Z = exp(d/2) + exp(-d/2) + nu:
Davidson, "On extending the Bradley-Terry model to accommodate ties in paired comparison experiments", Journal of the
American Statistical Association 65 (1970). Without ties nu is 0, and it is the model of Bradley and Terry.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from toprock.comparisons.pairs import Pair

_DENSE = 300
"""Numbers to fit up to which one factorisation is quicker than conjugate gradients."""


@dataclass(frozen=True)
class Judgements:
    """Judgements as arrays.

    Attributes:
        ids: whom they are about, those never judged included.
        better, worse: places in `ids`, (N,); their order means nothing in a tie.
        tie: whether it was one, (N,).
        weight: how much each counts, (N,).
    """

    ids: list[str]
    better: np.ndarray
    worse: np.ndarray
    tie: np.ndarray
    weight: np.ndarray

    @staticmethod
    def of(pairs: Sequence[Pair], ids: Iterable[str] = ()) -> Judgements:
        """Arrays of pairs; `ids` come first, others that pairs name follow, sorted."""
        place = {ident: i for i, ident in enumerate(dict.fromkeys(ids))}
        for ident in sorted({ident for p in pairs for ident in (p.better, p.worse)} - place.keys()):
            place[ident] = len(place)
        return Judgements(
            list(place),
            np.array([place[p.better] for p in pairs], dtype=int),
            np.array([place[p.worse] for p in pairs], dtype=int),
            np.array([p.tie for p in pairs], dtype=bool),
            np.array([p.weight for p in pairs], dtype=float),
        )

    def labels(self) -> np.ndarray:
        """Which part each id lies in, (n,): ids are in one part where comparisons connect them, if through others."""
        from scipy.sparse import coo_array
        from scipy.sparse.csgraph import connected_components

        ones = np.ones(len(self.better))
        graph = coo_array((ones, (self.better, self.worse)), shape=(len(self.ids), len(self.ids)))
        return connected_components(graph, directed=False)[1]


def information(difference: np.ndarray, tie: float) -> np.ndarray:
    """What one judgement tells about the difference of two ratings (Fisher information, logits^-2).

    Args:
        difference: of the ratings, any shape.
        tie: nu.
    """
    win, lose, _ = chances(difference, tie)
    return (win + lose - (win - lose) ** 2) / 4


def chances(difference: np.ndarray, tie: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Chances that the first wins, that it loses, and of a tie, for differences of ratings in logits."""
    half = np.abs(difference) / 2
    small = np.exp(-2 * half)
    total = 1 + small + tie * np.exp(-half)
    strong, weak = 1 / total, small / total
    first = difference > 0
    return np.where(first, strong, weak), np.where(first, weak, strong), tie * np.exp(-half) / total


@dataclass(frozen=True)
class Fit:
    """The most likely ratings and how sharply they are known.

    Attributes:
        judgements: what it was fitted to.
        values: logits, (n,); every part has the mean 0.
        tie: nu; 0 where there was no tie.
        prior: precision of the Gaussian priors of ratings and of log nu.
        curve: Fisher information of each judgement about its difference, times its weight, (N,).
        cross: minus the second derivative by difference and log nu, times weight, (N,).
        bend: minus the second derivative by log nu, prior included; 0 without ties.
    """

    judgements: Judgements
    values: np.ndarray
    tie: float
    prior: float
    curve: np.ndarray
    cross: np.ndarray
    bend: float

    def precision(self) -> np.ndarray:
        """Minus the Hessian of the log posterior: of the n ratings, and of log nu as the last where there are ties."""
        j, n = self.judgements, len(self.judgements.ids)
        size = n + (self.bend > 0)
        matrix = np.zeros((size, size))
        np.add.at(matrix, (j.better, j.worse), -self.curve)
        np.add.at(matrix, (j.worse, j.better), -self.curve)
        matrix[np.arange(n), np.arange(n)] = self.prior + self._spread(self.curve, 1)
        if self.bend:
            matrix[:n, n] = matrix[n, :n] = self._spread(self.cross, -1)
            matrix[n, n] = self.bend
        return matrix

    def covariance(self, of: np.ndarray | None = None) -> np.ndarray:
        """Of the ratings (of those at the places `of`), by the inverse of `precision`, (n, n)."""
        from scipy.linalg import cho_factor, cho_solve

        places = np.arange(len(self.values)) if of is None else of
        if not len(places):
            return np.zeros((0, 0))
        matrix = self.precision()
        units = np.zeros((len(matrix), len(places)))
        units[places, np.arange(len(places))] = 1
        factor = cho_factor(matrix, lower=True, overwrite_a=True, check_finite=False)
        return cho_solve(factor, units, overwrite_b=True, check_finite=False)[places]

    def _spread(self, values: np.ndarray, sign: int) -> np.ndarray:
        """Sum of values over the judgements of each id; those of the worse one with a sign."""
        j, n = self.judgements, len(self.judgements.ids)
        return np.bincount(j.better, values, n) + sign * np.bincount(j.worse, values, n)


def fit(judgements: Judgements, *, prior: float) -> Fit:
    """The most likely ratings and nu, by Newton's method with halved steps where a whole one would overshoot.

    Ratings have Gaussian priors of mean 0 and precision `prior`, and so has log nu where there are ties.
    """
    free = bool(judgements.tie.any())
    place = np.zeros(len(judgements.ids) + free)
    now, height = _at(judgements, place, prior, free)
    for _ in range(100):
        gradient = _gradient(now, place, free)
        if np.abs(gradient).max(initial=0.0) < 1e-9 * (1 + judgements.weight.max(initial=0.0)):
            break
        step = _solve(now, gradient)
        after, reached = _at(judgements, place + step, prior, free)
        while reached < height - 1e-9 * (1 + abs(height)):
            step = step / 2
            after, reached = _at(judgements, place + step, prior, free)
        place, now, height = place + step, after, reached
    return now


def _at(j: Judgements, place: np.ndarray, prior: float, free: bool) -> tuple[Fit, float]:
    """The state at a place (ratings, and log nu where it is free) and the log posterior there."""
    values, log_tie = (place[:-1], float(place[-1])) if free else (place, -np.inf)
    tie = float(np.exp(log_tie))
    difference = values[j.better] - values[j.worse]
    win, lose, draw = chances(difference, tie)
    seen = np.where(j.tie, draw, win)
    height = float(j.weight @ np.log(np.maximum(seen, 1e-300)) - prior / 2 * place @ place)
    curve = j.weight * (win + lose - (win - lose) ** 2) / 4
    cross = -j.weight * draw * (win - lose) / 2
    bend = float(j.weight @ (draw * (1 - draw)) + prior) if free else 0.0
    return Fit(j, values, tie, prior, curve, cross, bend), height


def _gradient(now: Fit, place: np.ndarray, free: bool) -> np.ndarray:
    """First derivatives of the log posterior."""
    j = now.judgements
    win, lose, draw = chances(now.values[j.better] - now.values[j.worse], now.tie)
    slope = now._spread(j.weight * (np.where(j.tie, 0.0, 0.5) - (win - lose) / 2), -1)
    whole = np.append(slope, j.weight @ (j.tie - draw)) if free else slope
    return whole - now.prior * place


def _solve(now: Fit, gradient: np.ndarray) -> np.ndarray:
    """The Newton step."""
    if len(gradient) <= _DENSE:
        from scipy.linalg import cho_factor, cho_solve

        return cho_solve(cho_factor(now.precision(), lower=True), gradient)
    from scipy.sparse import coo_array
    from scipy.sparse.linalg import LinearOperator, cg

    j, n = now.judgements, len(now.judgements.ids)
    edges = coo_array((now.curve, (j.better, j.worse)), shape=(n, n)).tocsr()
    edges = (edges + edges.T).tocsr()
    own = now.prior + now._spread(now.curve, 1)
    diagonal = np.append(own, now.bend)[: len(gradient)]
    border = now._spread(now.cross, -1)

    def product(x: np.ndarray) -> np.ndarray:
        ratings = own * x[:n] - edges @ x[:n]
        return ratings if len(x) == n else np.append(ratings + border * x[n], border @ x[:n] + now.bend * x[n])

    shape = (len(gradient), len(gradient))
    matrix = LinearOperator(shape, matvec=product, dtype=float)
    guess = LinearOperator(shape, matvec=lambda x: x / diagonal, dtype=float)
    return cg(matrix, gradient, rtol=1e-8, maxiter=2000, M=guess)[0]
