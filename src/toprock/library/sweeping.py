"""Deleting files: what is to go is noted together with the deletion, so that a crash or a refusal only delays it.

What comes in is noted before it is there, so that a crash before the database knows it leaves nothing for good.
"""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Callable, Iterable, Iterator
from datetime import timedelta
from pathlib import Path

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from toprock.errors import ToprockError
from toprock.library import jobs, tables
from toprock.library.folder import resolve_inside
from toprock.library.library import Library

TOLD = timedelta(days=30)
"""For how long jobs that have ended are remembered."""


def note_gone(library: Library, session: Session, paths: Iterable[Path]) -> None:
    """Note files and folders of the library that are to go; they do with the next `sweep`."""
    session.add_all(tables.Gone(path=_noted(library, path)) for path in paths)


@contextlib.contextmanager
def arriving(library: Library, path: Path) -> Iterator[Callable[[Session], None]]:
    """Put something at `path` in the block, and call what this gives in the transaction that makes it known.

    Where that does not come to pass it is removed: at once, or by `sweep_arrivals` where the process was killed.
    """
    noted = _noted(library, path)
    with library.write() as session:
        session.add(tables.Coming(path=noted))

    def arrived(session: Session) -> None:
        session.execute(delete(tables.Coming).where(tables.Coming.path == noted))

    try:
        yield arrived
    except BaseException:
        with contextlib.suppress(ToprockError, OSError):
            with library.read() as session:  # else it is known, whatever became of the answer
                comes = session.scalars(select(tables.Coming.id).where(tables.Coming.path == noted)).first()
            if comes is not None:
                _remove(path)
                with library.write() as session:
                    arrived(session)
        raise


def sweep_arrivals(library: Library) -> None:
    """Remove what was on its way into the library when its server was killed; nobody else may be at the library."""
    with library.read() as session:
        noted = session.scalars(select(tables.Coming)).all()
    for one in noted:
        with contextlib.suppress(OSError):
            _remove(resolve_inside(library.folder.root, one.path))
            with library.write() as session:
                session.execute(delete(tables.Coming).where(tables.Coming.id == one.id))


def sweep(library: Library) -> int:
    """Remove what was noted; returns how many files and folders."""
    with library.read() as session:
        noted = session.scalars(select(tables.Gone)).all()
    gone = []
    for one in noted:
        path = resolve_inside(library.folder.root, one.path)
        with contextlib.suppress(OSError):
            if one.path.startswith("models/"):
                _remove_of_model(library, one.id, path)
            else:
                _remove(path)
            gone.append(one.id)
    if gone:
        with library.write() as session:
            session.execute(delete(tables.Gone).where(tables.Gone.id.in_(gone)))
        library.database.settle()
    return len(gone)


def forget_old_jobs(library: Library) -> None:
    """Remove jobs that ended long ago, and what trainings that came to nothing have left."""
    before = tables.now() - TOLD
    with library.write() as session:
        models = set(session.scalars(select(tables.Model.key)))
        old = select(tables.Job.subject).where(tables.Job.kind == "train", tables.Job.finished < before)
        note_gone(library, session, [library.folder.model(key) for key in set(session.scalars(old)) - models])
        jobs.prune(session, videos=select(tables.Video.key), before=before)


def _remove_of_model(library: Library, number: int, path: Path) -> None:
    """Remove it where it still is to go: a training that is tried again goes on from what it has."""
    with library.write() as session:
        if session.get(tables.Gone, number) is not None:
            _remove(path)


def _remove(path: Path) -> None:
    shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)


def _noted(library: Library, path: Path) -> str:
    return path.resolve().relative_to(library.folder.root.resolve()).as_posix()
