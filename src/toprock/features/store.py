"""The feature store: a folder with one safetensors file a performance, safe to interrupt at any moment.

::

    FEATURES/store.json                      format number, the store's own sign and the recipes in use
    FEATURES/failures.json                   id -> why it has no features; absent where all have
    FEATURES/ab/cd/<id>.safetensors          arrays `<recipe hash>.features` (T, D) float16 and
                                             `<recipe hash>.times` (T, 2) float64 seconds; facts as metadata

Equal features make equal files, byte for byte. Any number of processes may fill one store at a time. It may lie at an
address (`s3://bucket/folder`), where one run at a time fills it.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import secrets
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote

import numpy as np

from toprock.backbones.base import STREAMS, Stream
from toprock.errors import FeaturesError, UnknownPerformance
from toprock.features.recipe import Recipe
from toprock.features.scanning import NONSENSE, files_below, hashes_in, head_of, id_of
from toprock.files import LOCK, alone, checksum, is_part, storage_errors, write_bytes, write_json
from toprock.places import is_remote, lease, place, remote_errors

FORMAT = 1
_SUFFIX = ".safetensors"
_CHUNK = 180
_TOLD = ("beats", "box")
"""Of a source: what a recipe can be told of one performance, by the recipe's hash."""


@dataclass(frozen=True)
class StreamFeatures:
    """Features (T, D) float16 of one stream and the spans (T, 2) in seconds that they speak for."""

    features: np.ndarray
    times: np.ndarray


@dataclass(frozen=True)
class PerformanceFeatures:
    """All that is known of one performance.

    Attributes:
        id: of the performance.
        streams: recipe -> features.
        facts: duration_s, cuts, mean_motion and what else extraction measured; numbers or None.
        source: what they were made from (video name, size, time of change, intervals), to notice a change; under
            `imported`, recipe hash -> the file of features that were made elsewhere; under `beats` and `box`, recipe
            hash -> digest of the beats, or the performer's first box, that were given to it.
    """

    id: str
    streams: Mapping[Recipe, StreamFeatures]
    facts: Mapping[str, float | None] = field(default_factory=dict)
    source: Mapping[str, Any] = field(default_factory=dict)


