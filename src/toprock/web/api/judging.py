"""Judging: the next pair, answers, standings, and judgments from and to files.

Judges may ask for pairs, answer, undo and see the criteria; the rest is the owner's. What is shown of a pair names
nobody and tells no score.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query, Request
from fastapi.responses import Response
from pydantic import BaseModel, Field
from starlette.concurrency import run_in_threadpool

from toprock.comparisons import read_all_pairs
from toprock.errors import PairsError, Refused
from toprock.library import catalogue, interchange, judgments, label_studio, standings, tables
from toprock.library.library import Library
from toprock.web.api.document import body_of, file_of
from toprock.web.depends import OWNER, TheLibrary
from toprock.web.receiving import received

router = APIRouter(tags=["judging"])
LARGEST = 50 << 20
_TOLD = ("key", "name", "title", "rating", "error", "low", "high", "wins", "losses", "ties", "first", "last")
Annotator = Annotated[str, Query(min_length=1, max_length=judgments.LONGEST_NAME, description="Who judges.")]
Criterion = Annotated[str, Query(max_length=judgments.LONGEST_NAME, description="Of what; empty is overall.")]


class Side(BaseModel):
    """One of two videos: where it and its picture are, and which spans of it count (seconds; none is all of it)."""

    key: str
    video: str
    picture: str
    spans: list[tuple[float, float]]


class Offered(BaseModel):
    """A pair that waits for an answer, which goes by its token."""

    token: str
    left: Side
    right: Side


class Far(BaseModel):
    """How far judging is: answers of this annotator and of all, and how sure the order of two performances is."""

    mine: int
    all: int
    performances: int
    settled: float = Field(description="Chance that the standings have two performances the right way round.")


class Next(BaseModel):
    """What an annotator is to judge now, and the pair after it, to be loaded meanwhile."""

    pair: Offered | None = Field(description="None where there are too few performances, or all pairs are judged.")
    ahead: Offered | None
    progress: Far
    kept: str = Field("", description="After an answer: the one that counts, should another have come before it.")


class Answer(BaseModel):
    """What somebody says of a pair."""

    token: str = Field(min_length=1, max_length=64)
    outcome: Literal["left", "right", "tie", "unsure", "skip"]
    seconds: float | None = Field(None, ge=0, le=1e7, allow_inf_nan=False, description="How long it was looked at.")


class Undo(BaseModel):
    """Whose last answer is taken back; with its token, that one and once only."""

    annotator: str = Field(min_length=1, max_length=judgments.LONGEST_NAME)
    criterion: str = Field("", max_length=judgments.LONGEST_NAME)
    token: str = Field("", max_length=64)


@router.get("/judge/next")
def next_pair(library: TheLibrary, annotator: Annotator, criterion: Criterion = "") -> Next:
    """The pair that an annotator is to judge now: the same until it is answered."""
    return _next(library, annotator, criterion)


@router.post("/judgments")
def answer(library: TheLibrary, answer: Answer) -> Next:
    """Keep an answer, and give the next pair. One that is sent again changes nothing: the first one counts."""
    kept = judgments.answer(library, answer.token, answer.outcome, answer.seconds)
    return _next(library, kept.annotator, kept.criterion).model_copy(update={"kept": kept.outcome})


@router.post("/judgments/undo")
def undo(library: TheLibrary, undo: Undo) -> Next:
    """Take an annotator's last answer back; its pair is the next one then."""
    judgments.undo(library, undo.annotator, undo.criterion, token=undo.token)
    return _next(library, undo.annotator, undo.criterion)


@router.get("/criteria")
def criteria(library: TheLibrary) -> list[str]:
    """What performances were judged by so far, the most used first; empty is the performance as a whole."""
    with library.read() as session:
        return judgments.criteria(session)


