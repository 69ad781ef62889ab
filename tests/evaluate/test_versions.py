"""Two models beside each other: on pairs, and place by place."""

import numpy as np
import pytest

from toprock.assess.model import Model
from toprock.comparisons import Pair
from toprock.errors import PairsError
from toprock.evaluate.versions import compare_models
from toprock.features import FeatureStore, PerformanceFeatures, Recipe
from toprock.features.store import StreamFeatures
from toprock.ranker import Plan, TrainingConfig, train_from_store


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """Forty performances as good as their first feature, a model that has learnt it, and one that learnt it wrong."""
    rng, recipe = np.random.default_rng(0), Recipe("static", "made-up", {})
    store = FeatureStore(tmp_path_factory.mktemp("versions") / "features", create=True)
    store.add_recipes(recipe)
    ids = [f"v{number:02}" for number in range(40)]
    for number, ident in enumerate(ids):
        x = rng.normal(size=(20, 3)).astype(np.float32)
        x[:, 0] += 0.15 * number
        times = np.stack([np.arange(20.0), np.arange(20.0) + 1], 1)
        store.write(PerformanceFeatures(ident, {recipe: StreamFeatures(x, times)}))

    def pairs(some, sign):
        ordered = [(a, b) for i, b in enumerate(some) for a in some[i + 1 :]]
        return [Pair(a, b) if sign > 0 else Pair(b, a) for a, b in ordered]

    plan = Plan(training=TrainingConfig(steps=48), members=1)
    right, wrong = (
        Model(train_from_store(store, pairs(ids[::2], sign), plan=plan, name=name))
        for sign, name in ((1, "right"), (-1, "wrong"))
    )
    return store, right, wrong, pairs(ids[1::2], 1)


def test_the_better_one_is_told_beyond_chance(world):
    store, right, wrong, test = world
    found = compare_models(wrong, right, store, test)
    assert found.names == ("wrong", "right")
    assert found.first.value < 0.2 and found.second.value > 0.8
    assert found.difference[1] > 0
    assert found.difference[0] == pytest.approx(found.second.value - found.first.value)
    assert found.agreement < -0.5
    assert found.learnt == (0, 0)
    assert abs(found.moved[0].by) == max(abs(m.by) for m in found.moved) > 30
    assert found.to_json()["performances"] == 20


def test_a_model_beside_itself_moves_nothing(world):
    store, right, _, test = world
    found = compare_models(right, right, store, test)
    assert found.difference == (0.0, 0.0, 0.0)
    assert found.agreement == pytest.approx(1.0)
    assert all(m.by == 0 for m in found.moved)


def test_without_pairs_all_are_placed_and_what_was_learnt_from_is_said(world):
    store, right, wrong, _ = world
    found = compare_models(right, wrong, store)
    assert found.difference is None and found.first is None
    assert len(found.moved) == 40
    assert found.learnt == (20, 20)


def test_ties_alone_cannot_be_ranked(world):
    store, right, wrong, _ = world
    with pytest.raises(PairsError, match="every pair is a tie"):
        compare_models(right, wrong, store, [Pair("v01", "v02", tie=True)])
