"""The ranker: model, losses, training, and the model folder."""

from toprock.ranker.choosing import Advance
from toprock.ranker.from_store import Plan, train_from_store
from toprock.ranker.losses import LossConfig
from toprock.ranker.model import Ranker, RankerConfig
from toprock.ranker.saved import SavedModel
from toprock.ranker.training import TrainingConfig

__all__ = [
    "Advance",
    "LossConfig",
    "Plan",
    "Ranker",
    "RankerConfig",
    "SavedModel",
    "TrainingConfig",
    "train_from_store",
]
