"""What a saved model tells of a score."""

import pytest

from toprock.ranker.model import Ranker, RankerConfig
from toprock.ranker.saved import ModelConfig, SavedModel, TrainedOn
from toprock.ranker.training import TrainingConfig


@pytest.fixture
def saved():
    ranker = Ranker(RankerConfig(dimensions={"static": 4}, width=8, heads=2)).eval()
    config = ModelConfig(
        toprock="0",
        created="2026-01-01",
        name="m",
        ranker=ranker.config,
        training=TrainingConfig(),
        members=1,
        steps=3,
        curve=[(3, 0.75)],
        recipes={},
        trained_on=TrainedOn(performances=["a", "b"], pairs=1, performers=2),
        bias=2.0,
        centre=0.5,
        spread=4.0,
        gains={"static": 1.0},
        held_out={"a": -1.0, "b": 0.0, "c": 1.0, "d": 1.0},
        controls={},
    )
    return SavedModel([ranker], config)


def test_percentile_compares_standardised_scores(saved):
    for standardised, wanted in ((-2, 0.0), (-1, 12.5), (0, 37.5), (0.5, 50.0), (1, 75.0), (2, 100.0)):
        assert saved.percentile(2.0 + 0.5 + 4.0 * standardised) == wanted
    saved.config.held_out.clear()
    assert saved.percentile(0.0) is None
