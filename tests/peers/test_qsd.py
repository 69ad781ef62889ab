"""This package's own ranker as a learner: what `toprock train` does, no more and no less."""

from dataclasses import fields, replace

import numpy as np
import pytest
import torch

from toprock.peers import Qsd
from toprock.peers.twin import uniform
from toprock.ranker.fitting import fit
from toprock.ranker.losses import LossConfig
from toprock.ranker.model import RankerConfig
from toprock.ranker.training import TrainingConfig, branch_scores

SMALL = Qsd(model={"width": 16, "hidden": 8}, training={"steps": 6})
DIMENSIONS = {"dynamic": 4, "static": 5}


@pytest.mark.parametrize("members", [1, 2])
def test_a_row_is_what_fit_gives(planted, members):
    performers = {ident: f"p{number // 2}" for number, ident in enumerate(planted.data)}
    side = replace(planted.side(20), performers=performers)
    scores = replace(SMALL, members=members)(side, seed=3)(planted.data)
    fitted = fit(
        [side.data[i] for i in side.ids],
        side.ids,
        [performers[i] for i in side.ids],
        side.pairs,
        RankerConfig(dimensions=DIMENSIONS, width=16, hidden=8),
        TrainingConfig(steps=6, seed=3),
        members=members,
    )
    expected = torch.stack([m.final(branch_scores(m, list(planted.data.values()))) for m in fitted.members]).mean(0)
    assert scores == dict(zip(planted.data, expected.tolist(), strict=True))
    assert scores != replace(SMALL, members=members)(side, seed=4)(planted.data)
    assert scores != replace(SMALL, members=members)(replace(side, performers={}), seed=3)(planted.data)


def test_a_watch_sees_the_training_and_changes_nothing(planted):
    side, learner = planted.side(12), replace(SMALL, watch_every=2)
    seen = []
    scores = learner(side, seed=0, watch=lambda scorer: seen.append(scorer(planted.data)))(planted.data)
    assert len(seen) == 3
    assert seen[0] != seen[1]
    assert scores == learner(side, seed=0)(planted.data)


def test_early_fusion_puts_the_streams_side_by_side_on_the_grid_of_the_dynamic_one(planted):
    arrays = planted.data["v00"]
    fused = replace(SMALL, early=True)._seen(arrays)
    assert list(fused) == ["dynamic"]
    assert fused["dynamic"].shape == (len(arrays["dynamic"]), 4 + 5)
    assert fused["dynamic"].dtype == np.float32
    np.testing.assert_allclose(fused["dynamic"][:, :4], arrays["dynamic"])
    np.testing.assert_allclose(fused["dynamic"][:, 4:], uniform(arrays["static"], len(arrays["dynamic"])), rtol=1e-6)
    alone = {"static": arrays["static"]}
    assert replace(SMALL, early=True)._seen(alone) == alone
    scores = replace(SMALL, early=True)(planted.side(12), seed=0)(planted.data)
    assert len(scores) == len(planted.data)
    assert all(np.isfinite(list(scores.values())))


def test_one_stream_alone_is_deaf_to_the_other(planted):
    learner = replace(SMALL, streams=("static",))
    side = planted.side(12)
    scores = learner(side, seed=0)(planted.data)
    without = {i: {"static": arrays["static"]} for i, arrays in planted.data.items()}
    assert scores == learner(replace(side, data=without), seed=0)(without)
    assert scores != SMALL(side, seed=0)(planted.data)


def test_settings_list_every_option():
    settings = Qsd().settings
    assert set(settings["model"]) == set(RankerConfig.model_fields) - {"dimensions"}
    assert set(settings["training"]) == set(TrainingConfig.model_fields) - {"seed"}
    assert set(settings["training"]["loss"]) == set(LossConfig.model_fields)
    assert set(settings) == {f.name for f in fields(Qsd)}
    assert settings["model"] == RankerConfig(dimensions=DIMENSIONS).model_dump(exclude={"dimensions"})
    assert settings["training"] == TrainingConfig().model_dump(exclude={"seed"})


def test_options_reach_the_settings_by_name():
    changed = Qsd(
        model={"heads": 1},
        training={"noise": 0.0, "loss.overlap": 0.5, "loss.form": "logistic"},
        streams=("static",),
        early=True,
        free_head=True,
        members=3,
    ).settings
    assert changed["model"]["heads"] == 1
    assert changed["training"]["noise"] == 0.0
    assert (changed["training"]["loss"]["overlap"], changed["training"]["loss"]["form"]) == (0.5, "logistic")
    rest = {k: v for k, v in changed.items() if k not in ("model", "training")}
    assert rest == {"streams": ("static",), "early": True, "free_head": True, "members": 3, "watch_every": 10}


def test_an_option_that_does_not_exist_is_refused():
    for wrong in (Qsd(model={"head": 1}), Qsd(training={"speed": 1}), Qsd(training={"loss.overlop": 1})):
        with pytest.raises(ValueError, match="Extra inputs are not permitted"):
            wrong.settings  # noqa: B018
