"""How a body moves within a short clip, as numbers: speed, smoothness, range, turning and rhythm, from its points.

Lengths are trunk lengths, times seconds. A value that could be large is squashed, x / (x + usual), so that all lie in
-1 to 1; what cannot be told is 0. Motion and its mirror image are alike: of a left and a right side there are the mean
and the difference.

Groups: the hips move in the picture (a moving camera counts as motion); head, trunk, elbows, hands, knees and feet
move in the picture and against the hips. `MOTION_NAMES` has the name of every value.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np

from toprock.backbones.pose.skeleton import HEAD, PAIRS, mean, places, trunk_length
from toprock.backbones.pose.tracking import POINT_SCORE

_GROUPS = {"elbows": "elbow", "hands": "wrist", "knees": "knee", "feet": "ankle"}
_JOINTS = (("elbow", "shoulder", "wrist"), ("shoulder", "elbow", "hip"), ("hip", "shoulder", "knee"))
_ANGLES = (*_JOINTS, ("knee", "hip", "ankle"))

_USUAL_SPEED = 2.0  # trunk lengths a second: about a metre a second
_USUAL_ACCELERATION = 20.0
_USUAL_JERK = 300.0
_USUAL_RANGE = 1.0
_USUAL_TURN = 3.0  # radians a second
_STILL = 0.6  # trunk lengths a second; below is what the points of a body at rest tremble
_SMOOTH = np.array([0.25, 0.5, 0.25])  # over neighbouring samples, before speeds are taken
_LEAST_SAMPLES = 5
_FEWEST_SEEN = 0.4  # of a clip's frames, below which a joint's motion is not told
_RHYTHM_HZ = (0.5, 5.0)
_RHYTHM_SAMPLES = 128  # of the spectrum
_LEAST_RHYTHM_S = 1.2
_QUARTERS = 4

Named = Iterator[tuple[str, float]]


class Moment(NamedTuple):
    """The performer in one picture.

    Attributes:
        time_s: when.
        points: (17, 3) as `MoveNet.points` gives them, None where nobody was found.
        aspect: width of the picture over its height.
    """

    time_s: float
    points: np.ndarray | None
    aspect: float


def describe_pose_motion(
    moments: Sequence[Moment], start_s: float, end_s: float, *, rate_hz: float, rhythm_s: float
) -> np.ndarray:
    """The descriptor of the clip from start_s to end_s, (len(MOTION_NAMES),) float32 in -1 to 1.

    Args:
        moments: of one shot, times rising; those before the clip are heard for its rhythm.
        start_s: of the clip.
        end_s: of the clip.
        rate_hz: samples a second on which motion is measured.
        rhythm_s: how far before the end of the clip its rhythm is looked for.

    >>> bool(describe_pose_motion([], 0.0, 0.8, rate_hz=15, rhythm_s=3.2).any())
    False
    """
    named = _describe(moments, start_s, end_s, rate_hz, rhythm_s)
    values = np.array([value for _, value in named], dtype=np.float32)
    return np.clip(np.nan_to_num(values, nan=0.0), -1.0, 1.0)


def _describe(moments: Sequence[Moment], start_s: float, end_s: float, rate_hz: float, rhythm_s: float) -> Named:
    step_s = 1.0 / rate_hz
    inside = [m for m in moments if start_s - 1e-6 <= m.time_s <= end_s + 1e-6]
    near = [m for m in moments if start_s - step_s <= m.time_s <= end_s + step_s]
    heard = [m for m in moments if end_s - rhythm_s <= m.time_s <= end_s + 1e-6]
    scale = mean(trunk_length(places(m.points, m.aspect)) for m in inside if m.points is not None)
    joints = _sampled(near, max(start_s, near[0].time_s), min(end_s, near[-1].time_s), step_s) if near else _unseen()
    tracks = _tracks(joints / scale)
    yield from _motions(tracks, step_s)
    yield from _bends(joints, step_s)
    yield from _turning(joints, step_s)
    yield from _course(tracks, step_s)
    yield from _rhythm(heard, scale, step_s)
    yield from _finding(inside)


def _sampled(moments: Sequence[Moment], start_s: float, end_s: float, step_s: float) -> np.ndarray:
    """Joints (T, 17, 2) at even times, in picture heights, a little smoothed; NaN where one is hardly ever seen."""
    count = max(round((end_s - start_s) / step_s) + 1, _LEAST_SAMPLES)
    wanted = start_s + step_s * np.arange(count)
    times = np.array([m.time_s for m in moments])
    found = np.full((len(moments), 17, 2), np.nan)
    for k, moment in enumerate(moments):
        if moment.points is not None:
            found[k] = places(moment.points, moment.aspect)
    sampled = np.full((count, 17, 2), np.nan)
    seen = ~np.isnan(found[..., 0])
    for joint in np.flatnonzero(seen.sum(axis=0) >= max(2, _FEWEST_SEEN * len(moments))):
        known = seen[:, joint]
        for axis in (0, 1):
            sampled[:, joint, axis] = np.interp(wanted, times[known], found[known, joint, axis])
    inner = sum(weight * sampled[k : count - 2 + k] for k, weight in enumerate(_SMOOTH))
    return np.concatenate([sampled[:1], inner, sampled[-1:]])


def _unseen() -> np.ndarray:
    return np.full((_LEAST_SAMPLES, 17, 2), np.nan)


def _middle(joints: np.ndarray) -> np.ndarray:
    """Mean (T, 2) of those of the joints (T, N, 2) that are known throughout."""
    known = joints[:, ~np.isnan(joints[0, :, 0])]
    return known.mean(axis=1) if known.shape[1] else np.full((len(joints), 2), np.nan)


def _tracks(joints: np.ndarray) -> dict[str, list[np.ndarray]]:
    """Places (T, 2) of each group, one or two (left, right); all but the hips' also against the hips."""
    hips = _middle(joints[:, slice(11, 13)])
    picture = {"head": [_middle(joints[:, HEAD])], "trunk": [_middle(joints[:, slice(5, 7)])]}
    picture |= {group: [joints[:, k] for k in PAIRS[joint]] for group, joint in _GROUPS.items()}
    against = {f"{group} against hips": [track - hips for track in tracks] for group, tracks in picture.items()}
    return {"hips": [hips], **picture, **against}


