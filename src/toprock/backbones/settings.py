"""Settings of a backbone: typed, checked, JSON in and out."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from toprock.errors import RecipeMismatch, UsageError

LEAST_S, MOST_HZ = 0.01, 240.0
"""Bounds against slips of the hand, which would fill the memory with segments."""


def checked_settings(name: str, given: Mapping[str, Any], defaults: Mapping[str, Any]) -> dict[str, Any]:
    """`defaults` with what is `given` put over them, in the defaults' types.

    Args:
        name: of the backbone, for messages.
        given: what the caller wrote.
        defaults: every setting with its default; numbers must be positive, seconds and rates within bounds; `version`
            must be met exactly.

    Raises:
        UsageError: an unknown setting, or not a positive number of the default's type, or out of bounds.
        RecipeMismatch: another version.
    """
    unknown = sorted(set(given) - set(defaults))
    if unknown:
        raise UsageError(
            f"the backbone '{name}' has no setting {', '.join(unknown)}",
            advice=f"Allowed are {', '.join(sorted(defaults))}.",
        )
    if given.get("version", defaults["version"]) != defaults["version"]:
        raise RecipeMismatch(
            f"version {given['version']} of the backbone '{name}' is asked for and this toprock has version "
            f"{defaults['version']}",
            advice="Extract the features again and train on them, or use the release that made them.",
        )
    return {key: _positive(name, key, given.get(key, default), type(default)) for key, default in defaults.items()}


def _positive(name: str, key: str, value: Any, kind: type) -> float | int:
    number = isinstance(value, (int, float)) and not isinstance(value, bool)
    if not number or not math.isfinite(value) or value <= 0 or kind(value) != value:
        wanted = "a positive whole number" if kind is int else "a positive number"
        raise UsageError(f"{key}={value!r} of the backbone '{name}' is not {wanted}", advice=f"Give {wanted}.")
    if key.endswith("_s") and value < LEAST_S:
        raise UsageError(
            f"{key}={value:g} of the backbone '{name}' is shorter than any motion", advice=f"Give {LEAST_S} or more."
        )
    if key.endswith("_hz") and value > MOST_HZ:
        raise UsageError(
            f"{key}={value:g} of the backbone '{name}' is more than any video has", advice=f"Give {MOST_HZ:g} or less."
        )
    return kind(value)
