"""From a feature store and pairs to a model."""

from __future__ import annotations

import datetime
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from toprock._version import __version__
from toprock.backbones.base import Stream
from toprock.calibration import Seen, coverage, fit_domain, fit_marks, fit_slopes, fit_training_scale, ranked_right
from toprock.comparisons import Matched, Pair, bradley_terry, check_consistency, match_pairs, pairwise_accuracy, parts
from toprock.errors import FeaturesError, PairsError, RecipeMismatch, UsageError
from toprock.features.recipe import Recipe
from toprock.features.store import FeatureStore, PerformanceFeatures
from toprock.ranker.batch import Arrays, segments_in, shape_in
from toprock.ranker.choosing import Choice, OnAdvance, performer_groups
from toprock.ranker.fitting import MEMBERS, fit
from toprock.ranker.mapped import map_features
from toprock.ranker.model import RankerConfig
from toprock.ranker.saved import ModelConfig, SavedModel, StartedFrom, Swept, TrainedOn
from toprock.ranker.training import TrainingConfig, bias, scale_of

CONTROLS = ("duration", "mean_motion", "cut_rate")


@dataclass(frozen=True)
class Plan:
    """What to train: model options over the defaults, training options, ensemble size, and fixed steps if any.

    `learning` also tells what more comparisons would bring; it takes about half as long again. `swept` tells of the
    search that the options are from.
    """

    model: Mapping[str, object] = field(default_factory=dict)
    training: TrainingConfig = field(default_factory=lambda: TrainingConfig())
    members: int = MEMBERS
    steps: int | None = None
    learning: bool = False
    swept: Swept | None = None


def train_from_store(
    store: FeatureStore,
    pairs: Sequence[Pair],
    *,
    name: str = "model",
    recipes: Mapping[Stream, Recipe] | None = None,
    performers: Mapping[str, str] | None = None,
    plan: Plan | None = None,
    start_from: SavedModel | None = None,
    marks: Mapping[str, float] | None = None,
    skip_missing: bool = False,
    checkpoint: Path | None = None,
    on_advance: OnAdvance | None = None,
    on_read: Callable[[int, int], None] | None = None,
) -> SavedModel:
    """Train a model on the pairs among a store's performances, whose features stay on disk.

    Args:
        store: holds the features.
        pairs: as read; matched to the store's ids.
        name: of the model, for people.
        recipes: one a stream; None takes the only one of each.
        performers: id -> performer; those of one performer stay together in cross-validation.
        plan: what to train.
        start_from: a model of the same recipes to go on from, and to stay near. The new one is made as it is, and has
            as many members at least. Where cross-validation does not show that training on helps, it stays as it is.
        marks: id -> mark by judges, where there are such: scores are then told on the judges' own scale.
        skip_missing: leave out pairs whose performances have no features.
        checkpoint: a folder to resume from after an interruption.
        on_advance: called after every step with how far it is.
        on_read: called with how many performances' files have been verified, and how many there are; that comes first.

    Raises:
        PairsError: performances are missing, or there is nothing to learn from.
        FeaturesError: a stream is ambiguous or absent; a file is damaged, or changes while it is learnt from.
        RecipeMismatch: the model to start from looks at other features; names what differs.
        UsageError: the plan asks for another kind of ranker than that model's.

    >>> store, start = toprock.FeatureStore("features"), toprock.load("model").saved
    >>> model = toprock.train(store, [toprock.Pair("battle-000", "battle-001")], start_from=start)
    >>> model.config.started_from.name, model.config.steps  # one pair shows nothing: it is its start still
    ('model', 0)
    """
    plan = plan or Plan()
    recipes = dict(recipes or store.choose())
    if start_from is not None:
        check_start(start_from, recipes, plan)
    matched = match_pairs(pairs, store.ids(), skip_missing=skip_missing, why=store.failures())
    if all(p.tie for p in matched.pairs):
        raise PairsError("every pair is a tie", advice="Judge a few pairs that have a winner.")
    ids = sorted({ident for p in matched.pairs for ident in (p.better, p.worse)})
    seen: list[Seen] = []
    facts: dict[str, PerformanceFeatures] = {}

    def look(found: PerformanceFeatures) -> None:
        seen.append(seen_of(found, recipes))
        facts[found.id] = PerformanceFeatures(found.id, {}, found.facts)
        if on_read:
            on_read(len(seen), len(ids))

    data = map_features(store, ids, recipes, look)
    dimensions = _checked_dimensions(ids, data, recipes)
    groups = performer_groups(ids, performers or {})
    initial = start_from.members if start_from else []
    ranker = initial[0].config if initial else RankerConfig.model_validate({**plan.model, "dimensions": dimensions})
    fitted = fit(
        data,
        ids,
        groups,
        matched.pairs,
        ranker,
        plan.training,
        members=max(plan.members, len(initial)),
        steps=plan.steps,
        initial=initial,
        known=frozenset(start_from.config.seen if start_from else ()),
        everyone=True,
        learning=plan.learning,
        checkpoint=checkpoint,
        on_advance=on_advance,
    )
    config = ModelConfig(
        toprock=__version__,
        created=datetime.date.today().isoformat(),
        name=name,
        ranker=fitted.members[0].config,
        training=plan.training,
        members=len(fitted.members),
        steps=fitted.choice.steps,
        curve=fitted.choice.curve,
        recipes={stream: recipe.to_json() for stream, recipe in recipes.items()},
        trained_on=_trained_on(ids, groups, matched),
        started_from=_started_from(start_from) if start_from else None,
        bias=float(np.mean([bias(member) for member in fitted.members])),
        centre=fitted.centre,
        spread=fitted.spread,
        gains=fitted.choice.gains,
        held_out=fitted.choice.held_out,
        controls=control_signs(facts, matched.pairs),
        control_accuracy=control_accuracy(facts, matched.pairs),
        tested=ranked_right(fitted.choice.independent, matched.pairs, _directed(facts, matched.pairs)),
        learning=fitted.learning,
        swept=plan.swept,
        **_calibration(
            fitted.choice,
            matched.pairs,
            dict(zip(ids, groups, strict=True)),
            marks or {},
            why_not=_why_uncalibrated(plan, groups, ids, start_from),
        ),
        domain=fit_domain(data, groups, seen),
    )
    typical = {stream: np.stack(rows) for stream, rows in scale_of(data, list(recipes)).items()}
    return SavedModel(fitted.members, config, typical)


