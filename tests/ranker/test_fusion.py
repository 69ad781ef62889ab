import numpy as np
import pytest
import torch

from toprock.comparisons import Pair
from toprock.ranker.batch import collate
from toprock.ranker.fusion import apply_gains, stream_gains
from toprock.ranker.model import Ranker, RankerConfig
from toprock.ranker.training import fix_zero, stream_scores


def held_out(count, noise):
    """Scores of two streams; the second one is noise alone."""
    rng = np.random.default_rng(count)
    quality = rng.normal(size=count)
    scores = np.stack([quality + noise * rng.normal(size=count), rng.normal(size=count)], 1)
    names = [f"v{i}" for i in range(count)]
    pairs = [Pair(names[i], names[j]) for i in range(count) for j in range(count) if quality[i] > quality[j]]
    return dict(zip(names, scores.tolist(), strict=True)), pairs


def test_a_stream_that_is_noise_counts_little():
    informed, noise = stream_gains(*held_out(60, 0.3))
    assert informed > 4 * noise
    assert informed * noise == pytest.approx(1)


def test_few_performances_move_the_gains_less_than_many():
    few, many = stream_gains(*held_out(6, 0.3)), stream_gains(*held_out(60, 0.3))
    assert max(few) < max(many)


def test_nothing_held_out_leaves_all_streams_alike():
    scores, _ = held_out(6, 0.3)
    assert stream_gains(scores, []) == [1.0, 1.0]
    assert stream_gains(scores, [Pair("v0", "stranger"), Pair("v1", "v2", tie=True)]) == [1.0, 1.0]
    assert stream_gains({"a": [1.0], "b": [0.0]}, [Pair("a", "b")]) == [1.0]


@torch.no_grad()
def test_gains_scale_scores_and_evidence_of_their_stream_alone(toy):
    torch.manual_seed(0)
    model = Ranker(RankerConfig(dimensions={"dynamic": 5, "static": 6}, width=16)).eval()
    fix_zero(model, toy.data)
    batch = collate(toy.data[:4], model.config.dimensions)
    before, scores = model(batch).streams, stream_scores(model, toy.data[:4])
    apply_gains(model, {"dynamic": 2.0, "static": 0.5})
    after = model(batch).streams
    for stream, gain in (("dynamic", 2.0), ("static", 0.5)):
        torch.testing.assert_close(after[stream].contributions, gain * before[stream].contributions)
        torch.testing.assert_close(after[stream].attention, before[stream].attention)
    torch.testing.assert_close(stream_scores(model, toy.data[:4]), scores * torch.tensor([2.0, 0.5]))
