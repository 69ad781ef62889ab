"""Honest evaluation: accuracy with intervals, controls, moments, and a linear model beside the ranker."""

from toprock.evaluate.evaluation import Accuracy, Evaluation, evaluate
from toprock.evaluate.moments import LabelledMoment, MomentScores, moment_scores, read_moments

__all__ = [
    "Accuracy",
    "Evaluation",
    "LabelledMoment",
    "MomentScores",
    "evaluate",
    "moment_scores",
    "read_moments",
]
