"""From one video file to the features of the performances in it: one pass, bounded memory."""

from __future__ import annotations

import hashlib
import json
import math
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

from toprock._decoder.grid import EPSILON_S, Grid
from toprock.backbones.base import (
    Backbone,
    Describer,
    FollowingBackbone,
    Frame,
    HearingBackbone,
    NetworkBackbone,
    Segment,
)
from toprock.backbones.shots import ShotCuts
from toprock.errors import EmptyVideo
from toprock.features.encoding import Encoding
from toprock.features.recipe import Recipe
from toprock.features.soundness import Soundness
from toprock.features.spool import Spool
from toprock.features.store import PerformanceFeatures, StreamFeatures
from toprock.performance import Performance, format_intervals
from toprock.video import Limits, Look, PictureReader, Pictures, VideoInfo, read_pictures

READ_HZ = 30.0
CUTS_SIDE = 128
"""Every reading looks for shot cuts on this grid and in pictures of this short side, whatever backbones are asked for:
the features of a stream are the same alone and beside another stream."""
DECODING = 3
"""Features of what an earlier decoder saw are made again. 2: interlaced pictures, last pictures, wrapped clocks.
3: cuts in close-ups."""
_CUTS = Look(CUTS_SIDE, READ_HZ)


@dataclass(kw_only=True)
class Following:
    """How a video is described that is still being written.

    Attributes:
        quiet_s: it has ended when nothing has come for so long.
        every_s: from one call of `on_features` to the next, at least.
        on_features: called with the features so far of each performance, networks' too, from the reading thread.
        frames: what is read, as soon as its first picture has come.
    """

    quiet_s: float
    every_s: float
    on_features: Callable[[PerformanceFeatures], None]
    frames: PictureReader | None = None
    _told_s: float = -math.inf
    _told: int = 0

    def look(self, watches: Sequence[_Watch], encoding: Encoding) -> None:
        """After each frame, and while none comes."""
        if time.monotonic() - self._told_s < self.every_s:
            return
        encoding.finish(rows for watch in watches for rows in watch.rows)
        known = sum(watch.seen for watch in watches)
        if known == self._told:
            return
        self._told = known
        self._told_s = time.monotonic()
        for watch in watches:
            self.on_features(PerformanceFeatures(watch.performance.id, watch.streams(), {}, {}))


def describe_video(
    video: Path,
    performances: Sequence[Performance],
    backbones: Sequence[Backbone],
    *,
    limits: Limits | None = None,
    on_time: Callable[[float], None] | None = None,
    encoding: Encoding | None = None,
    following: Following | None = None,
) -> list[PerformanceFeatures]:
    """Read a video once and describe every performance in it with every backbone.

    Args:
        video: the file; every performance's `video` is this one.
        performances: may overlap in time.
        backbones: at most one a stream and recipe; each is shown pictures of its own size, all from one decoding.
        limits: bounds on what the decoder may use.
        on_time: called now and then with the time in seconds that has been reached.
        encoding: networks that are shared with other readings; by default they are loaded for this one.
        following: the file is still being written. What it holds in the end has the features that it has without.

    Raises:
        VideoError: the video cannot be used; names it and what to do.
        WeightsError: a backbone's weights are not there, or damaged.
    """
    if encoding is None:
        with Encoding() as own:
            more = {"limits": limits, "on_time": on_time, "following": following}
            return describe_video(video, performances, backbones, encoding=own, **more)  # type: ignore[arg-type]
    for backbone in backbones:
        if isinstance(backbone, NetworkBackbone):
            encoding.load(backbone)  # what is wrong with it is said before a video is read
    sources = [source_of(p, backbones) for p in performances]  # of what is read, whatever lies there afterwards
    beats = _beats(video, performances, backbones, limits)
    watches = [_Watch(p, [_for_one(b, p, beats.get(p.id)) for b in backbones], encoding) for p in performances]
    with encoding.reading():
        try:
            _one_pass(video, watches, backbones, limits, on_time, following, encoding)
            encoding.finish(rows for watch in watches for rows in watch.rows)
        except BaseException:
            encoding.forget(rows for watch in watches for rows in watch.rows)
            raise
    found = []
    for watch, source in zip(watches, sources, strict=True):
        p, streams, facts = watch.performance, watch.streams(), watch.facts()
        if beats:
            facts["beats"] = float(sum(((a <= beats[p.id]) & (beats[p.id] < b)).sum() for a, b in _spans(p)))
        if networks := [encoding.load(b) for b in backbones if isinstance(b, NetworkBackbone)]:
            facts["bfloat16"] = float(any("bfloat16" in network.pace for network in networks))
        found.append(PerformanceFeatures(p.id, streams, facts, source))
    return found


