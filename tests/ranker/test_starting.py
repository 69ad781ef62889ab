"""A training that starts from a model: near it, never much worse by few pairs, and better where many say so."""

import numpy as np
import pytest
import torch

from toprock.comparisons import Pair, pairwise_accuracy
from toprock.ranker.choosing import worth_leaving
from toprock.ranker.fitting import fit
from toprock.ranker.model import RankerConfig
from toprock.ranker.training import TrainingConfig, branch_scores

MODEL = RankerConfig(dimensions={"dynamic": 5, "static": 6}, width=16, heads=2, dropout=0.1, feature_dropout=0.0)
CONFIG = TrainingConfig(steps=30, learning_rate=1e-2)
OWN = range(40, 60)
REST = range(60, 80)


def learn(toy, rows, pairs, config=CONFIG, **more):
    ids = [toy.ids[i] for i in rows]
    return fit([toy.data[i] for i in rows], ids, ids, pairs, MODEL, config, **more)


def reversed_pairs(pairs):
    return [Pair(p.worse, p.better) for p in pairs]


def scores(ranker, toy, rows=REST):
    found = ranker.final(branch_scores(ranker, [toy.data[i] for i in rows]))
    return dict(zip([toy.ids[i] for i in rows], found.tolist(), strict=True))


def centred(ranker, toy):
    values = np.array(list(scores(ranker, toy).values()))
    return values - values.mean()


def weights(ranker):
    return torch.cat([p.detach().flatten() for p in ranker.parameters()])


@pytest.fixture(scope="module")
def start(toy):
    """A ranker that has learnt what makes the first forty good."""
    (ranker,) = learn(toy, range(40), toy.pairs(range(40)), steps=100).members
    assert pairwise_accuracy(scores(ranker, toy), toy.pairs(REST)) > 0.7
    return ranker


def test_few_pairs_that_say_nothing_leave_the_start_as_it_is(toy, start):
    pairs = toy.pairs(OWN)
    drawn = [pairs[i] for i in np.random.default_rng(0).permutation(len(pairs))[:8]]
    rows = [i for i in OWN if toy.ids[i] in {ident for p in drawn for ident in (p.better, p.worse)}]
    fitted = learn(toy, rows, drawn[:4] + reversed_pairs(drawn[4:]), initial=[start])
    assert fitted.choice.steps == 0
    assert fitted.choice.curve[0][0] == 0
    assert set(fitted.choice.gains.values()) == {1.0}
    assert set(fitted.choice.held_out) == {toy.ids[i] for i in rows}
    np.testing.assert_allclose(centred(fitted.members[0], toy), centred(start, toy), atol=1e-5)
    torch.testing.assert_close(weights(fitted.members[0]), weights(start), rtol=0, atol=0)


def test_many_pairs_that_say_otherwise_are_followed(toy, start):
    fitted = learn(toy, OWN, reversed_pairs(toy.pairs(OWN)), initial=[start])
    (first, as_it_was), curve = fitted.choice.curve[0], dict(fitted.choice.curve)
    assert first == 0
    assert as_it_was < 0.3
    assert fitted.choice.steps > 0
    assert curve[fitted.choice.steps] > as_it_was + 0.2
    wanted = reversed_pairs(toy.pairs(REST))
    before, after = (pairwise_accuracy(scores(r, toy), wanted) for r in (start, fitted.members[0]))
    assert after > before + 0.2


def test_where_nothing_can_be_held_out_the_start_is_kept(toy, start):
    (a, b), pair = toy.data[:2], [Pair("v00", "v01")]
    alone = fit([a, b], ["v00", "v01"], ["ann", "ann"], pair, MODEL, CONFIG)
    started = fit([a, b], ["v00", "v01"], ["ann", "ann"], pair, MODEL, CONFIG, initial=[start])
    assert (alone.choice.steps, alone.choice.curve) == (CONFIG.steps, [])
    assert (started.choice.steps, started.choice.curve) == (0, [])
    torch.testing.assert_close(weights(started.members[0]), weights(start), rtol=0, atol=0)


def test_given_steps_stay_near_the_start(toy, start):
    """The pull back to it: with a strong one next to nothing moves."""
    moved = []
    for anchor in (50.0, 0.0):
        config = CONFIG.model_copy(update={"anchor": anchor})
        (ranker,) = learn(toy, OWN, reversed_pairs(toy.pairs(OWN)), config, steps=20, initial=[start]).members
        moved.append(float((weights(ranker) - weights(start)).norm()))
    assert 0 < moved[0] < 0.3 * moved[1]


def test_no_gain_over_four_performances_is_worth_leaving_a_start():
    """The sum of four numbers, halved, is never above the root of the sum of their squares."""
    rng = np.random.default_rng(0)
    for _ in range(200):
        assert not worth_leaving([dict(zip("abcd", rng.exponential(size=4).tolist(), strict=True))])
    assert not worth_leaving([{}])
    assert worth_leaving([dict.fromkeys("abcde", 1.0)])
    assert not worth_leaving([dict.fromkeys("abcde", -1.0)])
    assert not worth_leaving([{"a": 9.0}, dict.fromkeys("abcde", 0.1)])  # one performance made the difference


def test_an_interrupted_training_goes_on_from_its_own_start_and_never_from_another(toy, start, tmp_path):
    rows, pairs = range(40, 52), toy.pairs(range(40, 52))
    other = learn(toy, range(40), reversed_pairs(toy.pairs(range(40))), steps=2).members
    short = {"config": CONFIG.model_copy(update={"steps": 8})}
    taken = 0

    def interrupt(at):
        nonlocal taken
        taken += 1
        if taken in (30, 60):
            raise KeyboardInterrupt

    for begun in (other, [start]):
        with pytest.raises(KeyboardInterrupt):
            learn(toy, rows, pairs, initial=begun, checkpoint=tmp_path / "c", on_advance=interrupt, **short)
        assert (tmp_path / "c/fold1of5.done.json").is_file()
    whole, again = (learn(toy, rows, pairs, initial=[start], checkpoint=c, **short) for c in (None, tmp_path / "c"))
    assert again.choice == whole.choice
    torch.testing.assert_close(weights(again.members[0]), weights(whole.members[0]), atol=1e-6, rtol=0)
