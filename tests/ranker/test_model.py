import numpy as np
import pytest
import torch

from toprock.errors import FeaturesError
from toprock.ranker.batch import collate
from toprock.ranker.model import CrossAttention, Ranker, RankerConfig
from toprock.ranker.training import bias, branch_scores, fix_zero

DIMENSIONS = {"dynamic": 5, "static": 6}


def ranker(**options):
    torch.manual_seed(0)
    return Ranker(RankerConfig(dimensions=DIMENSIONS, width=16, **options)).eval()


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"layers": 1},
        {"layers": 3, "prototypes": 2},
        {"heads": 1, "hidden": 8},
        {"average_in_score": True},
    ],
)
def test_the_score_is_the_sum_of_contributions(toy, options):
    model = ranker(**options)
    out = model(collate(toy.data[:4], DIMENSIONS))
    total = sum(stream.contributions.sum(-1) for stream in out.streams.values())
    torch.testing.assert_close(out.scores, total)
    for stream in out.streams.values():
        torch.testing.assert_close(stream.attention.sum(-1), torch.ones(4, 2 * model.config.prototypes))
    counted = out.scores[:, :2].sum(1) + options.get("average_in_score", False) * out.scores[:, 2]
    torch.testing.assert_close(model.final(out.scores), counted)


@torch.no_grad()
def test_a_score_depends_neither_on_batch_mates_nor_on_padding(toy):
    model = ranker(layers=3)
    alone = torch.cat([model(collate([d], DIMENSIONS)).scores for d in toy.data])
    together = model(collate(toy.data, DIMENSIONS)).scores
    torch.testing.assert_close(alone, together, atol=1e-5, rtol=0)
    torch.testing.assert_close(branch_scores(model, toy.data, batch=5), alone, atol=1e-5, rtol=0)


@torch.no_grad()
def test_padding_has_no_contribution_and_no_attention(toy):
    short, long = sorted(toy.data[:6], key=lambda d: len(d["static"]))[::5]
    out = ranker()(collate([short, long], DIMENSIONS)).streams["static"]
    length = len(short["static"])
    assert out.contributions[0, :, length:].abs().max() == 0
    assert out.attention[0, :, length:].abs().max() == 0


@torch.no_grad()
def test_a_missing_stream_adds_nothing(toy):
    model, both = ranker(), toy.data[0]
    out = model(collate([{"static": both["static"]}, both], DIMENSIONS))
    assert out.streams["dynamic"].contributions[0].abs().max() == 0
    torch.testing.assert_close(out.scores[0], out.streams["static"].contributions[1].sum(-1))


def test_a_hidden_stream_leaves_gradients_finite(toy):
    model = ranker().train()
    batch = collate(toy.data[:3], DIMENSIONS)
    keep = {"dynamic": torch.tensor([False, True, True]), "static": torch.tensor([True, True, True])}
    model(batch, keep=keep).scores.sum().backward()
    assert all(p.grad is None or p.grad.isfinite().all() for p in model.parameters())


@torch.no_grad()
def test_folded_attention_equals_the_usual_form():
    torch.manual_seed(1)
    cross = CrossAttention(12, 3)
    q, z, mask = torch.randn(2, 4, 12), torch.randn(2, 7, 12), torch.ones(2, 7, dtype=torch.bool)
    mask[1, 5:] = False
    split = lambda x: x.unflatten(-1, (3, 4)).transpose(1, 2)  # noqa: E731
    dots = split(cross.query(q)) @ split(cross.key(z)).mT / 4**0.5
    usual = torch.softmax(dots.masked_fill(~mask[:, None, None], -torch.inf), -1)
    torch.testing.assert_close(cross(q, z, mask), usual)


@torch.no_grad()
def test_a_constant_in_the_value_map_changes_no_contribution_once_the_zero_is_fixed(toy):
    one, two = ranker(), ranker()
    for module in two.streams.values():
        module.zero += torch.tensor([3.0, -2.0, 7.0])  # what a constant in the value maps does
    for model in (one, two):
        fix_zero(model, toy.data)
    batch = collate(toy.data, DIMENSIONS)
    for stream in DIMENSIONS:
        a, b = (m(batch).streams[stream].contributions for m in (one, two))
        torch.testing.assert_close(a, b, atol=1e-5, rtol=0)
        torch.testing.assert_close(a.sum(-1).mean(0), torch.zeros(3), atol=1e-5, rtol=0)


@torch.no_grad()
def test_fixing_the_zero_keeps_every_score(toy):
    model = ranker()
    before = model.final(branch_scores(model, toy.data))
    fix_zero(model, toy.data)
    torch.testing.assert_close(bias(model) + model.final(branch_scores(model, toy.data)), before)


def test_collate_refuses_what_would_give_nonsense(toy):
    with pytest.raises(FeaturesError, match="not \\(segments, 6\\)"):
        collate([{"static": np.ones((3, 4), np.float32)}], {"static": 6})
    with pytest.raises(FeaturesError, match="not finite"):
        collate([{"static": np.full((3, 6), np.nan, np.float32)}], {"static": 6})
    with pytest.raises(FeaturesError, match="no segment in any stream"):
        collate([{"static": np.ones((0, 6), np.float32)}], {"static": 6})


@torch.no_grad()
def test_length_alone_changes_nothing(toy):
    model = ranker(layers=2)
    doubled = [{stream: np.repeat(x, 2, axis=0) for stream, x in d.items()} for d in toy.data[:5]]
    torch.testing.assert_close(branch_scores(model, doubled), branch_scores(model, toy.data[:5]), atol=1e-5, rtol=0)


@torch.no_grad()
def test_full_contrast_hides_what_all_segments_share_from_high_and_low_alone(toy):
    moved = [{stream: x + np.float32(1.5) for stream, x in d.items()} for d in toy.data[:5]]
    for contrast, blind in ((1.0, True), (0.0, False)):
        model = ranker(contrast=contrast)
        before, after = branch_scores(model, toy.data[:5]), branch_scores(model, moved)
        assert torch.allclose(before[:, :2], after[:, :2], atol=2e-3) is blind
        assert not torch.allclose(before[:, 2], after[:, 2], atol=2e-3)
