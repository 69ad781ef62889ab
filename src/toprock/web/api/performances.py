"""Performances: list, bring in, cut, describe, comment, delete."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query, Request
from pydantic import BaseModel, Field
from starlette.concurrency import run_in_threadpool

from toprock.errors import NotThere, Refused, UsageError
from toprock.library import catalogue, comments, intake, models, tables
from toprock.library.library import Library
from toprock.performance import READ_SUFFIXES, VIDEO_SUFFIXES
from toprock.web.api.document import body_of
from toprock.web.depends import OWNER, TheLibrary
from toprock.web.receiving import received
from toprock.web.settings import Settings

router = APIRouter(tags=["performances"], dependencies=OWNER)
_ENDINGS = ", ".join(READ_SUFFIXES)


class Described(BaseModel):
    """What is said of a performance; what is left out stays."""

    performer: str | None = Field(None, max_length=500)
    event: str | None = Field(None, max_length=500)
    date: str | None = Field(None, max_length=10, description="As 2026-11-27, or empty.")


class Part(BaseModel):
    """One performance of a video."""

    intervals: str = Field("", max_length=2000, description="Seconds, as 12.0-45.5;60-70; empty is the whole video.")
    performer: str = Field("", max_length=500)


class Keys(BaseModel):
    """Some performances."""

    keys: list[str] = Field(max_length=10_000)


class Said(BaseModel):
    """A comment at a time of the video."""

    text: str = Field(min_length=1, max_length=comments.LONGEST)
    time_s: float = Field(ge=0, le=1e6)
    author: str = Field("", max_length=200)


class Reworded(BaseModel):
    """A change to a comment; what is left out stays."""

    text: str | None = Field(None, min_length=1, max_length=comments.LONGEST)
    time_s: float | None = Field(None, ge=0, le=1e6)


class Place(BaseModel):
    """A folder of videos or a manifest, or a model folder, on the machine that serves the room."""

    path: str = Field(min_length=1, max_length=4096)


@router.get("/performances")
def performances(
    library: TheLibrary,
    search: Annotated[str, Query(max_length=200)] = "",
    state: Literal["", "new", "ready", "failed"] = "",
    sort: catalogue.Sort = "newest",
    start: Annotated[int, Query(ge=0, le=10_000_000)] = 0,
    count: Annotated[int, Query(ge=1, le=500)] = 50,
) -> dict[str, Any]:
    """A part of the list, and how many there are in all."""
    found = catalogue.listed(library, search=search, state=state, sort=sort, start=start, count=count)
    return {"total": found.total, "start": found.start, "performances": [_row(row) for row in found.rows]}


@router.post("/performances", status_code=201, openapi_extra=body_of("application/octet-stream"))
async def upload(
    request: Request, library: TheLibrary, filename: Annotated[str, Query(min_length=1, max_length=300)]
) -> dict[str, Any]:
    """Bring in a video: the body is the file itself."""
    name = Path(filename.replace("\\", "/")).name.strip()
    ending = Path(name).suffix.lower()
    if ending not in READ_SUFFIXES:
        what = "is a video of a kind that is not read here" if ending in VIDEO_SUFFIXES else "is not a video file"
        convert = "Convert it to MP4, as with ffmpeg; " if ending in VIDEO_SUFFIXES else ""
        raise UsageError(f"'{filename[:80]}' {what}", advice=f"{convert}Files that are read end in {_ENDINGS}.")
    settings: Settings = request.app.state.settings
    path = await received(
        request,
        library,
        what="the upload",
        largest=settings.max_upload,
        stall_s=settings.stall_s,
        advice="Cut the video, or point at its folder.",
    )
    key = await run_in_threadpool(intake.add_video, library, path, filename=name, owned=True)
    return await run_in_threadpool(_one, library, key)


@router.post("/performances/folder", status_code=202)
def folder(request: Request, library: TheLibrary, place: Place) -> dict[str, int]:
    """Take in the videos of a folder, or the performances of a manifest; the files stay where they are.

    The answer names the job, whose result says what was taken, known already, and left out and why. Where
    a manifest names performances that are here, performer, event and date are `filled` where they were empty; what
    people said otherwise is `kept`.
    """
    settings: Settings = request.app.state.settings
    source = allowed(place.path, settings)
    return {"job": intake.begin_folder(library, source, roots=settings.folders)}


@router.post("/performances/delete")
def delete_many(library: TheLibrary, keys: Keys) -> dict[str, int]:
    """Delete performances with all their traces."""
    return {"deleted": catalogue.remove(library, keys.keys)}


@router.get("/performances/{key}")
def performance(library: TheLibrary, key: str) -> dict[str, Any]:
    """One performance."""
    return _one(library, key)


@router.patch("/performances/{key}")
def describe(library: TheLibrary, key: str, described: Described) -> dict[str, Any]:
    """Say who performed, where and when."""
    catalogue.describe(library, key, **described.model_dump())
    return _one(library, key)


@router.delete("/performances/{key}")
def delete(library: TheLibrary, key: str) -> dict[str, int]:
    """Delete a performance with all its traces."""
    catalogue.get(library, key)
    return {"deleted": catalogue.remove(library, [key])}


@router.put("/performances/{key}/parts")
def cut(library: TheLibrary, key: str, parts: list[Part]) -> dict[str, Any]:
    """Make the performances of this one's video those spans of it: a battle becomes rounds."""
    if len(parts) > 200:
        raise Refused(f"{len(parts)} parts are too many for one video", advice="Give at most 200.")
    return {"keys": catalogue.cut(library, key, [(part.intervals, part.performer) for part in parts])}


