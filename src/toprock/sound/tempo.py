"""Tempo over time: autocorrelation of the onsets in windows, under a prior on tempi, smoothed over windows."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from toprock.sound.onsets import FRAMES_HZ

_WINDOW = 12 * FRAMES_HZ
_EVERY = 3 * FRAMES_HZ
_LAGS = np.arange(round(60 / 210 * FRAMES_HZ), round(60 / 50 * FRAMES_HZ) + 1)  # 210 to 50 beats a minute
_PRIOR_LAG = 0.5 * FRAMES_HZ  # 120 beats a minute, as Ellis (2007)
_PRIOR_OCTAVES = 0.9
_CHANGE = 8.0  # log score that a jump by an octave between two windows costs
_BATCH = 256


@dataclass(frozen=True)
class Tempo:
    """The beat's period, window by window.

    Attributes:
        centres: (W,) frames.
        lags: (W,) frames from one beat to the next.
        strength: (W,) correlation of the onsets with themselves one beat later; near 0 where nothing pulses.
    """

    centres: np.ndarray
    lags: np.ndarray
    strength: np.ndarray

    def at(self, frames: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Lag (F,) and strength (F,) of the window whose centre is nearest."""
        nearest = np.clip(np.round((frames - self.centres[0]) / _EVERY).astype(int), 0, len(self.centres) - 1)
        return self.lags[nearest], self.strength[nearest]


def follow_tempo(onsets: np.ndarray) -> Tempo:
    """Tempo of an onset envelope (N,) that has no mean."""
    length = min(len(onsets), _WINDOW)
    starts = np.arange(0, max(1, len(onsets) - _WINDOW + _EVERY), _EVERY)
    padded = np.pad(onsets, (0, int(starts[-1]) + _WINDOW - len(onsets) if len(onsets) < starts[-1] + _WINDOW else 0))
    windows = np.lib.stride_tricks.sliding_window_view(padded, _WINDOW)[::_EVERY][: len(starts)]
    found = np.concatenate([_correlation(windows[at : at + _BATCH], length) for at in range(0, len(windows), _BATCH)])
    around = found[:, :-2] + found[:, 1:-1] + found[:, 2:]  # a period between two lags counts in both
    once, twice = around[:, _LAGS - 1], around[:, 2 * _LAGS - 1]
    prior = np.exp(-0.5 * (np.log2(_LAGS / _PRIOR_LAG) / _PRIOR_OCTAVES) ** 2)
    path = _smoothest(np.log(np.clip(once + 0.5 * twice, 0, None) * prior + 1e-2))
    strength = np.take_along_axis(found, _LAGS[path][:, None] + [-1, 0, 1], axis=1).max(axis=1)
    return Tempo(starts + length / 2, _LAGS[path], strength)


def _correlation(windows: np.ndarray, length: int) -> np.ndarray:
    """Correlation (W, lags) of each window with itself later; `length` frames of a window are filled."""
    most = 2 * int(_LAGS[-1]) + 2
    spectrum = np.fft.rfft(windows, 2 * _WINDOW, axis=1)
    products = np.fft.irfft(np.abs(spectrum) ** 2, axis=1)[:, :most]
    overlap = np.maximum(length - np.arange(most), length / 4) / length
    return products / (products[:, :1] + 1e-6) / overlap


def _smoothest(scores: np.ndarray) -> np.ndarray:
    """The best path (W,) through log scores (W, lags), where changes of tempo cost (Viterbi)."""
    octaves = np.log2(_LAGS)
    cost = _CHANGE * np.abs(octaves[:, None] - octaves)
    back = np.zeros(scores.shape, np.int16)
    total = scores[0]
    for at in range(1, len(scores)):
        ways = total[:, None] - cost
        back[at] = ways.argmax(axis=0)
        total = ways.max(axis=0) + scores[at]
    path = np.zeros(len(scores), int)
    path[-1] = total.argmax()
    for at in range(len(scores) - 1, 0, -1):
        path[at - 1] = back[at, path[at]]
    return path
