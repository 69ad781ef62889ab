"""Learners that are measured beside each other: this package's own, and those of the literature."""

from toprock.peers.attention import AveragePooling, Softmax
from toprock.peers.learner import Learner, Scorer, TrainingSide, Watch
from toprock.peers.linear import Linear, LinearModel, fit_linear
from toprock.peers.qsd import Qsd
from toprock.peers.raan import Raan
from toprock.peers.twin import TwinConfig

__all__ = [
    "AveragePooling",
    "Learner",
    "Linear",
    "LinearModel",
    "Qsd",
    "Raan",
    "Scorer",
    "Softmax",
    "TrainingSide",
    "TwinConfig",
    "Watch",
    "fit_linear",
]
