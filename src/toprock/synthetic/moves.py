"""Elements of breaking as paths of poses: key poses in time.

A *key* is (seconds after the element's start, pose vector). Paths know nothing of quality: an element is
danced the same way whatever is planted in it; a planted moment replaces some components of the pose for a
short time (`postures`) or changes the speed along the path (`timing`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from toprock.synthetic.body import DIMENSION, limb, make_pose, mirror, scalar

ElementKind = Literal["toprock", "footwork", "freeze", "spin", "drop"]
PLANTABLE: tuple[ElementKind, ...] = ("toprock", "footwork", "freeze")
Keys = list[tuple[float, np.ndarray]]


@dataclass(frozen=True)
class Style:
    """How one performer moves, whatever the quality.

    Attributes:
        beat_s: seconds a beat.
        reach: scale of the range of motion, 1 is average.
        facing: yaw in radians that the performer prefers.
        knee: radians that the knees stay bent in freezes and power moves.
        arms: how high the arms are carried; 0 is average.
        crouch: radians that the back is bent when upright.
        pulse: how unevenly spins turn, 0 to 1.
        turns_hz: turns a second of spins.
        side: 1 or -1: the side that leads.
    """

    beat_s: float
    reach: float
    facing: float
    knee: float
    arms: float
    crouch: float
    pulse: float
    turns_hz: float
    side: int

    @classmethod
    def draw(cls, rng: np.random.Generator) -> Style:
        """A new performer's style."""
        return cls(
            beat_s=rng.uniform(0.42, 0.66),
            reach=rng.uniform(0.85, 1.1),
            facing=rng.uniform(-0.6, 0.6),
            knee=rng.uniform(0.15, 0.4),
            arms=rng.uniform(-0.6, 0.6),
            crouch=rng.uniform(0.0, 0.25),
            pulse=rng.uniform(0.25, 0.6),
            turns_hz=rng.uniform(0.65, 1.15),
            side=int(rng.choice([-1, 1])),
        )


def element_keys(kind: ElementKind, variant: int, duration_s: float, style: Style, rng: np.random.Generator) -> Keys:
    """Key poses of one element; the first lies one transition after 0, the last at or before `duration_s`."""
    return {"toprock": _toprock, "footwork": _footwork, "freeze": _freeze, "spin": _spin, "drop": _drop}[kind](
        variant, duration_s, style, rng
    )


def transition_s(kind: ElementKind, style: Style) -> float:
    """Seconds that the way into an element takes."""
    return {"freeze": 0.95, "spin": 0.75, "drop": 0.7, "toprock": 1.0, "footwork": 0.9}[kind] * (0.3 + style.beat_s / 2)


def _toprock(variant: int, duration_s: float, style: Style, rng: np.random.Generator) -> Keys:
    yaw = style.facing + rng.uniform(-0.5, 0.5)
    r, up = style.reach, 0.35 * style.arms
    rest = make_pose(
        yaw=yaw,
        bend=0.12 + style.crouch,
        arms=((0.3, -0.85, 0.45), (-0.5, 0.2 + up, 0.85)),
        legs=((0.2, -1, 0.32), (0.04, -1, -0.42)),
    )
    cross = make_pose(
        rest,
        yaw=yaw + 0.45 * r,
        twist=-0.4 * r,
        arms=((0.95, -0.25 + up, 0.15), (0.85, 0.3 + up, 0.45)),
        leg_right=((-0.5 * r, -0.85, 0.75 * r), (-0.3 * r, -0.95, 0.15)),
        leg_left=((0.22, -1, 0.05), (0.1, -1, -0.15)),
    )
    step = make_pose(
        rest,
        lean=-0.2 * r,
        side=0.2 * r,
        leg_left=((0.75 * r, -0.8, 0.25), (0.45 * r, -1, 0.0)),
        leg_right=((0.1, -0.9, 0.35), (0.1, -1, -0.5)),
        arm_left=((0.8, 0.35 + up, 0.3), (0.5, 0.8, 0.3)),
        arm_right=((0.7, -0.7, 0.1), (0.3, -0.7, 0.65)),
    )
    kick = make_pose(
        rest,
        yaw=yaw - 0.25,
        bend=0.05 + style.crouch,
        leg_right=((0.05, -0.75, 0.85 * r), (0.05, -0.75, 0.7 * r)),
        leg_left=((0.15, -1, 0.2), (0.05, -1, -0.25)),
        arm_left=((0.35, -0.45 + up, 0.85), (0.1, 0.15, 0.95)),
        arm_right=((0.6, -0.75, -0.4), (0.5, -0.5, 0.3)),
    )
    out = (cross, step, kick)[variant % 3]
    keys: Keys = []
    at, count = transition_s("toprock", style), int(style.side < 0)
    while at <= duration_s - 0.1:
        pose = rest if len(keys) % 2 == 0 else (_turned(out, yaw) if count % 2 else out)
        keys.append((at, _jitter(pose, rng, 0.07)))
        count += len(keys) % 2
        at += style.beat_s / 2
    return keys


