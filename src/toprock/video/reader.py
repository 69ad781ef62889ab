"""Frames of a video as an iterator; what is in a video; single pictures of it."""

from __future__ import annotations

import math
import struct
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple

import numpy as np

from toprock._decoder.grid import Grid
from toprock.backbones.base import Frame
from toprock.errors import UsageError
from toprock.video.guarded import DECODER, GuardedDecoder
from toprock.video.limits import Limits
from toprock.video.signature import container_of

# time_s, width, height, bytes a row, turns by 90 degrees counter-clockwise, mirrored first, which size, more to come of
# the same frame; then the pixels
_FRAME = struct.Struct("<dIIIBBBB")
_MAX_ASPECT = 32  # the decoder refuses longer pictures


@dataclass(frozen=True)
class VideoInfo:
    """What a video is, from its header and first frame.

    Attributes:
        path: the file.
        width, height: pixels as a player shows them: upright, pixels made square.
        duration_s: of the pictures, as declared; None where the header does not say.
        rate_hz: frames a second, average as declared; variable rates are normal.
        codec: FFmpeg's name of the picture codec.
        container: mov, matroska, avi or mpegts.
        frames: as declared; None where the header does not say.
        rotation: degrees by which pictures are turned counter-clockwise to stand upright.
    """

    path: Path
    width: int
    height: int
    duration_s: float | None
    rate_hz: float
    codec: str
    container: str
    frames: int | None
    rotation: int


def probe(path: str | Path, *, limits: Limits | None = None) -> VideoInfo:
    """Look at the header and the first frame of a video.

    Raises:
        VideoError: it cannot be used; names the file, what is wrong and what to do.

    >>> probe("battle.mp4").codec
    'h264'
    """
    path = Path(path)
    child = start_decoder(path, {"job": "probe"}, limits)
    try:
        return _info(path, child)
    finally:
        child.close()


def read_frames(
    path: str | Path,
    *,
    rate_hz: float,
    short_side: int,
    intervals: Sequence[tuple[float, float]] = (),
    limits: Limits | None = None,
) -> FrameReader:
    """Read a video once, in order: frames on a time grid, scaled, upright.

    Args:
        path: the video.
        rate_hz: frames a second wanted: the frame nearest to each multiple of 1 / rate_hz. A slower video gives
            all its frames. Intervals choose among these frames and never move the grid.
        short_side: pixels of the shorter side of a picture; the longer one keeps the aspect, rounded to even.
        intervals: spans wanted in seconds, in order; none is the whole video. Frames keep the file's times.
        limits: bounds on what the decoder may use; None takes this machine's, as everywhere.

    Returns:
        An iterator of `Frame` that is also a context manager; see `FrameReader`.

    Raises:
        UsageError: a rate, size or interval that cannot be.
        VideoError: here or while iterating: the video cannot be used; says why and what to do.

    >>> with read_frames("battle.mp4", rate_hz=2, short_side=120, intervals=[(2, 4)]) as frames:
    ...     [frame.time_s for frame in frames]
    [2.0, 2.5, 3.0, 3.5]
    """
    return FrameReader(path, rate_hz=rate_hz, short_side=short_side, intervals=intervals, limits=limits)


class Look(NamedTuple):
    """What somebody looks at: pictures of this short side in pixels, `rate_hz / every` a second.

    Ticks of a grid at `rate_hz` are counted from 0 s; `every` so many of them there is a look.
    """

    short_side: int
    rate_hz: float
    every: int = 1

    def grid(self, info: VideoInfo) -> Grid:
        """Which frames of a video these are."""
        return Grid(self.rate_hz, self.every, info.rate_hz)


def read_pictures(
    path: str | Path,
    *,
    looks: Sequence[Look],
    starts_s: Sequence[float] = (),
    intervals: Sequence[tuple[float, float]] = (),
    limits: Limits | None = None,
    follow_s: float | None = None,
) -> PictureReader:
    """Read a video once, in order, for several that look at it, in sizes and at rates of their own.

    Args:
        path: the video.
        looks: what is looked at; whether a frame is for one of them, its `grid` tells.
        starts_s: with the first frame at or after each of these times, every size comes.
        intervals: as in `read_frames`.
        limits: bounds on what the decoder may use.
        follow_s: the file is still being written: wait at its end, until nothing came for so many seconds or its
            writer has closed it. What its header declares is not held against it.

    Raises:
        UsageError, VideoError: as `read_frames`.

    >>> with read_pictures("battle.mp4", looks=[Look(64, 2), Look(120, 2, 4)]) as frames:
    ...     [(frame.time_s, sorted(frame.images)) for frame in frames][:3]
    [(0.0, [64, 120]), (0.5, [64]), (1.0, [64])]
    """
    return PictureReader(path, looks=looks, starts_s=starts_s, intervals=intervals, limits=limits, follow_s=follow_s)


