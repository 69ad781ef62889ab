"""What a performance can be taken elsewhere as: a report, its moments as clips, its timeline for other tools."""

from __future__ import annotations

import contextlib
import tempfile
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import IO, Annotated, Literal
from urllib.parse import quote

from fastapi import APIRouter, Query
from fastapi.responses import Response, StreamingResponse

from toprock.errors import NotThere
from toprock.exports import EXPORTS, Clip, Item, cut_clips
from toprock.files import as_bytes, name_of, storage_errors, time_in_name
from toprock.library import catalogue, comments, tables
from toprock.library.evidence import Evidence, evidence
from toprock.library.library import Library
from toprock.report import Remark, write_report
from toprock.report.cards import numbered
from toprock.report.pictures import Pictures
from toprock.web.api.document import file_of
from toprock.web.depends import OWNER, TheLibrary

router = APIRouter(tags=["exports"], dependencies=OWNER)
ReportFormat = Literal["html", "pdf"]
TimelineName = Literal["csv", "eaf", "vtt", "label-studio"]
ModelKey = Annotated[str, Query(max_length=16, description="A model's key; empty is the chosen one.")]
Padding = Annotated[float, Query(ge=0, le=60, description="Seconds ahead of a moment and behind it.")]
_REPORT_POLICY = (
    "sandbox allow-scripts allow-popups; default-src 'none'; img-src data:; style-src 'unsafe-inline'; "
    "script-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
"""A report keeps to itself, and has an origin of its own; its own policy names the very script that may run."""
_KINDS = {"html": "text/html; charset=utf-8", "pdf": "application/pdf"}
_TEXTS = {".csv": "text/csv", ".eaf": "application/xml", ".vtt": "text/vtt", ".json": "application/json"}
_BLOCK = 1 << 20
REPORTS = ("text/html", "application/pdf")


@router.get("/performances/{key}/report", response_class=Response, responses=file_of(*REPORTS))
def report(
    library: TheLibrary,
    key: str,
    format: ReportFormat = "html",
    pictures: Pictures = "full",
    model: ModelKey = "",
    remarks: Annotated[bool, Query(description="With a section of what people said.")] = False,
) -> Response:
    """The page that `toprock score --report` writes: one file that holds all it shows."""
    found = evidence(library, key, model)
    performance = catalogue.performance_of(library, found.performance)

    def write(path: Path) -> None:
        told = {found.assessment.id: performance}
        said = {found.assessment.id: [_remark(c) for c in comments.of(library, key)] if remarks else []}
        write_report([found.assessment], path, performances=told, pictures=pictures, remarks=said)

    return report_answer(library, write, format, _title(found))


@router.get("/performances/{key}/clips", response_class=Response, responses=file_of("application/zip"))
def clips(library: TheLibrary, key: str, padding_s: Padding = 1.0, model: ModelKey = "") -> Response:
    """Best and worst moments, cut out of the video, as a ZIP of MP4 files."""
    found = evidence(library, key, model)
    if not found.assessment.moments:
        raise NotThere("no moment of this performance stands out", advice="There is nothing to cut out.")
    item = Item(found.assessment, catalogue.performance_of(library, found.performance))
    archive = _zipped(library, item, padding_s)
    size = archive.seek(0, 2)
    archive.seek(0)
    headers = {"content-disposition": attachment(f"{_title(found)} moments.zip"), "content-length": str(size)}
    return StreamingResponse(_blocks(archive), media_type="application/zip", headers=headers)


@router.get("/performances/{key}/clips/{moment}", response_class=Response, responses=file_of("video/mp4"))
def clip(library: TheLibrary, key: str, moment: str, padding_s: Padding = 1.0, model: ModelKey = "") -> Response:
    """One moment, as `best-1` or `worst-2`, cut out of the video as MP4."""
    found = evidence(library, key, model)
    wanted = next((m for m, number in numbered(found.assessment) if f"{m.kind}-{number}" == moment), None)
    if wanted is None:
        raise NotThere(
            f"no moment of this performance is called '{moment[:40]}'",
            advice="best-1 is the best one, worst-1 the worst; an assessment says how many there are.",
        )
    item = Item(replace(found.assessment, moments=(wanted,)), catalogue.performance_of(library, found.performance))
    with _aside(library) as folder:
        (cut,) = cut_clips(item, folder, padding_s=padding_s, limits=library.limits)
        content = cut.file.read_bytes()
    headers = {"content-disposition": attachment(_clip_name(item, cut))}
    return Response(content, media_type="video/mp4", headers=headers)


@router.get("/performances/{key}/timeline", response_class=Response, responses=file_of(*_TEXTS.values()))
def timeline(library: TheLibrary, key: str, format: TimelineName, model: ModelKey = "") -> Response:
    """Evidence and moments for other tools: a table, ELAN, WebVTT chapters, or a task of Label Studio."""
    found = evidence(library, key, model)
    made, video = EXPORTS[format], found.performance.video
    # files name the video as people know it, and as lying beside them: not where this library keeps it
    beside = Path("/") / (Path(video.filename).name or "video")
    performance = replace(catalogue.performance_of(library, found.performance), video=beside)
    item = Item(found.assessment, performance, video.rate_hz)
    headers = {"content-disposition": attachment(_title(found) + made.ending)}
    return Response(as_bytes(made.render([item], beside.parent)), media_type=_TEXTS[made.ending], headers=headers)


@router.get("/performances/{key}/comments.csv", response_class=Response, responses=file_of("text/csv"))
def comments_csv(library: TheLibrary, key: str) -> Response:
    """What people said, as a table: time, author, text, date."""
    title = catalogue.get(library, key).title[:100]
    headers = {"content-disposition": attachment(f"{title} comments.csv")}
    return Response(as_bytes(comments.table(library, key)), media_type="text/csv; charset=utf-8", headers=headers)


def _remark(comment: tables.Comment) -> Remark:
    return Remark(comment.time_s, comment.author, comment.text, f"{comment.created:%Y-%m-%d}")


def report_answer(library: Library, write: Callable[[Path], None], format: ReportFormat, title: str) -> Response:
    """What `write` writes as a report; the file itself is gone before it is sent."""
    with _aside(library) as folder:
        path = folder / f"report.{format}"
        write(path)
        content = path.read_bytes()
    headers = {"content-disposition": attachment(f"{title}.{format}", shown=True)}
    if format == "html":
        headers["content-security-policy"] = _REPORT_POLICY
    return Response(content, media_type=_KINDS[format], headers=headers)


def attachment(name: str, *, shown: bool = False) -> str:
    """How a file is to be kept, or shown under its name.

    >>> attachment("Ami & Bo.csv")
    "attachment; filename*=UTF-8''Ami%20%26%20Bo.csv"
    """
    name = "".join(c if c.isprintable() and c not in '/\\:*?"<>|' else "_" for c in name)
    return f"{'inline' if shown else 'attachment'}; filename*=UTF-8''{quote(name, safe='', errors='replace')}"


def _title(found: Evidence) -> str:
    return found.performance.title[:100]


def _clip_name(item: Item, clip: Clip) -> str:
    return f"{name_of(item.name)[:60]} {clip.moment.kind} {time_in_name(clip.moment.start_s)}.mp4"


def _zipped(library: Library, item: Item, padding_s: float) -> IO[bytes]:
    """The clips in a file without a name: whatever happens, nothing of it stays."""
    with storage_errors(library.folder.incoming):
        archive = tempfile.TemporaryFile(dir=library.folder.incoming)  # noqa: SIM115 - whoever sends it closes it
    try:
        with _aside(library) as folder, zipfile.ZipFile(archive, "w") as made:
            for clip in cut_clips(item, folder, padding_s=padding_s, limits=library.limits):
                made.write(clip.file, _clip_name(item, clip))
                clip.file.unlink()
    except BaseException:
        archive.close()
        raise
    return archive


@contextlib.contextmanager
def _aside(library: Library) -> Iterator[Path]:
    """A folder for what is sent and not kept; it is gone after the block.

    Raises:
        StorageError: the disk is full, or cannot be written or read.
    """
    place = library.folder.incoming
    with storage_errors(place), tempfile.TemporaryDirectory(dir=place, ignore_cleanup_errors=True) as folder:
        yield Path(folder)


def _blocks(file: IO[bytes]) -> Iterator[bytes]:
    with file:
        while block := file.read(_BLOCK):
            yield block
