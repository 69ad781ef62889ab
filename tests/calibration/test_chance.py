"""Chances come true on pairs whose truth is drawn from the model they assume, and stay modest where little is known."""

import numpy as np
import pytest

from toprock.calibration import HeldOut, Slope, fit_slopes
from toprock.calibration.chance import fit_slope
from toprock.calibration.reliability import expected_calibration_error, reliability
from toprock.comparisons import Pair


def drawn(rng, count, slope, *, prefix=""):
    """Scores, and every pair of them with a winner drawn from a Bradley-Terry model of that slope."""
    scores = {f"{prefix}{i:03}": float(rng.normal()) for i in range(count)}
    ids = list(scores)
    pairs = []
    for i, a in enumerate(ids):
        for b in ids[i + 1 :]:
            won = rng.random() < 1 / (1 + np.exp(-slope * (scores[a] - scores[b])))
            pairs.append(Pair(a, b) if won else Pair(b, a))
    return scores, pairs


@pytest.mark.parametrize("slope", [0.7, 3.0])
def test_the_slope_that_made_the_pairs_is_found(slope):
    scores, pairs = drawn(np.random.default_rng(0), 100, slope)
    found = fit_slope([HeldOut(scores, frozenset(scores))], pairs, "both")
    assert found.slope == pytest.approx(slope, rel=0.2)
    assert 0 < found.error < 0.2 * slope
    assert (found.pairs, found.performances) == (len(pairs), 100)


def test_the_likelihood_is_at_its_greatest():
    scores, pairs = drawn(np.random.default_rng(1), 12, 1.5)
    found = fit_slope([HeldOut(scores, frozenset(scores))], pairs, "both").slope
    d = np.array([scores[p.better] - scores[p.worse] for p in pairs])
    weight, typical = 12 / len(pairs), float(np.sqrt((d**2).mean()))

    def loss(slope):
        extra = 0.5 * (np.logaddexp(0, -slope * typical) + np.logaddexp(0, slope * typical))
        return weight * np.logaddexp(0, -slope * d).sum() + extra

    assert loss(found) <= min(loss(s) for s in np.linspace(0, 10, 2001)) + 1e-6


def test_pairs_are_told_apart_by_how_many_sides_were_not_seen():
    scores, pairs = drawn(np.random.default_rng(2), 20, 2.0)
    unseen = frozenset(list(scores)[:8])
    fold = HeldOut(scores, unseen)
    found = fit_slopes([fold], pairs)
    assert found["both"].pairs == 8 * 7 / 2
    assert found["one"].pairs == 8 * 12
    assert len(list(fold.pairs(pairs, "both"))) == 28


def test_few_performances_name_no_chance_and_luck_makes_no_certainty():
    fold = HeldOut({i: float(n) for n, i in enumerate("abcde")}, frozenset("abcde"))
    pairs = [Pair(a, b) for a in "abcde" for b in "abcde" if a > b]
    assert fit_slopes([fold], pairs) == {}
    fold = HeldOut({i: float(n) for n, i in enumerate("abcdef")}, frozenset("abcdef"))
    pairs = [Pair(a, b) for a in "abcdef" for b in "abcdef" if a > b]  # all right
    assert fit_slopes([fold], pairs)["both"].chance(1.0).probability < 0.9


def test_scores_that_tell_nothing_or_the_wrong_way_are_a_coin():
    scores, pairs = drawn(np.random.default_rng(3), 30, 2.0)
    wrong = {ident: -value for ident, value in scores.items()}
    found = fit_slope([HeldOut(wrong, frozenset(wrong))], pairs, "both")
    assert found.slope == 0
    assert found.chance(5.0).probability == 0.5
    assert found.chance(5.0).too_close


def test_a_chance_and_its_mirror_image_sum_to_one_and_members_that_disagree_widen_it():
    slope = Slope(slope=2.0, error=0.2, accuracy=0.8, pairs=50, performances=20)
    there, back = slope.chance(0.7), slope.chance(-0.7)
    assert there.probability + back.probability == pytest.approx(1)
    assert there.interval[0] + back.interval[1] == pytest.approx(1)
    low, high = slope.chance(0.7, 0.5).interval
    assert low < there.interval[0] < there.probability < there.interval[1] < high
    assert not there.too_close
    assert slope.chance(0.7, 0.5).too_close
    assert slope.chance(0.1).too_close
    assert slope.chance(1e9).probability == 1.0


def test_calibrated_chances_are_reliable_and_doubled_ones_are_not():
    scores, pairs = drawn(np.random.default_rng(4), 60, 2.0)
    new, test = drawn(np.random.default_rng(5), 60, 2.0, prefix="n")
    slope = fit_slope([HeldOut(scores, frozenset(scores))], pairs, "both")
    d = np.array([new[p.better] - new[p.worse] for p in test])
    chances = [slope.chance(x).probability for x in d]
    constant = np.where(d > 0, slope.accuracy, 1 - slope.accuracy)
    found = reliability(chances, 1 / (1 + np.exp(-4 * d)), constant, test)
    assert found.calibrated.ece < 0.03
    assert found.uncalibrated.ece > 0.06
    for metric in ("brier", "log_loss"):
        less, low, high = found.over_constant[metric]
        assert low <= less <= high < 0
    assert sum(one.pairs for one in found.bins) == len(test) == found.pairs


def test_the_calibration_error_is_the_plain_sum_over_bins():
    chances = np.array([0.95, 0.91, 0.3, 0.55, 0.5, 0.05])
    weight = np.array([1.0, 2.0, 1.0, 1.0, 1.0, 0.5])
    said, won = np.maximum(chances, 1 - chances), np.array([1, 1, 0, 1, 0.5, 0])
    total = 0.0
    for low in np.arange(10) / 10:
        here = (said >= low) & (said < low + 0.1)
        if here.any():
            gap = np.average(said[here], weights=weight[here]) - np.average(won[here], weights=weight[here])
            total += abs(gap) * weight[here].sum() / weight.sum()
    assert expected_calibration_error(chances, weight) == pytest.approx(total)


def test_a_certain_chance_that_was_wrong_costs_much_but_not_everything():
    found = reliability([0.0, 1.0], [0.5, 0.5], [0.6, 0.6], [Pair("a", "b"), Pair("c", "d")])
    assert found.calibrated.brier == 0.5
    assert np.isfinite(found.calibrated.log_loss)
    assert found.to_json()["bins"][5]["right"] is None


def test_performers_that_are_judged_together_make_it_less_sure():
    """Each of eight performers is better or worse than their scores say, in all five performances alike."""
    rng = np.random.default_rng(6)
    performer = {f"{i:03}": f"p{i % 8}" for i in range(40)}
    luck = {name: 1.5 * rng.normal() for name in dict.fromkeys(performer.values())}
    scores = {ident: float(rng.normal()) for ident in performer}
    truth = {ident: scores[ident] + luck[performer[ident]] for ident in scores}
    pairs = [Pair(a, b) for a in scores for b in scores if truth[a] > truth[b]]
    fold = HeldOut(scores, frozenset(scores))
    alone, together = (fit_slope([fold], pairs, "both", groups) for groups in (None, performer))
    assert together.slope == alone.slope
    assert together.error > 1.2 * alone.error
