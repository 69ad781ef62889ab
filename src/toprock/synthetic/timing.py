"""Speed along a path of poses: how much of the path is danced by when.

A `Warp` replaces constant speed in a span of real time. Whatever it does (stop, go back, rush), the path it
covers, counted both ways, is as long as at constant speed, so that it adds no motion on average.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Warp:
    """One span of changed speed.

    Attributes:
        name: of its shape; see `make_warp`.
        start_s, end_s: real time.
        shape: (N,) path position at N equally spaced times, in units of the span's length.
        label_s: the part of the span that shows it, real time.
    """

    name: str
    start_s: float
    end_s: float
    shape: np.ndarray
    label_s: tuple[float, float]

    @property
    def advance_s(self) -> float:
        """Seconds of path that the span takes one forward."""
        return float(self.shape[-1] - self.shape[0]) * (self.end_s - self.start_s)


_KNOTS = {
    # (time, position) with time in 0..1; scaled to unit length afterwards
    "hesitation": (
        (0, 0),
        (0.16, 0.4),
        (0.42, 0.4),
        (0.52, 0.12),
        (0.62, 0.12),
        (0.78, 0.75),
        (0.84, 0.75),
        (1, 1),
    ),
    "backs out": ((0, 0), (0.36, 1), (0.46, 1), (0.82, 0.0), (0.88, 0.0), (1, 0.25)),
    "on the beat": ((0, 0), (0.25, 0.02), (0.36, 0.33), (0.6, 0.35), (0.7, 0.66), (0.9, 0.68), (1, 1)),
    "stuck landing": ((0, 0), (0.3, 0.1), (0.55, 0.97), (1, 1)),
}
_LABELLED = {"stuck landing": (0.2, 0.8)}
_SAMPLES = 65


def make_warp(name: str, start_s: float, end_s: float, *, cycles: int = 4) -> Warp:
    """A warp by name; `wobble` swings to and fro `cycles` times along the path."""
    u = np.linspace(0, 1, _SAMPLES)
    if name == "wobble":
        shape = u + 0.27 * np.sin(2 * np.pi * cycles * u) * np.sin(np.pi * u) ** 0.5
    else:
        knots = np.array(_KNOTS[name], float)
        shape = np.interp(u, knots[:, 0], knots[:, 1])
        kernel = np.hanning(9)[1:-1]
        padded = np.concatenate([2 * shape[0] - shape[3:0:-1], shape, 2 * shape[-1] - shape[-2:-5:-1]])
        shape = np.convolve(padded, kernel / kernel.sum(), mode="valid")
        shape -= shape[0]
    shape = shape / np.abs(np.diff(shape)).sum()
    low, high = _LABELLED.get(name, (0.0, 1.0))
    span = end_s - start_s
    return Warp(name, start_s, end_s, shape, (start_s + low * span, start_s + high * span))


def path_times(times_s: np.ndarray, warps: tuple[Warp, ...]) -> np.ndarray:
    """Path position (seconds at constant speed) of real times (T,), under warps in order of time."""
    position = np.array(times_s, float)
    for warp in warps:
        length = warp.end_s - warp.start_s
        inside = (times_s >= warp.start_s) & (times_s < warp.end_s)
        before = path_offset(warp.start_s, warps)
        u = (times_s[inside] - warp.start_s) / length
        covered = np.interp(u, np.linspace(0, 1, len(warp.shape)), warp.shape)
        position[inside] = warp.start_s - before + length * covered
        position[times_s >= warp.end_s] -= length - warp.advance_s
    return position


def path_offset(time_s: float, warps: tuple[Warp, ...]) -> float:
    """Seconds that the path lies behind real time at `time_s`, outside any warp."""
    return sum(w.end_s - w.start_s - w.advance_s for w in warps if w.end_s <= time_s + 1e-9)
