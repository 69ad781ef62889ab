"""A performance: a video, the intervals of it that count, and who performed. Manifests are lists of them."""

from __future__ import annotations

import contextlib
import csv
import gc
import io
import math
import os
import re
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any, TypeVar, cast

from toprock.errors import ManifestError, UnknownPerformance
from toprock.files import write_text

READ_SUFFIXES = (".mp4", ".m4v", ".mov", ".3gp", ".mkv", ".webm", ".avi", ".ts", ".mts", ".m2ts")
"""How files of the containers that are read end."""
# The others are refused when read, with what to do: a folder must not lose them in silence.
VIDEO_SUFFIXES = frozenset({*READ_SUFFIXES, ".wmv", ".flv", ".mpg", ".mpeg", ".ogv", ".vob"})
_COLUMNS = ("id", "video", "intervals", "performer", "event")


@dataclass(frozen=True)
class Performance:
    """One performance to be judged: the unit of everything, where a file may hold several.

    Attributes:
        id: its name everywhere: in pairs, features, results.
        video: the file.
        intervals: spans of the video in seconds, in order, that belong to it; empty means the whole video.
        performer: who performed, where known; keeps one person's videos on one side of a split.
        event: where or when, free text.
        extra: further manifest columns, kept as they were.
        beats: of its music, seconds in the video, rising, where they are given; None is to be heard in its sound.
        box: where the performer is at first, where that is given: left, top, right and bottom in shares of the picture.

    >>> Performance("semi-1", Path("battle.mp4"), intervals=((12.0, 45.5),)).intervals
    ((12.0, 45.5),)
    """

    id: str
    video: Path
    intervals: tuple[tuple[float, float], ...] = ()
    performer: str = ""
    event: str = ""
    extra: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    beats: tuple[float, ...] | None = None
    box: tuple[float, float, float, float] | None = None


def parse_intervals(text: str) -> tuple[tuple[float, float], ...]:
    """Read `12.0-45.5;60-70` (seconds); an empty text is the whole video.

    Raises:
        ValueError: a span is malformed, empty, or begins before the one in front of it has ended.

    >>> parse_intervals("12.0-45.5;60-70")
    ((12.0, 45.5), (60.0, 70.0))
    """
    spans: list[tuple[float, float]] = []
    for part in filter(None, (p.strip() for p in text.split(";"))):
        match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*-\s*(\d+(?:\.\d+)?)", part)
        if not match:
            raise ValueError(f"'{part}' is not a span like 12.0-45.5")
        start, end = float(match[1]), float(match[2])
        if not (math.isfinite(end) and start < end):
            raise ValueError(f"'{part}' does not end after it starts")
        if spans and start < spans[-1][1]:
            raise ValueError(f"'{part}' starts before the span in front of it ends")
        spans.append((start, end))
    return tuple(spans)


def format_intervals(intervals: Sequence[tuple[float, float]]) -> str:
    """The inverse of `parse_intervals`.

    >>> format_intervals(((12.0, 45.5), (60.0, 70.0)))
    '12-45.5;60-70'
    """
    return ";".join(f"{_seconds(start)}-{_seconds(end)}" for start, end in intervals)


def _seconds(value: float) -> str:
    """Ten digits, never with an exponent, which `parse_intervals` does not take."""
    text = f"{value:.10g}"
    return f"{value:.10f}".rstrip("0").rstrip(".") if "e" in text else text


def parse_box(text: str) -> tuple[float, float, float, float] | None:
    """Read `0.1 0.2 0.5 0.9`: left, top, right and bottom in shares of the picture; an empty text is None.

    Raises:
        ValueError: it is not four numbers from 0 to 1 in this order.

    >>> parse_box("0.1 0.2 0.5 0.9")
    (0.1, 0.2, 0.5, 0.9)
    """
    if not text.strip():
        return None
    try:
        left, top, right, bottom = (float(part) for part in re.split(r"[\s;]+", text.strip()))
    except ValueError:
        raise ValueError(f"the box '{text}' is not four numbers") from None
    if not (0 <= left < right <= 1 and 0 <= top < bottom <= 1):
        raise ValueError(f"the box '{text}' is not left, top, right and bottom from 0 to 1")
    return left, top, right, bottom


