"""Nine of ten intervals hold the truth, however much scores tell; marks are read back on the judges' own scale."""

import math

import numpy as np
import pytest

from toprock.calibration import TrainingScale, fit_marks, fit_training_scale


def world(seed, count, noise):
    """Qualities, and scores that tell of them with noise."""
    rng = np.random.default_rng(seed)
    quality = rng.normal(size=count)
    return quality, 3 * quality + noise * rng.normal(size=count)


def named(values):
    return {f"v{i}": float(value) for i, value in enumerate(values)}


@pytest.mark.parametrize("noise", [0.3, 1.5, 4.0, 50.0])
def test_intervals_hold_the_share_of_worse_training_performances(noise):
    covered, widths = [], []
    for seed in range(20):
        quality, scores = world(seed, 150, noise)
        scale = fit_training_scale(named(scores), named(quality))
        new, told = world(1000 + seed, 100, noise)
        for q, s in zip(new, told, strict=True):
            found = scale.scaled(s)
            assert 0 <= found.low <= found.value <= found.high <= 100
            covered.append(found.low <= 100 * (quality < q).mean() <= found.high)
            widths.append(found.high - found.low)
    assert 0.87 < np.mean(covered) < (0.94 if noise < 50 else 1.01)  # of nothing, the whole scale
    assert np.mean(widths) < {0.3: 20, 1.5: 46, 4.0: 86, 50.0: 101}[noise]


def test_a_better_score_never_reads_worse():
    quality, scores = world(0, 60, 1.0)
    scale = fit_training_scale(named(scores), named(quality))
    found = [scale.scaled(s) for s in np.linspace(-30, 30, 500)]
    for name in ("value", "low", "high"):
        values = [getattr(one, name) for one in found]
        assert values == sorted(values)
    assert found[0].low == 0
    assert found[-1].high == 100


def test_scores_that_tell_nothing_have_the_whole_scale():
    rng = np.random.default_rng(1)
    quality = rng.normal(size=40)
    wrong = fit_training_scale(named(-quality), named(quality))  # the better, the lower
    assert wrong.slope == 0
    assert (wrong.scaled(3.0).low, wrong.scaled(3.0).high) == (0, 100)
    constant = fit_training_scale(named(np.ones(40)), named(rng.normal(size=40)))
    assert (constant.scaled(1.0).low, constant.scaled(1.0).high) == (0, 100)
    assert constant.scaled(1.0).value == pytest.approx(50, abs=2)


def test_perfect_scores_have_a_narrow_interval():
    quality = np.arange(50.0)
    found = fit_training_scale(named(quality), named(quality)).scaled(24.5)
    assert found.value == pytest.approx(50, abs=0.5)
    assert found.high - found.low < 60  # a straight line does not fit even ranks exactly


def test_the_interval_is_where_the_density_of_the_share_is_highest():
    scale = TrainingScale(at=0.1, slope=1.1, spread=0.5, reach=0.8, among=10**9, held_out=100)
    mean = 0.1 + 1.1 * 0.7
    grid = np.linspace(-6, 6, 200001)
    inside = grid[(grid - mean) ** 2 / (2 * 0.25) - grid**2 / 2 <= 0.8]
    low, high = (50 * math.erfc(-z / math.sqrt(2)) for z in (inside[0], inside[-1]))
    found = scale.scaled(0.7)
    assert (found.low, found.high) == (pytest.approx(low, abs=0.01), pytest.approx(high, abs=0.01))


def test_few_held_out_performances_have_no_scale():
    scores = named(np.arange(8.0))
    assert fit_training_scale(scores, scores) is None
    assert fit_marks(scores, scores) is None
    assert fit_training_scale(named(np.arange(9.0)), named(np.arange(9.0))) is not None


def test_marks_are_read_on_the_judges_scale_and_hold_nine_of_ten():
    covered = []
    for seed in range(20):
        quality, scores = world(seed, 80, 1.0)
        judged = named(10 + 4 * np.tanh(quality))
        scale = fit_marks(named(scores), judged)
        new, told = world(500 + seed, 50, 1.0)
        for q, s in zip(new, told, strict=True):
            found = scale.scaled(s)
            assert found.scale == "marks"
            covered.append(found.low <= 10 + 4 * np.tanh(q) <= found.high)
    assert 0.86 < np.mean(covered) < 0.94
    values = [scale.scaled(s).value for s in np.linspace(-20, 20, 100)]
    assert values == sorted(values)


def test_marks_of_performances_that_were_not_held_out_do_not_count():
    scores = named(np.arange(12.0))
    assert fit_marks(scores, {f"v{i}": 1.0 for i in range(5)}) is None
    assert fit_marks(scores, {f"v{i}": float(i) for i in range(10)}).held_out == 10


def test_marks_that_are_all_one_or_run_against_the_scores_are_not_used():
    scores = named(np.arange(12.0))
    assert fit_marks(scores, dict.fromkeys(scores, 7.0)) is None
    assert fit_marks(scores, {ident: -value for ident, value in scores.items()}) is None
