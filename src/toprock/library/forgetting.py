"""Leaving nothing of deleted performances in what is kept: jobs, the list of failures, what is told of models.

Rows change with the deletion; files do after it, so that one that comes to nothing leaves them as they were. A model's
config.json keeps the names of what it has learnt from: by these it says of a performance that it has seen it.
"""

from __future__ import annotations

import contextlib
import json
import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from toprock.errors import ToprockError
from toprock.files import as_bytes, json_text, write_together
from toprock.library import jobs, tables
from toprock.library.library import Library
from toprock.library.sweeping import note_gone, sweep

_COUNTS = re.compile(r"[\d,]+ (?:couples? judged both ways|groups? that beat each other in a ring)(?= \(such as )")


@dataclass(frozen=True)
class Names:
    """What performances and videos are called: names, and the key of a video -> names of its file."""

    performances: frozenset[str]
    files: Mapping[str, frozenset[str]]

    @staticmethod
    def of(performances: Iterable[str], videos: Iterable[Any] = ()) -> Names:
        """Of some performances, and of videos: rows, or of these key, file name and path."""
        files = {video.key: frozenset({video.filename, Path(video.path).name}) for video in videos}
        return Names(frozenset(performances), files)


def names_in(session: Session) -> Names:
    """All that are here now."""
    videos = session.execute(select(tables.Video.key, tables.Video.filename, tables.Video.path))
    return Names.of(session.scalars(select(tables.Performance.name)), videos)


def forget(library: Library, session: Session, gone: Names) -> None:
    """Leave nothing in the database of performances and videos that are gone; then `clear_away` does so in files."""
    others = frozenset[str]().union(*names_in(session).files.values())
    files = frozenset[str]().union(*gone.files.values()) - others
    store = library.store
    features = {store.path(name).name for name in gone.performances}
    jobs.forget(session, gone.performances, videos=gone.files, files=files, more=features)
    for model in session.scalars(select(tables.Model)):
        model.summary = _without(model.summary, gone.performances)
    ended = select(tables.Job).where(tables.Job.kind == "train", tables.Job.state.not_in(jobs.OPEN))
    for job in session.scalars(ended):
        job.result = _without(job.result, gone.performances)
    forget_checkpoints(library, session)


def forget_since(library: Library, session: Session, before: Names) -> None:
    """Leave nothing of what has gone since, in what a job that ends now tells of it."""
    now = names_in(session)
    files = {key: names for key, names in before.files.items() if key not in now.files}
    gone = Names(before.performances - now.performances, files)
    if gone.performances or gone.files:
        forget(library, session, gone)


def forget_checkpoints(library: Library, session: Session) -> None:
    """Have the checkpoints go of trainings that ended without a model and learnt from performances that are not here.

    Those that do not say from which they learnt go, too; those of trainings that wait or run begin anew by themselves.
    """
    trained = select(tables.Job.subject).where(tables.Job.kind == "train")
    busy = set(session.scalars(trained.where(tables.Job.state.in_(jobs.OPEN))))
    models = set(session.scalars(select(tables.Model.key)))
    folders = [library.folder.model(key) / "checkpoint" for key in set(session.scalars(trained)) - busy - models]
    folders = [folder for folder in folders if folder.is_dir()]
    if folders:
        from toprock.ranker.checkpoint import ids_of

        here = set(session.scalars(select(tables.Performance.name)))
        known = {folder: ids_of(folder) for folder in folders}
        note_gone(library, session, [f for f, ids in known.items() if ids is None or not here.issuperset(ids)])


def clear_away(library: Library) -> None:
    """Remove the files of what is gone from the database, and its names from files that stay.

    What cannot be done now is done the next time: no deletion fails of it.
    """
    with contextlib.suppress(ToprockError, OSError):
        failed = library.store.failures().keys()
        with library.read() as session:  # after: whatever failed before this and is here, is known
            here = set(session.scalars(select(tables.Performance.name)))
        library.store.note_failures({}, succeeded=failed - here)
    with contextlib.suppress(ToprockError), library.write() as session:  # so that no model goes meanwhile
        for key in session.scalars(select(tables.Model.key)):
            _rewrite_folder(library.folder.model(key))
        forget_checkpoints(library, session)
    with contextlib.suppress(ToprockError):
        sweep(library)


def _without(told: Mapping[str, Any], names: Collection[str]) -> dict[str, Any]:
    """What is told of a model, without those names; how many went from what was left out is `left_out_gone`."""
    kept, left = dict(told), told.get("left_out") or {}
    if gone := left.keys() & names:
        kept["left_out"] = {name: why for name, why in left.items() if name not in gone}
        kept["left_out_gone"] = told.get("left_out_gone", 0) + len(gone)
    if "consistency" in told:
        kept["consistency"] = _counts_alone(told["consistency"])
    return kept


def _counts_alone(consistency: str) -> str:
    """What a model of an earlier version says of its judgements names examples.

    >>> _counts_alone("1 couple judged both ways (such as a and b)")
    '1 couple judged both ways'
    """
    return "; ".join(_COUNTS.findall(consistency)) if "(such as " in consistency else consistency


def _rewrite_folder(folder: Path) -> None:
    """Have the card and config.json of an earlier version's model name no examples; what is damaged stays as it is."""
    try:
        text = (folder / "config.json").read_text(encoding="utf-8")
        if "(such as " not in text:
            return
        config = json.loads(text)
        before = config["trained_on"]["consistency"]
        config["trained_on"]["consistency"] = after = _counts_alone(before)
    except (OSError, ValueError, LookupError, TypeError, RecursionError):
        return
    files = [(folder / "config.json", as_bytes(json_text(config)))]
    with contextlib.suppress(OSError, ValueError):
        card = (folder / "README.md").read_text(encoding="utf-8")
        files.insert(0, (folder / "README.md", as_bytes(card.replace(before, after))))
    if after != before:
        with contextlib.suppress(ToprockError):
            write_together(files)
