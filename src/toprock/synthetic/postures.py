"""Other postures for a moment of an element: clean, faulty, or as normal as the element's own.

What is a fault depends on the element: bent knees are normal in footwork and a fault in a freeze. Normal
variations come as often as they may, so that a change of posture alone says nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from toprock.synthetic.body import DIMENSION, make_pose, mirror
from toprock.synthetic.moves import ElementKind, Style, freeze_legs

Outcome = Literal["good", "neutral", "bad"]


@dataclass(frozen=True)
class Posture:
    """Components that replace a pose's for a moment: `pose` where `mask` (DIMENSION,) is 1; `add` is added.

    `name` is the kind of the planted moment, or "variation" for a normal one.
    """

    name: str
    pose: np.ndarray
    mask: np.ndarray
    add: np.ndarray


def posture(
    kind: ElementKind, outcome: Outcome, variant: int, style: Style, rng: np.random.Generator
) -> Posture:
    """Another posture for a moment of an element: clean, faulty, or as normal as the element's own."""
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
_SPLIT = ((1.0, -0.28, 0.0), (1.0, -0.22, 0.0))
_KNEES = ((0.45, -0.35, 0.95), (0.1, 0.75, -0.5))

_POSTURES: dict[ElementKind, dict[str, list[tuple[str, Changes]]]] = {
    "toprock": {
        "good": [
            ("extended line", lambda s, v: {
                "arms": ((1.0, 0.32, 0.0), (1.0, 0.36, 0.0)), "bend": -0.12, "head": (0, 1, 0.0)}),
            ("clean reach", lambda s, v: {
                "arm_left": ((0.35, 1.0, 0.1), (0.2, 1.0, 0.0)),
                "arm_right": ((1.0, -0.1, 0.0), (1.0, -0.1, 0.0)),
                "bend": -0.1, "side": 0.1}),
        ],
        "neutral": [
            ("variation", lambda s, v: {
                "arms": ((0.5, -0.75, 0.35), (-0.5, 0.5, 0.75)), "bend": 0.1 + s.crouch}),
            ("variation", lambda s, v: {
                "arm_left": ((0.7, 0.1, 0.5), (0.2, 0.8, 0.5)),
                "arm_right": ((0.5, -0.8, 0.2), (0.5, -0.3, 0.8)),
                "bend": 0.1 + s.crouch, "twist": 0.3}),
            ("variation", lambda s, v: {
                "arms": ((0.8, -0.45, -0.2), (0.5, -0.6, 0.5)), "bend": s.crouch, "side": 0.15}),
        ],
        "bad": [
            ("collapsed back", lambda s, v: {
                "arms": ((0.1, -0.75, 0.6), (0.05, -1, 0.1)), "bend": 1.15, "head": (0, 0.5, 0.9)}),
            ("broken line", lambda s, v: {
                "arm_left": ((0.9, 0.1, 0.1), (-0.2, -1.0, 0.1)),
                "arm_right": ((0.1, -1, 0.3), (0.0, -1, 0.3)),
                "side": -0.75, "bend": 0.5, "head": (0.7, 0.6, 0.4)}),
        ],
    },
    "footwork": {
        "good": [
            ("high hips", lambda s, v: {
                "plant": 1, "pitch": 1.5, "bend": 0.0, "leg_left": ((0.1, -1.0, 0.9), (0.1, -1.0, 0.7)),
                "leg_right": ((0.3, -1.0, -0.7), (0.3, -1.0, -0.75)), "point": 0.5}),
            ("full extension", lambda s, v: {
                "plant_right": 1, "plant_left": 0, "arm_left": ((1.0, 0.4, 0.0), (1.0, 0.5, 0.0)),
                "pitch": -0.5,
                "bend": 0.0, "leg_left": ((0.4, 0.3, 1.0), (0.4, 0.3, 1.0)), "point_left": 0.7}),
        ],
        "neutral": [
            ("variation", lambda s, v: {
                "plant_left": 0, "plant_right": 1, "arm_left": ((0.7, 0.3, 0.6), (-0.1, 0.7, 0.6)),
                "pitch": 0.5}),
            ("variation", lambda s, v: {
                "plant": 1, "leg_left": ((0.7, -0.35, 0.75), (0.5, -0.9, 0.2)), "pitch": 0.8}),
            ("variation", lambda s, v: {
                "plant": 1, "pitch": 1.1, "leg_right": ((0.5, -0.8, 0.3), (0.3, -0.9, -0.2)), "bend": 0.2}),
        ],
        "bad": [
            ("sagging hips", lambda s, v: {
                "pitch": -0.9, "bend": 0.95, "plant": 0, "arms": ((0.5, -0.6, 0.7), (0.3, -0.9, 0.4)),
                "legs": ((0.45, 0.05, 0.9), (0.35, -0.3, 0.9)), "head": (0, 0.4, 0.95)}),
            ("collapsed arm", lambda s, v: {
                "pitch": 1.5, "bend": 1.2, "plant": 0, "arms": ((0.75, 0.1, 0.3), (0.0, 0.8, 0.5)),
                "side": -0.4,
                "head": (0, 0.3, 0.95), "lean": 0.3}),
        ],
    },
    "freeze": {
        "good": [
            ("clean line", lambda s, v: {"legs": _STRAIGHT_UP, "point": 0.95, "bend": 0.0, "side": 0.0}),
            ("full split", lambda s, v: {"legs": _SPLIT, "point": 0.95, "bend": 0.0, "side": 0.0}),
        ],
        "neutral": [
            ("variation", lambda s, v: dict(freeze_legs(s, v // 4 + 1))),
            ("variation", lambda s, v: dict(freeze_legs(s, v // 4 + 2))),
        ],
        "bad": [
            ("bent knees", lambda s, v: {"legs": _KNEES, "point": 0.0, "add_bend": 0.25}),
            ("piked hips", lambda s, v: {
                "legs": ((0.3, 0.1, 1.0), (0.3, -0.1, 1.0)), "point": 0.0, "add_bend": 0.3, "add_side": 0.2}),
            ("sagging line", lambda s, v: {
                "leg_left": ((0.5, -0.2, -0.9), (0.4, 0.2, -0.9)),
                "leg_right": ((0.5, -0.5, 0.8), (0.2, 0.5, -0.6)),
                "point": 0.0, "add_side": 0.5, "add_bend": -0.4}),
        ],
    },
    "spin": {
        "good": [
            ("long legs", lambda s, v: {
                "legs": ((0.28, -0.25, 1.0), (0.28, -0.25, 1.0)) if v % 3 == 0
                else ((1.0, -0.3, 0.1), (1.0, -0.3, 0.1)), "point": 0.95}),
        ],
        "neutral": [
            ("variation", lambda s, v: {
                "legs": ((0.6, 0.1, 0.8), (0.2, -0.9, 0.45)) if v % 3 == 0
                else ((0.75, -0.75, 0.3), (0.6, -0.85, 0.1 - 0.5 * s.knee))}),
            ("variation", lambda s, v: {
                "legs": ((0.1, 0.25, 0.9), (0.1, -0.9, 0.1)) if v % 3 == 0
                else ((0.85, -0.45, 0.5), (0.8, -0.6, 0.3 - 0.5 * s.knee))}),
        ],
        "bad": [
            ("dropped leg", lambda s, v: {
                "leg_left": ((0.25, -1.0, -0.1), (0.05, -0.6, -0.8)),
                "leg_right": ((0.4, -0.3, 0.9), (0.1, -1, -0.5)),
                "point": 0.0}),
            ("open position", lambda s, v: {
                "leg_left": ((0.2, -0.5, 0.85), (0.1, 0.1, -1.0)),
                "leg_right": ((0.6, -0.8, 0.1), (-0.3, -0.4, -0.9)),
                "point": 0.0}),
        ],
    },
    "drop": {"good": [], "neutral": [], "bad": []},
}  # fmt: skip
