"""Standings: what all judgments of a criterion come to, how sure that is, and how far judges agree."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from statistics import median
from weakref import WeakKeyDictionary

import numpy as np
from scipy.special import ndtr, ndtri
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from toprock.comparisons import Judge, Pair, Rating, Share, check_consistency, judges_agreement, rate
from toprock.library import catalogue, models, tables
from toprock.library.desk import desk, signature_of
from toprock.library.judgments import judged_pairs
from toprock.library.library import Library

_RESAMPLES = 300
HASTY_S, HASTY_SHARE = 1.0, 0.1
"""A median answer below so many seconds, or so much of the performances' median length, is faster than they play."""
LEVEL = 0.9
"""Of intervals, and how sure it must be that one is before another for their ranks to differ."""


@dataclass(frozen=True)
class Place:
    """Where a performance stands.

    Attributes:
        key, name, title: of the performance.
        rating, error: log-odds against an average one of its group, and the standard error.
        low, high: the interval of the rating.
        wins, losses, ties: comparisons.
        first, last: ranks that it may have; the same where the errors leave no doubt.
        assessment: what the chosen model says, where it does.
    """

    key: str
    name: str
    title: str
    rating: float
    error: float
    low: float
    high: float
    wins: int
    losses: int
    ties: int
    first: int
    last: int
    assessment: tables.Assessment | None

    @property
    def rank(self) -> str:
        """As it is shown: 2, or 2–4."""
        return f"{self.first}" if self.first == self.last else f"{self.first}–{self.last}"


@dataclass(frozen=True)
class Group:
    """Performances that comparisons connect, the best first; ratings of two groups cannot be set against each other.

    `lead` is the chance that the first one is better than the second.
    """

    places: Sequence[Place]
    lead: float

    @property
    def comparisons(self) -> int:
        """How many there are in it."""
        return sum(place.wins + place.losses + place.ties for place in self.places) // 2


@dataclass(frozen=True)
class Standings:
    """What all judgments of a criterion come to.

    Attributes:
        criterion: empty is the performance as a whole.
        comparisons: how many, hidden repeats not counted.
        groups: connected performances, the largest group first.
        unjudged: key and title of performances without a comparison.
        contradictions: titles of two that were judged both ways.
        cycles: titles of performances that beat each other in a ring.
        between, within: agreement of two judges on one pair, and of judges with themselves on hidden repeats.
        alpha: agreement of judges beyond chance (Krippendorff) with its interval; None where that cannot be told.
        judges: everybody who judged, the busiest first.
        hasty: annotators whose median answer came before the videos can have shown much.
        settled: the chance that the standings have two performances the right way round.
        model: name of the chosen model; empty where there is none.
    """

    criterion: str
    comparisons: int
    groups: Sequence[Group]
    unjudged: Sequence[tuple[str, str]]
    contradictions: Sequence[Sequence[str]]
    cycles: Sequence[Sequence[str]]
    between: Share | None
    within: Share | None
    alpha: tuple[float, float, float] | None
    judges: Sequence[Judge]
    hasty: Sequence[str]
    settled: float
    model: str


@dataclass
class _Kept:
    """The standings of a library by criterion, each with what they follow from."""

    found: dict[str, tuple[tuple[object, ...], Standings]] = field(default_factory=dict)
    making: threading.Lock = field(default_factory=threading.Lock)


_MOST_KEPT = 16
_kept: WeakKeyDictionary[Library, _Kept] = WeakKeyDictionary()
_kept_guard = threading.Lock()


def standings(library: Library, criterion: str = "") -> Standings:
    """The standings by a criterion, as things are now; worked out anew when something that they show has changed."""
    with _kept_guard:
        kept = _kept.setdefault(library, _Kept())
    mark = _mark(library, criterion)
    known = kept.found.get(criterion)
    if known is not None and known[0] == mark:
        return known[1]
    with kept.making:
        mark = _mark(library, criterion)  # before it is worked out: what comes meanwhile changes the next mark
        known = kept.found.get(criterion)
        if known is None or known[0] != mark:
            if len(kept.found) >= _MOST_KEPT:
                kept.found.clear()
            known = kept.found[criterion] = (mark, _worked_out(library, criterion))
        return known[1]


def _mark(library: Library, criterion: str) -> tuple[object, ...]:
    """Changes with every judgment, performance, name and score."""
    p = tables.Performance
    people = select(p.key, p.name, p.performer, p.state).order_by(p.key)
    scores = select(func.count(), func.max(tables.Assessment.created))
    with library.read() as session:
        model = models.chosen(session)
        of_model = tables.Assessment.model_key == (model.key if model else "")
        return (
            signature_of(session, criterion),
            hash(tuple(map(tuple, session.execute(people)))),
            (model.key, model.name) if model else None,
            tuple(session.execute(scores.where(of_model)).one()),
        )


