"""Which container a file is, by its first bytes: the name's ending is never believed."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from toprock.errors import EmptyVideo, UnreadableVideo
from toprock.performance import READ_SUFFIXES

_READ = 8192
_ADVICE = f"Files that are read end in {', '.join(READ_SUFFIXES)}."
_MOV_BOXES = (b"ftyp", b"moov", b"mdat", b"free", b"skip", b"wide", b"pnot", b"moof", b"styp", b"sidx")
_OTHERS = (
    (b"\x89PNG\r\n\x1a\n", "a PNG picture"),
    (b"\xff\xd8\xff", "a JPEG picture"),
    (b"GIF8", "a GIF picture"),
    (b"%PDF", "a PDF document"),
    (b"PK\x03\x04", "a ZIP archive"),
    (b"\x1f\x8b", "a gzip archive"),
    (b"7z\xbc\xaf\x27\x1c", "a 7z archive"),
    (b"ID3", "a sound file (MP3)"),
    (b"fLaC", "a sound file (FLAC)"),
    (b"\x7fELF", "a program"),
    (b"SQLite format 3", "a database"),
)
_CONVERTIBLE = (
    (b"FLV\x01", "a Flash video (FLV)"),
    (b"\x30\x26\xb2\x75\x8e\x66\xcf\x11", "a Windows Media file (WMV, ASF)"),
    (b"OggS", "an Ogg file"),
    (b"\x00\x00\x01\xba", "an MPEG program stream (MPG, VOB)"),
    (b"\x00\x00\x01\xb3", "a bare MPEG video stream"),
    (b"\x00\x00\x00\x01", "a bare video stream without a container"),
    (b".RMF", "a RealMedia file"),
    (b"YUV4MPEG2", "a raw video (Y4M)"),
)


def container_of(path: Path) -> str:
    """FFmpeg's name of the file's container: mov, matroska, avi or mpegts.

    Raises:
        UnreadableVideo: missing, not a plain file, not permitted, or something else, which is named.
        EmptyVideo: the file holds no byte.
    """
    head, size = _head(path)
    if size == 0:
        raise EmptyVideo(path, "the file is empty (0 bytes)", advice="Copy or export it again.")
    if head[4:8] in _MOV_BOXES:
        if head[4:8] == b"ftyp" and head[8:12] in (b"avif", b"heic", b"heix", b"mif1"):
            raise UnreadableVideo(path, "this is a picture (HEIC or AVIF), not a video", advice=_ADVICE)
        return "mov"
    if head.startswith(b"\x1a\x45\xdf\xa3"):
        return "matroska"
    if head.startswith((b"RIFF", b"RIFX")) and head[8:11] == b"AVI":
        return "avi"
    if _is_transport_stream(head):
        return "mpegts"
    if head.startswith((b"RIFF", b"RIFX")):
        kinds = {b"WAVE": "a sound file (WAV)", b"WEBP": "a WebP picture"}
        kind = kinds.get(head[8:12], "a RIFF file of another kind")
        raise UnreadableVideo(path, f"this is {kind}, not a video", advice=_ADVICE)
    for magic, kind in _CONVERTIBLE:
        if head.startswith(magic):
            raise UnreadableVideo(
                path,
                f"this is {kind}, which is not supported",
                advice=f"Convert it: ffmpeg -i '{path.name}' -c:v libx264 '{path.stem}-converted.mp4'.",
            )
    for magic, kind in _OTHERS:
        if head.startswith(magic):
            raise UnreadableVideo(path, f"this is {kind}, not a video", advice=_ADVICE)
    raise UnreadableVideo(path, f"this is {_text_kind(head)}, not a video", advice=_ADVICE)


def _head(path: Path) -> tuple[bytes, int]:
    advice = "Check the path and who may read it."
    try:
        mode = path.stat().st_mode
        if stat.S_ISDIR(mode):
            raise UnreadableVideo(path, "this is a folder, not a video", advice="Give a file in it.")
        if not stat.S_ISREG(mode):
            raise UnreadableVideo(path, "this is a device or pipe, not a file", advice="Copy it to a file.")
        with path.open("rb") as file:
            return file.read(_READ), os.fstat(file.fileno()).st_size
    except FileNotFoundError:
        raise UnreadableVideo(path, "there is no such file", advice="Check the path.") from None
    except PermissionError:
        raise UnreadableVideo(path, "you may not read this file", advice="Change its permissions.") from None
    except (OSError, ValueError) as problem:
        reason = getattr(problem, "strerror", None) or problem
        raise UnreadableVideo(path, f"cannot be opened ({reason})", advice=advice) from None


def _is_transport_stream(head: bytes) -> bool:
    """Five sync bytes in a row at one of the three packet sizes."""
    for size in (188, 192, 204):
        for first in range(min(size, max(0, len(head) - 4 * size))):
            if all(head[first + k * size] == 0x47 for k in range(5)):
                return True
    return False


def _text_kind(head: bytes) -> str:
    if not head.strip(b"\x00"):
        return "a file of zeros"
    try:
        text = head[:4000].decode("utf-8-sig", errors="strict" if len(head) < 4000 else "ignore")
    except UnicodeDecodeError:
        return "of an unknown kind"
    start = text.lstrip()[:200].lower()
    if any(ord(c) < 32 and c not in "\t\n\r\f\x1b" for c in text) or "\x7f" in text:
        return "of an unknown kind"
    if start.startswith("#extm3u"):
        return "a playlist (M3U, HLS)"
    if start.startswith(("ffconcat", "file ")):
        return "a list of files (ffconcat)"
    if start.startswith(("<!doctype html", "<html")):
        return "a web page"
    if start.startswith(("<?xml", "<mpd", "<svg")):
        return "an XML file (perhaps a DASH playlist)" if "<mpd" in start else "an XML file"
    if start.startswith("version https://git-lfs"):
        return "a Git LFS pointer (fetch the real file with 'git lfs pull')"
    return "a text file"
