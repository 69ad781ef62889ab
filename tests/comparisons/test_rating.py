import choix
import numpy as np
import pytest

from toprock.comparisons import Pair, bradley_terry


def test_ratings_equal_those_of_an_independent_library():
    rng = np.random.default_rng(0)
    strength = rng.normal(size=8)
    data = []
    for _ in range(200):
        i, j = rng.choice(8, 2, replace=False)
        data.append((i, j) if rng.uniform() < 1 / (1 + np.exp(strength[j] - strength[i])) else (j, i))
    ours = bradley_terry([Pair(str(i), str(j)) for i, j in data], prior=0.1)
    theirs = choix.opt_pairwise(8, data, alpha=0.05)
    assert [ours[str(i)] for i in range(8)] == pytest.approx(list(theirs - theirs.mean()), abs=1e-4)


def test_a_tie_pulls_together():
    assert bradley_terry([Pair("a", "b", tie=True)])["a"] == pytest.approx(0)
    one = bradley_terry([Pair("a", "b")])
    mixed = bradley_terry([Pair("a", "b"), Pair("a", "b", tie=True)])
    assert 0 < mixed["a"] - mixed["b"] < one["a"] - one["b"]
