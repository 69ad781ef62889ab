import time

import choix
import numpy as np
import pytest

from toprock.comparisons import Pair, bradley_terry, parts, rate
from toprock.comparisons.davidson import Judgements, chances, fit
from toprock.errors import PairsError, UnknownPerformance


def drawn(count, comparisons, *, tie=0.0, seed=0, spread=1.0, weights=(1.0,)):
    """Judgements drawn from Davidson's model."""
    rng = np.random.default_rng(seed)
    strength = rng.normal(size=count) * spread
    pairs = []
    for _ in range(comparisons):
        i, j = rng.choice(count, 2, replace=False)
        win, lose, _ = chances(strength[i] - strength[j], tie)
        u = rng.uniform()
        a, b = (i, j) if u < win or u > win + lose else (j, i)
        pairs.append(Pair(f"{a}", f"{b}", tie=bool(u > win + lose), weight=float(rng.choice(weights))))
    return pairs


def log_posterior(pairs, ids, place, prior):
    """Davidson's likelihood and the priors, as a plain loop; `place` holds the ratings, and log nu where it is free."""
    ratings = dict(zip(ids, place, strict=False))
    nu = np.exp(place[len(ids)]) if len(place) > len(ids) else 0.0
    total = -prior / 2 * sum(x**2 for x in place)
    for p in pairs:
        a, b = np.exp(ratings[p.better]), np.exp(ratings[p.worse])
        whole = a + b + nu * np.sqrt(a * b)
        total += p.weight * np.log((nu * np.sqrt(a * b) if p.tie else a) / whole)
    return total


def derivatives(function, place, step=1e-3):
    """Gradient and Hessian by central differences."""
    units = np.eye(len(place)) * step
    gradient = np.array([(function(place + u) - function(place - u)) / (2 * step) for u in units])
    hessian = [
        [
            (function(place + u + v) - function(place + u - v) - function(place - u + v) + function(place - u - v))
            / (4 * step**2)
            for v in units
        ]
        for u in units
    ]
    return gradient, np.array(hessian)


def test_ratings_equal_those_of_an_independent_library():
    rng = np.random.default_rng(0)
    strength = rng.normal(size=8)
    data = []
    for _ in range(200):
        i, j = rng.choice(8, 2, replace=False)
        data.append((i, j) if rng.uniform() < 1 / (1 + np.exp(strength[j] - strength[i])) else (j, i))
    pairs = [Pair(str(i), str(j)) for i, j in data]
    theirs = choix.opt_pairwise(8, data, alpha=0.05)
    theirs = list(theirs - theirs.mean())
    ours = bradley_terry(pairs, prior=0.1)
    assert [ours[str(i)] for i in range(8)] == pytest.approx(theirs, abs=1e-4)
    standings = rate(pairs, prior=0.1).standings
    assert [standings[str(i)].value for i in range(8)] == pytest.approx(theirs, abs=1e-4)


def test_a_tie_pulls_together():
    assert bradley_terry([Pair("a", "b", tie=True)])["a"] == pytest.approx(0)
    one = bradley_terry([Pair("a", "b")])
    mixed = bradley_terry([Pair("a", "b"), Pair("a", "b", tie=True)])
    assert 0 < mixed["a"] - mixed["b"] < one["a"] - one["b"]


def test_without_ties_ratings_are_those_of_bradley_and_terry():
    pairs = drawn(12, 60, weights=(0.5, 1.0, 2.0))
    ratings = rate(pairs)
    assert ratings.tie == 0
    assert {i: r.value for i, r in ratings.standings.items()} == pytest.approx(bradley_terry(pairs), abs=1e-8)


@pytest.mark.parametrize("tie", [0.0, 0.8])
def test_values_and_errors_are_those_of_the_plain_formula(tie):
    pairs = drawn(6, 50, tie=tie, weights=(0.5, 1.0, 2.0))
    ratings = rate(pairs, prior=0.1)
    ids = list(ratings.standings)
    values = np.array([r.value for r in ratings.standings.values()])
    assert values.mean() == pytest.approx(0)
    place = np.append(values, np.log(ratings.tie)) if tie else values
    gradient, hessian = derivatives(lambda x: log_posterior(pairs, ids, x, 0.1), place)
    assert np.abs(gradient).max() < 1e-4
    covariance = np.linalg.inv(-hessian)[:6, :6]
    centred = (np.eye(6) - 1 / 6) @ covariance @ (np.eye(6) - 1 / 6)
    assert [r.error for r in ratings.standings.values()] == pytest.approx(list(np.sqrt(np.diag(centred))), rel=1e-3)
    value, error = ratings.difference(ids[0], ids[4])
    assert value == pytest.approx(values[0] - values[4])
    assert error == pytest.approx(np.sqrt(covariance[0, 0] + covariance[4, 4] - 2 * covariance[0, 4]), rel=1e-3)