def _motions(tracks: dict[str, list[np.ndarray]], step_s: float) -> Named:
    for group, sides in tracks.items():
        found = [dict(_motion(track, step_s)) for track in sides]
        for name in found[0]:
            values = [side[name] for side in found]
            yield f"{group}: {name}", mean(values)
            if len(values) == 2 and name in ("speed", "range"):
                yield f"{group}: {name}, difference", abs(values[0] - values[1])


def _motion(track: np.ndarray, step_s: float) -> Named:
    """What one track (T, 2) does."""
    velocity = np.diff(track, axis=0) / step_s
    acceleration = np.diff(velocity, axis=0) / step_s
    jerk = np.diff(acceleration, axis=0) / step_s
    speed, change, jolt = (np.hypot(*part.T) for part in (velocity, acceleration, jerk))
    extent = np.ptp(track, axis=0)
    path = float(speed.sum()) * step_s
    yield "speed", _squashed(speed.mean(), _USUAL_SPEED)
    yield "peak speed", _squashed(speed.max(), 2 * _USUAL_SPEED)
    yield "upward velocity", math.tanh((track[-1, 1] - track[0, 1]) / (step_s * (len(track) - 1)) / _USUAL_SPEED)
    yield "acceleration", _squashed(change.mean(), _USUAL_ACCELERATION)
    yield "jerk", _squashed(jolt.mean(), _USUAL_JERK)
    yield "jerk over speed", _squashed(jolt.mean() / max(speed.mean(), _STILL), _USUAL_JERK / _USUAL_SPEED)
    yield "range", _squashed(math.hypot(*extent), _USUAL_RANGE)
    yield "range upwards", _squashed(extent[1], _USUAL_RANGE)
    # a tremble must not count as a winding way
    yield "straight way", math.dist(track[0], track[-1]) / max(path, _STILL * step_s * len(speed))
    yield "unevenness of speed", _squashed(speed.std(), max(float(speed.mean()), _STILL))


