"""Options over the defaults: places in time, an encoder among segments, and the bounded work of a step."""

import numpy as np
import pytest
import torch

from toprock.comparisons import Pair
from toprock.ranker.batch import collate
from toprock.ranker.drawing import Pool, draw
from toprock.ranker.fitting import fit
from toprock.ranker.model import Ranker, RankerConfig, waves
from toprock.ranker.training import (
    PairIndex,
    TrainingConfig,
    branch_scores,
    start,
    train,
)

DIMENSIONS = {"dynamic": 5, "static": 6}


def ranker(**options):
    """Untrained, with attention that is not even."""
    torch.manual_seed(0)
    made = Ranker(RankerConfig(dimensions=DIMENSIONS, width=16, **options)).eval()
    for stream in made.streams.values():
        torch.nn.init.normal_(stream.evidence.query.weight)
    return made


def backwards(performance):
    return {stream: x[::-1].copy() for stream, x in performance.items()}


@torch.no_grad()
def test_only_with_positions_does_the_order_of_segments_count(toy):
    some = toy.data[:6]
    for options in ({}, {"encoder_layers": 1}, {"layers": 2}):
        model = ranker(**options)
        there, back = branch_scores(model, some), branch_scores(model, [backwards(p) for p in some])
        torch.testing.assert_close(there, back, atol=1e-5, rtol=0)
    model = ranker(positions=True)
    there, back = branch_scores(model, some), branch_scores(model, [backwards(p) for p in some])
    assert (there - back)[:, :2].abs().min() > 1e-6
    torch.testing.assert_close(there[:, 2], back[:, 2], atol=1e-5, rtol=0)  # the average has no attention


def test_places_are_shares_of_a_performance_and_waves_tell_them_apart():
    places = collate([{"static": np.zeros((4, 6))}, {"static": np.zeros((2, 6))}], {"static": 6}).places["static"]
    np.testing.assert_allclose(places[0], [0.125, 0.375, 0.625, 0.875])
    np.testing.assert_allclose(places[1, :2], [0.25, 0.75])
    found = waves(torch.tensor([[0.0, 0.25, 1.0]]))
    assert found.shape == (1, 3, 8)
    expected = [[0, 0, 0, 0, 1, 1, 1, 1], [0.5**0.5, 1, 0, 0, 0.5**0.5, 0, -1, 1], [0, 0, 0, 0, -1, 1, 1, 1]]
    np.testing.assert_allclose(found[0], expected, atol=1e-5)


@torch.no_grad()
@pytest.mark.parametrize(("positions", "encoder_layers"), [(True, 0), (False, 1), (True, 2)])
def test_a_score_depends_neither_on_batch_mates_nor_on_padding(toy, positions, encoder_layers):
    model = ranker(positions=positions, encoder_layers=encoder_layers)
    some = [*toy.data[:6], {"static": toy.data[6]["static"]}]
    alone = torch.cat([model(collate([one], DIMENSIONS)).scores for one in some])
    out = model(collate(some, DIMENSIONS))
    torch.testing.assert_close(out.scores, alone, atol=1e-5, rtol=0)
    assert out.streams["dynamic"].contributions[-1].abs().max() == 0
    for stream in out.streams.values():
        torch.testing.assert_close(stream.attention[:-1].sum(-1), torch.ones(6, 2))


@torch.no_grad()
def test_a_value_is_the_segment_s_own_whatever_surrounds_it(toy):
    """Contribution over attention is the value (one head, one prototype); only attention sees the neighbours."""
    model = ranker(encoder_layers=1, positions=True, heads=1, contrast=0.0)
    one = toy.data[0]["static"].astype(np.float32)
    other = one.copy()
    other[0] += 3.0
    outs = [model(collate([{"static": x}], DIMENSIONS)).streams["static"] for x in (one, other)]
    values = [out.contributions[0, :2, 1:] / out.attention[0, :, 1:] for out in outs]
    torch.testing.assert_close(values[0], values[1], atol=1e-5, rtol=1e-3)
    assert (outs[0].attention - outs[1].attention)[..., 1:].abs().max() > 1e-4


def test_gradients_stay_finite_where_a_stream_is_hidden(toy):
    model = ranker(encoder_layers=1, positions=True).train()
    keep = {"dynamic": torch.tensor([False, True, True]), "static": torch.tensor([True, True, True])}
    model(collate(toy.data[:3], DIMENSIONS), keep=keep).scores.sum().backward()
    assert all(p.grad is None or p.grad.isfinite().all() for p in model.parameters())
    assert model.stream("static").place.weight.grad.abs().max() > 0
    assert model.stream("static").encoders[0].linear1.weight.grad.abs().max() > 0


@torch.no_grad()
def test_the_default_does_not_tell_a_performance_from_its_double(toy):
    """Trained, with every segment there twice: length itself says nothing."""
    ids = toy.ids[:20]
    model = RankerConfig(dimensions=DIMENSIONS)
    with torch.enable_grad():
        fitted = fit(toy.data[:20], ids, ids, toy.pairs(range(20)), model, TrainingConfig(), steps=5)
    (trained,) = fitted.members
    doubled = [{stream: np.repeat(x, 2, axis=0) for stream, x in p.items()} for p in toy.data[20:40]]
    before, after = branch_scores(trained, toy.data[20:40]), branch_scores(trained, doubled)
    torch.testing.assert_close(before, after, atol=1e-5, rtol=0)
    assert trained.final(before).std() > 0.01
    attention = trained(collate(toy.data[20:21], DIMENSIONS)).streams["static"].attention
    assert attention.std() > 1e-6  # it is no longer even


