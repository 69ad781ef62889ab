"""README.md of a model folder: its card, after Mitchell et al., "Model cards for model reporting" (FAT* 2019)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from toprock.backbones.listing import licence_of
from toprock.counting import count
from toprock.features.recipe import Recipe

if TYPE_CHECKING:
    from toprock.calibration import Ranked
    from toprock.ranker.saved import ModelConfig

_TOO_FEW = "too few performances could be held out"


def card(config: ModelConfig) -> str:
    """README.md of a model folder: what it is, what it learnt from, what it may be used for."""
    recipes = "\n".join(_how_made(Recipe.from_json(value)) for value in config.recipes.values())
    data = config.trained_on
    imported = any(Recipe.from_json(value).imported for value in config.recipes.values())
    what = "--features FEATURES" if imported else "VIDEO"
    left = (
        f"{_performances(len(data.left_out))} and {count(data.pairs_left_out, 'pair')}" if data.left_out else "nothing"
    )
    return f"""---
library_name: toprock
tags: [action-quality-assessment, video, ranking]
---
# {config.name}

Scores performances from video and shows which seconds made the score.
Made by toprock {config.toprock} on {config.created}.

**A second opinion, not a verdict.** It has learnt what a few people preferred among a few performances; it knows
nothing else, and nothing about performances unlike those.

- Trained on {_performances(len(data.performances))} of {count(data.performers, "performer")}
  and {count(data.pairs, "pair")}; left out: {left}.
- Judgements among the pairs: {data.consistency or "no contradiction"}.
- {count(config.members, "ranker")}, {count(config.steps, "step")}, {_how_chosen(config)}
{_how_started(config)}{_how_swept(config)}
## How far to trust it

{_trust(config)}

## What else could explain its order

{_controls(config)}

## Where it holds

{_limits(config)}

## Features

{recipes}

## Use it

    toprock score {what} --model THIS_FOLDER --report report.html
