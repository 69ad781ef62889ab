"""Reading a video on another machine: what is sent there, and what is done with it."""

from __future__ import annotations

import functools
import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from toprock.backbones.base import Backbone, Compute
from toprock.errors import ComputeError, FeaturesError
from toprock.features.encoding import Encoding
from toprock.features.engine import extract_group, performance_of
from toprock.features.extraction import source_of
from toprock.features.recipe import Recipe
from toprock.features.store import FeatureStore
from toprock.places import absolute
from toprock.video import Limits


def setup_of(store: FeatureStore, backbones: Sequence[Backbone], limits: Limits, compute: Compute) -> str:
    """What all videos of a run have in common, as JSON: the store and its sign, and how videos are read."""
    told = {
        "store": str(absolute(store.folder)),
        "sign": store.sign,
        "recipes": [Recipe.of(backbone).to_json() for backbone in backbones],
        "limits": asdict(limits),
        "compute": asdict(compute),
    }
    return json.dumps(told)


def read_there(setup: str, group: Sequence[dict[str, Any]]) -> tuple[dict[str, str], dict[str, str]]:
    """Read the performances of one file, but for those that are stored already: it may not be the first try.

    Returns:
        id -> why it has no features; name of a backbone with a network -> how it ran.

    Raises:
        ComputeError: the video's folder or the store is not to be seen from this machine.
        WeightsError: weights are not on this machine.
        StorageError: the store may not be written.
    """
    store, backbones, encoding, limits = _opened(setup)
    folder = Path(group[0]["video"]).parent
    if not folder.is_dir() or not any(folder.iterdir()):
        raise ComputeError(
            f"the folder {folder} is not there, or empty",
            advice="Put videos on a disk that every machine has at the same path.",
        )
    recipes = [Recipe.of(backbone) for backbone in backbones]
    performances = [performance_of(plain) for plain in group]
    left = [p for p in performances if not store.has(p.id, recipes, source_of(p, backbones))]
    if not left:
        return {}, {}
    failed = extract_group(left, store, backbones, limits, encoding=encoding)
    return failed, encoding.paces()


@functools.lru_cache(maxsize=2)
def _opened(setup: str) -> tuple[FeatureStore, list[Backbone], Encoding, Limits]:
    """A process keeps store and networks from one task to the next."""
    told = json.loads(setup)
    shared = "Put it on a disk that every machine has at the same path, or give an address such as s3://."
    try:
        store = FeatureStore(told["store"])
    except FeaturesError as problem:
        raise ComputeError(f"the store cannot be seen from there ({problem.message})", advice=shared) from None
    if store.sign != told["sign"]:
        raise ComputeError(f"{told['store']}: is another store there than here", advice=shared)
    backbones = [Recipe.from_json(value).build() for value in told["recipes"]]
    return store, backbones, Encoding(Compute(**told["compute"])), Limits(**told["limits"])