def _turned(pose: np.ndarray, yaw: float) -> np.ndarray:
    """Mirrored about the facing `yaw`."""
    other = mirror(pose)
    other[scalar("yaw")] = 2 * yaw - pose[scalar("yaw")]
    other[scalar("x")] = pose[scalar("x")]
    return other


def _footwork(variant: int, duration_s: float, style: Style, rng: np.random.Generator) -> Keys:
    yaw = style.facing + rng.uniform(-1.0, 1.0)
    r = style.reach
    squat = ((0.55, 0.05, 0.9), (0.1, -0.85, -0.6))
    out = ((0.35 * r, -0.75, 0.35), (0.35 * r, -0.95, 0.05))
    thread = ((-0.4 * r, -0.3, 0.95), (-0.45 * r, -0.7, 0.5))
    free = ((0.85, 0.25 + 0.3 * style.arms, 0.3), (0.7, 0.6, 0.4))
    back = make_pose(pitch=0.95, bend=0.15, plant=1, leg_left=out, leg_right=squat, head=(0, 0.8, 0.7))
    under = make_pose(pitch=0.6, bend=0.35, plant_right=1, arm_left=free, leg_left=thread, leg_right=squat)
    sit = make_pose(pitch=-0.5, bend=0.25, plant_right=1, arm_left=free, legs=squat, side=-0.45)
    crab = make_pose(pitch=-0.75, plant=1, bend=0.25, legs=((0.35, -0.3, 0.95), (0.1, -1, -0.1)), head=(0, 0.9, 0.4))
    kick = make_pose(
        sit,
        pitch=-0.35,
        leg_left=((0.3, -0.22, 0.95), (0.3, -0.12, 0.95)),
        leg_right=squat,
        side=-0.35,
        point_left=0.4,
    )
    if variant % 3 == 0:
        cycle, turn = [back, under, sit, crab, mirror(under), mirror(back)], 2.1 * r * style.side
    elif variant % 3 == 1:
        cycle, turn = [sit, kick, make_pose(mirror(sit), pitch=-0.3), mirror(kick)], 0.5 * style.side
    else:
        cycle, turn = (
            [back, make_pose(back, pitch=0.75, leg_left=squat), mirror(back), under],
            -1.2 * r * style.side,
        )
    keys: Keys = []
    at, number = transition_s("footwork", style), int(rng.integers(len(cycle)))
    start = number
    while at <= duration_s - 0.1:
        pose = cycle[number % len(cycle)].copy()
        pose[scalar("yaw")] += yaw + turn * (number - start) / len(cycle)
        keys.append((at, _jitter(pose, rng, 0.07)))
        number += 1
        at += style.beat_s * 0.62
    return keys


def freeze_legs(style: Style, shape: int) -> dict[str, Any]:
    """Normal legs of a freeze: open, scissor or one forward; knees bent by the style, never much."""
    bend = np.sin(style.knee)
    if shape % 3 == 0:
        side = ((0.55, -1.0, 0.15), (0.35, -1.0, -bend))
        return {"leg_left": side, "leg_right": side}
    if shape % 3 == 1:
        return {
            "leg_left": ((0.15, -0.9, 0.7), (0.1, -1.0, 0.7 - bend)),
            "leg_right": ((0.15, -1.0, -0.5), (0.1, -1.0, -0.4 - bend)),
        }
    return {
        "leg_left": ((0.2, -1.0, 0.1), (0.1, -1.0, -bend)),
        "leg_right": ((0.7, -0.8, 0.3), (0.5, -0.9, 0.2 - bend)),
    }