class Pictures(NamedTuple):
    """One frame: its time in seconds, and RGB pictures by their short side."""

    time_s: float
    images: dict[int, np.ndarray]


class _Reader:
    """The frames of one video, read on by `_read`.

    Ends its decoder when exhausted, closed, left as a context manager, or collected.

    Attributes:
        info: the video.
        end_s: how far has been read: the time of the last frame so far; after the last one, the time at which
            that frame ends, or the end of the last interval where the video goes on behind it.
        damaged: packets and frames skipped because they could not be decoded; known after the last frame.
    """

    info: VideoInfo
    end_s: float
    damaged: int
    ended: str

    def __init__(
        self,
        path: str | Path,
        *,
        looks: Sequence[Look],
        starts_s: Sequence[float],
        intervals: Sequence[tuple[float, float]],
        limits: Limits | None,
        command: Sequence[str] = DECODER,
        follow_s: float | None = None,
    ) -> None:
        self._child: GuardedDecoder | None = None
        for look in looks:
            if not (math.isfinite(look.rate_hz) and look.rate_hz > 0):
                raise UsageError(f"rate_hz is {look.rate_hz}", advice="Give a number above 0.")
            _check_side(look.short_side)
        self._sides = list(dict.fromkeys(look.short_side for look in looks))
        job: dict[str, Any] = {
            "job": "read",
            "requests": [[look.short_side, float(look.rate_hz), look.every] for look in looks],
            "starts_s": [float(time_s) for time_s in starts_s],
            "intervals": _checked(intervals),
        }
        if follow_s is not None:
            job["follow_s"] = follow_s
        path = Path(path)
        self.end_s, self.damaged, self.ended = 0.0, 0, ""
        self._child = start_decoder(path, job, limits, command)
        self.info = _info(path, self._child)

    def _read(self) -> Pictures:
        images: dict[int, np.ndarray] = {}
        while self._child is not None:
            kind, values, body = self._child.read()
            if kind == b"F":
                found = _picture(body, self._child)
                if found.which >= len(self._sides):
                    raise self._child.nonsense()
                images[self._sides[found.which]] = found.image
                if found.more:
                    continue
                self.end_s = found.time_s
                return Pictures(found.time_s, images)
            child = self._child
            self.close()
            try:
                self.end_s, self.damaged = float(values["end_s"]), int(values["damaged"])
                self.ended = str(values.get("ended", ""))
            except (KeyError, TypeError, ValueError):
                raise child.nonsense() from None
        raise StopIteration

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __del__(self) -> None:
        self.close()

    def close(self) -> None:
        """Stop reading and end the decoder; may be called twice."""
        if self._child is not None:
            self._child.close()
            self._child = None


class PictureReader(_Reader, Iterator[Pictures]):
    """Frames in several sizes; arguments and errors as in `read_pictures`, attributes as of a `FrameReader`.

    Attributes:
        ended: after the last frame of a file that was followed, why there is no more: closed by its writer, quiet,
            stopped here, or cut (it became shorter); empty where it goes on behind the last interval.
    """

    def meanwhile(self, work: Callable[[], None]) -> None:
        """Do something now and then, between two frames, while no frame comes."""
        if self._child is not None:
            self._child.on_wait = work

    def stop(self) -> None:
        """Let a file that is followed end here; the frames that were read already still come. For any thread."""
        if (child := self._child) is not None:
            child.stop()

    def __next__(self) -> Pictures:
        return self._read()

    def __enter__(self) -> PictureReader:
        return self


