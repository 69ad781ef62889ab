"""Performances: finding, cutting, describing and deleting them with all their traces."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Literal, get_args

from sqlalchemy import ColumnElement, delete, func, or_, select
from sqlalchemy.orm import Session

from toprock.errors import NotThere, Refused
from toprock.files import time_in_name
from toprock.library import jobs, tables
from toprock.library.database import set_setting, setting
from toprock.library.forgetting import Names, clear_away, forget
from toprock.library.library import Library
from toprock.library.sweeping import note_gone
from toprock.performance import Performance, format_intervals, parse_box, parse_intervals

Sort = Literal["newest", "oldest", "name", "performer", "date", "length", "score", "lowest"]
SORTS: tuple[Sort, ...] = get_args(Sort)
STATES = ("new", "ready", "failed")
SHORTEST_S = 0.2
"""What is shorter is nobody's performance."""


@dataclass(frozen=True)
class Row:
    """A performance in a list, with what the chosen model says of it."""

    performance: tables.Performance
    assessment: tables.Assessment | None


@dataclass(frozen=True)
class Page:
    """A part of a list: its rows, how many there are in all, and which number the first one has."""

    rows: Sequence[Row]
    total: int
    start: int


def cut(library: Library, key: str, parts: Sequence[tuple[str, str]]) -> list[str]:
    """Make the performances of a video those spans of it: a battle becomes rounds.

    What was known of a span that stays as it is stays too; others of this video go, with their comparisons.

    Args:
        library: which.
        key: of a performance in that video.
        parts: intervals (as `12-45.5;60-70`; empty is the whole video) and performer, one a performance.

    Returns:
        The keys of the video's performances now.

    Raises:
        NotThere: there is no such performance.
        Refused: no part, two alike, or a span that is none or lies outside of the video.
    """
    with library.write() as session:
        video = _get(session, key).video
        wanted = [(checked_intervals(text, video), performer.strip()[:500]) for text, performer in parts]
        if not wanted:
            raise Refused("a video has at least one performance", advice="Keep one, or delete the video.")
        if len({text for text, _ in wanted}) < len(wanted):
            raise Refused("two performances have the same span", advice="Change or remove one of them.")
        here = {p.intervals: p for p in video.performances}
        cut_from = _get(session, key)
        stem = Path(video.filename).stem
        keys, added = [], False
        for text, performer in wanted:
            row = here.pop(text, None)
            if row is None:
                name = free_name(session, f"{stem} {_first_second(text)}".strip())
                row, added = tables.Performance(name=name, video_key=video.key, intervals=text), True
                row.event, row.date, row.created = cut_from.event, cut_from.date, cut_from.created
                session.add(row)
            row.performer = performer
            session.flush()
            keys.append(row.key)
        note_gone(library, session, [path for p in here.values() for path in traces_of(library, p)])
        for p in here.values():
            session.delete(p)
        session.flush()
        if here:
            forget(library, session, Names.of(p.name for p in here.values()))
        if added:
            jobs.enqueue(session, "extract", f"Look at {video.filename}", subject=video.key)
    clear_away(library)
    return keys


def describe(
    library: Library, key: str, *, performer: str | None = None, event: str | None = None, date: str | None = None
) -> None:
    """Say who performed, where, and when (as 2026-11-27); None leaves what is known.

    Raises:
        NotThere: there is no such performance.
        Refused: the date is none.
    """
    if date:
        try:
            date = datetime.strptime(date, "%Y-%m-%d").strftime("%Y-%m-%d")
        except ValueError:
            raise Refused(f"'{date[:40]}' is no date", advice="Write it as 2026-11-27.") from None
    with library.write() as session:
        row = _get(session, key)
        for name, value in (("performer", performer), ("event", event), ("date", date)):
            if value is not None:
                setattr(row, name, value.strip()[:500])


def total(session: Session) -> int:
    """How many performances there are."""
    return session.scalar(select(func.count()).select_from(tables.Performance)) or 0


