"""How many held-out comparisons are right, and how sure that is."""

import numpy as np
import pytest

from toprock.calibration import ranked_right
from toprock.comparisons import Pair

IDS = [f"v{n:02d}" for n in range(12)]
PAIRS = [Pair(b, a) for n, a in enumerate(IDS) for b in IDS[n + 1 :]]


def test_only_pairs_of_two_held_out_ones_count_and_rules_are_held_against_the_same():
    pairs = [Pair("a", "b"), Pair("b", "c"), Pair("d", "c"), Pair("a", "c", tie=True)]
    found = ranked_right({"a": 2.0, "b": 1.0, "c": 1.0}, pairs, {"size": {"a": 0.0, "b": 1.0, "c": -1.0, "d": 0.0}})
    assert (found.accuracy, found.pairs, found.performances) == (0.75, 2, 3)
    assert found.controls == {"size": 0.5}
    assert found.interval is None
    assert ranked_right({"a": 2.0}, pairs) is None


def test_the_interval_says_that_twelve_performances_tell_little_however_many_pairs():
    rng = np.random.default_rng(0)
    found = ranked_right(dict(zip(IDS, np.arange(12) + rng.normal(0, 5, 12), strict=True)), PAIRS)
    low, high = found.interval
    assert low < found.accuracy < high
    assert high - low > 0.15


def test_a_dozen_performances_all_right_are_not_certain():
    found = ranked_right({ident: float(n) for n, ident in enumerate(IDS)}, PAIRS)
    assert found.accuracy == 1
    assert found.interval == (pytest.approx(0.025 ** (1 / 12)), 1.0)
    wrong = ranked_right({ident: -float(n) for n, ident in enumerate(IDS)}, PAIRS)
    assert wrong.interval == (0.0, pytest.approx(1 - 0.025 ** (1 / 12)))
