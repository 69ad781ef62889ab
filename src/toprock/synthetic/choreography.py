"""A performance as a plan: who dances what when, which moments are planted, and the quality that follows.

Quality comes from the planted moments and from nothing else. A latent ability a ~ U(0, 1) sets, for each element
alike, the chances of a good (0.10 + 0.36 a), a bad (0.46 - 0.36 a) and a neutral (0.44) outcome. With N elements
that can carry a moment,

    net     = (sum of good weights - sum of bad weights) / N
    quality = 1 / (1 + exp(-5 net))

where a moment weighs 1, a stumble 1.5. What is danced, by whom, where and for how long is drawn from other random
streams than the ability and the outcomes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, cast

import numpy as np

from toprock.backbones.base import Stream
from toprock.synthetic.body import DIMENSION, Proportions, forward_kinematics, scalar
from toprock.synthetic.moves import (
    PLANTABLE,
    ElementKind,
    Posture,
    Style,
    element_keys,
    posture,
    transition_s,
)
from toprock.synthetic.timing import Warp, make_warp, path_offset, path_times

FPS = 20
DURATION_S = (18.0, 32.0)
GRID_S = 0.01  # the path of poses is sampled this finely
_BLEND_S = 0.12  # half width of the way into and out of another posture
_STEEPNESS = 5.0
_WEIGHTS = {"stumble": 1.5}
_LENGTH_S: dict[ElementKind, tuple[float, float]] = {
    "toprock": (1.9, 2.9), "footwork": (1.9, 2.8), "spin": (1.9, 2.8), "freeze": (1.9, 2.6), "drop": (0.7, 1.0),
}  # fmt: skip
_TIMINGS: dict[ElementKind, dict[str, tuple[str, ...]]] = {
    "toprock": {"good": ("on the beat",), "bad": ("stutter", "hesitation", "wobble", "backs out", "stumble")},
    "footwork": {"good": ("on the beat",), "bad": ("stutter", "hesitation", "wobble", "backs out")},
    "freeze": {"good": ("stuck landing",), "bad": ("backs out",)},
    "spin": {"good": ("drive",), "bad": ("stutter", "hesitation", "wobble", "backs out")},
}


@dataclass(frozen=True)
class PlantedMoment:
    """A span of time that makes a performance better or worse.

    Attributes:
        start_s, end_s: seconds in the video.
        label: good or bad.
        kind: what it is, such as "bent knees".
        stream: where it shows: `static` (postures; the motion is as everywhere), `dynamic` (speed along the path;
            the postures are as everywhere).
    """

    start_s: float
    end_s: float
    label: Literal["good", "bad"]
    kind: str
    stream: Stream


@dataclass(frozen=True)
class PosturePlan:
    """Another posture, full from `start_s + blend` to `end_s - blend`, in real time."""

    start_s: float
    end_s: float
    posture: Posture


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
                pose[scalar("x")] += self.place[0]
                pose[scalar("z")] += self.place[1]
                times.append(start + at)
                keys.append(pose)
        grid = np.arange(0, self.duration_s + GRID_S, GRID_S)
        poses = interpolate(np.array(times), np.array(keys), grid)
        for plan in self.postures:
            if planted or plan.posture.name == "variation":
                start, end = path_times(np.array([plan.start_s, plan.end_s]), self.warps)
                weight = _trapezoid(grid, start, end)[:, None]
                replaced = weight * plan.posture.mask
                poses = poses * (1 - replaced) + replaced * plan.posture.pose + weight * plan.posture.add
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
    moments: list[PlantedMoment] = []
    warps: list[Warp] = []
    postures: list[PosturePlan] = []
    able = ability.uniform()
    count = 0
    for element in elements:
        if element.kind not in PLANTABLE:
            continue
        count += 1
        chances = (0.10 + 0.36 * able, 0.44, 0.46 - 0.36 * able)
        outcome = cast(Literal["good", "neutral", "bad"], ("good", "neutral", "bad")[outcomes.choice(3, p=chances)])
        if outcomes.uniform() < 0.5:
            planned = _plan_posture(element, outcome, style, outcomes)
            postures.append(planned)
            span, kind, stream = (planned.start_s + _BLEND_S / 2, planned.end_s - _BLEND_S / 2), planned.posture.name, "static"
        else:
            warp = _plan_warp(element, outcome, style, outcomes)
            warps.append(warp)
            if warp.name == "stumble":
                postures.append(PosturePlan(warp.start_s, warp.end_s, _lurch(outcomes)))
            span, kind, stream = warp.label_s, warp.name, "dynamic"
        if outcome != "neutral":
            moments.append(PlantedMoment(round(span[0], 3), round(span[1], 3), outcome, kind, cast(Stream, stream)))
    sign = {"good": 1.0, "bad": -1.0}
    net = sum(sign[m.label] * _WEIGHTS.get(m.kind, 1.0) for m in moments) / count
    quality = float(1 / (1 + np.exp(-_STEEPNESS * net)))
    return Choreography(
        duration, quality, tuple(moments), elements, tuple(warps), tuple(postures), style, place
    )


def _sequence(duration_s: float, structure: np.random.Generator, path: np.random.Generator) -> tuple[Element, ...]:
    """Toprock, down, power and footwork and freezes, perhaps up again, a freeze at the end."""
    shares = structure.dirichlet((2.0, 2.0, 1.6))
    kinds: list[ElementKind] = ["toprock"] * int(structure.integers(1, 5)) + ["drop"]
    lengths = [structure.uniform(*_LENGTH_S[k]) for k in kinds]
    floor = 0
    while sum(lengths) < duration_s - 3.2:
        if floor >= 4 and structure.uniform() < 0.12 and sum(lengths) < duration_s - 8:
            added: list[ElementKind] = ["toprock"] * int(structure.integers(1, 3)) + ["drop"]
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


def _plan_posture(
    element: Element, outcome: Literal["good", "neutral", "bad"], style: Style, rng: np.random.Generator
) -> PosturePlan:
    low, high = {"good": (0.45, 1.1), "neutral": (0.25, 1.0), "bad": (0.28, 0.5)}[outcome]
    first = element.start_s + transition_s(element.kind, style) + 0.1
    last = element.end_s - 0.08
    length = min(rng.uniform(low, high) + _BLEND_S, last - first)
    start = rng.uniform(first, max(first + 1e-6, last - length))
    made = posture(element.kind, outcome, element.variant, style, rng)
    return PosturePlan(start, start + length, made)


def _plan_warp(
    element: Element, outcome: Literal["good", "neutral", "bad"], style: Style, rng: np.random.Generator
) -> Warp:
    low, high = {"good": (0.9, 1.4), "neutral": (0.7, 1.4), "bad": (0.75, 1.1)}[outcome]
    choices = ("pulse",) if outcome == "neutral" else _TIMINGS[element.kind][outcome]
    name = str(choices[int(rng.integers(len(choices)))])
    length = rng.uniform(low, high)
    way_in = transition_s(element.kind, style)
    if element.kind == "freeze":  # only the way in moves
        start = element.start_s + 0.02
        if name == "stuck landing":
            length = max(0.9, way_in / 0.8)
        elif name == "backs out":
            length = max(0.8, 1.3 * way_in)
    else:
        first, last = element.start_s + 0.6 * way_in, element.end_s - 0.1
        length = min(length, last - first)
        start = rng.uniform(first, max(first + 1e-6, last - length))
    if name == "stumble":
        warp = make_warp("hesitation", start, start + length)
        return Warp("stumble", warp.start_s, warp.end_s, warp.shape, warp.label_s)
    return make_warp(name, start, start + length, cycles=max(3, round(length * 4.2)))


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


def _trapezoid(times: np.ndarray, start: float, end: float) -> np.ndarray:
    rise = np.clip((times - start) / _BLEND_S, 0, 1)
    fall = np.clip((end - times) / _BLEND_S, 0, 1)
    edge = np.minimum(rise, fall)
    return edge * edge * (3 - 2 * edge)


def interpolate(times: np.ndarray, values: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """Monotone cubic interpolation (Fritsch and Butland, 1984) of (N, D) at `wanted` (P,); constant outside."""
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
