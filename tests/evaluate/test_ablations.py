"""One thing changed at a time, and each of them can be trained."""

from dataclasses import replace

import numpy as np
import pytest

from toprock.datasets import Fold
from toprock.engines import LocalEngine
from toprock.evaluate.ablations import DEFAULT, ablations
from toprock.evaluate.benchmark import run_benchmark
from toprock.peers import Qsd

BOTH = ["dynamic", "static"]


def flat(settings, prefix=""):
    for name, value in settings.items():
        if isinstance(value, dict):
            yield from flat(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", value


def differences(learner):
    default = dict(flat(Qsd().settings))
    return {name for name, value in flat(learner.settings) if default[name] != value}


def test_the_default_comes_first_and_every_other_differs_in_one_thing():
    found = ablations(BOTH)
    assert next(iter(found)) == DEFAULT
    assert found[DEFAULT] == Qsd()
    settings = [str(learner.settings) for learner in found.values()]
    assert len(set(settings)) == len(settings)
    for name, learner in found.items():
        changed = {one.removeprefix("training.loss.") for one in differences(learner)}
        assert len(changed) == (name != DEFAULT) or changed == {"average", "disagreement", "overlap"}, name


def test_what_needs_two_streams_is_left_out_where_there_is_one():
    gone = set(ablations(BOTH)) - set(ablations(["static"]))
    assert gone == {"dynamic stream alone", "static stream alone", "early fusion", "no stream dropout"}


@pytest.mark.parametrize("name", ablations(BOTH))
def test_every_one_can_be_trained(small_task, tmp_path, name):
    fold = small_task.folds[0]
    few = [p for p in fold.train if {p.better, p.worse} <= {"v01", "v02", "v04", "v05"}]
    task = small_task.with_folds([Fold("1", few, fold.test)])
    learner = ablations(BOTH)[name]
    learner = replace(learner, training={**learner.training, "steps": 1})
    (scores,) = run_benchmark([task], {name: learner}, seeds=[0], folder=tmp_path, engine=LocalEngine(1))
    values = list(scores.rows[0]["scores"].values())
    assert np.isfinite(values).all()
    assert np.std(values) > 0
