"""A camera or a network stream, copied packet by packet into a Matroska file that the parent writes."""

from __future__ import annotations

import contextlib
import io
import socket
import time
from collections.abc import Iterator
from fractions import Fraction
from typing import Any
from urllib.parse import urlsplit

import av

from toprock._decoder.growing import Stop
from toprock._decoder.output import Output, Refusal

CAMERA, NETWORK = "v4l2", "rtsp"
_SILENT_S = 10.0  # no packet for so long, and the source is lost
_PIECE = 1 << 19  # bytes of one message
_MOST_TIMELESS = 100
_BARE = ("rawvideo", "wrapped_avframe")
_CLUSTER_MS = "100"  # no picture waits longer in the muxer
_CHECK = "Check the address, the network, and whether the source is on."


class _Away(io.RawIOBase):
    """The file, which lies with the parent: what is written is sent there with its place."""

    def __init__(self, output: Output) -> None:
        self._output, self._at, self._size = output, 0, 0

    def write(self, data: Any) -> int:
        for at in range(0, len(data), _PIECE):
            self._output.media(self._at + at, data[at : at + _PIECE])
        self._at += len(data)
        self._size = max(self._size, self._at)
        return len(data)

    def seek(self, at: int, whence: int = 0) -> int:
        self._at = at + (0, self._at, self._size)[whence]
        return self._at

    def tell(self) -> int:
        return self._at

    def writable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True


def relay(job: dict[str, Any], output: Output) -> None:
    """Send the bytes of a Matroska file with the pictures of `address` until it is lost or the parent asks to stop.

    Info comes first; done tells why it ended: stopped or lost.
    """
    stop = Stop()
    with contextlib.closing(_opened(job)) as container:
        copy(container, output, stop, job["limits"])


def copy(container: Any, output: Output, stop: Stop, limits: dict[str, Any]) -> None:
    """The work of `relay` for an opened source."""
    if not container.streams.video:
        raise Refusal("UnreadableVideo", "it sends no pictures", "Give a source of pictures.")
    stream = container.streams.video[0]
    if stream.codec_context is None:
        raise Refusal("UnreadableVideo", "no decoder is known for its pictures", "Let it send H.264.")
    most = limits["max_pixels"]
    if stream.codec_context.width * stream.codec_context.height > most:
        raise Refusal(
            "VideoTooLarge",
            f"its pictures are {stream.codec_context.width} x {stream.codec_context.height}; the limit is "
            f"{most / 1e6:.1f} million pixels",
            "Let it send smaller ones, or raise max_pixels (toprock settings shows where).",
        )
    output.info({"codec": stream.codec_context.name})
    options = {"cluster_time_limit": _CLUSTER_MS, "flush_packets": "1", "avoid_negative_ts": "make_zero"}
    with av.open(_Away(output), "w", format="matroska", options=options) as out:
        lane = _Coded(out, stream) if stream.codec_context.name in _BARE else _Copied(out, stream)
        lost, begun_s = 0, time.monotonic()
        for packet in _packets(container, stream, stop):
            output.progress()
            if time.monotonic() - begun_s > limits["max_duration_s"]:
                stop.wanted = True
            try:
                lane(packet)
            except (av.FFmpegError, ValueError):
                lost += 1
        lane(None)
    output.done(ended="stopped" if stop.wanted else "lost", damaged=lost)


class _Copied:
    """Packets as they are, from the first picture that needs no other on.

    The first ones of a network stream have no times: they lie ahead of the first that has. Where its clock jumps, time
    goes on as if it had not.
    """

    def __init__(self, out: Any, stream: Any) -> None:
        self._out, self._begun = out, False
        self._stream = out.add_stream_from_template(stream)
        self._timeless: list[Any] = []
        self._offset = 0
        self._last: int | None = None  # dts as written

    def __call__(self, packet: Any) -> None:
        if packet is None:
            return
        self._begun |= packet.is_keyframe
        if not self._begun:
            return
        if packet.dts is None and packet.pts is None and self._last is None and len(self._timeless) < _MOST_TIMELESS:
            self._timeless.append(packet)
            return
        step = packet.duration or 1
        if packet.dts is None:
            packet.dts = packet.pts if self._last is None else self._last + step - self._offset
        for back, early in enumerate(reversed(self._timeless), 1):
            early.pts = early.dts = packet.dts - back * step
        for one in (*self._timeless, packet):
            self._mux(one, step)
        self._timeless.clear()

    def _mux(self, packet: Any, step: int) -> None:
        ahead = 0 if packet.pts is None else max(0, packet.pts - packet.dts)
        if self._last is not None:
            gap = packet.dts + self._offset - self._last
            if not 0 < gap * packet.time_base < _SILENT_S:
                self._offset += step - gap
        packet.dts += self._offset
        self._last = packet.dts
        packet.pts = packet.dts + ahead
        packet.stream = self._stream
        self._out.mux(packet)


