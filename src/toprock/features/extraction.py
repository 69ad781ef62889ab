"""From one video file to the features of the performances in it: one pass, bounded memory."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Callable, Iterable, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

from toprock.backbones.base import Backbone, Describer, Frame, HearingBackbone, Segment
from toprock.backbones.shots import ShotCuts
from toprock.errors import EmptyVideo
from toprock.features.recipe import Recipe
from toprock.features.spool import Spool
from toprock.features.store import PerformanceFeatures, StreamFeatures
from toprock.performance import Performance, format_intervals
from toprock.video import Limits, read_frames

READ_HZ = 30.0
"""Every reading looks for shot cuts on this grid, whatever backbones are asked for: the features of a stream are
the same alone and beside another stream."""


def describe_video(
    video: Path,
    performances: Sequence[Performance],
    backbones: Sequence[Backbone],
    *,
    limits: Limits | None = None,
    on_time: Callable[[float], None] | None = None,
) -> list[PerformanceFeatures]:
    """Read a video once and describe every performance in it with every backbone.

    Args:
        video: the file; every performance's `video` is this one.
        performances: may overlap in time.
        backbones: at most one a stream and recipe; those of another picture size cost another pass.
        limits: bounds on what the decoder may use.
        on_time: called now and then with the time in seconds that has been reached.

    Raises:
        VideoError: the video cannot be used; names it and what to do.
    """
    beats = _beats(video, performances, backbones, limits)
    passes: dict[int, list[Backbone]] = {}
    for backbone in backbones:
        passes.setdefault(backbone.reading.short_side, []).append(backbone)
    streams: dict[str, dict[Recipe, StreamFeatures]] = {p.id: {} for p in performances}
    facts: dict[str, dict[str, float | None]] = {p.id: {} for p in performances}
    for short_side, together in passes.items():
        watches = [_Watch(p, [_hearing(b, beats.get(p.id)) for b in together]) for p in performances]
        _one_pass(video, watches, together, short_side, limits or Limits(), on_time)
        for watch in watches:
            found, measured = watch.result()
            streams[watch.performance.id] |= found
            facts[watch.performance.id] |= measured
    for p in performances if beats else ():
        facts[p.id]["beats"] = float(sum(((a <= beats[p.id]) & (beats[p.id] < b)).sum() for a, b in _spans(p)))
    return [PerformanceFeatures(p.id, streams[p.id], facts[p.id], source_of(p, backbones)) for p in performances]


def source_of(performance: Performance, backbones: Iterable[Backbone]) -> dict[str, Any]:
    """What features depend on beside the recipe: the file's size and time of change, the intervals, given beats.

    Beats concern those recipes alone that hear them: they are a digest for each such recipe's hash.
    """
    try:
        status = performance.video.stat()
        size, changed = status.st_size, status.st_mtime_ns
    except (OSError, ValueError):
        size, changed = -1, -1
    source: dict[str, Any] = {
        "video": performance.video.name,
        "size": size,
        "changed_ns": changed,
        "intervals": format_intervals(performance.intervals),
    }
    if performance.beats is not None:
        digest = hashlib.sha256(json.dumps(performance.beats).encode()).hexdigest()[:16]
        source["beats"] = {Recipe.of(b).hash: digest for b in backbones if isinstance(b, HearingBackbone)}
    return source


def _beats(
    video: Path, performances: Sequence[Performance], backbones: Sequence[Backbone], limits: Limits | None
) -> dict[str, np.ndarray]:
    """Id -> beats: those that are given, else those heard; nothing where no backbone wants them."""
    if not any(isinstance(b, HearingBackbone) for b in backbones):
        return {}
    from toprock.sound import track_beats

    heard = track_beats(video, limits=limits) if any(p.beats is None for p in performances) else np.zeros(0)
    return {p.id: heard if p.beats is None else np.array(p.beats, dtype=np.float64) for p in performances}


def _hearing(backbone: Backbone, beats: np.ndarray | None) -> Backbone:
    return backbone.hearing(beats) if beats is not None and isinstance(backbone, HearingBackbone) else backbone


def _spans(performance: Performance) -> Sequence[tuple[float, float]]:
    return performance.intervals or ((0.0, math.inf),)


def _one_pass(
    video: Path,
    watches: Sequence[_Watch],
    backbones: Sequence[Backbone],
    short_side: int,
    limits: Limits,
    on_time: Callable[[float], None] | None,
) -> None:
    rate_hz = common_rate([READ_HZ, *(b.reading.rate_hz for b in backbones)])
    whole = any(not w.performance.intervals for w in watches)
    intervals = () if whole else merged(span for w in watches for span in w.performance.intervals)
    with read_frames(video, rate_hz=rate_hz, short_side=short_side, intervals=intervals, limits=limits) as frames:
        for frame in frames:
            tick = round(frame.time_s * rate_hz)
            for watch in watches:
                watch.look(frame, tick, rate_hz)
            if on_time:
                on_time(frame.time_s)
        end_s = frames.end_s
    for watch in watches:
        watch.finish(end_s)


def common_rate(rates_hz: Iterable[float]) -> float:
    """The smallest rate whose grid holds the grids of all.

    >>> common_rate([12.5, 6.25]), common_rate([12.0, 8.0])
    (12.5, 24.0)
    """
    parts = [Fraction(rate).limit_denominator(1000) for rate in rates_hz]
    above = math.lcm(*(p.numerator for p in parts))
    below = math.gcd(*(p.denominator for p in parts))
    return above / below


def merged(spans: Iterable[tuple[float, float]]) -> tuple[tuple[float, float], ...]:
    """Spans in order, overlapping ones joined.

    >>> merged([(5, 8), (0, 2), (1, 3)])
    ((0, 3), (5, 8))
    """
    out: list[tuple[float, float]] = []
    for start, end in sorted(spans):
        if out and start <= out[-1][1]:
            out[-1] = (out[-1][0], max(end, out[-1][1]))
        else:
            out.append((start, end))
    return tuple(out)


class _Watch:
    """One performance while its video runs by."""

    def __init__(self, performance: Performance, backbones: Sequence[Backbone]) -> None:
        self.performance = performance
        self._backbones = backbones
        self._intervals = _spans(performance)
        self._at = 0
        self._eyes: list[_Eye] = []
        self._shots = ShotCuts()
        self._rows = [Spool(b.spec.dimension) for b in backbones]
        self._motion: list[tuple[float, float]] = []
        self._cuts = 0
        self._duration_s = 0.0
        self._frames = [0] * len(self._intervals)

    def look(self, frame: Frame, tick: int, rate_hz: float) -> None:
        while self._at < len(self._intervals) and frame.time_s >= self._intervals[self._at][1]:
            self._close(self._intervals[self._at][1])
            self._at += 1
        if self._at == len(self._intervals) or frame.time_s < self._intervals[self._at][0]:
            return
        if not self._eyes:
            self._shots = ShotCuts()
            self._eyes = [_Eye(b, b.describer()) for b in self._backbones]
            self._first_s = frame.time_s
        cut = self._shots.push(frame)
        self._cuts += cut and self._first_s != frame.time_s
        self._frames[self._at] += 1
        for eye, rows in zip(self._eyes, self._rows, strict=True):
            rows.extend(eye.look(frame, cut, tick, rate_hz))

    def finish(self, end_s: float) -> None:
        if self._at < len(self._intervals):
            self._close(min(end_s, self._intervals[self._at][1]))
        empty = [span for span, frames in zip(self.performance.intervals, self._frames, strict=False) if not frames]
        if empty:
            raise EmptyVideo(
                self.performance.video,
                f"it holds no frame in {format_intervals(empty)} s (it ends at {end_s:.1f} s)",
                advice="Mend the intervals in the manifest.",
            )

    def _close(self, end_s: float) -> None:
        if not self._eyes:
            return
        length_s = max(0.0, end_s - self._first_s)
        for eye, rows in zip(self._eyes, self._rows, strict=True):
            rows.extend(eye.describer.finish(end_s))
            motion = getattr(eye.describer, "mean_motion", None)
            if motion is not None:
                self._motion.append((float(motion), length_s))
        self._duration_s += length_s
        self._eyes = []

    def result(self) -> tuple[dict[Recipe, StreamFeatures], dict[str, float | None]]:
        found = {Recipe.of(backbone): rows.stack() for backbone, rows in zip(self._backbones, self._rows, strict=True)}
        weight = sum(length for _, length in self._motion)
        motion = sum(value * length for value, length in self._motion) / weight if weight else None
        return found, {"duration_s": self._duration_s, "cuts": float(self._cuts), "mean_motion": motion}


class _Eye:
    """One backbone on one interval: picks its frames from those read, and keeps cuts it did not see."""

    def __init__(self, backbone: Backbone, describer: Describer) -> None:
        self.describer = describer
        self._rate_hz = backbone.reading.rate_hz
        self._last = -1
        self._cut = False

    def look(self, frame: Frame, cut: bool, tick: int, rate_hz: float) -> list[Segment]:
        self._cut |= cut
        index = tick // max(1, round(rate_hz / self._rate_hz))
        if index == self._last:
            return []
        self._last = index
        new_shot, self._cut = self._cut, False
        return self.describer.push(frame, new_shot=new_shot)
