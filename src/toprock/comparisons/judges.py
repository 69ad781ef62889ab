"""How far judges agree with themselves and with each other.

Two answers to one pair differ by 0 where they are the same, by 1 where they name opposite winners, and by 1/2 where one
of them is a tie. Agreement is 1 minus that: a tie beside a winner counts as half agreed.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations, pairwise
from statistics import mean, median

import numpy as np

from toprock.comparisons.pairs import Pair

Couple = tuple[str, str]

_NORMAL = 1.959963984540054
"""A standard normal variable lies within +- this with a chance of 95 %."""


@dataclass(frozen=True)
class Share:
    """A share of answers that agree.

    Attributes:
        value: 0 to 1; NaN where there is none to compare.
        low, high: 95 % interval (Wilson, Journal of the American Statistical Association 22, 1927), as if pairs were
            independent; NaN where there is none. Where ties count half it is a little too wide.
        count: how many pairs (for repeats: second showings) it is a mean of.
    """

    value: float
    low: float
    high: float
    count: int

    @staticmethod
    def of(agreements: Sequence[float]) -> Share:
        """Of agreements between 0 and 1, one a pair.

        >>> share = Share.of([1, 1, 1, 0.5])
        >>> print(f"{share.value:.2f} ({share.low:.2f} to {share.high:.2f}) of {share.count}")
        0.88 (0.40 to 0.99) of 4
        """
        n = len(agreements)
        if not n:
            return Share(math.nan, math.nan, math.nan, 0)
        value, z = float(mean(agreements)), _NORMAL**2 / n
        middle = (value + z / 2) / (1 + z)
        half = math.sqrt(value * (1 - value) * z + z**2 / 4) / (1 + z)
        return Share(value, max(middle - half, 0.0), min(middle + half, 1.0), n)


@dataclass(frozen=True)
class Judge:
    """One annotator.

    Attributes:
        annotator: the name, as in the pairs.
        judgements: how many, repeats included.
        ties: how many of them are ties.
        seconds: median time of a judgement in seconds; None where none is given.
        itself: agreement of answers to a pair shown again with the answer before.
        others: agreement with the other annotators, on pairs that both judged. A pair that several others judged counts
            once, with its mean.
    """

    annotator: str
    judgements: int
    ties: int
    seconds: float | None
    itself: Share
    others: Share


@dataclass(frozen=True)
class Agreement:
    """How far judges agree.

    Attributes:
        judges: one entry an annotator, by name.
        couples: (annotator, annotator) -> agreement on the pairs that both judged; couples that share none are absent.
        alpha: Krippendorff's alpha: 1 is full agreement, 0 what chance would give; NaN where no pair has two judges, or
            where all of those are ties.
        low, high: its 95 % interval, by bootstrap over performances; NaN where it cannot be had.
        pairs: how many pairs have at least two judges.
    """

    judges: list[Judge]
    couples: dict[Couple, Share]
    alpha: float
    low: float
    high: float
    pairs: int


def judges_agreement(pairs: Sequence[Pair], *, resamples: int = 1000, seed: int = 0) -> Agreement:
    """Measure agreement of annotators with themselves and with each other.

    Between annotators each one's first answer to a pair counts. Alpha is that of Krippendorff, "Content Analysis" (3rd
    edition, 2013, chapter 12) with the difference told above; each pair is entered from both sides, so that it does not
    matter which of two performances is named first. Agreement is about the pairs that were asked: where those are close
    calls, as pairing chooses them, it is lower than on any two performances.

    Args:
        pairs: judgements in the order in which they were made. `extra["seconds"]`, where it is a number, is how long
            one took.
        resamples: of the bootstrap.
        seed: of the bootstrap.

    >>> both = [Pair("a", "b"), Pair("b", "c"), Pair("a", "c")]
    >>> judged = [Pair(p.better, p.worse, annotator=who) for p in both for who in ("ann", "bob")]
    >>> found = judges_agreement([*judged, Pair("b", "a", annotator="ann")])
    >>> found.alpha, found.couples["ann", "bob"].value, found.judges[0].itself.value
    (1.0, 1.0, 0.0)
    """
    answers: dict[str, dict[Couple, list[float]]] = {}
    for p in pairs:
        couple, answer = _answer(p)
        answers.setdefault(p.annotator, {}).setdefault(couple, []).append(answer)
    first = {who: {couple: given[0] for couple, given in own.items()} for who, own in answers.items()}
    couples = {}
    for a, b in combinations(sorted(first), 2):
        shared = [_alike(first[a][couple], first[b][couple]) for couple in first[a] if couple in first[b]]
        if shared:
            couples[a, b] = Share.of(shared)
    units: dict[Couple, list[float]] = {}
    for own in first.values():
        for couple, answer in own.items():
            units.setdefault(couple, []).append(answer)
    units = {couple: given for couple, given in units.items() if len(given) > 1}
    judges = [_judge(who, answers[who], first, pairs) for who in sorted(answers)]
    return Agreement(judges, couples, *_alpha(units, resamples, seed), len(units))


def _answer(pair: Pair) -> tuple[Couple, float]:
    """The couple, sorted, and 1 where its first was called better, -1 where its second was, 0 in a tie."""
    couple = (min(pair.better, pair.worse), max(pair.better, pair.worse))
    return couple, 0.0 if pair.tie else 1.0 if pair.better == couple[0] else -1.0


def _alike(one: float, two: float) -> float:
    return 1 - abs(one - two) / 2


def _judge(
    who: str, own: Mapping[Couple, Sequence[float]], first: Mapping[str, Mapping[Couple, float]], pairs: Sequence[Pair]
) -> Judge:
    mine = [p for p in pairs if p.annotator == who]
    again = [_alike(a, b) for given in own.values() for a, b in pairwise(given)]
    beside = []
    for couple, answer in first[who].items():
        others = [_alike(answer, theirs[couple]) for name, theirs in first.items() if name != who and couple in theirs]
        if others:
            beside.append(mean(others))
    seconds = [s for p in mine if (s := _seconds(p)) is not None]
    return Judge(
        who,
        len(mine),
        sum(p.tie for p in mine),
        median(seconds) if seconds else None,
        Share.of(again),
        Share.of(beside),
    )


def _seconds(pair: Pair) -> float | None:
    try:
        seconds = float(pair.extra.get("seconds", ""))
    except ValueError:
        return None
    return seconds if math.isfinite(seconds) else None


def _alpha(units: Mapping[Couple, Sequence[float]], resamples: int, seed: int) -> tuple[float, float, float]:
    """Alpha, and its interval by drawing performances: a pair counts as often as both of its were drawn together."""
    if not units:
        return (math.nan, math.nan, math.nan)
    answers = np.array([len(given) for given in units.values()], dtype=float)
    ties = np.array([sum(answer == 0 for answer in given) for given in units.values()], dtype=float)
    apart = np.array([sum(abs(a - b) for a, b in combinations(given, 2)) for given in units.values()]) / (answers - 1)
    place = {ident: i for i, ident in enumerate(sorted({ident for couple in units for ident in couple}))}
    one, two = (np.array([place[couple[side]] for couple in units]) for side in (0, 1))
    figures = np.stack([2 * answers, 2 * ties, 2 * apart], axis=1)
    sums = [figures.sum(0)]
    rng = np.random.default_rng(seed)
    for _ in range(resamples):
        drawn = rng.multinomial(len(place), np.full(len(place), 1 / len(place)))
        sums.append((drawn[one] * drawn[two]) @ figures)
    # Each answer is entered from both sides; any two of all of them differ by what chance would give.
    total, tied, different = np.array(sums).T
    with np.errstate(invalid="ignore", divide="ignore"):
        expected = (total**2 - tied**2) / (2 * total * (total - 1))
        alpha = np.where(expected > 0, 1 - different / total / expected, np.nan)
    usable = alpha[1:][np.isfinite(alpha[1:])]
    low, high = np.quantile(usable, [0.025, 0.975]) if len(usable) else (math.nan, math.nan)
    return float(alpha[0]), float(low), float(high)
