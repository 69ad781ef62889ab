"""Taking evidence away moves the score; a picture that has nothing to do with the score does not."""

from itertools import pairwise

import numpy as np
import pytest

from toprock.assess.evidence import EvidenceCurve
from toprock.assess.model import Model
from toprock.comparisons import Pair
from toprock.evaluate.faithfulness import elsewhere, faithfulness, strongest
from toprock.features import FeatureStore, PerformanceFeatures, Recipe
from toprock.features.store import StreamFeatures
from toprock.ranker import Plan, TrainingConfig, train_from_store


def curve_of(cells):
    return EvidenceCurve(np.arange(len(cells) + 1) / 10, np.concatenate([[0.0], np.cumsum(cells)]))


def test_the_strongest_fifth_is_found_in_spans():
    cells = np.zeros(100)
    cells[20:30], cells[50:60], cells[90:95] = 1.0, 2.0, -1.0
    assert strongest(curve_of(cells), "best") == [(2.0, 3.0), (5.0, 6.0)]
    (worst, *_) = strongest(curve_of(cells), "worst", 0.05)
    assert worst == (pytest.approx(9.0), pytest.approx(9.5))


def test_random_spans_have_the_same_lengths_and_never_overlap():
    rng, curve = np.random.default_rng(0), curve_of(np.zeros(100))
    spans = [(0.0, 1.0), (3.0, 3.5), (8.0, 8.1)]
    starts = []
    for _ in range(200):
        found = elsewhere(spans, curve, rng)
        assert sorted(round(b - a, 6) for a, b in found) == [0.1, 0.5, 1.0]
        assert all(a[1] <= b[0] + 1e-9 for a, b in pairwise(found))
        assert found[0][0] >= 0 and found[-1][1] <= 10 + 1e-9
        starts.append(found[0][0])
    assert np.std(starts) > 0.5


def hand_made():
    """A model of one stream whose evidence is known: the mean of one feature."""
    rng = np.random.default_rng(0)
    recipe = Recipe("static", "made-up", {})
    found = {}
    for number in range(24):
        x = rng.normal(size=(40, 3)).astype(np.float32)
        x[:, 0] += 0.2 * number
        times = np.stack([np.arange(40.0), np.arange(40.0) + 1], 1)
        found[f"v{number:02}"] = PerformanceFeatures(f"v{number:02}", {recipe: StreamFeatures(x, times)})
    return recipe, found


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    recipe, found = hand_made()
    store = FeatureStore(tmp_path_factory.mktemp("trained") / "features", create=True)
    store.add_recipes(recipe)
    for one in found.values():
        store.write(one)
    ids = sorted(found)
    pairs = [Pair(b, a) for i, a in enumerate(ids) for b in ids[i + 1 :]]
    plan = Plan(training=TrainingConfig(steps=48), members=2)
    return Model(train_from_store(store, pairs, plan=plan)), found


def test_hiding_time_is_the_same_as_not_having_it(trained):
    model, found = trained
    one = found["v05"]
    (recipe,) = one.streams
    whole, part, nothing = model.scores_of(one, [(), [(0.0, 10.0), (30.0, 40.0)], [(0.0, 40.0)]])
    assert whole == pytest.approx(model.assess(one).score, abs=1e-5)
    assert nothing == pytest.approx(model.saved.config.bias)
    rows = one.streams[recipe]
    cut = PerformanceFeatures("cut", {recipe: StreamFeatures(rows.features[10:30], rows.times[10:30])})
    assert part == pytest.approx(model.assess(cut).score, abs=1e-5)
    assert model.scores_of(one, [[(0.0, 0.4)]]) == [pytest.approx(whole, abs=1e-5)]  # less than half of a segment


def test_evidence_that_makes_the_score_is_faithful_and_its_mirror_image_is_not(trained, monkeypatch):
    model, found = trained
    true = faithfulness(model, found)
    assert true.performances == 24
    assert true.deletion["best"].change < 0 < true.deletion["worst"].change
    assert true.insertion["worst"].change < 0 < true.insertion["best"].change
    for moved in (*true.deletion.values(), *true.insertion.values()):
        assert moved.ratio > 2.5
        assert moved.beyond[1] > 0
    assert true.to_json()["deletion"]["best"]["ratio"] == true.deletion["best"].ratio
    real = EvidenceCurve.of
    monkeypatch.setattr(EvidenceCurve, "of", classmethod(lambda cls, s: real(s, [-x.contribution for x in s])))
    false = faithfulness(model, found)
    for moved in false.deletion.values():
        assert moved.ratio < 0
        assert moved.beyond[2] < 0


def test_performances_too_short_to_be_cut_are_left_out(trained):
    model, found = trained
    one = found["v00"]
    (recipe,) = one.streams
    rows = one.streams[recipe]
    tiny = PerformanceFeatures("tiny", {recipe: StreamFeatures(rows.features[:1], rows.times[:1] * 0.1)})
    assert faithfulness(model, {"tiny": tiny}) is None
