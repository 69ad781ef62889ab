"""The jobs: look at a video, read it on a time grid, grab single pictures, listen to it; relay a stream."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Iterator
from typing import Any

from av.video.reformatter import Interpolation, VideoReformatter

from toprock._decoder.fields import Weave
from toprock._decoder.geometry import upright
from toprock._decoder.grid import EPSILON_S, Grid
from toprock._decoder.output import Output, Refusal
from toprock._decoder.relay import relay
from toprock._decoder.sound import sounds
from toprock._decoder.source import Source

_FAR_S = 10.0  # a gap in the wanted time longer than this is jumped over
_LOST_SHARE = 0.2


class Scaler:
    """Makes small RGB pictures of frames; the size is fixed by the first, and kept when frames change theirs.

    AREA averages over all pixels that a small one covers: no shimmer as from POINT and FAST_BILINEAR, which
    optical flow would take for motion, at less cost than BILINEAR or BICUBIC.
    """

    def __init__(self, source: Source, frame: Any, short_side: int) -> None:
        self.turns, self.mirrored = upright(frame)
        width, height = source.display_size(frame)
        scale = short_side / min(width, height)
        self._width, self._height = (
            (short_side, _even(height * scale)) if width <= height else (_even(width * scale), short_side)
        )
        self._weave, self._reformatter = Weave(), VideoReformatter()

    def __call__(self, frame: Any) -> Any:
        return self._reformatter.reformat(
            self._weave(frame), self._width, self._height, "rgb24", interpolation=Interpolation.AREA, threads=1
        )


class _Looks:
    """When somebody looks at pictures of one of the sizes."""

    def __init__(self, which: int, grid: Grid) -> None:
        self.which = which
        self._grid = grid
        self._last = -1

    def due(self, time_s: float) -> bool:
        index = self._grid.index(time_s)
        due, self._last = index != self._last, index
        return due


def probe(job: dict[str, Any], output: Output) -> None:
    """Send the info; that the first frame decodes is part of it."""
    source = Source(job, output)
    output.info(source.info(_first(source, source.frames())[1]))


def read(job: dict[str, Any], output: Output) -> None:
    """Send info, the frames in the intervals that somebody looks at, and the end.

    `requests` are triples: short side, ticks a second of a grid, and every how many ticks a look is wanted. A size is
    sent when any of its looks is due, and every size with the first frame at or after each of `starts_s`.
    With `follow_s` the file is still being written, and has ended when nothing came for so long.
    """
    source = Source(job, output)
    spans = [(a, math.inf if b is None else b) for a, b in job["intervals"]] or [(0.0, math.inf)]
    frames = source.frames(spans[0][0] if spans[0][0] > _FAR_S else 0.0)
    time_s, frame = _first(source, frames)
    output.info(source.info(frame))
    sides = list(dict.fromkeys(side for side, _, _ in job["requests"]))
    scalers = [Scaler(source, frame, side) for side in sides]
    looks = [_Looks(sides.index(side), Grid(hz, every, source.rate_hz)) for side, hz, every in job["requests"]]
    starts = deque(sorted(job["starts_s"]))
    sent = at = jumped = 0
    while True:
        while at < len(spans) and time_s >= spans[at][1] - EPSILON_S:
            at += 1
        if at == len(spans):
            break
        start_s = spans[at][0]
        wanted = {look.which for look in looks if look.due(time_s)}
        if start_s - time_s > _FAR_S and jumped < at:
            frames, jumped = source.frames(start_s), at
        elif time_s >= start_s - EPSILON_S:
            while starts and time_s >= starts[0] - EPSILON_S:
                wanted = set(range(len(sides)))
                starts.popleft()
            for which in sorted(wanted):
                scale, more = scalers[which], which != max(wanted)
                output.frame(time_s, scale(frame), scale.turns, scale.mirrored, which=which, more=more)
            sent += bool(wanted)
        found = next(frames, None)
        if found is None:
            break
        time_s, frame = found
    ended = at == len(spans)
    _judge(source, sent, None if math.isinf(spans[-1][1]) else spans[-1][1], ended)
    why = {"ended": source.growing.ended} if source.growing else {}
    output.done(end_s=spans[-1][1] if ended else source.end_s, damaged=source.damaged, **why)


def grab(job: dict[str, Any], output: Output) -> None:
    """Send one picture for each of `times_s` (rising): the last frame at or before it."""
    source = Source(job, output)
    frames: Iterator[tuple[float, Any]] | None = None
    shown: tuple[float, Any] | None = None
    coming: tuple[float, Any] | None = None
    scale = None
    for wanted_s in job["times_s"]:
        if frames is None or (coming is not None and wanted_s - coming[0] > _FAR_S):
            frames = source.frames(wanted_s)
            shown, coming = None, _first(source, frames)
        while coming is not None and (coming[0] <= wanted_s + EPSILON_S or shown is None):
            shown, coming = coming, next(frames, None)
        assert shown is not None
        scale = scale or Scaler(source, shown[1], job["short_side"])
        output.frame(shown[0], scale(shown[1]), scale.turns, scale.mirrored)
    output.done(end_s=source.end_s, damaged=source.damaged)


def listen(job: dict[str, Any], output: Output) -> None:
    """Send the sound track as mono samples with the times of the pictures; nothing where there is none."""
    source = Source(job, output)
    _first(source, source.frames())  # fixes which moment is 0 s
    for time_s, samples in sounds(source, job["rate_hz"]):
        output.sound(time_s, samples)
    output.done(end_s=source.end_s, damaged=source.damaged)


def _first(source: Source, frames: Iterator[tuple[float, Any]]) -> tuple[float, Any]:
    found = next(frames, None)
    if found is None:
        source.check_refused()
        raise Refusal("EmptyVideo", "it opens, but no picture can be decoded", "Export or copy it again.")
    return found


def _judge(source: Source, sent: int, until_s: float | None, ended: bool) -> None:
    """Refuse what came to an early end, and what lost too much on the way."""
    wanted_s = source.wanted_end_s(until_s)
    reached_s = source.reached_s()
    if not ended and wanted_s is not None and wanted_s - reached_s > min(5.0, max(1.0, 0.02 * wanted_s)):
        if source.gap is not None:
            raise Refusal(
                "TruncatedVideo",
                f"its pictures stop at {source.gap[0]:.1f} s and go on at {source.gap[1]:.1f} s; "
                f"the longest gap may be {source.limits['max_gap_s']:g} s",
                "Copy it again from where it came; or raise max_gap_s (toprock settings shows where).",
            )
        raise Refusal(
            "TruncatedVideo",
            f"it ends at {reached_s:.1f} s of {source.declared_s:.1f} s declared",
            "Copy it again from where it came; or give intervals that lie before its end.",
        )
    if sent == 0:
        raise Refusal(
            "EmptyVideo",
            f"it holds no frame in the wanted time (it ends at {source.end_s:.1f} s)",
            "Mend the intervals.",
        )
    if source.damaged > _LOST_SHARE * (source.shown + source.damaged):
        source.check_refused()
        raise Refusal(
            "UnreadableVideo",
            f"{source.damaged} of {source.shown + source.damaged} pieces are damaged, "
            f"more than {_LOST_SHARE:.0%} are not accepted",
            f"Copy it again; or mend it: ffmpeg -i '{source.name}' -c:v libx264 -an mended.mp4.",
        )


def _even(value: float) -> int:
    return max(2, 2 * round(value / 2))


JOBS: dict[str, Callable[[dict[str, Any], Output], None]] = {
    "probe": probe,
    "read": read,
    "grab": grab,
    "listen": listen,
    "relay": relay,
}
