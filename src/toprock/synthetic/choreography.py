"""A performance as a plan: who dances what when, which moments are planted, and the quality that follows.

Quality comes from the planted moments and from nothing else. Every toprock, footwork and freeze has two
places for a moment, one of timing and then one of posture; spins and drops have none. A latent ability
a ~ U(0, 1) sets the chances of a good (0.05 + 0.75 a), a bad (0.8 - 0.75 a) and a neutral (0.15) outcome, for
each place alike; a performance without any good or any bad one gets one in place of a neutral. With N places,

    net     = (sum of good weights - sum of bad weights) / N
    quality = 1 / (1 + exp(-3 net))

where a moment weighs 1, a stumble 1.5. What is danced, by whom, where and for how long is drawn from other
random streams than the ability and the outcomes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, cast

import numpy as np

from toprock.backbones.base import Stream
from toprock.synthetic.body import DIMENSION, Proportions, forward_kinematics, make_pose, scalar
from toprock.synthetic.moves import (
    PLANTABLE,
    ElementKind,
    Style,
    element_keys,
    transition_s,
)
from toprock.synthetic.postures import Outcome, Planted, Posture, posture
from toprock.synthetic.timing import Warp, make_warp, path_offset, path_times

FPS = 20
DURATION_S = (14.0, 22.0)
GRID_S = 0.01  # the path of poses is sampled this finely
_BLEND_S = (0.1, 0.38)  # bounds on the way into and out of another posture
_BLEND_SPEED = {"toprock": 1.3, "footwork": 1.9, "freeze": 1.2, "spin": 1.9}  # body heights/s, mean of joints
_TILT = 0.6  # radians: a posture tilts the body no further than this
_FREEZE_IN_S = 0.02  # a freeze's change of speed begins this long after the freeze
_STEEPNESS = 3.0
_WEIGHTS = {"stumble": 1.5}
_LENGTH_S: dict[ElementKind, tuple[float, float]] = {
    "toprock": (2.5, 3.3),
    "footwork": (2.5, 3.3),
    "spin": (1.2, 1.9),
    "freeze": (2.3, 2.9),
    "drop": (0.7, 0.9),
}
_TIMINGS: dict[ElementKind, dict[str, tuple[str, ...]]] = {
    "toprock": {"good": ("on the beat",), "bad": ("wobble", "stumble")},
    "footwork": {"good": ("on the beat",), "bad": ("wobble",)},
    "freeze": {"good": ("stuck landing",), "bad": ("backs out",)},
}


@dataclass(frozen=True)
class PlantedMoment:
    """A span of time that makes a performance better or worse.

    Attributes:
        start_s, end_s: seconds in the video.
        label: good or bad.
        kind: what it is, such as "bent knees".
        stream: where it shows: `static` (postures; the motion is as everywhere), `dynamic` (speed along the
            path; the postures are as everywhere).
    """

    start_s: float
    end_s: float
    label: Literal["good", "bad"]
    kind: str
    stream: Stream


@dataclass(frozen=True)
class PosturePlan:
    """Another posture, full from `start_s + blend_s` to `end_s - blend_s`, in real time."""

    start_s: float
    end_s: float
    blend_s: float
    posture: Posture

    @property
    def label_s(self) -> tuple[float, float]:
        """From where it is half there to where it is half gone."""
        return self.start_s + self.blend_s / 2, self.end_s - self.blend_s / 2


@dataclass(frozen=True)
class Element:
    """One element in real time with the random seed of its path."""

    kind: ElementKind
    variant: int
    start_s: float
    end_s: float
    seed: int


@dataclass(frozen=True)
class Choreography:
    """A plan; `joints` and `faultless` turn it into bodies in space."""

    duration_s: float
    quality: float
    moments: tuple[PlantedMoment, ...]
    elements: tuple[Element, ...]
    warps: tuple[Warp, ...]
    postures: tuple[PosturePlan, ...]
    style: Style
    place: tuple[float, float]

    def times(self) -> np.ndarray:
        """Times (T,) of the frames in seconds."""
        return np.arange(round(self.duration_s * FPS)) / FPS

    def path(self, body: Proportions, *, planted_postures: bool = True) -> np.ndarray:
        """Joints (P, 20, 3) at every `GRID_S` of the path, before any change of speed."""
        return forward_kinematics(self._poses(planted_postures), body, GRID_S)

    def joints(self, body: Proportions, *, planted_postures: bool = True, planted_timing: bool = True) -> np.ndarray:
        """Joints (T, 20, 3) of every frame, in body heights.

        Args:
            body: lengths.
            planted_postures: False leaves out good and bad postures; normal variations stay.
            planted_timing: False dances the path at constant speed.
        """
        path = self.path(body, planted_postures=planted_postures)
        where = path_times(self.times(), self.warps if planted_timing else ()) / GRID_S
        where = np.clip(where, 0, len(path) - 1.001)
        low = where.astype(int)
        part = (where - low)[:, None, None]
        return (1 - part) * path[low] + part * path[low + 1]

    def _at_ease(self) -> np.ndarray:
        """How the performer stands before the first move."""
        x, z = self.place
        return make_pose(yaw=self.style.facing, x=x, z=z, arms=((0.3, -1, 0), (0.1, -1, 0.2)), bend=0.05)

    def _poses(self, planted: bool) -> np.ndarray:
        times: list[float] = []
        keys: list[np.ndarray] = []
        for element in self.elements:
            start = element.start_s - path_offset(element.start_s, self.warps)
            end = element.end_s - path_offset(element.end_s, self.warps)
            rng = np.random.default_rng(element.seed)
            for at, pose in element_keys(element.kind, element.variant, end - start, self.style, rng):
                pose = pose.copy()
                if keys:
                    _unwind(pose, keys[-1])
                else:
                    times.append(0.0)
                    keys.append(self._at_ease())
                pose[scalar("x")] += self.place[0]
                pose[scalar("z")] += self.place[1]
                times.append(start + at)
                keys.append(pose)
        grid = np.arange(0, self.duration_s + GRID_S, GRID_S)
        poses = interpolate(np.array(times), np.array(keys), grid)
        for plan in self.postures:
            if planted:
                start, end = path_times(np.array([plan.start_s, plan.end_s]), self.warps)
                weight = _trapezoid(grid, start, end, plan.blend_s)[:, None]
                pose = _fitted(plan.posture.pose, poses[int((start + end) / 2 / GRID_S)])
                replaced = weight * plan.posture.mask
                poses = poses * (1 - replaced) + replaced * pose + weight * plan.posture.add
        return poses


def choreograph(seed: int, index: int) -> Choreography:
    """The plan number `index` of `seed`."""
    structure, path, ability, outcomes = (
        np.random.default_rng(np.random.SeedSequence([seed, index, part])) for part in range(4)
    )
    style = Style.draw(structure)
    duration = round(structure.uniform(*DURATION_S) * FPS) / FPS
    elements = _sequence(duration, structure, path)
    place = (structure.uniform(-0.12, 0.12), structure.uniform(-0.15, 0.15))
    plantable = [e for e in elements if e.kind in PLANTABLE]
    moments: list[PlantedMoment] = []
    warps: list[Warp] = []
    postures: list[PosturePlan] = []
    drawn = iter(_outcomes(2 * len(plantable), ability.uniform(), outcomes))
    for element in plantable:
        timing, shape = next(drawn), next(drawn)
        if timing != "neutral":
            warp, kind = _plan_warp(element, timing, style, outcomes)
            warps.append(warp)
            moments.append(_moment(warp, timing, kind, "dynamic"))
            if kind == "stumble":
                postures.append(PosturePlan(warp.start_s, warp.end_s, 0.3, _lurch(outcomes)))
        if shape != "neutral":
            plan = _plan_posture(element, shape, style, outcomes)
            postures.append(plan)
            moments.append(_moment(plan, shape, plan.posture.name, "static"))
    return Choreography(
        duration,
        _quality(moments, 2 * len(plantable)),
        tuple(moments),
        elements,
        tuple(warps),
        tuple(postures),
        style,
        place,
    )


def _moment(span: PosturePlan | Warp, label: Planted, kind: str, stream: Stream) -> PlantedMoment:
    start, end = span.label_s
    return PlantedMoment(round(start, 3), round(end, 3), label, kind, stream)


def _halfway(element: Element, style: Style) -> float:
    """Where the place for a moment of timing ends and that for one of posture begins."""
    way_in = transition_s(element.kind, style)
    if element.kind == "freeze":  # after the longest change of speed on the way in
        return element.start_s + _FREEZE_IN_S + max(0.9, 1.3 * way_in)
    return (element.start_s + way_in + element.end_s) / 2


def _outcomes(count: int, ability: float, rng: np.random.Generator) -> list[Outcome]:
    """One outcome a place; at least one good and one bad, whatever the ability."""
    names: tuple[Outcome, ...] = ("good", "neutral", "bad")
    drawn = [names[n] for n in rng.choice(3, size=count, p=(0.05 + 0.75 * ability, 0.15, 0.8 - 0.75 * ability))]
    wanted: Outcome
    for wanted in ("good", "bad"):
        free = [place for place, outcome in enumerate(drawn) if outcome == "neutral"]
        if wanted not in drawn and free:
            drawn[int(rng.choice(free))] = wanted
    return drawn


def _quality(moments: Sequence[PlantedMoment], elements: int) -> float:
    net = sum((1.0 if m.label == "good" else -1.0) * _WEIGHTS.get(m.kind, 1.0) for m in moments) / elements
    return float(1 / (1 + np.exp(-_STEEPNESS * net)))


def _sequence(duration_s: float, structure: np.random.Generator, path: np.random.Generator) -> tuple[Element, ...]:
    """Toprock, down, power and footwork and freezes, perhaps up again, a freeze at the end."""
    shares = structure.dirichlet((2.0, 2.0, 1.6))
    kinds = _upright(int(structure.integers(1, 5)))
    lengths = [structure.uniform(*_LENGTH_S[k]) for k in kinds]
    floor = 0
    while sum(lengths) < duration_s - 3.2:
        if floor >= 4 and structure.uniform() < 0.12 and sum(lengths) < duration_s - 8:
            added = _upright(int(structure.integers(1, 3)))
            floor = 0
        else:
            added = [cast(ElementKind, str(structure.choice(["footwork", "spin", "freeze"], p=shares)))]
            floor += 1
        kinds += added
        lengths += [structure.uniform(*_LENGTH_S[k]) for k in added]
    kinds.append("freeze")
    lengths.append(structure.uniform(*_LENGTH_S["freeze"]))
    scaled = np.array(lengths) * duration_s / sum(lengths)
    ends = np.cumsum(scaled)
    return tuple(
        Element(kind, int(path.integers(12)), float(end - length), float(end), int(path.integers(2**31)))
        for kind, end, length in zip(kinds, ends, scaled, strict=True)
    )


def _upright(count: int) -> list[ElementKind]:
    return [*(["toprock"] * count), "drop"]  # type: ignore[list-item]


def _plan_posture(element: Element, outcome: Planted, style: Style, rng: np.random.Generator) -> PosturePlan:
    """Where another posture comes; the way there is as fast as the element's own moves."""
    low, high = {"good": (0.6, 1.0), "bad": (0.36, 0.5)}[outcome]
    made = posture(element.kind, outcome, element.variant, style, rng)
    first, last = _halfway(element, style) + 0.1, element.end_s - 0.05
    moment = rng.uniform(first, last)
    way = _distance(_pose_near(element, moment - element.start_s, style), made)
    speed = _BLEND_SPEED[element.kind] * rng.uniform(0.8, 1.25)
    blend = min(float(np.clip(1.5 * way / speed, *_BLEND_S)), (last - first - low) / 2)
    length = min(rng.uniform(low, high) + blend, last - first)
    start = float(np.clip(moment - length / 2, first, last - length))
    return PosturePlan(start, start + length, blend, made)