def read_manifest(path: str | Path) -> list[Performance]:
    """Read a manifest: CSV with columns id, video and, where wanted, intervals, performer, event, start_box and others.

    Video paths are taken relative to the manifest's folder.

    Raises:
        ManifestError: a column is missing, an id stands twice, a span or a line is malformed.
    """
    with _not_collecting():
        return _read_manifest(Path(path))


def _read_manifest(path: Path) -> list[Performance]:
    header, rows = _records(path, required=("id", "video"), error=ManifestError)
    at = {name: place for place, name in enumerate(header)}
    of_id, of_video = at["id"], at["video"]
    optional = [at.get(name) for name in ("intervals", "performer", "event", "start_box")]
    further = [(name, place) for name, place in at.items() if name and name not in _COLUMNS]
    folder, seen, alike = path.parent, set[str](), _Alike()
    performances: list[Performance] = []
    for number, row in rows:
        ident, video = row[of_id], row[of_video]
        if not ident or not video:
            raise ManifestError(f"{path}, line {number}: id or video is empty", advice="Fill both in.")
        if ident in seen:
            raise ManifestError(f"{path}, line {number}: the id '{ident}' stands twice", advice="Rename one of them.")
        seen.add(ident)
        intervals, performer, event, start_box = ("" if place is None else row[place] for place in optional)
        try:
            spans = alike(parse_intervals, intervals)
        except ValueError as problem:
            raise ManifestError(
                f"{path}, line {number}: {problem}", advice="Write seconds, as in 12.0-45.5;60-70."
            ) from None
        try:
            box = parse_box(start_box) if start_box else None
        except ValueError as problem:
            raise ManifestError(
                f"{path}, line {number}: {problem}",
                advice="Write shares of the picture's width and height, as in 0.1 0.2 0.5 0.9.",
            ) from None
        extra = alike(_read_only, tuple((name, row[place]) for name, place in further))
        who, where = alike(str, performer), alike(str, event)
        performances.append(Performance(ident, folder / video, spans, who, where, extra, box=box))
    if not performances:
        raise ManifestError(f"{path}: lists no performance", advice="Add a line for each video below the header.")
    return performances


def write_manifest(performances: Iterable[Performance], path: str | Path) -> None:
    """Write a manifest that `read_manifest` reads back; videos below its folder are named relative to it."""
    path = Path(path)
    rows = []
    for p in performances:
        inside = p.video.is_relative_to(path.parent)
        video = p.video.relative_to(path.parent) if inside else p.video.absolute()
        rows.append(([p.id, video.as_posix(), format_intervals(p.intervals), p.performer, p.event], p.extra))
    write_table(path, _COLUMNS, rows)


def is_manifest(source: str | Path) -> bool:
    """Whether `find_performances` takes a source for a manifest, whose ids are fixed."""
    return Path(source).suffix.lower() == ".csv"


def find_performances(source: str | Path) -> list[Performance]:
    """Performances of a manifest (.csv), of a folder of videos (ids are paths below it), or of one video.

    Files and folders whose names begin with a dot are passed over.

    Raises:
        ManifestError: nothing is there, it may not be read, or the folder holds no video.
    """
    source = Path(source)
    if is_manifest(source):
        if source.exists() and not source.is_file():
            raise ManifestError(f"{source}: is no file", advice="Give a manifest (.csv), a folder or a video.")
        return read_manifest(source)
    try:
        source.stat()
        videos = _videos_below(source) if source.is_dir() else None
    except (FileNotFoundError, NotADirectoryError, ValueError):
        raise ManifestError(
            f"{source}: there is no such file or folder",
            advice="Give a manifest (.csv), a folder or a video.",
        ) from None
    except OSError as problem:
        raise ManifestError(
            f"{problem.filename or source}: cannot be read ({problem.strerror})",
            advice="Check the path and who may read it.",
        ) from None
    if videos is None:
        return [whole_video(source)]
    if not videos:
        raise ManifestError(
            f"{source}: holds no video",
            advice=f"Looked for {', '.join(READ_SUFFIXES)} at any depth.",
        )
    below = [v.relative_to(source) for v in videos]
    times = Counter(path.with_suffix("") for path in below)
    return [
        Performance(_text(path if times[path.with_suffix("")] > 1 else path.with_suffix("")), video)
        for path, video in zip(below, videos, strict=True)
    ]


