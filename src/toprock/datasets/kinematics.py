"""Two streams from the recorded motion of instruments: motion windows (dynamic) and instantaneous poses (static).

For sets that publish what the hands did in place of what the camera saw. A window never tells how long the whole
recording is: all windows have the same length and come at the same rate.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from toprock.features.store import StreamFeatures

WINDOW_S = 2.0
STRIDE_S = 0.5
_BANDS_HZ = ((0.5, 1.5), (1.5, 3.0), (3.0, 6.0), (6.0, 12.0))
_AT_REST = 0.1


@dataclass(frozen=True)
class Tool:
    """One instrument at N instants.

    Attributes:
        position: (N, 3), in the recording's unit of length.
        rotation: (N, 3, 3).
        velocity: (N, 3), per second.
        turning: (N, 3), rotational velocity.
        grip: (N,), angle of the gripper.
    """

    position: np.ndarray
    rotation: np.ndarray
    velocity: np.ndarray
    turning: np.ndarray
    grip: np.ndarray


def motion_windows(tools: list[Tool], rate_hz: float) -> StreamFeatures:
    """What every tool did in each window of two seconds, and how the tools of a pair worked together.

    A tool: speed, acceleration and jerk of its tip and of its turning, gripping, time at rest, straightness of the
    path, submovements, tremor (share of the speed's power in four bands), direction. Amounts are logarithms, so
    that differences are ratios.

    Args:
        tools: in pairs: left and right of one side.
        rate_hz: of the recording.

    Returns:
        features (T, 25 a tool and 5 a pair).
    """
    spans = _windows(len(tools[0].grip), rate_hz)
    rows = []
    for first, last in spans:
        parts = [_tool(tool, first, last, rate_hz) for tool in tools]
        parts += [_together(tools[i], tools[i + 1], first, last) for i in range(0, len(tools), 2)]
        rows.append(np.concatenate(parts))
    return _stream(rows, spans, rate_hz)


def poses(tools: list[Tool], rate_hz: float) -> StreamFeatures:
    """How the tools stood in the middle of each window: where, how turned, how open, how far apart.

    Returns:
        features (T, 13 a tool and 4 a pair): position, rotation matrix and gripper of each, right minus left of each
        pair and its length.
    """
    spans = _windows(len(tools[0].grip), rate_hz)
    rows = []
    for first, last in spans:
        at = (first + last) // 2
        parts = [np.concatenate([t.position[at], t.rotation[at].ravel(), t.grip[at : at + 1]]) for t in tools]
        for i in range(0, len(tools), 2):
            apart = tools[i + 1].position[at] - tools[i].position[at]
            parts.append(np.append(apart, np.linalg.norm(apart)))
        rows.append(np.concatenate(parts))
    return _stream(rows, spans, rate_hz)


def _windows(frames: int, rate_hz: float) -> list[tuple[int, int]]:
    length, stride = round(WINDOW_S * rate_hz), round(STRIDE_S * rate_hz)
    return [(first, first + length) for first in range(0, max(1, frames - length + 1), stride) if first + 2 < frames]


def _stream(rows: list[np.ndarray], spans: list[tuple[int, int]], rate_hz: float) -> StreamFeatures:
    times = np.array([((a + b) / 2 / rate_hz + STRIDE_S * np.array([-0.5, 0.5])) for a, b in spans])
    return StreamFeatures(np.stack(rows).astype(np.float32), times)


def _tool(tool: Tool, first: int, last: int, rate_hz: float) -> np.ndarray:
    velocity, turning = tool.velocity[first:last], tool.turning[first:last]
    position, grip = tool.position[first:last], tool.grip[first:last]
    speed, spin = np.linalg.norm(velocity, axis=1), np.linalg.norm(turning, axis=1)
    acceleration, spin_up = np.diff(velocity, axis=0) * rate_hz, np.diff(turning, axis=0) * rate_hz
    jerk = np.diff(acceleration, axis=0) * rate_hz
    step = np.linalg.norm(np.diff(position, axis=0), axis=1)
    path = step.sum()
    mean = speed.mean()
    power = np.abs(np.fft.rfft(speed - mean)) ** 2
    at_hz = np.fft.rfftfreq(len(speed), 1 / rate_hz)
    bands = [power[(at_hz >= low) & (at_hz < high)].sum() for low, high in _BANDS_HZ]
    peaks = (speed[1:-1] > speed[:-2]) & (speed[1:-1] >= speed[2:]) & (speed[1:-1] > mean)
    amounts = [
        mean,
        speed.std(),
        speed.max(),
        np.linalg.norm(acceleration, axis=1).mean(),
        np.linalg.norm(jerk, axis=1).mean(),
        spin.mean(),
        spin.std(),
        np.linalg.norm(spin_up, axis=1).mean(),
        np.abs(np.diff(grip)).sum() * rate_hz / len(grip),
        np.ptp(grip),
    ]
    shares = [
        np.linalg.norm(position[-1] - position[0]) / max(path, 1e-9),
        (speed < _AT_REST * max(speed.max(), 1e-9)).mean(),
        peaks.sum() * rate_hz / len(speed),
        speed.std() / max(mean, 1e-9),
        grip.mean(),
        np.linalg.norm(velocity.mean(0)) / max(mean, 1e-9),
        np.linalg.norm(turning.mean(0)) / max(spin.mean(), 1e-9),
    ]
    spectrum = np.array(bands) / max(power[1:].sum(), 1e-12)
    direction = velocity.mean(0) / max(mean, 1e-9)
    return np.concatenate([np.log(np.array(amounts) + 1e-4), shares, spectrum, direction, [np.log(path + 1e-4)]])


def _together(left: Tool, right: Tool, first: int, last: int) -> np.ndarray:
    a = np.linalg.norm(left.velocity[first:last], axis=1)
    b = np.linalg.norm(right.velocity[first:last], axis=1)
    apart = np.linalg.norm(right.position[first:last] - left.position[first:last], axis=1)
    scale = max(a.std() * b.std(), 1e-12)
    return np.array(
        [
            ((a - a.mean()) * (b - b.mean())).mean() / scale,
            np.log(a.mean() + 1e-4) - np.log(b.mean() + 1e-4),
            np.minimum(a, b).mean() / max(np.maximum(a, b).mean(), 1e-9),
            apart.mean(),
            np.log(np.ptp(apart) + 1e-4),
        ]
    )
