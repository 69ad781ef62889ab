"""The sound of spans of a video, read once, in the time of the pictures."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from toprock.exports.film import SOUND_HZ
from toprock.video import Limits, Sound, read_sound

Spans = Sequence[tuple[float, float]]
_MOST_SILENCE = SOUND_HZ  # samples of silence in one piece


class Piece(NamedTuple):
    """Samples (N,) float32 of one span: which one, and from which of its samples on."""

    span: int
    first: int
    samples: np.ndarray


def pieces_of(sound: Iterable[Sound], spans: Spans) -> Iterator[Piece]:
    """What each span holds of a sound, at `SOUND_HZ`; a sound is let go of behind the last span.

    >>> sound = [Sound(0.0, np.ones(SOUND_HZ, np.float32))]
    >>> [(p.span, p.first, len(p.samples)) for p in pieces_of(sound, [(0.25, 0.5), (0.75, 2.0)])]
    [(0, 0, 12000), (1, 0, 12000)]
    """
    bounds = [(round(a * SOUND_HZ), round(b * SOUND_HZ)) for a, b in spans]
    last = max((end for _, end in bounds), default=0)
    for time_s, samples in sound:
        start = round(time_s * SOUND_HZ)
        if start >= last:
            return
        for which, (low, high) in enumerate(bounds):
            first, after = max(start, low), min(start + len(samples), high)
            if first < after:
                yield Piece(which, first - low, samples[first - start : after - start])


def sound_of_each(video: str | Path, spans: Spans, *, limits: Limits | None = None) -> list[np.ndarray] | None:
    """Samples of each span, with silence where there is none; None where the video has no sound there at all.

    Spans may overlap. All of them are held in memory: 192 kB a second.

    Raises:
        VideoError: the video cannot be used.

    >>> sound_of_each("battle.mp4", [(0, 1)]) is None  # a silent film
    True
    """
    found = None
    for piece in pieces_of(read_sound(video, rate_hz=SOUND_HZ, limits=limits), spans):
        found = found or [np.zeros(round(b * SOUND_HZ) - round(a * SOUND_HZ), np.float32) for a, b in spans]
        found[piece.span][piece.first : piece.first + len(piece.samples)] = piece.samples
    return found


def joined(pieces: Iterable[Piece], spans: Spans) -> Iterator[np.ndarray]:
    """The spans one after the other, as samples piece by piece, with silence in all gaps and up to the end.

    Args:
        pieces: of spans that are in order and do not overlap.
        spans: those.
    """
    lengths = [round(b * SOUND_HZ) - round(a * SOUND_HZ) for a, b in spans]
    begins = [sum(lengths[:i]) for i in range(len(lengths))]
    done = 0
    for piece in pieces:
        at = begins[piece.span] + piece.first
        yield from _silence(at - done)
        fresh = piece.samples[max(0, done - at) :]
        if len(fresh):
            yield fresh
        done = max(done, at + len(piece.samples))
    yield from _silence(sum(lengths) - done)


class Feed:
    """Hands out samples that come piece by piece up to a time.

    >>> feed = Feed(iter([np.ones(SOUND_HZ, np.float32)]))
    >>> len(feed.until(0.25)), len(feed.until(0.5)), len(feed.until(9.0))
    (12000, 12000, 24000)
    """

    def __init__(self, pieces: Iterator[np.ndarray]) -> None:
        self._pieces = pieces
        self._left = np.zeros(0, np.float32)
        self._given = 0

    def until(self, time_s: float) -> np.ndarray:
        """The samples (N,) float32 up to `time_s` that have not been handed out; fewer where there are no more."""
        wanted = max(0, round(time_s * SOUND_HZ) - self._given)
        found = [self._left]
        while sum(map(len, found)) < wanted and (piece := next(self._pieces, None)) is not None:
            found.append(piece)
        samples = np.concatenate(found)
        self._left = samples[wanted:]
        self._given += min(wanted, len(samples))
        return samples[:wanted]


def _silence(count: int) -> Iterator[np.ndarray]:
    while count > 0:
        yield np.zeros(min(count, _MOST_SILENCE), np.float32)
        count -= _MOST_SILENCE
