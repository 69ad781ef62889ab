"""What made a score: the facts of the model, and of the features that it looked at."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from toprock.assess.assessment import Assessment
from toprock.report import words

_KNOWN = {"name", "created", "performances", "pairs", "toprock"}


@dataclass(frozen=True)
class ModelView:
    """What made a score: facts of the model, and of the features a stream."""

    name: str
    learnt: str
    facts: Sequence[tuple[str, str]]
    recipes: Sequence[tuple[str, str, str, Sequence[tuple[str, str]]]]  # stream, backbone, hash, settings
    scored: Sequence[str]


def models_of(assessments: Sequence[Assessment], shown: Sequence[str]) -> list[ModelView]:
    """Each way in which a score was made, once, with the performances that it made."""
    found: dict[str, tuple[Assessment, list[str]]] = {}
    for assessment, name in zip(assessments, shown, strict=True):
        key = repr((sorted(assessment.model.items(), key=str), sorted(assessment.recipes.items(), key=str)))
        found.setdefault(key, (assessment, []))[1].append(name)
    return [_model(assessment, names if len(found) > 1 else []) for assessment, names in found.values()]


def _model(assessment: Assessment, names: Sequence[str]) -> ModelView:
    model = assessment.model
    facts = [(k, str(model[k])) for k in ("created", "performances", "pairs") if model.get(k) not in (None, "")]
    facts = [({"performances": "training performances", "pairs": "training pairs"}.get(k, k), v) for k, v in facts]
    if model.get("toprock"):
        facts.append(("trained with toprock", str(model["toprock"])))
    facts += [(k.replace("_", " "), _plain(v)) for k, v in model.items() if k not in _KNOWN and v not in (None, "")]
    recipes = []
    for stream, recipe in assessment.recipes.items():
        recipe = recipe if isinstance(recipe, Mapping) else {"backbone": str(recipe)}
        settings = recipe.get("settings")
        settings = settings if isinstance(settings, Mapping) else {}
        name = next((n for s, n in words.STREAM_NAMES.items() if s == stream), stream)
        rate = [("sampling", f"{settings['rate_hz']:g} frames a second")] if _number(settings.get("rate_hz")) else []
        rest = [(k.replace("_", " "), _plain(v)) for k, v in settings.items() if k != "rate_hz" or not rate]
        recipes.append((name, str(recipe.get("backbone", "not recorded")), str(recipe.get("hash", "")), rate + rest))
    return ModelView(str(model.get("name") or "unnamed model"), words.learnt_from(model), facts, recipes, names)


def _plain(value: Any) -> str:
    """A JSON value as text for people, cut where it is long."""
    if isinstance(value, Mapping):
        text = ", ".join(f"{k}: {_plain(v)}" for k, v in value.items())
    elif isinstance(value, (list, tuple)):
        text = ", ".join(_plain(v) for v in value)
    elif isinstance(value, bool):
        text = "yes" if value else "no"
    else:
        text = f"{value:g}" if isinstance(value, float) else str(value)
    return text if len(text) <= 300 else text[:299] + "…"


def _number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)
