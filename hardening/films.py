"""Small whole films in every container and codec that cameras and exports use, made by the ffmpeg command."""

from __future__ import annotations

import subprocess
from pathlib import Path

_PICTURES = "testsrc2=size=96x64:rate=25:duration={seconds},noise=alls=12:allf=t"
_SOUND = "sine=frequency=440:beep_factor=4:sample_rate=16000:duration={seconds}"
_H264 = "-c:v libx264 -preset ultrafast -bf 2 -g 12"
_HEVC = "-c:v libx265 -preset ultrafast -x265-params log-level=error:keyint=12"
_VP9 = "-c:v libvpx-vp9 -deadline realtime -cpu-used 8 -g 12 -b:v 200k"
_MPEG4 = "-c:v mpeg4 -bf 1 -g 12 -q:v 5"
_MJPEG = "-c:v mjpeg -q:v 8 -pix_fmt yuvj420p"
FILMS = {
    "mp4 h264": (".mp4", f"{_H264} -c:a aac"),
    "mp4 h264, index first": (".mp4", f"{_H264} -c:a aac -movflags +faststart"),
    "mp4 h264, fragmented": (".mp4", f"{_H264} -c:a aac -movflags frag_keyframe+empty_moov"),
    "mp4 hevc": (".mp4", f"{_HEVC} -tag:v hvc1 -c:a aac"),
    "mp4 vp9": (".mp4", f"{_VP9} -c:a aac"),
    "mp4 mpeg4": (".mp4", f"{_MPEG4} -c:a aac"),
    "mp4 mjpeg": (".mp4", f"{_MJPEG} -c:a aac"),
    "mkv h264": (".mkv", f"{_H264} -c:a libopus -b:a 16k"),
    "mkv hevc": (".mkv", f"{_HEVC} -c:a aac"),
    "mkv vp9": (".mkv", f"{_VP9} -c:a libopus -b:a 16k"),
    "mkv mpeg4": (".mkv", f"{_MPEG4} -c:a libmp3lame"),
    "mkv mjpeg": (".mkv", f"{_MJPEG} -c:a pcm_s16le"),
    "webm vp9": (".webm", f"{_VP9} -c:a libopus -b:a 16k"),
    "avi h264": (".avi", f"{_H264} -bf 0 -c:a libmp3lame"),
    "avi mpeg4": (".avi", f"{_MPEG4} -c:a libmp3lame"),
    "avi mjpeg": (".avi", f"{_MJPEG} -c:a pcm_s16le"),
    "ts h264": (".ts", f"{_H264} -c:a aac"),
    "ts hevc": (".ts", f"{_HEVC} -c:a aac"),
    "ts mpeg4": (".ts", f"{_MPEG4} -c:a mp2"),
}
"""Name -> ending of the file, and how ffmpeg codes it."""


def make(name: str, folder: Path, *, seconds: float = 1.6) -> Path:
    """Write one of `FILMS` into a folder."""
    ending, coding = FILMS[name]
    path = folder / (name.replace(", ", "-").replace(" ", "-") + ending)
    command = ["ffmpeg", "-nostdin", "-loglevel", "error", "-y"]
    for source in (_PICTURES, _SOUND):
        command += ["-f", "lavfi", "-i", source.format(seconds=seconds)]
    subprocess.run([*command, *coding.split(), "-threads", "1", path], check=True)
    return path
