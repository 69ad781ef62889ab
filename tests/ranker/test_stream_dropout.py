"""What is hidden in training: streams, so that a missing one is nothing new, and segments, never the last of either."""

import pytest
import torch

from toprock.ranker.batch import Batch, collate
from toprock.ranker.drawing import Pool, draw
from toprock.ranker.training import TrainingConfig, keep_streams, start

DIMENSIONS = {"dynamic": 5, "static": 6}


def masks(*present):
    rows = torch.tensor(present)
    found = {"dynamic": rows[:, :1].expand(-1, 3), "static": rows[:, 1:].expand(-1, 4)}
    return Batch({}, found, {stream: torch.zeros(mask.shape) for stream, mask in found.items()})


@pytest.fixture
def many():
    """Batches have a length through their features; only masks matter here."""
    batch = masks(*[(True, True)] * 4000, *[(True, False)] * 100, *[(False, True)] * 100)
    return Batch({s: torch.zeros(*m.shape, 1) for s, m in batch.masks.items()}, batch.masks, batch.places)


def test_one_of_two_streams_is_hidden_as_often_as_asked_and_never_the_last(many):
    torch.manual_seed(0)
    keep = keep_streams(many.masks, 0.3)
    both, dynamic_only, static_only = slice(0, 4000), slice(4000, 4100), slice(4100, 4200)
    for stream in DIMENSIONS:
        assert float((~keep[stream][both]).float().mean()) == pytest.approx(0.15, abs=0.02)
    assert (keep["dynamic"] | keep["static"]).all()
    assert keep["dynamic"][dynamic_only].all() and not keep["static"][dynamic_only].any()
    assert keep["static"][static_only].all() and not keep["dynamic"][static_only].any()
    whole = keep_streams(many.masks, 0.0)
    assert whole["dynamic"][both].all() and whole["static"][both].all()


def test_a_stream_that_training_hides_gives_the_score_of_one_that_is_absent(toy):
    config = TrainingConfig()
    ranker = start(toy.data, start_model(), config).ranker.eval()
    batch = collate(toy.data[:4], DIMENSIONS)
    keep = {"dynamic": torch.zeros(4, dtype=torch.bool), "static": torch.ones(4, dtype=torch.bool)}
    absent = collate([{"static": d["static"]} for d in toy.data[:4]], DIMENSIONS)
    torch.testing.assert_close(ranker(batch, keep=keep).scores, ranker(absent).scores)


def start_model():
    from toprock.ranker.model import RankerConfig

    return RankerConfig(dimensions=DIMENSIONS, width=16)


def test_every_performance_keeps_a_segment_in_each_stream(toy):
    config = TrainingConfig(segment_dropout=0.95)
    ranker = start(toy.data, start_model(), config).ranker
    data = [{s: x[:1] for s, x in toy.data[0].items()}, *toy.data[1:20]]
    torch.manual_seed(0)
    out = draw(Pool(data, DIMENSIONS), ranker, config.draw).batch
    for stream in DIMENSIONS:
        assert out.masks[stream].any(1).all()
        assert out.features[stream].shape[1] < max(len(p[stream]) for p in data) / 5
