"""Bradley-Terry ratings: one number a performance that best explains who was judged better than whom."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from toprock.comparisons.pairs import Pair


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


def parts(pairs: Sequence[Pair]) -> int:
    """Into how many parts comparisons fall, of which none is compared with another, even through others.

    >>> parts([Pair("a", "b"), Pair("b", "c"), Pair("x", "y")])
    2
    """
    from scipy.sparse import coo_matrix
    from scipy.sparse.csgraph import connected_components

    ids = sorted({ident for p in pairs for ident in (p.better, p.worse)})
    index = {ident: i for i, ident in enumerate(ids)}
    rows, columns = [index[p.better] for p in pairs], [index[p.worse] for p in pairs]
    graph = coo_matrix((np.ones(len(pairs)), (rows, columns)), shape=(len(ids), len(ids)))
    return int(connected_components(graph, directed=False)[0])