def _pose_near(element: Element, time_s: float, style: Style) -> np.ndarray:
    """The element's key pose next to `time_s` after its start."""
    rng = np.random.default_rng(element.seed)
    keys = element_keys(element.kind, element.variant, element.end_s - element.start_s, style, rng)
    return min(keys, key=lambda key: abs(key[0] - time_s))[1]


def _distance(pose: np.ndarray, other: Posture) -> float:
    """Mean distance in body heights that the joints travel from a pose to another posture."""
    fitted = _fitted(other.pose, pose)
    target = pose * (1 - other.mask) + fitted * other.mask + other.add
    joints = forward_kinematics(np.stack([pose, target]), Proportions(), GRID_S)
    return float(np.linalg.norm(joints[1] - joints[0], axis=-1).mean())


def _plan_warp(element: Element, outcome: Planted, style: Style, rng: np.random.Generator) -> tuple[Warp, str]:
    """Where the speed along the path changes, and how."""
    low, high = {"good": (0.9, 1.4), "bad": (0.75, 1.1)}[outcome]
    choices = _TIMINGS[element.kind][outcome]
    name = str(choices[int(rng.integers(len(choices)))])
    length = rng.uniform(low, high)
    way_in = transition_s(element.kind, style)
    if element.kind == "freeze":  # only the way in moves
        start = element.start_s + _FREEZE_IN_S
        length = max(0.9, way_in / 0.8) if name == "stuck landing" else max(0.8, 1.3 * way_in)
    else:
        first, last = element.start_s + 0.6 * way_in, _halfway(element, style)
        length = min(length, last - first)
        start = rng.uniform(first, max(first + 1e-6, last - length))
    cycles = max(3, round(length * 4.2))
    warp = make_warp("hesitation" if name == "stumble" else name, start, start + length, cycles=cycles)
    return warp, name


