"""One posture as numbers: how joints are bent and limbs directed, what is stretched, upside down, or carries the body.

Everything is measured in lengths of the trunk and relative to the body, so that place and distance do not matter; all
values lie in -1 to 1. A posture and its mirror image are alike: of a left and a right side there are the mean and the
difference, which is 0 for a symmetric posture. What cannot be told, because a point is not seen, is 0.

Layout (`POSE_NAMES` has every name): bending, limb directions, trunk and head, extension, places along and across the
trunk, heights above the hips, symmetry, inversion, support, visibility.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from toprock.backbones.pose.skeleton import HEAD, PAIRS, angle, between, mean, middle, places, trunk_length

_FAR = 3.0  # trunk lengths from the trunk's middle or a shoulder to a hand or foot, at most about
_FIRM = 0.3  # trunk lengths by which one thing is clearly above another
_CONTACT = 0.25  # trunk lengths above the lowest point at which a joint hardly carries any more
_NEAR_FLOOR = 0.4
_MASSES = {"shoulder": 0.2, "hip": 0.3, "elbow": 0.05, "wrist": 0.025, "knee": 0.1, "ankle": 0.05}  # and a head of 0.1
_UP = np.array([0.0, 1.0])

Named = Iterator[tuple[str, float]]


def describe_pose(points: np.ndarray, aspect: float) -> np.ndarray:
    """The descriptor of one posture, (len(POSE_NAMES),) float32 in -1 to 1.

    Args:
        points: (17, 3) x and y in fractions of the picture, and score, as `MoveNet.points` gives them.
        aspect: width of the picture over its height.

    >>> nobody = np.zeros((17, 3), np.float32)
    >>> bool(describe_pose(nobody, aspect=16 / 9).any())
    False
    """
    values = np.array([value for _, value in _describe(points, aspect)], dtype=np.float32)
    return np.clip(np.nan_to_num(values, nan=0.0), -1.0, 1.0)


class _Figure(NamedTuple):
    """Joints in trunk lengths, x to the right, y upwards."""

    joints: np.ndarray  # (17, 2)
    head: np.ndarray  # (2,), as the following
    shoulders: np.ndarray
    hips: np.ndarray

    def pair(self, name: str) -> tuple[np.ndarray, np.ndarray]:
        left, right = PAIRS[name]
        return self.joints[left], self.joints[right]

    @property
    def trunk(self) -> np.ndarray:
        """From hips to shoulders."""
        trunk: np.ndarray = self.shoulders - self.hips
        return trunk


def _describe(points: np.ndarray, aspect: float) -> Named:
    joints = places(points, aspect)
    joints = joints / trunk_length(joints)
    middles = (middle(joints[part]) for part in (HEAD, slice(5, 7), slice(11, 13)))
    figure = _Figure(joints, *middles)
    for group in (_bending, _directions, _trunk, _extension, _in_trunk, _heights, _symmetry, _inversion, _support):
        yield from group(figure)
    yield from _visibility(np.asarray(points)[:, 2], joints)


def _both(name: str, left: float, right: float) -> Named:
    """A quantity of both sides, alike in the mirror; one side alone speaks for both."""
    yield f"{name}, mean", mean((left, right))
    yield f"{name}, difference", abs(left - right)


def _classes(name: str, value: float, count: int) -> Named:
    """Shares of `count` soft classes between -1 and 1, for learners that only weigh."""
    for k in range(count):
        yield f"{name}, class {k + 1} of {count}", max(0.0, 1.0 - abs((value + 1) / 2 * (count - 1) - k))


def _bending(body: _Figure) -> Named:
    """Angles at joints: -1 folded, 0 a right angle, 1 straight."""
    for name, first, last in (
        ("elbow", "shoulder", "wrist"),
        ("shoulder", "elbow", "hip"),
        ("hip", "shoulder", "knee"),
        ("knee", "hip", "ankle"),
    ):
        ends = zip(body.pair(first), body.pair(name), body.pair(last), strict=True)
        left, right = (2 * angle(*end) / math.pi - 1 for end in ends)
        yield from _both(f"{name} straight", left, right)
        yield from _classes(f"{name} straight", mean((left, right)), 3)
    for name, top, low in (("legs", "hip", "knee"), ("arms", "shoulder", "elbow")):
        one, other = (b - a for a, b in zip(body.pair(top), body.pair(low), strict=True))
        yield f"{name} spread", between(one, other) / math.pi


def _directions(body: _Figure) -> Named:
    """Directions of limbs, away from the trunk: up is 1, down -1; level is 1 to any side."""
    for name, top, low in (
        ("upper arm", "shoulder", "elbow"),
        ("forearm", "elbow", "wrist"),
        ("arm", "shoulder", "wrist"),
        ("thigh", "hip", "knee"),
        ("shank", "knee", "ankle"),
        ("leg", "hip", "ankle"),
    ):
        one, other = (_unit(b - a) for a, b in zip(body.pair(top), body.pair(low), strict=True))
        yield from _both(f"{name} up", one[1], other[1])
        yield from _both(f"{name} level", abs(one[0]), abs(other[0]))


def _trunk(body: _Figure) -> Named:
    trunk, neck = _unit(body.trunk), _unit(body.head - body.shoulders)
    yield "trunk up", trunk[1]
    yield "trunk level", abs(trunk[0])
    tilt = between(body.trunk, _UP) / math.pi
    yield "trunk inclination", tilt  # 0 upright, 1 on the head
    yield from _classes("trunk inclination", 2 * tilt - 1, 5)
    yield "head up from the shoulders", neck[1]
    yield "head level with the shoulders", abs(neck[0])
    yield "head in line with the trunk", float(neck @ trunk)
    lines = []
    for name in ("shoulder", "hip"):
        left, right = body.pair(name)
        lines.append(left - right)
        yield f"{name} line tilted", abs(_unit(left - right)[1])
        yield f"{name} width", math.dist(left, right)
    yield "shoulders turned against hips", between(*lines) / math.pi


def _extension(body: _Figure) -> Named:
    """How far apart things are; 1 is as far as a body goes."""
    for far, root in (
        ("wrist", body.shoulders),
        ("wrist", body.hips),
        ("elbow", body.shoulders),
        ("ankle", body.hips),
        ("ankle", body.shoulders),
        ("knee", body.hips),
    ):
        which = "shoulders" if root is body.shoulders else "hips"
        left, right = (math.dist(joint, root) / _FAR for joint in body.pair(far))
        yield from _both(f"{far} from {which}", left, right)
    for name in ("wrist", "ankle", "knee"):
        yield f"{name} from {name}", math.dist(*body.pair(name)) / _FAR
    for near, other in (("wrist", "ankle"), ("wrist", "knee")):
        apart = [math.dist(a, b) / _FAR for a in body.pair(near) for b in body.pair(other)]
        yield f"{near} from nearest {other}", _least(apart)
    yield "wrist from head, nearest", _least(math.dist(joint, body.head) / _FAR for joint in body.pair("wrist"))
    away = [math.dist(joint, _mass_middle(body)) for joint in body.joints[5:]]
    yield "reach, largest", -_least(-distance for distance in away) / _FAR
    yield "reach, mean", mean(away) / 2


def _in_trunk(body: _Figure) -> Named:
    """Places along the trunk from the hips (its shoulders are at 1/3), and across it."""
    for name in ("wrist", "elbow", "knee", "ankle"):
        left, right = (_along_across(body, joint) / _FAR for joint in body.pair(name))
        yield from _both(f"{name} along the trunk", left[0], right[0])
        yield from _both(f"{name} across the trunk", abs(left[1]), abs(right[1]))
    head = _along_across(body, body.head) / _FAR
    yield "head along the trunk", head[0]
    yield "head across the trunk", abs(head[1])


def _heights(body: _Figure) -> Named:
    """How far things are above the hips, or above something else."""
    for name in ("wrist", "elbow", "knee", "ankle"):
        left, right = body.pair(name)
        yield from _both(f"{name} above hips", (left - body.hips)[1] / _FAR, (right - body.hips)[1] / _FAR)
    yield "head above hips", (body.head - body.hips)[1] / _FAR
    yield "shoulders above hips", (body.shoulders - body.hips)[1] / _FAR
    left, right = body.pair("wrist")
    for over, root in (("shoulders", body.shoulders), ("head", body.head)):
        yield from _both(f"wrist above {over}", (left - root)[1] / _FAR, (right - root)[1] / _FAR)


def _symmetry(body: _Figure) -> Named:
    """1 where the right side is the left one's mirror image, about the trunk or about a plumb line; else nearer 0."""
    limbs = {"arms": ("elbow", "wrist"), "legs": ("knee", "ankle"), "body": ("elbow", "wrist", "knee", "ankle")}
    for about in ("the trunk", "a plumb line"):
        for name, joints in limbs.items():
            apart = []
            for joint in joints:
                left, right = (
                    _along_across(body, place) if about == "the trunk" else place - body.hips
                    for place in body.pair(joint)
                )
                mirrored = np.array([1.0, -1.0]) if about == "the trunk" else np.array([-1.0, 1.0])
                apart.append(math.dist(left, right * mirrored))
            yield f"{name} symmetric about {about}", math.exp(-mean(apart))


