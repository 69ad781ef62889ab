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


def test_a_dozen_performances_all_right_are_not_certain_and_no_less_than_with_one_wrong():
    scores = {ident: float(n) for n, ident in enumerate(IDS)}
    found = ranked_right(scores, PAIRS)
    assert found.accuracy == 1
    low, high = found.interval
    assert (0.8 < low < 0.97, high) == (True, 1)
    one_wrong = ranked_right(scores | {IDS[0]: 1.0, IDS[1]: 0.0}, PAIRS)
    assert one_wrong.interval[0] <= low
    wrong = ranked_right({ident: -value for ident, value in scores.items()}, PAIRS)
    assert (wrong.interval[0], wrong.interval[1] > 0.03) == (0, True)


@pytest.mark.parametrize("count", [6, 10, 20])
def test_intervals_of_separate_pairs_hold_the_truth(count):
    """Coins are tossed for pairs that share no performance."""
    rng, held, tries = np.random.default_rng(0), 0, 300
    pairs = [Pair(f"v{n}", f"v{n + 1}") for n in range(0, count, 2)]
    for _ in range(tries):
        tossed = rng.random(len(pairs)) < 0.7
        scores = {
            i: s for p, won in zip(pairs, tossed, strict=True) for i, s in ((p.better, float(won)), (p.worse, 0.5))
        }
        low, high = ranked_right(scores, pairs).interval
        held += low <= 0.7 <= high
    assert held / tries > 0.9
