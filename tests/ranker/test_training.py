import json

import numpy as np
import pytest
import torch

from toprock.comparisons import Pair, pairwise_accuracy
from toprock.errors import PairsError
from toprock.ranker import losses
from toprock.ranker.batch import collate
from toprock.ranker.checkpoint import Checkpoint
from toprock.ranker.choosing import choose_steps, choosing_folds, split_groups
from toprock.ranker.fitting import fit
from toprock.ranker.model import RankerConfig
from toprock.ranker.training import (
    LossConfig,
    PairIndex,
    TrainingConfig,
    branch_scores,
    draw_rows,
    loss_terms,
    start,
    train,
)

MODEL = RankerConfig(dimensions={"dynamic": 5, "static": 6}, width=32, heads=2)


def weights(ranker):
    return torch.cat([p.flatten() for p in ranker.parameters()])


def test_it_learns_which_segments_matter(toy):
    config = TrainingConfig(steps=150)
    half = range(56)
    model = MODEL.model_copy(update={"feature_dropout": 0.0, "dropout": 0.1})
    fitted = fit([toy.data[i] for i in half], toy.ids[:56], toy.ids[:56], toy.pairs(half), model, config, steps=150)
    (ranker,) = fitted.members
    rest = range(56, 80)
    scores = ranker.final(branch_scores(ranker, [toy.data[i] for i in rest]))
    named = {toy.ids[i]: float(s) for i, s in zip(rest, scores, strict=True)}
    assert pairwise_accuracy(named, toy.pairs(rest)) > 0.8
    with torch.no_grad():
        out = ranker(collate([toy.data[i] for i in rest], MODEL.dimensions)).streams["static"]
    shares = ranker.final(out.contributions.transpose(1, 2))
    good = np.mean([shares[row, toy.good[i]].mean() for row, i in enumerate(rest) if len(toy.good[i])])
    bad = np.mean([shares[row, toy.bad[i]].mean() for row, i in enumerate(rest) if len(toy.bad[i])])
    assert good > 0 > bad


def test_pairs_of_encoded_videos_give_the_loss_of_the_literal_twin_form(toy):
    """Each video encoded once and all pairs formed, against a network run on both sides of every pair."""
    config = LossConfig(average=1.0, disagreement=1.0)
    ranker = start(toy.data[:6], MODEL, TrainingConfig()).ranker.eval()
    pairs = toy.pairs(range(6))
    batch = collate(toy.data[:6], MODEL.dimensions)
    once = loss_terms(ranker(batch), PairIndex.of(pairs, toy.ids[:6]), batch.masks, config)
    rows = {ident: toy.data[i] for i, ident in enumerate(toy.ids)}
    better = ranker(collate([rows[p.better] for p in pairs], MODEL.dimensions)).scores
    worse = ranker(collate([rows[p.worse] for p in pairs], MODEL.dimensions)).scores
    weight = torch.ones(len(pairs))
    torch.testing.assert_close(once["ranking"], losses.ranking(better, worse, weight))
    torch.testing.assert_close(once["average"], losses.beats_average(better, worse, weight))
    torch.testing.assert_close(once["disagreement"], losses.useful_disagreement(better, worse, weight))


def test_weights_of_zero_turn_terms_off(toy):
    batch = collate(toy.data[:6], MODEL.dimensions)
    ranker = start(toy.data[:6], MODEL, TrainingConfig()).ranker
    index = PairIndex.of(toy.pairs(range(6)), toy.ids[:6])
    off = LossConfig(average=0, disagreement=0, overlap=0, entropy=0)
    assert set(loss_terms(ranker(batch), index, batch.masks, off)) == {"ranking"}


def test_an_interrupted_training_ends_as_an_undisturbed_one(toy, tmp_path):
    config = TrainingConfig(steps=40)
    index = PairIndex.of(toy.pairs(), toy.ids)
    whole = start(toy.data, MODEL, config)
    train(whole, toy.data, index, config)
    first = start(toy.data, MODEL, config)
    train(first, toy.data, index, config, until=17)
    Checkpoint(tmp_path / "c", "inputs").save("member", first, {"note": 1})
    second = start(toy.data, MODEL, config)
    assert Checkpoint(tmp_path / "c", "inputs").load("member", second) == {"note": 1}
    assert second.step == 17
    train(second, toy.data, index, config)
    torch.testing.assert_close(weights(whole.ranker), weights(second.ranker), atol=1e-6, rtol=0)
    assert len(second.losses) == 40


def test_a_fit_interrupted_at_any_stage_ends_the_same(toy, tmp_path):
    config = TrainingConfig(steps=12)
    some = range(36)
    arguments = (toy.data[:36], toy.ids[:36], [f"p{i % 9}" for i in some], toy.pairs(some), MODEL, config)
    whole = fit(*arguments, members=2)
    taken = 0

    def interrupt(at):
        nonlocal taken
        taken += 1
        if taken in (15, 45, 75):
            raise KeyboardInterrupt

    for _ in range(3):
        with pytest.raises(KeyboardInterrupt):
            fit(*arguments, members=2, checkpoint=tmp_path / "c", on_advance=interrupt)
    again = fit(*arguments, members=2, checkpoint=tmp_path / "c", on_advance=interrupt)
    assert again.choice == whole.choice
    for a, b in zip(whole.members, again.members, strict=True):
        torch.testing.assert_close(weights(a), weights(b), atol=1e-6, rtol=0)


