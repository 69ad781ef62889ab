"""What people judged: offers of pairs, answers to them, and the pairs that ratings and training take from them."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import case, func, select
from sqlalchemy.orm import Session, aliased

from toprock.comparisons import Pair
from toprock.errors import NotThere, Refused
from toprock.library import tables
from toprock.library.choosing import History, new_offer
from toprock.library.desk import DECIDED, Desk, couple, desk, first_opinion
from toprock.library.library import Library

OUTCOMES = (*DECIDED, "unsure", "skip")
HELD = timedelta(minutes=15)
"""How long a pair that somebody looks at is kept from others."""
LONGEST_NAME = 200
_LONGEST_S = 86_400.0


@dataclass(frozen=True)
class Progress:
    """How far judging is.

    Attributes:
        mine: answers of the annotator that are comparisons.
        all: those of everybody.
        settled: the chance that the standings have two performances the right way round.
        performances: how many can be watched.
    """

    mine: int
    all: int
    settled: float
    performances: int


def offers(library: Library, annotator: str, criterion: str = "", *, count: int = 1) -> list[tables.Offer]:
    """The pairs that an annotator is to judge now: those that wait for their answer, filled up with new ones.

    A new one is now and then a hidden repeat, or a pair that others have judged; else the pair whose answer tells most
    among those that this annotator has not judged and nobody else looks at. One that others look at too is given only
    where nothing else is left.

    Args:
        library: which.
        annotator: who judges.
        criterion: what is judged; empty is the performance as a whole.
        count: how many; the second one can be loaded while the first is watched.

    Returns:
        As many as there are, in the order in which they are to be judged.

    Raises:
        Refused: the annotator has no name, or a name is too long.
    """
    annotator, criterion = _checked(annotator, "an annotator's name"), _checked(criterion, "a criterion", empty=True)
    known = desk(library, criterion)
    with library.read() as session:
        mine = _open(session, annotator, criterion, known)[0][:count]
        if len(mine) == count and all(offer.created > tables.now() - HELD / 2 for offer in mine):
            return mine
    with library.write() as session:
        mine, others = _open(session, annotator, criterion, known)
        mine = mine[:count]
        for number, offer in enumerate(mine):
            offer.created = max(offer.created, tables.now() - HELD / 2 + timedelta(milliseconds=number))
        history = History.of(session, annotator, criterion) if len(mine) < count else History(annotator, [])
        while len(mine) < count:
            found = new_offer(known, history, mine, others)
            if found is None:
                break
            found.annotator, found.criterion = annotator, criterion
            session.add(found)
            session.flush()
            mine.append(found)
        return mine


def answer(library: Library, token: str, outcome: str, seconds: float | None = None) -> tables.Judgment:
    """Keep what somebody says of a pair that was offered. The first answer counts, however often it is sent.

    Args:
        library: which.
        token: of the offer.
        outcome: left, right, tie, unsure or skip.
        seconds: how long they looked.

    Returns:
        What is kept.

    Raises:
        NotThere: no such pair was offered, or one of the two has been deleted.
        Refused: the outcome is none, or the seconds are no time.
    """
    if outcome not in OUTCOMES:
        raise Refused(f"'{outcome[:40]}' is no answer", advice=f"Answer {', '.join(OUTCOMES)}.")
    if seconds is not None and not (math.isfinite(seconds) and seconds >= 0):
        raise Refused("that is no number of seconds", advice="Give the time that the pair was looked at.")
    with library.write() as session:
        offer = session.get(tables.Offer, token, with_for_update=True)
        if offer is None:
            raise NotThere("there is no such pair", advice="One of its performances may have been deleted.")
        kept = session.scalars(select(tables.Judgment).where(tables.Judgment.token == token)).first()
        if kept is None:
            kept = tables.Judgment(
                token=token,
                annotator=offer.annotator,
                criterion=offer.criterion,
                left=offer.left,
                right=offer.right,
                outcome=outcome,
                seconds=None if seconds is None else min(seconds, _LONGEST_S),
                repeat_of=offer.repeat_of,
            )
            session.add(kept)
            offer.answered = True
            session.flush()
        return kept


def undo(library: Library, annotator: str, criterion: str = "", *, token: str = "") -> tables.Offer | None:
    """Take an annotator's last answer back, and put that pair before them again.

    Args:
        library: which.
        annotator, criterion: whose, of what.
        token: of the answer that is meant; taken back once, however often this is sent. Without one, the last.

    Returns:
        The new offer; None where there is nothing to take back.

    Raises:
        Refused: the annotator has no name, or a name is too long.
    """
    annotator, criterion = _checked(annotator, "an annotator's name"), _checked(criterion, "a criterion", empty=True)
    with library.write() as session:
        query = select(tables.Judgment).where(
            tables.Judgment.annotator == annotator,
            tables.Judgment.criterion == criterion,
            tables.Judgment.source == "room",
            tables.Judgment.undone.is_(None),
        )
        if token:
            query = query.where(tables.Judgment.token == token)
        last = session.scalars(query.order_by(tables.Judgment.id.desc()).limit(1)).first()
        if last is None:
            return None
        last.undone = tables.now()
        first = select(func.min(tables.Offer.created)).where(
            tables.Offer.answered.is_(False),
            tables.Offer.annotator == annotator,
            tables.Offer.criterion == criterion,
            tables.Offer.created > tables.now() - HELD,
        )
        before = session.scalar(first) or tables.now()
        offer = tables.Offer(
            annotator=annotator,
            criterion=criterion,
            left=last.left,
            right=last.right,
            repeat_of=last.repeat_of,
            created=before - timedelta(milliseconds=1),
        )
        session.add(offer)
        session.flush()
        return offer


def progress(library: Library, annotator: str, criterion: str = "") -> Progress:
    """How far judging is; what settles the standings may be a few answers old.

    Raises:
        Refused: the annotator has no name, or a name is too long.
    """
    annotator, criterion = _checked(annotator, "an annotator's name"), _checked(criterion, "a criterion", empty=True)
    known = desk(library, criterion)
    decided = (
        tables.Judgment.criterion == criterion,
        tables.Judgment.undone.is_(None),
        tables.Judgment.outcome.in_(DECIDED),
    )
    mine = func.sum(case((tables.Judgment.annotator == annotator, 1), else_=0))
    with library.read() as session:
        everybody, own = session.execute(select(func.count(), mine).where(*decided)).one()
    return Progress(int(own or 0), everybody, known.settled, len(known.everybody))


def criteria(session: Session) -> list[str]:
    """Criteria that something was judged by, the most used first."""
    uses = func.count()
    query = (
        select(tables.Judgment.criterion)
        .where(tables.Judgment.undone.is_(None))
        .group_by(tables.Judgment.criterion)
        .order_by(uses.desc(), tables.Judgment.criterion)
    )
    return list(session.scalars(query.limit(200)))


def pairs_of(session: Session, *, criterion: str = "", repeats: bool = False) -> list[Pair]:
    """The comparisons of a criterion, the oldest first, under the performances' names.

    Those taken back, unsure and skipped are none; `repeats` also gives answers to hidden repeats, which would count the
    same opinion twice.
    """
    return [pair for _, pair in judged_pairs(session, criterion=criterion, repeats=repeats)]


def judged_pairs(
    session: Session, *, criterion: str | None = None, repeats: bool = False
) -> list[tuple[tables.Judgment, Pair]]:
    """As `pairs_of`, each with its judgment; None gives all criteria."""
    left, right = aliased(tables.Performance), aliased(tables.Performance)
    query = (
        select(tables.Judgment, left.name, right.name)
        .join(left, left.key == tables.Judgment.left)
        .join(right, right.key == tables.Judgment.right)
        .where(tables.Judgment.undone.is_(None), tables.Judgment.outcome.in_(DECIDED))
        .order_by(tables.Judgment.id)
    )
    if criterion is not None:
        query = query.where(tables.Judgment.criterion == criterion)
    if not repeats:
        query = query.where(first_opinion())
    found = []
    for judgment, first, second in session.execute(query):
        better, worse = (second, first) if judgment.outcome == "right" else (first, second)
        pair = Pair(
            better,
            worse,
            judgment.outcome == "tie",
            judgment.annotator,
            judgment.criterion,
            judgment.weight,
            {name: str(value) for name, value in judgment.extra.items()},
        )
        found.append((judgment, pair))
    return found


def _open(
    session: Session, annotator: str, criterion: str, known: Desk
) -> tuple[list[tables.Offer], list[tables.Offer]]:
    """Offers without an answer, the oldest first: the annotator's own that can still be shown, and those that others
    look at now."""
    recent = tables.now() - HELD
    query = select(tables.Offer).where(
        tables.Offer.answered.is_(False),
        tables.Offer.criterion == criterion,
        (tables.Offer.created > recent) | (tables.Offer.annotator == annotator),
    )
    found = session.scalars(query.order_by(tables.Offer.created, tables.Offer.token)).all()
    others = [offer for offer in found if offer.annotator != annotator]
    taken = {couple(offer.left, offer.right) for offer in others}
    mine = [
        offer
        for offer in found
        if offer.annotator == annotator
        and offer.left in known.everybody
        and offer.right in known.everybody
        and (offer.created > recent or couple(offer.left, offer.right) not in taken)
    ]
    return mine, others


def _checked(name: str, what: str, *, empty: bool = False) -> str:
    """A name without blanks around it."""
    name = " ".join(name.split())
    if not name and not empty:
        raise Refused(f"{what} is missing", advice="Say who judges.")
    if len(name) > LONGEST_NAME or "\0" in name:
        raise Refused(f"{what} is too long or no text", advice=f"Give at most {LONGEST_NAME} characters.")
    return name
