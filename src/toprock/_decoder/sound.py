"""The sound track of an opened video as mono samples, whatever is damaged in it."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterator
from typing import Any

import av

from toprock._decoder.output import Refusal
from toprock._decoder.source import Source

_MAX_TRIPS = 50  # of a demuxer over damage, in a row
_PIECE = 1 << 16  # bytes of one message
_JITTER_S = 0.02  # a time that is off by less is taken for rounding


def sounds(source: Source, rate_hz: int) -> Iterator[tuple[float, memoryview]]:
    """Time of the first sample, and bytes of mono float32 samples at `rate_hz`, piece by piece.

    Lost packets leave a gap in the times and count in `source.damaged`.

    Raises:
        Refusal: the sound is longer than a video may be.
    """
    found = source.open_sound()
    if found is None:
        return
    longest_s = source.limits["max_duration_s"]
    held, held_s, samples = bytearray(), 0.0, 0
    with contextlib.closing(found[0]) as container:
        for time_s, data in _resampled(source, container, found[1], rate_hz):
            samples += len(data) // 4
            if max(time_s, samples / rate_hz) > longest_s:
                raise Refusal(
                    "VideoTooLarge",
                    f"its sound is longer than the limit of {longest_s:g} s",
                    "Cut it into parts, or raise max_duration_s (toprock settings shows where).",
                )
            if held and abs(time_s - (held_s + len(held) / 4 / rate_hz)) > _JITTER_S:
                yield held_s, memoryview(held)
                held = bytearray()
            held_s = held_s if held else time_s
            held += data
            while len(held) >= _PIECE:
                yield held_s, memoryview(held)[:_PIECE]
                held, held_s = held[_PIECE:], held_s + _PIECE / 4 / rate_hz
    if held:
        yield held_s, memoryview(held)


def _resampled(source: Source, container: Any, stream: Any, rate_hz: int) -> Iterator[tuple[float, memoryview]]:
    resampler, form = None, None
    next_s = 0.0  # where the sound would go on if a frame does not say
    reached_s = -math.inf
    for frame in _frames(source, container, stream):
        if (now := (frame.format.name, frame.layout.name, frame.sample_rate)) != form:
            resampler, form = av.AudioResampler(format="flt", layout="mono", rate=rate_hz), now
        start_s = next_s
        if frame.pts is not None:
            start_s = source.since_start_s(frame.pts * (frame.time_base or stream.time_base))
        late_s = max(0.0, reached_s) + source.limits["max_gap_s"]
        if reached_s < 0:  # sound may begin at any time that the video has
            late_s = max(late_s, source.declared_s or 0.0)
        if not reached_s - _JITTER_S <= start_s <= late_s:  # times as damage makes them
            source.damaged += 1
            continue
        reached_s = next_s = start_s + frame.samples / frame.sample_rate
        frame.pts = None  # times are kept here; the resampler would stretch over gaps
        for piece in resampler.resample(frame):  # type: ignore[union-attr]
            yield start_s, memoryview(piece.planes[0])[: 4 * piece.samples]


def _frames(source: Source, container: Any, stream: Any) -> Iterator[Any]:
    trips = 0
    packets = container.demux(stream)
    while trips <= _MAX_TRIPS:
        try:
            packet = next(packets, None)
        except MemoryError:
            raise
        except (av.FFmpegError, ValueError, IndexError):
            trips += 1
            source.damaged += 1
            packets = container.demux(stream)
            continue
        if packet is None:
            return
        trips = 0
        source.output.progress()
        try:
            frames = stream.codec_context.decode(packet) if packet.size else stream.codec_context.decode(None)
        except MemoryError:
            raise
        except (av.FFmpegError, ValueError, IndexError, UnicodeDecodeError):
            source.damaged += 1
            continue
        yield from (frame for frame in frames if frame.samples and frame.sample_rate)
