"""Which pair to put before an annotator next."""

from __future__ import annotations

import random
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from sqlalchemy import select
from sqlalchemy.orm import Session

from toprock.comparisons import Pair, hidden_repeat, shared_pair
from toprock.comparisons.pairing import due_first
from toprock.library import tables
from toprock.library.desk import DECIDED, Couple, Desk, couple

REPEATS = 0.1
"""Of the pairs put before an annotator, how many they have judged before: to see how far they agree with themselves."""
SHARED = 0.1
"""How many others have judged: to see how far people agree with each other."""
NOT_AGAIN = 30
"""Answers of an annotator before a pair that was skipped, or could not be told, is put before them again."""
_random = random.SystemRandom()


@dataclass(frozen=True)
class History:
    """What an annotator has answered, the oldest first, and what follows from it for the next pair."""

    annotator: str
    answers: Sequence[Any]

    @classmethod
    def of(cls, session: Session, annotator: str, criterion: str) -> History:
        """As it stands in the database."""
        columns = (
            tables.Judgment.id,
            tables.Judgment.left,
            tables.Judgment.right,
            tables.Judgment.outcome,
            tables.Judgment.repeat_of,
            tables.Judgment.source,
        )
        query = select(*columns).where(
            tables.Judgment.criterion == criterion,
            tables.Judgment.annotator == annotator,
            tables.Judgment.undone.is_(None),
        )
        return cls(annotator, session.execute(query.order_by(tables.Judgment.id)).all())

    def closed(self) -> set[Couple]:
        """Pairs that are not asked again: those judged, and for a while those that could not be."""
        late = len(self.answers) - NOT_AGAIN
        return {
            couple(a.left, a.right)
            for number, a in enumerate(self.answers)
            if a.outcome in DECIDED or (number >= late and a.source == "room")
        }

    def repeat(self, known: Desk) -> tuple[str, str, int] | None:
        """A pair to ask for again, left and right, and the number of the judgment that it repeats; or None."""
        given = [
            a
            for a in self.answers
            if a.source == "room" and a.outcome in DECIDED and a.left in known.everybody and a.right in known.everybody
        ]
        pairs = [Pair(a.left, a.right, annotator=self.annotator, extra={"left": a.left}) for a in given]
        found = hidden_repeat(pairs, annotator=self.annotator, rng=_rng(), share=REPEATS)
        if found is None:
            return None
        first = next(a.id for a in given if couple(a.left, a.right) == couple(*found))
        return (*found, first)


def new_offer(
    known: Desk, history: History, mine: Sequence[tables.Offer], others: Sequence[tables.Offer]
) -> tables.Offer | None:
    """A pair to put before an annotator, or None where none is left.

    Args:
        known: about the criterion.
        history: of the annotator.
        mine: what waits for this annotator already; the new one is only to be loaded ahead then, and takes no pair that
            others look at.
        others: what others look at.
    """
    own = {couple(offer.left, offer.right) for offer in mine}
    opened = {couple(offer.left, offer.right) for offer in others}
    closed = history.closed() | own
    best = _best(known, closed, [*mine, *others], share=not mine)
    if best is None:
        return None
    again = None if any(offer.repeat_of is not None for offer in mine) else history.repeat(known)
    if again is not None and couple(again[0], again[1]) not in own:
        return tables.Offer(left=again[0], right=again[1], repeat_of=again[2], answered=False, created=tables.now())
    if _random.random() < SHARED:
        shared = shared_pair(known.pairs, annotator=history.annotator, rng=_rng(), share=1.0, ids=known.everybody)
        if shared is not None and couple(*shared) not in closed | opened:
            best = shared
    left, right = best if _random.random() < 0.5 else best[::-1]
    return tables.Offer(left=left, right=right, answered=False, created=tables.now())


def _best(known: Desk, closed: set[Couple], looked_at: Sequence[tables.Offer], *, share: bool) -> Couple | None:
    """The pair that tells most: with performances that nobody has compared, then between parts that nothing connects,
    then any. What somebody looks at now counts as compared and is worth less: the answer to come tells of it too."""
    if len(known.everybody) < 2:
        return None
    opened = [couple(offer.left, offer.right) for offer in looked_at]
    attention = np.ones(len(known.keys))
    part = known.part.copy()
    for a, b in opened:
        inside = [known.place[key] for key in (a, b) if key in known.place]
        attention[inside] += 1
        if len(inside) == 2:
            part[part == part[inside[0]]] = part[inside[1]]
    gain = known.gain / attention[:, None] / attention[None]
    _strike(gain, known, closed)
    free = gain.copy()
    _strike(free, known, opened)
    unseen = ~known.seen & (attention == 1)
    first = due_first(unseen, part)
    for table in (np.where(first, free, -np.inf), free, gain) if share else (np.where(first, free, -np.inf), free):
        at = int(table.argmax())
        if table.flat[at] > -np.inf:
            row, column = divmod(at, len(known.keys))
            return known.keys[row], known.keys[column]
    return _any_other(known, closed, set(opened)) if len(known.keys) < len(known.everybody) else None


def _any_other(known: Desk, closed: set[Couple], opened: set[Couple]) -> Couple | None:
    """A pair that is not weighed, where there are too many to weigh all."""
    keys = sorted(known.everybody)
    _random.shuffle(keys)
    for number, a in enumerate(keys):
        for b in keys[:number]:
            if couple(a, b) not in closed and couple(a, b) not in opened:
                return a, b
    return None


def _rng() -> np.random.Generator:
    return np.random.default_rng(_random.getrandbits(64))


def _strike(table: np.ndarray, known: Desk, couples: Iterable[Couple]) -> None:
    """Take pairs out of what can be chosen."""
    at = [(known.place[a], known.place[b]) for a, b in couples if a in known.place and b in known.place]
    if at:
        rows, columns = np.array(at).T
        table[rows, columns] = table[columns, rows] = -np.inf
