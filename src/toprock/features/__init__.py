"""Features: recipes, the store that keeps them, and extraction that fills it."""

from toprock.features.engine import Extraction, Progress, extract
from toprock.features.recipe import Recipe
from toprock.features.store import FeatureStore, PerformanceFeatures, StreamFeatures

__all__ = [
    "Extraction",
    "FeatureStore",
    "PerformanceFeatures",
    "Progress",
    "Recipe",
    "StreamFeatures",
    "extract",
]