def _lurch(rng: np.random.Generator) -> Posture:
    """The body thrown off balance, added to whatever is danced."""
    add = np.zeros(DIMENSION)
    add[scalar("lean")] = rng.choice([-1, 1]) * rng.uniform(0.35, 0.5)
    add[scalar("bend")] = rng.uniform(0.3, 0.5)
    return Posture("stumble", np.zeros(DIMENSION), np.zeros(DIMENSION), add)


def _unwind(pose: np.ndarray, before: np.ndarray) -> None:
    """Add whole turns so that no angle goes the long way round."""
    for name in ("yaw", "roll", "pitch"):
        number = scalar(name)
        pose[number] += 2 * np.pi * np.round((before[number] - pose[number]) / (2 * np.pi))


def _fitted(pose: np.ndarray, path: np.ndarray) -> np.ndarray:
    """A posture's pose in the same turn as the path's, tilted no further than `_TILT` from it."""
    fitted = pose.copy()
    _unwind(fitted, path)
    number = scalar("pitch")
    fitted[number] = np.clip(fitted[number], path[number] - _TILT, path[number] + _TILT)
    return fitted


def _trapezoid(times: np.ndarray, start: float, end: float, blend: float) -> np.ndarray:
    rise = np.clip((times - start) / blend, 0, 1)
    fall = np.clip((end - times) / blend, 0, 1)
    edge = np.minimum(rise, fall)
    return edge * edge * (3 - 2 * edge)


def interpolate(times: np.ndarray, values: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """Monotone cubic interpolation (Fritsch and Butland, 1984) of (N, D) at `wanted`; constant outside."""
    steps = np.diff(times)[:, None]
    slopes = np.diff(values, axis=0) / steps
    tangents = np.zeros_like(values)
    left, right, h0, h1 = slopes[:-1], slopes[1:], steps[:-1], steps[1:]
    w0, w1 = 2 * h1 + h0, h1 + 2 * h0
    same = left * right > 0
    with np.errstate(divide="ignore", invalid="ignore"):
        tangents[1:-1] = np.where(same, (w0 + w1) / (w0 / left + w1 / right), 0.0)
    at = np.clip(np.searchsorted(times, wanted, side="right") - 1, 0, len(times) - 2)
    width = steps[at]
    u = np.clip((wanted - times[at])[:, None] / width, 0, 1)
    return (
        (1 + 2 * u) * (1 - u) ** 2 * values[at]
        + u * (1 - u) ** 2 * width * tangents[at]
        + u * u * (3 - 2 * u) * values[at + 1]
        + u * u * (u - 1) * width * tangents[at + 1]
    )
