"""How performances come in: uploads, folders that are pointed at, manifests."""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from sqlalchemy import select
from sqlalchemy.orm import Session

from toprock.counting import count
from toprock.errors import Refused, ToprockError, VideoError
from toprock.library import catalogue, jobs, tables
from toprock.library.catalogue import checked_intervals, free_name
from toprock.library.library import Library
from toprock.library.sweeping import arriving
from toprock.performance import Performance, find_performances, format_intervals, parse_box
from toprock.video import VideoInfo, probe

_SUFFIXES = {"mov": ".mp4", "matroska": ".mkv", "avi": ".avi", "mpegts": ".ts"}
_ROOM_LEFT = 256 << 20
"""Bytes that an upload leaves free on the disk: databases and features need some."""


class Known(Refused):
    """This very video (whose key is `video_key`), or a performance of this name, is here already."""

    video_key = ""


@dataclass(frozen=True)
class Taken:
    """What became of a folder or manifest.

    Attributes:
        keys: of new performances.
        known: ids that were here already.
        left_out: id -> why.
        filled: name of a performance that was here -> what the manifest told of it that was not known.
        kept: name of one -> what the manifest told otherwise and stays as it was: what people had said, and its
            `intervals` and `start_box`, since features and scores were made with these.
    """

    keys: list[str]
    known: list[str]
    left_out: dict[str, str]
    filled: dict[str, list[str]] = field(default_factory=dict)
    kept: dict[str, list[str]] = field(default_factory=dict)


def add_video(
    library: Library, path: Path, *, filename: str, owned: bool, performance: Performance | None = None
) -> str:
    """Take in a video as one performance, and have it looked at.

    Args:
        library: where to.
        path: the file. One that is `owned` lies in `incoming` and is moved; another one stays where it is.
        filename: what people call the file.
        owned: whether it goes away when the last performance in it is deleted.
        performance: what a manifest says of it.

    Returns:
        The key of the performance.

    Raises:
        VideoError: it cannot be used; an owned file is gone then.
        Known: this very video (or name, of a manifest) is here already.
    """
    try:
        _check_name(path)
        info = probe(path, limits=library.limits)
        video = _video_row(info, filename, _digest(path), owned)
        if not owned:
            video.path = str(path.absolute())
            with library.write() as session:
                return _made_known(library, session, video, path, performance)
        place = library.folder.video(video.key + _SUFFIXES.get(info.container, ".mp4"))
        video.path = place.name
        with arriving(library, place) as arrived, library.write() as session:
            arrived(session)
            key = _made_known(library, session, video, path, performance)
            path = path.replace(place)
            return key
    except BaseException as problem:
        if owned:
            path.unlink(missing_ok=True)
            if isinstance(problem, VideoError):  # people know it by the name that it came with
                advice = problem.advice.replace(path.name, filename).replace(path.stem, Path(filename).stem)
                raise type(problem)(filename, problem.what, advice=advice) from None
        raise


def add_folder(
    library: Library,
    source: Path,
    *,
    roots: Sequence[Path] = (),
    on_video: Callable[[int, int], None] | None = None,
) -> Taken:
    """Take in all videos of a folder, or the performances of a manifest; the files stay where they are.

    Args:
        library: where to.
        source: the folder or manifest.
        roots: folders out of which neither links nor the paths of a manifest may lead; none lets them lead anywhere.
        on_video: told how many have been looked at, and of how many.

    Raises:
        ManifestError: nothing is there.
        Refused: the source lies outside of the roots.
    """
    _refuse_outside(source.resolve(), roots)
    found = find_performances(source)
    named = {performance.id for performance in found} if source.suffix.lower() == ".csv" else None
    taken = Taken([], [], {})
    for number, performance in enumerate(found):
        try:
            place = performance.video.resolve()
            _refuse_outside(place, roots)
            if (key := _add_listed(library, place, performance, named, taken)) is not None:
                taken.keys.append(key)
        except Known:
            taken.known.append(performance.id)
        except (ToprockError, OSError, RuntimeError) as problem:  # a ring of links is a RuntimeError
            taken.left_out[performance.id] = str(problem)
        if on_video:
            on_video(number + 1, len(found))
    return taken


def begin_folder(library: Library, source: Path, *, roots: Sequence[Path] = ()) -> int:
    """Put a folder of videos, or a manifest, into the queue to be taken in as by `add_folder`; gives the job's number.

    Raises:
        ManifestError: nothing is there.
    """
    found = find_performances(source)
    payload = {"path": str(source), "roots": [str(root.resolve()) for root in roots]}
    with library.write() as session:
        return jobs.enqueue(session, "take", f"Take in {count(len(found), 'video')} of {source.name}", payload=payload)


def room_for(library: Library, size: int) -> bool:
    """Whether so many bytes more would leave the disk some room."""
    return shutil.disk_usage(library.folder.root).free - size > _ROOM_LEFT


def _add_listed(
    library: Library, place: Path, performance: Performance, named: Collection[str] | None, taken: Taken
) -> str | None:
    """A performance that was pointed at, which is new or None; those of a manifest may be beside others in one video.

    Args:
        library: where to.
        place: its video.
        performance: what it is.
        named: all ids of the manifest; None in a folder.
        taken: notes what the manifest told of one that was here.
    """
    with library.read() as session:
        if named is None:
            performance = replace(performance, id=free_name(session, performance.id))
            there = None
        else:
            there = session.scalars(select(tables.Performance).where(tables.Performance.name == performance.id)).first()
    if there is not None:
        if there.video.path != str(place) and there.video.digest != _digest(place):
            raise Refused(
                f"a performance named '{performance.id}' is here already, in another video",
                advice="Rename one of them.",
            )
        _fill(library, there.key, performance, taken)
        return None
    try:
        return add_video(library, place, filename=place.name, owned=False, performance=performance)
    except Known as same:
        if named is None or not same.video_key:
            raise
        return _add_beside(library, same.video_key, performance, named, taken)


