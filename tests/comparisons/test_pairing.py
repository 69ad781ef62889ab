import importlib.util
import sys
import time
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest

from toprock.comparisons import Pair, next_pair, rank_gain, rate
from toprock.comparisons.davidson import information


@pytest.fixture
def rng():
    return np.random.default_rng(0)


@pytest.fixture(scope="module")
def benchmark():
    script = Path(__file__).parents[2] / "benchmarks" / "pairing.py"
    spec = importlib.util.spec_from_file_location("benchmark_of_pairing", script)
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    yield module
    del sys.modules[spec.name]


def names(count):
    return [f"v{number:03}" for number in range(count)]


def test_fewer_than_two_have_no_pair(rng):
    assert next_pair([], [], rng=rng) is None
    assert next_pair(["a", "a"], [Pair("x", "y")], rng=rng) is None


def test_two_are_asked_again_and_again(rng):
    judged = []
    for _ in range(5):
        left, right = next_pair(["a", "b"], judged, annotator="ann", rng=rng)
        assert {left, right} == {"a", "b"}
        judged.append(Pair(left, right, annotator="ann"))


def test_both_sides_are_used(rng):
    assert {next_pair(["a", "b"], [], rng=rng) for _ in range(30)} == {("a", "b"), ("b", "a")}


def test_everyone_is_seen_and_connected_first(rng):
    ids, judged = names(41), []
    for _ in range(40):
        left, right = next_pair(ids, judged, rng=rng)
        judged.append(Pair(left, right, tie=bool(rng.uniform() < 0.1)))
        if len(judged) == 21:
            assert {ident for p in judged for ident in (p.better, p.worse)} == set(ids)
    assert len(rate(judged, ids).parts) == 1


def test_after_the_first_round_like_meets_like(rng):
    """Winners meet winners and losers losers, as in a Swiss tournament."""
    ids = names(16)
    judged = [Pair(*ids[n : n + 2]) for n in range(0, 16, 2)]
    won = {p.better for p in judged}
    for _ in range(4):
        pair = next_pair(ids, judged, rng=rng)
        assert (pair[0] in won) == (pair[1] in won)
        judged.append(Pair(*pair))


def test_one_that_comes_late_is_asked_next(rng):
    ids = names(8)
    judged = [Pair(a, b) for a, b in combinations(ids, 2)]
    pair = next_pair([*ids, "late"], judged, rng=rng)
    assert "late" in pair


def test_no_pair_comes_twice_before_all_came_once(rng):
    ids, judged, asked = names(7), [], []
    for _ in range(2 * 21):
        left, right = next_pair(ids, judged, annotator="ann", rng=rng)
        asked.append(frozenset((left, right)))
        judged.append(Pair(*rng.permutation([left, right]), annotator="ann"))
    assert len(set(asked[:21])) == len(set(asked[21:])) == 21


def test_what_another_judged_may_be_asked(rng):
    judged = [Pair(a, b, annotator="ann") for a, b in combinations("abc", 2)]
    assert next_pair("abc", judged, annotator="bob", rng=rng)


def test_open_pairs_are_left_to_others(rng):
    ids = names(10)
    shown = []
    for _ in range(5):
        shown.append(next_pair(ids, [], rng=rng, avoid=[pair[::-1] for pair in shown]))
    assert {ident for pair in shown for ident in pair} == set(ids)
    judged = [Pair("a", "b", annotator="ann"), Pair("b", "c", annotator="ann")]
    assert set(next_pair("abc", judged, annotator="ann", rng=rng, avoid=[("b", "a")])) == {"a", "c"}
    assert set(next_pair("abc", judged, annotator="bob", rng=rng, avoid=[("c", "a"), ("b", "a")])) == {"b", "c"}
    assert set(next_pair("abc", judged, annotator="ann", rng=rng, avoid=[{"c", "a"}])) == {"a", "c"}


def test_open_pairs_count_as_asked(rng):
    """With the closest pair open, it is not about its two that more is asked."""
    ids = names(6)
    judged = [Pair(a, b, weight=3.0) for a, b in combinations(ids, 2) if {a, b} != set(ids[:2])]
    assert set(next_pair(ids, judged, annotator="ann", rng=rng)) == set(ids[:2])
    assert not set(next_pair(ids, judged, annotator="ann", rng=rng, avoid=[ids[:2]])) <= set(ids[:2])