def _calibration(
    choice: Choice, pairs: Sequence[Pair], groups: Mapping[str, str], marks: Mapping[str, float], *, why_not: str
) -> dict[str, Any]:
    """What a model's config says of chances and scales, and `why_not` where one is missing."""
    slopes = fit_slopes(choice.folds, pairs, groups)
    scale = fit_training_scale(choice.held_out, bradley_terry(pairs), parts=parts(pairs))
    return {
        "slopes": slopes,
        "scale": scale,
        "marks": fit_marks(choice.held_out, marks),
        "uncalibrated": "" if "both" in slopes and scale else why_not,
    }


def _why_uncalibrated(plan: Plan, groups: Sequence[str], ids: Sequence[str], start: SavedModel | None) -> str:
    if plan.steps is not None:
        return "its training steps were given, so that nothing was held out"
    if len(set(groups)) < 2:
        return "its performances are all of one performer, or linked by those that they share"
    if start is not None and set(ids) & start.config.seen:
        return "the model that it started from had seen most of its performances before"
    return "too few performances could be held out together when it was trained"


def _checked_dimensions(
    ids: Sequence[str], data: Sequence[Arrays], recipes: Mapping[Stream, Recipe]
) -> dict[Stream, int]:
    """D of each stream, where every performance has features and every stream is somewhere."""
    for ident, arrays in zip(ids, data, strict=True):
        if not any(segments_in(arrays, stream) for stream in arrays):
            raise FeaturesError(f"'{ident}' has no features of this recipe", advice="Extract it again.")
    dimensions = {stream: next((shape_in(a, stream)[1] for a in data if stream in a), 0) for stream in recipes}
    absent = [stream for stream, size in dimensions.items() if not size]
    if absent:
        raise FeaturesError(
            f"no performance has the {absent[0]} features asked for",
            advice="Extract them with the same recipe.",
        )
    return dimensions


def check_start(start: SavedModel, recipes: Mapping[Stream, Recipe], plan: Plan) -> None:
    """See that a training can go on from a model.

    Raises:
        RecipeMismatch: its streams or recipes are not those to be trained on.
        UsageError: the plan asks for another kind of ranker.
    """
    name, wanted = start.config.name, start.recipes
    if set(wanted) != set(recipes):
        raise RecipeMismatch(
            f"the model '{name}' to start from looks at {_listed(wanted)} features, not at {_listed(recipes)} ones",
            advice="Start from a model of the same streams, or leave one out with --dynamic none or --static none.",
        )
    differences = [difference for stream in wanted for difference in wanted[stream].differences(recipes[stream])]
    if differences:
        raise RecipeMismatch(
            f"the model '{name}' to start from learnt from features of another recipe: {'; '.join(differences)}",
            advice="Extract with its recipe (toprock extract --like MODEL), or start from another model.",
        )
    made = start.config.ranker.model_dump()
    others = sorted(option for option, value in plan.model.items() if made.get(option) != value)
    if others:
        raise UsageError(
            f"the model '{name}' to start from has another {', '.join(others)}",
            advice="Leave the options of the model out: it is made as the one that it starts from.",
        )


