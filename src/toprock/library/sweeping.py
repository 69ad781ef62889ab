"""Files that nothing speaks of any more: what a crash, or work on something that was deleted meanwhile, has left."""

from __future__ import annotations

import contextlib
import shutil
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

from sqlalchemy import select

from toprock.library import jobs, tables
from toprock.library.library import Library

_YOUNG_S = 600.0
"""Files may be ahead of their rows for a moment."""
_TOLD = timedelta(days=30)


def sweep(library: Library) -> int:
    """Remove such files, and jobs that ended long ago; returns how many files.

    Features are left alone: `toprock extract` may have put others into the store.
    """
    with library.write() as session:
        jobs.prune(session, videos=select(tables.Video.key), before=tables.now() - _TOLD)
    with library.read() as session:
        videos = session.scalars(select(tables.Video)).all()
        keys = session.scalars(select(tables.Performance.key)).all()
        models = set(session.scalars(select(tables.Model.key)))
        models |= set(session.scalars(select(tables.Job.subject).where(tables.Job.kind == "train")))
    wanted = {library.folder.video(video.path) for video in videos if video.owned}
    wanted |= {library.folder.preview(video.preview) for video in videos if video.preview}
    wanted |= {library.folder.thumbnail(key) for key in keys}
    wanted |= {library.folder.model(key) for key in models}
    gone = 0
    for path in set(_of(library)) - wanted:
        with contextlib.suppress(OSError):
            if time.time() - path.stat().st_mtime > _YOUNG_S:
                shutil.rmtree(path) if path.is_dir() else path.unlink()
                gone += 1
    return gone


def _of(library: Library) -> Iterator[Path]:
    for part in ("videos", "previews", "thumbnails", "models"):
        yield from (library.folder.root / part).resolve().iterdir()
