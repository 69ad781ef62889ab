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

    A tool: speed, acceleration and jerk of its tip, speed and acceleration of its turning, gripping, time at rest,
    straightness of the path, submovements, tremor (share of the speed's power in four bands), direction. Amounts are
    logarithms, so that differences are ratios.

    Args:
        tools: in pairs: left and right of one side.
        rate_hz: of the recording.

    Returns:
        features (T, 25 a tool and 5 a pair).
    """
    spans = _windows(len(tools[0].grip), rate_hz)
    parts = [_tool(tool, spans, rate_hz) for tool in tools]
    parts += [_together(tools[i], tools[i + 1], spans) for i in range(0, len(tools), 2)]
    return _stream(np.concatenate(parts, axis=1), spans, rate_hz)


def poses(tools: list[Tool], rate_hz: float) -> StreamFeatures:
    """How the tools stood to each other in the middle of each window.

    Never where they stood in the room: table, camera and grip of a performer differ from one to the next and tell
    performers apart, not skill.

    Returns:
        features (T, 1 a tool and 9 a pair): gripper of each tool; of each pair, where the right tip is in the left
        tool's own frame, and the direction to the other tip in the frame of each.
    """
    spans = _windows(len(tools[0].grip), rate_hz)
    at = spans.sum(1) // 2
    parts = [tool.grip[at, None] for tool in tools]
    for left, right in zip(tools[::2], tools[1::2], strict=True):
        apart = right.position[at] - left.position[at]
        there = apart / np.maximum(np.linalg.norm(apart, axis=1, keepdims=True), 1e-9)
        parts += [_in_frame(left, at, apart), _in_frame(left, at, there), _in_frame(right, at, -there)]
    return _stream(np.concatenate(parts, axis=1), spans, rate_hz)


def _in_frame(tool: Tool, at: np.ndarray, vectors: np.ndarray) -> np.ndarray:
    """Vectors (T, 3) of the room in the tool's own axes, which are the columns of its rotation matrix."""
    return np.einsum("tji,tj->ti", tool.rotation[at], vectors)


def _windows(frames: int, rate_hz: float) -> np.ndarray:
    """(T, 2): the first frame of each window, and the one after its last."""
    length, stride = round(WINDOW_S * rate_hz), round(STRIDE_S * rate_hz)
    first = np.arange(0, max(1, frames - length + 1), stride)
    return np.stack([first, np.minimum(first + length, frames)], axis=1)


def _stream(rows: np.ndarray, spans: np.ndarray, rate_hz: float) -> StreamFeatures:
    times = spans.mean(1, keepdims=True) / rate_hz + STRIDE_S * np.array([-0.5, 0.5])
    return StreamFeatures(rows.astype(np.float32), times)


def _cut(x: np.ndarray, spans: np.ndarray) -> np.ndarray:
    """(N, ...) -> (T, L, ...): what lies in each window."""
    return x[spans[:, :1] + np.arange(spans[0, 1] - spans[0, 0])]


def _tool(tool: Tool, spans: np.ndarray, rate_hz: float) -> np.ndarray:
    velocity, turning = _cut(tool.velocity, spans), _cut(tool.turning, spans)  # (T, L, 3)
    position, grip = _cut(tool.position, spans), _cut(tool.grip, spans)
    length = velocity.shape[1]
    speed, spin = np.linalg.norm(velocity, axis=2), np.linalg.norm(turning, axis=2)  # (T, L)
    acceleration, spin_up = np.diff(velocity, axis=1) * rate_hz, np.diff(turning, axis=1) * rate_hz
    jerk = np.diff(acceleration, axis=1) * rate_hz
    path = np.linalg.norm(np.diff(position, axis=1), axis=2).sum(1)
    mean, fastest = speed.mean(1), speed.max(1)
    above = np.maximum(mean, 1e-9)
    power = np.abs(np.fft.rfft(speed - mean[:, None], axis=1)) ** 2
    at_hz = np.fft.rfftfreq(length, 1 / rate_hz)
    bands = [power[:, (at_hz >= low) & (at_hz < high)].sum(1) for low, high in _BANDS_HZ]
    middle = speed[:, 1:-1]
    peaks = (middle > speed[:, :-2]) & (middle >= speed[:, 2:]) & (middle > mean[:, None])
    amounts = [
        mean,
        speed.std(1),
        fastest,
        np.linalg.norm(acceleration, axis=2).mean(1),
        np.linalg.norm(jerk, axis=2).mean(1),
        spin.mean(1),
        spin.std(1),
        np.linalg.norm(spin_up, axis=2).mean(1),
        np.abs(np.diff(grip, axis=1)).sum(1) * rate_hz / length,
        np.ptp(grip, axis=1),
    ]
    shares = [
        np.linalg.norm(position[:, -1] - position[:, 0], axis=1) / np.maximum(path, 1e-9),
        (speed < _AT_REST * np.maximum(fastest, 1e-9)[:, None]).mean(1),
        peaks.sum(1) * rate_hz / length,
        speed.std(1) / above,
        grip.mean(1),
        np.linalg.norm(velocity.mean(1), axis=1) / above,
        np.linalg.norm(turning.mean(1), axis=1) / np.maximum(spin.mean(1), 1e-9),
    ]
    spectrum = np.stack(bands, axis=1) / np.maximum(power[:, 1:].sum(1), 1e-12)[:, None]
    direction = velocity.mean(1) / above[:, None]
    logs = np.log(np.stack([*amounts, path], axis=1) + 1e-4)
    return np.concatenate([logs[:, :-1], np.stack(shares, axis=1), spectrum, direction, logs[:, -1:]], axis=1)


def _together(left: Tool, right: Tool, spans: np.ndarray) -> np.ndarray:
    a, b = (np.linalg.norm(_cut(tool.velocity, spans), axis=2) for tool in (left, right))  # (T, L)
    apart = np.linalg.norm(_cut(right.position, spans) - _cut(left.position, spans), axis=2)
    mean_a, mean_b = a.mean(1), b.mean(1)
    alike = ((a - mean_a[:, None]) * (b - mean_b[:, None])).mean(1) / np.maximum(a.std(1) * b.std(1), 1e-12)
    return np.stack(
        [
            alike,
            np.log(mean_a + 1e-4) - np.log(mean_b + 1e-4),
            np.minimum(a, b).mean(1) / np.maximum(np.maximum(a, b).mean(1), 1e-9),
            apart.mean(1),
            np.log(np.ptp(apart, axis=1) + 1e-4),
        ],
        axis=1,
    )
