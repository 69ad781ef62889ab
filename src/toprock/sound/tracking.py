"""Beats from sound: dynamic programming over onsets.

After Ellis, "Beat Tracking by Dynamic Programming", J. New Music Research 36 (2007), section 2, with a tempo
that may change: beats lie on strong onsets and about one period apart.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from toprock.sound.onsets import FRAMES_HZ, RATE_HZ, onset_envelope
from toprock.sound.tempo import follow_tempo
from toprock.video import Limits, read_sound

_TIGHTNESS = 100.0  # what an interval of another length costs: this times the squared logarithm of the ratio
_WEAKEST = 0.2  # strength of the pulse below which there is no beat
_MEAN_S, _SPREAD_S = 1.0, 10.0  # over which onsets are compared with those around
_EARLY_S = 0.010  # a frame sees an onset as soon as its window touches it
_LEAST_S = 3.0  # of sound


def track_beats(video: str | Path, *, limits: Limits | None = None) -> np.ndarray:
    """Beats in the sound track of a video.

    Returns:
        (B,) rising, seconds in the video; empty where there is no sound or nothing pulses.

    Raises:
        VideoError: the video cannot be used.

    >>> track_beats("battle.mp4").tolist()  # a silent film
    []
    """
    return beats_in(onset_envelope(read_sound(video, rate_hz=RATE_HZ, limits=limits)))


def beats_in(envelope: np.ndarray) -> np.ndarray:
    """Beats (B,) in seconds of an onset envelope (N,) at FRAMES_HZ."""
    if len(envelope) < _LEAST_S * FRAMES_HZ:
        return np.zeros(0)
    onsets = _levelled(envelope)
    tempo = follow_tempo(onsets)
    frames = np.arange(len(onsets))
    lags, strength = tempo.at(frames)
    if strength.max() < _WEAKEST:
        return np.zeros(0)
    beats = _best_sequence(onsets, lags)
    return beats[strength[beats] >= _WEAKEST] / FRAMES_HZ + _EARLY_S


def _levelled(envelope: np.ndarray) -> np.ndarray:
    """Onsets less their mean and over their spread, both of the time around; silence stays 0."""
    raised = envelope.astype(np.float64) - _smooth(envelope, _MEAN_S)
    spread = np.sqrt(np.maximum(_smooth(raised**2, _SPREAD_S), 0))
    return raised / np.maximum(spread, 0.05 * raised.std() + 1e-6)


def _smooth(values: np.ndarray, seconds: float) -> np.ndarray:
    from scipy.ndimage import uniform_filter1d

    return np.asarray(uniform_filter1d(values.astype(np.float64), round(seconds * FRAMES_HZ), mode="nearest"))


def _best_sequence(onsets: np.ndarray, lags: np.ndarray) -> np.ndarray:
    """Frames (B,) of the sequence of beats with the highest sum of onsets less the cost of its intervals."""
    costs = {int(lag): _interval_costs(int(lag)) for lag in np.unique(lags)}
    total = onsets.copy()
    back = np.full(len(onsets), -1, np.int32)
    for frame, lag in enumerate(lags.tolist()):
        cost = costs[lag]
        first = frame - 2 * lag
        ways = total[max(first, 0) : first + len(cost)] - cost[max(-first, 0) :] if first + len(cost) > 0 else ()
        if len(ways):
            best = int(np.argmax(ways))
            if ways[best] > 0:
                total[frame] += ways[best]
                back[frame] = max(first, 0) + best
    last = len(onsets) - 2 * int(lags[-1])
    at = max(0, last) + int(np.argmax(total[max(0, last) :]))
    beats = []
    while at >= 0:
        beats.append(at)
        at = int(back[at])
    return np.array(beats[::-1])


def _interval_costs(lag: int) -> np.ndarray:
    """Costs of the intervals 2 lag, ..., lag / 2, in this order."""
    intervals = np.arange(2 * lag, lag // 2, -1)
    return _TIGHTNESS * np.log(intervals / lag) ** 2