def test_contradictions_rings_ties_and_strangers_are_borne(rng):
    ids = names(5)
    judged = [Pair(a, b) for a, b in zip(ids, [*ids[1:], ids[0]], strict=True)]
    judged += [Pair("v001", "v000"), Pair("v002", "v000", tie=True), Pair("gone", "v003"), Pair("gone", "lost")]
    left, right = next_pair(ids, judged, rng=rng)
    assert {left, right} <= set(ids)


def test_it_depends_on_nothing_but_its_arguments():
    ids = names(12)
    judged = [Pair(*ids[n : n + 2]) for n in range(11)]
    once, again = (next_pair(ids, judged, rng=np.random.default_rng(3)) for _ in range(2))
    assert once == again


def test_the_gain_is_that_of_the_plain_formula(rng):
    n, tie = 5, 0.4
    values, root = rng.normal(size=n), rng.normal(size=(n, n))
    covariance = root @ root.T / n
    gain = rank_gain(values, covariance, tie)
    slopes = np.zeros((n, n))
    for i in range(n):
        for j in range(n):
            if i != j:
                v = covariance[i, i] + covariance[j, j] - 2 * covariance[i, j]
                density = np.exp(-((values[i] - values[j]) ** 2) / (2 * v)) / np.sqrt(2 * np.pi * v)
                slopes[i, i] += density
                slopes[i, j] -= density
    for a, b in combinations(range(n), 2):
        e = np.zeros(n)
        e[a], e[b] = 1, -1
        v = e @ covariance @ e
        told = float(information((values[a] - values[b]) / np.sqrt(1 + np.pi * v / 8), tie))
        after = np.linalg.inv(np.linalg.inv(covariance) + told * np.outer(e, e))
        assert gain[a, b] == pytest.approx(np.trace(slopes @ (covariance - after) @ slopes.T))
        assert gain[b, a] == pytest.approx(gain[a, b])


def test_of_many_some_are_drawn(rng, monkeypatch):
    monkeypatch.setattr("toprock.comparisons.pairing._WINDOW", 6)
    ids, judged = names(30), []
    for _ in range(200):
        left, right = next_pair(ids, judged, annotator="ann", rng=rng)
        judged.append(Pair(max(left, right), min(left, right), annotator="ann"))
        if len(judged) == 29:
            assert len(rate(judged, ids).parts) == 1
    assert len({frozenset((p.better, p.worse)) for p in judged}) == 200
    values = [rate(judged, ids).standings[ident].value for ident in ids]
    assert np.corrcoef(np.argsort(np.argsort(values)), np.arange(30))[0, 1] > 0.99


@pytest.mark.parametrize(("count", "comparisons", "seconds"), [(200, 2000, 0.1), (2000, 20_000, 1.0)])
def test_it_is_quick(rng, count, comparisons, seconds):
    """Twice what is aimed at, in seconds of processor."""
    ids = names(count)
    judged = [Pair(ids[i], ids[(i + step) % count]) for i, step in rng.integers(1, count, size=(comparisons, 2))]
    next_pair(ids, judged, rng=rng)
    begun = time.process_time()
    next_pair(ids, judged, rng=rng)
    assert time.process_time() - begun < seconds


def test_choosing_saves_comparisons(benchmark):
    """With two thirds of the comparisons it ranks better than random pairing, which with as few is far behind."""
    setting = benchmark.Setting(4.0)

    def reached(gain, comparisons):
        return np.mean([benchmark.curve(setting, 24, seed, gain, comparisons)[-1] for seed in range(50, 58)])

    assert reached(rank_gain, 100) > reached(None, 150) > reached(None, 100) + 0.01


def test_the_share_needed_is_read_off_the_curves(benchmark):
    random = np.tile(np.linspace(0.05, 1.0, 20), (4, 1))
    active = np.tile(np.minimum(np.linspace(0.1, 2.0, 20), 1.0), (4, 1))
    assert benchmark.share_needed(active, random, 100) == pytest.approx((0.5, 0.5, 0.5))
    assert benchmark.share_needed(random, random, 100)[0] == pytest.approx(1)
    assert benchmark.share_needed(random / 2, random, 200)[0] == np.inf