def _bends(joints: np.ndarray, step_s: float) -> Named:
    """How quickly and how far joints are bent and stretched."""
    for name, first, last in _ANGLES:
        rates, ranges = [], []
        for side in (0, 1):
            at, one, other = (joints[:, PAIRS[joint][side]] for joint in (name, first, last))
            bend = _angles(one - at, other - at)
            rates.append(_squashed(np.abs(np.diff(bend)).mean() / step_s, _USUAL_TURN))
            ranges.append(float(np.ptp(bend)) / math.pi)
        yield f"{name} bends: rate", mean(rates)
        yield f"{name} bends: rate, difference", abs(rates[0] - rates[1])
        yield f"{name} bends: range", mean(ranges)


def _turning(joints: np.ndarray, step_s: float) -> Named:
    """How the body turns in the picture's plane, and into it (it then looks shorter or narrower)."""
    shoulders, hips = _middle(joints[:, slice(5, 7)]), _middle(joints[:, slice(11, 13)])
    trunk = shoulders - hips
    yield from _turn("trunk", trunk, step_s)
    yield from _turn("shoulder line", joints[:, 5] - joints[:, 6], step_s)
    length = np.hypot(*trunk.T)
    for name, width in (("trunk length", length), ("shoulder width", np.hypot(*(joints[:, 5] - joints[:, 6]).T))):
        yield f"{name} changes", _squashed(np.ptp(width) / max(float(length.max()), 1e-6), _USUAL_RANGE)


def _turn(name: str, direction: np.ndarray, step_s: float) -> Named:
    angle = np.unwrap(np.arctan2(direction[:, 1], direction[:, 0]))
    yield f"{name} turns: rate", _squashed(np.abs(np.diff(angle)).mean() / step_s, _USUAL_TURN)
    yield f"{name} turns: total", abs(float(angle[-1] - angle[0])) / (2 * math.pi)


def _course(tracks: dict[str, list[np.ndarray]], step_s: float) -> Named:
    """When in the clip the body moves, how much it rests, and whether its limbs move together."""
    speeds = {
        name: [np.hypot(*np.diff(track, axis=0).T) / step_s for track in tracks[f"{name} against hips"]]
        for name in _GROUPS
    }
    hips = np.hypot(*np.diff(tracks["hips"][0], axis=0).T) / step_s
    known = [speed for speed in (*(side for pair in speeds.values() for side in pair), hips) if not np.isnan(speed[0])]
    whole = np.mean(known, axis=0) if known else np.full(len(hips), np.nan)
    for k, part in enumerate(np.array_split(whole, _QUARTERS)):
        yield f"motion in quarter {k + 1}", float(part.sum() / (whole.sum() + _STILL))
    yield "stillness", float((1 / (1 + (whole / _STILL) ** 2)).mean())
    yield "motion", _squashed(mean(whole), _USUAL_SPEED)
    for name, pair in speeds.items():
        yield f"{name} move together", _correlation(*pair)
    yield "hands and feet move together", _correlation(*(sum(speeds[name]) for name in ("hands", "feet")))
    yield "hands and hips move together", _correlation(sum(speeds["hands"]), hips)


