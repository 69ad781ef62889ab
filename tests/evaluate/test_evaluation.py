"""Figures beside the model's: a linear yardstick, and controls whose direction is learnt on the training side."""

import numpy as np
import pytest

from toprock.comparisons import Pair, pairwise_accuracy
from toprock.evaluate import Accuracy
from toprock.evaluate.evaluation import control_accuracies
from toprock.features import PerformanceFeatures
from toprock.peers import fit_linear
from toprock.peers.linear import pooled


def test_the_linear_yardstick_finds_what_is_linear_and_ignores_what_is_constant():
    rng = np.random.default_rng(0)
    ids = [f"v{i:02}" for i in range(60)]
    quality = dict(zip(ids, rng.normal(size=60), strict=True))
    data = {}
    for ident in ids:
        static = rng.normal(size=(30, 8)) + quality[ident] * np.eye(8)[2] + 5.0
        static[:, 7] = 1.0
        data[ident] = {"static": static.astype(np.float32), "dynamic": rng.normal(size=(9, 3)).astype(np.float32)}
    pairs = [Pair(a, b) for a in ids for b in ids if quality[a] > quality[b]]
    some = {*ids[:40]}
    train = [p for p in pairs if p.better in some and p.worse in some]
    test = [p for p in pairs if p.better not in some and p.worse not in some]
    model = fit_linear({i: data[i] for i in some}, train, {})
    assert pairwise_accuracy(model.scores(data), test) > 0.9
    assert len(pooled(data["v00"])) == 2 * (8 + 3) == len(model.weights)
    assert np.isfinite(model.weights).all()
    assert model.weights[np.isinf(model.spread)] == pytest.approx(0.0)


def facts(**values):
    return {ident: PerformanceFeatures(ident, {}, found) for ident, found in values.items()}


def test_a_control_keeps_the_direction_that_training_gave_it():
    found = facts(
        a={"duration_s": 10.0, "cuts": 0.0, "mean_motion": 3.0}, b={"duration_s": 20.0, "cuts": 4.0, "mean_motion": 1.0}
    )
    pairs = [Pair("a", "b"), Pair("a", "b", tie=True)]
    right = control_accuracies({"duration": -1, "mean_motion": 1, "cut_rate": -1}, found, pairs)
    assert {name: a.value for name, a in right.items()} == {"duration": 1.0, "mean_motion": 1.0, "cut_rate": 1.0}
    assert right["duration"].pairs == 1
    wrong = control_accuracies({"duration": 1, "mean_motion": -1}, found, pairs)
    assert (wrong["duration"].value, wrong["mean_motion"].value) == (0.0, 0.0)
    assert wrong["cut_rate"] == Accuracy(None, None, 0)


def test_a_control_that_was_not_measured_everywhere_has_no_figure():
    found = facts(a={"duration_s": 10.0, "mean_motion": None}, b={"duration_s": 20.0, "mean_motion": 1.0})
    measured = control_accuracies({"duration": 1, "mean_motion": 1}, found, [Pair("b", "a")])
    assert measured["duration"].value == 1.0
    assert measured["mean_motion"].value is None