class FrameReader(_Reader, Iterator[Frame]):
    """The frames of one video; arguments and errors as in `read_frames`.

    Ends its decoder when exhausted, closed, left as a context manager, or collected.

    Attributes:
        info: the video.
        end_s: how far has been read: the time of the last frame so far; after the last one, the time at which
            that frame ends, or the end of the last interval where the video goes on behind it.
        damaged: packets and frames skipped because they could not be decoded; known after the last frame.
    """

    def __init__(
        self,
        path: str | Path,
        *,
        rate_hz: float,
        short_side: int,
        intervals: Sequence[tuple[float, float]] = (),
        limits: Limits | None = None,
        _command: Sequence[str] = DECODER,
    ) -> None:
        super().__init__(
            path,
            looks=[Look(short_side, rate_hz)],
            starts_s=(),
            intervals=intervals,
            limits=limits,
            command=_command,
        )
        self._side = short_side

    def __next__(self) -> Frame:
        found = self._read()
        return Frame(found.time_s, found.images[self._side])

    def __enter__(self) -> FrameReader:
        return self


def grab_pictures(
    path: str | Path, times_s: Sequence[float], *, short_side: int, limits: Limits | None = None
) -> list[np.ndarray]:
    """One picture for each time, as a player would show it then: for thumbnails.

    Args:
        path: the video.
        times_s: seconds, in any order; before the first frame or after the last, that one is given.
        short_side: pixels of the shorter side.
        limits: bounds on what the decoder may use.

    Returns:
        Upright RGB pictures, each (height, width, 3) uint8, in the order of `times_s`.

    Raises:
        UsageError: a time or size that cannot be.
        VideoError: the video cannot be used.
    """
    path = Path(path)
    _check_side(short_side)
    if not all(math.isfinite(t) for t in times_s):
        raise UsageError("a time is not a finite number", advice="Give seconds.")
    if not times_s:
        return []
    order = sorted(range(len(times_s)), key=lambda i: times_s[i])
    pictures: dict[int, np.ndarray] = {}
    job = {"job": "grab", "short_side": short_side, "times_s": [max(0.0, float(times_s[i])) for i in order]}
    child = start_decoder(path, job, limits)
    try:
        while len(pictures) < len(order):
            pictures[order[len(pictures)]] = _picture(child.read().body, child).image
    finally:
        child.close()
    return [pictures[i] for i in range(len(times_s))]


def start_decoder(
    path: Path, job: dict[str, Any], limits: Limits | None, command: Sequence[str] = DECODER
) -> GuardedDecoder:
    """A guarded decoder at work on a job; errors of the file as in `read_frames`."""
    job = {**job, "path": str(path.absolute()), "format": container_of(path)}
    sides = [job.get("short_side", 0), *(side for side, _, _ in job.get("requests", ()))]
    largest = 4 * _MAX_ASPECT * int(max(sides)) ** 2
    return GuardedDecoder(path, job, limits or Limits.chosen(), max_body=largest, command=command)


def _info(path: Path, child: GuardedDecoder) -> VideoInfo:
    try:
        return VideoInfo(path=path, **child.read().values)
    except TypeError:
        child.close()
        raise child.nonsense() from None


class _Picture(NamedTuple):
    time_s: float
    image: np.ndarray
    which: int
    more: bool


def _picture(body: bytearray, child: GuardedDecoder) -> _Picture:
    try:
        time_s, width, height, stride, turns, mirrored, which, more = _FRAME.unpack_from(body)
        rows = np.frombuffer(body, np.uint8, offset=_FRAME.size).reshape(height, stride)
        image = rows[:, : 3 * width].reshape(height, width, 3)
    except (ValueError, struct.error):
        child.close()
        raise child.nonsense() from None
    if mirrored:
        image = image[:, ::-1]
    return _Picture(time_s, np.ascontiguousarray(np.rot90(image, turns)), which, bool(more))


def _check_side(short_side: int) -> None:
    if not 8 <= short_side <= 4096:
        raise UsageError(f"short_side is {short_side}", advice="Give 8 to 4096 pixels.")


def _checked(intervals: Sequence[tuple[float, float]]) -> list[tuple[float, float | None]]:
    last = 0.0
    for start, end in intervals:
        if not (math.isfinite(start) and start >= last and end > start):
            raise UsageError(
                f"the interval {start:g}-{end:g} s is empty, or starts before 0 or within the one in front",
                advice="Give spans in seconds, in order, that do not overlap.",
            )
        last = end
    return [(float(start), None if math.isinf(end) else float(end)) for start, end in intervals]


__all__ = [
    "FrameReader",
    "Look",
    "PictureReader",
    "Pictures",
    "VideoInfo",
    "grab_pictures",
    "probe",
    "read_frames",
    "read_pictures",
]