class _Coded:
    """Bare pictures, as cheap cameras send them, coded on the way: they would fill a disk."""

    def __init__(self, out: Any, stream: Any) -> None:
        self._out, self._from = out, stream
        self._stream = out.add_stream("libx264", rate=stream.average_rate or 30)
        context = self._stream.codec_context
        context.width, context.height, context.pix_fmt = stream.width, stream.height, "yuv420p"
        context.time_base = Fraction(1, 90_000)
        self._stream.options = {"preset": "veryfast", "crf": "18", "tune": "zerolatency"}

    def __call__(self, packet: Any) -> None:
        frames = [None] if packet is None else self._from.codec_context.decode(packet)
        for frame in frames:
            coded = None if frame is None else frame.reformat(format="yuv420p")
            self._out.mux(self._stream.encode(coded))


def _packets(container: Any, stream: Any, stop: Stop) -> Iterator[Any]:
    """Packets until the source is lost."""
    packets = container.demux(stream)
    while not stop.wanted:
        try:
            packet = next(packets, None)
        except (av.FFmpegError, OSError):
            return
        if packet is None or not packet.size:
            return
        yield packet


def _opened(job: dict[str, Any]) -> Any:
    kind, address = job["format"], job["address"]
    wait = {"timeout": (_SILENT_S, _SILENT_S)}
    if kind == CAMERA:
        options = {"format_whitelist": "video4linux2,v4l2", "protocol_whitelist": "file"}
        with contextlib.suppress(av.FFmpegError, OSError):  # small pictures first, if it has such
            return av.open(address, format=kind, options={**options, "input_format": "mjpeg"}, **wait)
    else:
        _find_host(address)
        options = {
            "format_whitelist": "rtsp",
            "protocol_whitelist": "rtsp,tcp",
            "rtsp_transport": "tcp",  # nothing is lost on the way
            "allowed_media_types": "video",
            "timeout": str(int(_SILENT_S * 1e6)),
        }
    options["max_streams"] = str(job["limits"]["max_streams"])
    begun_s = time.monotonic()
    try:
        return av.open(address, format=kind, options=options, **wait)
    except MemoryError:
        raise
    except Exception as problem:  # its text holds the address, and that a password
        raise _unopened(kind, problem, time.monotonic() - begun_s) from None


def _find_host(address: str) -> None:
    """FFmpeg tells no reason where a name means no host."""
    parts = urlsplit(address)
    try:
        socket.getaddrinfo(parts.hostname, parts.port or 554)
    except (OSError, UnicodeError):
        raise Refusal("UnreadableVideo", "there is no such host", _CHECK) from None


def _unopened(kind: str, problem: Exception, after_s: float) -> Refusal:
    if kind == CAMERA:
        reason = getattr(problem, "strerror", None) or type(problem).__name__
        return Refusal(
            "UnreadableVideo",
            f"it cannot be used as a camera ({reason})",
            "Check that it is a camera, that no other program holds it, and that you may read it (group video).",
        )
    if isinstance(problem, av.HTTPUnauthorizedError):
        return Refusal(
            "UnreadableVideo", "it refuses the name and password", "Write them so: rtsp://NAME:PASSWORD@HOST/PATH."
        )
    if isinstance(problem, av.HTTPNotFoundError):
        return Refusal("UnreadableVideo", "the server has no such stream", "Check the path behind the host.")
    reason = getattr(problem, "strerror", None) or type(problem).__name__
    if after_s > _SILENT_S:
        reason = f"no answer in {_SILENT_S:g} s"
    return Refusal("UnreadableVideo", f"the stream cannot be opened ({reason})", _CHECK)