def test_the_members_carry_the_gains_that_were_found(toy):
    arguments = (toy.data[:36], toy.ids[:36], toy.ids[:36], toy.pairs(range(36)), MODEL, TrainingConfig(steps=30))
    chosen = fit(*arguments)
    fixed = fit(*arguments, steps=chosen.choice.steps)
    assert (fixed.choice.gains, fixed.choice.held_out) == ({}, {})
    assert chosen.choice.gains["static"] > 1 > chosen.choice.gains["dynamic"]  # all that matters is in static
    for stream, gain in chosen.choice.gains.items():
        weighed, plain = (fitted.members[0].stream(stream).value.weight for fitted in (chosen, fixed))
        torch.testing.assert_close(weighed, gain * plain)


def test_folds_that_leave_a_stream_to_nobody_are_passed_over(toy):
    """Only one performer has dynamic features: without him they cannot be learnt."""
    data = [d if i < 4 else {"static": d["static"]} for i, d in enumerate(toy.data[:20])]
    groups = [f"p{i // 4}" for i in range(20)]
    fitted = fit(data, toy.ids[:20], groups, toy.pairs(range(20)), MODEL, TrainingConfig(steps=6))
    assert set(fitted.choice.held_out) == set(toy.ids[4:20])


def test_a_checkpoint_of_other_inputs_is_not_used(toy, tmp_path):
    state = start(toy.data, MODEL, TrainingConfig(steps=3))
    Checkpoint(tmp_path / "c", "one").save("fold", state)
    Checkpoint(tmp_path / "c", "one").finish("fold", {"a": 1})
    other = Checkpoint(tmp_path / "c", "two")
    assert other.result("fold") is None
    assert other.load("fold", state) is None
    assert json.loads((tmp_path / "c" / "inputs.json").read_text())["value"] == "two"


def test_the_global_random_state_is_left_alone(toy):
    torch.manual_seed(5)
    expected = torch.rand(1)
    torch.manual_seed(5)
    config = TrainingConfig(steps=3)
    train(start(toy.data, MODEL, config), toy.data, PairIndex.of(toy.pairs(), toy.ids), config)
    assert torch.rand(1) == expected


def test_small_batches_hold_both_sides_of_pairs(toy):
    index = PairIndex.of(toy.pairs(), toy.ids)
    rows = draw_rows(index, len(toy.ids), 8, torch.Generator().manual_seed(0))
    assert 2 <= len(rows) <= 8
    assert len(index.among(rows, len(toy.ids))) > 0
    config = TrainingConfig(steps=5, batch=8)
    state = start(toy.data, MODEL, config)
    train(state, toy.data, index, config)
    assert state.step == 5


def test_ties_alone_teach_nothing(toy):
    index = PairIndex.of([Pair("v00", "v01", tie=True)], toy.ids)
    with pytest.raises(PairsError, match="no pair with a winner"):
        train(start(toy.data, MODEL, TrainingConfig()), toy.data, index, TrainingConfig())


def test_performers_stay_together():
    groups = [f"p{i % 7}" for i in range(40)]
    folds = split_groups(groups)
    assert sorted(row for fold in folds for row in fold) == list(range(40))
    for fold in folds:
        inside = {groups[row] for row in fold}
        assert inside.isdisjoint(groups[row] for row in range(40) if row not in fold)


def test_choices_are_made_on_one_fold_from_thirty_performers_on():
    groups = [f"p{i}" for i in range(30)]
    folds = split_groups(groups)
    assert sorted(row for fold in folds for row in fold) == list(range(30))
    assert choosing_folds(groups) == folds[:1]
    assert choosing_folds(groups[:29]) == split_groups(groups[:29])


def test_everyone_is_held_out_once_where_that_is_asked_for(toy):
    ids, model = toy.ids[:40], RankerConfig(dimensions={"static": 6, "dynamic": 5}, width=16, heads=2, hidden=16)
    side = (toy.data[:40], ids, ids, toy.pairs(range(40)), model, TrainingConfig(steps=24))
    few = choose_steps(*side, checkpoint=Checkpoint(None, ""))
    everyone = choose_steps(*side, everyone=True, checkpoint=Checkpoint(None, ""))
    assert (everyone.steps, everyone.curve, everyone.gains) == (few.steps, few.curve, few.gains)
    assert [len(fold.unseen) for fold in few.folds] == [8]
    assert few.independent == {}  # the first fold chose its own steps
    assert sorted(everyone.independent) == sorted(set(ids) - few.folds[0].unseen)
    assert sorted(everyone.held_out) == sorted(ids)
    for fold in everyone.folds:
        assert sorted(fold.scores) == sorted(ids)
        seen = np.array([fold.scores[ident] for ident in ids if ident not in fold.unseen])
        assert (seen.mean(), seen.std()) == (pytest.approx(0, abs=1e-6), pytest.approx(1, abs=1e-6))