def _fill(library: Library, key: str, performance: Performance, taken: Taken) -> None:
    """Note what a manifest tells of a performance that is here, where nothing is known; all else stays."""
    said = _row_of(performance, "")
    with library.write() as session:
        row = session.get_one(tables.Performance, key)
        told = [name for name in ("performer", "event", "date") if getattr(said, name)]
        empty = [name for name in told if not getattr(row, name)]
        other = [name for name in told if getattr(row, name) not in ("", getattr(said, name))]
        other += [name for name, differs in _looked_at_otherwise(row, said).items() if differs]
        for name in empty:
            setattr(row, name, getattr(said, name))
    taken.known.append(performance.id)
    if empty:
        taken.filled[row.name] = empty
    if other:
        taken.kept[row.name] = other


def _looked_at_otherwise(row: tables.Performance, said: tables.Performance) -> dict[str, bool]:
    """Whether a manifest gives other spans or another box than features were made with."""
    box = said.extra.get("start_box", "")
    return {
        "intervals": said.intervals != row.intervals,
        "start_box": bool(box) and parse_box(box) != parse_box(row.extra.get("start_box", "")),
    }


def _add_beside(
    library: Library, video_key: str, performance: Performance, named: Collection[str], taken: Taken
) -> str | None:
    """Another performance of a manifest in a video that is here; None where its span is that of one under a name of
    which the manifest does not know, as of an upload: it tells of that one then."""
    row = _row_of(performance, video_key)
    with library.read() as session:
        beside = select(tables.Performance).where(
            tables.Performance.video_key == video_key, tables.Performance.intervals == row.intervals
        )
        there = session.scalars(beside).first()
    if there is not None and there.name in named:
        raise Refused(f"'{performance.id}' has the same span as '{there.name}'", advice="Change one of the two.")
    if there is not None:
        _fill(library, there.key, performance, taken)
        return None
    with library.write() as session:
        _refuse_name(session, performance.id)
        checked_intervals(row.intervals, session.get_one(tables.Video, video_key))
        session.add(row)
        session.flush()
        jobs.enqueue(session, "extract", f"Look at {row.name}", subject=video_key)
        return row.key


def _row_of(performance: Performance, video_key: str) -> tables.Performance:
    return tables.Performance(
        name=performance.id,
        video_key=video_key,
        intervals=format_intervals(performance.intervals),
        performer=performance.performer,
        event=performance.event,
        date=performance.extra.get("date", ""),
        extra={name: value for name, value in performance.extra.items() if name != "date"},
    )


def _video_row(info: VideoInfo, filename: str, digest: str, owned: bool) -> tables.Video:
    return tables.Video(
        key=tables.new_key(),
        filename=filename,
        owned=owned,
        size=info.path.stat().st_size,
        digest=digest,
        duration_s=info.duration_s,
        width=info.width,
        height=info.height,
        rate_hz=info.rate_hz,
        codec=info.codec,
        container=info.container,
    )


def _refuse_outside(place: Path, roots: Sequence[Path]) -> None:
    if roots and not any(place.is_relative_to(root.resolve()) for root in roots):
        raise Refused(
            f"{place.name} lies outside of the folders that may be pointed at",
            advice="Links and manifests may not lead out of them: see --videos.",
        )


def _made_known(
    library: Library, session: Session, video: tables.Video, path: Path, performance: Performance | None
) -> str:
    """Put a video into the database, or note where one that was lost lies from now on; gives a performance's key."""
    if (lost := _lost(library, session, video.digest)) is not None:
        lost.owned, lost.path = video.owned, video.path
        return lost.performances[0].key
    _refuse_known(session, path, video.digest, video.owned, performance)
    session.add(video)
    session.flush()
    row = _row_of(performance or Performance(free_name(session, Path(video.filename).stem), path), video.key)
    checked_intervals(row.intervals, video)
    session.add(row)
    session.flush()
    jobs.enqueue(session, "extract", f"Look at {row.name}", subject=video.key)
    return row.key


def _lost(library: Library, session: Session, digest: str) -> tables.Video | None:
    """This very video, where it is known and no longer lies where it was."""
    same = session.scalars(select(tables.Video).where(tables.Video.digest == digest)).first()
    return same if same is not None and not catalogue.file_of(library, same).is_file() else None


def _refuse_known(session: Session, path: Path, digest: str, owned: bool, performance: Performance | None) -> None:
    same = session.scalars(select(tables.Video).where(tables.Video.digest == digest)).first()
    if same is not None:
        what = "this video" if owned else path.name
        known = Known(f"{what} is here already, as {same.filename}", advice="Open that one.")
        known.video_key = same.key
        raise known
    if performance is not None:
        _refuse_name(session, performance.id)


def _refuse_name(session: Session, name: str) -> None:
    if session.scalar(select(tables.Performance.key).where(tables.Performance.name == name)):
        raise Known(f"a performance named '{name}' is here already", advice="Rename one of them.")


def _check_name(path: Path) -> None:
    """Names of files need not be text; those that are none cannot be kept in a database."""
    try:
        str(path).encode()
    except UnicodeEncodeError:
        readable = os.fsencode(path.name).decode("utf-8", "backslashreplace")
        raise Refused(f"the name of '{readable}' is no text", advice="Rename the file.") from None


def _digest(path: Path) -> str:
    """SHA-256 of a file."""
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as problem:
        raise VideoError(path, f"cannot be read ({problem.strerror})", advice="Check who may read it.") from problem
