"""A copy of a video that browsers play, for those that they refuse: AVI, MPEG-TS, MPEG-4 Part 2, HEVC and the like."""

from __future__ import annotations

from collections.abc import Callable
from itertools import chain
from pathlib import Path

from toprock.exports.film import SOUND_HZ, frame_rate, short_side, write_film
from toprock.exports.soundtrack import Feed, joined, pieces_of
from toprock.files import spare_inputs
from toprock.video import Limits, VideoInfo, probe, read_frames, read_sound

_PLAYED = {"mov": {"h264", "av1"}, "matroska": {"vp8", "vp9", "av1"}}


def plays_in_browsers(container: str, codec: str) -> bool:
    """Whether browsers most likely play such a file as it is.

    >>> plays_in_browsers("mov", "h264"), plays_in_browsers("avi", "mpeg4")
    (True, False)
    """
    return codec in _PLAYED.get(container, ())


def write_preview(
    video: str | Path,
    path: str | Path,
    *,
    limits: Limits | None = None,
    on_time: Callable[[float, float], None] | None = None,
) -> Path:
    """Write all of a video as MP4 that browsers play, in the same time: second 12 there is second 12 here.

    The picture keeps its shape and has at most 720 pixels on the shorter side and 30 frames a second; its sound comes
    along, mixed to one channel.

    Args:
        video: the file.
        path: the MP4 file; its folder is made where needed.
        limits: bounds on what decoding may use.
        on_time: called with the second reached, and the length as declared (0 where it is not known).

    Raises:
        VideoError: the video cannot be used.
        StorageError: the file cannot be written.

    >>> write_preview("battle.mp4", "preview.mp4").name
    'preview.mp4'
    """
    spare_inputs(path, [video])
    info: VideoInfo = probe(video, limits=limits)
    length_s = info.duration_s or 0.0
    spans = [(0.0, length_s or (limits or Limits.chosen()).max_duration_s)]
    pieces = pieces_of(read_sound(video, rate_hz=SOUND_HZ, limits=limits), spans)
    begun = next(pieces, None)
    feed = Feed(iter(()) if begun is None else joined(chain([begun], pieces), spans))
    reading = read_frames(video, rate_hz=frame_rate(info), short_side=short_side(info), limits=limits)
    with reading as frames:
        first = next(frames)
        height, width = first.image.shape[:2]
        with write_film(path, (width, height), sound=begun is not None) as film:
            film.picture(first.image, 0.0)
            for frame in frames:
                film.picture(frame.image, frame.time_s)
                film.sound(feed.until(frame.time_s))
                if on_time is not None:
                    on_time(frame.time_s, length_s)
            film.sound(feed.until(frames.end_s))
            film.end(frames.end_s)
    return Path(path)