def _rhythm(moments: Sequence[Moment], scale: float, step_s: float) -> Named:
    """Of each group: how strong its main frequency is, how high, and how far it swings with it."""
    lasting_s = moments[-1].time_s - moments[0].time_s if moments else 0.0
    long_enough = lasting_s >= _LEAST_RHYTHM_S
    joints = _sampled(moments, moments[0].time_s, moments[-1].time_s, step_s) if long_enough else _unseen()
    tracks = _tracks(joints / scale)
    for group in ("hips", *(name for name in tracks if "against" in name)):
        strength, frequency, swing = _main_frequency(tracks[group], step_s)
        yield f"{group}: rhythm", strength
        yield f"{group}: rhythm's frequency", frequency
        yield f"{group}: rhythm's swing", swing


def _main_frequency(sides: Sequence[np.ndarray], step_s: float) -> tuple[float, float, float]:
    """Share of the power near the strongest frequency, its place in the band (0 to 1), the swing; NaN if not known."""
    power, known = np.zeros(_RHYTHM_SAMPLES // 2 + 1), 0
    low_hz, high_hz = _RHYTHM_HZ
    for track in sides:
        if np.isnan(track[0, 0]):
            continue
        known += 1
        window = np.hanning(len(track) + 2)[1:-1]
        line = np.linspace(-1, 1, len(track))
        for place in track.T:
            centred = place - place.mean()
            straight = centred - line * (line @ centred) / (line @ line)
            power += np.abs(np.fft.rfft(straight * window, _RHYTHM_SAMPLES) / window.sum() * 2) ** 2
    if not known:
        return math.nan, math.nan, math.nan
    frequency = np.fft.rfftfreq(_RHYTHM_SAMPLES, step_s)
    band = (frequency >= low_hz) & (frequency <= high_hz)
    best = int(np.argmax(np.where(band, power, 0.0)))
    width_hz = 1.0 / (len(sides[0]) * step_s)
    close = np.abs(frequency - frequency[best]) <= width_hz
    whole = float(power[frequency >= low_hz].sum())
    swing = math.sqrt(power[best] / known)
    strength = float(power[close & (frequency >= low_hz)].sum()) / max(whole, 1e-12)
    place = math.log(max(frequency[best], low_hz) / low_hz) / math.log(high_hz / low_hz)
    firm = swing**2 / (swing**2 + 0.05**2)  # what trembles has no rhythm
    return strength * firm, place * firm, _squashed(swing, _USUAL_RANGE / 2)


def _finding(moments: Sequence[Moment]) -> Named:
    """How well the performer was seen."""
    scores = np.stack([np.zeros(17) if m.points is None else m.points[:, 2] for m in moments or [_NOBODY]])
    groups = {"head": range(5), "trunk": (5, 6, 11, 12), "arms": range(7, 11), "legs": range(13, 17)}
    yield "share of frames found", float(np.mean([m.points is not None for m in moments or [_NOBODY]]))
    for name, members in groups.items():
        yield f"{name} seen", float(scores[:, list(members)].mean())
    yield "points seen", float((scores >= POINT_SCORE).mean())


def _angles(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Angle between directions (T, 2), (T,) in 0 to pi."""
    cross = one[:, 0] * other[:, 1] - one[:, 1] * other[:, 0]
    angles: np.ndarray = np.abs(np.arctan2(cross, (one * other).sum(axis=1)))
    return angles


def _correlation(one: np.ndarray, other: np.ndarray) -> float:
    """Of two speeds (T,), in -1 to 1; what hardly changes is near 0."""
    a, b = one - one.mean(), other - other.mean()
    tremble = len(a) * (_STILL / 2) ** 2
    return float(a @ b) / math.sqrt((float(a @ a) + tremble) * (float(b @ b) + tremble))


def _squashed(value: float, usual: float) -> float:
    """0 for nothing, 1/2 for the usual, nearly 1 for very much."""
    return float(value / (value + usual))


_NOBODY = Moment(0.0, None, 1.0)
MOTION_NAMES: tuple[str, ...] = tuple(name for name, _ in _describe([], 0.0, 1.0, 15.0, 3.0))
"""What each value of the descriptor is."""
