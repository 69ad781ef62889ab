"""An articulated body: the pose vector, forward kinematics in three dimensions, and contact with the floor.

Lengths are in body heights. The world has x to the viewer's right, y up, z towards the viewer; the body's own
axes are x its left, y up the spine, z its front. A pose is a vector of `DIMENSION` numbers: the scalars
below (angles in radians), then a direction a limb, legs in the pelvis' axes, arms and head in the chest's.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

SCALARS = (
    "yaw", "pitch", "roll", "lean", "x", "z", "lift", "bend", "side", "twist",
    "plant_left", "plant_right", "point_left", "point_right",
)  # fmt: skip
LIMBS = (
    "head", "upper_arm_left", "forearm_left", "upper_arm_right", "forearm_right",
    "thigh_left", "shin_left", "thigh_right", "shin_right",
)  # fmt: skip
JOINTS = (
    "pelvis", "chest", "neck", "head", "shoulder_left", "shoulder_right", "elbow_left", "elbow_right",
    "wrist_left", "wrist_right", "hand_left", "hand_right", "hip_left", "hip_right",
    "knee_left", "knee_right", "ankle_left", "ankle_right", "toe_left", "toe_right",
)  # fmt: skip
DIMENSION = len(SCALARS) + 3 * len(LIMBS)
JOINT = {name: number for number, name in enumerate(JOINTS)}
_CLEARANCE = np.array(
    [0.09, 0.07, 0.05, 0.07, 0.05, 0.05, 0.03, 0.03, 0.025, 0.025, 0.015, 0.015]
    + [0.07, 0.07, 0.045, 0.045, 0.035, 0.035, 0.025, 0.025]
)  # half thickness of the body at each joint, body heights
_ANCHOR_HEIGHT = 0.05  # body heights: joints this near to the lowest one bear the weight
_SETTLE_S = 0.09  # weight moves from one support to the next over this time
_REACH = 0.4  # body heights: never further from its place
_DRIFT_S = 2.4  # over this time the body returns to where the choreography wants it


def scalar(name: str) -> int:
    """Index of a scalar in a pose vector."""
    return SCALARS.index(name)


def limb(name: str) -> slice:
    """Indices of a limb's direction in a pose vector."""
    start = len(SCALARS) + 3 * LIMBS.index(name)
    return slice(start, start + 3)


@dataclass(frozen=True)
class Proportions:
    """Lengths of a body in body heights, and how thick its limbs are (1 is average)."""

    thigh: float = 0.245
    shin: float = 0.235
    foot: float = 0.10
    torso: float = 0.29
    neck: float = 0.055
    head: float = 0.068
    upper_arm: float = 0.165
    forearm: float = 0.145
    hand: float = 0.05
    shoulders: float = 0.105
    hips: float = 0.062
    girth: float = 1.0


def rotation(axis: str, angle: np.ndarray) -> np.ndarray:
    """Rotation matrices (T, 3, 3) about `x`, `y` or `z` by angles (T,) in radians."""
    cosine, sine = np.cos(angle), np.sin(angle)
    matrix = np.zeros((len(angle), 3, 3))
    first, second = {"x": (1, 2), "y": (2, 0), "z": (0, 1)}[axis]
    fixed = 3 - first - second
    matrix[:, fixed, fixed] = 1.0
    matrix[:, first, first] = matrix[:, second, second] = cosine
    matrix[:, first, second] = -sine
    matrix[:, second, first] = sine
    return matrix


