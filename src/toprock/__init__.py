"""Toprock scores long performances from video, learns from comparisons, and shows which seconds made the score.

>>> import toprock
>>> model = toprock.load("model")
>>> model.assess("battle.mp4").moments[0].kind
'best'
>>> model.compare("final/anna.mp4", "semi/anna.mp4").a
'final/anna'
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from toprock._version import __version__
from toprock.errors import ToprockError
from toprock.performance import Performance

if TYPE_CHECKING:
    from toprock.assess.assessment import Assessment, Moment, SegmentEvidence
    from toprock.assess.model import Comparison, Model, load
    from toprock.comparisons import Pair, read_pairs
    from toprock.features import FeatureStore, extract
    from toprock.performance import find_performances, read_manifest
    from toprock.ranker import train_from_store as train
    from toprock.report import write_comparison, write_report

__all__ = [
    "Assessment",
    "Comparison",
    "FeatureStore",
    "Model",
    "Moment",
    "Pair",
    "Performance",
    "SegmentEvidence",
    "ToprockError",
    "__version__",
    "extract",
    "find_performances",
    "load",
    "read_manifest",
    "read_pairs",
    "train",
    "write_comparison",
    "write_report",
]

_HOMES = {
    "Assessment": "assess.assessment",
    "Comparison": "assess.model",
    "FeatureStore": "features",
    "Model": "assess.model",
    "Moment": "assess.assessment",
    "Pair": "comparisons",
    "SegmentEvidence": "assess.assessment",
    "extract": "features.engine",
    "find_performances": "performance",
    "load": "assess.model",
    "read_manifest": "performance",
    "read_pairs": "comparisons",
    "train": "ranker:train_from_store",
    "write_comparison": "report",
    "write_report": "report",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'toprock' has no attribute '{name}'")
    module, _, attribute = _HOMES[name].partition(":")
    return getattr(import_module(f"toprock.{module}"), attribute or name)