def freeze_base(variant: int, style: Style) -> np.ndarray:
    """A freeze's normal pose: handstand, headstand, shoulder freeze or one-handed pike."""
    legs: dict[str, Any] = freeze_legs(style, variant // 4)
    variant %= 4
    if variant == 0:
        pose = make_pose(pitch=3.05, plant=1, bend=-0.15, head=(0, 0.8, -0.5), point=0.35, **legs)
    elif variant == 1:
        arms = ((0.75, 0.35, 0.6), (-0.1, 0.9, 0.45))
        pose = make_pose(pitch=3.0, arms=arms, bend=0.05, head=(0, 1, 0.1), point=0.35, **legs)
    elif variant == 2:
        arms = ((0.6, 0.5, 0.7), (-0.2, 0.9, 0.5))
        pose = make_pose(pitch=2.55, roll=0.5, lean=0.25, arms=arms, head=(0.3, 0.8, 0.4), point=0.35, **legs)
    else:
        arm_left = ((0.9, -0.3, 0.1), (0.95, -0.2, 0.2))
        pose = make_pose(pitch=2.8, lean=0.3, plant_right=1, arm_left=arm_left, head=(0, 0.8, -0.4), point=0.35, **legs)
    return pose if style.side > 0 else mirror(pose)


def _freeze(variant: int, duration_s: float, style: Style, rng: np.random.Generator) -> Keys:
    base = freeze_base(variant, style)
    base[scalar("yaw")] += style.facing + rng.uniform(-0.8, 0.8)
    keys: Keys = []
    at = transition_s("freeze", style)
    while at <= duration_s - 0.1:
        keys.append((at, _jitter(base, rng, 0.035)))
        at += 0.4
    return keys


def _spin(variant: int, duration_s: float, style: Style, rng: np.random.Generator) -> Keys:
    start = transition_s("spin", style)
    step = 0.05
    times = np.arange(start, max(duration_s - 0.1, start + step), step)
    pulse_s = style.beat_s * 1.2
    rate = 1 + style.pulse * np.cos(2 * np.pi * (times / pulse_s + rng.uniform()))
    turn = 2 * np.pi * style.turns_hz * np.cumsum(rate * step) * style.side + style.facing
    knee = np.sin(style.knee)
    straddle = ((0.95, -0.55, 0.25), (0.9, -0.65, 0.25 - 0.6 * knee))
    tuck = ((0.3, 0.1, 0.95), (0.15, -0.75, 0.3 + knee))
    keys: Keys = []
    for at, angle in zip(times, turn, strict=True):
        if variant % 3 == 0:  # backspin
            arms = ((0.4, -0.7, 0.6), (-0.7, 0.1, 0.6))
            pose = make_pose(yaw=angle, pitch=-1.35, bend=0.35, arms=arms, legs=tuck, head=(0, 0.8, 0.6), point=0.3)
        elif variant % 3 == 1:  # windmill: rolls about the spine while the whole body goes round
            front = 0.5 - 0.5 * np.cos(angle)
            arms = ((0.5, -0.5, 0.6), (-0.3, 0.2, 0.9))
            pose = make_pose(
                yaw=0.6 * angle,
                pitch=-1.45 + 0.1 * np.sin(angle),
                roll=angle,
                bend=0.25 - 0.2 * front,
                legs=straddle,
                arms=arms,
                head=(0, 0.9, 0.45),
                point=0.5,
            )
        else:  # flare: round on the hands, hips up, legs apart
            pose = make_pose(
                yaw=angle,
                pitch=-0.95 + 0.2 * np.sin(angle),
                lean=0.12 * np.sin(angle),
                plant=1,
                bend=0.1,
                leg_left=((0.75, -0.45 + 0.3 * np.sin(angle), 0.7), (0.75, -0.45 - 0.4 * knee, 0.7)),
                leg_right=((0.75, -0.45 - 0.3 * np.sin(angle), 0.7), (0.75, -0.45 - 0.4 * knee, 0.7)),
                head=(0, 0.9, 0.4),
                point=0.5,
            )
        keys.append((float(at), pose))
    return keys


def _drop(variant: int, duration_s: float, style: Style, rng: np.random.Generator) -> Keys:
    yaw = style.facing + rng.uniform(-0.5, 0.5)
    crouch = make_pose(
        yaw=yaw,
        pitch=0.35,
        bend=0.55,
        legs=((0.5, -0.2, 0.9), (0.15, -1, -0.45)),
        plant_right=0.8,
        arm_left=((0.7, -0.3, 0.5), (0.3, 0.3, 0.9)),
    )
    if style.side < 0:
        crouch = _turned(crouch, yaw)
    return [(transition_s("drop", style), crouch), (duration_s - 0.05, _jitter(crouch, rng, 0.05))]


def _jitter(pose: np.ndarray, rng: np.random.Generator, size: float) -> np.ndarray:
    """The pose, never danced twice the same."""
    moved = pose.copy()
    start = limb("head").start
    moved[start:] += rng.normal(0, size, DIMENSION - start)
    for name in ("pitch", "bend", "side", "twist", "lean"):
        moved[scalar(name)] += rng.normal(0, size / 2)
    return moved
