"""Writing a video that browsers play: MP4 of H.264 pictures and AAC sound, whole or not at all.

Only pictures and samples of our own come in here; other people's files are decoded by the guarded child
(`toprock.video`), never by the library that encodes.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
from av.video.reformatter import ColorRange, Colorspace, VideoReformatter

from toprock.errors import StorageError, UsageError
from toprock.files import whole_file
from toprock.video import VideoInfo

SOUND_HZ = 48_000
LARGEST_SIDE = 720
FASTEST_HZ = 30.0
_LONGEST_SIDE = 3840
_TICK = Fraction(1, 60_000)  # seconds; usual frame rates are whole numbers of these, and MPEG-4 takes no finer ones
_BLOCK = 1024  # samples that AAC codes together
_BT709 = 1  # in H.264's tables of primaries, transfer and matrix
_ENCODERS = {
    # Without B-frames times in the file are those of the pictures, and a player needs no edit list.
    "libx264": {"preset": "veryfast", "crf": "20", "bf": "0"},
    "libopenh264": {"allow_skip_frames": "0", "b": "4M"},
    "mpeg4": {"b": "4M"},
}
PLAYED_EVERYWHERE = frozenset({"libx264", "libopenh264"})


def find_encoder(wanted: Sequence[str] = tuple(_ENCODERS)) -> str:
    """The first of the encoders that this PyAV has; what is not in `PLAYED_EVERYWHERE` browsers may refuse.

    Raises:
        UsageError: it has none of them.

    >>> find_encoder(["no-such-encoder", "mpeg4"])
    'mpeg4'
    """
    for name in wanted:
        with contextlib.suppress(av.codec.codec.UnknownCodecError):
            av.codec.Codec(name, "w")
            return name
    raise UsageError(
        f"this PyAV encodes no video (looked for {', '.join(wanted)})", advice="Install it again: pip install av."
    )


def frame_rate(info: VideoInfo) -> float:
    """Frames a second to read so that at most 30 come and none is dropped unevenly.

    A video of 60 frames a second gives every second one; one of up to 30 gives all.
    """
    return FASTEST_HZ if info.rate_hz < FASTEST_HZ + 0.5 else info.rate_hz / np.ceil(info.rate_hz / FASTEST_HZ - 0.01)


def short_side(info: VideoInfo, *, least: int = 2) -> int:
    """Pixels of the shorter side to write: even, the video's own from `least` to 720; less in a very long picture."""
    short, long = sorted((info.width, info.height))
    side = min(max(short, least), LARGEST_SIDE, int(_LONGEST_SIDE * short / max(long, 1)))
    return max(8, side - side % 2)


class Film:
    """A video being written; see `write_film`.

    Attributes:
        encoder: of the pictures.
    """

    def __init__(self, container: Any, size: tuple[int, int], *, sound: bool, encoder: str) -> None:
        self.encoder = encoder
        self._container = container
        self._video = container.add_stream(encoder, rate=30, options=dict(_ENCODERS[encoder]))
        self._video.width, self._video.height = size
        self._video.pix_fmt = "yuv420p"
        self._video.time_base = _TICK
        context = self._video.codec_context
        context.time_base = _TICK
        context.gop_size = 60
        context.color_range, context.colorspace = ColorRange.MPEG, _BT709
        context.color_primaries = context.color_trc = _BT709
        self._sound = container.add_stream("aac", rate=SOUND_HZ, layout="mono") if sound else None
        self._reformatter = VideoReformatter()
        self._held: Any = None
        self._last = -1
        self._waiting = np.zeros(0, np.float32)
        self._sounded = 0

    def picture(self, image: np.ndarray, time_s: float) -> None:
        """Add a picture (height, width, 3) uint8 RGB, of the film's size, that shows from `time_s` on; times rise."""
        frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(image), format="rgb24")
        frame = self._reformatter.reformat(
            frame, format="yuv420p", dst_colorspace=Colorspace.ITU709, dst_color_range=ColorRange.MPEG
        )
        frame.pts = max(self._last + 1, round(Fraction(time_s) / _TICK))
        frame.time_base = _TICK
        self._last = frame.pts
        self._mux_pictures(self._video.encode(frame))

    def sound(self, samples: np.ndarray) -> None:
        """Go on with mono samples (N,) float32 in -1 to 1, at `SOUND_HZ`; nothing where the film is silent."""
        if self._sound is None:
            return
        self._waiting = np.concatenate([self._waiting, samples])
        whole = len(self._waiting) - len(self._waiting) % _BLOCK
        self._encode_sound(whole)

    def end(self, time_s: float) -> None:
        """Let the last picture show until `time_s`, and finish."""
        if self._sound is not None:
            self._encode_sound(len(self._waiting))
            self._container.mux(self._sound.encode())
        self._mux_pictures(self._video.encode())
        if self._held is not None:
            self._held.duration = max(1, round(Fraction(time_s) / _TICK) - self._last)
            self._container.mux(self._held)

    def _mux_pictures(self, packets: Sequence[Any]) -> None:
        for packet in packets:  # the last packet is held back until it is known how long it shows
            if self._held is not None:
                self._container.mux(self._held)
            self._held = packet

    def _encode_sound(self, count: int) -> None:
        assert self._sound is not None
        for at in range(0, count, _BLOCK):
            samples = self._waiting[None, at : min(at + _BLOCK, count)]
            frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(samples), format="fltp", layout="mono")
            frame.sample_rate, frame.time_base = SOUND_HZ, Fraction(1, SOUND_HZ)
            frame.pts = self._sounded
            self._sounded += samples.shape[1]
            self._container.mux(self._sound.encode(frame))
        self._waiting = self._waiting[count:]


@contextlib.contextmanager
def write_film(path: str | Path, size: tuple[int, int], *, sound: bool = False, encoder: str = "") -> Iterator[Film]:
    """A `Film` that is moved to `path` when the block ends well, and leaves nothing behind when it does not.

    Args:
        path: the MP4 file; its folder is made where needed.
        size: width and height in pixels, both even.
        sound: whether it will have sound.
        encoder: of the pictures; by default the best that there is.

    Raises:
        StorageError: the disk is full, or the file cannot be written.

    >>> with write_film("white.mp4", (64, 48)) as film:
    ...     film.picture(np.full((48, 64, 3), 255, np.uint8), 0.0)
    ...     film.end(2.0)
    """
    with whole_file(path) as part:
        try:
            with av.open(
                str(part.absolute()), "w", format="mp4", container_options={"movflags": "+faststart"}
            ) as container:
                yield Film(container, size, sound=sound, encoder=encoder or find_encoder())
        except av.FFmpegError as problem:
            if isinstance(problem, OSError):
                raise
            raise StorageError(
                f"{path}: cannot be encoded ({problem})", advice="Install PyAV again: pip install av."
            ) from problem
