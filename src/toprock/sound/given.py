"""Beats that a file gives."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

from toprock.errors import ManifestError
from toprock.performance import Performance, by_known_id

_ADVICE = 'Write {"id": [0.52, 1.04, ...]}: seconds in the video, rising.'


def read_beats(path: str | Path) -> dict[str, tuple[float, ...]]:
    """Read a beats file: JSON `{"id": [seconds, ...], ...}`, seconds in the video file, rising; [] is no beat.

    Raises:
        ManifestError: it cannot be read, or is something else.
    """
    path = Path(path)
    try:
        found = json.loads(path.read_text(encoding="utf-8-sig"))
    except (OSError, ValueError, RecursionError) as problem:
        raise ManifestError(f"{path}: cannot be read ({problem})", advice=_ADVICE) from problem
    if not isinstance(found, dict) or not found:
        raise ManifestError(f"{path}: names no performance", advice=_ADVICE)
    for ident, beats in found.items():
        numbers = isinstance(beats, list) and all(type(b) in (int, float) and 0 <= b < math.inf for b in beats)
        if not numbers or any(b <= a for a, b in pairwise(beats)):
            raise ManifestError(f"{path}: the beats of '{ident}' are no rising seconds", advice=_ADVICE)
    return {ident: tuple(map(float, beats)) for ident, beats in found.items()}


def with_beats(performances: Iterable[Performance], beats: Mapping[str, tuple[float, ...]]) -> list[Performance]:
    """Performances with the beats given for their ids; the others as they were.

    Raises:
        ManifestError: none of them is named.

    >>> with_beats([Performance("semi-1", Path("battle.mp4"))], {"semi-1.mp4": (0.5, 1.0)})[0].beats
    (0.5, 1.0)
    """
    performances = list(performances)
    found = by_known_id(beats, [p.id for p in performances])
    if not found:
        raise ManifestError("the beats are of none of these performances", advice="Name them by the performances' ids.")
    return [replace(p, beats=found[p.id]) if p.id in found else p for p in performances]
