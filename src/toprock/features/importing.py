"""Features that were made elsewhere, brought into a store: one array a file, one file a performance.

The recipe of an import says what a later import, and a model trained on this one, must agree with: stream, name,
array shape and time rule. These are its content too, so its hash is the content hash of the *kind* of features.
The bytes of single arrays cannot be part of it, or no two performances would share a recipe, and a new performance
would never be of the recipe that a model was trained on. They are hashed for each performance instead, in the
store's `source`: an array that changes is noticed and imported again. What the numbers mean stays in the hands of
whoever names them: two kinds of features of one size need two names.
"""

from __future__ import annotations

import contextlib
import hashlib
import math
import os
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from toprock.backbones import REGISTRY
from toprock.backbones.base import Stream
from toprock.errors import FeaturesError, ManifestError, UsageError
from toprock.features.arrays import ENDINGS, read_array, read_shape
from toprock.features.engine import Extraction
from toprock.features.recipe import Recipe
from toprock.features.store import FeatureStore, PerformanceFeatures, StreamFeatures
from toprock.files import tidy
from toprock.performance import by_known_id, parse_intervals, read_table

Span = tuple[float, float]
"""Start and end in seconds."""

_SPAN_COLUMNS = (("start_s", "end_s"), ("start_seconds", "end_seconds"))


def import_recipe(
    stream: Stream, name: str, dimension: int, *, segments: int | None = None, rate_hz: float | None = None
) -> Recipe:
    """The recipe of imported features: equal for all imports of one kind.

    Args:
        stream: dynamic (clips) or static (frames).
        name: of the features.
        dimension: length D of one feature vector.
        segments: T, where it is the same for every performance; None where it differs.
        rate_hz: segments a second; None where they lie uniformly over start to end.

    >>> import_recipe("dynamic", "i3d", 1024).settings
    {'imported': True, 'shape': [None, 1024], 'time_rule': 'uniform'}
    """
    settings: dict[str, Any] = {"imported": True, "shape": [segments, dimension], "time_rule": "uniform"}
    if rate_hz is not None:
        settings |= {"time_rule": "rate", "rate_hz": float(rate_hz)}
    return Recipe(stream, name, settings)


def check_name(name: str) -> None:
    """Refuse a name that means something else where features are named.

    Raises:
        UsageError: it is that of a backbone, `none`, or empty.
    """
    if name in REGISTRY or name == "none" or not name.strip():
        raise UsageError(f"imported features cannot be called '{name}'", advice="Give a name such as i3d.")


def segment_times(count: int, *, span: Span | None = None, rate_hz: float | None = None) -> np.ndarray:
    """Start and end of every segment, (T, 2).

    With a rate, segment t covers t / rate to (t + 1) / rate seconds after the start. Without one, segments share the
    span evenly; where the span is not known either, segment t covers t to t + 1 and times count segments, not seconds.

    >>> segment_times(2, span=(10.0, 14.0)).tolist()
    [[10.0, 12.0], [12.0, 14.0]]
    >>> segment_times(2, rate_hz=4.0).tolist()
    [[0.0, 0.25], [0.25, 0.5]]
    >>> segment_times(2).tolist()
    [[0.0, 1.0], [1.0, 2.0]]
    """
    start_s = span[0] if span else 0.0
    if rate_hz is not None:
        borders = start_s + np.arange(count + 1) / rate_hz
    elif span:
        borders = np.linspace(*span, count + 1)
    else:
        borders = np.arange(count + 1, dtype=np.float64)
    return np.stack([borders[:-1], borders[1:]], axis=1)


