"""A training that starts from a trained ranker, and stays near it."""

import pytest
import torch

from toprock.comparisons import pairwise_accuracy
from toprock.ranker.checkpoint import ids_of
from toprock.ranker.fitting import fit
from toprock.ranker.model import RankerConfig
from toprock.ranker.training import PairIndex, TrainingConfig, bias, branch_scores, start, train

MODEL = RankerConfig(dimensions={"dynamic": 5, "static": 6}, width=16, heads=2)


def trained(toy, rows, *, seed=0, steps=8):
    ids = [toy.ids[i] for i in rows]
    data = [toy.data[i] for i in rows]
    return fit(data, ids, ids, toy.pairs(rows), MODEL, TrainingConfig(seed=seed), steps=steps).members[0]


def fitted(toy, rows, **options):
    ids = [toy.ids[i] for i in rows]
    config = options.pop("config", TrainingConfig())
    return fit([toy.data[i] for i in rows], ids, ids, toy.pairs(rows), MODEL, config, **options)


def weights(ranker):
    return torch.cat([p.detach().flatten() for p in ranker.parameters()])


@pytest.fixture(scope="module")
def first(toy):
    return trained(toy, range(20))


@pytest.fixture(scope="module")
def second(toy):
    return trained(toy, range(20), seed=1)


def test_without_a_step_it_scores_as_its_start(toy, first):
    (same,) = fitted(toy, range(20, 40), steps=0, initial=[first]).members
    torch.testing.assert_close(weights(same), weights(first))
    scores = [bias(r) + r.final(branch_scores(r, toy.data)) for r in (first, same)]
    torch.testing.assert_close(scores[0], scores[1], atol=1e-5, rtol=0)
    assert scores[0].std() > 0.01
    mean = branch_scores(same, toy.data[20:40]).mean(0)  # its zero is that of what it was trained on last
    torch.testing.assert_close(mean, torch.zeros(3), atol=1e-5, rtol=0)


def test_it_keeps_the_scale_of_its_start(toy, first):
    bright = [{stream: 3 * x + 10 for stream, x in p.items()} for p in toy.data[:20]]
    state = start(bright, MODEL, TrainingConfig(), initial=first)
    for stream in MODEL.dimensions:
        torch.testing.assert_close(state.learner.stream(stream).mean, first.stream(stream).mean)
        torch.testing.assert_close(state.ranker.stream(stream).spread, first.stream(stream).spread)
    fresh = start(bright, MODEL, TrainingConfig())
    assert not torch.allclose(fresh.ranker.stream("static").mean, first.stream("static").mean)


def test_the_start_itself_is_left_alone(toy, first):
    before = {name: value.clone() for name, value in first.state_dict().items()}
    fitted(toy, range(20, 40), steps=3, initial=[first])
    for name, value in first.state_dict().items():
        torch.testing.assert_close(value, before[name], atol=0, rtol=0)


def moved(toy, first, anchor):
    config = TrainingConfig(anchor=anchor, averaging=0.0)
    (again,) = fitted(toy, range(20, 40), steps=6, initial=[first], config=config).members
    return float((weights(again) - weights(first)).norm())


def test_an_anchor_keeps_the_weights_near(toy, first):
    rate = TrainingConfig().learning_rate
    free, some, strong = (moved(toy, first, anchor) for anchor in (0.0, 0.3 / rate, 0.9 / rate))
    assert 0 < strong < 0.3 * free
    assert strong < some < 0.9 * free
    assert moved(toy, first, 1.0 / rate) == 0.0
    assert moved(toy, first, 100.0 / rate) == 0.0  # never beyond it


def test_without_a_start_an_anchor_does_nothing(toy):
    index = PairIndex.of(toy.pairs(range(20)), toy.ids[:20])
    ends = []
    for anchor in (0.0, 1e6):
        config = TrainingConfig(steps=3, anchor=anchor)
        state = start(toy.data[:20], MODEL, config)
        train(state, toy.data[:20], index, config)
        ends.append(weights(state.ranker))
    assert torch.equal(*ends)


def test_a_checkpoint_of_another_start_is_not_taken(toy, first, second, tmp_path):
    rows = range(20, 40)
    undisturbed = fitted(toy, rows, steps=4, initial=[second]).members[0]
    assert ids_of(tmp_path / "c") is None
    fitted(toy, rows, steps=4, initial=[first], checkpoint=tmp_path / "c")
    assert ids_of(tmp_path / "c") == [toy.ids[row] for row in rows]
    after = fitted(toy, rows, steps=4, initial=[second], checkpoint=tmp_path / "c").members[0]
    assert torch.equal(weights(after), weights(undisturbed))
    fresh = fitted(toy, rows, steps=4, checkpoint=tmp_path / "c").members[0]
    assert torch.equal(weights(fresh), weights(fitted(toy, rows, steps=4).members[0]))


def test_an_interrupted_training_from_a_start_ends_as_an_undisturbed_one(toy, first, tmp_path):
    options = {"config": TrainingConfig(steps=30), "initial": [first]}
    whole = fitted(toy, range(20, 32), **options)
    taken = 0

    def interrupt(at):
        nonlocal taken
        taken += 1
        if taken == 13:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fitted(toy, range(20, 32), checkpoint=tmp_path / "c", on_advance=interrupt, **options)
    again = fitted(toy, range(20, 32), checkpoint=tmp_path / "c", **options)
    assert again.choice == whole.choice
    torch.testing.assert_close(weights(again.members[0]), weights(whole.members[0]), atol=1e-6, rtol=0)


def test_members_take_the_starts_in_turn(toy, first, second):
    members = fitted(toy, range(20, 40), steps=0, initial=[first, second], members=3).members
    for member, expected in zip(members, (first, second, first), strict=True):
        torch.testing.assert_close(weights(member), weights(expected))


def test_how_long_is_chosen_from_the_start_too(toy, first):
    """The folds of cross-validation begin where the members do."""
    config = TrainingConfig(steps=3, learning_rate=1e-6)
    chosen = fitted(toy, range(20, 40), config=config, initial=[first]).choice
    fresh = fitted(toy, range(20, 40), config=config).choice
    assert chosen.curve != fresh.curve
    scores = dict(zip(toy.ids[20:40], first.final(branch_scores(first, toy.data[20:40])).tolist(), strict=True))
    assert chosen.curve[0][1] == pytest.approx(pairwise_accuracy(scores, toy.pairs(range(20, 40))), abs=0.15)
