"""Writes one version after the other, for somebody to kill it, and tells of each write that is finished.

python -m hardening.writers FOLDER FIRST LAST          # a feature store
python -m hardening.writers FOLDER FIRST LAST MODEL    # a model folder, like this one
"""

from __future__ import annotations

import sys

import numpy as np

from toprock.features.recipe import Recipe
from toprock.features.store import FeatureStore, PerformanceFeatures, StreamFeatures
from toprock.ranker.saved import SavedModel

IDS = ("anna", "bo", "cleo", "dee")
_ROWS = 120


def performance(ident: str, version: int) -> PerformanceFeatures:
    """Features in which every number is the version."""
    times = np.full((_ROWS, 2), float(version))
    streams = {
        Recipe(stream, "numbered", {}): StreamFeatures(np.full((_ROWS, 300), version, np.float16), times)
        for stream in ("dynamic", "static")
    }
    return PerformanceFeatures(ident, streams, {"version": float(version)}, {"video": "v", "size": version})


def model(like: SavedModel, version: int) -> SavedModel:
    """A model in which every weight is the version, by whose number it is called."""
    for member in like.members:
        for value in member.state_dict().values():
            value.fill_(version)
    typical = {stream: np.full_like(rows, version) for stream, rows in like.typical.items()}
    return SavedModel(like.members, like.config.model_copy(update={"name": f"version {version}"}), typical)


def main() -> None:
    """Write."""
    folder, first, last, *like = sys.argv[1:]
    versions = range(int(first), int(last))
    if like:
        begun = SavedModel.load(like[0])
        for version in versions:
            model(begun, version).save(folder)
            print("model", version, flush=True)
    else:
        store = FeatureStore(folder, create=True)
        for version in versions:
            for ident in IDS:
                store.write(performance(ident, version))
                print(ident, version, flush=True)


if __name__ == "__main__":
    main()