def read_imported(
    path: Path, ident: str, recipe: Recipe, *, key: str = "arr_0", span: Span | None = None
) -> PerformanceFeatures:
    """One performance of an import, from its file.

    Args:
        path: a `.npy` file, or an `.npz` archive.
        ident: id of the performance.
        recipe: from `import_recipe`.
        key: which array of an archive.
        span: start and end of the performance in seconds, where known.

    Raises:
        FeaturesError: the file cannot be used; see `read_array`; or its shape is not the recipe's.
    """
    array = read_array(path, key=key)
    segments, dimension = recipe.settings["shape"]
    if array.shape[1] != dimension or segments not in (None, array.shape[0]):
        raise FeaturesError(
            f"{path}: has the shape {array.shape}, not ({segments or 'any'}, {dimension})",
            advice="Import features of another kind under a name of their own.",
        )
    rate_hz = recipe.settings.get("rate_hz")
    times = segment_times(len(array), span=span, rate_hz=rate_hz)
    known = span is not None or rate_hz is not None
    length_s = span[1] - span[0] if span else float(times[-1, 1])
    facts = {"duration_s": length_s if known else None}
    return PerformanceFeatures(ident, {recipe: StreamFeatures(array, times)}, facts, _source(path, recipe, key, span))


def find_arrays(source: Path, *, suffix: str = "") -> dict[str, list[Path]]:
    """Files with features: id -> where, ids being paths below the folder without ending and suffix.

    Args:
        source: a folder, looked through at any depth; or one file.
        suffix: such as `_rgb`: only files whose names end so (before the ending) are taken, and ids lose it.

    Raises:
        FeaturesError: nothing is there.
    """
    if not source.exists():
        raise FeaturesError(f"{source}: there is no such file or folder", advice="Check the path.")
    folder = source if source.is_dir() else source.parent
    files = sorted(path for path in source.rglob("*") if not path.is_dir()) if source.is_dir() else [source]
    found: dict[str, list[Path]] = {}
    for path in files:
        inside = path.relative_to(folder)
        hidden = any(part.startswith(".") for part in inside.parts)
        if path.suffix.lower() in ENDINGS and path.stem.endswith(suffix) and path.stem != suffix and not hidden:
            ident = os.fsencode(inside.with_name(path.stem.removesuffix(suffix))).decode("utf-8", "backslashreplace")
            found.setdefault(ident, []).append(path)
    if not found:
        what = f"named like <id>{suffix}" if suffix else "with features"
        raise FeaturesError(
            f"{source}: holds no .npz or .npy file {what}", advice="Check the path, and what the names end in."
        )
    return found


def common_dimension(paths: Iterable[Path], *, key: str = "arr_0") -> int:
    """Length D of the vectors in most files, from their headers; 0 where none can be read."""
    found: Counter[int] = Counter()
    for path in paths:
        with contextlib.suppress(FeaturesError):  # told when the file is read
            found[read_shape(path, key=key)[1]] += 1
    return found.most_common(1)[0][0] if found else 0


def read_spans(path: Path) -> dict[str, Span]:
    """Start and end in seconds of performances, from a manifest or any table that has them.

    Args:
        path: CSV with a column `id` (or `vid_id`), and either `intervals` (one such as 12-45.5; none is passed
            over) or `start_s, end_s` (or `start_seconds, end_seconds`).

    Raises:
        ManifestError: a column is missing, or a span is none.
    """
    spans: dict[str, Span] = {}
    rows = read_table(path, required=(), error=ManifestError)
    if not rows:
        raise ManifestError(f"{path}: lists no performance", advice="Add a line for each below the header.")
    for number, row in rows:
        ident = row.get("id") or row.get("vid_id")
        columns = next((pair for pair in _SPAN_COLUMNS if set(pair) <= set(row)), None)
        if not ident or not (columns or "intervals" in row):
            raise ManifestError(
                f"{path}, line {number}: has no id, or no column that tells start and end",
                advice="Give the columns id, start_s, end_s, or a manifest with intervals.",
            )
        try:
            if columns:
                (span,) = [(float(row[columns[0]]), float(row[columns[1]]))]
            elif row["intervals"]:
                (span,) = parse_intervals(row["intervals"])
            else:
                continue
            if not (0 <= span[0] < span[1] < math.inf):
                raise ValueError
        except ValueError:
            raise ManifestError(
                f"{path}, line {number}: does not give one span in seconds, with its end after its start",
                advice="Imported segments lie in one span each: correct the line, or delete it.",
            ) from None
        if spans.setdefault(ident, span) != span:
            raise ManifestError(f"{path}, line {number}: the id '{ident}' stands twice", advice="Rename one of them.")
    return spans


