"""A performance: a video, the intervals of it that count, and who performed. Manifests are lists of them."""

from __future__ import annotations

import csv
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType

from toprock.errors import ManifestError, UnknownPerformance

VIDEO_SUFFIXES = frozenset({".mp4", ".m4v", ".mov", ".mkv", ".webm", ".avi", ".ts", ".mts", ".m2ts", ".3gp"})
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

    >>> Performance("semi-1", Path("battle.mp4"), intervals=((12.0, 45.5),)).intervals
    ((12.0, 45.5),)
    """

    id: str
    video: Path
    intervals: tuple[tuple[float, float], ...] = ()
    performer: str = ""
    event: str = ""
    extra: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))


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
    return ";".join(f"{start:.10g}-{end:.10g}" for start, end in intervals)


def read_manifest(path: str | Path) -> list[Performance]:
    """Read a manifest: CSV with columns id, video and, where wanted, intervals, performer, event and others.

    Video paths are taken relative to the manifest's folder.

    Raises:
        ManifestError: a column is missing, an id stands twice, a span or a line is malformed.
    """
    path = Path(path)
    rows = read_table(path, required=("id", "video"), error=ManifestError)
    performances: list[Performance] = []
    seen: set[str] = set()
    for number, row in rows:
        ident, video = row["id"], row["video"]
        if not ident or not video:
            raise ManifestError(f"{path}, line {number}: id or video is empty", advice="Fill both in.")
        if ident in seen:
            raise ManifestError(f"{path}, line {number}: the id '{ident}' stands twice", advice="Rename one of them.")
        seen.add(ident)
        try:
            intervals = parse_intervals(row.get("intervals", ""))
        except ValueError as problem:
            raise ManifestError(
                f"{path}, line {number}: {problem}", advice="Write seconds, as in 12.0-45.5;60-70."
            ) from None
        performances.append(
            Performance(
                ident,
                path.parent / video,
                intervals,
                row.get("performer", ""),
                row.get("event", ""),
                MappingProxyType({k: v for k, v in row.items() if k not in _COLUMNS}),
            )
        )
    if not performances:
        raise ManifestError(f"{path}: lists no performance", advice="Add a line for each video below the header.")
    return performances


def write_manifest(performances: Iterable[Performance], path: str | Path) -> None:
    """Write a manifest that `read_manifest` reads back; videos below its folder are named relative to it."""
    path = Path(path)
    performances = list(performances)
    extra = sorted({column for p in performances for column in p.extra})
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow([*_COLUMNS, *extra])
        for p in performances:
            inside = p.video.is_relative_to(path.parent)
            video = p.video.relative_to(path.parent) if inside else p.video.absolute()
            fixed = [p.id, video.as_posix(), format_intervals(p.intervals), p.performer, p.event]
            writer.writerow([*fixed, *(p.extra.get(column, "") for column in extra)])


def find_performances(source: str | Path) -> list[Performance]:
    """Performances of a manifest (.csv), of a folder of videos (ids are paths below it), or of one video.

    Raises:
        ManifestError: nothing is there, or the folder holds no video.
    """
    source = Path(source)
    if source.suffix.lower() == ".csv":
        return read_manifest(source)
    if source.is_dir():
        videos = sorted(p for p in source.rglob("*") if p.suffix.lower() in VIDEO_SUFFIXES and p.is_file())
        if not videos:
            raise ManifestError(
                f"{source}: holds no video",
                advice=f"Looked for {', '.join(sorted(VIDEO_SUFFIXES))} at any depth.",
            )
        stems = [v.relative_to(source).with_suffix("").as_posix() for v in videos]
        doubled = {s for s in stems if stems.count(s) > 1} if len(set(stems)) < len(stems) else set()
        return [
            Performance(v.relative_to(source).as_posix() if stem in doubled else stem, v)
            for v, stem in zip(videos, stems, strict=True)
        ]
    if not source.exists():
        raise ManifestError(
            f"{source}: there is no such file or folder",
            advice="Give a manifest (.csv), a folder or a video.",
        )
    return [Performance(source.stem, source)]


def match_id(wanted: str, ids: Iterable[str]) -> str | None:
    """The one of `ids` that `wanted` means: the same text, else the same but for a file ending. None if none.

    Raises:
        UnknownPerformance: two ids fit.

    >>> match_id("v01.mp4", ["v01", "v02"])
    'v01'
    """
    ids = ids if isinstance(ids, (set, frozenset, dict)) else set(ids)
    if wanted in ids:
        return wanted
    stem = _without_ending(wanted)
    fits = sorted(i for i in ids if _without_ending(i) == stem and (i == stem or wanted == stem))
    if len(fits) > 1:
        raise UnknownPerformance(f"'{wanted}' fits both '{fits[0]}' and '{fits[1]}'", advice="Write the id in full.")
    return fits[0] if fits else None


def read_table(
    path: Path, *, required: Sequence[str], error: type[ManifestError] | type[Exception]
) -> list[tuple[int, dict[str, str]]]:
    """Rows of a CSV file with a header, each with its line number; values stripped; all columns kept.

    Raises:
        error: unreadable, not UTF-8, a required column missing, or a row longer than the header.
    """

    def fail(what: str, advice: str) -> Exception:
        return error(f"{path}: {what}", advice=advice)  # type: ignore[call-arg]

    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            reader = csv.DictReader(file, restkey="")
            header = [name.strip() for name in reader.fieldnames or []]
            reader.fieldnames = header
            missing = [name for name in required if name not in header]
            if missing:
                raise fail(f"has no column {', '.join(missing)}", f"The first line must name {', '.join(required)}.")
            rows = []
            for row in reader:
                if "" in row:
                    raise fail(f"line {reader.line_num} has more fields than the header", "Quote commas in values.")
                rows.append((reader.line_num, {k: (v or "").strip() for k, v in row.items()}))
            return rows
    except (OSError, UnicodeDecodeError, csv.Error) as problem:
        raise fail(f"cannot be read ({problem})", "Give a CSV file in UTF-8.") from problem


def _without_ending(name: str) -> str:
    head, dot, tail = name.rpartition(".")
    return head if dot and head and "." + tail.lower() in VIDEO_SUFFIXES else name