def forward_kinematics(poses: np.ndarray, body: Proportions, step_s: float) -> np.ndarray:
    """Joints (T, 20, 3) of poses (T, DIMENSION), standing on the floor y = 0.

    The lowest joint touches the floor (`lift` above it), and what bears the weight does not slide: the body
    moves over its support, while slowly drawn to the (x, z) of the poses.

    Args:
        poses: (T, DIMENSION).
        body: lengths.
        step_s: seconds between poses.
    """
    joints = _chain(poses, body)
    heights = joints[:, :, 1] - _CLEARANCE
    lowest = heights.min(axis=1)
    settled = np.minimum(lowest, _smooth(lowest, _SETTLE_S / step_s))
    joints[:, :, 1] += (poses[:, scalar("lift")] - settled)[:, None]
    weight = np.exp(-(heights - lowest[:, None]) / _ANCHOR_HEIGHT)
    weight /= weight.sum(axis=1, keepdims=True)
    for axis, name in ((0, "x"), (2, "z")):
        slide = _smooth((weight[1:] * np.diff(joints[:, :, axis], axis=0)).sum(axis=1), _SETTLE_S / step_s)
        carried = np.concatenate([[0.0], -np.cumsum(slide)])
        away = carried - _smooth(carried, _DRIFT_S / step_s)
        away = _REACH * np.tanh(away / _REACH)
        joints[:, :, axis] += (away + poses[:, scalar(name)])[:, None]
    return joints


def _chain(poses: np.ndarray, body: Proportions) -> np.ndarray:
    """Joints (T, 20, 3) with the pelvis at the origin."""

    def value(name: str) -> np.ndarray:
        return poses[:, scalar(name)]

    pelvis = rotation("z", value("lean")) @ rotation("y", value("yaw"))
    pelvis = pelvis @ rotation("x", value("pitch")) @ rotation("y", value("roll"))
    chest = pelvis @ rotation("x", value("bend")) @ rotation("z", value("side"))
    chest = chest @ rotation("y", value("twist"))
    mid = pelvis @ rotation("x", value("bend") / 2) @ rotation("z", value("side") / 2)

    def along(frame: np.ndarray, name: str) -> np.ndarray:
        return _unit(np.einsum("tij,tj->ti", frame, poses[:, limb(name)]))

    joints = np.zeros((len(poses), len(JOINTS), 3))
    joints[:, JOINT["chest"]] = body.torso * _unit(mid[:, :, 1])
    joints[:, JOINT["neck"]] = joints[:, JOINT["chest"]] + body.neck * chest[:, :, 1]
    joints[:, JOINT["head"]] = joints[:, JOINT["neck"]] + body.head * along(chest, "head")
    for side, sign in (("left", 1.0), ("right", -1.0)):
        shoulder = joints[:, JOINT["chest"]] + sign * body.shoulders * chest[:, :, 0]
        planted = value(f"plant_{side}")[:, None]
        down = np.array([0.0, -1.0, 0.0]) + sign * 0.22 * chest[:, :, 0]
        upper = _unit((1 - planted) * along(chest, f"upper_arm_{side}") + planted * _unit(down))
        lower = _unit(
            (1 - planted) * along(chest, f"forearm_{side}")
            + planted * _unit(np.array([0.0, -1.0, 0.0]) - sign * 0.05 * chest[:, :, 0])
        )
        elbow = shoulder + body.upper_arm * upper
        wrist = elbow + body.forearm * lower
        hip = sign * body.hips * pelvis[:, :, 0]
        shin = along(pelvis, f"shin_{side}")
        knee = hip + body.thigh * along(pelvis, f"thigh_{side}")
        ankle = knee + body.shin * shin
        front = pelvis[:, :, 2] + sign * 0.35 * pelvis[:, :, 0] - 0.15 * pelvis[:, :, 1]
        across = _unit(front - (front * shin).sum(axis=1, keepdims=True) * shin)
        pointed = value(f"point_{side}")[:, None]
        placed = {
            "shoulder": shoulder, "elbow": elbow, "wrist": wrist,
            "hand": wrist + body.hand * (1 - 0.4 * planted) * lower,
            "hip": hip, "knee": knee, "ankle": ankle,
            "toe": ankle + body.foot * _unit((1 - pointed) * across + pointed * shin),
        }  # fmt: skip
        for name, position in placed.items():
            joints[:, JOINT[f"{name}_{side}"]] = position
    return joints


