"""A body as places of its joints: what both descriptors measure on. A joint that is not seen is NaN, all the way."""

from __future__ import annotations

import math
from collections.abc import Iterable

import numpy as np

from toprock.backbones.pose.tracking import POINT_SCORE

HEAD = slice(0, 5)
PAIRS = {"shoulder": (5, 6), "elbow": (7, 8), "wrist": (9, 10), "hip": (11, 12), "knee": (13, 14), "ankle": (15, 16)}
"""Joints of the left and of the right side."""

_BONES = (  # and how long each is in trunk lengths, from shoulder to hip (Winter, Biomechanics, 2009, table 4.1)
    (5, 11, 1.0),
    (6, 12, 1.0),
    (11, 13, 0.85),
    (12, 14, 0.85),
    (13, 15, 0.85),
    (14, 16, 0.85),
    (5, 7, 0.65),
    (6, 8, 0.65),
    (7, 9, 0.5),
    (8, 10, 0.5),
)
_LEAST_TRUNK = 0.01  # picture heights


def places(points: np.ndarray, aspect: float) -> np.ndarray:
    """Joints in picture heights, x to the right, y upwards, NaN where one is not seen.

    Args:
        points: (..., 17, 3) x, y in fractions of the picture (y downwards), score.
        aspect: width of the picture over its height.

    Returns:
        (..., 17, 2) float64.
    """
    found = np.asarray(points, dtype=np.float64)
    seen = (found[..., 2] >= POINT_SCORE) & np.isfinite(found).all(axis=-1)
    return np.where(seen[..., None], found[..., :2] * (aspect, -1.0), np.nan)


def trunk_length(joints: np.ndarray) -> float:
    """Length of the trunk in the unit of `joints` (17, 2), as it would be seen from the side; NaN if nothing tells.

    A view only ever shortens, so it is the median of the three longest that the bones speak for.
    """
    lengths = [math.dist(joints[a], joints[b]) / share for a, b, share in _BONES]
    longest = sorted(length for length in lengths if not math.isnan(length))[-3:]
    return max(float(np.median(longest)), _LEAST_TRUNK) if longest else math.nan


def mean(values: Iterable[float]) -> float:
    """Mean of those that are known; NaN where none is."""
    known = [value for value in values if not math.isnan(value)]
    return sum(known) / len(known) if known else math.nan


def middle(joints: np.ndarray) -> np.ndarray:
    """Mean (2,) of the joints (N, 2) that are known; NaN where none is."""
    known = joints[~np.isnan(joints[:, 0])]
    return known.mean(axis=0) if len(known) else np.full(2, np.nan)


def angle(first: np.ndarray, at: np.ndarray, last: np.ndarray) -> float:
    """Angle at a joint between those to both sides of it: 0 folded, pi straight."""
    return between(first - at, last - at)


def between(one: np.ndarray, other: np.ndarray) -> float:
    """Angle between two directions, 0 to pi."""
    return abs(math.atan2(one[0] * other[1] - one[1] * other[0], one[0] * other[0] + one[1] * other[1]))
