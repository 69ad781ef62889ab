"""How much more comparisons would bring: drawn on from curves whose future is known, and from a real training."""

import numpy as np
import pytest

from toprock.calibration import HeldOut
from toprock.comparisons import Pair
from toprock.ranker.fitting import fit
from toprock.ranker.learning import _ahead, draw_on
from toprock.ranker.model import RankerConfig
from toprock.ranker.training import TrainingConfig


def test_errors_that_fall_as_a_power_are_drawn_on():
    shares = [0.25, 0.5, 1.0]
    for power in (0.0, -0.3, -1.0):
        accuracy = np.array([[1 - 0.2 * share**power] for share in shares])
        assert _ahead(accuracy, shares)[0] == pytest.approx(1 - 0.2 * 2**power)


def test_more_comparisons_are_never_said_to_harm():
    assert _ahead(np.array([[0.9], [0.8], [0.7]]), [0.25, 0.5, 1.0])[0] == pytest.approx(0.7)
    assert _ahead(np.array([[1.0], [1.0], [1.0]]), [0.25, 0.5, 1.0])[0] == 1.0


def folds(noise, seed):
    rng = np.random.default_rng(seed)
    truth = {f"v{i:02}": float(i) for i in range(30)}
    held = [frozenset(list(truth)[i::3]) for i in range(3)]
    return truth, [HeldOut({k: v + noise * rng.normal() for k, v in truth.items()}, h) for h in held]


def test_the_curve_tells_pairs_accuracy_and_gain():
    truth, _ = folds(0, 0)
    pairs = [Pair(a, b) for a in truth for b in truth if truth[a] > truth[b]]
    found = draw_on({0.25: folds(12, 1)[1], 0.5: folds(6, 2)[1], 1.0: folds(3, 3)[1]}, pairs)
    assert found.pairs == [109, 218, 435]
    assert found.accuracy == sorted(found.accuracy)
    assert found.gain[1] <= found.gain[0] <= found.gain[2]
    assert found.twice[0] == pytest.approx(found.accuracy[-1] + found.gain[0])
    assert "twice as many" in str(found)


def test_shares_that_were_not_measured_on_the_same_folds_have_no_curve():
    truth, three = folds(1, 0)
    pairs = [Pair(a, b) for a in truth for b in truth if truth[a] > truth[b]]
    assert draw_on({0.5: three[:2], 1.0: three}, pairs) is not None  # on the two that both have
    assert draw_on({0.5: [], 1.0: three}, pairs) is None


def test_a_training_is_the_same_with_its_learning_curve_and_without(toy):
    rows = range(24)
    ids = [toy.ids[i] for i in rows]
    data, pairs = [toy.data[i] for i in rows], toy.pairs(rows)
    model = RankerConfig(dimensions={"static": 6, "dynamic": 5}, width=16, heads=2, hidden=16)
    config = TrainingConfig(steps=24)
    plain = fit(data, ids, ids, pairs, model, config)
    curved = fit(data, ids, ids, pairs, model, config, learning=True)
    assert plain.learning is None
    assert curved.learning.pairs[-1] == len(pairs)
    assert 0.5 < curved.learning.accuracy[-1] <= 1
    for one, other in zip(plain.members[0].parameters(), curved.members[0].parameters(), strict=True):
        assert (one == other).all()


def test_few_comparisons_have_no_curve(toy):
    ids = toy.ids[:6]
    pairs = toy.pairs(range(6))[:19]
    model = RankerConfig(dimensions={"static": 6, "dynamic": 5}, width=16, heads=2, hidden=16)
    assert fit(toy.data[:6], ids, ids, pairs, model, TrainingConfig(steps=24), learning=True).learning is None
