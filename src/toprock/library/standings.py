"""Standings: what all judgments of a criterion come to, how sure that is, and how far judges agree."""

from __future__ import annotations

import statistics
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.special import ndtr, ndtri
from sqlalchemy import select
from sqlalchemy.orm import Session

from toprock.comparisons import check_consistency
from toprock.library import models, tables
from toprock.library.desk import couple, desk
from toprock.library.judgments import judged_pairs
from toprock.library.library import Library
from toprock.library.strength import strength

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


@dataclass(frozen=True)
class Share:
    """A share of `count` cases, with its interval."""

    share: float
    low: float
    high: float
    count: int


@dataclass(frozen=True)
class Judge:
    """An annotator: comparisons, median seconds, and agreement with others and with themselves."""

    name: str
    count: int
    seconds: float | None
    others: Share | None
    own: Share | None


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
        judges: everybody who judged.
        settled: the chance that the standings have two performances the right way round.
        model: name of the chosen model; empty where there is none.
    """

    criterion: str
    comparisons: int
    groups: Sequence[Group]
    unjudged: Sequence[tuple[str, str]]
    contradictions: Sequence[tuple[str, str]]
    cycles: Sequence[Sequence[str]]
    between: Share | None
    within: Share | None
    judges: Sequence[Judge]
    settled: float
    model: str


def standings(library: Library, criterion: str = "") -> Standings:
    """The standings by a criterion, as things are now."""
    known = desk(library, criterion, fresh=True)
    with library.read() as session:
        found = judged_pairs(session, criterion=criterion, repeats=True)
        rows = {
            row.key: row
            for row in session.scalars(select(tables.Performance).where(tables.Performance.state != "failed"))
        }
        model = models.chosen(session)
        said = _assessments(session, model.key if model else "")
    first = [(judgment, pair) for judgment, pair in found if judgment.repeat_of is None]
    judged = [judgment for judgment, _ in first]
    titles = _titles(list(rows.values()))
    names = {row.name: titles[key] for key, row in rows.items()}
    consistency = check_consistency([pair for _, pair in first])
    groups = _groups(judged, rows, titles, said)
    placed = {place.key for group in groups for place in group.places}
    return Standings(
        criterion=criterion,
        comparisons=len(first),
        groups=groups,
        unjudged=[(key, titles[key]) for key in rows if key not in placed],
        contradictions=[(names.get(a, a), names.get(b, b)) for a, b in consistency.contradictions],
        cycles=[[names.get(name, name) for name in cycle] for cycle in consistency.cycles],
        between=_between(judged),
        within=_within([judgment for judgment, _ in found]),
        judges=_judges([judgment for judgment, _ in found]),
        settled=known.settled,
        model=model.name if model else "",
    )


def _titles(rows: Sequence[tables.Performance]) -> dict[str, str]:
    """What people call each; those of one performer are told apart by their names."""
    times: dict[str, int] = defaultdict(int)
    for row in rows:
        times[row.title] += 1
    return {row.key: row.title if times[row.title] == 1 else f"{row.title} ({row.name})" for row in rows}


def _assessments(session: Session, model_key: str) -> dict[str, tables.Assessment]:
    query = select(tables.Assessment).where(tables.Assessment.model_key == model_key)
    return {found.performance_key: found for found in session.scalars(query)} if model_key else {}


def _groups(
    judged: Sequence[tables.Judgment],
    rows: Mapping[str, tables.Performance],
    titles: Mapping[str, str],
    said: Mapping[str, tables.Assessment],
) -> list[Group]:
    """Connected performances, each group rated by itself."""
    members: dict[str, set[str]] = {}
    for one in judged:
        joined = members.get(one.left, {one.left}) | members.get(one.right, {one.right})
        for key in joined:
            members[key] = joined
    groups = []
    for keys in {id(group): group for group in members.values()}.values():
        inside = [one for one in judged if one.left in keys and one.left in rows and one.right in rows]
        if inside:
            groups.append(_group(inside, rows, titles, said))
    return sorted(groups, key=lambda group: -len(group.places))


def _group(
    judged: Sequence[tables.Judgment],
    rows: Mapping[str, tables.Performance],
    titles: Mapping[str, str],
    said: Mapping[str, tables.Assessment],
) -> Group:
    keys = sorted({key for one in judged for key in (one.left, one.right)})
    found = strength({key: number for number, key in enumerate(keys)}, judged)
    n, rating = len(keys), found.rating - found.rating.mean()
    centre = np.eye(n) - 1 / n
    error = np.sqrt(np.diag(centre @ found.covariance @ centre))
    better = ndtr(found.gap / found.spread)
    surely = better > (1 + LEVEL) / 2
    results = _results(judged)
    reach = float(ndtri((1 + LEVEL) / 2))
    order = np.argsort(-rating, kind="stable")
    places = [
        Place(
            key=keys[i],
            name=rows[keys[i]].name,
            title=titles[keys[i]],
            rating=float(rating[i]),
            error=float(error[i]),
            low=float(rating[i] - reach * error[i]),
            high=float(rating[i] + reach * error[i]),
            wins=results[keys[i]][0],
            losses=results[keys[i]][1],
            ties=results[keys[i]][2],
            first=1 + int(surely[:, i].sum()),
            last=n - int(surely[i].sum()),
            assessment=said.get(keys[i]),
        )
        for i in order.tolist()
    ]
    return Group(places, float(better[order[0], order[1]]))


def _results(judged: Sequence[tables.Judgment]) -> dict[str, list[int]]:
    """Key -> wins, losses, ties."""
    results: dict[str, list[int]] = defaultdict(lambda: [0, 0, 0])
    for one in judged:
        for key, won in ((one.left, "left"), (one.right, "right")):
            results[key][2 if one.outcome == "tie" else 0 if one.outcome == won else 1] += 1
    return results


def _better(one: Any) -> str:
    """The key of the better one; empty for a tie."""
    return {"left": one.left, "right": one.right}.get(one.outcome, "")


def _alike(a: str, b: str) -> float:
    """1 where two say the same, a half where one of them says equal."""
    return 1.0 if a == b else 0.5 if not a or not b else 0.0


def _share(alike: Sequence[float]) -> Share | None:
    """Their mean with Wilson's interval; None where there is no case."""
    if not alike:
        return None
    n, p, z = len(alike), sum(alike) / len(alike), float(ndtri((1 + LEVEL) / 2))
    centre, reach = (p + z * z / (2 * n)), z * ((p * (1 - p) + z * z / (4 * n)) / n) ** 0.5
    return Share(p, max(0.0, (centre - reach) / (1 + z * z / n)), min(1.0, (centre + reach) / (1 + z * z / n)), n)