def _inversion(body: _Figure) -> Named:
    """1 where something is clearly upside down, -1 where it is the usual way up."""
    wrists, ankles = (middle(np.stack(body.pair(name))) for name in ("wrist", "ankle"))
    found = {
        "hips above shoulders": body.hips - body.shoulders,
        "head below hips": body.hips - body.head,
        "feet above hips": ankles - body.hips,
        "feet above head": ankles - body.head,
        "hands below feet": ankles - wrists,
    }
    values = {name: math.tanh(apart[1] / _FIRM) for name, apart in found.items()}
    yield from values.items()
    yield "inverted", mean(values.values())


def _support(body: _Figure) -> Named:
    """What carries the body: what is lowest, how wide it stands, what is over it."""
    ground = _least(body.joints[:, 1])
    for name in ("wrist", "elbow", "knee", "ankle"):
        contacts = [_contact(joint[1] - ground) for joint in body.pair(name)]
        yield f"{name} carries, one", -_least(-c for c in contacts)
        yield f"{name} carries, both", _least(contacts)
    for name, place in (("head", body.head), ("hips", body.hips), ("shoulders", body.shoulders)):
        yield f"{name} carry", _contact(place[1] - ground)
    ends = np.stack([*body.pair("wrist"), *body.pair("ankle")])
    low = body.joints[body.joints[:, 1] - ground < _NEAR_FLOOR]
    yield "hands and feet near the floor", float((ends[:, 1] - ground < _NEAR_FLOOR).sum()) / 4
    yield "width of support", (float(np.ptp(low[:, 0])) if len(low) else math.nan) / 4
    mass = _mass_middle(body)
    yield "balance off the support's middle", abs(mass[0] - (low[:, 0].min() + low[:, 0].max()) / 2 if len(low) else 0)
    for name, place in (("hips", body.hips), ("shoulders", body.shoulders), ("head", body.head), ("weight", mass)):
        yield f"{name} over support", (place[1] - ground) / 4
    wide, tall = (-_least(-body.joints[:, k]) - _least(body.joints[:, k]) for k in (0, 1))
    yield "wide", wide / 5
    yield "tall", tall / 5
    yield "taller than wide", (tall - wide) / max(tall + wide, 1e-6)


