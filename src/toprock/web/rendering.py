"""From templates to answers: what every page is given, and what it says of an error."""

from __future__ import annotations

import hashlib
from functools import lru_cache
from typing import Any

import jinja2
from fastapi import Request
from fastapi.responses import HTMLResponse, JSONResponse, Response

from toprock._version import __version__
from toprock.counting import count
from toprock.errors import (
    Busy,
    ComputeError,
    ManifestError,
    ModelError,
    NotThere,
    PairsError,
    Refused,
    StorageError,
    ToprockError,
    UnknownPerformance,
    UsageError,
    VideoError,
    VideoTooLarge,
)
from toprock.files import AGAIN
from toprock.library import Library, jobs
from toprock.report.figures import show, units
from toprock.report.layout import environment as report_environment
from toprock.report.timeline import clock
from toprock.web.access import Visitor

_STATUS = (
    (NotThere, 404),
    (Refused, 409),
    (Busy, 503),
    (ComputeError, 503),
    (VideoTooLarge, 413),
    (VideoError, 422),
    (ModelError, 422),
    (UsageError, 422),
    (ManifestError, 422),
    (PairsError, 422),
    (UnknownPerformance, 422),
    (StorageError, 507),
)
RETRY_S = "5"
"""After how long to try again where another program holds the database."""


@lru_cache(maxsize=1)
def environment() -> jinja2.Environment:
    """The room's templates, with those of the report within reach: both draw timelines the same way."""
    report = report_environment()
    assert report.loader is not None
    made = report.overlay(loader=jinja2.ChoiceLoader([jinja2.PackageLoader("toprock.web", "templates"), report.loader]))
    made.globals["version"] = __version__
    made.filters["clock"] = clock
    made.filters["size"] = _size
    made.filters["count"] = count
    made.filters["mark"] = mark_of
    made.filters["signed"] = signed
    return made


def library_of(request: Request) -> Library:
    """The library that this room shows."""
    found: Library = request.app.state.library
    return found


def visitor_of(request: Request) -> Visitor:
    """Who asks."""
    found: Visitor = request.state.visitor
    return found


def page(
    request: Request, template: str, *, status: int = 200, headers: dict[str, str] | None = None, **values: Any
) -> HTMLResponse:
    """A whole page, or with a template whose name begins with `_`, a part of one.

    A part that is as the page has it already is not sent again (204): what is looked at and has the keyboard stays.
    """
    visitor = visitor_of(request)
    common: dict[str, Any] = {
        "visitor": visitor,
        "path": request.url.path,
        "guarded": bool(request.app.state.settings.password),
    }
    if not template.startswith("_"):
        with library_of(request).read() as session:
            common["waiting"] = jobs.waiting(session) if visitor.role == "owner" else 0
    html = environment().get_template(template).render(**common, **values)
    if not template.startswith("_"):
        return HTMLResponse(html.encode("utf-8", "replace"), status, headers)
    mark = mark_of(html)
    if request.headers.get("if-none-match") == mark:
        return HTMLResponse(b"", 204, {"etag": mark})
    return HTMLResponse(html.encode("utf-8", "replace"), status, {"etag": mark})


def problem(request: Request, trouble: ToprockError) -> Response:
    """An error in words: JSON for programs, a page for people."""
    status = next((code for kind, code in _STATUS if isinstance(trouble, kind)), 500)
    advice = trouble.advice.replace(AGAIN, "try again")
    told = {
        "error": _public(request, trouble.message),
        "advice": advice,
    }
    headers = {"retry-after": RETRY_S} if isinstance(trouble, Busy) else None
    if request.url.path.startswith("/api/"):
        return JSONResponse(told, status, headers)
    return page(request, "error.html.j2", status=status, headers=headers, title="That did not work", **told)


def warm() -> None:
    """Compile the templates ahead, so that nobody's first page waits for it."""
    made = environment()
    for name in made.list_templates(extensions=["j2"]):
        made.get_template(name)


def mark_of(html: str) -> str:
    """What a part of a page is known by."""
    return f'"{hashlib.sha256(html.encode("utf-8", "replace")).hexdigest()[:32]}"'


def signed(value: float, decimals: int) -> str:
    """A number with its sign, which is a true minus.

    >>> signed(-1.5, 2), signed(0.25, 1)
    ('−1.50', '+0.2')
    """
    return show(units(value, decimals), decimals, signed=True)


def _public(request: Request, message: str) -> str:
    """A message without where on this machine the library lies."""
    return message.replace(f"{library_of(request).folder.root}/", "")


def _size(number: float) -> str:
    """Bytes for people."""
    for unit in ("B", "kB", "MB", "GB"):
        if number < 1000 or unit == "GB":
            return f"{number:.0f} {unit}" if number >= 10 or unit == "B" else f"{number:.1f} {unit}"
        number /= 1000
    return ""