class FeatureStore:
    """A folder of features.

    Args:
        folder: where it lies: a path, or an address that fsspec knows.
        create: make it where it is absent.

    Raises:
        FeaturesError: the folder is no store, or of a newer format.
        StorageError: it cannot be made, or its address cannot be reached.
    """

    def __init__(self, folder: str | Path, *, create: bool = False) -> None:
        self.folder = place(folder)
        self._head = self.folder / "store.json"
        with reading(self.folder):
            there = self._head.is_file()
        if not there:
            if not create:
                raise FeaturesError(
                    f"{self.folder}: is no feature store",
                    advice="Make one with: toprock extract VIDEOS --out FOLDER.",
                )
            with self._alone(self.folder):
                self._begin()
        self.recipes = self._read_recipes()

    def _begin(self) -> None:
        """Make the store, unless another process has made it at this very moment."""
        with reading(self.folder):
            if self._head.is_file():
                return
            there = list(self.folder.iterdir()) if self.folder.is_dir() else []
        if any(not is_part(path) and path.name != LOCK for path in there):
            raise FeaturesError(
                f"{self.folder}: is a folder with other things in it", advice="Give an empty or a new folder."
            )
        write_json(self._head, {"format": FORMAT, "sign": secrets.token_hex(8), "recipes": []})

    @property
    def sign(self) -> str:
        """What tells this store from every other one; empty for one that an older version made."""
        return str(_read_json(self._head).get("sign", ""))

    @contextlib.contextmanager
    def filling(self) -> Iterator[None]:
        """While a run fills the store: at an address, no other one may then.

        Raises:
            StorageError: another run does; says which.
        """
        with lease(self.folder / "run.json", "this store") if is_remote(self.folder) else contextlib.nullcontext():
            yield

    def _alone(self, folder: Path) -> contextlib.AbstractContextManager[None]:
        return contextlib.nullcontext() if is_remote(folder) else alone(folder)

    def _read_recipes(self) -> list[Recipe]:
        head = _read_json(self._head)
        if not isinstance(head, dict) or not isinstance(head.get("format"), int):
            raise FeaturesError(f"{self._head}: is damaged", advice="Extract into a new folder.")
        if head["format"] > FORMAT:
            raise FeaturesError(
                f"{self.folder}: was written by a newer version of toprock (format {head['format']})",
                advice="Update toprock.",
            )
        recipes = head.get("recipes", [])
        try:
            return [Recipe.from_json(value) for value in recipes]
        except (FeaturesError, TypeError) as problem:
            raise FeaturesError(
                f"{self._head}: is damaged ({problem})", advice="Extract into a new folder."
            ) from problem

    def add_recipes(self, *recipes: Recipe) -> None:
        """Note recipes whose features will be written."""
        if all(recipe in self.recipes for recipe in recipes):
            return
        with self._alone(self.folder):
            self.recipes = self._read_recipes()  # another process may have come before
            new = [recipe for recipe in recipes if recipe not in self.recipes]
            if new:
                self.recipes = [*self.recipes, *new]
                head = _read_json(self._head) | {"recipes": [r.to_json() for r in self.recipes]}
                write_json(self._head, head)

    def forget_recipes(self, *recipes: Recipe) -> None:
        """Note that no file holds these recipes any more."""
        with self._alone(self.folder):
            self.recipes = [recipe for recipe in self._read_recipes() if recipe not in recipes]
            write_json(self._head, _read_json(self._head) | {"recipes": [r.to_json() for r in self.recipes]})

    def choose(self, *, dynamic: str | None = None, static: str | None = None) -> dict[Stream, Recipe]:
        """One recipe a stream: the only one there is, or the one named (backbone name or hash).

        Raises:
            FeaturesError: a stream has several and none is named, or the named one is not there.
        """
        chosen: dict[Stream, Recipe] = {}
        wanted = {"dynamic": dynamic, "static": static}
        for stream in STREAMS:
            here = [recipe for recipe in self.recipes if recipe.stream == stream]
            name = wanted[stream]
            if name == "none":
                continue
            fits = [r for r in here if name is None or name == r.backbone or r.hash.startswith(name)]
            listing = ", ".join(f"{r.backbone} ({r.hash})" for r in here) or "none"
            if name is not None and not fits:
                raise FeaturesError(
                    f"{self.folder}: has no {stream} features called '{name}'", advice=f"It has: {listing}."
                )
            if len(fits) > 1:
                raise FeaturesError(
                    f"{self.folder}: has {len(fits)} kinds of {stream} features",
                    advice=f"Name one with --{stream}: {listing}.",
                )
            if fits:
                chosen[stream] = fits[0]
        if not chosen:
            raise FeaturesError(f"{self.folder}: holds no features", advice="Run toprock extract first.")
        return chosen

    def ids(self) -> list[str]:
        """Ids of all performances in the store, sorted."""
        with reading(self.folder):
            return sorted(id_of(path) for path in files_below(self.folder))

    def path(self, ident: str) -> Path:
        """Where the features of a performance lie."""
        digest = hashlib.sha256(ident.encode()).hexdigest()
        name = quote(ident, safe=" ").replace(".", "%2E")
        parts = [name[i : i + _CHUNK] for i in range(0, len(name), _CHUNK)]
        return self.folder.joinpath(digest[:2], digest[2:4], *(p + "+" for p in parts[:-1]), parts[-1] + _SUFFIX)

    def has(self, ident: str, recipes: list[Recipe], source: Mapping[str, Any]) -> bool:
        """Whether these features are there, whole, and made from this very source."""
        try:
            metadata, names = self._header(ident)
            same = _agree(json.loads(metadata["source"]), source, recipes)
            told = hashes_in(metadata["recipes"])
        except (FeaturesError, UnknownPerformance, *NONSENSE):
            return False
        # what a file holds and does not tell of, nobody reads
        return same and all(f"{r.hash}.features" in names and r.hash in told for r in recipes)

    def write(self, found: PerformanceFeatures) -> None:
        """Store features; those of other recipes made from the same source stay, and so do imported ones.

        Raises:
            StorageError: the disk is full or refuses.
        """
        path = self.path(found.id)
        with self._alone(path.parent):
            with contextlib.suppress(FeaturesError, UnknownPerformance):
                found = joined(self.read(found.id), found)
            self.add_recipes(*found.streams)  # those too that another process has noted since this one looked
            arrays = _arrays(found.streams)
            recipes = sorted((r for r in self.recipes if r in found.streams), key=lambda r: (r.stream, r.hash))
            told = {
                "facts": json.dumps(found.facts, sort_keys=True),
                "source": json.dumps(found.source, sort_keys=True),
                "recipes": json.dumps([r.to_json() for r in recipes], sort_keys=True),
            }
            metadata = {"format": str(FORMAT), "id": found.id, **told, "check": checksum(arrays, *told.values())}
            write_bytes(path, safetensors_bytes(arrays, metadata))

    def read(self, ident: str) -> PerformanceFeatures:
        """Load all that is stored of a performance.

        Raises:
            UnknownPerformance: it is not in the store.
            FeaturesError: its file is damaged.
        """
        from safetensors import SafetensorError
        from safetensors.numpy import load

        metadata, _ = self._header(ident)
        path = self.path(ident)
        try:
            with reading(path):
                content = path.read_bytes()
            arrays = load(content)
            told = (metadata[name] for name in ("facts", "source", "recipes"))
            if metadata.get("check") not in (None, checksum(arrays, *told)):
                raise ValueError("a byte of it has changed")
            if metadata.get("id", ident) != ident:
                raise ValueError("it is another performance's")
            recipes = [Recipe.from_json(value) for value in json.loads(metadata["recipes"])]
            streams = {r: StreamFeatures(arrays[f"{r.hash}.features"], arrays[f"{r.hash}.times"]) for r in recipes}
            if any(s.features.ndim != 2 or s.times.shape != (len(s.features), 2) for s in streams.values()):
                raise ValueError("features and times do not fit together")
            facts, source = json.loads(metadata["facts"]), json.loads(metadata["source"])
            if not isinstance(facts, dict) or not isinstance(source, dict):
                raise ValueError("its notes are none")
            return PerformanceFeatures(ident, streams, facts, source)
        except (SafetensorError, KeyError, ValueError, TypeError, FeaturesError) as problem:
            raise _damaged(path) from problem

    def failures(self) -> dict[str, str]:
        """Id -> why extraction failed the last time."""
        path = self.folder / "failures.json"
        with reading(path):
            found = _read_json(path) if path.is_file() else {}
        return found if isinstance(found, dict) else {}

    def note_failures(self, failed: Mapping[str, str], *, succeeded: Iterable[str] = ()) -> None:
        """Add to the list of failures, and take off it what has features now.

        Args:
            failed: id -> why it has no features.
            succeeded: ids that are no failures any more.
        """
        path = self.folder / "failures.json"
        with self._alone(self.folder):
            before, healed = self.failures(), set(succeeded)
            now = {ident: why for ident, why in before.items() if ident not in healed} | dict(failed)
            if now == before:
                return
            if now:
                write_json(path, dict(sorted(now.items())))
            else:
                with storage_errors(path):
                    path.unlink(missing_ok=True)

    def _header(self, ident: str) -> tuple[dict[str, str], set[str]]:
        from safetensors import SafetensorError, safe_open

        path = self.path(ident)
        try:
            if is_remote(path):
                metadata, names = _remote_header(path)
            elif not path.is_file():
                raise FileNotFoundError
            else:
                with safe_open(path, framework="numpy") as file:
                    metadata, names = dict(file.metadata() or {}), set(file.keys())
        except FileNotFoundError:
            raise UnknownPerformance(
                f"{self.folder}: has no features of '{ident}'", advice="Extract them, or check the id."
            ) from None
        except (SafetensorError, OSError, *NONSENSE) as problem:
            raise _damaged(path) from problem
        if not {"format", "facts", "source", "recipes"} <= set(metadata):
            raise _damaged(path)
        return metadata, names


