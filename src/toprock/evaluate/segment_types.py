"""Attention and contribution by type of segment: which branch looks at what, and what it makes of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from toprock.assess.assessment import BRANCHES, Branch, SegmentEvidence
from toprock.assess.evidence import EvidenceCurve
from toprock.backbones.base import STREAMS, Stream
from toprock.errors import ManifestError
from toprock.evaluate.moments import read_spans
from toprock.features.extraction import merged

Interval = tuple[float, float]
_DRAWS = 2000


@dataclass(frozen=True)
class TypedSpan:
    """A span of a performance that somebody gave a type, such as toprock, footwork or power move."""

    id: str
    start_s: float
    end_s: float
    type: str


def read_segments(path: str | Path) -> list[TypedSpan]:
    """Read typed segments: CSV with columns id (or video), start_s, end_s, type; a type is any text.

    Raises:
        ManifestError: a column is missing or a value makes no sense.
    """
    path = Path(path)
    spans = []
    for number, row, ident, start_s, end_s in read_spans(path, "type"):
        if not row["type"]:
            raise ManifestError(f"{path}, line {number}: has no type", advice="Name one, such as footwork.")
        spans.append(TypedSpan(ident, start_s, end_s, row["type"]))
    if not spans:
        raise ManifestError(f"{path}: holds no segment", advice="Add a line for each below the header.")
    return spans


@dataclass(frozen=True)
class TypeFigures:
    """What one branch of one stream does on the segments of one type, over performances.

    Attributes:
        type, stream, branch: whose figures.
        attention: share of the branch's attention over the share of an even one: 1 is even, 2 is twice as much
            as even. The average branch is even by definition.
        contribution_per_s: mean per second; above 0 is better than typical.
        attention_interval, contribution_interval: 95 % by bootstrap over performances; None where there is one.
        spans, performances: how many hold some of the stream's time.
        seconds: of the stream's time, in all.
    """

    type: str
    stream: Stream
    branch: Branch
    attention: float
    attention_interval: Interval | None
    contribution_per_s: float
    contribution_interval: Interval | None
    spans: int
    performances: int
    seconds: float

    def to_json(self) -> dict[str, Any]:
        """The documented JSON object."""
        return {
            "type": self.type,
            "stream": self.stream,
            "branch": self.branch,
            "attention": self.attention,
            "attention_interval": self.attention_interval,
            "contribution_per_s": self.contribution_per_s,
            "contribution_per_s_interval": self.contribution_interval,
            "spans": self.spans,
            "performances": self.performances,
            "seconds": self.seconds,
        }


def segment_types(
    evidence: Mapping[str, Sequence[SegmentEvidence]], spans: Sequence[TypedSpan], *, seed: int = 0
) -> list[TypeFigures]:
    """Attention and contribution of every type, stream and branch.

    Each segment's attention and contribution are spread evenly over its time. Both figures are ratios of sums over
    performances, so that a performance counts by how much of the type it holds.

    Args:
        evidence: id -> segments, with the contributions of all branches.
        spans: of these performances; those of a type may overlap, and no time counts twice.
        seed: of the bootstrap.

    >>> parts = [SegmentEvidence("static", t, t + 1.0, {"high": t, "low": 0, "average": 0}, t, 0.5) for t in (0.0, 1.0)]
    >>> segment_types({"a": parts}, [TypedSpan("a", 1.0, 2.0, "freeze")])[0].attention
    2.0
    """
    by_type: dict[str, dict[str, list[Interval]]] = {}
    for span in spans:
        by_type.setdefault(span.type, {}).setdefault(span.id, []).append((span.start_s, span.end_s))
    rows = []
    for stream in STREAMS:
        parts = {ident: [s for s in segments if s.stream == stream] for ident, segments in evidence.items()}
        seen = {ident: _Seen(segments) for ident, segments in parts.items() if segments}
        for name, where in by_type.items():
            shares = [seen[ident].on(where[ident]) for ident in sorted(where) if ident in seen]
            rows += _figures(name, stream, [share for share in shares if share.seconds > 0], seed)
    return sorted(rows, key=lambda r: (r.type, STREAMS.index(r.stream), BRANCHES.index(r.branch)))


@dataclass(frozen=True)
class _Share:
    """What spans of one type hold of one stream of one performance: numbers a branch (3,), and how much time."""

    attention: np.ndarray
    contribution: np.ndarray
    even: float
    seconds: float
    spans: int


class _Seen:
    """One stream of one performance over time.

    Even attention gives every segment the same share, as the average branch does; over time it is flat but for
    the edges, where fewer segments overlap. Measuring against it keeps those edges out of the figures.
    """

    def __init__(self, segments: Sequence[SegmentEvidence]) -> None:
        even = [1.0 / len(segments)] * len(segments)
        attention = ([s.attention_high for s in segments], [s.attention_low for s in segments], even)
        self._attention = [EvidenceCurve.of(segments, values) for values in attention]
        self._contribution = [EvidenceCurve.of(segments, [s.contributions[b] for s in segments]) for b in BRANCHES]
        self._times = merged([(s.start_s, s.end_s) for s in segments])

    def on(self, spans: Sequence[Interval]) -> _Share:
        """What the union of spans holds."""
        parts = merged(spans)
        attention, contribution = (
            np.array([sum(curve.between(*part) for part in parts) for curve in curves])
            for curves in (self._attention, self._contribution)
        )
        seconds = sum(_common(part, self._times) for part in parts)
        held = sum(_common(span, self._times) > 0 for span in spans)
        return _Share(attention, contribution, float(attention[-1]), seconds, held)


def _figures(name: str, stream: Stream, shares: Sequence[_Share], seed: int) -> list[TypeFigures]:
    if not shares:
        return []
    even, seconds = np.array([s.even for s in shares]), np.array([s.seconds for s in shares])
    draws = np.random.default_rng(seed).integers(len(shares), size=(_DRAWS, len(shares)))
    rows = []
    for at, branch in enumerate(BRANCHES):
        attention, at_interval = _ratio(np.array([s.attention[at] for s in shares]), even, draws)
        per_s, per_s_interval = _ratio(np.array([s.contribution[at] for s in shares]), seconds, draws)
        counts = (sum(s.spans for s in shares), len(shares), float(seconds.sum()))
        rows.append(TypeFigures(name, stream, branch, attention, at_interval, per_s, per_s_interval, *counts))
    return rows


def _ratio(above: np.ndarray, below: np.ndarray, draws: np.ndarray) -> tuple[float, Interval | None]:
    value = float(above.sum() / below.sum())
    if len(above) < 2:
        return value, None
    low, high = np.quantile(above[draws].sum(1) / below[draws].sum(1), [0.025, 0.975])
    return value, (float(low), float(high))


def _common(span: Interval, others: Sequence[Interval]) -> float:
    """Seconds that a span shares with spans that do not overlap each other."""
    return sum(max(0.0, min(span[1], end_s) - max(span[0], start_s)) for start_s, end_s in others)
