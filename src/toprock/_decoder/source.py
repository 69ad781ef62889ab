"""An opened video: its picture stream, its frames in order of time from any time on, its sound stream."""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Iterator
from fractions import Fraction
from typing import Any

import av

from toprock._decoder.geometry import display_size, upright
from toprock._decoder.growing import Growing
from toprock._decoder.output import Output, Refusal
from toprock.machine import cores

# HLS, concat and other lists that name further files must stay off: they read what the user never gave.
_FORMATS = "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,avi,mpegts"
_SEEK_MARGIN_S = 1.0  # frames shown before a keyframe may need the one before it (open groups of pictures)


class Source:
    """One video, opened within limits.

    Attributes:
        limits, output: of the job.
        rate_hz: frames a second as declared, 25 where nothing is.
        declared_s: length of the pictures as declared, or None.
        damaged: packets and frames lost so far.
        shown: frames decoded so far.
        gap: times before and behind the first gap that is longer than the limit, or None.
        growing: the file, where it is still being written; it then declares nothing that could be held against it.

    Raises:
        Refusal: it cannot be used.
    """

    def __init__(self, job: dict[str, Any], output: Output) -> None:
        self._job, self.limits, self.output = job, job["limits"], output
        self.name = os.path.basename(job["path"])  # noqa: PTH119
        self.damaged = self.shown = 0
        self.gap: tuple[float, float] | None = None
        self.end_s = self.packets_end_s = 0.0
        self._refused_size = (0, 0)
        quiet_s = job.get("follow_s")
        self.growing = None if quiet_s is None else Growing(job["path"], quiet_s, output.progress)
        self._container = self._open()
        self._moved = False
        self._stream = self._choose()
        self._codec = self._stream.codec_context
        self._base: Fraction = self._stream.time_base or Fraction(1, 1000)
        self.rate_hz = _rate(self._stream)
        start = self._container.start_time
        self._start_s = Fraction(start, 1_000_000) if start is not None else None
        self.declared_s, self._by_stream = self._declared()
        self._check()
        self._prepare()

    # ---- opening

    def _open(self) -> Any:
        path = self._job["path"]
        try:
            path.encode()
        except UnicodeEncodeError:  # PyAV knows UTF-8 only
            path = f"/dev/fd/{os.open(path, os.O_RDONLY)}"
        options = {
            "format_whitelist": _FORMATS,
            "protocol_whitelist": "file",
            "max_pixels": str(self.limits["max_pixels"]),
            "max_streams": str(self.limits["max_streams"] + 1),
        }
        try:
            return av.open(self.growing or path, format=self._job["format"], options=options, metadata_errors="replace")
        except MemoryError:
            raise
        except Exception as problem:
            raise self._unopened(problem) from problem

    def _unopened(self, problem: Exception) -> Refusal:
        if isinstance(problem, (FileNotFoundError, PermissionError)):  # it was there and readable a moment ago
            return Refusal(
                "UnreadableVideo",
                f"it cannot be opened any more ({problem.strerror})",
                "See to it that the file and its disk are where they were, and may be read; then try again.",
            )
        if self.growing and self.growing.ended:
            return Refusal(
                "UnreadableVideo",
                "nothing more was written to it before its pictures could begin",
                "Is it still being recorded? Begin the recording first, then watch it.",
            )
        if not isinstance(problem, av.InvalidDataError):
            return self._unreadable(f"it cannot be opened ({type(problem).__name__}: {str(problem)[:200]})")
        index = " (moov)" if self._job["format"] == "mov" else ""
        return Refusal(
            "UnreadableVideo",
            f"its index{index} is missing or damaged; the recording or the copying was cut short",
            "Copy it again from where it came.",
        )

    def _choose(self) -> Any:
        streams = self._container.streams
        if len(streams) > self.limits["max_streams"]:
            raise Refusal(
                "VideoTooLarge",
                f"it holds {len(streams)} streams or more, the limit is {self.limits['max_streams']}",
                f"Keep the pictures only: ffmpeg -i '{self.name}' -map 0:v:0 -c copy out.mp4.",
            )
        pictures = [s for s in streams.video if not _is_cover(s)]
        if not pictures:
            what = "it holds sound but no pictures" if streams.audio else "it holds no picture stream"
            what += " (a cover picture does not count)" if streams.video else ""
            raise Refusal("UnreadableVideo", what, "Give the video, not its sound track.")
        usable = [s for s in pictures if s.codec_context is not None]
        if not usable:
            raise self._unreadable("no decoder is known for its pictures")
        return max(usable, key=lambda s: (_is_default(s), s.width * s.height, -s.index))

    def _check(self) -> None:
        self.check_size(self._codec.width, self._codec.height)
        longest, frames = self.limits["max_duration_s"], self.limits["max_frames"]
        if self.declared_s is not None and self.declared_s > longest:
            raise Refusal(
                "VideoTooLarge",
                f"it declares a length of {self.declared_s:.0f} s, the limit is {longest:g} s",
                "Cut it into parts (ffmpeg -ss START -to END -c copy), or raise max_duration_s (toprock settings shows "
                "where). A damaged header can lie: copying the streams with ffmpeg -c copy mends that.",
            )
        if self._stream.frames > frames:
            raise Refusal(
                "VideoTooLarge",
                f"it declares {self._stream.frames} frames, the limit is {frames}",
                "Cut it into parts, or raise max_frames (toprock settings shows where).",
            )

    def check_size(self, width: int, height: int) -> None:
        """Refuse pictures beyond the limit; asked for the header and for every frame."""
        most = self.limits["max_pixels"]
        if width * height > most:
            raise Refusal(
                "VideoTooLarge",
                f"its pictures are {width} x {height}, {width * height / 1e6:.1f} million pixels; "
                f"the limit is {most / 1e6:.1f} million",
                f"Scale it down: ffmpeg -i '{self.name}' -vf scale=-2:1080 -c:v libx264 out.mp4, "
                "or raise max_pixels (toprock settings shows where).",
            )

    def check_refused(self) -> None:
        """Where pictures were lost: say so if it was because the decoder refused their size."""
        self.check_size(*self._refused_size)

    def _prepare(self) -> None:
        self._codec.thread_type = "AUTO"
        self._codec.thread_count = self.limits["threads"] or self._affordable_threads()
        self._codec.options = {"max_pixels": str(self.limits["max_pixels"])}
        for other in self._container.streams:
            # Where only the container tells its length, other streams show whether the file is whole.
            if other.index != self._stream.index and self._by_stream:
                with contextlib.suppress(AttributeError, ValueError):
                    other.discard = "all"

    def _affordable_threads(self) -> int:
        """One thread a core and one more, as FFmpeg has it; fewer where frames would fill the memory."""
        frame_mb = max(1, self._codec.width * self._codec.height) * 3 / (1 << 20)
        affordable = int(self.limits["memory_mb"] / 2 / frame_mb) - 17  # 16 reference frames
        return max(1, min(cores() + 1, affordable, 16))

    def _declared(self) -> tuple[float | None, bool]:
        """Length in seconds and whether the picture stream itself says so."""
        stream, container = self._stream, self._container
        if self.growing:
            return None, True
        if self._job["format"] == "avi" and stream.frames:
            return stream.frames / self.rate_hz, True  # FFmpeg guesses a duration when the index is cut off
        if stream.duration and stream.duration > 0:
            start = stream.start_time or 0
            ends_s = max(0.0, float((start + stream.duration) * self._base) - float(self._start_s or 0))
            whole_s = (container.duration or 0) / 1e6
            return min(ends_s, whole_s) if whole_s > 0 else ends_s, True
        tag = stream.metadata.get("DURATION", "")
        if match := re.fullmatch(r"(\d+):(\d\d):(\d\d(?:\.\d+)?)", tag.strip("\x00 ")):
            return int(match[1]) * 3600 + int(match[2]) * 60 + float(match[3]), True
        if container.duration and container.duration > 0:
            return container.duration / 1e6, False
        return None, False

    # ---- reading

    def frames(self, from_s: float = 0.0) -> Iterator[tuple[float, Any]]:
        """Frames in order of rising time; with `from_s`, from a frame at or before that time on, if any is.

        A seek that lands too late is done again from further ahead.
        """
        margin = _SEEK_MARGIN_S
        while from_s > 0 and from_s - margin > 0:
            frames = self._from_seek(from_s - margin)
            first = next(frames, None)
            if first is not None and first[0] <= from_s:
                yield first
                yield from frames
                return
            margin *= 8
        if self._moved:
            self._rewind()
        yield from self._decoded()

    def _from_seek(self, time_s: float) -> Iterator[tuple[float, Any]]:
        start, self._moved = self._start_s or 0, True
        try:
            self._container.seek(int((Fraction(time_s) + start) / self._base), stream=self._stream)
        except av.FFmpegError:
            return iter(())
        return self._decoded()

    def _rewind(self) -> None:
        """Start anew, with a fresh opening: seeking to the first picture may land behind it."""
        index = self._stream.index  # a stream goes with its container
        self._container.close()
        self._container = self._open()
        self._stream = self._container.streams[index]
        self._codec = self._stream.codec_context
        self._prepare()

    def _decoded(self) -> Iterator[tuple[float, Any]]:
        last_s, self._moved = -1.0, True
        for packet in self._packets():
            for frame in self._decode(packet):
                self.shown += 1
                if self.shown > self.limits["max_frames"]:
                    raise Refusal(
                        "VideoTooLarge",
                        f"it holds more than the limit of {self.limits['max_frames']} frames",
                        "Cut it into parts, or raise max_frames (toprock settings shows where).",
                    )
                time_s = self._time(frame, last_s)
                far = last_s >= 0 and time_s - last_s > self.limits["max_gap_s"]
                if far:
                    self.gap = self.gap or (last_s, time_s)
                if frame.is_corrupt or time_s <= last_s or far:
                    self.damaged += 1
                    continue
                if time_s > self.limits["max_duration_s"]:
                    raise Refusal(
                        "VideoTooLarge",
                        f"it is longer than the limit of {self.limits['max_duration_s']:g} s",
                        "Cut it into parts, or raise max_duration_s (toprock settings shows where).",
                    )
                self.check_size(frame.width, frame.height)
                last_s = time_s
                self.end_s = time_s + self._lasts(frame)
                self.output.progress()
                yield time_s, frame

    def _packets(self) -> Iterator[Any]:
        """Packets of the picture stream; a demuxer that trips over damage is started again behind it."""
        trips = 0
        wanted = [self._stream] if self._by_stream else []
        while True:
            try:
                for packet in self._container.demux(*wanted):
                    trips = 0
                    if not wanted and packet.pts is not None and packet.time_base:
                        ends = (packet.pts + (packet.duration or 0)) * packet.time_base - (self._start_s or 0)
                        self.packets_end_s = max(self.packets_end_s, float(ends))
                    if packet.stream.index == self._stream.index:  # the last one, which is empty, says so here alone
                        yield packet
                return
            except MemoryError:
                raise
            except (av.FFmpegError, ValueError, IndexError):
                trips += 1
                self.damaged += 1
                if trips > 50:
                    return

    def _decode(self, packet: Any) -> list[Any]:
        try:
            return self._codec.decode(packet) if packet.size else self._codec.decode(None)
        except MemoryError:
            raise
        except (av.FFmpegError, ValueError, IndexError, UnicodeDecodeError):
            self.damaged += 1
            if self._codec.width * self._codec.height > self.limits["max_pixels"]:
                self._refused_size = self._codec.width, self._codec.height
            return []

    def _time(self, frame: Any, last_s: float) -> float:
        if frame.pts is None:
            return last_s + 1.0 / self.rate_hz if last_s >= 0 else 0.0
        time = frame.pts * (frame.time_base or self._base)
        if self._start_s is None or (self.shown == 1 and time < self._start_s):
            self._start_s = time  # a header that declares a start behind its first picture is not believed
        return float(time - self._start_s)

    def _lasts(self, frame: Any) -> float:
        length = float(frame.duration * (frame.time_base or self._base)) if frame.duration else 0.0
        return length if 0 < length < 10 else 1.0 / self.rate_hz

    def open_sound(self) -> tuple[Any, Any] | None:
        """A fresh container and its sound stream; None where there is none that can be decoded."""
        container = self._open()
        usable = [s for s in container.streams.audio if s.codec_context is not None]
        if not usable:
            container.close()
            return None
        return container, max(usable, key=lambda s: (_is_default(s), -s.index))

    def since_start_s(self, time_s: Fraction) -> float:
        """A time of the file in seconds after its pictures' 0 s, which the first picture has fixed."""
        return float(time_s - (self._start_s or 0))

    # ---- what is told

    def display_size(self, frame: Any) -> tuple[float, float]:
        """Width and height with pixels made square, not yet upright."""
        return display_size(frame.width, frame.height, float(self._stream.sample_aspect_ratio or 1))

    def info(self, frame: Any) -> dict[str, Any]:
        """What the parent makes a VideoInfo of."""
        turns, _ = upright(frame)
        width, height = self.display_size(frame)
        if turns % 2:
            width, height = height, width
        return {
            "width": round(width),
            "height": round(height),
            "duration_s": self.declared_s,
            "rate_hz": self.rate_hz,
            "codec": self._codec.name,
            "container": self._job["format"],
            "frames": self._stream.frames or None,
            "rotation": turns * 90,
        }

    def wanted_end_s(self, until_s: float | None) -> float | None:
        """Where reading should end by the header, or None where it does not say; and by the last interval."""
        if self.declared_s is None:
            return None
        return self.declared_s if until_s is None else min(self.declared_s, until_s)

    def reached_s(self) -> float:
        """How far the file goes, judged by all streams where only the container declares a length."""
        return self.end_s if self._by_stream else max(self.end_s, self.packets_end_s)

    def _unreadable(self, what: str) -> Refusal:
        return Refusal("UnreadableVideo", what, f"Re-encode it: ffmpeg -i '{self.name}' -c:v libx264 -an mended.mp4.")


def _is_cover(stream: Any) -> bool:
    flags = stream.disposition
    kind = type(flags)
    return bool(flags & (kind.attached_pic | kind.timed_thumbnails))


def _is_default(stream: Any) -> bool:
    return bool(stream.disposition & type(stream.disposition).default)


def _rate(stream: Any) -> float:
    for rate in (stream.average_rate, stream.guessed_rate, stream.base_rate):
        if rate and 0.01 <= rate <= 1000:
            return float(rate)
    return 25.0
