"""The two plain rankers that RAAN is measured against: softmax attention, and the average of all segments.

Both learn with the margin ranking loss alone (Doughty et al., CVPR 2018 and 2019).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from torch import Tensor, nn
from torch.nn import functional as F

from toprock.peers.learner import Scorer, TrainingSide, Watch
from toprock.peers.twin import TwinConfig, fit_twin


class SoftmaxAttention(nn.Module):
    """(V, T, D) -> score (V,): a linear map of the attended mean, attention by one hidden layer and a softmax."""

    def __init__(self, dimension: int, *, hidden: int = 256) -> None:
        super().__init__()
        self.attend = nn.Sequential(nn.Linear(dimension, hidden), nn.ReLU(), nn.Linear(hidden, 1))
        self.score = nn.Linear(dimension, 1)

    def forward(self, x: Tensor) -> tuple[Tensor]:
        """Score videos."""
        return (self.score((self.attend(x).softmax(1) * x).sum(1))[:, 0],)


class Average(nn.Module):
    """(V, T, D) -> score (V,): a linear map of the mean over the segments."""

    def __init__(self, dimension: int) -> None:
        super().__init__()
        self.score = nn.Linear(dimension, 1)

    def forward(self, x: Tensor) -> tuple[Tensor]:
        """Score videos."""
        return (self.score(x.mean(1))[:, 0],)


def ranking_loss(network: nn.Module, x: Tensor, better: Tensor, worse: Tensor) -> Tensor:
    """Mean of max(0, 1 - (s_i - s_j))."""
    (scores,) = network(x)
    return F.relu(1.0 - scores[better] + scores[worse]).mean()


@dataclass(frozen=True)
class Softmax:
    """Softmax attention as a learner."""

    config: TwinConfig = field(default_factory=TwinConfig)

    @property
    def settings(self) -> dict[str, Any]:
        """The schedule."""
        return self.config.to_json()

    def __call__(self, side: TrainingSide, *, seed: int, watch: Watch | None = None) -> Scorer:
        """Train it."""
        return fit_twin(side, SoftmaxAttention, ranking_loss, self.config, seed=seed, watch=watch)


@dataclass(frozen=True)
class AveragePooling:
    """Average pooling as a learner."""

    config: TwinConfig = field(default_factory=TwinConfig)

    @property
    def settings(self) -> dict[str, Any]:
        """The schedule."""
        return self.config.to_json()

    def __call__(self, side: TrainingSide, *, seed: int, watch: Watch | None = None) -> Scorer:
        """Train it."""
        return fit_twin(side, Average, ranking_loss, self.config, seed=seed, watch=watch)