@router.get("/standings", dependencies=OWNER)
def standing(library: TheLibrary, criterion: Criterion = "") -> dict[str, Any]:
    """Ratings with their errors, ranks that the errors cannot tell apart, contradictions, and how far judges agree.

    Performances that no comparison connects are in groups; ratings of two groups cannot be set against each other.
    """
    found = standings.standings(library, " ".join(criterion.split()))
    told = asdict(replace(found, groups=[]))
    told["unjudged"] = [{"key": key, "title": title} for key, title in found.unjudged]
    told["groups"] = [
        {
            "lead": group.lead,
            "places": [
                {
                    "rank": place.rank,
                    **{name: getattr(place, name) for name in _TOLD},
                    "score": place.assessment.score if place.assessment else None,
                    "value": place.assessment.value if place.assessment else None,
                }
                for place in group.places
            ],
        }
        for group in found.groups
    ]
    return told


@router.get("/pairs.csv", dependencies=OWNER, response_class=Response, responses=file_of("text/csv"))
def pairs_csv(library: TheLibrary, criterion: str | None = None) -> Response:
    """The comparisons as a pairs file, with all its columns; those of one criterion, or of all."""
    path = library.folder.incoming / tables.new_key()
    try:
        interchange.export_pairs(library, path, criterion=criterion)
        content = path.read_bytes()
    finally:
        path.unlink(missing_ok=True)
    return _file(content, "text/csv; charset=utf-8", "pairs.csv")


@router.get("/pairs.json", dependencies=OWNER, response_class=Response, responses=file_of("application/json"))
def pairs_json(library: TheLibrary, criterion: str | None = None) -> Response:
    """The comparisons as tasks with annotations that Label Studio imports."""
    content = label_studio.tasks(library, criterion=criterion).encode()
    return _file(content, "application/json", "pairs.json")


@router.post("/pairs", dependencies=OWNER, openapi_extra=body_of("text/csv", "application/json"))
async def bring(
    request: Request, library: TheLibrary, format: Literal["", "pairs", "label-studio"] = ""
) -> dict[str, Any]:
    """Take in comparisons: the body is a pairs file, or the JSON that a Label Studio project exports.

    Which of the two it is follows from `format`, else from the content type, else from how it begins. What is here
    already changes nothing.
    """
    path = await received(
        request,
        library,
        what="the file",
        largest=LARGEST,
        stall_s=request.app.state.settings.stall_s,
        advice="Bring the comparisons in several files.",
    )
    try:
        kind = request.headers.get("content-type", "")
        brought = await run_in_threadpool(_bring, library, path, format, kind)
    finally:
        path.unlink(missing_ok=True)
    return {
        "added": brought.added,
        "known": brought.known,
        "left_out": brought.left_out,
        "pairs_left_out": brought.pairs_left_out,
    }


def _bring(library: Library, path: Path, format: str, kind: str) -> interchange.Brought:
    content = path.read_bytes()
    if not content:
        raise Refused("the file is empty", advice="Bring a pairs file, or what Label Studio exports.")
    begin = content.lstrip(b"\xef\xbb\xbf \t\r\n")[:1]
    is_json = format == "label-studio" or (not format and ("json" in kind or begin in (b"[", b"{")))
    try:
        pairs = label_studio.pairs_of_tasks(content, library) if is_json else read_all_pairs(path)
        return interchange.import_pairs(library, pairs)
    except PairsError as problem:
        raise PairsError(problem.message.replace(f"{path}", "the file"), advice=problem.advice) from None


def _next(library: Library, annotator: str, criterion: str) -> Next:
    offers = judgments.offers(library, annotator, criterion, count=2)
    far = judgments.progress(library, annotator, criterion)
    spans = catalogue.spans_of(library, {key for offer in offers for key in (offer.left, offer.right)})
    shown = [
        Offered(token=offer.token, left=_side(offer.left, spans), right=_side(offer.right, spans)) for offer in offers
    ]
    pair, ahead = [*shown, None, None][:2]
    return Next(
        pair=pair,
        ahead=ahead,
        progress=Far(mine=far.mine, all=far.all, performances=far.performances, settled=round(far.settled, 4)),
    )


def _side(key: str, spans: Mapping[str, Sequence[tuple[float, float]]]) -> Side:
    where = f"/api/v1/performances/{key}"
    return Side(key=key, video=f"{where}/video", picture=f"{where}/thumbnail", spans=list(spans.get(key, ())))


def _file(content: bytes, kind: str, name: str) -> Response:
    return Response(content, media_type=kind, headers={"content-disposition": f'attachment; filename="{name}"'})
