"""What is known when the next pair is chosen: how sure ratings are and what each pair would tell, kept between answers.

All of it follows from judgments and performances, so it is only a memory, made anew when either has changed. One thread
makes it at a time; others go on with the last one meanwhile, which is a few answers old and good enough to ask by.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np
from scipy.special import ndtr
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from toprock.exports import plays_in_browsers
from toprock.library import tables
from toprock.library.library import Library
from toprock.library.strength import strength

DECIDED = ("left", "right", "tie")
Couple = tuple[str, str]
"""Keys of two performances, the smaller one first."""


def couple(a: str, b: str) -> Couple:
    """Two performances without an order.

    >>> couple("b", "a")
    ('a', 'b')
    """
    return (a, b) if a <= b else (b, a)


@dataclass(frozen=True, eq=False)
class Desk:
    """What is known of a criterion.

    Attributes:
        signature: of the judgments and performances that it was made from.
        keys: performances that can be watched, in a fixed order.
        place: key -> its number in that order.
        worth: (n, n) how much an answer to each pair would tell, symmetric; -inf on the diagonal.
        settled: the chance that the standings have two performances the right way round, from 0.5 to 1.
        count: comparisons behind it, hidden repeats not counted.
    """

    signature: tuple[object, ...]
    keys: Sequence[str]
    place: Mapping[str, int]
    worth: np.ndarray
    settled: float
    count: int


@dataclass
class _Shelf:
    """The desks of a library, and who is making which."""

    desks: dict[str, Desk] = field(default_factory=dict)
    locks: dict[str, threading.Lock] = field(default_factory=dict)
    guard: threading.Lock = field(default_factory=threading.Lock)

    def lock(self, criterion: str) -> threading.Lock:
        with self.guard:
            if len(self.desks) > _MOST_CRITERIA:
                self.desks.clear()
            return self.locks.setdefault(criterion, threading.Lock())


_MOST_CRITERIA = 64
_shelves: WeakKeyDictionary[Library, _Shelf] = WeakKeyDictionary()
_shelves_guard = threading.Lock()


def desk(library: Library, criterion: str, *, fresh: bool = False) -> Desk:
    """What is known of a criterion now; or where somebody else is just finding that out, what was known a moment ago.

    The performances in it are always those that there are now.

    Args:
        library: whose judgments.
        criterion: which of them.
        fresh: wait rather than take what was known a moment ago.
    """
    with _shelves_guard:
        shelf = _shelves.setdefault(library, _Shelf())
    with library.read() as session:
        signature = _signature(session, criterion)
    known = shelf.desks.get(criterion)
    if known is not None and known.signature == signature:
        return known
    lock = shelf.lock(criterion)
    may_be_old = known is not None and not fresh and known.signature[1:] == signature[1:]
    if not lock.acquire(blocking=not may_be_old):
        assert known is not None
        return known
    try:
        known = shelf.desks.get(criterion)
        if known is None or known.signature != signature:
            known = shelf.desks[criterion] = _made(library, criterion)
        return known
    finally:
        lock.release()


def _signature(session: Session, criterion: str) -> tuple[object, ...]:
    """Changes whenever a judgment comes or is taken back, or a performance comes, goes or changes its state."""
    mine = tables.Judgment.criterion == criterion
    judged = session.execute(
        select(func.count(), func.max(tables.Judgment.id), func.count(tables.Judgment.undone)).where(mine)
    ).one()
    performances = session.execute(
        select(tables.Performance.state, func.count(), func.max(tables.Performance.created))
        .group_by(tables.Performance.state)
        .order_by(tables.Performance.state)
    )
    return (tuple(judged), *map(tuple, performances))


def watchable(session: Session) -> list[str]:
    """Keys of performances whose video can be played, the oldest first."""
    rows = session.execute(
        select(
            tables.Performance.key,
            tables.Performance.state,
            tables.Video.preview,
            tables.Video.container,
            tables.Video.codec,
        )
        .join(tables.Video, tables.Video.key == tables.Performance.video_key)
        .where(tables.Performance.state != "failed")
        .order_by(tables.Performance.created, tables.Performance.key)
    )
    return [
        key
        for key, state, preview, container, codec in rows
        if state == "ready" or preview or plays_in_browsers(container, codec)
    ]


def _made(library: Library, criterion: str) -> Desk:
    with library.read() as session:
        signature = _signature(session, criterion)
        keys = watchable(session)
        rows = session.execute(
            select(
                tables.Judgment.left,
                tables.Judgment.right,
                tables.Judgment.outcome,
                tables.Judgment.weight,
                tables.Judgment.repeat_of,
            )
            .where(
                tables.Judgment.criterion == criterion,
                tables.Judgment.undone.is_(None),
                tables.Judgment.outcome.in_(DECIDED),
                tables.Judgment.repeat_of.is_(None),
            )
            .order_by(tables.Judgment.id)
        ).all()
    place = {key: number for number, key in enumerate(keys)}
    known = [row for row in rows if row.left in place and row.right in place]
    worth, settled = _worth(place, known)
    return Desk(signature, keys, place, worth, settled, len(known))


def _worth(place: Mapping[str, int], rows: Sequence[Any]) -> tuple[np.ndarray, float]:
    found, n = strength(place, rows), len(place)
    gap, spread = found.gap, found.spread
    chance = 1 / (1 + np.exp(-gap))
    worth = chance * (1 - chance) * spread**2
    mixed = np.random.default_rng(0).random((n, n))
    worth *= 1 + 1e-6 * (mixed + mixed.T)  # pairs that would tell the same are not all of one performance
    np.fill_diagonal(worth, -np.inf)
    if n < 2:
        return worth, 0.5
    upper = np.triu_indices(n, 1)
    return worth, float(ndtr(np.abs(gap[upper]) / spread[upper]).mean())
