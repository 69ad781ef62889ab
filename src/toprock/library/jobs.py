"""The queue of what takes long: who does it, how far it is, and what becomes of it when its worker is lost.

A worker claims a job for half a minute and keeps moving that lease on while it works. A job whose lease has run out
belongs to nobody; whoever looks next puts it back into the queue. All work can be done again from where it was: what is
stored of features is kept, training goes on from its checkpoint, a score is replaced by itself.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import ColumnElement, Select, delete, func, select, update
from sqlalchemy.orm import Session, undefer

from toprock.errors import NotThere, Refused
from toprock.library import tables
from toprock.library.tables import Job

LEASE_S = 30.0
ATTEMPTS = 3
OPEN = ("queued", "running")
KINDS = ("take", "extract", "train", "score")
_GONE = "It concerned a performance that has been deleted."
_LOST = "the process that did it was lost {times} times. The video may need more memory than there is; retry it alone."


def enqueue(
    session: Session, kind: str, title: str, *, subject: str = "", payload: dict[str, Any] | None = None
) -> int:
    """Put a job into the queue, unless the same waits there already; returns its number."""
    payload = payload or {}
    waiting = session.scalars(select(Job).where(Job.kind == kind, Job.subject == subject, Job.state == "queued"))
    for job in waiting:
        if job.payload == payload and not job.cancel:
            return job.id
    job = Job(kind=kind, title=title, subject=subject, payload=payload)
    session.add(job)
    session.flush()
    return job.id


def claim(session: Session, worker: str, kinds: Sequence[str] = KINDS) -> Job | None:
    """Take the oldest waiting job of these kinds, or None; scores come first, as they are short."""
    order = (Job.kind != "score", Job.id)
    for job in session.scalars(select(Job).where(Job.state == "queued", Job.kind.in_(kinds)).order_by(*order).limit(5)):
        taken = session.execute(
            update(Job)
            .where(Job.id == job.id, Job.state == "queued")
            .values(
                state="running",
                worker=worker,
                attempts=Job.attempts + 1,
                lease=tables.now() + timedelta(seconds=LEASE_S),
                started=func.coalesce(Job.started, tables.now()),
                stage="",
                problem="",
            )
            .execution_options(synchronize_session=False)
        )
        if taken.rowcount == 1:  # type: ignore[attr-defined]
            session.refresh(job)
            return job
    return None


def beat(session: Session, job_id: int, worker: str, **changes: Any) -> bool:
    """Move the lease of a job on and note how far it is; false where it is to stop, or is another's by now."""
    kept = session.execute(
        update(Job)
        .where(Job.id == job_id, Job.worker == worker, Job.state == "running")
        .values(lease=tables.now() + timedelta(seconds=LEASE_S), **changes)
    )
    if kept.rowcount != 1:  # type: ignore[attr-defined]
        return False
    return not session.scalar(select(Job.cancel).where(Job.id == job_id))


def finish(
    session: Session, job_id: int, worker: str, state: str, *, problem: str = "", result: dict[str, Any] | None = None
) -> bool:
    """Say how a job has ended: done, failed or cancelled; false where it is another's by now."""
    changes: dict[str, Any] = {"state": state, "problem": problem, "finished": tables.now(), "lease": None, "stage": ""}
    if state == "done":
        changes |= {"progress": 1.0, "result": result or {}}
    ended = session.execute(
        update(Job).where(Job.id == job_id, Job.worker == worker, Job.state == "running").values(**changes)
    )
    return bool(ended.rowcount == 1)  # type: ignore[attr-defined]


def recover(
    session: Session,
    *,
    worker: str = "",
    but: Sequence[str] = (),
    blamed: bool = True,
    everybody: bool = False,
    because: str = "",
) -> int:
    """Put jobs back whose lease has run out, or all of one worker that is known to be dead; returns how many.

    One that has been lost for the third time is failed: it most likely kills what does it.

    Args:
        session: to write with.
        worker: who is dead; empty is everybody whose lease has run out.
        but: workers that live, whatever their leases say (a machine that slept).
        blamed: whether the job may be why that worker is gone; not so where the room was closed. A lease that ran out
            says that a server is gone, which is no job's fault.
        everybody: all workers there were are dead, whatever their leases say.
        because: why the jobs are given up and not put back.
    """
    blamed = blamed and bool(worker)
    query = select(Job).where(Job.state == "running")
    if worker:
        query = query.where(Job.worker == worker)
    elif not everybody:
        query = query.where(run_out(), Job.worker.not_in(but))
    jobs = session.scalars(query).all()
    for job in jobs:
        job.worker, job.lease, job.stage = "", None, ""
        if not blamed:
            job.attempts = max(0, job.attempts - 1)
        if job.cancel:
            job.state, job.finished = "cancelled", tables.now()
        elif because or (blamed and job.attempts >= ATTEMPTS):
            job.state, job.finished = "failed", tables.now()
            job.problem = because or _LOST.format(times=job.attempts)
        else:
            job.state = "queued"
    return len(jobs)


def run_out() -> ColumnElement[bool]:
    """Of jobs whose lease has run out, or ends later than any can: the clock was set back since."""
    now, most = tables.now(), timedelta(seconds=2 * LEASE_S)
    return (Job.lease < now) | (Job.lease > now + most)


