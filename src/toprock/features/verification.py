"""Whether every file of a store is whole and makes sense."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from toprock.backbones import from_settings
from toprock.errors import FeaturesError, ToprockError, UnknownPerformance
from toprock.features.recipe import Recipe
from toprock.features.store import FeatureStore, PerformanceFeatures, StreamFeatures


@dataclass
class Holding:
    """What sound files hold of one recipe: how many performances and segments, and the length D of a vector."""

    performances: int = 0
    segments: int = 0
    dimension: int = 0


@dataclass
class Verification:
    """What `verify` found.

    Attributes:
        sound: how many performances are as they should be.
        holdings: recipe -> what there is of it.
        damaged: id -> what is wrong with its file.
        failures: id -> why its extraction or import failed the last time.
    """

    sound: int = 0
    holdings: dict[Recipe, Holding] = field(default_factory=dict)
    damaged: dict[str, str] = field(default_factory=dict)
    failures: dict[str, str] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """The JSON object (schema 1): performances, sound, recipes (each with performances, segments, dimension),
        and damaged and failures, id -> why.
        """
        recipes = [
            recipe.to_json() | {"performances": h.performances, "segments": h.segments, "dimension": h.dimension}
            for recipe, h in self.holdings.items()
        ]
        return {
            "schema": 1,
            "performances": self.sound + len(self.damaged),
            "sound": self.sound,
            "recipes": recipes,
            "damaged": self.damaged,
            "failures": self.failures,
        }


def verify(store: FeatureStore, *, on_progress: Callable[[int, int, str], None] | None = None) -> Verification:
    """Read every file of a store: readable, known recipes, shapes, finite features, rising times.

    Args:
        store: is only read.
        on_progress: called before every performance with the number done, of how many, and the id.
    """
    holdings = {recipe: Holding(dimension=_dimension(recipe)) for recipe in store.recipes}
    found = Verification(holdings=holdings, failures=store.failures())
    ids = store.ids()
    for number, ident in enumerate(ids):
        if on_progress:
            on_progress(number, len(ids), ident)
        try:
            performance = store.read(ident)
            if wrong := _wrong(performance, found.holdings):
                raise FeaturesError(f"{store.path(ident)}: {wrong}", advice="Delete it and extract or import it again.")
        except (FeaturesError, UnknownPerformance) as problem:
            found.damaged[ident] = str(problem)
            continue
        found.sound += 1
        for recipe, stream in performance.streams.items():
            holding = found.holdings[recipe]
            holding.performances += 1
            holding.segments += len(stream.features)
            holding.dimension = holding.dimension or stream.features.shape[1]
    return found


def _dimension(recipe: Recipe) -> int:
    """The length of a vector, as the recipe has it; 0 where only the files tell."""
    if recipe.imported:
        return int(recipe.settings["shape"][1])
    try:
        return from_settings(recipe.backbone, recipe.settings, weights_at=recipe.weights_at).spec.dimension
    except ToprockError:  # of another version
        return 0


def _wrong(performance: PerformanceFeatures, holdings: dict[Recipe, Holding]) -> str:
    """What is wrong with a file that could be read; empty where nothing is."""
    if not performance.streams:
        return "holds no features"
    for recipe, stream in performance.streams.items():
        if recipe not in holdings:
            return f"holds {recipe.stream} features '{recipe.backbone}' that store.json does not name"
        if wrong := _wrong_stream(recipe, stream, holdings[recipe].dimension):
            return f"its {recipe.stream} features '{recipe.backbone}' {wrong}"
    return ""


def _wrong_stream(recipe: Recipe, stream: StreamFeatures, dimension: int) -> str:
    features, times = stream.features, stream.times
    if recipe.imported and (segments := recipe.settings["shape"][0]) not in (None, len(features)):
        return f"have {len(features)} segments, not {segments}"
    if dimension and features.shape[1] != dimension:
        return f"have {features.shape[1]} numbers a segment, not {dimension}"
    if not np.isfinite(features).all():
        return "are not all finite"
    if not np.isfinite(times).all() or (times[:, 0] >= times[:, 1]).any() or (np.diff(times[:, 0]) < 0).any():
        return "have times that do not rise"
    return ""
