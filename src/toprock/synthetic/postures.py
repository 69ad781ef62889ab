"""Other postures for a moment of an element: clean or faulty.

What is a fault depends on the element: bent knees are normal in footwork and a fault in a freeze.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from toprock.synthetic.body import DIMENSION, make_pose, mirror
from toprock.synthetic.moves import ElementKind, Style

Outcome = Literal["good", "neutral", "bad"]
Planted = Literal["good", "bad"]


@dataclass(frozen=True)
class Posture:
    """Components that replace a pose's for a moment: `pose` where `mask` (DIMENSION,) is 1; `add` is added.

    `name` is the kind of the planted moment.
    """

    name: str
    pose: np.ndarray
    mask: np.ndarray
    add: np.ndarray


def posture(kind: ElementKind, outcome: Planted, variant: int, style: Style, rng: np.random.Generator) -> Posture:
    """Another posture for a moment of an element: clean or faulty."""
    table = _POSTURES[kind][outcome]
    name, changes = table[int(rng.integers(len(table)))]
    made = changes(style, variant)
    added = {k.removeprefix("add_"): v for k, v in made.items() if k.startswith("add_")}
    set_to = {k: v for k, v in made.items() if not k.startswith("add_")}
    one, other = make_pose(np.full(DIMENSION, 7.0), **set_to), make_pose(np.full(DIMENSION, -7.0), **set_to)
    result = Posture(name, one, (one == other).astype(float), make_pose(np.zeros(DIMENSION), **added))
    if style.side < 0:
        flipped = mirror(np.where(result.mask > 0, result.pose, 0.0))
        return Posture(name, flipped, np.abs(mirror(result.mask)), mirror(result.add))
    return result


Changes = Callable[[Style, int], dict[str, Any]]

_STRAIGHT_UP = ((0.04, -1.0, 0.0), (0.04, -1.0, 0.0))
_TUCKED = ((0.35, 0.35, 0.95), (0.1, 0.6, -0.75))
_WIDE = ((0.85, -0.85, 0.0), (0.8, -1.0, 0.0))
_CRUMPLED = ((0.45, -0.15, 0.95), (0.1, -1.0, -0.5))

_POSTURES: dict[ElementKind, dict[str, list[tuple[str, Changes]]]] = {
    "toprock": {
        "good": [("extended line", lambda s, v: {
            "arms": ((0.95, 0.6, 0.0), (0.9, 0.75, 0.0)), "legs": _WIDE, "bend": -0.12,
            "head": (0, 1, 0.0)})],
        "bad": [("collapsed back", lambda s, v: {
            "arms": ((0.1, -0.8, 0.5), (0.05, -1, 0.1)), "legs": _CRUMPLED, "bend": 1.25,
            "head": (0, 0.5, 0.9)})],
    },
    "footwork": {
        "good": [("high kick", lambda s, v: {
            "plant": 1, "pitch": 1.75, "bend": 0.0, "leg_left": ((0.1, -1.0, -0.35), (0.1, -1.0, -0.4)),
            "leg_right": ((0.3, -0.9, 0.6), (0.3, -1.0, 0.4)), "point": 0.6})],
        "bad": [("sagging hips", lambda s, v: {
            "pitch": -1.1, "bend": 0.95, "plant": 0, "arms": ((0.5, -0.6, 0.7), (0.3, -0.9, 0.4)),
            "legs": ((0.45, 0.05, 0.9), (0.35, -0.3, 0.9)), "head": (0, 0.4, 0.95)})],
    },
    "freeze": {
        "good": [("clean line", lambda s, v: {
            "legs": _STRAIGHT_UP, "point": 0.95, "bend": 0.0, "side": 0.0})],
        "bad": [("bent knees", lambda s, v: {"legs": _TUCKED, "point": 0.0, "add_bend": 0.35})],
    },
}  # fmt: skip
