"""Whether a performance is like those that a model has learnt from: its features, its length, its pictures.

A ranker gives a number for anything. Outside what it has seen, nothing said about its scores holds: that is told first.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from toprock.backbones.base import STREAM_WORDS, STREAMS, Stream

Kind = Literal["unlike", "length", "stream missing", "black", "frozen", "cuts", "coverage"]

_ENOUGH = 99
"""From so many training performances on, the limit is their 99th percentile; below, their largest and a quarter."""
_ROOM = 1.25
"""Lengths and cut rates may leave the range of the training ones by this factor."""
_LEAST = 0.05  # spreads: nobody is nearer than that by their nature
_SHARE = 0.2
"""Share of the time from which on black, frozen or unseen parts are told."""


@dataclass(frozen=True)
class Caution:
    """Something that makes a score less worth than it looks.

    Attributes:
        kind: what it is.
        text: a sentence of measured quantities.
        share: of the performance (0 to 1) that it concerns, where it is a share.
    """

    kind: Kind
    text: str
    share: float | None = None

    def to_json(self) -> dict[str, Any]:
        """The documented JSON object."""
        return {"kind": self.kind, "text": self.text, "share": self.share}


class Domain(BaseModel):
    """What the training performances were like.

    Attributes:
        limits: stream -> how unlike the training performances a performance may be; see `unlikeness`.
        length_s: shortest and longest, where known.
        cuts_per_minute: of the one with most, where known.
        coverage: stream -> least share of the time that segments spoke for.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    limits: dict[Stream, float] = Field(default_factory=dict)
    length_s: tuple[float, float] | None = None
    cuts_per_minute: float | None = None
    coverage: dict[Stream, float] = Field(default_factory=dict)

    def cautions(self, seen: Seen, streams: Iterable[Stream]) -> tuple[Caution, ...]:
        """What is unlike the training performances, the gravest first.

        Args:
            seen: of the performance.
            streams: that the model looks at.
        """
        found = [*self._streams(seen, streams), *self._length(seen), *self._pictures(seen.facts), *self._coverage(seen)]
        return tuple(found)

    def _streams(self, seen: Seen, streams: Iterable[Stream]) -> list[Caution]:
        found = []
        for stream in sorted(streams):
            if stream not in seen.unlikeness:
                text = f"It has no {stream} stream: it is judged by {' and '.join(seen.unlikeness)} evidence alone."
                found.append(Caution("stream missing", text, 1.0))
            elif seen.unlikeness[stream] > self.limits.get(stream, math.inf):
                times = seen.unlikeness[stream] / self.limits[stream]
                text = f"Its {STREAM_WORDS[stream]} is unlike the training performances"
                found.append(Caution("unlike", f"{text}: {times:.2f} times as far from their middle as they reach."))
        return found

    def _length(self, seen: Seen) -> list[Caution]:
        if self.length_s is None or seen.length_s is None:
            return []
        low, high = self.length_s
        if low / _ROOM <= seen.length_s <= high * _ROOM:
            return []
        than = "shorter" if seen.length_s < low else "longer"
        span = f"{low:.0f} to {high:.0f} s" if round(low) != round(high) else f"{low:.0f} s"
        return [Caution("length", f"It is {seen.length_s:.0f} s long, {than} than the training performances ({span}).")]

    def _pictures(self, facts: Mapping[str, float | None]) -> list[Caution]:
        found = []
        for kind in ("black", "frozen"):
            share = facts.get(f"{kind}_share")
            if share is not None and share >= _SHARE:
                name: Kind = "black" if kind == "black" else "frozen"
                what = "black" if kind == "black" else "frozen: the same picture for a second or more"
                found.append(Caution(name, f"{share:.0%} of its pictures are {what}.", share))
        cuts, length_s = facts.get("cuts"), facts.get("duration_s")
        if self.cuts_per_minute is not None and cuts and length_s:
            rate = 60 * cuts / length_s
            if rate > max(_ROOM * self.cuts_per_minute, self.cuts_per_minute + 2):
                most = f"the training performances at most {self.cuts_per_minute:.0f}"
                found.append(Caution("cuts", f"It is cut {rate:.0f} times a minute, {most}."))
        return found

    def _coverage(self, seen: Seen) -> list[Caution]:
        found = []
        for stream, share in seen.coverage.items():
            if stream in self.coverage and share < min(1 - _SHARE, 0.9 * self.coverage[stream]):
                text = f"Only {share:.0%} of its time could be looked at in the {stream} stream."
                found.append(Caution("coverage", text, share))
        return found


@dataclass(frozen=True)
class Seen:
    """What is measured of one performance for its domain check.

    Attributes:
        unlikeness: stream -> see `unlikeness`; a stream without segments is absent.
        coverage: stream -> share of the time (0 to 1) that its segments speak for.
        length_s: where known.
        facts: what extraction measured.
    """

    unlikeness: Mapping[Stream, float]
    coverage: Mapping[Stream, float]
    length_s: float | None
    facts: Mapping[str, float | None]


