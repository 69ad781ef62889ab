"""How well motion falls on the beat: where in the beat's cycle a performer is fast, speeds up and slows down.

Each moment has a phase, 0 on a beat and rising to 1 turn at the next. Motion weighs the phases, and the mean of the
weighted unit vectors (circular statistics: Mardia and Jupp, Directional Statistics, 2000, chapter 2) says where in
the cycle it gathers and how closely. That slowing down and stopping mark the beat as much as speeding up follows Li
et al., "AI Choreographer" (ICCV 2021), whose beat alignment compares minima of speed with beats.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

import numpy as np

from toprock.backbones.motion_descriptor import PairMotion

_KINDS = 3  # of weights: speed, its rises, its falls
_PER_SPAN = 3 * _KINDS
DIMENSION = 2 * _PER_SPAN + 1
_LONGEST_S = 2.0  # beats further apart are two pieces of music with a gap between them


def beat_phases(times_s: np.ndarray, beats_s: np.ndarray) -> np.ndarray:
    """exp(2 pi i phase) of times (T,) between beats (B,); 0 where there is no beat before or after.

    >>> np.round(beat_phases(np.array([0.0, 1.0, 1.25, 9.0]), np.array([1.0, 2.0])), 6).tolist()
    [0j, (1+0j), 1j, 0j]
    """
    if len(beats_s) < 2:
        return np.zeros(len(times_s), complex)
    after = np.searchsorted(beats_s, times_s, side="right")
    inside = (after > 0) & (after < len(beats_s))
    after = np.clip(after, 1, len(beats_s) - 1)
    start_s, length_s = beats_s[after - 1], beats_s[after] - beats_s[after - 1]
    turns = np.exp(2j * np.pi * (times_s - start_s) / length_s)
    return np.asarray(np.where(inside & (length_s <= _LONGEST_S), turns, 0))


class OnBeat:
    """Pushed the motion of one interval pair by pair, tells how it falls on the beat.

    Args:
        beats_s: (B,) rising, seconds in the video; empty where none are known.
        memory_s: how far the longer of two spans reaches back.
    """

    def __init__(self, beats_s: np.ndarray, memory_s: float) -> None:
        self._beats_s = beats_s
        self._memory_s = memory_s
        self._moments: deque[tuple[float, np.ndarray, np.ndarray]] = deque()  # end, weights, phases, (3,) each
        self._before: tuple[float, float] | None = None  # end and speed

    def push(self, pair: PairMotion) -> None:
        """Take in what moved between two frames, in order of time."""
        x, y = pair.velocity[..., 0], pair.velocity[..., 1]
        speed = float(np.sqrt(x * x + y * y).mean())
        joined = self._before is not None and pair.start_s - self._before[0] < 1e-3  # not over a cut
        change = speed - self._before[1] if self._before is not None and joined else 0.0
        self._before = (pair.end_s, speed)
        middle_s = (pair.start_s + pair.end_s) / 2
        phases = beat_phases(np.array([middle_s, pair.start_s, pair.start_s]), self._beats_s)
        weights = np.array([speed * pair.step_s, max(change, 0.0), max(-change, 0.0)])
        self._moments.append((pair.end_s, weights, phases))
        while self._moments[0][0] < pair.end_s - self._memory_s:
            self._moments.popleft()

    def describe(self, start_s: float) -> np.ndarray:
        """(DIMENSION,) of the time from `start_s` to the newest pair, and of the longer span up to there.

        For each span and kind of weight: cosine (on the beat less off it), sine (after it less before it) and
        length of the mean vector, less what even motion would have. Last, the share of time with a known beat.
        All are 0 where no beat is known.
        """
        clip = [m for m in self._moments if m[0] > start_s + 1e-6] or list(self._moments)[-1:]
        spans = [_concentration(clip), _concentration(self._moments)]
        known = np.mean([abs(phases[0]) for _, _, phases in clip]) if clip else 0.0
        return np.concatenate([*spans, [known]]).astype(np.float32)


def _concentration(moments: Sequence[tuple[float, np.ndarray, np.ndarray]]) -> np.ndarray:
    """Cosine, sine and length of the mean vector of each kind of weight, (_PER_SPAN,)."""
    if not moments:
        return np.zeros(_PER_SPAN)
    weights = np.array([w for _, w, _ in moments])
    phases = np.array([p for _, _, p in moments])
    known = np.abs(phases) > 0
    even = phases.sum(axis=0) / np.maximum(known.sum(axis=0), 1)
    total = (weights * known).sum(axis=0)
    mean = np.where(total > 0, (weights * phases).sum(axis=0) / np.maximum(total, 1e-12) - even, 0)
    return np.concatenate([mean.real, mean.imag, np.abs(mean)])
