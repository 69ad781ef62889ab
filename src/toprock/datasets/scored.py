"""Sets with absolute scores: rhythmic gymnastics (Zeng et al., ACM MM 2020) and Fis-V (Xu et al., TCSVT 2020).

Their labels are a file for each side, one video a line; their features one file a video. Scores become pairs: within
a side, every two videos whose scores differ by more than a threshold. `Task.scores` keeps the scores themselves, so
that rank correlation can be measured as the field does.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path

from toprock.backbones.base import Stream
from toprock.comparisons import Pair
from toprock.datasets.archives import load
from toprock.datasets.task import Fold, Task
from toprock.errors import FeaturesError, PairsError, UsageError
from toprock.features.importing import Span, find_arrays
from toprock.features.store import PerformanceFeatures, joined

Rows = dict[str, list[float]]
"""id -> numbers of its line."""


def read_rhythmic_gymnastics(data: Path, labels: Path | None = None, *, threshold: float = 0.0) -> Iterator[Task]:
    """One task an apparatus, as `rhythmic-gymnastics/Ball`, by total score.

    The label files have a header and the columns video, difficulty, execution, total, penalty and length in seconds,
    which gives `duration_s` and the span that segments share evenly.

    Args:
        data: folder with features, `Ball_001.npy` and so on of shape (T, D); those below a folder with "static" in
            its name are the static stream, others the dynamic one.
        labels: folder with train.txt and test.txt; by default `data`.
        threshold: how much two scores must differ to make a pair; 0 takes all that are unequal.

    Raises:
        PairsError: a label file is absent, doubled or malformed.
        FeaturesError: no video has features, one has two files, or a stream has several kinds.
        UsageError: the threshold is below 0.
    """
    _check_threshold(threshold)
    sides = [_read_labels(labels or data, side, numbers=5) for side in ("train", "test")]
    spans = {ident: (0.0, row[4]) for rows in sides for ident, row in rows.items() if row[4] > 0}
    kinds = sorted({ident.partition("_")[0] for rows in sides for ident in rows})
    streams = _find_streams(data, {ident for rows in sides for ident in rows})

    def read(kind: str) -> Task:
        here = [{i: row[2] for i, row in rows.items() if i.partition("_")[0] == kind} for rows in sides]
        features, why = _load(streams, [*here[0], *here[1]], spans)
        return _task(f"rhythmic-gymnastics/{kind}", features, why, here[0], here[1], threshold)

    return map(read, kinds)


def read_fis_v(data: Path, labels: Path | None = None, *, threshold: float = 0.0) -> Iterator[Task]:
    """Figure skating: the tasks `fis-v/TES` (technical elements) and `fis-v/PCS` (components), on the same features.

    The label files have no header and the columns video, TES, PCS. How long the videos are is not published:
    `duration_s` is None, and times count segments.

    Args:
        data: folder with features, `2.npy` and so on of shape (T, D); streams as in `read_rhythmic_gymnastics`.
        labels: folder with train.txt and test.txt (or train_dataset.txt and test_dataset.txt); by default `data`.
        threshold: how much two scores must differ to make a pair; 0 takes all that are unequal.

    Raises:
        PairsError, FeaturesError, UsageError: as in `read_rhythmic_gymnastics`.
    """
    _check_threshold(threshold)
    sides = [_read_labels(labels or data, side, numbers=2) for side in ("train", "test")]
    streams = _find_streams(data, {ident for rows in sides for ident in rows})
    features, why = _load(streams, [*sides[0], *sides[1]], {})

    def task(column: int, name: str) -> Task:
        train, test = ({ident: row[column] for ident, row in rows.items()} for rows in sides)
        return _task(f"fis-v/{name}", features, why, train, test, threshold)

    return iter([task(0, "TES"), task(1, "PCS")])


def score_pairs(scores: Mapping[str, float], *, threshold: float = 0.0) -> list[Pair]:
    """Every two performances whose scores differ by more than `threshold`, the higher one better.

    >>> [(p.better, p.worse) for p in score_pairs({"a": 9.0, "b": 12.5, "c": 12.6}, threshold=0.5)]
    [('c', 'a'), ('b', 'a')]
    """
    falling = sorted(scores, key=lambda ident: (-scores[ident], ident))
    return [Pair(a, b) for a, b in combinations(falling, 2) if round(scores[a] - scores[b], 6) > threshold]


def _task(
    name: str,
    features: Mapping[str, PerformanceFeatures],
    why: Mapping[str, str],
    train: Mapping[str, float],
    test: Mapping[str, float],
    threshold: float,
) -> Task:
    fold = Fold("official", score_pairs(train, threshold=threshold), score_pairs(test, threshold=threshold))
    recipes = {recipe.stream: recipe for found in features.values() for recipe in found.streams}
    scores = {ident: score for ident, score in ({**train, **test}).items() if ident in features}
    return Task(name, features, recipes, [fold], scores=scores).without_missing(why)


def _read_labels(folder: Path, side: str, *, numbers: int) -> Rows:
    """The lines of a side's label file, of which each begins with an id and so many numbers."""
    names = (f"{side}.txt", f"{side}_dataset.txt")
    files = sorted(path for name in names for path in folder.rglob(name))
    if len(files) != 1:
        what = f"has {len(files)} files {names[0]} ({files[0]}, {files[1]})" if files else f"has no file {names[0]}"
        raise PairsError(f"{folder}: {what}", advice="Give the folder with the label files of this set.")
    (path,) = files
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as problem:
        raise PairsError(f"{path}: cannot be read ({problem})", advice="Download it again.") from problem
    rows: Rows = {}
    for number, line in enumerate(lines, 1):
        ident, *words = line.split() or [""]
        if not ident or (number == 1 and words and not _is_number(words[0])):  # a header
            continue
        values = [value for word in words[:numbers] if (value := _number(word)) is not None]
        if len(values) < numbers:
            raise PairsError(
                f"{path}, line {number}: does not hold an id and {numbers} numbers", advice="Download it again."
            )
        if rows.setdefault(ident, values) != values:
            raise PairsError(f"{path}, line {number}: '{ident}' has other scores above", advice="Delete one line.")
    if not rows:
        raise PairsError(f"{path}: holds no video", advice="Download it again.")
    return rows