def _arrays(streams: Mapping[Recipe, StreamFeatures]) -> dict[str, np.ndarray]:
    arrays = {}
    for recipe, value in streams.items():
        arrays[f"{recipe.hash}.features"] = np.ascontiguousarray(value.features, dtype=np.float16)
        arrays[f"{recipe.hash}.times"] = np.ascontiguousarray(value.times, dtype=np.float64)
    return arrays


def safetensors_bytes(arrays: Mapping[str, np.ndarray], metadata: Mapping[str, str]) -> bytes:
    """A safetensors file; equal ones are equal byte for byte, which the library's own are not.

    >>> safetensors_bytes({"a": np.zeros(1)}, {"b": "1", "a": "2"})[8:48]
    b'{"__metadata__":{"a":"2","b":"1"},"a":{"'
    """
    from safetensors.numpy import save

    plain = save(dict(arrays), metadata=dict(metadata))
    length = int.from_bytes(plain[:8], "little")
    head = json.loads(plain[8 : 8 + length])
    ordered = {"__metadata__": dict(sorted(head.pop("__metadata__").items())), **dict(sorted(head.items()))}
    told = json.dumps(ordered, separators=(",", ":"), ensure_ascii=False).encode()
    told += b" " * (-len(told) % 8)
    return len(told).to_bytes(8, "little") + told + plain[8 + length :]