def whole_video(video: str | Path) -> Performance:
    """A file as one performance; its id is the name without ending.

    >>> whole_video("final/anna.mp4").id
    'anna'
    """
    return Performance(_text(Path(Path(video).stem)), Path(video))


def tell_apart(performances: Sequence[Performance], *, taken: Collection[str] = ()) -> list[Performance]:
    """Put as few parent folders in front of ids as make each stand for one file.

    Args:
        performances: whole files, as found without a manifest. A file that is given twice keeps one id.
        taken: ids that stand fast, of others beside them.

    >>> [p.id for p in tell_apart([whole_video("a/v1.mp4"), whole_video("b/v1.mp4"), whole_video("b/v2.mp4")])]
    ['a/v1', 'b/v1', 'v2']
    """
    files = [Path(os.path.abspath(p.video)) for p in performances]  # noqa: PTH100 - links stay as they are named
    stems = [(*file.parts[1:-1], file.stem) for file in files]
    lengths = [p.id.count("/") + 1 for p in performances]
    while True:
        ids = [_text(Path(*stem[-length:])) for stem, length in zip(stems, lengths, strict=True)]
        holders: dict[str, set[tuple[str, ...]]] = {}
        for ident, stem in zip(ids, stems, strict=True):
            holders.setdefault(ident, set()).add(stem)
        shared = [
            i
            for i, ident in enumerate(ids)
            if (len(holders[ident]) > 1 or ident in taken) and lengths[i] < len(stems[i])
        ]
        if not shared:
            break
        for i in shared:
            lengths[i] += 1
    kinds = Counter((*file.parts[1:-1], file.stem) for file in set(files))
    return [
        replace(p, id=ident + (_text(Path(file.suffix)) if kinds[stem] > 1 else ""))
        for p, ident, stem, file in zip(performances, ids, stems, files, strict=True)
    ]


def id_matcher(ids: Iterable[str]) -> Callable[[str], str | None]:
    """A function that finds the one of `ids` that a name means: the same text, else the same but for a file ending.

    It gives None if there is none, and raises UnknownPerformance if two fit.

    >>> id_matcher(["v01", "v02"])("v01.mp4")
    'v01'
    """
    known = set(ids)
    stems: dict[str, list[str]] = {}
    for ident in known:
        stems.setdefault(_without_ending(ident), []).append(ident)

    def find(wanted: str) -> str | None:
        if wanted in known:
            return wanted
        stem = _without_ending(wanted)
        fits = sorted(i for i in stems.get(stem, ()) if stem in (i, wanted))
        if len(fits) > 1:
            raise UnknownPerformance(
                f"'{wanted}' fits both '{fits[0]}' and '{fits[1]}'", advice="Write the id in full."
            )
        return fits[0] if fits else None

    return find


Value = TypeVar("Value")
Given = TypeVar("Given")


def by_known_id(values: Mapping[str, Value], ids: Iterable[str]) -> dict[str, Value]:
    """`values` under those of `ids` that their names mean; others are left out.

    >>> by_known_id({"v01.mp4": "Ann", "v09": "Bob"}, ["v01", "v02"])
    {'v01': 'Ann'}
    """
    find = id_matcher(ids)
    found = ((find(name), value) for name, value in values.items())
    return {ident: value for ident, value in found if ident is not None}


def read_table(
    path: Path, *, required: Sequence[str], error: type[ManifestError] | type[Exception]
) -> list[tuple[int, dict[str, str]]]:
    """Rows of a CSV file with a header, each with its line number; values stripped; all columns kept.

    Raises:
        error: unreadable, not UTF-8, a required column missing, or a row longer than the header.
    """

    header, rows = _records(path, required=required, error=error)
    return [(line, {name: value for name, value in zip(header, row, strict=True) if name}) for line, row in rows]