def import_features(
    source: Path,
    store: FeatureStore,
    *,
    stream: Stream,
    name: str,
    key: str = "arr_0",
    suffix: str = "",
    segments: int | None = None,
    rate_hz: float | None = None,
    spans: Mapping[str, Span] | None = None,
    duration_s: float | None = None,
    on_progress: Callable[[int, int, str], None] | None = None,
) -> Extraction:
    """Fill a store with arrays from files; what is there and unchanged is kept, one bad file never stops the others.

    Features of the other stream, imported before or extracted from videos, stay beside them.

    Args:
        source: a folder of `.npz` or `.npy` files, or one file; see `find_arrays` for the ids.
        store: where the features go.
        stream, name, segments, rate_hz: the recipe; see `import_recipe`. The dimension is that of most files.
        key: which array of an archive.
        suffix: of the names, before the ending.
        spans: id -> start and end in seconds, where known.
        duration_s: length of performances that `spans` does not name.
        on_progress: called before every file with the number done, of how many, and the id.

    Raises:
        FeaturesError: no file is there, or the store has features of this name that are of another kind.
        UsageError: the name cannot be one.
        StorageError: the disk is full, or another run fills a store at an address; nothing half-written stays.
    """
    check_name(name)
    files = find_arrays(source, suffix=suffix)
    tidy(store.folder)
    recipe = _recipe(store, stream, name, [p for paths in files.values() for p in paths], key, segments, rate_hz)
    known_spans = by_known_id(spans or {}, files)
    rest = (0.0, duration_s) if duration_s is not None else None
    failures, healed = store.failures(), list[str]()
    result = Extraction()
    with contextlib.ExitStack() as held:
        held.enter_context(store.filling())
        held.callback(store.note_failures, result.failed, succeeded=healed)
        for number, (ident, paths) in enumerate(files.items()):
            if on_progress:
                on_progress(number, len(files), ident)
            try:
                if len(paths) > 1:
                    raise FeaturesError(f"{paths[1]}: means the same id as {paths[0]}", advice="Remove one of them.")
                done = _import_one(paths[0], ident, store, recipe, key, known_spans.get(ident, rest))
                (result.written if done else result.kept).append(ident)
                if failures.get(ident, "").partition(": ")[0].lower().endswith(ENDINGS):  # an import's, not a video's
                    healed.append(ident)
            except FeaturesError as problem:
                result.failed[ident] = str(problem)
    return result


def _import_one(path: Path, ident: str, store: FeatureStore, recipe: Recipe, key: str, span: Span | None) -> bool:
    """Whether there was anything to do."""
    try:
        source = _source(path, recipe, key, span)
    except OSError as problem:
        raise FeaturesError(
            f"{path}: cannot be read ({problem.strerror})", advice="Check its permissions."
        ) from problem
    if store.has(ident, [recipe], source):
        return False
    store.write(read_imported(path, ident, recipe, key=key, span=span))
    return True


def _recipe(
    store: FeatureStore,
    stream: Stream,
    name: str,
    paths: list[Path],
    key: str,
    segments: int | None,
    rate_hz: float | None,
) -> Recipe:
    """What these files are; the same that the store has under this name, where it has any."""
    there = next((r for r in store.recipes if (r.stream, r.backbone) == (stream, name)), None)
    dimension = there.settings["shape"][1] if there and there.imported else common_dimension(paths, key=key)
    recipe = import_recipe(stream, name, dimension, segments=segments, rate_hz=rate_hz)
    if there is not None and there != recipe:
        raise FeaturesError(
            f"{store.folder}: has other {stream} features '{name}': {'; '.join(recipe.differences(there))}",
            advice="Give the same rate and segments as before, or another --name.",
        )
    return recipe


def _source(path: Path, recipe: Recipe, key: str, span: Span | None) -> dict[str, Any]:
    """What a store keeps to notice a change: the file's content, which array of it, and the span it lies over."""
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    array = {"key": key} if path.suffix.lower() == ".npz" else {}
    laid = {"file": path.name, "sha256": digest, **array, "span": list(span) if span else None}
    return {"imported": {recipe.hash: laid}}
