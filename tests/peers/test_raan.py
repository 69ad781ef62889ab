"""RAAN against plain loops written from its equations, and encoded once against encoded pair by pair."""

import numpy as np
import pytest
import torch
from torch import nn

from toprock.peers import Raan, TwinConfig
from toprock.peers.raan import RAAN, raan_loss
from toprock.peers.twin import batch_of, uniform

STEPS = 3
"""Steps of 128 pairs, of the 14,000 of a whole training, and 20 segments in place of 100."""


def loop_loss(branches, attention, pairs):
    """The equations: branches (V, 3) of +, - and uniform; attention (V, 2, F, T); pairs of rows."""
    total = torch.zeros(())
    for i, j in pairs:
        plus, minus, even = (branches[i][b] - branches[j][b] for b in range(3))
        for difference in (plus, minus, even):  # every branch ranks, margin 1
            total = total + max(torch.zeros(()), 1.0 - difference)
        for difference in (plus, minus):  # more than the uniform one, margin 0.05
            total = total + max(torch.zeros(()), 0.05 - difference + even)
        crossed = branches[i][0] - branches[j][1]  # the better one's + beats the worse one's -, margin 0.15
        total = total + max(torch.zeros(()), 0.15 - crossed + even)
        for video in (i, j):  # filters of a branch differ: Frobenius norm of A A^T - I, weight 0.1
            for branch in range(2):
                filters = attention[video, branch]
                size = 0.0
                for f in range(len(filters)):
                    for g in range(len(filters)):
                        size = size + ((filters[f] * filters[g]).sum() - float(f == g)) ** 2
                total = total + 0.1 * size**0.5
    return total / len(pairs)


class Given(nn.Module):
    """A network that says what it is told to."""

    def __init__(self, branches, attention):
        super().__init__()
        self.branches, self.attention = nn.Parameter(branches), nn.Parameter(attention)

    def forward(self, x):
        return self.branches[:, 0] + self.branches[:, 1], self.branches, self.attention


@pytest.mark.parametrize("seed", range(5))
def test_the_loss_is_that_of_the_equations(seed):
    random = torch.Generator().manual_seed(seed)
    told = Given(torch.randn(7, 3, generator=random), torch.randn(7, 2, 3, 9, generator=random).softmax(-1))
    pairs = [(0, 1), (1, 2), (0, 6), (5, 3), (4, 2), (0, 1)]
    better, worse = torch.tensor(pairs).T
    ours = raan_loss(told, torch.zeros(7, 9, 1), better, worse)
    expected = loop_loss(told.branches, told.attention, pairs)
    torch.testing.assert_close(ours, expected)
    for one, other in zip(*(torch.autograd.grad(loss, told.parameters()) for loss in (ours, expected)), strict=True):
        torch.testing.assert_close(one, other, atol=1e-6, rtol=1e-5)


def test_raan_is_also_paid_for_making_the_uniform_branch_worse():
    """Nothing stops the gradient, other than in this package's own loss."""
    told = Given(torch.tensor([[1.5, 1.5, 3.0], [0.0, 0.0, 0.0]]), torch.full((2, 2, 3, 4), 0.25))
    raan_loss(told, torch.zeros(2, 4, 1), torch.tensor([0]), torch.tensor([1])).backward()
    # every branch ranks by more than the margin: what is left is twice disparity and once rank-aware
    assert told.branches.grad.tolist() == [[-2.0, -1.0, 3.0], [1.0, 2.0, -3.0]]


