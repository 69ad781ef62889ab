"""Which pair to ask next, so that few judgements make a good ranking.

The pair is asked whose answer is expected to narrow down the *ranks* most: the fall in the sum of the variances of
all ranks, one judgement ahead. That is Bayesian A-optimality (Chaloner and Verdinelli, "Bayesian experimental design: a
review", Statistical Science 10, 1995) for ranks in place of ratings. Pairing for comparisons one judgement ahead is
that of Glickman and Jensen, "Adaptive paired comparison design" (Journal of Statistical Planning and Inference 127,
2005), who gain information about the ratings; `benchmarks/pairing.py` shows what that and others are worth.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import replace

import numpy as np

from toprock.comparisons.davidson import Fit, Judgements, fit, information
from toprock.comparisons.pairs import Pair

_PRIOR = 0.25
"""Precision of ratings before any judgement: a standard deviation of 2 logits."""
_WINDOW = 300
"""Performances whose pairs are weighed against each other. Of more, only those around one are looked at."""


def next_pair(
    ids: Iterable[str],
    judged: Sequence[Pair],
    *,
    annotator: str = "",
    rng: np.random.Generator,
    avoid: Iterable[Collection[str]] = (),
) -> tuple[str, str] | None:
    """The pair to show an annotator next, left and right.

    While there are performances that nobody has compared, one of them is asked; then, while comparisons leave
    parts unconnected, a pair that connects two of them; then any. Among these it is the pair that narrows the ranks down
    most (see `rank_gain`), which is one of like standing, as in the rounds of a Swiss tournament, and of performances
    that little is known about. Nothing is kept between calls: whatever others have judged meanwhile, performances that came
    late, and contradictions, all count.

    Args:
        ids: performances to ask about; the judgements may name others.
        judged: all judgements so far, of every annotator.
        annotator: who is asked. A pair that this one has judged comes again only after all others, those judged least often
            first.
        rng: decides between equals, and sides.
        avoid: couples, in either order, that are open with other annotators. They count as asked, with an answer
            that is not known yet, and are asked again only where this annotator has judged all others.

    Returns:
        Two ids, or None where there are fewer than two.

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
    window = _window(askable, fitted, rng)
    gain = rank_gain(fitted.values[window], fitted.covariance(window), fitted.tie)
    gain = np.where(askable[np.ix_(window, window)], gain, -np.inf)
    best = np.argwhere(gain >= gain.max() * (1 - 1e-9))
    first, second = window[best[rng.integers(len(best))]]
    return names[first], names[second]


def rank_gain(values: np.ndarray, covariance: np.ndarray, tie: float = 0.0) -> np.ndarray:
    """How much a judgement of each pair is expected to narrow the ranks down, (n, n), symmetric.

    The rank of i moves with the ratings r by sum_j f_ij (r_i - r_j), where f_ij is the density at 0 of the difference of i
    and j. An answer on the pair (a, b) moves the expected ratings by C e (y - p) / s, with e = 1 at a and -1 at b, the
    covariance C, V = e' C e, and p the chance of the answer over all that the ratings may be: a logistic curve at
    (r_a - r_b) / s with s^2 = 1 + pi V / 8 (MacKay, "The evidence framework applied to classification networks",
    Neural Computation 4, 1992). The gain is the expected sum of the squares of what ranks move by.

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
    spread = 1 + np.pi * variance / 8
    return information(difference / np.sqrt(spread), tie) / spread * (size[:, None] + size - 2 * products)


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
    unseen = (np.bincount(better, minlength=n) + np.bincount(worse, minlength=n))[:n] == 0
    if unseen.any():
        return free & (unseen[:, None] | unseen)
    part = judgements.labels()[:n]
    between = free & (part[:, None] != part)
    return between if between.any() else free


def _counts(better: np.ndarray, worse: np.ndarray, n: int) -> np.ndarray:
    """How often each couple stands there, (n, n), symmetric."""
    counts = np.zeros((n, n), dtype=np.int32)
    np.add.at(counts, (better, worse), 1)
    return counts + counts.T


def _window(askable: np.ndarray, fitted: Fit, rng: np.random.Generator) -> np.ndarray:
    """Places of the performances to choose from: all, or one that little is known about and those like it in standing."""
    n = len(askable)
    if n <= _WINDOW:
        return np.arange(n)
    known = np.where(askable.any(1), np.diag(fitted.precision())[:n], np.inf)
    anchor = rng.choice(np.flatnonzero(known <= known.min() * (1 + 1e-9)))
    distance = np.where(askable[anchor], np.abs(fitted.values[:n] - fitted.values[anchor]), np.inf)
    distance[anchor] = -1
    return np.lexsort((rng.random(n), distance))[:_WINDOW]
