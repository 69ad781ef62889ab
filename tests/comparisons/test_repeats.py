from collections import Counter

import numpy as np
import pytest

from toprock.comparisons import Pair, hidden_repeat, shared_pair


@pytest.fixture
def rng():
    return np.random.default_rng(0)


def session(rng, shown, **settings):
    """What an annotator is shown: a new pair wherever no repeat is due. Others judge in between."""
    judged, repeats = [], []
    for number in range(shown):
        pair = hidden_repeat(judged, annotator="ann", rng=rng, **settings)
        repeats.append(pair)
        left, right = pair or (f"a{number}", f"b{number}")
        better, worse = rng.permutation([left, right])
        judged.append(Pair(str(better), str(worse), annotator="ann", extra={"left": left}))
        judged.append(Pair(f"a{number}", f"b{number}", annotator="bob"))
    return [p for p in judged if p.annotator == "ann"], repeats


def test_about_one_in_ten_is_a_repeat(rng):
    shares = [np.mean([pair is not None for pair in session(rng, 100)[1]]) for _ in range(20)]
    assert 0.08 < np.mean(shares) < 0.12


def test_repeats_come_late_swapped_and_in_turn(rng):
    own, repeats = session(rng, 200, share=0.6)
    last, counts = {}, Counter()
    for number, (p, repeat) in enumerate(zip(own, repeats, strict=True)):
        couple = frozenset((p.better, p.worse))
        if repeat:
            assert number - last[couple][0] > 5
            assert repeat[0] != last[couple][1]
            assert counts[couple] == min(counts.values())
        else:
            assert couple not in counts
        counts[couple] += 1
        last[couple] = (number, p.extra["left"])
    assert set(counts.values()) <= {1, 2, 3}


def test_where_nothing_is_due_nothing_is_repeated(rng):
    assert hidden_repeat([], annotator="ann", rng=rng, share=1) is None
    five = [Pair(f"a{n}", f"b{n}", annotator="ann") for n in range(5)]
    assert hidden_repeat(five, annotator="ann", rng=rng, share=1) is None
    assert hidden_repeat(five, annotator="bob", rng=rng, share=1, gap=0) is None
    assert hidden_repeat(five, annotator="ann", rng=rng, share=0, gap=0) is None
    assert set(hidden_repeat(five, annotator="ann", rng=rng, share=1, gap=4)) == {"a0", "b0"}


def test_unknown_sides_fall_by_chance(rng):
    judged = [Pair("a", "b", annotator="ann")]
    assert {hidden_repeat(judged, annotator="ann", rng=rng, share=1, gap=0) for _ in range(30)} == {
        ("a", "b"),
        ("b", "a"),
    }


def test_settings_that_mean_nothing_are_refused(rng):
    for wrong in ({"share": 1.5}, {"share": -0.1}, {"gap": -1}):
        with pytest.raises(ValueError, match="share must be from 0 to 1"):
            hidden_repeat([], annotator="ann", rng=rng, **wrong)
    with pytest.raises(ValueError, match="share must be from 0 to 1"):
        shared_pair([], annotator="ann", rng=rng, share=2)


def test_what_the_fewest_have_judged_is_shared_first(rng):
    judged = [Pair("a", "b", annotator="ann"), Pair("b", "a", annotator="bob"), Pair("c", "d", annotator="ann")]
    assert set(shared_pair(judged, annotator="cy", rng=rng, share=1)) == {"c", "d"}
    assert set(shared_pair(judged, annotator="cy", rng=rng, share=1, ids="ab")) == {"a", "b"}
    assert set(shared_pair(judged, annotator="bob", rng=rng, share=1)) == {"c", "d"}
    assert shared_pair(judged, annotator="ann", rng=rng, share=1) is None
    assert shared_pair(judged, annotator="cy", rng=rng, share=0) is None
