"""Rank-aware attention network (RAAN), written from its equations.

Doughty, Mayol-Cuevas, Damen, "The Pros and Cons: Rank-aware Temporal Attention for Skill Determination in Long
Videos", CVPR 2019. Two attention branches (+ and -), each the mean of three filters, and a uniform one; a linear map of
each attended mean is the branch's score. Losses: every branch ranks, the two attend to more than the uniform one
tells, filters differ, and the better one's + beats the worse one's -. Test score: s+ + s-.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from toprock.peers.learner import Scorer, TrainingSide, Watch
from toprock.peers.twin import TwinConfig, fit_twin

RANKING, DISPARITY, RANK_AWARE, DIVERSITY = 1.0, 0.05, 0.15, 0.1


class RAAN(nn.Module):
    """(V, T, D) -> score (V,), branch scores (V, 3) of +, - and uniform, attention (V, 2, filters, T)."""

    def __init__(self, dimension: int, *, hidden: int = 256, filters: int = 3) -> None:
        super().__init__()
        self.filters = filters
        self.attend = nn.ModuleList(
            nn.Sequential(nn.Linear(dimension, hidden), nn.ReLU(inplace=True), nn.Linear(hidden, 1))
            for _ in range(2 * filters)
        )
        self.score = nn.ModuleList(nn.Linear(dimension, 1) for _ in range(3))

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Score videos."""
        logits = torch.stack([attend(x)[..., 0] for attend in self.attend], 1)  # (V, 2 filters, T)
        attention = logits.softmax(2).unflatten(1, (2, self.filters))  # (V, 2, filters, T)
        seen = attention.mean(2) @ x  # (V, 2, D)
        means = (seen[:, 0], seen[:, 1], x.mean(1))
        branches = torch.cat([score(mean) for score, mean in zip(self.score, means, strict=True)], 1)
        return branches[:, 0] + branches[:, 1], branches, attention


def raan_loss(network: nn.Module, x: Tensor, better: Tensor, worse: Tensor) -> Tensor:
    """The sum of RAAN's terms, means over the pairs of a batch."""
    _, branches, attention = network(x)
    difference = branches[better] - branches[worse]  # (N, 3)
    ranking = F.relu(RANKING - difference).mean(0).sum()
    disparity = F.relu(DISPARITY - difference[:, :2] + difference[:, 2:]).mean(0).sum()
    crossed = branches[better, 0] - branches[worse, 1]
    rank_aware = F.relu(RANK_AWARE - crossed + difference[:, 2]).mean()
    unlike = attention @ attention.mT - torch.eye(attention.shape[2])  # (V, 2, filters, filters)
    each = torch.linalg.vector_norm(unlike.flatten(2), dim=2).sum(1)  # (V,)
    diversity = (each[better] + each[worse]).mean()
    return ranking + disparity + rank_aware + DIVERSITY * diversity


@dataclass(frozen=True)
class Raan:
    """RAAN as a learner; see `twin.fit_twin` for `once`."""

    config: TwinConfig = field(default_factory=TwinConfig)
    once: bool = True

    @property
    def settings(self) -> dict[str, Any]:
        """The schedule."""
        return self.config.to_json()

    def __call__(self, side: TrainingSide, *, seed: int, watch: Watch | None = None) -> Scorer:
        """Train RAAN."""
        return fit_twin(side, RAAN, raan_loss, self.config, seed=seed, watch=watch, once=self.once)
