"""Whether evidence is what the score is made of: take the strongest seconds away, and see how far the score moves.

Deletion and insertion after Petsiuk et al., "RISE" (BMVC 2018), with spans of time in place of pixels: the best seconds
are hidden from both streams and attention is shared out anew over the rest. What moves the score as far by chance is
told by random spans of the same lengths.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from toprock.assess.evidence import EvidenceCurve
from toprock.assess.model import Model
from toprock.features.store import PerformanceFeatures

SHARE = 0.2
"""Share of the time that is taken away."""
RANDOM = 20
"""Random choices of spans a performance and sign."""

Spans = Sequence[tuple[float, float]]
Sign = Literal["best", "worst"]


@dataclass(frozen=True)
class Moved:
    """How far scores move, in the unit of the scores; means over performances.

    Attributes:
        change: signed change from the seconds chosen by evidence.
        random: mean absolute change from random spans of the same lengths.
        ratio: how many times as far evidence moves the score in the direction it claims.
        beyond: how much farther it moves it than random spans, with the 95 % interval over performances.
    """

    change: float
    random: float
    ratio: float
    beyond: tuple[float, float, float]


@dataclass(frozen=True)
class Faithfulness:
    """What evidence is worth, by kind of seconds: those with the most (`best`) and the least (`worst`) evidence.

    Attributes:
        deletion: the score without those seconds, less the score.
        insertion: the score of nothing but those seconds, less the score.
        performances: how many.
    """

    deletion: dict[Sign, Moved]
    insertion: dict[Sign, Moved]
    performances: int

    def to_json(self) -> dict[str, Any]:
        """The documented JSON object."""
        return {
            "share": SHARE,
            "performances": self.performances,
            "deletion": {sign: vars(moved) for sign, moved in self.deletion.items()},
            "insertion": {sign: vars(moved) for sign, moved in self.insertion.items()},
        }


def faithfulness(model: Model, found: Mapping[str, PerformanceFeatures], *, seed: int = 0) -> Faithfulness | None:
    """Delete and insert the strongest fifth of the time of every performance.

    Args:
        model: whose evidence is tested.
        found: id -> features.
        seed: of the random spans.

    Returns:
        None where no performance is long enough.
    """
    rng = np.random.default_rng(seed)
    signs: tuple[Sign, ...] = ("best", "worst")
    deleted: dict[Sign, list[tuple[float, float]]] = {sign: [] for sign in signs}
    inserted: dict[Sign, list[tuple[float, float]]] = {sign: [] for sign in signs}
    count = 0
    for ident in sorted(found):
        curve = EvidenceCurve.of(model.evidence(found[ident]))
        if strongest(curve, "best") == [] or len(curve.times_s) < 3:
            continue
        count += 1
        for sign in signs:
            chosen = strongest(curve, sign)
            choices = [chosen, *(elsewhere(chosen, curve, rng) for _ in range(RANDOM))]
            whole, *without = model.scores_of(found[ident], [(), *choices])
            only = model.scores_of(found[ident], [_complement(spans, curve) for spans in choices])
            moved, kept = np.subtract(without, whole), np.subtract(only, whole)
            deleted[sign].append((float(moved[0]), float(np.abs(moved[1:]).mean())))
            inserted[sign].append((float(kept[0]), float(np.abs(kept[1:]).mean())))
    if not count:
        return None
    return Faithfulness(
        {sign: _moved(deleted[sign], -1.0 if sign == "best" else 1.0) for sign in signs},
        {sign: _moved(inserted[sign], 1.0 if sign == "best" else -1.0) for sign in signs},
        count,
    )


def strongest(curve: EvidenceCurve, sign: Sign, share: float = SHARE) -> list[tuple[float, float]]:
    """Spans that hold a share of the time, those with the most evidence (`best`) or the least (`worst`).

    >>> strongest(EvidenceCurve(np.array([0.0, 0.5, 2.0]), np.array([0.0, 1.0, 0.0])), "best", 0.25)
    [(0.0, 0.5)]
    """
    borders, cells = curve.grid()
    count = round(share * len(cells))
    order = np.argsort(-cells if sign == "best" else cells, kind="stable")
    chosen = np.zeros(len(cells) + 2, dtype=int)
    chosen[order[:count] + 1] = 1
    steps = np.diff(chosen)
    starts, ends = np.flatnonzero(steps == 1), np.flatnonzero(steps == -1)
    return [(float(borders[a]), float(borders[b])) for a, b in zip(starts, ends, strict=True)]


def elsewhere(spans: Spans, curve: EvidenceCurve, rng: np.random.Generator) -> list[tuple[float, float]]:
    """As many spans of the same lengths at random places; none overlaps another."""
    first, last = float(curve.times_s[0]), float(curve.times_s[-1])
    lengths = rng.permutation([end - start for start, end in spans])
    free = max(0.0, last - first - float(lengths.sum()))
    gaps = np.diff(np.sort(np.concatenate([[0.0], rng.uniform(0, free, len(lengths))])))
    starts = first + np.cumsum(gaps) + np.concatenate([[0.0], np.cumsum(lengths)[:-1]])
    return [(float(start), float(start + length)) for start, length in zip(starts, lengths, strict=True)]


def _complement(spans: Spans, curve: EvidenceCurve) -> list[tuple[float, float]]:
    at, found = float(curve.times_s[0]), []
    for start, end in [*spans, (float(curve.times_s[-1]), float("inf"))]:
        if start > at:
            found.append((at, start))
        at = max(at, end)
    return found


def _moved(pairs: Sequence[tuple[float, float]], wanted: float) -> Moved:
    """Means over performances; `wanted` is the direction in which evidence should move the score."""
    change, random = np.array(pairs).T
    beyond = wanted * change - random
    rng = np.random.default_rng(0)
    means = beyond[rng.integers(len(beyond), size=(2000, len(beyond)))].mean(1)
    low, high = np.quantile(means, [0.025, 0.975])
    by_chance = abs(float(random.mean()))
    ratio = wanted * float(change.mean()) / by_chance if by_chance > 0 else float("nan")
    return Moved(float(change.mean()), float(random.mean()), ratio, (float(beyond.mean()), float(low), float(high)))