def _records(
    path: Path, *, required: Sequence[str], error: type[ManifestError] | type[Exception]
) -> tuple[list[str], list[tuple[int, list[str]]]]:
    """The header of a CSV file, and its rows as `read_table` has them, each as long as the header."""

    def fail(what: str, advice: str) -> Exception:
        return error(f"{path}: {what}", advice=advice)  # type: ignore[call-arg]

    try:
        text = path.read_text(encoding="utf-8-sig")
        reader = csv.reader(io.StringIO(text, newline=""))
        header = [name.strip() for name in next(reader, [])]
        missing = [name for name in required if name not in header]
        if missing:
            raise fail(f"has no column {', '.join(missing)}", f"The first line must name {', '.join(required)}.")
        doubled = [name for name, times in Counter(header).items() if name and times > 1]
        if doubled:
            raise fail(f"has two columns {doubled[0]}", "Rename one of them.")
        nameless = [place for place, name in enumerate(header) if not name]
        zeros, length = "\0" in text, len(header)
        rows = []
        for fields in reader:
            row = [value.strip() for value in fields]
            last = [row[place] for place in nameless if place < len(row)][-1:] if nameless else []
            if any(row[length:]) or any(last):
                raise fail(f"line {reader.line_num} has more fields than the header", "Quote commas in values.")
            if zeros and any("\0" in value for value in row):
                raise fail(f"line {reader.line_num} holds a zero byte", "Save the file anew as CSV in UTF-8.")
            if any(row):
                row[length:] = [""] * (length - len(row))
                rows.append((reader.line_num, row))
        return header, rows
    except (OSError, UnicodeDecodeError, csv.Error) as problem:
        raise fail(f"cannot be read ({problem})", "Give a CSV file in UTF-8.") from problem


@contextlib.contextmanager
def _not_collecting() -> Iterator[None]:
    """Rows hold no cycles, and looking for some in a million of them again and again takes half of the time."""
    collected = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if collected:
            gc.enable()


class _Alike:
    """Makes a value once for all rows that give the same: of a million rows, most share performers, events, dates."""

    _MOST = 100_000

    def __init__(self) -> None:
        self._made: dict[tuple[Callable[[Any], Any], Any], Any] = {}

    def __call__(self, make: Callable[[Given], Value], given: Given) -> Value:
        key = (make, given)
        if key in self._made:
            return cast(Value, self._made[key])
        made = make(given)
        if len(self._made) < self._MOST:
            self._made[key] = made
        return made


def _read_only(columns: tuple[tuple[str, str], ...]) -> Mapping[str, str]:
    return MappingProxyType(dict(columns))


def write_table(
    path: str | Path, columns: Sequence[str], rows: Sequence[tuple[Sequence[str], Mapping[str, str]]]
) -> None:
    """Write CSV that `read_table` reads back: each row is the values of `columns`, and those of further ones.

    Raises:
        StorageError: the file cannot be written.
    """
    further = sorted({column for _, extra in rows for column in extra})
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow([*columns, *further])
    writer.writerows([*values, *(extra.get(column, "") for column in further)] for values, extra in rows)
    write_text(path, text.getvalue())


def _videos_below(folder: Path) -> list[Path]:
    """Files at any depth that look like videos, and dangling links to some; reading them says what is wrong."""

    def refuse(problem: OSError) -> None:
        raise problem

    found = []
    for place, folders, names in os.walk(folder, onerror=refuse):
        folders[:] = [name for name in folders if not name.startswith(".")]
        found += [
            Path(place, name)
            for name in names
            if not name.startswith(".") and Path(name).suffix.lower() in VIDEO_SUFFIXES
        ]
    return sorted(found)


def _text(path: Path) -> str:
    """A path as an id: bytes that are no UTF-8 are written out, as in `raw-\\xff`."""
    return os.fsencode(path.as_posix()).decode("utf-8", "backslashreplace")


def _without_ending(name: str) -> str:
    head, dot, tail = name.rpartition(".")
    return head if dot and head and "." + tail.lower() in VIDEO_SUFFIXES else name