def numbered(count):
    """Segments whose features are their place in the performance."""
    return np.repeat(np.arange(count, dtype=np.float32)[:, None], 6, axis=1)


@pytest.mark.parametrize(("segments", "dropout"), [(8, 0.3), (8, 0.0), (100, 0.3), (1, 0.0)])
def test_a_step_draws_so_many_segments_of_each_performance_and_no_more(segments, dropout):
    lengths = [400, 30, 8, 3, 1]
    config = TrainingConfig(segments=segments, segment_dropout=dropout, noise=0.0)
    pool = Pool([{"static": numbered(n)} for n in lengths], {"static": 6})
    model = Ranker(RankerConfig(dimensions={"static": 6}, width=8))
    torch.manual_seed(0)
    drawn, again = (draw(pool, model, config.draw).batch for _ in range(2))
    counts = [min(segments, int(np.ceil(n * (1 - dropout)))) for n in lengths]
    assert drawn.masks["static"].sum(1).tolist() == counts
    assert drawn.features["static"].shape == (5, max(counts), 6)
    for row, (length, count) in enumerate(zip(lengths, counts, strict=True)):
        taken = drawn.features["static"][row, :count, 0].tolist()
        assert len(set(taken)) == count  # none twice
        assert set(taken) <= set(range(length))  # and none of the padding
        np.testing.assert_allclose(drawn.places["static"][row, :count], (np.array(taken) + 0.5) / length, rtol=1e-6)
        assert drawn.features["static"][row, count:].abs().sum() == 0
    assert not torch.equal(drawn.features["static"], again.features["static"])


def test_the_offset_is_the_same_in_all_segments_of_a_performance(toy):
    state = start(toy.data[:6], RankerConfig(dimensions=DIMENSIONS, width=8), TrainingConfig())
    pool = Pool(toy.data[:6], DIMENSIONS)
    still = TrainingConfig(noise=0.0, segment_dropout=0.0, segments=1000)
    moved = still.model_copy(update={"noise": 0.5})
    torch.manual_seed(0)
    before = draw(pool, state.learner, still.draw).batch
    torch.manual_seed(0)
    after = draw(pool, state.learner, moved.draw).batch
    for stream, mask in before.masks.items():
        offset = (after.features[stream] - before.features[stream]) / state.learner.stream(stream).spread
        for row in range(6):
            kept = offset[row][mask[row]]
            torch.testing.assert_close(kept, kept[:1].expand_as(kept), atol=1e-3, rtol=0)
        assert 0.2 < offset[mask].std() < 0.9


def encoded_rows(data, pairs, config):
    """Rows that went through each stream in every step of a training."""
    state = start(data, RankerConfig(dimensions=DIMENSIONS, width=8), config)
    rows = {stream: [] for stream in DIMENSIONS}
    for stream, seen in rows.items():
        state.learner.stream(stream).register_forward_hook(lambda _, given, __, seen=seen: seen.append(given[0].shape))
    index = PairIndex.of(pairs, [f"v{i:02}" for i in range(len(data))])
    train(state, data, index, config)
    return rows


def test_the_work_of_a_step_grows_with_videos_and_not_with_pairs(toy):
    config = TrainingConfig(steps=3)
    ring = [Pair(toy.ids[i], toy.ids[(i + 1) % 20]) for i in range(20)]
    every = [Pair(a, b) for a in toy.ids[:20] for b in toy.ids[:20] if a < b]
    shapes = [encoded_rows(toy.data[:20], pairs, config) for pairs in (ring, every, every * 10)]
    assert (len(ring), len(every) * 10) == (20, 1900)
    assert shapes[0] == shapes[1] == shapes[2]  # each stream once a step, whatever is compared
    for seen in shapes[0].values():
        assert [shape[0] for shape in seen] == [20, 20, 20]
    more = encoded_rows(toy.data[:40], ring, config)
    assert [shape[0] for shape in more["static"]] == [40, 40, 40]


def test_the_work_of_a_step_is_bounded(toy):
    config = TrainingConfig(steps=4, batch=16, segments=8)
    pairs = [Pair(a, b) for a in toy.ids for b in toy.ids if a < b]
    for seen in encoded_rows(toy.data, pairs, config).values():
        assert len(seen) == 4
        assert all(rows <= 16 and length <= 8 for rows, length, _ in seen)


@pytest.mark.parametrize("averaging", [0.0, 0.5, 0.97])
def test_what_is_kept_is_the_running_mean_of_the_weights(toy, averaging):
    config = TrainingConfig(steps=8, averaging=averaging)
    state = start(toy.data[:10], RankerConfig(dimensions=DIMENSIONS, width=8), config)
    learnt = state.learner.stream("static").embed.weight
    steps = [learnt.detach().clone()]
    pairs = PairIndex.of(toy.pairs(range(10)), toy.ids[:10])
    train(state, toy.data[:10], pairs, config, on_step=lambda _: steps.append(learnt.detach().clone()))
    mean = steps[0]
    for number, weights in enumerate(steps[1:], 1):
        share = min(averaging, number / (number + 5))
        mean = share * mean + (1 - share) * weights
    kept = state.ranker.stream("static").embed.weight.detach()
    torch.testing.assert_close(kept, mean)
    assert torch.equal(kept, steps[-1]) is (averaging == 0)
