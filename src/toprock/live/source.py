"""What can be watched: a file that is being written, a camera, or a network stream."""

from __future__ import annotations

import os
import stat
import struct
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

from toprock.errors import EmptyVideo, UnreadableVideo, UsageError
from toprock.performance import whole_video
from toprock.video.signature import container_of

_CAMERAS = 81  # major number of video4linux devices
_LOOK_S = 0.1
_HEAD = 8192  # bytes by which a container is told
_MOST_BOXES = 64
_RECORD = (
    "While it is recorded, watch MPEG-TS, Matroska or fragmented MP4: let the recorder write .mkv or .ts, or "
    "ffmpeg -i INPUT -c copy -f mpegts out.ts."
)


@dataclass(frozen=True)
class Source:
    """Something to watch.

    Attributes:
        kind: file, camera or network.
        shown: how it is named to people; never holds a name or password.
        address: path or address, as given; with the password, so that it is not part of the repr.
        id: of the performance.
    """

    kind: Literal["file", "camera", "network"]
    shown: str
    address: str
    id: str

    def __repr__(self) -> str:
        return f"Source({self.kind!r}, {self.shown!r})"


def read_source(text: str) -> Source:
    """What a person means by SOURCE.

    Raises:
        UsageError: an address that cannot be watched.
        UnreadableVideo: a device that is no camera.

    >>> read_source("rtsp://anna:secret@10.0.0.5:554/stage").shown
    'rtsp://10.0.0.5:554/stage'
    """
    if "://" in text and not os.path.lexists(text):
        return _network(text)
    path = Path(text)
    try:
        status = path.stat()
    except (OSError, ValueError):
        if text.startswith("/dev/"):
            there = ", ".join(sorted(str(p) for p in Path("/dev").glob("video*"))) or "none"
            advice = f"Cameras that are there: {there}."
            raise UnreadableVideo(path, "there is no such device", advice=advice) from None
        return Source("file", text, text, whole_video(path).id)
    if stat.S_ISCHR(status.st_mode):
        if os.major(status.st_rdev) != _CAMERAS:
            raise UnreadableVideo(path, "this is a device, but no camera", advice="Give a camera, as /dev/video0.")
        return Source("camera", text, text, path.name)
    return Source("file", text, text, whole_video(path).id)


def _network(text: str) -> Source:
    scheme = text.partition("://")[0].lower()
    if scheme != "rtsp":
        raise UsageError(f"{scheme}:// cannot be watched", advice="Give a file, a camera (/dev/video0) or rtsp://.")
    advice = "Write rtsp://HOST/PATH, or rtsp://NAME:PASSWORD@HOST/PATH with / ? # @ in them as %2F %3F %23 %40."
    try:
        parts = urlsplit(text)
        host, port = parts.hostname, parts.port
    except ValueError:
        host = port = None
    if not host or "@" in parts.path + parts.query + parts.fragment or not text.isprintable() or " " in text:
        raise UsageError("this rtsp:// address cannot be understood", advice=advice)
    path = parts.path if not {"=", "&", ":"} & set(parts.path) else "/..."  # some cameras take the password there
    shown = f"{'[' + host + ']' if ':' in host else host}{'' if port is None else f':{port}'}"
    return Source("network", f"rtsp://{shown}{path}", text, f"{shown}{path}".strip("/"))


def await_beginning(path: Path, quiet_s: float, on_wait: Callable[[], None] = lambda: None) -> None:
    """Wait until a file is there and has begun in a form that can be read while it is written.

    Args:
        path: the file.
        quiet_s: for how long nothing may happen.
        on_wait: called again and again meanwhile.

    Raises:
        VideoError: it is not there in time or does not begin, is no video, or of a form whose index comes last.
    """
    size, since_s = -1, time.monotonic()
    while True:
        now = _size(path)
        if now != size:
            size, since_s = now, time.monotonic()
        late = time.monotonic() - since_s > quiet_s
        try:
            kind = container_of(path)
            if kind == "avi":
                raise _index_last(path, "an AVI")
            if kind != "mov" or _begins_with_index(path):
                return
        except EmptyVideo:
            if late:
                raise EmptyVideo(
                    path, f"nothing was written to it for {quiet_s:g} s", advice="Begin the recording first."
                ) from None
        except UnreadableVideo:
            if late or size >= _HEAD or (size < 0 and not path.parent.is_dir()):
                raise
        else:
            if late:
                raise EmptyVideo(path, "its pictures have not begun", advice="Is it still being recorded? " + _RECORD)
        on_wait()
        time.sleep(_LOOK_S)


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except (OSError, ValueError):
        return -1


def _begins_with_index(path: Path) -> bool:
    """Whether an MP4's index comes ahead of its pictures; False where neither has come yet.

    Raises:
        UnreadableVideo: the pictures come first.
    """
    with path.open("rb") as file:
        size, at = os.fstat(file.fileno()).st_size, 0
        for _ in range(_MOST_BOXES):
            file.seek(at)
            head = file.read(16)
            if len(head) < 8:
                return False
            length, kind = struct.unpack(">I4s", head[:8])
            if length == 1 and len(head) == 16:
                length = struct.unpack(">Q", head[8:])[0]
            if kind == b"mdat":
                file.seek(at + length + 4)
                whole = 0 < at + length < size and file.read(4) in (b"moov", b"free", b"udta", b"uuid")
                raise _index_last(path, "an MP4", whole=whole)
            if kind in (b"moov", b"moof"):
                return at + length <= size
            if length < 8:
                return False
            at += length
    return False


def _index_last(path: Path, what: str, *, whole: bool = False) -> UnreadableVideo:
    done = f"If it is finished: toprock score '{path.name}'. "
    if whole:
        return UnreadableVideo(path, f"this is {what} that is finished", advice=f"Score it: toprock score '{path}'.")
    return UnreadableVideo(
        path, f"this is {what} whose index comes at its end: it cannot be read before", advice=done + _RECORD
    )
