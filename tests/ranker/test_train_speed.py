"""A tiny run of benchmarks/train_speed.py: both schedules have one loss and one gradient, term by term."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import torch

from toprock.ranker.batch import collate
from toprock.ranker.losses import LossConfig
from toprock.ranker.model import RankerConfig
from toprock.ranker.training import PairIndex, TrainingConfig, start


@pytest.fixture(scope="module")
def train_speed() -> ModuleType:
    path = Path(__file__).parents[2] / "benchmarks" / "train_speed.py"
    spec = importlib.util.spec_from_file_location("train_speed", path)
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


TERMS = ("ranking", "average", "disagreement", "overlap", "entropy")


@pytest.mark.parametrize("only", TERMS)
def test_both_schedules_have_the_loss_and_gradient_of_every_term(train_speed: ModuleType, only: str) -> None:
    made = train_speed.make(9, 30, 12, 16)
    model = RankerConfig(dimensions={"dynamic": 16, "static": 16}, width=16)
    loss = LossConfig(**{term: float(term == only) for term in TERMS}, entropy_floor=1.0)
    config = TrainingConfig(loss=loss)
    ranker = start(made.data, model, config).ranker.eval()
    for stream in model.dimensions:
        torch.nn.init.normal_(ranker.stream(stream).evidence.query.weight)
    batch, pairs = collate(made.data, model.dimensions), PairIndex.of(made.pairs, made.ids)
    found = []
    for schedule in (train_speed.by_video, train_speed.by_pair):
        ranker.zero_grad(set_to_none=True)
        value = schedule(ranker, batch, pairs, config)
        found.append((value, torch.cat([p.grad.flatten() for p in ranker.parameters() if p.grad is not None])))
    (once, first), (twice, second) = found
    assert once == pytest.approx(twice, abs=1e-5)
    torch.testing.assert_close(first, second, atol=1e-5, rtol=0)
    assert once > 1e-3
    assert first.abs().max() > 1e-4


def test_it_prints_a_ratio_and_notices_other_numbers(
    train_speed: ModuleType, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    made = train_speed.make(8, 25, 6, 12)
    assert len(made.pairs) == len({(p.better, p.worse) for p in made.pairs}) == 25
    assert np.isfinite(train_speed.compare(made, 1))
    told = capsys.readouterr().out
    assert "ratio" in told
    assert "videos encoded in it: 8 and 50" in told
    right = train_speed.by_pair
    monkeypatch.setattr(train_speed, "by_pair", lambda *given: right(*given) + 1e-3)
    with pytest.raises(SystemExit, match="not give the same loss"):
        train_speed.compare(made, 1)
