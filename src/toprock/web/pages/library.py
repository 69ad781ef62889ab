"""The library: all performances, and how they come in."""

from __future__ import annotations

from typing import Annotated, Any
from urllib.parse import urlencode

from fastapi import APIRouter, Query, Request
from fastapi.responses import RedirectResponse, Response

from toprock.library import catalogue, jobs, models
from toprock.library.library import Library
from toprock.performance import READ_SUFFIXES
from toprock.web.depends import TheLibrary
from toprock.web.rendering import page, visitor_of

router = APIRouter()
ROWS = 48


@router.get("/")
def library(
    request: Request,
    library: TheLibrary,
    search: Annotated[str, Query(max_length=200)] = "",
    state: str = "",
    sort: str = "newest",
    start: Annotated[int, Query(ge=0, le=10_000_000)] = 0,
) -> Response:
    """The list, or where the request is for the list alone, that; judges have their own place."""
    if visitor_of(request).role != "owner":
        return RedirectResponse("/judge", 303)
    alone = request.headers.get("hx-target") == "performances"
    template = "_performances.html.j2" if alone else "library.html.j2"
    return page(request, template, title="Library", **_view(library, search, state, sort, start))


def _view(library: Library, search: str, state: str, sort: str, start: int) -> dict[str, Any]:
    found = catalogue.listed(library, search=search, state=state, sort=sort, start=start, count=ROWS)
    with library.read() as session:
        model = models.chosen(session)
        open_jobs = jobs.waiting(session)
    asked = {"search": search, "state": state, "sort": sort}
    last = found.start + len(found.rows)
    link = lambda at: "/?" + urlencode({**{k: v for k, v in asked.items() if v}, "start": at})  # noqa: E731
    return {
        **asked,
        "rows": [
            {"p": row.performance, "a": row.assessment, "length_s": catalogue.length_s(row.performance)}
            for row in found.rows
        ],
        "total": found.total,
        "first": found.start + 1,
        "last": last,
        "before": link(max(0, found.start - ROWS)) if found.start else "",
        "after": link(last) if last < found.total else "",
        "anything": bool(found.total or search or state),
        "model": model,
        "busy": open_jobs > 0,
        "suffixes": " ".join(READ_SUFFIXES),
        "days": catalogue.retention_days(library),
    }
