"""How much a score deserves trust: chances, a scale with intervals, what is unlike the training, and checks of them."""

from toprock.calibration.chance import COIN, Chance, Slope, fit_slopes
from toprock.calibration.domain import Caution, Column, Domain, Seen, coverage, fit_domain, typical_segment, unlikeness
from toprock.calibration.held_out import HeldOut, Unseen
from toprock.calibration.ranked import Ranked, ranked_right
from toprock.calibration.reliability import Reliability, reliability
from toprock.calibration.scale import MarksScale, Scaled, TrainingScale, fit_marks, fit_training_scale

__all__ = [
    "COIN",
    "Caution",
    "Chance",
    "Column",
    "Domain",
    "HeldOut",
    "MarksScale",
    "Ranked",
    "Reliability",
    "Scaled",
    "Seen",
    "Slope",
    "TrainingScale",
    "Unseen",
    "coverage",
    "fit_domain",
    "fit_marks",
    "fit_slopes",
    "fit_training_scale",
    "ranked_right",
    "reliability",
    "typical_segment",
    "unlikeness",
]
