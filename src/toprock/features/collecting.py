"""What of a store nobody needs, and its removal.

Looking changes nothing. Removal takes one thing at a time and in any order, each whole or not at all, so that it may be
interrupted or killed and run again. A file that is no longer as it was when it was looked at is left alone.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from toprock.errors import FeaturesError, UnknownPerformance
from toprock.features import scanning
from toprock.features.index import Entry, Index
from toprock.features.recipe import Recipe
from toprock.features.scanning import Stamp
from toprock.features.store import FeatureStore, PerformanceFeatures
from toprock.features.verification import read
from toprock.files import alone, remove_abandoned, storage_errors
from toprock.performance import id_matcher
from toprock.places import is_remote

Kind = Literal["parts", "performances", "features", "damaged", "failures", "folders"]
KINDS: dict[Kind, str] = {
    "parts": "parts of writes that were killed",
    "performances": "performances that the manifest does not name",
    "features": "features of recipes that are not to be kept",
    "damaged": "files that are damaged",
    "failures": "failures of performances that the manifest does not name",
    "folders": "empty folders",
}
BY_RECIPE = ("imported", "beats", "box")
"""Of a source: what it tells of each recipe, by its hash."""


@dataclass(frozen=True, slots=True)
class Waste:
    """One thing that nobody needs.

    Attributes:
        kind: why.
        name: file or folder below the store; of a failure, the id.
        bytes: what its removal frees.
        id: of the performance, where it is one.
        stamp: of the file when it was looked at.
        recipes: those whose arrays are not needed, where the file holds others that are.
        why: of damage.
    """

    kind: Kind
    name: str
    bytes: int = 0
    id: str = ""
    stamp: Stamp = (0, 0, 0)
    recipes: frozenset[str] = frozenset()
    why: str = ""


@dataclass
class Garbage:
    """What `find_garbage` found.

    Attributes:
        waste: what nobody needs.
        imported: files with features that nobody asked for and that stay, as they were made elsewhere.
        unreadable: file -> why it could not be looked at; it stays.
        recipes: those that store.json need not name when no file holds them any more.
    """

    waste: list[Waste] = field(default_factory=list)
    imported: int = 0
    unreadable: dict[str, str] = field(default_factory=dict)
    recipes: list[Recipe] = field(default_factory=list)

    def sums(self) -> dict[Kind, tuple[int, int]]:
        """Kind -> how many, and bytes."""
        found: dict[Kind, tuple[int, int]] = dict.fromkeys(KINDS, (0, 0))
        for one in self.waste:
            count, size = found[one.kind]
            found[one.kind] = (count + 1, size + one.bytes)
        return found

    def to_json(self, *, deleted: bool, changed: Collection[str] = ()) -> dict[str, Any]:
        """The JSON object (schema 1): deleted, waste (kind -> count, bytes), imported, unreadable, and changed: names
        of what was left alone because it had changed since it was looked at.
        """
        waste = {kind: {"count": count, "bytes": size} for kind, (count, size) in self.sums().items()}
        return {
            "schema": 1,
            "deleted": deleted,
            "waste": waste,
            "imported": self.imported,
            "unreadable": self.unreadable,
            "changed": list(changed),
        }


def find_garbage(
    index: Index,
    *,
    keep: Collection[str] | None = None,
    recipes: Collection[Recipe] | None = None,
    damaged: bool = False,
    imported: bool = False,
    on_progress: Callable[[int, int], None] | None = None,
) -> Garbage:
    """What nobody needs of a store. Nothing is changed but the index.

    Args:
        index: of the store; it is refreshed.
        keep: ids of the performances to keep, with or without ending; None keeps all.
        recipes: whose features are to be kept; None keeps all.
        damaged: read every file, and count those that are damaged.
        imported: count imported features as others. Else they stay, as no extraction brings them back.
        on_progress: called with files looked at, of how many.

    Raises:
        FeaturesError: none of what is to be kept is there, or the store lies at an address.
    """
    if is_remote(index.store.folder):
        raise FeaturesError(
            f"{index.store.folder}: is an address, where files have no locks", advice="Tidy a store on a disk."
        )
    index.refresh(thorough=True)
    found, chooser = Garbage(), _Chooser(index.store, keep, recipes, imported)
    total = index.count()
    for number, entry in enumerate(index.entries()):
        if on_progress:
            on_progress(number, total)
        if damaged and (why := read(index, entry, None)[0]):
            if trouble := _trouble(entry, index.store):
                found.unreadable[entry.file] = trouble
            elif read(index, entry, None)[0]:  # once more: what a disk could not read for a moment is not damaged
                found.waste.append(Waste("damaged", entry.file, entry.size, entry.id, entry.stamp, why=why))
            continue
        chooser.judge(entry, found)
    if total and not chooser.any_kept:
        raise FeaturesError(
            f"{index.store.folder}: holds none of what is to be kept", advice="See that what you name is this store's."
        )
    if keep is not None:
        gone = [ident for ident in index.store.failures() if not chooser.wanted(ident)]
        found.waste += [Waste("failures", ident, id=ident) for ident in gone]
    found.waste += _leftovers(str(index.store.folder))
    if recipes is not None:
        found.recipes = [r for r in index.store.recipes if r not in recipes and (imported or not r.imported)]
    return found


def delete(index: Index, garbage: Garbage, *, on_progress: Callable[[int, int], None] | None = None) -> list[str]:
    """Remove what `find_garbage` found; gives names of what had changed since, and stays.

    The folder of a file is locked meanwhile, as its writers do, so that nothing they store is lost where the disk has
    locks.

    Args:
        index: of the store.
        garbage: what `find_garbage` found with it.
        on_progress: called with things done, of how many.

    Raises:
        StorageError: the disk refuses; what was not yet removed stays, and can be removed by calling again.
    """
    store, changed = index.store, []
    bare = _Bare(store.folder)
    for number, one in enumerate(garbage.waste):
        if on_progress:
            on_progress(number, len(garbage.waste))
        path = store.folder / one.name
        if one.kind == "failures":
            continue
        if one.kind == "parts":
            remove_abandoned(path)
        elif one.kind != "folders" and path.parent.is_dir():
            with alone(path.parent):  # as all who write there do
                now = scanning.file_stamp(str(path))
                if now is not None and (now != one.stamp or (one.recipes and not _lighten(bare, store, one))):
                    changed.append(one.name)
                elif now is not None and not one.recipes:
                    with storage_errors(path):
                        path.unlink(missing_ok=True)
        if not one.recipes:
            _remove_empty(store.folder, path if one.kind == "folders" else path.parent)
    store.note_failures({}, succeeded=[one.id for one in garbage.waste if one.kind == "failures"])
    index.refresh()
    held = index.totals()
    if gone := [recipe for recipe in garbage.recipes if recipe.hash not in held]:
        store.forget_recipes(*gone)  # else training would ask which of them is meant
    return changed


class _Bare(FeatureStore):
    """Writes a performance as it is given, and nothing that its file held before; its folder is locked already."""

    def read(self, ident: str) -> PerformanceFeatures:
        raise UnknownPerformance(f"{ident}: is not asked for")

    def _alone(self, folder: Path) -> contextlib.AbstractContextManager[None]:
        return super()._alone(folder) if folder == self.folder else contextlib.nullcontext()


class _Chooser:
    """Which features are to stay."""

    def __init__(
        self,
        store: FeatureStore,
        keep: Collection[str] | None,
        recipes: Collection[Recipe] | None,
        imported: bool,
    ) -> None:
        self._find = id_matcher(keep) if keep is not None else None
        self._recipes = None if recipes is None else {recipe.hash for recipe in recipes}
        # what store.json does not name may have been imported
        self._may_go = None if imported else {r.hash for r in store.recipes if not r.imported}
        self.any_kept = keep is None and recipes is None

    def wanted(self, ident: str) -> bool:
        """Whether the manifest names a performance, or may do so."""
        try:
            return self._find is None or self._find(ident) is not None
        except UnknownPerformance:  # two fit
            return True

    def judge(self, entry: Entry, found: Garbage) -> None:
        """Note what of a file is not needed."""
        held, wanted = set(entry.shapes), self.wanted(entry.id)
        go = held if not wanted else set() if self._recipes is None else held - self._recipes
        self.any_kept = self.any_kept or bool(held - go)
        if self._may_go is not None and not go <= self._may_go:
            found.imported += 1
            go = go & self._may_go
        if not go:
            return
        kind: Kind = "features" if wanted else "performances"
        if go == held:
            found.waste.append(Waste(kind, entry.file, entry.size, entry.id, entry.stamp))
        else:
            size = sum(rows * (2 * columns + 16) for recipe in go for rows, columns in [entry.shapes[recipe]])
            found.waste.append(Waste(kind, entry.file, size, entry.id, entry.stamp, frozenset(go)))


def _trouble(entry: Entry, store: FeatureStore) -> str:
    """Why a file cannot be read at all, which is no sign of damage; empty where it can be."""
    try:
        (store.folder / entry.file).read_bytes()
    except FileNotFoundError:
        return ""
    except OSError as problem:
        return f"cannot be read ({problem.strerror})"
    return ""


def _lighten(bare: _Bare, store: FeatureStore, one: Waste) -> bool:
    """Write a file without some of its recipes; False where it cannot be read any more."""
    try:
        old = store.read(one.id)
    except (FeaturesError, UnknownPerformance):
        return False
    source = {
        name: {k: v for k, v in told.items() if k not in one.recipes} if name in BY_RECIPE else told
        for name, told in old.source.items()
    }
    source = {name: told for name, told in source.items() if told or name not in BY_RECIPE}
    streams = {recipe: stream for recipe, stream in old.streams.items() if recipe.hash not in one.recipes}
    bare.write(PerformanceFeatures(one.id, streams, old.facts, source))
    return True


def _leftovers(root: str) -> Iterator[Waste]:
    """Parts of killed writes, and folders with nothing else in them."""
    hollow: set[str] = set()
    for folder, folders, names in os.walk(root, topdown=False):
        below = os.path.relpath(folder, root)
        if below != "." and len(below.partition("/")[0]) != 2:  # not ours
            continue
        parts = []
        for name in names:
            part = Path(folder, name)
            if name.endswith(".part") and remove_abandoned(part, only_look=True):
                parts.append(name)
                yield Waste("parts", os.path.relpath(part, root), part.lstat().st_size)
        if below != "." and len(parts) == len(names) and all(f"{folder}/{name}" in hollow for name in folders):
            hollow.add(folder)
            yield Waste("folders", below)


def _remove_empty(root: Path, folder: Path) -> None:
    """Remove a folder, and those around it, where nothing is in them; writers make them again."""
    with contextlib.suppress(OSError):
        while folder != root and not any(folder.iterdir()):
            with alone(folder):
                folder.rmdir()
            folder = folder.parent
