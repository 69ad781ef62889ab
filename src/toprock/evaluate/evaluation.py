"""How good a model is on pairs and moments that it was not trained on, beside what knows nothing."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

import numpy as np

from toprock.assess.assessment import BRANCHES, Assessment
from toprock.assess.evidence import EvidenceCurve
from toprock.assess.model import Model
from toprock.calibration import Reliability, Unseen, reliability
from toprock.comparisons import (
    Pair,
    bootstrap_interval,
    bradley_terry,
    match_pairs,
    pair_outcomes,
    pairwise_accuracy,
)
from toprock.evaluate.faithfulness import Faithfulness, faithfulness
from toprock.evaluate.groups import Group, groups
from toprock.evaluate.moments import LabelledMoment, MomentScores, moment_scores
from toprock.evaluate.segment_types import TypedSpan, TypeFigures, segment_types
from toprock.features.store import FeatureStore, PerformanceFeatures
from toprock.files import finite
from toprock.performance import id_matcher
from toprock.ranker.from_store import CONTROLS, control_value


@dataclass(frozen=True)
class Accuracy:
    """Pairwise accuracy with its 95 % interval over performances, and on how many pairs; None where none."""

    value: float | None
    interval: tuple[float, float] | None
    pairs: int

    @classmethod
    def of(cls, scores: Mapping[str, float], pairs: Sequence[Pair]) -> Accuracy:
        """Measure scores on the pairs that have a winner."""
        won = [p for p in pairs if not p.tie]
        if not won:
            return cls(None, None, 0)
        interval = bootstrap_interval(pair_outcomes(scores, won), won)
        return cls(pairwise_accuracy(scores, won), interval, len(won))


@dataclass(frozen=True)
class Evaluation:
    """What `evaluate` found; see `to_json` for the documented keys.

    Attributes:
        accuracy: on all pairs.
        both_unseen: on pairs of which the model was trained on neither performance.
        branches: of each branch's score alone.
        controls: duration, mean motion, cut rate (and memorisation where training performances are tested).
        same_performer: on pairs of one performer, where performers are known.
        performances: how many the pairs name.
        calibration: how well the model's chances came true on pairs with `one` side that it had not learnt from, and
            with `both`; a kind without pairs, or without calibrated chances, is absent.
        good, bad: moments, where given.
        groups: accuracy and mean score by the columns that were given.
        faithfulness: how far the score moves with its evidence, where asked for.
        types: attention and contribution by type of segment, where segments are given.
        missing: id -> why it was left out.
        pairs_left_out: with --skip-missing.
    """

    accuracy: Accuracy
    both_unseen: Accuracy
    branches: dict[str, Accuracy]
    controls: dict[str, Accuracy]
    same_performer: Accuracy
    performances: int
    calibration: dict[Unseen, Reliability] = field(default_factory=dict)
    good: MomentScores | None = None
    bad: MomentScores | None = None
    groups: list[Group] = field(default_factory=list)
    faithfulness: Faithfulness | None = None
    types: list[TypeFigures] | None = None
    missing: dict[str, str] = field(default_factory=dict)
    pairs_left_out: int = 0

    @property
    def rivals(self) -> list[str]:
        """Controls that know nothing of how well anybody performs and rank as well as the model, but for chance."""
        interval = self.accuracy.interval
        if interval is None:
            return []
        return [name for name, a in self.controls.items() if a.value is not None and a.value >= interval[0]]

    def to_json(self) -> dict[str, Any]:
        """The documented JSON object (schema 1); NaN becomes null."""
        out: dict[str, Any] = {
            "schema": 1,
            "accuracy": self.accuracy.value,
            "interval": self.accuracy.interval,
            "pairs": self.accuracy.pairs,
            "videos": self.performances,
            "both_unseen": self.both_unseen.value,
            "both_unseen_interval": self.both_unseen.interval,
            "both_unseen_pairs": self.both_unseen.pairs,
            "same_performer": self.same_performer.value,
            "same_performer_interval": self.same_performer.interval,
            "same_performer_pairs": self.same_performer.pairs,
            "branches": {name: a.value for name, a in self.branches.items()},
            "controls": {name: a.value for name, a in self.controls.items()},
            "rivals": self.rivals,
            "controls_intervals": {name: a.interval for name, a in self.controls.items()},
            "calibration": {kind: found.to_json() for kind, found in self.calibration.items()},
            "missing": self.missing,
            "pairs_left_out": self.pairs_left_out,
        }
        for name, found in (("good", self.good), ("bad", self.bad)):
            if found is not None:
                out[f"moment_auc_{name}"] = found.auc
                out[f"moment_auc_{name}_interval"] = found.interval
                out[f"moment_auc_{name}_pooled"] = found.pooled
                out["moment_videos"] = max(out.get("moment_videos", 0), found.performances)
                out["moments_tile"] = found.tiled
        if self.groups:
            out["groups"] = [group.to_json() for group in self.groups]
        if self.faithfulness is not None:
            out["faithfulness"] = self.faithfulness.to_json()
        if self.types is not None:
            out["segment_types"] = [figures.to_json() for figures in self.types]
        plain: dict[str, Any] = finite(out)
        return plain


def evaluate(
    model: Model,
    store: FeatureStore,
    pairs: Sequence[Pair],
    *,
    moments: Sequence[LabelledMoment] = (),
    segments: Sequence[TypedSpan] = (),
    faithful: bool = False,
    columns: Mapping[str, Mapping[str, str]] | None = None,
    performers: Mapping[str, str] | None = None,
    train_pairs: Sequence[Pair] = (),
    skip_missing: bool = False,
) -> Evaluation:
    """Measure a model on pairs, and its evidence on labelled moments.

    Args:
        model: trained; its training performances are known from its folder.
        store: features of the performances that the pairs name.
        pairs: to be ranked.
        moments: labelled; those of performances that no pair names are left out.
        segments: typed; the same holds for them.
        faithful: also take the strongest evidence away and see how far the scores move; takes a while.
        columns: name -> id -> value: groups of performances that are looked at by themselves.
        performers: id -> performer, for the figure on pairs of one performer.
        train_pairs: what the model was trained on, for the memorisation control.
        skip_missing: leave out pairs whose performances have no features.

    Raises:
        PairsError: performances are missing.
        RecipeMismatch: the features are not of the model's recipe.
    """
    matched = match_pairs(pairs, store.ids(), skip_missing=skip_missing, why=store.failures())
    pairs = matched.pairs
    ids = sorted({ident for p in pairs for ident in (p.better, p.worse)})
    found = {ident: model.features_of(store, ident) for ident in ids}
    assessed = {ident: model.assess(f) for ident, f in found.items()}
    scores = {ident: assessment.score for ident, assessment in assessed.items()}
    seen = model.saved.config.seen
    unseen = [p for p in pairs if p.better not in seen and p.worse not in seen]
    same = [
        p
        for p in pairs
        if performers and performers.get(p.better) and performers.get(p.better) == performers.get(p.worse)
    ]
    branches: dict[str, Accuracy] = {
        branch: Accuracy.of(
            {i: sum(s.contribution for s in model.evidence(f, branches=[branch])) for i, f in found.items()},
            pairs,
        )
        for branch in BRANCHES
    }
    controls = control_accuracies(model.saved.config.controls, found, pairs)
    if train_pairs and len(unseen) < len(pairs):
        controls["memorisation"] = Accuracy.of(memorised(train_pairs, ids), pairs)
    good, bad = moment_pair(model, found, moments) if moments else (None, None)
    return Evaluation(
        accuracy=Accuracy.of(scores, pairs),
        both_unseen=Accuracy.of(scores, unseen),
        branches=branches,
        controls=controls,
        same_performer=Accuracy.of(scores, same),
        performances=len(ids),
        calibration=calibration_of(model, assessed, pairs),
        good=good,
        bad=bad,
        groups=[group for name, values in (columns or {}).items() for group in groups(scores, pairs, name, values)],
        faithfulness=faithfulness(model, found) if faithful else None,
        types=type_figures(model, found, segments) if segments else None,
        missing=matched.missing,
        pairs_left_out=matched.pairs_left_out,
    )


def calibration_of(
    model: Model, assessed: Mapping[str, Assessment], pairs: Sequence[Pair]
) -> dict[Unseen, Reliability]:
    """How well the chances that a model names come true, by how many sides of a pair it had not learnt from."""
    told = {kind: Told.by(model, assessed, pairs, kind) for kind in model.saved.config.slopes}
    return {kind: chances.reliability() for kind, chances in told.items() if chances.pairs}


@dataclass(frozen=True)
class Told:
    """The chance that the better one of each pair is better, as three ways tell it; see `Reliability`."""

    pairs: list[Pair]
    calibrated: list[float]
    uncalibrated: list[float]
    constant: list[float]

    @classmethod
    def by(cls, model: Model, assessed: Mapping[str, Assessment], pairs: Sequence[Pair], kind: Unseen) -> Told:
        """What a model that has a slope for that kind tells of the pairs of that kind, ties left out."""
        seen, slope = model.saved.config.seen, model.saved.config.slopes[kind]
        count = 2 if kind == "both" else 1
        here = [p for p in pairs if not p.tie and (p.better not in seen) + (p.worse not in seen) == count]
        compared = [model.compared(assessed[p.better], assessed[p.worse]) for p in here]
        difference = np.array([c.difference for c in compared])
        constant = np.where(difference == 0, 0.5, np.where(difference > 0, slope.constant, 1 - slope.constant))
        return cls(
            here,
            [0.5 if c.probability is None else c.probability for c in compared],
            (1 / (1 + np.exp(-difference))).tolist(),
            constant.tolist(),
        )

    def __add__(self, other: Told) -> Told:
        """Both, as if of one model."""
        return Told(
            self.pairs + other.pairs,
            self.calibrated + other.calibrated,
            self.uncalibrated + other.uncalibrated,
            self.constant + other.constant,
        )

    def reliability(self) -> Reliability:
        """How well they came true."""
        return reliability(self.calibrated, self.uncalibrated, self.constant, self.pairs)


def memorised(train_pairs: Sequence[Pair], ids: Iterable[str]) -> dict[str, float]:
    """Scores that never look at a performance: its Bradley-Terry rating in training, the median where it has none."""
    rating = bradley_terry(train_pairs)
    middle = float(np.median(list(rating.values())))
    rated = id_matcher(rating)
    return {ident: rating.get(rated(ident) or "", middle) for ident in ids}


def control_accuracies(
    signs: Mapping[str, int], found: Mapping[str, PerformanceFeatures], pairs: Sequence[Pair]
) -> dict[str, Accuracy]:
    """Accuracy of each control, in the direction learnt on the training side; None where not measured."""
    out = {}
    for name in CONTROLS:
        values = {ident: control_value(f, name) for ident, f in found.items()}
        numbers = {ident: signs[name] * v for ident, v in values.items() if v is not None and name in signs}
        out[name] = Accuracy.of(numbers, pairs) if len(numbers) == len(values) else Accuracy(None, None, 0)
    return out


def moment_pair(
    model: Model,
    found: Mapping[str, PerformanceFeatures],
    moments: Sequence[LabelledMoment],
    **evidence: Any,
) -> tuple[MomentScores, MomentScores]:
    """Figures for good and for bad moments; `evidence` goes to `Model.evidence`."""
    here = named_here(moments, found)
    wanted = {m.id for m in here}
    segments = {ident: model.evidence(found[ident], **evidence) for ident in wanted}
    curves = {ident: EvidenceCurve.of(s) for ident, s in segments.items()}
    spans = {ident: (min(x.start_s for x in s), max(x.end_s for x in s)) for ident, s in segments.items()}
    return moment_scores(curves, spans, here, "good"), moment_scores(curves, spans, here, "bad")


def type_figures(
    model: Model, found: Mapping[str, PerformanceFeatures], segments: Sequence[TypedSpan]
) -> list[TypeFigures]:
    """Attention and contribution by type; those of the average branch also where it is not in the score."""
    here = named_here(segments, found)
    return segment_types({s.id: model.evidence(found[s.id], branches=BRANCHES) for s in here}, here)


Labelled = TypeVar("Labelled", LabelledMoment, TypedSpan)


def named_here(labelled: Sequence[Labelled], found: Iterable[str]) -> list[Labelled]:
    """Those of the performances that are there, under the ids that these have."""
    known = id_matcher(found)
    return [replace(label, id=ident) for label in labelled if (ident := known(label.id)) is not None]
