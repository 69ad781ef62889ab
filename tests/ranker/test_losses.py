"""Every loss term against a plain loop written from its equation."""

import math

import pytest
import torch

from toprock.ranker import losses

HIGH, LOW, AVERAGE = 0, 1, 2


@pytest.fixture
def sides():
    generator = torch.Generator().manual_seed(3)
    better, worse = torch.randn(2, 7, 3, generator=generator).double()
    return better, worse, torch.rand(7, generator=generator).double() + 0.5


def weighted(values, weight):
    return sum(v * w for v, w in zip(values, weight.tolist(), strict=True)) / weight.sum().item()


def test_ranking_hinge(sides):
    better, worse, weight = sides
    loop = [
        sum(max(0.0, 1.0 - (b[k] - w[k])) for k in range(3))
        for b, w in zip(better.tolist(), worse.tolist(), strict=True)
    ]
    assert losses.ranking(better, worse, weight).item() == pytest.approx(weighted(loop, weight))


def test_ranking_logistic(sides):
    better, worse, weight = sides
    loop = [
        sum(math.log(1 + math.exp(-(b[k] - w[k]))) for k in range(3))
        for b, w in zip(better.tolist(), worse.tolist(), strict=True)
    ]
    assert losses.ranking(better, worse, weight, form="logistic").item() == pytest.approx(weighted(loop, weight))


def test_tie(sides):
    better, worse, weight = sides
    loop = [
        sum(max(0.0, abs(b[k] - w[k]) - 1.0) for k in range(3))
        for b, w in zip(better.tolist(), worse.tolist(), strict=True)
    ]
    assert losses.tie(better, worse, weight).item() == pytest.approx(weighted(loop, weight))
    assert losses.tie(better, worse, weight) == losses.tie(worse, better, weight)


def test_beats_average(sides):
    better, worse, weight = sides
    loop = [
        sum(max(0.0, 0.05 - (b[k] - w[k]) + (b[AVERAGE] - w[AVERAGE])) for k in (HIGH, LOW))
        for b, w in zip(better.tolist(), worse.tolist(), strict=True)
    ]
    assert losses.beats_average(better, worse, weight).item() == pytest.approx(weighted(loop, weight))


def test_useful_disagreement(sides):
    better, worse, weight = sides
    loop = [
        max(0.0, 0.15 - (b[HIGH] - w[LOW]) + (b[AVERAGE] - w[AVERAGE]))
        for b, w in zip(better.tolist(), worse.tolist(), strict=True)
    ]
    assert losses.useful_disagreement(better, worse, weight).item() == pytest.approx(weighted(loop, weight))


@pytest.mark.parametrize("term", [losses.beats_average, losses.useful_disagreement])
def test_the_average_is_never_pushed_down(sides, term):
    better, worse, weight = (x.clone().requires_grad_() for x in sides)
    term(better, worse, weight, margin=5.0).backward()
    assert better.grad[:, AVERAGE].abs().max() == 0
    assert worse.grad[:, AVERAGE].abs().max() == 0
    assert better.grad.abs().max() > 0


def test_higher_means_better_in_every_branch(sides):
    better, worse, weight = (x.clone().requires_grad_() for x in sides)
    losses.ranking(better, worse, weight, margin=50.0).backward()
    assert (better.grad < 0).all()
    assert (worse.grad > 0).all()


def test_overlap_is_the_mean_cosine_off_the_diagonal():
    rows = torch.rand(3, 4, 9, generator=torch.Generator().manual_seed(0))
    rows = rows / rows.sum(-1, keepdim=True)
    loop = []
    for video in rows.tolist():
        cosines = []
        for i in range(4):
            for j in range(4):
                if i != j:
                    dot = sum(a * b for a, b in zip(video[i], video[j], strict=True))
                    size = math.sqrt(sum(a * a for a in video[i]) * sum(b * b for b in video[j]))
                    cosines.append(dot / size)
        loop.append(sum(cosines) / len(cosines))
    assert losses.overlap([rows]).item() == pytest.approx(sum(loop) / 3, rel=1e-5)
    hidden = torch.cat([rows, torch.zeros(2, 4, 9)])
    assert losses.overlap([hidden]).item() == pytest.approx(sum(loop) / 3, rel=1e-5)


def test_overlap_does_not_reward_peaked_attention():
    apart_even = torch.tensor([[[0.5, 0.5, 0.0, 0.0], [0.0, 0.0, 0.5, 0.5]]])
    apart_peaked = torch.tensor([[[1.0, 0.0, 0.0, 0.0], [0.0, 0.0, 0.0, 1.0]]])
    assert losses.overlap([apart_even]) == losses.overlap([apart_peaked]) == 0


def test_collapse_measures_entropy_below_the_floor():
    rows = torch.tensor([[[0.7, 0.2, 0.1, 0.0], [0.25, 0.25, 0.25, 0.25]]])
    mask = torch.tensor([[True, True, True, True]])
    entropy = -sum(p * math.log(p) for p in (0.7, 0.2, 0.1))
    loop = (max(0.0, 0.8 - entropy / math.log(4)) + 0.0) / 2
    assert losses.collapse([rows], [mask], floor=0.8).item() == pytest.approx(loop, rel=1e-5)
    assert losses.collapse([rows], [mask], floor=0.1).item() == 0