def unlikeness(x: np.ndarray, mean: np.ndarray, spread: np.ndarray) -> float:
    """How far a performance's mean segment lies from that of the training: root mean square over features.

    Args:
        x: (T, D) features.
        mean, spread: (D,) of the training segments; features with an infinite spread never varied and do not count.

    >>> unlikeness(np.ones((4, 2)), np.zeros(2), np.ones(2))
    1.0
    """
    return _away(x.astype(np.float64).mean(0), mean, spread)


def _away(middle: np.ndarray, mean: np.ndarray, spread: np.ndarray) -> float:
    away = (middle - mean) / spread
    counted = np.isfinite(spread)
    return float(np.sqrt(np.mean(away[counted] ** 2))) if counted.any() else 0.0


def typical_segment(rows: Iterable[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """Mean and standard deviation (D,) of the segments (T, D) of performances; infinite where a feature never varies.

    Sums are taken in float64, one performance after the other: `rows` is gone through twice, and not kept.

    >>> typical_segment([np.array([[0.0, 3.0]]), np.array([[2.0, 3.0]])])
    (array([1., 3.]), array([ 1., inf]))
    """
    total, count = _totals(rows)
    mean = total / count
    square = sum(((x - mean) ** 2).sum(0) for x in rows) / count
    spread = np.sqrt(square)
    return np.asarray(mean), np.where(spread > 1e-4, spread, np.inf)


def _totals(rows: Iterable[np.ndarray]) -> tuple[np.ndarray, int]:
    """Sum (D,) of the segments (T, D) of performances, and how many they are."""
    total, count = np.zeros(()), 0
    for x in rows:
        total, count = total + x.sum(0, dtype=np.float64), count + len(x)
    return total, count


def coverage(times: np.ndarray, length_s: float | None) -> float:
    """Share of the time that segments (T, 2) in seconds speak for; 1 where the length is not known.

    >>> coverage(np.array([[0.0, 2.0], [1.0, 3.0]]), 6.0)
    0.5
    """
    if not length_s or not len(times):
        return 1.0 if len(times) else 0.0
    order = times[np.argsort(times[:, 0])]
    reached = np.maximum.accumulate(order[:, 1])
    fresh = np.maximum(order[:, 0], np.concatenate([[-np.inf], reached[:-1]]))
    return float(min(1.0, np.clip(reached - fresh, 0, None).sum() / length_s))


def fit_domain(
    features: Sequence[Mapping[Stream, np.ndarray]], groups: Sequence[str], measured: Sequence[Seen]
) -> Domain:
    """What the training performances are like, each measured against those of other performers.

    Args:
        features: (T, D) a stream of each training performance.
        groups: its performer.
        measured: lengths, coverage and facts of each; their `unlikeness` is not looked at.
    """
    limits = {}
    for stream in STREAMS:
        there = [(x, g) for x, g in zip(features, groups, strict=True) if len(x.get(stream, ()))]
        if len(there) > 1:
            limits[stream] = _limit(Column([x for x, _ in there], stream), [g for _, g in there])
    lengths = [seen.length_s for seen in measured if seen.length_s]
    known = [seen.facts for seen in measured if seen.facts.get("duration_s") and seen.facts.get("cuts") is not None]
    rates = [60 * (f["cuts"] or 0.0) / (f["duration_s"] or 1.0) for f in known]
    covered: dict[Stream, list[float]] = {}
    for seen in measured:
        for stream, share in seen.coverage.items():
            covered.setdefault(stream, []).append(share)
    return Domain(
        limits=limits,
        length_s=(min(lengths), max(lengths)) if lengths else None,
        cuts_per_minute=max(rates) if len(rates) == len(measured) else None,
        coverage={stream: min(shares) for stream, shares in covered.items()},
    )


@dataclass(frozen=True)
class Column:
    """One stream of performances that all have it, each looked up when it is come to."""

    performances: Sequence[Mapping[Stream, np.ndarray]]
    stream: Stream

    def __iter__(self) -> Iterator[np.ndarray]:
        return (performance[self.stream] for performance in self.performances)


def _limit(rows: Column, groups: Sequence[str]) -> float:
    """How unlike those of other performers a training performance is, at the most that is usual.

    Where one performer did all, unlike the other performances.
    """
    names = list(groups) if len(set(groups)) > 1 else [str(row) for row in range(len(groups))]
    total, count = _totals(rows)
    _, spread = typical_segment(rows)
    by_group: dict[str, list[Mapping[Stream, np.ndarray]]] = {}
    for performance, name in zip(rows.performances, names, strict=True):
        by_group.setdefault(name, []).append(performance)
    away = []
    for own in by_group.values():
        sums = [(x.sum(0, dtype=np.float64), len(x)) for x in Column(own, rows.stream)]
        mean = (total - sum(s for s, _ in sums)) / (count - sum(n for _, n in sums))
        away += [_away(s / n, mean, spread) for s, n in sums]
    values = np.sort(away)
    if len(values) >= _ENOUGH:
        return max(_LEAST, float(values[min(len(values) - 1, math.ceil(0.99 * (len(values) + 1)) - 1)]))
    return max(_LEAST, float(_ROOM * values[-1]))
