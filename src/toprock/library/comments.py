"""What people say of a performance, at a time of its video."""

from __future__ import annotations

import math
from collections.abc import Sequence

from sqlalchemy import select

from toprock.errors import NotThere, Refused
from toprock.library import catalogue, tables
from toprock.library.library import Library

LONGEST = 4000


def add(library: Library, performance_key: str, *, author: str, time_s: float, text: str) -> tables.Comment:
    """Say something.

    Raises:
        NotThere: there is no such performance.
        Refused: nothing is said, or too much, or at no time.
    """
    text, author = text.strip(), author.strip()[:200] or "somebody"
    if not text or len(text) > LONGEST:
        raise Refused("a comment has 1 to 4000 characters", advice="Write something shorter.")
    if not math.isfinite(time_s) or time_s < 0:
        raise Refused("a comment stands at a time of the video", advice="Give seconds.")
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


def remove(library: Library, comment_id: int) -> None:
    """Delete a comment.

    Raises:
        NotThere: there is no such comment.
    """
    with library.write() as session:
        comment = session.get(tables.Comment, comment_id)
        if comment is None:
            raise NotThere("there is no such comment", advice="It may have been deleted.")
        session.delete(comment)
    library.database.settle()