def _worked_out(library: Library, criterion: str) -> Standings:
    known = desk(library, criterion, fresh=True)
    with library.read() as session:
        found = judged_pairs(session, criterion=criterion, repeats=True)
        rows = {row.key: row for row in session.scalars(select(tables.Performance))}
        model = models.chosen(session)
        said = _assessments(session, model.key if model else "")
    titles = _titles(list(rows.values()))
    pairs = [_under_keys(judgment, pair) for judgment, pair in found]
    first = [pair for (judgment, _), pair in zip(found, pairs, strict=True) if judgment.repeat_of is None]
    groups = _groups(first, rows, titles, said)
    placed = {place.key for group in groups for place in group.places}
    consistency = check_consistency(first)
    agreement = judges_agreement(pairs, resamples=_RESAMPLES)
    return Standings(
        criterion=criterion,
        comparisons=len(first),
        groups=groups,
        unjudged=[(key, titles[key]) for key, row in rows.items() if key not in placed and row.state != "failed"],
        contradictions=sorted(sorted((titles[a], titles[b])) for a, b in consistency.contradictions),
        cycles=sorted(_from_the_first([titles[key] for key in cycle]) for cycle in consistency.cycles),
        between=_pooled(agreement.couples.values()),
        within=_pooled(judge.itself for judge in agreement.judges),
        alpha=(agreement.alpha, agreement.low, agreement.high) if np.isfinite(agreement.low) else None,
        judges=sorted(agreement.judges, key=lambda judge: (-judge.judgements, judge.annotator)),
        hasty=_hasty(agreement.judges, [rows[key] for key in {*placed}]),
        settled=known.settled,
        model=model.name if model else "",
    )


def _hasty(judges: Sequence[Judge], rows: Sequence[tables.Performance]) -> list[str]:
    """Those who answer faster than the videos play: by their median answer, and the performances' median length."""
    lengths = [length for row in rows if (length := catalogue.length_s(row))]
    least_s = max(HASTY_S, HASTY_SHARE * median(lengths)) if lengths else HASTY_S
    return sorted(judge.annotator for judge in judges if judge.seconds is not None and judge.seconds < least_s)


def _from_the_first(ring: list[str]) -> list[str]:
    """The same ring, told from the name that comes first."""
    at = ring.index(min(ring))
    return ring[at:] + ring[:at]


def _under_keys(judgment: tables.Judgment, pair: Pair) -> Pair:
    better, worse = (judgment.left, judgment.right)[:: -1 if judgment.outcome == "right" else 1]
    seconds = {} if judgment.seconds is None else {"seconds": str(judgment.seconds)}
    return replace(pair, better=better, worse=worse, extra=seconds)


def _titles(rows: Sequence[tables.Performance]) -> dict[str, str]:
    """What people call each; those of one performer are told apart by their names."""
    times = Counter(row.title for row in rows)
    return {row.key: row.title if times[row.title] == 1 else f"{row.title} ({row.name})" for row in rows}


def _assessments(session: Session, model_key: str) -> dict[str, tables.Assessment]:
    query = select(tables.Assessment).where(tables.Assessment.model_key == model_key)
    return {found.performance_key: found for found in session.scalars(query)} if model_key else {}


def _groups(
    pairs: Sequence[Pair],
    rows: Mapping[str, tables.Performance],
    titles: Mapping[str, str],
    said: Mapping[str, tables.Assessment],
) -> list[Group]:
    """Connected performances, each group by itself; `pairs` are the judgments under keys."""
    ratings = rate(pairs)
    number = {key: at for at, key in enumerate(ratings.standings)}
    groups = []
    for keys in ratings.parts:
        inside = np.array([number[key] for key in keys])
        values = np.array([ratings.standings[key].value for key in keys])
        covariance = ratings.covariance[np.ix_(inside, inside)]
        own = np.diag(covariance)
        spread = np.sqrt(np.maximum(own[:, None] + own - 2 * covariance, 1e-12))
        better = ndtr((values[:, None] - values) / spread)
        surely = better > (1 + LEVEL) / 2
        np.fill_diagonal(surely, False)
        order = np.argsort(-values, kind="stable").tolist()
        places = [
            _place(
                rows[keys[i]],
                titles[keys[i]],
                ratings.standings[keys[i]],
                (1 + int(surely[:, i].sum()), len(keys) - int(surely[i].sum())),
                said.get(keys[i]),
            )
            for i in order
        ]
        groups.append(Group(places, float(better[order[0], order[1]])))
    return sorted(groups, key=lambda group: (-len(group.places), -group.comparisons, group.places[0].name))


def _place(
    row: tables.Performance,
    title: str,
    rating: Rating,
    ranks: tuple[int, int],
    assessment: tables.Assessment | None,
) -> Place:
    reach = float(ndtri((1 + LEVEL) / 2)) * rating.error
    return Place(
        key=row.key,
        name=row.name,
        title=title,
        rating=rating.value,
        error=rating.error,
        low=rating.value - reach,
        high=rating.value + reach,
        wins=rating.wins,
        losses=rating.losses,
        ties=rating.ties,
        first=ranks[0],
        last=ranks[1],
        assessment=assessment,
    )


def _pooled(shares: Iterable[Share]) -> Share | None:
    """One share of several; None where none of them has a case."""
    found = Share.of([share.value for share in shares if share.count for _ in range(share.count)])
    return found if found.count else None
