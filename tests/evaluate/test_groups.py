"""Groups are found by any column, and one that is judged worse than its comparisons say is named."""

import numpy as np
import pytest

from toprock.comparisons import Pair
from toprock.evaluate.groups import groups


def world(against=0.0, seed=0):
    """Forty performances of two groups of one quality; the scores of group x are lowered by `against`."""
    rng = np.random.default_rng(seed)
    quality = {f"v{i:02}": float(rng.normal()) for i in range(40)}
    column = {ident: "x" if i % 2 else "y" for i, ident in enumerate(quality)}
    scores = {i: q + 0.3 * rng.normal() - against * (column[i] == "x") for i, q in quality.items()}
    pairs = [Pair(a, b) for a in quality for b in quality if quality[a] > quality[b]]
    return scores, pairs, column


def test_a_fair_model_is_not_accused():
    for seed in range(10):
        scores, pairs, column = world(seed=seed)
        assert not any(group.judged_worse for group in groups(scores, pairs, "club", column))


def test_a_strong_group_is_not_accused_for_losing_wins_to_noise():
    accused = 0
    for seed in range(12):
        rng = np.random.default_rng(seed)
        column = {f"v{i:02}": f"club{i % 4}" for i in range(40)}
        quality = {i: 0.8 * int(c[-1]) + float(rng.normal()) for i, c in column.items()}
        scores = {i: q + 0.8 * rng.normal() for i, q in quality.items()}
        pairs = [Pair(a, b) for a in quality for b in quality if quality[a] > quality[b]]
        accused += sum(group.judged_worse for group in groups(scores, pairs, "club", column))
    assert accused <= 1


def test_a_group_of_few_is_never_accused():
    scores, pairs, _ = world(against=0.0)
    column = {ident: ident for ident in scores}
    worst = min(scores, key=lambda ident: scores[ident])
    pairs += [Pair(worst, other) for other in scores if other != worst] * 5
    assert not any(group.judged_worse for group in groups(scores, pairs, "performer", column))


def test_a_group_that_is_judged_worse_is_named_and_the_other_is_not():
    scores, pairs, column = world(against=1.5)
    x, y = sorted(groups(scores, pairs, "club", column), key=lambda group: group.value)
    assert x.judged_worse
    assert not y.judged_worse
    assert x.difference[0] == pytest.approx(x.given - x.won)
    assert x.difference[0] == pytest.approx(-y.difference[0])
    assert (x.performances, x.against) == (20, y.against)
    assert x.to_json()["judged_worse"] is True


def test_figures_of_a_group_by_hand():
    scores = {"a": 4.0, "b": 3.0, "c": 2.0, "d": 1.0}
    pairs = [Pair("a", "b"), Pair("c", "a", weight=3.0), Pair("b", "d"), Pair("c", "d", tie=True)]
    found = {g.value: g for g in groups(scores, pairs, "event", {"a": "1", "c": "1", "b": "2", "d": ""})}
    assert set(found) == {"1", "2"}
    one = found["1"]
    assert (one.mean_score, one.pairs, one.against) == (3.0, 2, 1)
    assert one.accuracy == pytest.approx(0.25)
    assert (one.won, one.given) == (1.0, 1.0)
    assert found["2"].won == 0.5


def test_several_performers_of_one_video_count_in_each_group_and_empty_values_in_none():
    found = groups({"a": 1.0, "b": 0.0}, [Pair("a", "b")], "performer", {"a": "ann; bob", "b": "bob"})
    assert [(g.value, g.performances) for g in found] == [("bob", 2), ("ann", 1)]
    assert found[0].won is None
    assert not found[0].judged_worse
    assert groups({"a": 1.0}, [], "performer", {"a": " "}) == []


def test_few_pairs_accuse_nobody():
    scores = {"a": 0.0, "b": 1.0, "c": 2.0}
    assert not any(g.judged_worse for g in groups(scores, [Pair("a", "b"), Pair("a", "c")], "e", {"a": "x"}))
