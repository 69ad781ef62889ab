"""Honest evaluation: accuracy with intervals, controls, moments, types of segments, and benchmarks of learners."""

from toprock.evaluate.evaluation import Accuracy, Evaluation, evaluate
from toprock.evaluate.moments import LabelledMoment, MomentScores, moment_scores, read_moments
from toprock.evaluate.segment_types import TypedSpan, TypeFigures, read_segments, segment_types

__all__ = [
    "Accuracy",
    "Evaluation",
    "LabelledMoment",
    "MomentScores",
    "TypeFigures",
    "TypedSpan",
    "evaluate",
    "moment_scores",
    "read_moments",
    "read_segments",
    "segment_types",
]