def beside(session: Session, video_key: str) -> Sequence[Row]:
    """All performances in a video, each with what the chosen model says of it."""
    query = (
        select(tables.Performance, tables.Assessment)
        .outerjoin(
            tables.Assessment,
            (tables.Assessment.performance_key == tables.Performance.key)
            & (tables.Assessment.model_key == setting(session, "model")),
        )
        .where(tables.Performance.video_key == video_key)
    )
    return [Row(*found) for found in session.execute(query)]


def get(library: Library, key: str) -> tables.Performance:
    """One performance, with its video.

    Raises:
        NotThere: there is none with this key.
    """
    with library.read() as session:
        return _get(session, key)


def listed(
    library: Library, *, search: str = "", state: str = "", sort: str = "newest", start: int = 0, count: int = 50
) -> Page:
    """A part of the list of performances.

    Args:
        library: which.
        search: words that all stand in the name, performer, event or date.
        state: only those that are new, ready or failed; empty is all.
        sort: newest, oldest, name, performer, date (of the event, the latest first), length (the longest first), score
            or lowest (of the chosen model). What has none of it comes last.
        start, count: which part.
    """
    conditions: list[ColumnElement[bool]] = []
    for word in search.split()[:8]:
        fits = f"%{word.replace(chr(92), chr(92) * 2).replace('%', chr(92) + '%').replace('_', chr(92) + '_')}%"
        columns = (
            tables.Performance.name,
            tables.Performance.performer,
            tables.Performance.event,
            tables.Performance.date,
        )
        conditions.append(or_(*(column.ilike(fits, escape="\\") for column in columns)))
    if state in STATES:
        conditions.append(tables.Performance.state == state)
    with library.read() as session:
        total = session.scalar(select(func.count()).select_from(tables.Performance).where(*conditions)) or 0
        chosen = setting(session, "model")
        query = (
            select(tables.Performance, tables.Assessment)
            .outerjoin(
                tables.Assessment,
                (tables.Assessment.performance_key == tables.Performance.key) & (tables.Assessment.model_key == chosen),
            )
            .join(tables.Performance.video)
            .where(*conditions)
        )
        orders: dict[str, tuple[Any, ...]] = {
            "newest": (tables.Performance.created.desc(), tables.Performance.key),
            "oldest": (tables.Performance.created, tables.Performance.key),
            "name": (func.lower(tables.Performance.name), tables.Performance.key),
            "performer": (
                tables.Performance.performer == "",
                func.lower(tables.Performance.performer),
                tables.Performance.date,
                tables.Performance.key,
            ),
            "date": (tables.Performance.date == "", tables.Performance.date.desc(), tables.Performance.key),
            "length": (func.coalesce(tables.Video.duration_s, 0).desc(), tables.Performance.key),
            "score": (tables.Assessment.score.is_(None), tables.Assessment.score.desc(), tables.Performance.key),
            "lowest": (tables.Assessment.score.is_(None), tables.Assessment.score, tables.Performance.key),
        }
        query = query.order_by(*orders.get(sort, orders["newest"])).offset(max(0, start)).limit(max(1, min(count, 500)))
        rows = [Row(*found) for found in session.execute(query)]
    return Page(rows, total, max(0, start))


def remove(library: Library, keys: Iterable[str]) -> int:
    """Delete performances and all their traces: comparisons, comments, scores, features, pictures, and a video that was
    brought in and holds no other performance. A video that was only pointed at stays where it is.

    Returns:
        How many were there.
    """
    with library.write() as session:
        wanted = list(dict.fromkeys(keys))
        rows = [row for key in wanted if (row := session.get(tables.Performance, key)) is not None]
        videos = {row.video_key: row.video for row in rows}
        for row in rows:
            note_gone(library, session, traces_of(library, row))
            session.delete(row)
        session.flush()
        last: list[tables.Video] = []
        for video_key, video in videos.items():
            left = select(func.count()).select_from(tables.Performance).where(tables.Performance.video_key == video_key)
            if not session.scalar(left):
                jobs.cancel_all(session, subject=video_key)
                if video.preview:
                    note_gone(library, session, [library.folder.preview(video.preview)])
                if video.owned:
                    note_gone(library, session, [library.folder.video(video.path)])
                last.append(video)
        gone = Names.of([row.name for row in rows], last)
        session.execute(delete(tables.Video).where(tables.Video.key.in_(gone.files)))
        forget(library, session, gone)
    clear_away(library)
    return len(rows)


