"""Leaving nothing of deleted performances in what is kept: jobs, the list of failures, what is told of models.

Rows change with the deletion; files do after it, so that one that comes to nothing leaves them as they were. A model's
config.json keeps the names of what it has learnt from: by these it says of a performance that it has seen it.
"""

from __future__ import annotations

import contextlib
import json
import re
from collections.abc import Collection, Mapping
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


def forget(library: Library, session: Session, names: Collection[str], videos: Collection[str] = ()) -> None:
    """Leave nothing of performances that go in the database; `clear_away` follows once that is kept.

    Args:
        library: which.
        session: to write with.
        names: of the performances.
        videos: keys of videos that go with them.
    """
    jobs.forget(session, names, videos)
    models = {model.key: model for model in session.scalars(select(tables.Model))}
    for model in models.values():
        model.summary = _without(model.summary, names)
    ended = select(tables.Job).where(tables.Job.kind == "train", tables.Job.state.not_in(jobs.OPEN))
    for job in session.scalars(ended):
        job.result = _without(job.result, names)
        if job.subject not in models:  # what it could go on from names what it learns from
            note_gone(library, session, [library.folder.model(job.subject) / "checkpoint"])


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
    with contextlib.suppress(ToprockError):
        sweep(library)


def _without(told: Mapping[str, Any], names: Collection[str]) -> dict[str, Any]:
    """What is told of a model, without those names."""
    left: dict[str, str] = {}
    for name, why in (told.get("left_out") or {}).items():
        gone = name in names or name.startswith("deleted ")
        left[f"deleted {len(left) + 1}" if gone else name] = "deleted since" if gone else why
    kept = dict(told)
    if "left_out" in told:
        kept["left_out"] = left
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
