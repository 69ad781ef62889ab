"""Features that stay on disk while a ranker learns from them: each performance is mapped when it is asked for.

A store of any size is trained on in the same memory. A map lasts as long as its array: kept are where the numbers lie
and what the file was like when it was verified, so that neither open files nor maps run out.
"""

from __future__ import annotations

import concurrent.futures
import contextlib
import json
import os
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from toprock.backbones.base import Stream
from toprock.errors import FeaturesChanged, FeaturesError
from toprock.features.recipe import Recipe
from toprock.features.store import FeatureStore, PerformanceFeatures, reading
from toprock.files import write_bytes
from toprock.places import is_remote
from toprock.ranker.batch import Arrays
from toprock.shortage import lacking

OnRead = Callable[[PerformanceFeatures], None]
"""Called with each performance while it is verified; what is kept of it is the caller's choice."""

_AT_A_TIME = 32
_COPIES: list[tempfile.TemporaryDirectory[str]] = []
"""Of stores at addresses, removed when the process ends."""
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
        ComputeError: likewise, and this machine lets no more files be open, or has no memory left.
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
            raise lacking(problem) or changed(self._path) from problem

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
    store = nearby(store, ids)
    return [_mapped(store, ident, recipes, on_read) for ident in ids]


def _mapped(store: FeatureStore, ident: str, recipes: Mapping[Stream, Recipe], on_read: OnRead) -> MappedPerformance:
    path = store.path(ident)
    before = file_state(path)
    found = store.read(ident)
    for recipe, stream in found.streams.items():
        if recipe in recipes.values() and not np.isfinite(stream.features).all():
            raise FeaturesError(f"{path}: holds values that are not finite", advice="Extract that performance again.")
    places = places_in(path)
    if before is None or file_state(path) != before:
        raise changed(path)
    on_read(found)
    wanted = {stream: recipe for stream, recipe in recipes.items() if recipe in found.streams}
    return MappedPerformance(path, {s: places[f"{recipe.hash}.features"] for s, recipe in wanted.items()}, before)


def nearby(store: FeatureStore, ids: Sequence[str]) -> FeatureStore:
    """The store, where it lies on a disk; else one in a temporary folder with copies of these performances.

    The copies go with the process.

    Raises:
        StorageError: the address cannot be reached, or there is no room for the copies.
    """
    if not is_remote(store.folder):
        return store
    folder = tempfile.TemporaryDirectory(prefix="toprock-")
    _COPIES.append(folder)
    copy = FeatureStore(Path(folder.name) / "features", create=True)
    copy.add_recipes(*store.recipes)

    def fetch(ident: str) -> None:
        with reading(path := store.path(ident)), contextlib.suppress(FileNotFoundError):  # reading it will tell
            write_bytes(copy.path(ident), path.read_bytes())

    with concurrent.futures.ThreadPoolExecutor(_AT_A_TIME) as pool:
        list(pool.map(fetch, ids))
    return copy


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
    except OSError as problem:
        if short := lacking(problem):
            raise short from problem
        return None
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns


def changed(path: Path) -> FeaturesChanged:
    """The error of a file that changes under a training."""
    return FeaturesChanged(
        f"{path}: was changed or removed while it was being learnt from",
        advice="Let nothing write to the store meanwhile, and run the same command again.",
    )