def test_nu_and_the_chances_are_found_again():
    ratings = rate(drawn(40, 3000, tie=0.6))
    assert ratings.tie == pytest.approx(0.6, rel=0.12)
    win, lose, tie = ratings.chances("3", "8")
    d = ratings.difference("3", "8")[0]
    assert win / lose == pytest.approx(np.exp(d))
    assert (win + lose + tie, tie / np.sqrt(win * lose)) == pytest.approx((1, ratings.tie))


def test_errors_cover_the_truth():
    covered = []
    for seed in range(10):
        ratings = rate(drawn(20, 300, tie=0.5, seed=seed))
        truth = np.random.default_rng(seed).normal(size=20)
        for ident, r in ratings.standings.items():
            covered.append(abs(r.value - truth[int(ident)] + truth.mean()) < 1.96 * r.error)
    assert 0.91 < np.mean(covered) < 0.99


def test_counts_and_parts():
    pairs = [Pair("a", "b"), Pair("a", "b", tie=True), Pair("c", "a"), Pair("x", "y", weight=3.0)]
    ratings = rate(pairs, ["z", "a"])
    a = ratings.standings["a"]
    assert (a.wins, a.losses, a.ties, a.comparisons) == (1, 1, 1, 3)
    assert ratings.parts == [["a", "b", "c"], ["x", "y"], ["z"]]
    assert [ratings.standings[i].part for i in "abcxyz"] == [0, 0, 0, 1, 1, 2]
    assert parts(pairs) == 2
    assert ratings.comparable("a", "c")
    assert not ratings.comparable("a", "x")
    assert ratings.standings["z"].error == pytest.approx(0.1**-0.5)
    assert sum(ratings.standings[i].value for i in "abc") == pytest.approx(0)
    with pytest.raises(PairsError, match="no comparisons connect 'a' and 'x'"):
        ratings.difference("a", "x")
    with pytest.raises(UnknownPerformance, match="'q'"):
        ratings.comparable("a", "q")


def test_a_weight_counts_as_that_many_judgements():
    ones = [Pair("a", "b"), Pair("b", "a"), Pair("a", "b"), Pair("b", "c", tie=True), Pair("b", "c", tie=True)]
    heavy = [Pair("a", "b", weight=2.0), Pair("b", "a"), Pair("b", "c", tie=True, weight=2.0)]
    many, few = rate(ones).standings, rate(heavy).standings
    for ident in "abc":
        assert (many[ident].value, many[ident].error) == pytest.approx((few[ident].value, few[ident].error))


def test_extremes_stay_finite():
    assert rate([]).standings == {}
    assert parts([]) == 0
    for pairs in (
        [Pair("a", "b", tie=True)] * 50,
        [Pair("a", "b")] * 500,
        [Pair("a", "b", weight=1e6), Pair("b", "c", weight=1e-6), Pair("c", "a", tie=True)],
        [Pair(f"{i}", f"{i + 1}") for i in range(400)],
    ):
        for r in rate(pairs).standings.values():
            assert np.isfinite([r.value, r.error]).all()
    with pytest.raises(ValueError, match="prior"):
        rate([Pair("a", "b")], prior=0)


@pytest.mark.parametrize("tie", [0.0, 0.5])
def test_many_are_rated_as_few_are(monkeypatch, tie):
    judgements = Judgements.of(drawn(60, 300, tie=tie, spread=2.0))
    dense = fit(judgements, prior=0.1)
    monkeypatch.setattr("toprock.comparisons.davidson._DENSE", 10)
    sparse = fit(judgements, prior=0.1)
    assert sparse.values == pytest.approx(dense.values, abs=1e-7)
    assert sparse.tie == pytest.approx(dense.tie, abs=1e-7)


def test_two_thousand_are_rated_within_seconds():
    rng = np.random.default_rng(0)
    strength = 2 * rng.normal(size=2000)
    pairs = []
    for i, step in zip(rng.integers(2000, size=20_000), rng.integers(1, 2000, size=20_000), strict=True):
        j = (i + step) % 2000
        a, b = (i, j) if rng.uniform() < 1 / (1 + np.exp(strength[j] - strength[i])) else (j, i)
        pairs.append(Pair(f"{a}", f"{b}", tie=bool(rng.uniform() < 0.05)))
    begun = time.process_time()
    ratings = rate(pairs)
    assert time.process_time() - begun < 4
    assert np.corrcoef([ratings.standings[f"{i}"].value for i in range(2000)], strength)[0, 1] > 0.9