def joint_angle(joints: np.ndarray, first: str, middle: str, last: str) -> np.ndarray:
    """Angle (T,) in degrees at joint `middle`; 180 is a straight limb.

    >>> straight = np.zeros((1, len(JOINTS), 3))
    >>> straight[0, JOINT["hip_left"], 1], straight[0, JOINT["ankle_left"], 1] = 1, -1
    >>> float(joint_angle(straight, "hip_left", "knee_left", "ankle_left")[0])
    180.0
    """
    one = _unit(joints[:, JOINT[first]] - joints[:, JOINT[middle]])
    other = _unit(joints[:, JOINT[last]] - joints[:, JOINT[middle]])
    return np.degrees(np.arccos(np.clip((one * other).sum(axis=1), -1, 1)))


def make_pose(base: np.ndarray | None = None, **changes: Any) -> np.ndarray:
    """A pose vector: `base` (default: standing at ease) with changes by name.

    Scalars by name in radians. Limbs by name as (outwards, up, front). `arm_left=(upper, forearm)`,
    `leg_right=(thigh, shin)` set two limbs; `arms=`, `legs=`, `plant=`, `point=` set both sides.

    >>> float(make_pose(bend=0.4)[scalar("bend")])
    0.4
    """
    pose = (_STANDING if base is None else base).copy()
    for name, change in changes.items():
        if name in ("arms", "legs"):
            for side in ("left", "right"):
                pose = make_pose(pose, **{f"{name[:-1]}_{side}": change})
        elif name.startswith(("arm_", "leg_")):
            part, side = name.split("_")
            names = ("upper_arm", "forearm") if part == "arm" else ("thigh", "shin")
            for limb_name, direction in zip(names, np.asarray(change, float), strict=True):
                pose = make_pose(pose, **{f"{limb_name}_{side}": direction})
        elif name in ("plant", "point"):
            pose[scalar(f"{name}_left")] = pose[scalar(f"{name}_right")] = change
        elif name in SCALARS:
            pose[scalar(name)] = change
        else:
            direction = np.array(change, float)
            if name.endswith("right"):
                direction[0] *= -1
            pose[limb(name)] = direction / np.linalg.norm(direction)
    return pose


def mirror(pose: np.ndarray) -> np.ndarray:
    """The pose with left and right changed (yaw, roll, lean, side and twist turn the other way)."""
    other = pose.copy()
    for name in ("yaw", "roll", "lean", "side", "twist", "x"):
        other[scalar(name)] = -pose[scalar(name)]
    for name in (*SCALARS, *LIMBS):
        if name.endswith(("left", "right")):
            twin = name.replace("left", "right") if name.endswith("left") else name.replace("right", "left")
            if name in SCALARS:
                other[scalar(name)] = pose[scalar(twin)]
            else:
                other[limb(name)] = pose[limb(twin)] * (-1, 1, 1)
    other[limb("head")] = pose[limb("head")] * (-1, 1, 1)
    return other


def _unit(vectors: np.ndarray) -> np.ndarray:
    return vectors / np.maximum(np.linalg.norm(vectors, axis=-1, keepdims=True), 1e-6)


def _smooth(values: np.ndarray, width: float) -> np.ndarray:
    """Centred moving mean over about `width` samples, the ends repeated."""
    half = max(1, int(width / 2))
    padded = np.pad(values, half, mode="edge")
    sums = np.concatenate([[0.0], np.cumsum(padded)])
    return (sums[2 * half + 1 :] - sums[: -2 * half - 1]) / (2 * half + 1)


_STANDING = np.zeros(DIMENSION)
_STANDING = make_pose(
    _STANDING,
    head=(0, 1, 0.15),
    arms=((0.35, -0.9, 0.1), (0.05, -0.6, 0.75)),
    legs=((0.16, -1, 0.2), (0.03, -1, -0.25)),
    bend=0.12,
    point=0.05,
)
