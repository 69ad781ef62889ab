"""Labelled moments, and how well evidence points at them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Literal

import numpy as np

from toprock.assess.evidence import EvidenceCurve
from toprock.errors import ManifestError
from toprock.performance import read_table

Label = Literal["good", "bad"]
SHORTEST_GAP_S = 0.1


@dataclass(frozen=True)
class LabelledMoment:
    """A span of a performance that somebody called good or bad; further columns in `extra`."""

    id: str
    start_s: float
    end_s: float
    label: Label
    extra: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))


def read_spans(path: Path, column: str) -> Iterator[tuple[int, dict[str, str], str, float, float]]:
    """Line number, row, id, start and end of each line of a CSV with columns id (or video), start_s, end_s, `column`.

    Raises:
        ManifestError: a column is missing, a line names no performance, or its span is none.
    """
    for number, row in read_table(path, required=("start_s", "end_s", column), error=ManifestError):
        ident = row.get("id") or row.get("video")
        if not ident:
            raise ManifestError(f"{path}, line {number}: names no performance", advice="Fill the column id.")
        try:
            start_s, end_s = float(row["start_s"]), float(row["end_s"])
        except ValueError:
            start_s, end_s = 0.0, -1.0
        if not 0 <= start_s < end_s < float("inf"):
            what = f"{row['start_s']} to {row['end_s']} is no span"
            raise ManifestError(f"{path}, line {number}: {what}", advice="Give seconds.")
        yield number, row, ident, start_s, end_s


def read_moments(path: str | Path) -> list[LabelledMoment]:
    """Read a moments file: CSV with columns id (or video), start_s, end_s, label (good or bad).

    Raises:
        ManifestError: a column is missing or a value makes no sense.
    """
    path = Path(path)
    moments = []
    for number, row, ident, start_s, end_s in read_spans(path, "label"):
        if row["label"] not in ("good", "bad"):
            raise ManifestError(f"{path}, line {number}: label is '{row['label']}'", advice="Allowed: good, bad.")
        extra = {k: v for k, v in row.items() if k not in ("id", "start_s", "end_s", "label")}
        label: Label = "good" if row["label"] == "good" else "bad"
        moments.append(LabelledMoment(ident, start_s, end_s, label, MappingProxyType(extra)))
    if not moments:
        raise ManifestError(f"{path}: holds no moment", advice="Add a line for each below the header.")
    return moments


@dataclass(frozen=True)
class MomentScores:
    """How well evidence points at moments of one label.

    Attributes:
        auc: mean over performances of the AUC within each; NaN where none holds both kinds.
        interval: 95 % by bootstrap over performances.
        pooled: AUC over all moments of all performances together.
        performances: how many hold both kinds.
        tiled: whether good and bad fill every performance, so that the AUC of good and of bad are one figure.
    """

    auc: float
    interval: tuple[float, float]
    pooled: float
    performances: int
    tiled: bool


def moment_scores(
    curves: Mapping[str, EvidenceCurve],
    durations: Mapping[str, tuple[float, float]],
    moments: Sequence[LabelledMoment],
    label: Label,
    *,
    seed: int = 0,
) -> MomentScores:
    """AUC of labelled moments against every other moment of the same performance.

    Args:
        curves: id -> evidence.
        durations: id -> (first, last) second of the performance; unlabelled gaps in between are neutral moments.
        moments: labelled ones of these performances.
        label: whose AUC; for `bad` low evidence counts as right.
        seed: of the bootstrap.
    """
    sign = 1.0 if label == "good" else -1.0
    wanted_values: list[np.ndarray] = []
    other_values: list[np.ndarray] = []
    gaps = 0
    by_id: dict[str, list[LabelledMoment]] = {}
    for moment in moments:
        by_id.setdefault(moment.id, []).append(moment)
    for ident in sorted(by_id):
        here, curve = by_id[ident], curves[ident]
        neutral = unlabelled(here, *durations[ident])
        gaps += len(neutral)
        wanted = [(m.start_s, m.end_s) for m in here if m.label == label]
        others = [(m.start_s, m.end_s) for m in here if m.label != label] + neutral
        wanted_values.append(sign * np.array([curve.between(a, b) / (b - a) for a, b in wanted]))
        other_values.append(sign * np.array([curve.between(a, b) / (b - a) for a, b in others]))
    each = np.array([auc(w, o) for w, o in zip(wanted_values, other_values, strict=True) if len(w) and len(o)])
    if not len(each):
        return MomentScores(float("nan"), (float("nan"),) * 2, float("nan"), 0, not gaps)
    rng = np.random.default_rng(seed)
    means = each[rng.integers(len(each), size=(2000, len(each)))].mean(1)
    low, high = np.quantile(means, [0.025, 0.975])
    pooled = auc(np.concatenate(wanted_values), np.concatenate(other_values))
    return MomentScores(float(each.mean()), (float(low), float(high)), pooled, len(each), not gaps)


def unlabelled(moments: Sequence[LabelledMoment], first_s: float, last_s: float) -> list[tuple[float, float]]:
    """The gaps between labelled moments that are at least a tenth of a second long.

    >>> unlabelled([LabelledMoment("a", 1.0, 2.0, "good")], 0.0, 2.0)
    [(0.0, 1.0)]
    """
    gaps, at = [], first_s
    for start_s, end_s in sorted((m.start_s, m.end_s) for m in moments):
        if start_s - at >= SHORTEST_GAP_S:
            gaps.append((at, start_s))
        at = max(at, end_s)
    if last_s - at >= SHORTEST_GAP_S:
        gaps.append((at, last_s))
    return gaps


def auc(wanted: np.ndarray, others: np.ndarray) -> float:
    """Chance that a wanted value lies above another one; ties count half.

    >>> auc(np.array([2.0, 1.0]), np.array([0.0, 1.0]))
    0.875
    """
    above = (wanted[:, None] > others).mean()
    return float(above + 0.5 * (wanted[:, None] == others).mean())
