"""A performance's video with its evidence drawn in."""

from __future__ import annotations

from collections.abc import Callable
from itertools import chain
from pathlib import Path

from toprock.errors import UsageError
from toprock.exports.film import SOUND_HZ, frame_rate, short_side, write_film
from toprock.exports.graphic import LowerThird
from toprock.exports.item import Item
from toprock.exports.layout import Axis
from toprock.exports.soundtrack import Feed, joined, pieces_of
from toprock.files import spare_inputs
from toprock.video import Limits, VideoInfo, probe, read_frames, read_sound

LEAST_SIDE = 360  # letters need pixels; smaller videos are enlarged to it


def write_overlay(
    item: Item,
    path: str | Path,
    *,
    limits: Limits | None = None,
    on_time: Callable[[float, float], None] | None = None,
) -> Path:
    """Write the performance as MP4 that browsers play, with the running score, evidence and moments drawn in.

    The picture keeps its shape and has 360 to 720 pixels on the shorter side and at most 30 frames a second. A
    performance cut out of its video by intervals is shown without what lies between them. Its sound comes along, mixed
    to one channel.

    Args:
        item: a performance whose video is known.
        path: the MP4 file; its folder is made where needed.
        limits: bounds on what decoding may use.
        on_time: called with the seconds written, and how many there will be.

    Returns:
        `path`.

    Raises:
        UsageError: the video is not known or would be written over, or the assessment holds what is not a number.
        VideoError: the video cannot be used.
        StorageError: the file cannot be written.

    >>> battle = toprock.find_performances("battle.mp4")[0]
    >>> write_overlay(Item(toprock.load("model").assess(battle), battle), "overlay.mp4").name
    'overlay.mp4'
    """
    if item.performance is None:
        raise UsageError(f"the video of '{item.assessment.id}' is not known", advice="Give a video.")
    path, video = Path(path), item.performance.video
    spare_inputs(path, [video])
    info = probe(video, limits=limits)
    spans = _spans(item, info)
    axis = Axis(spans)
    pieces = pieces_of(read_sound(video, rate_hz=SOUND_HZ, limits=limits), spans)
    begun = next(pieces, None)
    feed = Feed(iter(()) if begun is None else joined(chain([begun], pieces), spans))
    reading = read_frames(
        video,
        rate_hz=frame_rate(info),
        short_side=short_side(info, least=LEAST_SIDE),
        intervals=item.performance.intervals,
        limits=limits,
    )
    with reading as frames:
        first = next(frames)
        height, width = first.image.shape[:2]
        graphic = LowerThird(item, (width, height), spans)
        with write_film(path, (width, height), sound=begun is not None) as film:
            for frame in chain([first], frames):
                at_s = axis.along(frame.time_s)
                film.picture(graphic.draw(frame.image, frame.time_s), at_s)
                film.sound(feed.until(at_s))
                if on_time is not None:
                    on_time(at_s, axis.length_s)
            end_s = axis.along(frames.end_s)
            film.sound(feed.until(end_s))
            film.end(end_s)
    return path


def _spans(item: Item, info: VideoInfo) -> list[tuple[float, float]]:
    """What is shown: the performance's intervals, as far as the video goes; else all of it."""
    end_s = item.end_s(info.duration_s)
    given = item.performance.intervals if item.performance else ()
    return [(a, min(b, end_s)) for a, b in given if a < end_s] or [(0.0, end_s)]