def cancel(session: Session, job_id: int) -> Job:
    """Stop a job, or take it out of the queue.

    Raises:
        NotThere: there is no such job.
        Refused: it has ended.
    """
    job = get(session, job_id)
    if job.state not in OPEN:
        raise Refused(f"this job is {job.state}", advice="Only waiting and running jobs can be cancelled.")
    job.cancel = True
    if job.state == "queued":
        job.state, job.finished = "cancelled", tables.now()
    return job


def cancel_all(session: Session, *, subject: str) -> None:
    """Stop all jobs about something that goes away."""
    for job in session.scalars(select(Job).where(Job.subject == subject, Job.state.in_(OPEN))):
        cancel(session, job.id)


def forget(
    session: Session,
    names: Collection[str],
    *,
    videos: Collection[str] = (),
    files: Collection[str] = (),
    more: Collection[str] = (),
) -> None:
    """Leave nothing of performances that are gone in what ended jobs tell.

    Args:
        session: to write with.
        names: of the performances.
        videos: keys of videos that are gone with them.
        files: names of those videos' files, where no other video is called so.
        more: names of other files that were theirs.
    """
    ended = Job.state.not_in(OPEN)
    session.execute(delete(Job).where(ended, Job.subject.in_(videos)))
    titles = [f"Look at {name}" for name in names]
    session.execute(update(Job).where(Job.title.in_(titles)).values(title="Look at a video"))
    session.execute(update(Job).where(ended, Job.stage != "").values(stage=""))
    for job in session.scalars(select(Job).where(ended)):
        if job.kind == "take" and Path(str(job.payload.get("path", ""))).name in files:
            session.delete(job)
            continue
        told: dict[str, Any] = {
            what: job.result.get(what) or {} for what in ("failed", "filled", "kept") if what in job.result
        }
        less = {what: {k: v for k, v in by_name.items() if k not in names} for what, by_name in told.items()}
        for name, why in less.get("failed", {}).items():
            if _tells_of(str(why), names, [*files, *more]):
                less["failed"][name] = _GONE
        if less != told:
            job.result = {**job.result, **less}
        if _tells_of(job.problem, names, [*files, *more]):
            job.problem = _GONE


def _tells_of(text: str, names: Iterable[str], files: Iterable[str]) -> bool:
    """Whether a message is about one of these: a name in quotes or ahead of a colon, or the name of a file.

    >>> _tells_of("it ends early, says audit.mp4", ["it"], ["it.mp4"]), _tells_of("it.mp4: is dark", [], ["it.mp4"])
    (False, True)
    """
    forms = [rf"'{re.escape(name)}'|(?<!\S){re.escape(name)}: " for name in names if name in text]
    forms += [rf"(?<!\w){re.escape(name)}(?!\w)" for name in files if name in text and "." in name]
    return bool(text) and any(re.search(form, text) for form in forms)


def prune(session: Session, *, videos: Select[tuple[str]], before: datetime) -> None:
    """Remove jobs that ended before a time, and those that looked at a video that is not there any more."""
    ended = Job.state.not_in(OPEN)
    gone = (Job.kind == "extract") & Job.subject.not_in(videos)
    session.execute(delete(Job).where(ended, gone | (Job.finished < before)))


def retry(session: Session, job_id: int) -> Job:
    """Put a job that failed or was cancelled back into the queue; it goes on from where it was.

    Raises:
        NotThere: there is no such job.
        Refused: it waits, runs or is done.
    """
    job = get(session, job_id)
    if job.state not in ("failed", "cancelled"):
        raise Refused(f"this job is {job.state}", advice="Only jobs that failed or were cancelled can be tried again.")
    if job.kind == "train" and session.scalar(select(Job.id).where(Job.kind == "train", Job.state.in_(OPEN))):
        raise Refused("another training waits or runs", advice="Wait for it, or cancel it.")
    job.state, job.cancel, job.attempts, job.problem, job.finished = "queued", False, 0, "", None
    if job.kind == "train":  # what is noted to go is gone on from after all, or begun anew
        folder = f"models/{job.subject}"
        session.execute(delete(tables.Gone).where(tables.Gone.path.in_([folder, f"{folder}/checkpoint"])))
    return job


def get(session: Session, job_id: int) -> Job:
    """One job.

    Raises:
        NotThere: there is none with this number.
    """
    job = session.get(Job, job_id)
    if job is None:
        raise NotThere("there is no such job", advice="Look at the list of jobs.")
    return job


def listed(session: Session, *, state: str = "", count: int = 100) -> Sequence[Job]:
    """Jobs, those that run or wait first, then the latest."""
    query = select(Job).order_by(Job.state.not_in(("running",)), Job.state.not_in(OPEN), Job.id.desc()).limit(count)
    return session.scalars(query.where(Job.state == state) if state else query).all()


def last(session: Session, kind: str, *, subject: str | None = None) -> Job | None:
    """The latest job of a kind, with its log; of one subject where that is named."""
    query = select(Job).where(Job.kind == kind).order_by(Job.id.desc()).limit(1).options(undefer(Job.log))
    return session.scalars(query if subject is None else query.where(Job.subject == subject)).first()


def open_ones(session: Session, kind: str, *, subject: str) -> Sequence[Job]:
    """Jobs of a kind and subject that run or wait."""
    return session.scalars(select(Job).where(Job.kind == kind, Job.subject == subject, Job.state.in_(OPEN))).all()


def waiting(session: Session) -> int:
    """How many run or wait."""
    return session.scalar(select(func.count()).select_from(Job).where(Job.state.in_(OPEN))) or 0
