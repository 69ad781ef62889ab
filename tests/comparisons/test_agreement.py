import math

import numpy as np
import pytest

from toprock.comparisons import Pair, bootstrap_interval, pair_outcomes, pairwise_accuracy


def test_ties_of_the_model_count_half_and_ties_of_judges_nothing():
    scores = {"a": 1.0, "b": 0.0, "c": 0.0}
    pairs = [Pair("a", "b"), Pair("b", "c"), Pair("c", "a"), Pair("a", "c", tie=True)]
    assert pairwise_accuracy(scores, pairs) == pytest.approx(0.5)
    assert math.isnan(pairwise_accuracy(scores, pairs[3:]))


def test_the_interval_is_over_performances():
    """One performance in all pairs that went wrong: pairs as units would claim far too much."""
    pairs = [Pair(f"v{i}", "bad") for i in range(20)] + [Pair(f"v{i}", f"v{i + 1}") for i in range(19)]
    scores = {f"v{i}": float(-i) for i in range(20)} | {"bad": 1.0}
    outcomes = pair_outcomes(scores, pairs)
    low, high = bootstrap_interval(outcomes, pairs)
    assert low < outcomes.mean() < high
    narrow = 2 * 1.96 * np.sqrt(outcomes.mean() * (1 - outcomes.mean()) / len(pairs))
    assert high - low > 1.5 * narrow


def test_a_perfect_model_has_a_point_interval():
    pairs = [Pair("a", "b"), Pair("b", "c")]
    assert bootstrap_interval(np.ones(2), pairs) == (1.0, 1.0)