@router.get("/performances/{key}/assessment")
def assessment(library: TheLibrary, key: str, model: str = "") -> dict[str, Any]:
    """The score with its evidence, as `toprock score --json` prints it; by the chosen model, or another one."""
    catalogue.get(library, key)
    with library.read() as session:
        found = models.assessment(session, key, model)
    if found is None:
        raise NotThere("no model has scored this performance", advice="Train a model, or wait for the job that scores.")
    return found.to_json()


@router.get("/performances/{key}/comments")
def said(library: TheLibrary, key: str) -> list[dict[str, Any]]:
    """What people said, in order of the time that they speak of."""
    catalogue.get(library, key)
    return [_comment(comment) for comment in comments.of(library, key)]


@router.post("/performances/{key}/comments", status_code=201)
def say(library: TheLibrary, key: str, comment: Said) -> dict[str, Any]:
    """Say something at a time of the video."""
    return _comment(comments.add(library, key, author=comment.author, time_s=comment.time_s, text=comment.text))


@router.patch("/comments/{number}")
def reword(library: TheLibrary, number: int, change: Reworded) -> dict[str, Any]:
    """Word a comment anew, or move it to another time; its author and date stay."""
    return _comment(comments.change(library, _number(number), text=change.text, time_s=change.time_s))


@router.delete("/comments/{number}")
def unsay(library: TheLibrary, number: int) -> dict[str, int]:
    """Delete a comment."""
    comments.remove(library, _number(number))
    return {"deleted": 1}


def _number(number: int) -> int:
    if not 0 < number < 2**31:  # PostgreSQL takes no others
        raise NotThere("there is no such comment", advice="It may have been deleted.")
    return number


def allowed(path: str, settings: Settings) -> Path:
    """A place that may be pointed at: anywhere for this machine's own user, else below folders named at start.

    Raises:
        UsageError: it is no whole path, or leads nowhere, as with `~` before the name of nobody.
        Refused: it may not be pointed at.
    """
    try:
        source = Path(path).expanduser()
        place = source.resolve()
    except (OSError, RuntimeError, ValueError):
        raise UsageError(f"'{path}' cannot be looked at", advice="Check the path.") from None
    if not source.is_absolute():
        raise UsageError(f"'{source}' is no whole path", advice="Give one that begins at the root, as /media/videos.")
    roots = [root.resolve() for root in settings.folders]
    if (settings.local and not roots) or any(place == root or place.is_relative_to(root) for root in roots):
        return place
    listed = ", ".join(map(str, roots)) or "none"
    raise Refused(f"{source} may not be pointed at", advice=f"Folders that may, as given with --videos: {listed}.")


def _one(library: Library, key: str) -> dict[str, Any]:
    row = catalogue.get(library, key)
    with library.read() as session:
        model = models.chosen(session)
        found = session.get(tables.Assessment, (key, model.key)) if model else None
    return _row(catalogue.Row(row, found))


def _row(row: catalogue.Row) -> dict[str, Any]:
    p, a = row.performance, row.assessment
    return {
        "key": p.key,
        "name": p.name,
        "title": p.title,
        "performer": p.performer,
        "event": p.event,
        "date": p.date,
        "intervals": p.intervals,
        "length_s": catalogue.length_s(p),
        "state": p.state,
        "problem": p.problem,
        "created": p.created.isoformat(timespec="seconds") + "Z",
        "video": {"filename": p.video.filename, "size": p.video.size, "duration_s": p.video.duration_s},
        "score": None
        if a is None
        else {
            "raw": a.score,
            "value": a.value,
            "low": a.low,
            "high": a.high,
            "percentile": a.percentile,
            "model": a.model_key,
        },
    }


def _comment(comment: tables.Comment) -> dict[str, Any]:
    return {
        "id": comment.id,
        "author": comment.author,
        "time_s": comment.time_s,
        "text": comment.text,
        "created": comment.created.isoformat(timespec="seconds") + "Z",
    }
