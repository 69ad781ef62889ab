"""Deleting files: what is to go is noted together with the deletion, so that a crash or a refusal only delays it."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Iterable
from datetime import timedelta
from pathlib import Path

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from toprock.library import jobs, tables
from toprock.library.folder import resolve_inside
from toprock.library.library import Library

_TOLD = timedelta(days=30)


def note_gone(library: Library, session: Session, paths: Iterable[Path]) -> None:
    """Note files and folders of the library that are to go; they do with the next `sweep`."""
    root = library.folder.root.resolve()
    session.add_all(tables.Gone(path=path.resolve().relative_to(root).as_posix()) for path in paths)


def sweep(library: Library) -> int:
    """Remove what was noted; returns how many files and folders."""
    with library.read() as session:
        noted = session.scalars(select(tables.Gone)).all()
    gone = []
    for one in noted:
        path = resolve_inside(library.folder.root, one.path)
        with contextlib.suppress(OSError):
            shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)
            gone.append(one.id)
    if gone:
        with library.write() as session:
            session.execute(delete(tables.Gone).where(tables.Gone.id.in_(gone)))
    return len(gone)


def forget_old_jobs(library: Library) -> None:
    """Remove jobs that ended long ago, and what trainings that came to nothing have left."""
    before = tables.now() - _TOLD
    with library.write() as session:
        models = set(session.scalars(select(tables.Model.key)))
        old = select(tables.Job.subject).where(tables.Job.kind == "train", tables.Job.finished < before)
        note_gone(library, session, [library.folder.model(key) for key in set(session.scalars(old)) - models])
        jobs.prune(session, videos=select(tables.Video.key), before=before)
