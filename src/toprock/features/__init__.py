"""Features: recipes, the store that keeps them, and extraction and import that fill it."""

from toprock.features.engine import Extraction, Progress, extract
from toprock.features.importing import import_features
from toprock.features.index import Entry, Index
from toprock.features.recipe import Recipe
from toprock.features.store import FeatureStore, PerformanceFeatures, StreamFeatures
from toprock.features.verification import Verification, verify

__all__ = [
    "Entry",
    "Extraction",
    "FeatureStore",
    "Index",
    "PerformanceFeatures",
    "Progress",
    "Recipe",
    "StreamFeatures",
    "Verification",
    "extract",
    "import_features",
    "verify",
]
