"""One performer through the pictures of an interval: looked for near where they were last seen.

Lengths in here are in picture heights, so that a step to the side is as long as a step up. A person's `reach` is how
far their farthest point is from the middle of the trunk: about half of an outstretched body.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import NamedTuple, Protocol

import numpy as np

from toprock.backbones.base import Box, Frame
from toprock.backbones.pose.movenet import WHOLE

POINT_SCORE = 0.2
"""A point with a lower score is not seen (as in MoveNet's own examples)."""
PERSON_SCORE = 0.3
"""Mean score of the nine best points from which there is a person. People have 0.5 and more; of forty textures and
noises none had more than 0.23."""
REGION_REACHES = 1.25
"""Half a side of the square searched around the last place, in reaches ..."""
REGION_REACHES_PER_S = 1.0
"""... and how much it grows in each second since."""
JUMP_REACHES = 0.35
"""How far from the last place the same person can be, in reaches; farther is another person ..."""
JUMP_REACHES_PER_S = 2.0
"""... and how much this grows in each second since."""
REACH_MEMORY_S = 2.0
"""A body that draws itself in keeps its reach for about this long: it may stretch again."""
HOLD_S = 1.0
"""Not seen for so long, a performer is lost: until then the box stays, and no one farther off is taken for them."""
EASE_S = 1.0
"""Time constant with which the box of a lost performer widens to the whole picture."""
GROW_S = 0.1
"""Time constant of the box's edges where they move outwards (quick: nothing should be cut off) ..."""
SHRINK_S = 0.5
"""... and where they move inwards."""
PADDING = 0.15
"""Added to each side of the points' box, as a share of its longer side: head and hands end beyond their points."""
LEAST_REACH = 0.04
"""Heights; keeps the box of a far or hidden body larger than nothing."""
MOST_WINDOWS = 5
"""Squares looked into along a picture in search of a performer."""

_BEST = 9
_TRUNK = (5, 6, 11, 12)


class Sighting(NamedTuple):
    """What is known of the performer in one picture.

    Attributes:
        points: (17, 3) float32 as `MoveNet.points` gives them; None where the performer was not found.
        box: the performer's box, padded and smoothed, within the picture; x0, y0, x1, y1 in its fractions.
        found: whether the performer was found in this picture.
    """

    points: np.ndarray | None
    box: Box
    found: bool


class PointFinder(Protocol):
    """What finds the points of the person in the middle of a box; see `MoveNet`."""

    def points(self, image: np.ndarray, box: Box | None = None) -> np.ndarray:
        """(17, 3) float32: x, y in fractions of the whole picture, score."""
        ...


class PerformerTracker:
    """Stays with one performer: the one in the start box, or the largest one near the middle where there is none.

    Every shot begins anew. While the performer is in sight, a picture costs one look of the net.

    Args:
        net: finds the points.
        start_box: where the performer is in the first picture; fractions of the picture. It counts up to the
            first cut.
    """

    def __init__(self, net: PointFinder, *, start_box: Box | None = None) -> None:
        self._net = net
        self._start_box = start_box
        self._time_s: float | None = None  # of the newest picture
        self._seen_s: float | None = None  # when the performer was last seen, or said to be in the start box
        self._last: _Body | None = None
        self._box = WHOLE

    def push(self, frame: Frame, *, new_shot: bool) -> Sighting:
        """Look for the performer in the next picture; `new_shot` as in `Describer.push`."""
        time_s = float(frame.time_s)
        if self._time_s is None or new_shot:
            self._begin(time_s, first=self._time_s is None)
        step_s = 0.0 if self._time_s is None else max(time_s - self._time_s, 0.0)
        self._time_s = time_s
        body = self._find(frame.image, time_s)
        if body is None:
            lost_s = math.inf if self._seen_s is None else max(time_s - self._seen_s - HOLD_S, 0.0)
            self._box = _towards(self._box, WHOLE, min(step_s, lost_s), EASE_S, EASE_S)
            return Sighting(None, self._box, False)
        box, last = _padded(body), self._last
        self._box = box if last is None else _towards(self._box, box, step_s, GROW_S, SHRINK_S)
        if last is not None and self._seen_s is not None and time_s - self._seen_s <= HOLD_S:
            kept = last.reach * math.exp((self._seen_s - time_s) / REACH_MEMORY_S)
            body = body._replace(reach=max(body.reach, kept))
        self._last, self._seen_s = body, time_s
        return Sighting(body.points, self._box, True)

    def _begin(self, time_s: float, *, first: bool) -> None:
        start = self._start_box if first else None
        self._last = None
        self._seen_s = None if start is None else time_s
        self._box = WHOLE if start is None else start

    def _find(self, image: np.ndarray, time_s: float) -> _Body | None:
        """The performer, who may not be farther off than they can have got since they were last seen."""
        gap_s = 0.0 if self._seen_s is None else time_s - self._seen_s
        lost = self._seen_s is None or gap_s > HOLD_S
        last = self._last
        if last is None and not lost:
            body = self._look(image, self._box)
            return body if body is not None and body.is_within(self._box) else None
        if last is not None and not lost:
            for box in (last.region(gap_s), _padded(last)):  # the second hides who else is in the first
                body = self._look(image, box)
                if body is not None and body.may_be(last, gap_s):
                    return body
        bodies = [body for box in _windows(image) if (body := self._look(image, box)) is not None]
        if last is not None and not lost:
            bodies = [body for body in bodies if body.may_be(last, gap_s)]
        if not bodies:
            return None
        best = max(bodies, key=_Body.prominence)
        nearer = self._look(image, best.region(0.0))
        return nearer if nearer is not None and nearer.may_be(best, 0.0) else best

    def _look(self, image: np.ndarray, box: Box) -> _Body | None:
        return _body(self._net.points(image, box), image.shape[1] / image.shape[0])


class _Body(NamedTuple):
    """A person in a picture. Place and lengths are in picture heights."""

    points: np.ndarray  # (17, 3) in fractions
    aspect: float
    centre: tuple[float, float]
    reach: float
    score: float

    def region(self, gap_s: float) -> Box:
        """The square in which the person is to be looked for `gap_s` later."""
        half = self.reach * (REGION_REACHES + REGION_REACHES_PER_S * gap_s)
        (x, y), aspect = self.centre, self.aspect
        if half >= max(aspect, 1.0):
            return WHOLE
        x, y = min(max(x, 0.0), aspect), min(max(y, 0.0), 1.0)
        return ((x - half) / aspect, y - half, (x + half) / aspect, y + half)

    def may_be(self, last: _Body, gap_s: float) -> bool:
        """Whether the person seen `gap_s` earlier can be this one."""
        away = math.dist(self.centre, last.centre)
        return away <= last.reach * (JUMP_REACHES + JUMP_REACHES_PER_S * gap_s)

    def is_within(self, box: Box) -> bool:
        x, y = self.centre[0] / self.aspect, self.centre[1]
        return box[0] <= x <= box[2] and box[1] <= y <= box[3]

    def prominence(self) -> float:
        """Large, near the middle of the picture, and surely a person."""
        away = math.dist(self.centre, (self.aspect / 2, 0.5)) / (math.hypot(self.aspect, 1.0) / 2)
        return self.score * self.reach * (1.0 - 0.6 * min(away, 1.0))


def _body(points: np.ndarray, aspect: float) -> _Body | None:
    """The person with these points, or None where there is none."""
    scores = points[:, 2]
    score = float(np.sort(scores)[-_BEST:].mean())
    seen = scores >= POINT_SCORE
    if score < PERSON_SCORE or seen.sum() < _BEST // 2:
        return None
    places = points[:, :2] * (aspect, 1.0)
    trunk = [k for k in _TRUNK if seen[k]]
    centre = places[trunk].mean(axis=0) if len(trunk) > 1 else places[seen].mean(axis=0)
    reach = float(np.hypot(*(places[seen] - centre).T).max())
    return _Body(points, aspect, (float(centre[0]), float(centre[1])), max(reach, LEAST_REACH), score)


def _padded(body: _Body) -> Box:
    """The box around the points seen, within the picture."""
    places = body.points[body.points[:, 2] >= POINT_SCORE, :2] * (body.aspect, 1.0)
    low, high = places.min(axis=0), places.max(axis=0)
    pad = max(PADDING * float((high - low).max()), LEAST_REACH)
    size = (body.aspect, 1.0)
    low = np.clip(low - pad, 0.0, np.subtract(size, pad))  # a body out of the picture leaves its rim
    high = np.clip(high + pad, low + pad, size)
    return (float(low[0] / size[0]), float(low[1]), float(high[0] / size[0]), float(high[1]))


def _towards(box: Box, aim: Box, step_s: float, grow_s: float, shrink_s: float) -> Box:
    """The box on its way to `aim` after a step; the time constant is `grow_s` for edges that move outwards."""
    grown, shrunk = (1.0 - math.exp(-step_s / constant_s) for constant_s in (grow_s, shrink_s))
    moved = [
        edge + (wanted - edge) * (grown if (wanted < edge) == (side < 2) else shrunk)
        for side, (edge, wanted) in enumerate(zip(box, aim, strict=True))
    ]
    return (moved[0], moved[1], moved[2], moved[3])


def _windows(image: np.ndarray) -> Iterator[Box]:
    """The whole picture, and where it is not square, overlapping squares along it: a person is larger in those."""
    yield WHOLE
    height, width = image.shape[:2]
    longer = max(height, width) / min(height, width)
    share, count = 1.0 / longer, min(math.ceil(2.0 * (longer - 1.0)) + 1, MOST_WINDOWS)
    if longer < 1.2:
        return
    for k in range(count):
        start = (1.0 - share) * k / (count - 1)
        yield (start, 0.0, start + share, 1.0) if width > height else (0.0, start, 1.0, start + share)
