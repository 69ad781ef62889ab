"""Whether every file of a store is whole and makes sense."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from toprock.backbones import from_settings
from toprock.errors import FeaturesError, ToprockError, UnknownPerformance
from toprock.features.index import Entry, Index
from toprock.features.recipe import Recipe
from toprock.features.store import FeatureStore, PerformanceFeatures, StreamFeatures

_NOTED_EVERY_S = 5.0
"""What is read is noted so often: a check that is killed loses no more."""


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


def verify(
    store: FeatureStore,
    *,
    quick: bool = False,
    anew: bool = False,
    on_progress: Callable[[int, int, str], None] | None = None,
    on_note: Callable[[str], None] = lambda note: None,
) -> Verification:
    """Read every file of a store: readable, known recipes, shapes, finite features, rising times.

    What was read is noted in the store's index, so that a check that was interrupted goes on when it is called again;
    one that came to its end begins anew.

    Args:
        store: its features are only read.
        quick: read no arrays, only sizes and heads, and hold the index against the disk.
        anew: begin anew, even where a check was interrupted.
        on_progress: called before every performance with the number done, of how many, and the id.
        on_note: told that a check goes on, or that the index had to be made again.

    Raises:
        FeaturesError: a folder cannot be read, or another program holds the index.
    """
    with Index(store, on_note=on_note) as index:
        index.refresh(thorough=True)
        if quick and index.faults():
            on_note(f"{index.file.path}: was not as it should be, and is made again")
            index.rebuild()
        holdings = {recipe: Holding(dimension=_dimension(recipe)) for recipe in store.recipes}
        check = _Check(index, Verification(holdings=holdings, failures=store.failures()))
        if quick:
            for entry in check.counted(on_progress):
                check.take(entry, *_told(entry, index, holdings))
            return check.found
        if index.begin_check(anew=anew) and (done := index.checked()):
            on_note(f"{store.folder}: the check goes on that was interrupted; {len(done)} files were read then")
            check.before = done
        try:
            check.read_all(on_progress)
        finally:
            check.check_off()
        index.end_check()
        return check.found


Verdict = tuple[str | None, dict[Recipe, tuple[int, int]]]
"""What is wrong with a file ('' where nothing is, None where it has gone meanwhile), and recipe -> its T and D."""


class _Check:
    """A check under way: what it has found, and what of that is not yet noted in the index."""

    def __init__(self, index: Index, found: Verification) -> None:
        self.found = found
        self.before: dict[str, str] = {}
        self._index = index
        self._new: list[tuple[str, str]] = []
        self._noted_s = time.monotonic()

    def counted(self, on_progress: Callable[[int, int, str], None] | None) -> Iterator[Entry]:
        """All entries, each told of before it is given."""
        total = self._index.count()
        for number, entry in enumerate(self._index.entries()):
            if on_progress:
                on_progress(number, total, entry.id)
            yield entry

    def read_all(self, on_progress: Callable[[int, int, str], None] | None) -> None:
        """Read all files that were not read before."""
        for entry in self.counted(on_progress):
            if entry.file in self.before:
                shapes = {r: entry.shapes[r.hash] for r in self.found.holdings if r.hash in entry.shapes}
                self.take(entry, self.before[entry.file], shapes)
                continue
            wrong, shapes = read(self._index, entry, self.found.holdings)
            if wrong is not None:
                self._new.append((entry.file, self.take(entry, wrong, shapes)))
            if time.monotonic() - self._noted_s > _NOTED_EVERY_S:
                self.check_off()

    def take(self, entry: Entry, wrong: str | None, shapes: dict[Recipe, tuple[int, int]]) -> str:
        """Count what was found of a file; gives what is wrong with it."""
        for recipe, (_, dimension) in shapes.items() if not wrong else ():
            if (wanted := self.found.holdings[recipe].dimension) not in (0, dimension):
                wrong = _advised(self._index, entry, _of(recipe, f"have {dimension} numbers a segment, not {wanted}"))
                break
        if wrong:
            self.found.damaged[entry.id] = wrong
            return wrong
        self.found.sound += 1
        for recipe, (segments, dimension) in shapes.items():
            holding = self.found.holdings[recipe]
            holding.performances += 1
            holding.segments += segments
            holding.dimension = holding.dimension or dimension
        return ""

    def check_off(self) -> None:
        """Note what was read."""
        self._index.check_off(self._new)
        self._new.clear()
        self._noted_s = time.monotonic()


def read(index: Index, entry: Entry, holdings: Mapping[Recipe, Holding] | None) -> Verdict:
    """What reading all of a file tells.

    Args:
        index: of the store.
        entry: the file.
        holdings: the recipes that there may be, and the length of a vector of each, where it is known; None takes all.
    """
    if index.place(entry.id) != entry.file:
        return _advised(index, entry, f"lies where '{entry.id}' is not looked for"), {}
    try:
        performance = index.store.read(entry.id)
        known = holdings if holdings is not None else {r: Holding(dimension=_dimension(r)) for r in performance.streams}
        wrong = _wrong(performance, known)
    except (FeaturesError, UnknownPerformance) as problem:
        gone = isinstance(problem, UnknownPerformance) and not os.path.lexists(index.store.path(entry.id))
        return None if gone else str(problem), {}
    if wrong:
        return _advised(index, entry, wrong), {}
    return "", {r: (len(s.features), s.features.shape[1]) for r, s in performance.streams.items()}


def _told(entry: Entry, index: Index, holdings: dict[Recipe, Holding]) -> Verdict:
    """What the index alone tells of a file."""
    known = {recipe.hash: recipe for recipe in holdings}
    wrong = entry.problem
    if not wrong and not entry.shapes:
        wrong = "holds no features"
    for recipe, shape in entry.shapes.items() if not wrong else ():
        if recipe not in known:
            wrong = f"holds features of the recipe {recipe} that store.json does not name"
        elif few := _wrong_length(known[recipe], shape[0]):
            wrong = _of(known[recipe], few)
    if wrong:
        return _advised(index, entry, wrong), {}
    return "", {known[recipe]: shape for recipe, shape in entry.shapes.items()}


def _advised(index: Index, entry: Entry, wrong: str) -> str:
    advice = "Delete it and extract or import it again."
    return str(FeaturesError(f"{index.store.folder / entry.file}: {wrong}", advice=advice))


def _of(recipe: Recipe, wrong: str) -> str:
    return f"its {recipe.stream} features '{recipe.backbone}' {wrong}"


def _dimension(recipe: Recipe) -> int:
    """The length of a vector, as the recipe has it; 0 where only the files tell."""
    if recipe.imported:
        return int(recipe.settings["shape"][1])
    try:
        return from_settings(recipe.backbone, recipe.settings, weights_at=recipe.weights_at).spec.dimension
    except ToprockError:  # of another version
        return 0


def _wrong(performance: PerformanceFeatures, holdings: Mapping[Recipe, Holding]) -> str:
    """What is wrong with a file that could be read; empty where nothing is."""
    if not performance.streams:
        return "holds no features"
    for recipe, stream in performance.streams.items():
        if recipe not in holdings:
            return f"holds {recipe.stream} features '{recipe.backbone}' that store.json does not name"
        if wrong := _wrong_stream(recipe, stream, holdings[recipe].dimension):
            return _of(recipe, wrong)
    return ""


def _wrong_length(recipe: Recipe, segments: int) -> str:
    wanted = recipe.settings["shape"][0] if recipe.imported else None
    return f"have {segments} segments, not {wanted}" if wanted not in (None, segments) else ""


def _wrong_stream(recipe: Recipe, stream: StreamFeatures, dimension: int) -> str:
    features, times = stream.features, stream.times
    if few := _wrong_length(recipe, len(features)):
        return few
    if dimension and features.shape[1] != dimension:
        return f"have {features.shape[1]} numbers a segment, not {dimension}"
    if not np.isfinite(features).all():
        return "are not all finite"
    if not np.isfinite(times).all() or (times[:, 0] >= times[:, 1]).any() or (np.diff(times[:, 0]) < 0).any():
        return "have times that do not rise"
    return ""
