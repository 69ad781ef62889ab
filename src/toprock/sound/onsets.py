"""How strongly something begins to sound, 100 times a second: half-wave rectified spectral flux.

Spectral flux over logarithmic bands of a compressed spectrum, after Ellis, "Beat Tracking by Dynamic
Programming", J. New Music Research 36 (2007), section 3.1.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable

import numpy as np

from toprock.video import Sound

RATE_HZ = 16_000  # of the samples
FRAMES_HZ = 100  # of the envelope
_HOP = RATE_HZ // FRAMES_HZ
_WINDOW = 512
_BANDS = 32
_LOWEST_HZ, _HIGHEST_HZ = 60.0, 7000.0
_COMPRESSION = 1000.0  # 60 dB below full scale counts as soft
_JITTER = RATE_HZ // 20  # samples: a time that is off by less is taken for rounding
_BLOCK = 512  # frames transformed at once


def onset_envelope(sound: Iterable[Sound]) -> np.ndarray:
    """Strength of onsets (N,) float32, value i at i / FRAMES_HZ seconds; memory grows by 400 bytes a second.

    Args:
        sound: pieces at RATE_HZ in order of time; gaps are silent, what comes twice counts once.
    """
    flux = _Flux()
    for time_s, samples in sound:
        place = round(time_s * RATE_HZ)
        ahead = place - flux.samples
        if abs(ahead) <= _JITTER:
            ahead = 0
        if ahead > 0:
            flux.silence(ahead)
        flux.push(samples[max(0, -ahead) :])
    flux.silence(_WINDOW)
    return np.array(flux.values, dtype=np.float32)


class _Flux:
    """Turns samples into flux; holds one window and the spectrum in front of it.

    Attributes:
        samples: taken in so far.
        values: of the envelope so far.
    """

    def __init__(self) -> None:
        self.samples = 0
        self.values = array("f")
        self._rest = np.zeros(_WINDOW // 2, np.float32)  # so that frame i is centred on its time
        self._before = np.zeros(_BANDS, np.float32)
        self._shape = np.hanning(_WINDOW).astype(np.float32)
        self._bands = _triangles()

    def push(self, samples: np.ndarray) -> None:
        self.samples += len(samples)
        data = np.concatenate([self._rest, samples])
        frames = max(0, (len(data) - _WINDOW) // _HOP + 1)
        for at in range(0, frames, _BLOCK):
            some = min(_BLOCK, frames - at)
            part = data[at * _HOP : (at + some - 1) * _HOP + _WINDOW]
            self._describe(np.lib.stride_tricks.sliding_window_view(part, _WINDOW)[::_HOP])
        self._rest = data[frames * _HOP :]

    def silence(self, samples: int) -> None:
        """Take in so many zeros, at no cost where they are many."""
        blank = max(0, samples - 2 * _WINDOW) // _HOP
        self.push(np.zeros(samples - blank * _HOP, np.float32))
        self.samples += blank * _HOP
        self.values.extend(np.zeros(blank, np.float32))

    def _describe(self, windows: np.ndarray) -> None:
        spectrum = np.abs(np.fft.rfft(windows * self._shape, axis=1)) * (2 / self._shape.sum())
        loud = np.log1p(_COMPRESSION * (spectrum @ self._bands)).astype(np.float32)
        rises = np.diff(loud, axis=0, prepend=self._before[None])
        self._before = loud[-1]
        self.values.extend(np.clip(rises, 0, None).mean(axis=1).astype(np.float32))


def _triangles() -> np.ndarray:
    """Weights (bins, _BANDS) of triangular bands, evenly spaced in the logarithm of 700 Hz + frequency (mel)."""
    edges = 700 * np.expm1(np.linspace(np.log1p(_LOWEST_HZ / 700), np.log1p(_HIGHEST_HZ / 700), _BANDS + 2))
    bins = np.fft.rfftfreq(_WINDOW, 1 / RATE_HZ)[:, None]
    up = (bins - edges[:-2]) / (edges[1:-1] - edges[:-2])
    down = (edges[2:] - bins) / (edges[2:] - edges[1:-1])
    weights = np.clip(np.minimum(up, down), 0, None)
    return (weights / np.maximum(weights.sum(axis=0), 1e-9)).astype(np.float32)
