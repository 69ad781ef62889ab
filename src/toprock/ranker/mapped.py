"""Features that stay on disk while a ranker learns from them: each performance is mapped when it is asked for.

A store of any size is trained on in the same memory, but for one at an address, whose features are fetched. A map
lasts as long as its array: kept are where the numbers lie and what the file was like when it was verified, so that
neither open files nor maps run out.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from toprock.backbones.base import Stream
from toprock.errors import FeaturesError
from toprock.features.recipe import Recipe
from toprock.features.store import FeatureStore, PerformanceFeatures
from toprock.places import is_remote
from toprock.ranker.batch import Arrays

OnRead = Callable[[PerformanceFeatures], None]
"""Called with each performance while it is verified; what is kept of it is the caller's choice."""

_KINDS = {"F16": np.float16, "F32": np.float32, "F64": np.float64}


@dataclass(frozen=True, slots=True)
class Place:
    """Where an array lies in its file: bytes from the start, shape (T, D), and the kind of its numbers."""

    offset: int
    shape: tuple[int, int]
    dtype: np.dtype


class MappedPerformance(Mapping[Stream, np.ndarray]):
    """Features of one performance, read from its file when they are asked for.

    Args:
        path: a safetensors file whose content was verified.
        places: stream -> where its features lie.
        state: of the file, as `file_state` gave it before it was verified.

    Raises:
        FeaturesError: when an array is asked for, and the file is gone or is no longer the one that was verified.
    """

    __slots__ = ("_path", "_places", "_state")

    def __init__(self, path: Path, places: Mapping[Stream, Place], state: tuple[int, ...]) -> None:
        self._path, self._places, self._state = path, dict(places), state

    def __getitem__(self, stream: Stream) -> np.ndarray:
        place = self._places[stream]
        try:
            with self._path.open("rb") as file:
                if file_state(file.fileno()) != self._state:
                    raise changed(self._path)
                if 0 in place.shape:
                    return np.zeros(place.shape, place.dtype)
                return np.memmap(file, place.dtype, "r", place.offset, place.shape).view(np.ndarray)
        except (OSError, ValueError) as problem:
            raise changed(self._path) from problem

    def __iter__(self) -> Iterator[Stream]:
        return iter(self._places)

    def __len__(self) -> int:
        return len(self._places)

    @property
    def shapes(self) -> dict[Stream, tuple[int, int]]:
        """(T, D) of each stream; nothing is read."""
        return {stream: place.shape for stream, place in self._places.items()}


def map_features(
    store: FeatureStore,
    ids: Sequence[str],
    recipes: Mapping[Stream, Recipe],
    on_read: OnRead = lambda found: None,
) -> list[Arrays]:
    """Verify the files of performances one after the other, and map their features from then on.

    Those of a store at an address are kept in memory.

    Args:
        store: holds them.
        ids: of the performances, in the order wanted.
        recipes: one a stream; a stream that a performance lacks is left out of it.
        on_read: sees each performance, whole.

    Raises:
        UnknownPerformance: one is not in the store.
        FeaturesError: a file is damaged, holds what is not finite, or changes while it is read.

    >>> store = toprock.FeatureStore("features")
    >>> (first,) = map_features(store, ["battle-000"], store.choose())
    >>> sorted(first), first["static"].dtype
    (['dynamic', 'static'], dtype('float16'))
    """
    return [_mapped(store, ident, recipes, on_read) for ident in ids]


def _mapped(store: FeatureStore, ident: str, recipes: Mapping[Stream, Recipe], on_read: OnRead) -> Arrays:
    path = store.path(ident)
    before = None if is_remote(path) else file_state(path)
    found = store.read(ident)
    for recipe, stream in found.streams.items():
        if recipe in recipes.values() and not np.isfinite(stream.features).all():
            raise FeaturesError(f"{path}: holds values that are not finite", advice="Extract that performance again.")
    wanted = {stream: recipe for stream, recipe in recipes.items() if recipe in found.streams}
    if is_remote(path):
        on_read(found)
        return {stream: found.streams[recipe].features for stream, recipe in wanted.items()}
    places = places_in(path)
    if before is None or file_state(path) != before:
        raise changed(path)
    on_read(found)
    return MappedPerformance(path, {s: places[f"{recipe.hash}.features"] for s, recipe in wanted.items()}, before)


def places_in(path: Path) -> dict[str, Place]:
    """Name -> where it lies, of the arrays with two axes in a safetensors file that is known to be whole.

    The format: 8 bytes that say how long the header is (little-endian), the header in JSON, then the numbers, which
    the header's offsets count from its end (https://github.com/huggingface/safetensors#format).
    """
    with path.open("rb") as file:
        length = int.from_bytes(file.read(8), "little")
        header = json.loads(file.read(length))
    return {
        name: Place(8 + length + told["data_offsets"][0], tuple(told["shape"]), np.dtype(_KINDS[told["dtype"]]))
        for name, told in header.items()
        if name != "__metadata__" and len(told["shape"]) == 2
    }


def file_state(file: Path | int) -> tuple[int, ...] | None:
    """What tells a file from another, or from itself before it was written to; None where there is none."""
    try:
        found = os.fstat(file) if isinstance(file, int) else file.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns


def changed(path: Path) -> FeaturesError:
    """The error of a file that changes under a training."""
    return FeaturesError(
        f"{path}: was changed or removed while it was being learnt from",
        advice="Let nothing write to the store meanwhile, and run the same command again.",
    )