def _visibility(scores: np.ndarray, joints: np.ndarray) -> Named:
    """Mean score of the points of a group, those not seen as 0."""
    seen = np.where(np.isnan(joints[:, 0]), 0.0, scores)
    groups = {
        "head": range(5),
        "shoulders": (5, 6),
        "elbows": (7, 8),
        "hands": (9, 10),
        "hips": (11, 12),
        "knees": (13, 14),
        "feet": (15, 16),
        "body": range(17),
    }
    for name, members in groups.items():
        yield f"{name} seen", float(seen[list(members)].mean())
    yield "sides seen unequally", abs(float(seen[5::2].mean() - seen[6::2].mean()))


def _mass_middle(body: _Figure) -> np.ndarray:
    """About where the weight of what is seen is, (2,)."""
    parts = [(0.1, body.head)] + [(share, joint) for name, share in _MASSES.items() for joint in body.pair(name)]
    known = [(share, place) for share, place in parts if not np.isnan(place[0])]
    if not known:
        return np.full(2, np.nan)
    shares = np.array([share for share, _ in known])
    weighed: np.ndarray = shares @ np.stack([place for _, place in known]) / shares.sum()
    return weighed


def _along_across(body: _Figure, place: np.ndarray) -> np.ndarray:
    """(2,) how far a place is from the hips along the trunk and across it, trunk lengths."""
    along, away = _unit(body.trunk), place - body.hips
    return np.array([away @ along, away[1] * along[0] - away[0] * along[1]])


def _contact(height: float) -> float:
    return math.exp(-max(height, 0.0) / _CONTACT) if not math.isnan(height) else math.nan


def _unit(vector: np.ndarray) -> np.ndarray:
    return vector / max(math.hypot(*vector), 1e-6)


def _least(values: Iterator[float] | np.ndarray | list[float]) -> float:
    """Least of those that are known; NaN where none is."""
    return min((float(value) for value in values if not math.isnan(value)), default=math.nan)


POSE_NAMES: tuple[str, ...] = tuple(name for name, _ in _describe(np.zeros((17, 3)), 1.0))
"""What each value of the descriptor is."""
