"""Messages to the parent."""

from __future__ import annotations

import json
import os
import struct
import time
from typing import Any

_HEADER = struct.Struct("<cI")
# time_s, width, height, bytes a row, quarter turns, mirrored first, which size, more to come
_FRAME = struct.Struct("<dIIIBBBB")
_SOUND = struct.Struct("<d")
_MEDIA = struct.Struct("<Q")
_PROGRESS_S = 0.5


class Refusal(Exception):
    """The video cannot be used: the name of a class of `toprock.errors`, what is wrong, and what to do."""

    def __init__(self, kind: str, what: str, advice: str) -> None:
        super().__init__(what)
        self.kind, self.what, self.advice = kind, what, advice


class Output:
    """Writes messages to a pipe; blocks while the parent is busy, which is what bounds memory."""

    def __init__(self, pipe: int) -> None:
        self._pipe = pipe
        self._last = time.monotonic()

    def frame(
        self,
        time_s: float,
        picture: Any,
        turns: int,
        mirrored: bool,
        *,
        which: int = 0,
        more: bool = False,
    ) -> None:
        """Send an RGB `av.VideoFrame`; the parent turns it, having numpy for that.

        `which` of the sizes asked for it has; `more` says that the same frame follows in another one.
        """
        plane = picture.planes[0]
        size = picture.width, picture.height, plane.line_size
        head = _FRAME.pack(time_s, *size, turns, mirrored, which, more)
        self._send(b"F", head, memoryview(plane)[: plane.line_size * picture.height])

    def sound(self, time_s: float, samples: Any) -> None:
        """Send bytes of mono float32 samples, the first of which sounds at `time_s`."""
        self._send(b"S", _SOUND.pack(time_s), samples)

    def media(self, at: int, data: Any) -> None:
        """Send bytes of the file that a stream is copied to, which belong `at` there."""
        self._send(b"M", _MEDIA.pack(at), data)

    def info(self, values: dict[str, Any]) -> None:
        """Send what the video is."""
        self._send(b"I", json.dumps(values).encode())

    def done(self, **values: Any) -> None:
        """Send the end and what was counted up to it."""
        self._send(b"D", json.dumps(values).encode())

    def error(self, kind: str, what: str, advice: str) -> None:
        """Send why the video cannot be used."""
        self._send(b"E", json.dumps({"kind": kind, "what": what, "advice": advice}).encode())

    def progress(self) -> None:
        """A frame was decoded that nobody wanted: say now and then that work goes on."""
        if time.monotonic() - self._last > _PROGRESS_S:
            self._send(b"P")

    def _send(self, kind: bytes, *parts: Any) -> None:
        size = sum(len(part) for part in parts)
        left = [memoryview(part) for part in (_HEADER.pack(kind, size), *parts)]
        while left:
            sent = os.writev(self._pipe, left)
            while left and sent >= len(left[0]):
                sent -= len(left.pop(0))
            if left:
                left[0] = left[0][sent:]
        self._last = time.monotonic()