def retention_days(library: Library) -> int:
    """After how many days performances are deleted; 0 is never."""
    with library.read() as session:
        return int(setting(session, "retention_days", "0"))


def set_retention(library: Library, days: int) -> None:
    """Delete performances so many days after they came in; 0 keeps them.

    Raises:
        Refused: it is no number of days.
    """
    if not 0 <= days <= 36_500:
        raise Refused(f"{days} is no number of days to keep videos", advice="Give 1 to 36500, or 0 to keep them.")
    with library.write() as session:
        set_setting(session, "retention_days", str(days))


def expire(library: Library, at: datetime | None = None) -> int:
    """Delete what has been kept for as long as it was to be; returns how many performances."""
    days = retention_days(library)
    if not days:
        return 0
    until = (at or tables.now()) - timedelta(days=days)
    with library.read() as session:
        keys = session.scalars(select(tables.Performance.key).where(tables.Performance.created < until)).all()
    return remove(library, keys)


def file_of(library: Library, video: tables.Video) -> Path:
    """Where a video lies."""
    return library.folder.video(video.path) if video.owned else Path(video.path)


def length_s(p: tables.Performance) -> float | None:
    """Seconds that a performance takes."""
    spans = parse_intervals(p.intervals)
    return sum(end - start for start, end in spans) if spans else p.video.duration_s


def spans_of(library: Library, keys: Iterable[str]) -> dict[str, tuple[tuple[float, float], ...]]:
    """Key -> the spans of its video that each of these performances is; none is the whole video."""
    query = select(tables.Performance.key, tables.Performance.intervals).where(tables.Performance.key.in_(list(keys)))
    with library.read() as session:
        return {key: parse_intervals(intervals) for key, intervals in session.execute(query)}


def performance_of(library: Library, row: tables.Performance) -> Performance:
    """What extraction, reports and exports take it for."""
    extra = {**row.extra, **({"date": row.date} if row.date else {})}
    return Performance(
        row.name,
        file_of(library, row.video),
        parse_intervals(row.intervals),
        row.performer,
        row.event,
        extra,
        box=parse_box(extra.get("start_box", "")),
    )


def _get(session: Session, key: str) -> tables.Performance:
    row = session.get(tables.Performance, key)
    if row is None:
        raise NotThere("there is no such performance in the library", advice="It may have been deleted.")
    return row


def free_name(session: Session, wanted: str) -> str:
    """A name that no performance has: the one that is wanted, or it with a number behind it."""
    wanted = wanted.strip()[:480] or "performance"
    name, number = wanted, 1
    while session.scalar(select(tables.Performance.key).where(tables.Performance.name == name)):
        number += 1
        name = f"{wanted} ({number})"
    return name


def checked_intervals(text: str, video: tables.Video) -> str:
    """Intervals as they are kept.

    Raises:
        Refused: they are none, or lie outside of the video.
    """
    try:
        spans = parse_intervals(text)
    except ValueError as problem:
        raise Refused(str(problem), advice="Write seconds, as in 12.0-45.5;60-70.") from None
    if spans and sum(end - start for start, end in spans) < SHORTEST_S:
        raise Refused(f"that is shorter than {SHORTEST_S:g} s", advice="Nothing is to be seen in so little time.")
    if spans and video.duration_s is not None and spans[-1][1] > video.duration_s + 1.0:
        raise Refused(
            f"the span ends at {spans[-1][1]:g} s, and the video at {video.duration_s:.1f} s",
            advice="Move its end into the video.",
        )
    return format_intervals(spans)


def _first_second(text: str) -> str:
    spans = parse_intervals(text)
    return time_in_name(spans[0][0]) if spans else ""


def traces_of(library: Library, row: tables.Performance) -> list[Path]:
    """Files that go with a performance."""
    return [library.folder.thumbnail(row.key), library.store.path(row.name)]
