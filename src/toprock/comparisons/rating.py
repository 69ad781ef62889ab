"""Ratings: one number a performance that best explains who was judged better than whom, and how sure it is."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np

from toprock.comparisons.davidson import Judgements, chances, fit
from toprock.comparisons.pairs import Pair
from toprock.errors import PairsError, UnknownPerformance


def bradley_terry(pairs: Sequence[Pair], *, prior: float = 0.1) -> dict[str, float]:
    """Ratings r with P(a beats b) = 1 / (1 + exp(r_b - r_a)), by Newton's method.

    A Gaussian prior of precision `prior` keeps performances that only won, or that nothing connects, finite.
    A tie counts as half a win for each side. Source: Bradley and Terry, Biometrika 39 (1952).

    Returns:
        id -> rating; the mean is 0.

    >>> ratings = bradley_terry([Pair("a", "b"), Pair("b", "c")])
    >>> ratings["a"] > ratings["b"] > ratings["c"]
    True
    """
    ids = sorted({ident for p in pairs for ident in (p.better, p.worse)})
    index = {ident: i for i, ident in enumerate(ids)}
    win = np.array([index[p.better] for p in pairs], dtype=int)
    lose = np.array([index[p.worse] for p in pairs], dtype=int)
    weight = np.array([p.weight for p in pairs])
    share = np.array([0.5 if p.tie else 1.0 for p in pairs])
    rating = np.zeros(len(ids))
    for _ in range(100):
        chance = 1.0 / (1.0 + np.exp(rating[lose] - rating[win]))
        pull = weight * (share - chance)
        gradient = -prior * rating
        np.add.at(gradient, win, pull)
        np.add.at(gradient, lose, -pull)
        curve = weight * chance * (1 - chance)
        hessian = np.diag(np.full(len(ids), prior))
        np.add.at(hessian, (win, win), curve)
        np.add.at(hessian, (lose, lose), curve)
        np.add.at(hessian, (win, lose), -curve)
        np.add.at(hessian, (lose, win), -curve)
        step = np.linalg.solve(hessian, gradient)
        rating = rating + step
        if np.abs(step).max(initial=0.0) < 1e-10:
            break
    return dict(zip(ids, (rating - rating.mean()).tolist(), strict=True))


@dataclass(frozen=True)
class Rating:
    """Where one performance stands.

    Attributes:
        value: logits above the mean of its part. 1 more multiplies the odds of winning over losing by e.
        error: standard error of `value`, logits. Without any comparison it is the prior's own.
        wins, losses, ties: numbers of judgements, whatever their weight.
        part: which of `Ratings.parts` it lies in. Values of two parts cannot be compared.
    """

    value: float
    error: float
    wins: int
    losses: int
    ties: int
    part: int

    @property
    def comparisons(self) -> int:
        """Judgements that it took part in."""
        return self.wins + self.losses + self.ties


@dataclass(frozen=True)
class Ratings:
    """Where performances stand, and what can be said about two of them.

    Attributes:
        standings: id -> rating.
        parts: ids that comparisons connect, if through others; the largest part first. Values of different parts have
            nothing to do with each other: each part has the mean 0.
        tie: nu; two of equal standing are called equal with the chance nu / (2 + nu). 0 where there was no tie.
        covariance: of the values, logits squared, (n, n) in the order of `standings`.
    """

    standings: dict[str, Rating]
    parts: list[list[str]]
    tie: float
    covariance: np.ndarray = field(repr=False, compare=False)

    def comparable(self, first: str, second: str) -> bool:
        """Whether comparisons connect the two, if through others.

        Raises:
            UnknownPerformance: one of them has no rating.
        """
        return self._of(first).part == self._of(second).part

    def difference(self, first: str, second: str) -> tuple[float, float]:
        """How far the first stands above the second, and the standard error of that, both in logits.

        Raises:
            UnknownPerformance: one of them has no rating.
            PairsError: no comparisons connect them.
        """
        one, two = self._of(first), self._of(second)
        if one.part != two.part:
            raise PairsError(
                f"no comparisons connect '{first}' and '{second}', so their ratings cannot be compared",
                advice="Judge pairs that connect them.",
            )
        a, b = (list(self.standings).index(ident) for ident in (first, second))
        c = self.covariance
        return one.value - two.value, float(np.sqrt(max(c[a, a] + c[b, b] - 2 * c[a, b], 0.0)))

    def chances(self, first: str, second: str) -> tuple[float, float, float]:
        """Chances that the first is called better, that the second is, and that they are called equal.

        The values are taken as they are; how sure they are is `difference`'s to tell.

        Raises:
            UnknownPerformance: one of them has no rating.
            PairsError: no comparisons connect them.
        """
        win, lose, tie = chances(np.array(self.difference(first, second)[0]), self.tie)
        return float(win), float(lose), float(tie)

    def _of(self, ident: str) -> Rating:
        if ident not in self.standings:
            raise UnknownPerformance(f"'{ident}' has no rating", advice="Name one that was compared.")
        return self.standings[ident]


def rate(pairs: Sequence[Pair], ids: Iterable[str] = (), *, prior: float = 0.1) -> Ratings:
    """Standings from judgements, with standard errors and ties.

    Ties follow Davidson's model (Journal of the American Statistical Association 65, 1970), whose nu is estimated: so
    where judges rarely call ties, one says more than where they often do. Without ties the values are those of
    `bradley_terry`. Values and log nu have Gaussian priors with mean 0 and precision `prior`, which keeps those finite
    that only won. A weight counts as that many judgements. Standard errors come from the inverse of the Hessian of the
    log posterior (observed Fisher information plus prior), for the difference to the mean of the part.

    Args:
        pairs: judgements, several on one couple and contradicting ones allowed.
        ids: performances to name even where no judgement does.
        prior: precision, logits^-2, above 0; 0.1 is a standard deviation of 3.2 logits.

    Raises:
        ValueError: `prior` is not above 0.

    >>> ratings = rate([Pair("a", "b"), Pair("b", "c"), Pair("a", "c"), Pair("x", "y", tie=True)])
    >>> ratings.parts
    [['a', 'b', 'c'], ['x', 'y']]
    >>> a = ratings.standings["a"]
    >>> print(f"{a.value:.2f} ± {a.error:.2f}, {a.wins} of {a.comparisons} won")
    2.42 ± 1.69, 2 of 2 won
    >>> ratings.comparable("a", "x")
    False
    """
    if not prior > 0:
        raise ValueError(f"prior must be above 0, not {prior}")
    judgements = Judgements.of(pairs, ids)
    fitted = fit(judgements, prior=prior)
    label = judgements.labels()
    named = judgements.ids
    groups = sorted((np.flatnonzero(label == part) for part in range(label.max(initial=-1) + 1)), key=lambda g: -len(g))
    covariance = fitted.covariance()
    error = np.sqrt(np.diag(covariance))
    part = np.zeros(len(named), dtype=int)
    for number, group in enumerate(groups):
        part[group] = number
        if len(group) > 1:
            # The mean of a part is known from the prior alone, with a variance of 1 / (size * prior).
            covariance[np.ix_(group, group)] -= 1 / (len(group) * prior)
            error[group] = np.sqrt(np.maximum(np.diag(covariance)[group], 0))
    won, n = ~judgements.tie, len(named)
    wins, losses = (np.bincount(side[won], minlength=n) for side in (judgements.better, judgements.worse))
    ties = np.bincount(np.append(judgements.better, judgements.worse)[np.tile(judgements.tie, 2)], minlength=n)
    columns = zip(named, fitted.values, error, wins, losses, ties, part, strict=True)
    return Ratings(
        {ident: Rating(float(v), float(e), *map(int, rest)) for ident, v, e, *rest in columns},
        [[named[i] for i in group] for group in groups],
        fitted.tie,
        covariance,
    )


def parts(pairs: Sequence[Pair]) -> int:
    """Into how many parts comparisons fall, of which none is compared with another, even through others.

    >>> parts([Pair("a", "b"), Pair("b", "c"), Pair("x", "y")])
    2
    """
    return int(Judgements.of(pairs).labels().max(initial=-1)) + 1
