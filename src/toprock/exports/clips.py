"""Best and worst moments of a performance, cut out of its video."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np

from toprock.assess import Moment
from toprock.backbones.base import Frame
from toprock.errors import UsageError
from toprock.exports.film import frame_rate, short_side, write_film
from toprock.exports.item import Item
from toprock.exports.soundtrack import Feed, sound_of_each
from toprock.files import name_of, spare_inputs
from toprock.video import Limits, VideoInfo, probe, read_frames

MOST_PADDING_S = 60.0
_HELD_S = 2.0  # how far ahead of a clip to look for the picture that shows when it begins


@dataclass(frozen=True)
class Clip:
    """A moment, the file that shows it, and what that holds: seconds of the video, with the padding."""

    moment: Moment
    file: Path
    start_s: float
    end_s: float

    def to_json(self) -> dict[str, Any]:
        """JSON values: the moment as in an assessment, and its file and span."""
        span = {"clip_start_s": self.start_s, "clip_end_s": self.end_s}
        return {**asdict(self.moment), "differs": list(self.moment.differs), "file": str(self.file), **span}


def cut_clips(
    item: Item,
    folder: str | Path,
    *,
    padding_s: float = 1.0,
    limits: Limits | None = None,
    on_clip: Callable[[int, int], None] | None = None,
) -> list[Clip]:
    """Cut each moment out of the video, with `padding_s` around it, as MP4 that browsers play.

    A clip holds exactly that span, as far as the video goes, with its sound mixed to one channel; the picture keeps
    its shape and has at most 720 pixels on the shorter side and 30 frames a second. Its name is the id, the kind and
    the second at which the moment begins.

    Args:
        item: a performance whose video is known.
        folder: where the clips go; made where needed.
        padding_s: seconds ahead of and behind each moment, 0 to 60.
        limits: bounds on what decoding may use.
        on_clip: called with how many are done, of how many.

    Returns:
        The clips in order of time; none where no moment stands out.

    Raises:
        UsageError: the padding cannot be, the video is not known, or a clip would be written over it.
        VideoError: the video cannot be used.
        StorageError: a clip cannot be written.

    >>> battle = toprock.find_performances("battle.mp4")[0]
    >>> clips = cut_clips(Item(toprock.load("model").assess(battle), battle), "clips")
    >>> clips[0].file.name.startswith("battle-"), clips[0].file.suffix
    (True, '.mp4')
    """
    if not 0 <= padding_s <= MOST_PADDING_S:
        raise UsageError(f"the padding is {padding_s:g} s", advice=f"Give 0 to {MOST_PADDING_S:g} seconds.")
    if item.performance is None:
        raise UsageError(f"the video of '{item.assessment.id}' is not known", advice="Give a video.")
    video = item.performance.video
    if not item.moments:
        return []
    info = probe(video, limits=limits)
    end_s = item.end_s(info.duration_s)
    spans = [(max(0.0, m.start_s - padding_s), min(m.end_s + padding_s, end_s)) for m in item.moments]
    paths = [Path(folder) / f"{name_of(item.assessment.id)}-{m.kind}-{m.start_s:09.3f}s.mp4" for m in item.moments]
    for path in paths:
        spare_inputs(path, [video])
    sounds = sound_of_each(video, spans, limits=limits)
    clips = []
    for number, (moment, span, path) in enumerate(zip(item.moments, spans, paths, strict=True)):
        ended_s = _cut(info, span, path, None if sounds is None else sounds[number], limits)
        clips.append(Clip(moment, path, span[0], ended_s))
        if on_clip is not None:
            on_clip(number + 1, len(spans))
    return clips


def _cut(
    info: VideoInfo, span: tuple[float, float], path: Path, sound: np.ndarray | None, limits: Limits | None
) -> float:
    """Write one clip; returns the second of the video at which it ends."""
    start_s, end_s = span
    feed = Feed(iter([] if sound is None else [sound]))
    reading = read_frames(
        info.path,
        rate_hz=frame_rate(info),
        short_side=short_side(info),
        intervals=[(max(0.0, start_s - _HELD_S), end_s)],
        limits=limits,
    )
    with reading as frames:
        shown, after = _shown_at(start_s, frames)
        height, width = shown.image.shape[:2]
        with write_film(path, (width, height), sound=sound is not None) as film:
            film.picture(shown.image, 0.0)
            for frame in after:
                film.picture(frame.image, frame.time_s - start_s)
                film.sound(feed.until(frame.time_s - start_s))
            ended_s = min(frames.end_s, end_s)
            film.sound(feed.until(ended_s - start_s))
            film.end(ended_s - start_s)
    return ended_s


def _shown_at(time_s: float, frames: Iterator[Frame]) -> tuple[Frame, Iterator[Frame]]:
    """The picture that shows at a time (the first where none does yet), and those that follow."""
    shown = next(frames)
    for frame in frames:
        if frame.time_s > time_s:
            return shown, chain([frame], frames)
        shown = frame
    return shown, iter(())
