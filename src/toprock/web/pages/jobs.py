"""Jobs: what is being done, and what became of it."""

from __future__ import annotations

from fastapi import APIRouter, Request
from fastapi.responses import Response

from toprock.library import jobs
from toprock.web.depends import OWNER, TheLibrary
from toprock.web.rendering import page

router = APIRouter(dependencies=OWNER)
_SHOWN = 60


@router.get("/jobs")
def listed(request: Request, library: TheLibrary, state: str = "") -> Response:
    """The list, or where the request is for the list alone, that."""
    state = state if state in ("", "queued", "running", "done", "failed", "cancelled") else ""
    with library.read() as session:
        found = jobs.listed(session, state=state, count=_SHOWN)
    alone = request.headers.get("hx-target") == "jobs"
    return page(request, "_jobs.html.j2" if alone else "jobs.html.j2", title="Jobs", jobs=found, state=state)
