import numpy as np
import pytest

from toprock.comparisons import Pair
from toprock.peers import Linear, TrainingSide, fit_linear
from toprock.peers.linear import PENALTIES, _fit, pooled


def test_it_learns_what_is_planted_and_has_nothing_to_watch(planted):
    scorer = Linear()(planted.side(32), seed=0, watch=lambda _: pytest.fail("it is solved in one go"))
    assert planted.accuracy(scorer, 32) > 0.8


def test_its_settings_are_its_penalties():
    assert Linear().settings == {"penalties": list(PENALTIES)}


def test_ties_change_nothing(planted):
    side = planted.side(32)
    ties = [Pair("v00", "v01", tie=True), Pair("v07", "v02", tie=True, weight=9.0)]
    with_ties = TrainingSide(side.data, [*side.pairs, *ties], side.performers)
    assert Linear()(with_ties, seed=0)(planted.data) == Linear()(side, seed=0)(planted.data)


def test_weights_of_pairs_count(planted):
    side = planted.side(8)
    doubled = [*side.pairs, side.pairs[0]]
    weighted = [Pair(p.better, p.worse, weight=2.0 if p is side.pairs[0] else 1.0) for p in side.pairs]
    one, other, plain = (
        fit_linear(side.data, pairs, {}).scores(planted.data) for pairs in (doubled, weighted, side.pairs)
    )
    np.testing.assert_allclose(list(one.values()), list(other.values()), atol=1e-4)
    assert np.abs(np.subtract(list(one.values()), list(plain.values()))).max() > 1e-3


def test_it_stands_where_the_penalised_likelihood_is_lowest(planted):
    side = planted.side(12)
    ids = side.ids
    x = np.stack([pooled(side.data[i]) for i in ids])
    model = _fit(x, ids, side.pairs, 0.1)
    columns = len(model.weights)

    def cost(weights):
        scores = dict(zip(ids, (x - model.mean) / model.spread @ weights, strict=True))
        ranked = [np.log1p(np.exp(scores[p.worse] - scores[p.better])) for p in side.pairs]
        return np.mean(ranked) + 0.1 / 2 * columns * (weights**2).sum()

    rng = np.random.default_rng(0)
    lowest = cost(model.weights)
    for _ in range(30):
        assert lowest < cost(model.weights + 0.02 * rng.normal(size=columns))
    assert lowest < cost(0.95 * model.weights)
    assert lowest < cost(1.05 * model.weights)


def test_performers_are_kept_apart_in_choosing_the_penalty():
    """Features tell performers apart and quality goes by performer, so it matters who is held out with whom."""
    rng = np.random.default_rng(3)
    data, quality, performers = {}, {}, {}
    for person in range(8):
        face, good = rng.normal(size=60), rng.normal()
        for take in range(4):
            ident = f"p{person}-{take}"
            data[ident] = {"static": np.tile(face + 0.05 * rng.normal(size=60), (3, 1))}
            quality[ident], performers[ident] = good + 0.01 * take, f"p{person}"
    pairs = [Pair(a, b) for a in data for b in data if quality[a] > quality[b] and performers[a] != performers[b]]
    known, unknown = (Linear()(TrainingSide(data, pairs, who), seed=0)(data) for who in (performers, {}))
    assert known == fit_linear(data, pairs, performers).scores(data)
    assert known != unknown
