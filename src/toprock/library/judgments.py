"""What people judged: offers of pairs, answers to them, and the pairs that ratings and training take from them."""

from __future__ import annotations

from sqlalchemy import select
from sqlalchemy.orm import Session, aliased

from toprock.comparisons import Pair
from toprock.library import tables

DECIDED = ("left", "right", "tie")
OUTCOMES = (*DECIDED, "unsure", "skip")


def pairs_of(session: Session, *, criterion: str = "", repeats: bool = False) -> list[Pair]:
    """The comparisons of a criterion, the oldest first, under the performances' names.

    Those taken back, unsure and skipped are none; `repeats` also gives answers to hidden repeats, which would count the
    same opinion twice.
    """
    left, right = aliased(tables.Performance), aliased(tables.Performance)
    query = (
        select(tables.Judgment, left.name, right.name)
        .join(left, left.key == tables.Judgment.left)
        .join(right, right.key == tables.Judgment.right)
        .where(
            tables.Judgment.undone.is_(None),
            tables.Judgment.criterion == criterion,
            tables.Judgment.outcome.in_(DECIDED),
        )
        .order_by(tables.Judgment.id)
    )
    if not repeats:
        query = query.where(tables.Judgment.repeat_of.is_(None))
    pairs = []
    for judgment, first, second in session.execute(query):
        better, worse = (second, first) if judgment.outcome == "right" else (first, second)
        pairs.append(
            Pair(
                better,
                worse,
                judgment.outcome == "tie",
                judgment.annotator,
                judgment.criterion,
                judgment.weight,
                {name: str(value) for name, value in judgment.extra.items()},
            )
        )
    return pairs
