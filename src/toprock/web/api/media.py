"""What is looked at: videos and pictures of performances, served as exactly what they are."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from fastapi import APIRouter
from fastapi.responses import FileResponse, Response

from toprock.errors import NotThere
from toprock.library import catalogue
from toprock.web.api.document import file_of
from toprock.web.depends import TheLibrary

router = APIRouter(tags=["media"])
_KINDS = {"mov": "video/mp4", "matroska": "video/webm", "avi": "video/x-msvideo", "mpegts": "video/mp2t"}
_PART: dict[int | str, dict[str, Any]] = {206: {"description": "The part that `Range` asked for."}}
_KEPT = {"cache-control": "private, max-age=3600"}


@router.get("/performances/{key}/video", response_class=Response, responses=file_of(*_KINDS.values()) | _PART)
def video(library: TheLibrary, key: str) -> Response:
    """The video, or the copy of it that browsers play; parts of it by `Range`."""
    found = catalogue.get(library, key).video
    kind = "video/mp4" if found.preview else _KINDS.get(found.container, "application/octet-stream")
    path = library.folder.preview(found.preview) if found.preview else catalogue.file_of(library, found)
    return _file(path, kind, "the video is no longer where it was")


@router.get("/performances/{key}/thumbnail", response_class=Response, responses=file_of("image/jpeg"))
def thumbnail(library: TheLibrary, key: str) -> Response:
    """A picture of the performance."""
    catalogue.get(library, key)
    return _file(library.folder.thumbnail(key), "image/jpeg", "there is no picture yet")


def _file(path: Path, kind: str, missing: str) -> Response:
    if not path.is_file():
        raise NotThere(missing, advice="Wait for the job that looks at it, or bring it in again.")
    return FileResponse(path, media_type=kind, headers=_KEPT)