"""


def _trust(config: ModelConfig) -> str:
    """Chances, scale and learning curve, as measured on performances held out."""
    lines = [_tested(config.tested)] if config.tested else []
    for kind, sides in (("both", "two new performances"), ("one", "a new performance and one of the training")):
        slope = config.slopes.get(kind)  # type: ignore[call-overload]
        if slope is None:
            lines.append(f"- Chances that one is better, of {sides}: not known, {config.uncalibrated or _TOO_FEW}.")
            continue
        lines.append(
            f"- Of {sides}, held-out rankers put {slope.accuracy:.1%} in the right order "
            f"({count(slope.pairs, 'pair')} of {_performances(slope.performances)}). Chances are fitted there: "
            f"a difference of one spread of the training scores ({config.spread:.3f}) is right with "
            f"{slope.chance(1.0).probability:.0%}."
        )
    if config.scale is not None:
        lines.append(
            f"- On the scale from 0 to 100 (share of the {config.scale.among} training performances that are worse by "
            "their comparisons), intervals are to hold the truth 9 times of 10, fitted on "
            f"{config.scale.held_out} held-out performances."
            + (
                f" The comparisons fall into {config.scale.parts} parts, taken for equally good."
                if config.scale.parts > 1
                else ""
            )
        )
    if config.marks is not None:
        lines.append(
            f"- On the judges' own marks, intervals of {config.marks.margin:.2f} to both sides, fitted on "
            f"{config.marks.held_out} held-out performances."
        )
    if config.learning is not None:
        lines.append(f"- What more comparisons would bring: {config.learning}.")
    return "\n".join(lines)


def _performances(number: int) -> str:
    return count(number, "performance")


def _tested(found: Ranked) -> str:
    sure = ", too few for an interval"
    if found.interval is not None:
        sure = f", 95 % interval {found.interval[0]:.1%} to {found.interval[1]:.1%}"
    return (
        f"- **Of two performances, each scored by a ranker that had not seen it, {found.accuracy:.1%} were put in the "
        f"right order** ({count(found.pairs, 'pair')} of {_performances(found.performances)}{sure})."
    )


def _controls(config: ModelConfig) -> str:
    """What ranks the training pairs without looking at how well anybody performs."""
    if not config.control_accuracy:
        return "Nothing was measured (features made elsewhere tell no duration, motion or cuts)."
    told = {
        "duration": ("shorter", "longer"),
        "mean_motion": ("less motion", "more motion"),
        "cut_rate": ("fewer cuts", "more cuts"),
    }
    lines = [
        f'- "{told[name][config.controls[name] > 0]} is better" ranks {accuracy:.1%} of the training pairs right.'
        for name, accuracy in config.control_accuracy.items()
    ]
    return "\n".join(lines)


def _limits(config: ModelConfig) -> str:
    """Outside of this, an assessment says so first."""
    domain, lines = config.domain, []
    if domain.length_s is not None:
        low, high = domain.length_s
        lines.append(f"- Performances of {low:.0f} to {high:.0f} s, like those that it has learnt from.")
    if domain.cuts_per_minute is not None:
        lines.append(f"- Cut at most {domain.cuts_per_minute:.0f} times a minute.")
    if domain.limits:
        lines.append(f"- Features near those of the training performances ({', '.join(sorted(domain.limits))}).")
    lines.append("- What people prefer elsewhere, or what these cameras did not see, it cannot know.")
    return "\n".join(lines)


def _how_made(recipe: Recipe) -> str:
    line = f"- {recipe.stream}: `{recipe.backbone}` (recipe `{recipe.hash}`)"
    if recipe.imported:
        return f"{line}, imported"
    weights = f", weights `{recipe.settings['weights']}`" if "weights" in recipe.settings else ""
    return f"{line}, licence {licence_of(recipe.backbone, recipe.settings)}{weights}"


def _how_chosen(config: ModelConfig) -> str:
    best = dict(config.curve).get(config.steps)
    if best is None:
        return "not chosen by cross-validation: they were given, or nothing could be held out."
    return f"""chosen by cross-validation on the training side.
- While choosing, on performances held out: {best:.1%} of the pairs with a held-out performance ranked right (an
  optimistic figure: it made the choice)."""


def _how_started(config: ModelConfig) -> str:
    start = config.started_from
    if start is None:
        return ""
    lines = [
        f"- Started from the model '{start.name}' of {start.created}, which had learnt from {len(start.performances)} "
        "performances."
    ]
    as_it_was = dict(config.curve).get(0)
    if as_it_was is not None:
        lines.append(f"  As it was, that model ranked {as_it_was:.1%} of the same held-out pairs right.")
    if config.seen_by_start:
        lines.append(f"  It had seen {config.seen_by_start} of the performances here before, which flatters it.")
    if not config.steps:
        lines.append("  These pairs did not show that training on would help: it is that model still.")
    return "\n".join(lines) + "\n"


def _how_swept(config: ModelConfig) -> str:
    found = config.swept
    if found is None:
        return ""
    among = f"- Settings searched on the training pairs alone: {found.tried} tried, on {found.folds} folds and "
    among += f"{found.seeds} seed(s), bad ones given up early."
    right = f"{found.accuracy:.1%} of held-out pairs right"
    if found.interval:
        right += f" (95 % interval {found.interval[0]:.1%} to {found.interval[1]:.1%})"
    if not found.settings:
        told = f"The defaults stayed, with {right}: the best of the others ({found.best_accuracy:.1%}) was not better "
        return f"{among}\n  {told}by more than the standard error of the difference.\n"
    named = ", ".join(f"`{name}` = {value}" for name, value in found.settings.items())
    return f"""{among}
  Chosen: {named}, with {right}, the defaults {found.default_accuracy:.1%}. The best of {found.tried} looks better
  than it is: expect less on new performances.
"""
