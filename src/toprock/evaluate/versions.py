"""Two models on the same performances: which one ranks better, and whose place changes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from toprock.assess.model import Model
from toprock.comparisons import Pair, bootstrap_interval, match_pairs, pair_outcomes
from toprock.errors import PairsError
from toprock.evaluate.evaluation import Accuracy
from toprock.features.store import FeatureStore
from toprock.files import finite

_FEWEST = 3


@dataclass(frozen=True)
class Moved:
    """One performance on the scales of both models; None where a model has no scale."""

    id: str
    first: float | None
    second: float | None

    @property
    def by(self) -> float:
        """How far it moved from the first model to the second."""
        return 0.0 if self.first is None or self.second is None else self.second - self.first


@dataclass(frozen=True)
class Versions:
    """What two models say of the same performances.

    Attributes:
        names: of the models.
        first, second: accuracy on the pairs; None where no pairs were given.
        difference: accuracy of the second less that of the first, with the 95 % interval over performances.
        learnt: how many of the performances each had learnt from, which flatters it.
        agreement: Spearman's rank correlation of their scores; None for fewer than three performances.
        one_scale: whether both tell scores on one kind of scale, so that places on it can be compared.
        one_anchor: whether that scale is anchored to the same performances in both.
        moved: every performance on both scales, the one that moved farthest first.
    """

    names: tuple[str, str]
    first: Accuracy | None
    second: Accuracy | None
    difference: tuple[float, float, float] | None
    learnt: tuple[int, int]
    agreement: float | None
    one_scale: bool
    one_anchor: bool
    moved: list[Moved]

    def to_json(self) -> dict[str, Any]:
        """The documented JSON object (schema 1)."""
        out: dict[str, Any] = {
            "schema": 1,
            "models": self.names,
            "accuracy": [a.value if a else None for a in (self.first, self.second)],
            "intervals": [a.interval if a else None for a in (self.first, self.second)],
            "pairs": self.first.pairs if self.first else 0,
            "difference": self.difference,
            "learnt_from": self.learnt,
            "performances": len(self.moved),
            "agreement": self.agreement,
            "one_scale": self.one_scale,
            "one_anchor": self.one_anchor,
            "moved": [{**vars(moved), "by": moved.by} for moved in self.moved],
        }
        plain: dict[str, Any] = finite(out)
        return plain


def compare_models(
    first: Model, second: Model, store: FeatureStore, pairs: Sequence[Pair] = (), *, skip_missing: bool = False
) -> Versions:
    """Put two models beside each other.

    Args:
        first, second: for example the version before and the one after; they may look at other features.
        store: features for both.
        pairs: to be ranked; without any, all performances of the store are only placed.
        skip_missing: leave out pairs whose performances have no features.

    Raises:
        PairsError: performances are missing, or every pair is a tie.
        RecipeMismatch: the store lacks the features of a model.
    """
    if pairs:
        pairs = match_pairs(pairs, store.ids(), skip_missing=skip_missing, why=store.failures()).pairs
        if all(pair.tie for pair in pairs):
            raise PairsError("every pair is a tie", advice="Give pairs that have a winner.")
    ids = sorted({ident for p in pairs for ident in (p.better, p.worse)}) or store.ids()
    assessed = [{i: model.assess(model.features_of(store, i)) for i in ids} for model in (first, second)]
    scores = [{ident: a.score for ident, a in each.items()} for each in assessed]
    scaled = [[each[ident].scaled for ident in ids] for each in assessed]
    one_scale = len({s.scale if s else "none" for each in scaled for s in each}) == 1 and None not in scaled[0]
    moved = [
        Moved(ident, a.value if a else None, b.value if b else None)
        for ident, a, b in zip(ids, scaled[0], scaled[1], strict=True)
    ]
    difference = None
    won = [pair for pair in pairs if not pair.tie]
    if won:
        gained = pair_outcomes(scores[1], won) - pair_outcomes(scores[0], won)
        mean = float(np.average(gained, weights=[pair.weight for pair in won]))
        difference = (mean, *bootstrap_interval(gained, won))
    learnt = [sum(ident in model.saved.config.seen for ident in ids) for model in (first, second)]
    return Versions(
        (first.saved.config.name, second.saved.config.name),
        Accuracy.of(scores[0], won) if won else None,
        Accuracy.of(scores[1], won) if won else None,
        difference,
        (learnt[0], learnt[1]),
        _agreement([list(each.values()) for each in scores]),
        one_scale,
        set(first.saved.config.trained_on.performances) == set(second.saved.config.trained_on.performances),
        sorted(moved, key=lambda m: -abs(m.by)) if one_scale else moved,
    )


def _agreement(scores: Sequence[Sequence[float]]) -> float | None:
    from scipy.stats import rankdata

    if len(scores[0]) < _FEWEST:
        return None
    one, two = (rankdata(each) for each in scores)
    if one.std() == 0 or two.std() == 0:
        return None
    return float(np.corrcoef(one, two)[0, 1])
