"""What is known when the next pair is chosen: how sure ratings are and what each pair would tell, kept between answers.

All of it follows from judgments and performances, so it is only a memory, made anew when either has changed. One thread
makes it at a time; others go on with the last one meanwhile, which is a few answers old and good enough to ask by. Of
many performances it takes long, and is then left alone for ten times as long, so that most time is left for answers.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from weakref import WeakKeyDictionary

import numpy as np
import scipy.linalg
import scipy.sparse.csgraph
import scipy.sparse.linalg  # noqa: F401 - what ratings are made with is loaded before anybody waits for them
from scipy.special import ndtr
from sqlalchemy import ColumnElement, func, select
from sqlalchemy.orm import Session, aliased

from toprock.comparisons import Pair, rank_gain
from toprock.comparisons.davidson import Fit, Judgements, fit
from toprock.exports import plays_in_browsers
from toprock.library import tables
from toprock.library.library import Library

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
        keys: performances that can be watched, in a fixed order; of very many, those whose pairs are weighed.
        everybody: all that can be watched.
        place: key -> its number in `keys`.
        gain: (n, n) how much an answer to each pair would tell, symmetric; -inf on the diagonal.
        part: (n,) which of those that comparisons connect each belongs to.
        seen: (n,) whether anybody has compared it.
        settled: the chance that the standings have two performances the right way round, from 0.5 to 1.
        pairs: the comparisons behind it under keys, hidden repeats not counted.
        rests_until: when it may be made anew, by the monotonic clock.
    """

    signature: tuple[object, ...]
    keys: Sequence[str]
    everybody: frozenset[str]
    place: Mapping[str, int]
    gain: np.ndarray
    part: np.ndarray
    seen: np.ndarray
    settled: float
    pairs: Sequence[Pair]
    rests_until: float


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
_MOST_WEIGHED = 600
_QUICK, _REST = 250, 11
_PRIOR = 0.25
"""Precision of ratings before any judgment, as in `comparisons.pairing`."""
_shelves: WeakKeyDictionary[Library, _Shelf] = WeakKeyDictionary()
_shelves_guard = threading.Lock()


def desk(library: Library, criterion: str, *, fresh: bool = False) -> Desk:
    """What is known of a criterion now; or where somebody else is just finding that out, what was known a moment ago.

    A performance that comes, goes or can be watched from now on is always in it.

    Args:
        library: whose judgments.
        criterion: which of them.
        fresh: wait rather than take what was known a moment ago.
    """
    with _shelves_guard:
        shelf = _shelves.setdefault(library, _Shelf())
    with library.read() as session:
        signature = signature_of(session, criterion)
    known = shelf.desks.get(criterion)
    if known is not None and known.signature == signature:
        return known
    lock = shelf.lock(criterion)
    if known is not None and not fresh and known.signature[1:] == signature[1:]:
        if time.monotonic() < known.rests_until or not lock.acquire(blocking=False):
            return known
    else:
        lock.acquire()
    try:
        known = shelf.desks.get(criterion)
        with library.read() as session:
            signature = signature_of(session, criterion)
        if known is None or known.signature != signature:
            known = shelf.desks[criterion] = _made(library, criterion)
        return known
    finally:
        lock.release()


def signature_of(session: Session, criterion: str) -> tuple[object, ...]:
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
    begun = time.monotonic()
    with library.read() as session:
        signature = signature_of(session, criterion)
        everybody = watchable(session)
        pairs = key_pairs(session, criterion)
    known = frozenset(everybody)
    pairs = [pair for pair in pairs if pair.better in known and pair.worse in known]
    judgements = Judgements.of(pairs, everybody)
    fitted = fit(judgements, prior=_PRIOR)
    window = _window(fitted, np.random.default_rng())
    keys = [everybody[number] for number in window]
    covariance = fitted.covariance(window)
    gain = rank_gain(fitted.values[window], covariance, fitted.tie)
    mixed = np.random.default_rng(0).random(gain.shape)
    gain *= 1 + 1e-6 * (mixed + mixed.T)  # pairs that would tell the same are not all of one performance
    np.fill_diagonal(gain, -np.inf)
    seen = np.zeros(len(everybody), dtype=bool)
    seen[judgements.better] = seen[judgements.worse] = True
    return Desk(
        signature=signature,
        keys=keys,
        everybody=known,
        place={key: number for number, key in enumerate(keys)},
        gain=gain,
        part=judgements.labels()[window] if len(window) else np.zeros(0, dtype=int),
        seen=seen[window],
        settled=_settled(fitted.values[window], covariance),
        pairs=pairs,
        rests_until=begun + _REST * (time.monotonic() - begun) if len(keys) > _QUICK else 0.0,
    )


def first_opinion() -> ColumnElement[bool]:
    """Of a query for judgments: leaves out answers to hidden repeats, unless the first answer was taken back; else one
    opinion would count twice."""
    first = aliased(tables.Judgment)
    counts = select(first.id).where(first.id == tables.Judgment.repeat_of, first.undone.is_(None))
    return tables.Judgment.repeat_of.is_(None) | ~counts.exists()


def key_pairs(session: Session, criterion: str) -> list[Pair]:
    """The comparisons of a criterion under keys, the oldest first, hidden repeats left out."""
    columns = (
        tables.Judgment.left,
        tables.Judgment.right,
        tables.Judgment.outcome,
        tables.Judgment.annotator,
        tables.Judgment.weight,
    )
    query = select(*columns).where(
        tables.Judgment.criterion == criterion,
        tables.Judgment.undone.is_(None),
        tables.Judgment.outcome.in_(DECIDED),
        first_opinion(),
    )
    return [
        Pair(
            *((right, left) if outcome == "right" else (left, right)),
            tie=outcome == "tie",
            annotator=annotator,
            criterion=criterion,
            weight=weight,
        )
        for left, right, outcome, annotator, weight in session.execute(query.order_by(tables.Judgment.id))
    ]


def _window(fitted: Fit, rng: np.random.Generator) -> np.ndarray:
    """Numbers of the performances whose pairs are weighed: all, or of very many those that nobody has compared, and
    others drawn at random, anew after every answer."""
    n = len(fitted.values)
    if n <= _MOST_WEIGHED:
        return np.arange(n)
    judgements = fitted.judgements
    seen = np.isin(np.arange(n), np.append(judgements.better, judgements.worse))
    return np.sort(np.lexsort((rng.random(n), seen))[:_MOST_WEIGHED])


def _settled(values: np.ndarray, covariance: np.ndarray) -> float:
    one, two = np.triu_indices(len(values), 1)
    if not len(one):
        return 0.5
    variance = covariance[one, one] + covariance[two, two] - 2 * covariance[one, two]
    return float(ndtr(np.abs(values[one] - values[two]) / np.sqrt(np.maximum(variance, 1e-12))).mean())