def source_of(performance: Performance, backbones: Iterable[Backbone]) -> dict[str, Any]:
    """What features depend on beside the recipe: the file's size and time of change, the intervals, what was told.

    Beats and a first box concern those recipes alone that make use of them: they stand at each such recipe's hash.
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
        "decoding": DECODING,
    }
    if performance.beats is not None:
        digest = hashlib.sha256(json.dumps(performance.beats).encode()).hexdigest()[:16]
        source["beats"] = {Recipe.of(b).hash: digest for b in backbones if isinstance(b, HearingBackbone)}
    following = [b for b in backbones if isinstance(b, FollowingBackbone) and b.settings.get("crop") != "middle"]
    if performance.box is not None and following:
        source["box"] = {Recipe.of(backbone).hash: list(performance.box) for backbone in following}
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


def _for_one(backbone: Backbone, performance: Performance, beats: np.ndarray | None) -> Backbone:
    """The backbone as told what is known of one performance."""
    if beats is not None and isinstance(backbone, HearingBackbone):
        backbone = backbone.hearing(beats)
    if performance.box is not None and isinstance(backbone, FollowingBackbone):
        backbone = backbone.following(performance.box)
    return backbone


def _spans(performance: Performance) -> Sequence[tuple[float, float]]:
    return performance.intervals or ((0.0, math.inf),)


def _one_pass(
    video: Path,
    watches: Sequence[_Watch],
    backbones: Sequence[Backbone],
    limits: Limits | None,
    on_time: Callable[[float], None] | None,
    following: Following | None,
    encoding: Encoding,
) -> None:
    whole = any(not w.performance.intervals for w in watches)
    intervals = () if whole else merged(span for w in watches for span in w.performance.intervals)
    starts_s = [start_s for w in watches for start_s, _ in _spans(w.performance)]
    looks = list(dict.fromkeys([_CUTS, *(_look(backbone) for backbone in backbones)]))
    follow_s = None if following is None else following.quiet_s
    with read_pictures(
        video, looks=looks, starts_s=starts_s, intervals=intervals, limits=limits, follow_s=follow_s
    ) as frames:
        if following is not None:
            following.frames = frames
            frames.meanwhile(lambda: following.look(watches, encoding))
        for frame in frames:
            for watch in watches:
                watch.look(frame, frames.info)
            if on_time:
                on_time(frame.time_s)
            if following is not None:
                following.look(watches, encoding)
        end_s = frames.end_s
    for watch in watches:
        watch.finish(end_s)


def _look(backbone: Backbone) -> Look:
    """On a grid that holds the one on which cuts are looked for, so that a cut is seen with the frame it is at."""
    rate_hz = common_rate([READ_HZ, backbone.reading.rate_hz])
    return Look(backbone.reading.short_side, rate_hz, max(1, round(rate_hz / backbone.reading.rate_hz)))


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
    """One performance while its video runs by.

    Attributes:
        rows: one a backbone, filled as the video runs by and by networks soon after.
        seen: segments so far.
    """

    def __init__(self, performance: Performance, backbones: Sequence[Backbone], encoding: Encoding) -> None:
        self.performance = performance
        self.rows = [Spool(b.spec.dimension) for b in backbones]
        self._backbones = backbones
        self._networks = [b if isinstance(b, NetworkBackbone) else None for b in backbones]
        self._encoding = encoding
        self._intervals = _spans(performance)
        self._at = 0
        self._eyes: list[_Eye] = []
        self._looked = -1
        self._motion: list[tuple[float, float]] = []
        self._cuts = 0
        self._soundness = Soundness()
        self._duration_s = 0.0
        self._frames = [0] * len(self._intervals)
        self.seen = 0

    def look(self, frame: Pictures, info: VideoInfo) -> None:
        while self._at < len(self._intervals) and frame.time_s >= self._intervals[self._at][1] - EPSILON_S:
            self._close(self._intervals[self._at][1])
            self._at += 1
        if self._at == len(self._intervals) or frame.time_s < self._intervals[self._at][0] - EPSILON_S:
            return
        if not self._eyes:
            self._shots, self._looks, self._looked = ShotCuts(), _CUTS.grid(info), -1
            self._eyes = [_Eye(b, _look(b).grid(info)) for b in self._backbones]
            self._first_s = frame.time_s
        cut, index = False, self._looks.index(frame.time_s)
        if index != self._looked:
            self._looked = index
            picture = Frame(frame.time_s, frame.images[CUTS_SIDE])
            cut = self._shots.push(picture)
            self._soundness.push(picture)
        self._cuts += cut and self._first_s != frame.time_s
        self._frames[self._at] += 1
        for which, eye in enumerate(self._eyes):
            self._keep(which, eye.look(frame, cut))

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
        for which, eye in enumerate(self._eyes):
            self._keep(which, eye.describer.finish(end_s))
            motion = getattr(eye.describer, "mean_motion", None)
            if motion is not None:
                self._motion.append((float(motion), length_s))
        self._duration_s += length_s
        self._soundness.finish(end_s)
        self._eyes = []

    def _keep(self, which: int, segments: list[Segment]) -> None:
        self.seen += len(segments)
        network = self._networks[which]
        if network is None:
            self.rows[which].extend(segments)
        elif segments:
            self._encoding.put(network, segments, self.rows[which])

    def streams(self) -> dict[Recipe, StreamFeatures]:
        return {Recipe.of(backbone): rows.stack() for backbone, rows in zip(self._backbones, self.rows, strict=True)}

    def facts(self) -> dict[str, float | None]:
        weight = sum(length for _, length in self._motion)
        motion = sum(value * length for value, length in self._motion) / weight if weight else None
        sound = self._soundness
        shares = {"black_share": sound.black_s, "frozen_share": sound.frozen_s}
        return {
            "duration_s": self._duration_s,
            "cuts": float(self._cuts),
            "mean_motion": motion,
            **{name: min(1.0, s / self._duration_s) if self._duration_s else 0.0 for name, s in shares.items()},
        }


class _Eye:
    """One backbone on one interval: picks its frames from those read, and keeps cuts it did not see.

    Args:
        backbone: whose eye it is.
        grid: which frames it looks at.
    """

    def __init__(self, backbone: Backbone, grid: Grid) -> None:
        self.backbone = backbone
        self.describer: Describer = backbone.describer()
        self._grid = grid
        self._last = -1
        self._cut = False

    def look(self, frame: Pictures, cut: bool) -> list[Segment]:
        self._cut |= cut
        index = self._grid.index(frame.time_s)
        if index == self._last:
            return []
        self._last = index
        new_shot, self._cut = self._cut, False
        image = frame.images[self.backbone.reading.short_side]
        return self.describer.push(Frame(frame.time_s, image), new_shot=new_shot)
