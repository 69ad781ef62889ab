"""What takes long: look, cancel, try again."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query
from fastapi import Path as Segment

from toprock.library import jobs, tables
from toprock.web.depends import OWNER, TheLibrary

router = APIRouter(tags=["jobs"], dependencies=OWNER)
Number = Annotated[int, Segment(ge=1, lt=2**31)]


@router.get("/jobs")
def listed(
    library: TheLibrary,
    state: Literal["", "queued", "running", "done", "failed", "cancelled"] = "",
    count: Annotated[int, Query(ge=1, le=500)] = 100,
) -> list[dict[str, Any]]:
    """Those that run or wait first, then the latest."""
    with library.read() as session:
        return [_job(job) for job in jobs.listed(session, state=state, count=count)]


@router.get("/jobs/waiting")
def waiting(library: TheLibrary) -> dict[str, int]:
    """How many run or wait."""
    with library.read() as session:
        return {"open": jobs.waiting(session)}


@router.get("/jobs/{number}")
def one(library: TheLibrary, number: Number) -> dict[str, Any]:
    """One job with its log and its result."""
    with library.read() as session:
        job = jobs.get(session, number)
        return {**_job(job), "log": job.log, "result": job.result}


@router.post("/jobs/{number}/cancel")
def cancel(library: TheLibrary, number: Number) -> dict[str, Any]:
    """Stop it, or take it out of the queue."""
    with library.write() as session:
        return _job(jobs.cancel(session, number))


@router.post("/jobs/{number}/retry")
def retry(library: TheLibrary, number: Number) -> dict[str, Any]:
    """Try it again; it goes on from where it was."""
    with library.write() as session:
        return _job(jobs.retry(session, number))


def _job(job: tables.Job) -> dict[str, Any]:
    times = {name: getattr(job, name) for name in ("created", "started", "finished")}
    return {
        "id": job.id,
        "kind": job.kind,
        "title": job.title,
        "subject": job.subject,
        "state": job.state,
        "cancelling": job.cancel and job.state == "running",
        "progress": job.progress,
        "stage": job.stage,
        "problem": job.problem,
        "attempts": job.attempts,
        **{name: at.isoformat(timespec="seconds") + "Z" if at else None for name, at in times.items()},
    }