def _remote_header(path: Path) -> tuple[dict[str, str], set[str]]:
    """Metadata and names of arrays of a file at an address that is as long as it says.

    Raises:
        ValueError: it is damaged, or was cut off.
    """
    told, size = head_of(path)
    head = json.loads(told) if told else {}
    metadata = head.pop("__metadata__", {})
    if size != 8 + len(told) + max((entry["data_offsets"][1] for entry in head.values()), default=0):
        raise ValueError("it is cut off")
    return dict(metadata), set(head)


@contextlib.contextmanager
def reading(path: Path) -> Iterator[None]:
    """Trouble with an address, as an error for people."""
    with remote_errors(path) if is_remote(path) else contextlib.nullcontext():
        yield


def _damaged(path: Path) -> FeaturesError:
    return FeaturesError(f"{path}: is damaged", advice="Delete it and extract again.")


def joined(old: PerformanceFeatures, new: PerformanceFeatures) -> PerformanceFeatures:
    """All that is known of a performance after `new` has come: what was made from another state of the video goes."""
    comes_in = "imported" in new.source
    same = comes_in or _video(old.source) == _video(new.source)
    before = old.source.get("imported", {})
    streams = {r: s for r, s in old.streams.items() if same or r.hash in before} | dict(new.streams)
    facts = dict(old.facts) if same else {}
    measured = comes_in and _video(old.source)  # what was seen in a video stands
    facts |= {k: v for k, v in new.facts.items() if facts.get(k) is None or (v is not None and not measured)}
    source = _video(old.source if comes_in else new.source)
    if imported := before | new.source.get("imported", {}):
        source["imported"] = imported
    for what in _TOLD:
        told = old.source.get(what, {}) if same else {}
        kept = {recipe: value for recipe, value in told.items() if recipe not in {r.hash for r in new.streams}}
        if now := kept | new.source.get(what, {}):
            source[what] = now
    return PerformanceFeatures(new.id, streams, facts, source)


def _video(source: Mapping[str, Any]) -> dict[str, Any]:
    """What of a source is about the video, as JSON gives it back."""
    return {k: v for k, v in json.loads(json.dumps(source)).items() if k not in ("imported", *_TOLD)}


def _agree(there: Mapping[str, Any], wanted: Mapping[str, Any], recipes: Sequence[Recipe]) -> bool:
    """Whether features with the one source are as good as made from the other: the same files, told the same."""
    if "imported" in wanted:
        before = there.get("imported", {})
        return all(before.get(recipe) == file for recipe, file in wanted["imported"].items())
    told = all(there.get(what, {}).get(r.hash) == wanted.get(what, {}).get(r.hash) for what in _TOLD for r in recipes)
    return told and _video(there) == _video(wanted)


def _read_json(path: Path) -> Any:
    try:
        with reading(path):
            return json.loads(path.read_bytes())
    except (OSError, ValueError) as problem:
        raise FeaturesError(f"{path}: is damaged ({problem})", advice="Extract into a new folder.") from problem


def _id_of(path: Path) -> str:
    return id_of(path.as_posix())