def _shared(judged: Sequence[tables.Judgment]) -> list[tuple[str, str, float]]:
    """Every two judges of one pair, and whether they say the same."""
    by_pair: dict[tuple[str, str], list[tables.Judgment]] = defaultdict(list)
    for one in judged:
        by_pair[couple(one.left, one.right)].append(one)
    return [
        (a.annotator, b.annotator, _alike(_better(a), _better(b)))
        for same in by_pair.values()
        for number, a in enumerate(same)
        for b in same[:number]
        if a.annotator != b.annotator
    ]


def _between(judged: Sequence[tables.Judgment]) -> Share | None:
    return _share([alike for _, _, alike in _shared(judged)])


def _repeated(judged: Sequence[tables.Judgment]) -> list[tuple[str, float]]:
    """Every hidden repeat: whose, and whether they said the same again."""
    by_id = {one.id: one for one in judged}
    return [
        (one.annotator, _alike(_better(one), _better(by_id[one.repeat_of])))
        for one in judged
        if one.repeat_of is not None and one.repeat_of in by_id
    ]


def _within(judged: Sequence[tables.Judgment]) -> Share | None:
    return _share([alike for _, alike in _repeated(judged)])


def _judges(judged: Sequence[tables.Judgment]) -> list[Judge]:
    shared = _shared([one for one in judged if one.repeat_of is None])
    repeated = _repeated(judged)
    by: dict[str, list[tables.Judgment]] = defaultdict(list)
    for one in judged:
        by[one.annotator].append(one)
    judges = []
    for name, own in by.items():
        seconds = [one.seconds for one in own if one.seconds is not None]
        judges.append(
            Judge(
                name,
                len(own),
                statistics.median(seconds) if seconds else None,
                _share([alike for a, b, alike in shared if name in (a, b)]),
                _share([alike for who, alike in repeated if who == name]),
            )
        )
    return sorted(judges, key=lambda judge: (-judge.count, judge.name))