def _listed(recipes: Mapping[Stream, Recipe]) -> str:
    return " and ".join(sorted(recipes))


def arrays_of(found: PerformanceFeatures, recipes: Mapping[Stream, Recipe]) -> Arrays:
    """The arrays of the wanted recipes; streams that the performance lacks are left out."""
    return {stream: found.streams[recipe].features for stream, recipe in recipes.items() if recipe in found.streams}


def seen_of(found: PerformanceFeatures, recipes: Mapping[Stream, Recipe]) -> Seen:
    """What a domain check looks at, but for how unlike the training performances it is."""
    streams = {stream: found.streams[recipe] for stream, recipe in recipes.items() if recipe in found.streams}
    times = [rows.times for rows in streams.values() if len(rows.times)]
    facts = {name: value for name, value in found.facts.items() if value is not None and math.isfinite(value)}
    length_s = facts.get("duration_s")
    if length_s is None and times:
        length_s = float(max(t[:, 1].max() for t in times) - min(t[:, 0].min() for t in times))
    return Seen({}, {stream: coverage(rows.times, length_s) for stream, rows in streams.items()}, length_s, facts)


def control_value(found: PerformanceFeatures, name: str) -> float | None:
    """A control's number for one performance; None where it was not measured.

    `duration` in seconds, `mean_motion` in picture heights a second, `cut_rate` in cuts a second.
    """
    facts = {key: value for key, value in found.facts.items() if value is not None and math.isfinite(value)}
    duration, cuts = facts.get("duration_s"), facts.get("cuts")
    if name == "duration":
        return duration
    if name == "cut_rate":
        return cuts / duration if cuts is not None and duration else None
    return facts.get(name)


def control_signs(found: Mapping[str, PerformanceFeatures], pairs: Sequence[Pair]) -> dict[str, int]:
    """The direction of each control that ranks more of these pairs right; controls not measured are left out."""
    return {name: 1 if more >= 0.5 else -1 for name, more in _controls(found, pairs).items()}


def control_accuracy(found: Mapping[str, PerformanceFeatures], pairs: Sequence[Pair]) -> dict[str, float]:
    """How many of these pairs each control ranks right in its better direction."""
    return {name: max(more, 1 - more) for name, more in _controls(found, pairs).items()}


def _controls(found: Mapping[str, PerformanceFeatures], pairs: Sequence[Pair]) -> dict[str, float]:
    """Share of the pairs whose better one has more of a control, for those that were measured everywhere."""
    return {name: pairwise_accuracy(numbers, pairs) for name, numbers in _control_values(found).items()}


def _directed(found: Mapping[str, PerformanceFeatures], pairs: Sequence[Pair]) -> dict[str, dict[str, float]]:
    """Control -> id -> its number, turned so that more is better on these pairs."""
    signs = control_signs(found, pairs)
    return {name: {i: signs[name] * x for i, x in values.items()} for name, values in _control_values(found).items()}


def _control_values(found: Mapping[str, PerformanceFeatures]) -> dict[str, dict[str, float]]:
    """Control -> id -> its number, for those that were measured everywhere."""
    known = {}
    for name in CONTROLS:
        values = {ident: control_value(f, name) for ident, f in found.items()}
        numbers = {ident: value for ident, value in values.items() if value is not None}
        if len(numbers) == len(values):
            known[name] = numbers
    return known


def _started_from(start: SavedModel) -> StartedFrom:
    return StartedFrom(name=start.config.name, created=start.config.created, performances=sorted(start.config.seen))


def _trained_on(ids: Sequence[str], groups: Sequence[str], matched: Matched) -> TrainedOn:
    return TrainedOn(
        performances=list(ids),
        pairs=len(matched.pairs),
        performers=len(set(groups)),
        left_out=matched.missing,
        pairs_left_out=matched.pairs_left_out,
        consistency=check_consistency(matched.pairs).without_names,
    )
