"""Which pair to ask next, so that few judgements make a good ranking.

The pair is asked whose answer is expected to narrow down the *ranks* most: the fall in the sum of the variances of
all ranks, one judgement ahead. That is Bayesian A-optimality (Chaloner and Verdinelli, "Bayesian experimental design: a
review", Statistical Science 10, 1995) for ranks in place of ratings. Pairing for comparisons one judgement ahead is
that of Glickman and Jensen, "Adaptive paired comparison design" (Journal of Statistical Planning and Inference 127,
2005), who gain information about the ratings; `benchmarks/pairing.py` shows what that and others are worth. Because
close calls are chosen, shares of answers that agree come out lower than on pairs drawn at random.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import replace

import numpy as np

from toprock.comparisons.davidson import Fit, Judgements, fit, information
from toprock.comparisons.pairs import Pair

Gain = Callable[[np.ndarray, np.ndarray, float], np.ndarray]

_PRIOR = 0.25
"""Precision of ratings before any judgement: a standard deviation of 2 logits."""
_WINDOW = 300
"""Performances whose pairs are weighed against each other. Of more, as many are drawn."""


def rank_gain(values: np.ndarray, covariance: np.ndarray, tie: float = 0.0) -> np.ndarray:
    """By how much a judgement of each pair is expected to narrow the ranks down, (n, n), symmetric.

    Where ratings move by a little dr, the expected rank of i moves by sum_j f_ij (dr_i - dr_j), f_ij being the density
    at 0 of the difference of i and j. Written as A dr, the variances of the ranks add up to trace(A C A'), C the
    covariance of the ratings. A judgement with the information w about a pair (e = 1 at its one, -1 at its other,
    V = e' C e) makes that less by w |A C e|^2 / (1 + w V): this is returned. w is taken at the chance of winning
    averaged over what the ratings may be, a logistic curve at d / sqrt(1 + pi V / 8) for a difference d (MacKay, "The
    evidence framework applied to classification networks", Neural Computation 4, 1992).

    Args:
        values: expected ratings, logits, (n,).
        covariance: of the ratings, (n, n).
        tie: Davidson's nu.

    >>> gain = rank_gain(np.array([2.0, 0.0, 0.2]), np.eye(3))
    >>> bool(gain[1, 2] > gain[0, 2] > gain[0, 1])
    True
    """
    own = np.diag(covariance)
    difference = values[:, None] - values
    variance = np.maximum(own[:, None] + own - 2 * covariance, 1e-9)
    # Below exp(-40) nothing counts, and numbers near the smallest there are make products slow.
    density = np.exp(-np.minimum(difference**2 / (2 * variance), 40)) / np.sqrt(2 * np.pi * variance)
    np.fill_diagonal(density, 0)
    moved = (np.diag(density.sum(1)) - density) @ covariance
    products = moved.T @ moved
    size = np.diag(products)
    told = information(difference / np.sqrt(1 + np.pi * variance / 8), tie)
    return told / (1 + told * variance) * (size[:, None] + size - 2 * products)


def next_pair(
    ids: Iterable[str],
    judged: Sequence[Pair],
    *,
    annotator: str = "",
    rng: np.random.Generator,
    avoid: Iterable[Collection[str]] = (),
    gain: Gain = rank_gain,
) -> tuple[str, str] | None:
    """The pair to show an annotator next, left and right.

    While there are performances that nobody has compared, one of them is asked; then, while comparisons leave
    parts unconnected, a pair that connects two of them; then any. Among these it is the pair that narrows the ranks
    down most (see `rank_gain`), which is one of like standing, as in the rounds of a Swiss tournament, and of
    performances that little is known about. Nothing is kept between calls: whatever others have judged meanwhile,
    performances that came late, and contradictions, all count.

    Args:
        ids: performances to ask about; the judgements may name others.
        judged: all judgements so far, of every annotator.
        annotator: who is asked. A pair that this one has judged comes again only after all others, those judged least
            often first.
        rng: decides between equals, and sides.
        avoid: couples, in either order, that are open with other annotators. They count as asked, with an answer
            that is not known yet, and are asked again only where this annotator has judged all others.
        gain: what a judgement of each pair is worth, from expected ratings, their covariance and nu.

    Returns:
        Two ids, or None where there are fewer than two.

    Raises:
        ValueError: what is to be avoided does not name two ids.

    >>> rng = np.random.default_rng(0)
    >>> sorted(next_pair(["a", "b", "c"], [Pair("a", "b", annotator="ann")], annotator="ann", rng=rng))[1]
    'c'
    >>> next_pair(["a"], [], rng=rng) is None
    True
    """
    names = list(dict.fromkeys(ids))
    n = len(names)
    if n < 2:
        return None
    open_pairs = [Pair(first, second, weight=0.0) for first, second in map(tuple, avoid)]
    judgements = Judgements.of([*judged, *open_pairs], names)
    fitted = _with_open(fit(judgements, prior=_PRIOR), len(judged))
    askable = _askable(judgements, judged, annotator, n)
    window = _window(askable, rng)
    worth = gain(fitted.values[window], fitted.covariance(window), fitted.tie)
    worth = np.where(askable[np.ix_(window, window)], worth, -np.inf)
    best = np.argwhere(worth >= worth.max() - 1e-9 * abs(worth.max()))
    first, second = window[best[rng.integers(len(best))]]
    return names[first], names[second]


def _with_open(fitted: Fit, judged: int) -> Fit:
    """The fit with what answers to the open pairs, those behind the first `judged`, will tell."""
    j = fitted.judgements
    expected = information(fitted.values[j.better] - fitted.values[j.worse], fitted.tie)
    return replace(fitted, curve=np.append(fitted.curve[:judged], expected[judged:]))


def _askable(judgements: Judgements, judged: Sequence[Pair], annotator: str, n: int) -> np.ndarray:
    """Which pairs of the first n ids may be asked now, (n, n), symmetric."""
    better, worse = judgements.better, judgements.worse
    inside = (better < n) & (worse < n)
    mine = np.zeros(len(better), dtype=bool)
    mine[: len(judged)] = [p.annotator == annotator for p in judged]
    own = _counts(better[inside & mine], worse[inside & mine], n)
    opened = np.arange(len(better)) >= len(judged)
    open_now = _counts(better[inside & opened], worse[inside & opened], n) > 0
    two = ~np.eye(n, dtype=bool)
    free = two & (own == 0) & ~open_now
    if not free.any():
        free = two & (own == own[two].min())
    unseen = np.bincount(np.append(better, worse), minlength=n)[:n] == 0
    first = free & due_first(unseen, judgements.labels()[:n])
    return first if first.any() else free


def due_first(unseen: np.ndarray, part: np.ndarray) -> np.ndarray:
    """Which pairs come before all others, (n, n): while there are performances that nobody has compared, those with one
    of them; then those between parts that nothing connects.

    Args:
        unseen: which performances nobody has compared, (n,) bool.
        part: number of the part that each is in, (n,).

    >>> due_first(np.array([False, False, True]), np.array([0, 0, 1]))[0].tolist()
    [False, False, True]
    """
    return unseen[:, None] | unseen if unseen.any() else part[:, None] != part


def _counts(better: np.ndarray, worse: np.ndarray, n: int) -> np.ndarray:
    """How often each couple stands there, (n, n), symmetric."""
    counts = np.zeros((n, n), dtype=np.int32)
    np.add.at(counts, (better, worse), 1)
    return counts + counts.T


def _window(askable: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Places of the performances to choose from: all, or some drawn at random, two of which may be asked for certain.

    The rank among some drawn at random is the rank among all, thinned out: what narrows the one narrows the other.
    """
    n = len(askable)
    if n <= _WINDOW:
        return np.arange(n)
    first = rng.choice(np.flatnonzero(askable.any(1)))
    pair = [first, rng.choice(np.flatnonzero(askable[first]))]
    drawn = rng.permutation(n)
    return np.append(pair, drawn[~np.isin(drawn, pair)])[:_WINDOW]
