"""What people say of a performance, at a time of its video."""

from __future__ import annotations

import math
from collections.abc import Sequence

from sqlalchemy import select
from sqlalchemy.orm import Session

from toprock.errors import NotThere, Refused
from toprock.files import harmless, table_text
from toprock.library import catalogue, tables
from toprock.library.library import Library

LONGEST = 4000


def add(library: Library, performance_key: str, *, author: str, time_s: float, text: str) -> tables.Comment:
    """Say something.

    Raises:
        NotThere: there is no such performance.
        Refused: nothing is said, or too much, or at no time.
    """
    text, author = _checked(text), author.strip()[:200] or "somebody"
    _check_time(time_s)
    catalogue.get(library, performance_key)
    with library.write() as session:
        comment = tables.Comment(performance_key=performance_key, author=author, time_s=time_s, text=text)
        session.add(comment)
        session.flush()
        return comment


def of(library: Library, performance_key: str) -> Sequence[tables.Comment]:
    """All comments on a performance, in order of the time they speak of."""
    query = select(tables.Comment).where(tables.Comment.performance_key == performance_key)
    with library.read() as session:
        return session.scalars(query.order_by(tables.Comment.time_s, tables.Comment.id)).all()


def change(
    library: Library, comment_id: int, *, text: str | None = None, time_s: float | None = None
) -> tables.Comment:
    """Word a comment anew, or move it; None leaves what is there, and its author and date stay.

    Raises:
        NotThere: there is no such comment.
        Refused: nothing is said, or too much, or at no time.
    """
    if time_s is not None:
        _check_time(time_s)
    with library.write() as session:
        comment = _get(session, comment_id)
        comment.text = comment.text if text is None else _checked(text)
        comment.time_s = comment.time_s if time_s is None else time_s
    library.database.settle()  # what stood there is gone
    return comment


def table(library: Library, performance_key: str) -> str:
    """All comments on a performance as CSV: time in seconds of the video, author, text, and when it was said (UTC).

    Text that a spreadsheet would run as a formula gets an apostrophe in front.
    """
    rows = (
        (f"{c.time_s:.2f}", harmless(c.author), harmless(c.text), c.created.isoformat(timespec="seconds") + "Z")
        for c in of(library, performance_key)
    )
    return table_text(("time_s", "author", "text", "date"), rows)


def remove(library: Library, comment_id: int) -> None:
    """Delete a comment.

    Raises:
        NotThere: there is no such comment.
    """
    with library.write() as session:
        session.delete(_get(session, comment_id))
    library.database.settle()


def _get(session: Session, comment_id: int) -> tables.Comment:
    found = session.get(tables.Comment, comment_id)
    if found is None:
        raise NotThere("there is no such comment", advice="It may have been deleted.")
    return found


def _checked(text: str) -> str:
    text = text.strip()
    if not text or len(text) > LONGEST:
        raise Refused("a comment has 1 to 4000 characters", advice="Write something shorter.")
    return text


def _check_time(time_s: float) -> None:
    if not math.isfinite(time_s) or time_s < 0:
        raise Refused("a comment stands at a time of the video", advice="Give seconds.")
