from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from toprock.comparisons import Pair
from toprock.datasets import Fold, Task
from toprock.features import PerformanceFeatures, Recipe
from toprock.features.store import StreamFeatures

RECIPES = {"dynamic": Recipe("dynamic", "made-up", {}), "static": Recipe("static", "made-up", {})}


@pytest.fixture
def small_task() -> Task:
    """Twelve performances as good as their first static feature says, each longer than the one before; two folds."""
    rng = np.random.default_rng(0)
    features = {}
    for number in range(12):
        streams = {}
        for stream, width in (("dynamic", 3), ("static", 4)):
            x = rng.normal(size=(8, width)).astype(np.float32)
            x[:, 0] += 0.5 * number * (stream == "static")
            times = np.stack([np.arange(8.0), np.arange(8.0) + 1], 1)
            streams[RECIPES[stream]] = StreamFeatures(x, times)
        ident = f"v{number:02}"
        features[ident] = PerformanceFeatures(ident, streams, {"duration_s": 10.0 + number})
    ids = list(features)
    pairs = [Pair(b, a) for i, a in enumerate(ids) for b in ids[i + 1 :]]
    folds = []
    for name, held in (("one", set(ids[::3])), ("two", set(ids[1::3]))):
        train = [p for p in pairs if p.better not in held and p.worse not in held]
        folds.append(Fold(name, train, [p for p in pairs if p not in train]))
    return Task("toy", features, RECIPES, folds, {i: f"p{n // 2}" for n, i in enumerate(ids)})


@pytest.fixture
def changed():
    """A function that gives a task with one value of one performance changed."""

    def change(task: Task, ident: str) -> Task:
        found = task.features[ident]
        streams = dict(found.streams)
        recipe = RECIPES["static"]
        x = streams[recipe].features.copy()
        x[0, 0] += 1.0
        streams[recipe] = replace(streams[recipe], features=x)
        return replace(task, features={**task.features, ident: replace(found, streams=streams)})

    return change