def test_the_network_is_that_of_the_equations():
    torch.manual_seed(0)
    network, x = RAAN(4, hidden=5, filters=3), torch.randn(2, 6, 4)
    scores, branches, attention = network(x)
    for v in range(2):
        means = []
        for branch in range(2):
            seen = torch.zeros(4)
            for f in range(3):
                inner, _, outer = network.attend[3 * branch + f]
                logits = torch.stack(
                    [
                        outer.weight[0] @ torch.relu(inner.weight @ x[v, t] + inner.bias) + outer.bias[0]
                        for t in range(6)
                    ]
                )
                weights = logits.exp() / logits.exp().sum()
                torch.testing.assert_close(attention[v, branch, f], weights)
                seen = seen + weights @ x[v] / 3
            means.append(seen)
        means.append(x[v].mean(0))
        expected = [
            (module.weight[0] @ mean + module.bias[0]) for module, mean in zip(network.score, means, strict=True)
        ]
        torch.testing.assert_close(branches[v], torch.stack(expected))
        torch.testing.assert_close(scores[v], expected[0] + expected[1])


def both_forms(network, x, ends, noise):
    """Loss and gradients with every video encoded once, and with both ends of every pair encoded."""
    for once in (True, False):
        videos, (better, worse) = batch_of(ends, once=once)
        loss = raan_loss(network, x[videos] + noise, better, worse)
        yield loss, torch.autograd.grad(loss, list(network.parameters()))


def assert_alike(network, x, ends, noise):
    (once, first), (twice, second) = both_forms(network, x, ends, noise)
    assert float(once.detach()) == pytest.approx(float(twice.detach()), abs=1e-5)
    for one, other in zip(first, second, strict=True):
        torch.testing.assert_close(one, other, atol=1e-5, rtol=1e-5)
    return first


def test_once_and_pair_by_pair_have_one_loss_and_one_gradient():
    random = torch.Generator().manual_seed(0)
    x = torch.randn(12, 8, 6, generator=random)
    torch.manual_seed(1)
    network = RAAN(6, hidden=16)
    ends = torch.randint(12, (2, 40), generator=random)
    gradients = assert_alike(network, x, ends, 0.3 * torch.randn(8, 6, generator=random))
    taught = [name for (name, _), g in zip(network.named_parameters(), gradients, strict=True) if g.abs().max() > 1e-3]
    # a softmax and a difference of scores take constants away: no bias but those of + against -
    assert {"attend.0.0.weight", "attend.5.2.weight", "score.0.weight", "score.1.weight", "score.2.weight"} <= set(
        taught
    )


def test_once_and_pair_by_pair_on_real_kinematics(real_jigsaws):
    """The first fold, seed 0, along the way of `STEPS` steps of training."""
    fold = real_jigsaws.folds[0]
    ids = sorted({i for p in fold.train for i in (p.better, p.worse)})
    streams = sorted(real_jigsaws.recipes.values(), key=lambda recipe: recipe.stream)
    arrays = np.stack(
        [np.hstack([uniform(real_jigsaws.features[i].streams[r].features, 20) for r in streams]) for i in ids]
    )
    spread = arrays.std((0, 1))
    x = torch.from_numpy((arrays - arrays.mean((0, 1))) / np.where(spread > 1e-6, spread, np.inf)).float()
    place = {ident: row for row, ident in enumerate(ids)}
    every = torch.tensor([[place[getattr(p, end)] for p in fold.train] for end in ("better", "worse")])
    torch.manual_seed(0)
    network = RAAN(x.shape[2])
    optimiser = torch.optim.Adam(network.parameters(), lr=1e-4)
    for rows in torch.randperm(len(fold.train)).split(128)[:STEPS]:
        gradients = assert_alike(network, x, every[:, rows], 0.01 * torch.randn(x.shape[1:]))
        for parameter, gradient in zip(network.parameters(), gradients, strict=True):
            parameter.grad = gradient
        optimiser.step()


def test_both_forms_learn_alike_and_learn_what_is_planted(planted):
    config = TwinConfig(epochs=10, batch=128, learning_rate=5e-3, segments=8)
    once, twice = (Raan(config, once=once)(planted.side(32), seed=0) for once in (True, False))
    assert planted.accuracy(once, 32) > 0.7
    one, other = once(planted.data), twice(planted.data)
    np.testing.assert_allclose(list(one.values()), list(other.values()), atol=1e-2)
    assert Raan(config).settings == Raan(config, once=False).settings