def _is_number(word: str) -> bool:
    try:
        float(word)
    except ValueError:
        return False
    return True


def _number(word: str) -> float | None:
    return value if _is_number(word) and math.isfinite(value := float(word)) else None


@dataclass(frozen=True)
class _Kind:
    """One kind of features: its folder, and id -> file."""

    folder: Path
    files: dict[str, Path]


def _find_streams(data: Path, ids: set[str]) -> dict[Stream, _Kind]:
    """The folder of each stream; its name is that of the features."""
    if data.is_file():
        raise FeaturesError(f"{data}: is a file", advice="Give the folder with <video>.npy files.")
    kinds: dict[Path, dict[str, Path]] = {}
    for paths in find_arrays(data).values():
        for path in paths:
            if path.stem in ids and kinds.setdefault(path.parent, {}).setdefault(path.stem, path) != path:
                raise FeaturesError(
                    f"{kinds[path.parent][path.stem]} and {path.name} mean one video", advice="Remove one of them."
                )
    if not kinds:
        raise FeaturesError(
            f"{data}: holds features of none of the {len(ids)} videos",
            advice="Give the folder with <video>.npy files; one file that pickles them all is not read.",
        )
    found: dict[Stream, _Kind] = {}
    for folder, files in sorted(kinds.items()):
        inside = folder.relative_to(data).parts or (folder.resolve().name,)
        stream: Stream = "static" if any("static" in part.lower() for part in inside) else "dynamic"
        if stream in found:
            raise FeaturesError(
                f"{data}: holds two kinds of {stream} features: {found[stream].folder} and {folder}",
                advice="Give the folder of one kind, and that of the labels beside it.",
            )
        found[stream] = _Kind(folder, files)
    return found


def _load(
    streams: Mapping[Stream, _Kind], ids: Iterable[str], spans: Mapping[str, Span]
) -> tuple[dict[str, PerformanceFeatures], dict[str, str]]:
    """Features of all streams together, and why a file could not be used."""
    ids = list(ids)
    features: dict[str, PerformanceFeatures] = {}
    why: dict[str, str] = {}
    for stream, kind in streams.items():
        paths = {ident: kind.files[ident] for ident in ids if ident in kind.files}
        found, problems = load(paths, kind.folder.resolve().name, spans, static=stream == "static")
        why |= problems
        for ident, new in found.items():
            features[ident] = joined(features[ident], new) if ident in features else new
    return features, why


def _check_threshold(threshold: float) -> None:
    if not threshold >= 0:
        raise UsageError(f"the threshold is {threshold}", advice="Give a number of at least 0.")
