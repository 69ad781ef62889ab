"""Reports as files: pictures out of the videos, then one whole file or none."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from toprock.assess.assessment import Assessment
from toprock.errors import UsageError
from toprock.files import write_bytes, write_text
from toprock.performance import Performance
from toprock.report.comparison import render_comparison
from toprock.report.destination import destination, pictures_mode
from toprock.report.index import render_index
from toprock.report.page import Neighbours, render_report
from toprock.report.pictures import Pictures, grab_moments
from toprock.report.remarks import Remark

if TYPE_CHECKING:
    from toprock.assess.model import Comparison

INDEX = "index.html"
_ASKED_FOR_NONE = "No pictures: this report was asked for without them."
_BLURRED = "The pictures are blurred, so that nobody is recognised."


def write_report(
    assessments: Sequence[Assessment],
    path: str | Path,
    *,
    videos: Mapping[str, str | Path] | None = None,
    performances: Mapping[str, Performance] | None = None,
    title: str = "",
    pictures: Pictures = "full",
    remarks: Mapping[str, Sequence[Remark]] | None = None,
) -> Path:
    """Grab pictures of the moments where there is a video, render the report and write it atomically.

    Args:
        assessments, performances, title: as in `render_report`.
        path: the file, .html or .pdf; or a folder (there already, or ending in /) that gets a page a performance
            and `index.html` with a ranking that leads to them. Folders are made where needed.
        videos: id -> video file; by default those that `performances` name. An id without a video, or with
            one that cannot be read, gets no pictures and the report says so.
        pictures: `full`; `none`, so that the file holds none; or `blur`, so that nobody is recognised.
        remarks: id -> what people said of it, which gets a section of its own.

    Returns:
        The file that was written; of a folder, its index.

    Raises:
        UsageError: as in `render_report`; the path ends otherwise; a PDF cannot be set here.
        StorageError: the file cannot be written.
    """
    place = destination(path)
    shots = _Shots(videos, performances, pictures_mode(pictures))
    if place.kind == "folder":
        return _write_folder(assessments, place.path, shots, performances or {}, title, remarks or {})
    found, why = shots.of(assessments)
    html = render_report(
        assessments,
        pictures=found,
        performances=performances,
        no_pictures=why,
        blurred=shots.note,
        title=title,
        made=_now(),
        remarks=remarks,
    )
    return _write(html, place.path, place.kind == "pdf")


def write_comparison(
    comparison: Comparison,
    path: str | Path,
    *,
    videos: Mapping[str, str | Path] | None = None,
    performances: Mapping[str, Performance] | None = None,
    title: str = "",
    pictures: Pictures = "full",
) -> Path:
    """Write the page of two performances beside each other; everything as in `write_report`, without folders.

    Raises:
        UsageError: as in `render_comparison`; the path ends otherwise; a PDF cannot be set here.
        StorageError: the file cannot be written.
    """
    place = destination(path, folders=False)
    shots = _Shots(videos, performances, pictures_mode(pictures))
    found, why = shots.of([a for a in (comparison.first, comparison.second) if a is not None])
    html = render_comparison(
        comparison,
        pictures=found,
        performances=performances,
        no_pictures=why,
        blurred=shots.note,
        title=title,
        made=_now(),
    )
    return _write(html, place.path, place.kind == "pdf")


class _Shots:
    """Pictures of moments out of the videos, in one of the three ways."""

    def __init__(
        self,
        videos: Mapping[str, str | Path] | None,
        performances: Mapping[str, Performance] | None,
        mode: Pictures,
    ) -> None:
        self._videos = {name: p.video for name, p in (performances or {}).items()} if videos is None else videos
        self._mode = mode
        self.note = _BLURRED if mode == "blur" else ""

    def of(self, assessments: Sequence[Assessment]) -> tuple[dict[str, dict[float, bytes]], dict[str, str]]:
        """Pictures by id and time, and by id why there are none."""
        if self._mode == "none":
            return {}, {a.id: _ASKED_FOR_NONE for a in assessments}
        pictures: dict[str, dict[float, bytes]] = {}
        reasons: dict[str, str] = {}
        for assessment in assessments:
            if assessment.id in self._videos:
                video = self._videos[assessment.id]
                found = grab_moments(assessment, video, blur=self._mode == "blur")
                pictures[assessment.id], reasons[assessment.id] = found
        return pictures, reasons


def _write_folder(
    assessments: Sequence[Assessment],
    folder: Path,
    shots: _Shots,
    performances: Mapping[str, Performance],
    title: str,
    remarks: Mapping[str, Sequence[Remark]],
) -> Path:
    """A page a performance, one after the other, and at last the index that leads to them."""
    if not assessments:
        raise UsageError("there is no assessment to report", advice="Score at least one performance.")
    ordered = sorted({a.id: a for a in assessments}.values(), key=lambda a: (-a.score, a.id))
    names = {a.id: page_name(a.id) for a in ordered}
    made = _now()
    index = render_index(ordered, names, performances=performances, title=title, made=made)
    for place, assessment in enumerate(ordered):
        before, after = (ordered[i] if 0 <= i < len(ordered) else None for i in (place - 1, place + 1))
        found, why = shots.of([assessment])
        html = render_report(
            [assessment],
            pictures=found,
            performances=performances,
            no_pictures=why,
            blurred=shots.note,
            made=made,
            among=ordered,
            remarks=remarks,
            neighbours=Neighbours(INDEX, names[before.id] if before else "", names[after.id] if after else ""),
        )
        write_text(folder / names[assessment.id], html)
    write_text(folder / INDEX, index)
    return folder / INDEX


def page_name(ident: str) -> str:
    """The file of a performance in a folder: readable, safe anywhere, and another for every id.

    >>> page_name("semi/Anna B.")
    'semi-anna-b-30dfbd87.html'
    """
    readable = re.sub(r"[^a-z0-9]+", "-", ident.lower()).strip("-")[:48]
    mark = hashlib.sha256(ident.encode("utf-8", "backslashreplace")).hexdigest()[:8]
    return f"{readable or 'performance'}-{mark}.html"


def _write(html: str, path: Path, pdf: bool) -> Path:
    if pdf:
        from toprock.report.pdf import to_pdf

        write_bytes(path, to_pdf(html))
    else:
        write_text(path, html)
    return path


def _now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC")
