"""What a model to start from has seen says nothing about new performances."""

import numpy as np
import pytest

from toprock.assess.model import Model
from toprock.comparisons import Pair
from toprock.features import FeatureStore, PerformanceFeatures, Recipe
from toprock.features.store import StreamFeatures
from toprock.ranker import Plan, TrainingConfig, train_from_store

RECIPE = Recipe("static", "made-up", {})
PLAN = Plan(training=TrainingConfig(steps=48), members=1)


def stored(folder, centre, names, *, seed=0, facts=None):
    """Performances of pure noise around a centre."""
    rng = np.random.default_rng(seed)
    store = FeatureStore(folder, create=True)
    store.add_recipes(RECIPE)
    for name in names:
        x = (centre + rng.normal(size=(20, 6))).astype(np.float32)
        times = np.stack([np.arange(20.0), np.arange(20.0) + 1], 1)
        store.write(PerformanceFeatures(name, {RECIPE: StreamFeatures(x, times)}, facts or {}))
    return store


def random_pairs(names, seed=1):
    order = np.random.default_rng(seed).permutation(len(names))
    return [Pair(names[a], names[b]) for i, a in enumerate(order) for b in order[i + 1 :]]


def test_a_start_that_has_seen_all_of_it_calibrates_nothing(tmp_path):
    names = [f"v{i:02}" for i in range(24)]
    store, pairs = stored(tmp_path / "s", 0.0, names), random_pairs(names)
    start = train_from_store(store, pairs, plan=PLAN)
    tested = start.config.tested
    assert tested.interval[0] < 0.5 < tested.interval[1]  # noise, though most pairs were right when steps were chosen:
    assert dict(start.config.curve)[start.config.steps] > 0.55  # of a pair, the ranker knew the other side
    assert tested.pairs == len(pairs)
    again = train_from_store(store, pairs, plan=PLAN, start_from=start)
    assert again.config.tested is None
    assert again.config.slopes == {}
    assert again.config.scale is None
    assert again.config.held_out == {}
    assert "had seen most of its performances" in again.config.uncalibrated
    found = Model(again).compare(store.read("v00"), store.read("v01"))
    assert found.probability is None
    assert "had seen most" in found.verdict


def test_the_domain_is_that_of_the_new_performances_not_of_the_start(tmp_path):
    here, there = [f"a{i:02}" for i in range(16)], [f"b{i:02}" for i in range(16)]
    first, second = stored(tmp_path / "a", 0.0, here), stored(tmp_path / "b", 4.0, there, seed=2)
    start = train_from_store(first, random_pairs(here), plan=PLAN)
    model = Model(train_from_store(second, random_pairs(there), plan=PLAN, start_from=start))
    like = stored(tmp_path / "c", 4.0, ["new"], seed=3).read("new")
    unlike = stored(tmp_path / "d", 0.0, ["new"], seed=4).read("new")
    assert [caution.kind for caution in model.assess(like).cautions] == []
    assert [caution.kind for caution in model.assess(unlike).cautions] == ["unlike"]
    model.saved.save(tmp_path / "model")
    from toprock.assess.model import load

    assert load(tmp_path / "model").saved.typical_of("static") == pytest.approx(model.saved.typical_of("static"))


def test_facts_that_are_no_numbers_are_as_if_not_measured(tmp_path):
    names = [f"v{i:02}" for i in range(8)]
    facts = {"duration_s": float("nan"), "mean_motion": float("inf"), "cuts": 1.0}
    store = stored(tmp_path / "s", 0.0, names, facts=facts)
    model = Model(train_from_store(store, random_pairs(names), plan=PLAN))
    assert model.saved.config.controls == {}
    assert model.assess(store.read("v00")).cautions == ()


def test_given_steps_say_that_nothing_was_held_out(tmp_path):
    names = [f"v{i:02}" for i in range(8)]
    store = stored(tmp_path / "s", 0.0, names)
    model = train_from_store(
        store, random_pairs(names), plan=Plan(training=TrainingConfig(steps=5), members=1, steps=5)
    )
    assert "steps were given" in model.config.uncalibrated
