"""Videos as cameras, phones, editors and live encoders make them: one function a kind, made by the ffmpeg command."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

SIZE = "160x96"
RATE_HZ = 25
H264 = ("-c:v", "libx264", "-preset", "ultrafast", "-bf", "2", "-g", "20", "-pix_fmt", "yuv420p")
AAC = ("-c:a", "aac", "-b:a", "96k")
WRAP_S = 2**33 / 90_000
"""An MPEG clock of 33 bits at 90 kHz begins anew after 26.5 hours."""


@dataclass(frozen=True)
class Kind:
    """A kind of video.

    Attributes:
        name: in words.
        make: writes one into a folder that is its own, and returns it.
        stream: which of its video streams a player shows.
        short: whether the short run holds it: it has what no other test has.
    """

    name: str
    make: Callable[[Path], Path]
    stream: int = 0
    short: bool = False


KINDS: list[Kind] = []
"""All kinds, in the order in which the report names them."""
Make = Callable[[Path], Path]


def kind(name: str, *, stream: int = 0, short: bool = False) -> Callable[[Make], Make]:
    """Enter a function that makes a video among the kinds."""

    def enter(make: Make) -> Make:
        KINDS.append(Kind(name, make, stream, short))
        return make

    return enter


def ffmpeg(*arguments: object) -> bytes:
    """Run the command and return what it writes to standard output."""
    command = ["ffmpeg", "-v", "error", "-nostdin", "-y", *map(str, arguments)]
    done = subprocess.run(command, capture_output=True)
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)}: {done.stderr.decode(errors='replace').strip()}")
    return done.stdout


def pictures(seconds: float = 4, *, size: str = SIZE, rate: object = RATE_HZ) -> tuple[str, ...]:
    """Input arguments: a test picture whose parts move, and no two sides of which are alike."""
    return "-f", "lavfi", "-i", f"testsrc2=s={size}:r={rate}:d={seconds},gblur=sigma=4"


def sound(seconds: float = 4) -> tuple[str, ...]:
    """Input arguments: a tone that rises from 200 Hz, so that every moment of it sounds different."""
    return "-f", "lavfi", "-i", f"aevalsrc=0.4*sin(2*PI*(200*t+150*t*t)):s=48000:d={seconds}"


def made(path: Path, *arguments: object) -> Path:
    """Write a video with ffmpeg; returns its path."""
    ffmpeg(*arguments, path)
    return path


def piped(path: Path, *arguments: object) -> Path:
    """As `made`, through a pipe: nothing can be written into the header afterwards, as in a live recording."""
    path.write_bytes(ffmpeg(*arguments, "-"))
    return path


# ---- times


def _steps(path: Path) -> Path:
    times = "setpts=if(lt(N\\,30)\\,N*33\\,990+(N-30)*100)/1000/TB"
    clock = ("-vsync", "passthrough", "-enc_time_base", "1:1000")
    return made(path, *pictures(2.4), "-vf", f"settb=1/1000,{times}", *clock, *H264)


@kind("steps of 33 and 100 ms, MP4", short=True)
def variable_rate_mp4(folder: Path) -> Path:
    return _steps(folder / "v.mp4")


@kind("steps of 33 and 100 ms, Matroska")
def variable_rate_mkv(folder: Path) -> Path:
    return _steps(folder / "v.mkv")


@kind("pictures left out at random")
def dropped(folder: Path) -> Path:
    leave_out = "select=gt(random(1)\\,0.4)"
    return made(folder / "v.mp4", *pictures(), "-vf", leave_out, "-vsync", "vfr", *H264)


@kind("240 pictures a second")
def fast(folder: Path) -> Path:
    return made(folder / "v.mp4", *pictures(1, rate=240), *H264)


@kind("29.97 pictures a second, live WebM without a length")
def live_webm(folder: Path) -> Path:
    vp8 = ("-c:v", "libvpx", "-deadline", "realtime", "-cpu-used", "8", "-b:v", "1M", "-g", "30")
    return piped(folder / "v.webm", *pictures(rate="30000/1001"), *vp8, "-f", "webm")


@kind("live Matroska without a length, with sound", short=True)
def live_matroska(folder: Path) -> Path:
    return piped(folder / "v.mkv", *pictures(), *sound(), *H264, *AAC, "-f", "matroska")


@kind("fragmented MP4 without a length", short=True)
def fragments(folder: Path) -> Path:
    parts = ("-movflags", "frag_keyframe+empty_moov+default_base_moof", "-f", "mp4")
    return piped(folder / "v.mp4", *pictures(), *sound(), *H264, *AAC, *parts)


@kind("MPEG-TS with sound")
def transport(folder: Path) -> Path:
    return made(folder / "v.ts", *pictures(), *sound(), *H264, *AAC)


@kind("MPEG-TS whose clock begins at 10 hours")
def late_clock(folder: Path) -> Path:
    return made(folder / "v.ts", *pictures(14), *sound(14), *H264, *AAC, "-output_ts_offset", 36_000)


@kind("MPEG-TS whose clock begins anew in the middle", short=True)
def wrapping_clock(folder: Path) -> Path:
    begin_s = WRAP_S - 4 - 1.4  # the muxer adds 1.4 s
    return made(folder / "v.ts", *pictures(8), *sound(8), *H264, *AAC, "-output_ts_offset", begin_s)


@kind("B-frames without an edit list, times below 0")
def negative_start(folder: Path) -> Path:
    return made(folder / "v.mp4", *pictures(), *H264, "-use_editlist", 0, "-avoid_negative_ts", "disabled")


@kind("pictures start 1.5 s after the sound, by an empty edit", short=True)
def late_pictures(folder: Path) -> Path:
    return made(folder / "v.mp4", "-itsoffset", 1.5, *pictures(), *sound(6), *H264, *AAC)


@kind("sound starts 1.2 s after the pictures, MP4")
def late_sound(folder: Path) -> Path:
    return made(folder / "v.mp4", *pictures(), "-itsoffset", 1.2, *sound(2.5), *H264, *AAC)


@kind("sound starts 0.7 s before the pictures, Matroska")
def early_sound(folder: Path) -> Path:
    return made(folder / "v.mkv", "-itsoffset", 0.7, *pictures(), *sound(5), *H264, *AAC)


@kind("cut into a group of pictures without coding again", short=True)
def cut(folder: Path) -> Path:
    whole = made(folder / "whole.mp4", *pictures(6), *sound(6), *H264, *AAC)
    return made(folder / "v.mp4", "-ss", 1.37, "-i", whole, "-t", 3, "-c", "copy")


@kind("cut, pictures alone, QuickTime")
def cut_silent(folder: Path) -> Path:
    whole = made(folder / "whole.mp4", *pictures(6), *H264)
    return made(folder / "v.mov", "-ss", 2.11, "-i", whole, "-c", "copy")


@kind("two hours")
def long(folder: Path) -> Path:
    return made(folder / "v.mp4", *pictures(7200, size="64x48", rate=2), *H264)


# ---- how they lie


def _turned(folder: Path, degrees: int) -> Path:
    flat = made(folder / "flat.mp4", *pictures(1), *H264)
    return made(folder / "v.mp4", "-i", flat, "-c", "copy", "-metadata:s:v", f"rotate={degrees}")


@kind("turned by 90 degrees, as phones write it", short=True)
def turned_90(folder: Path) -> Path:
    return _turned(folder, 90)


@kind("turned by 180 degrees")
def turned_180(folder: Path) -> Path:
    return _turned(folder, 180)


@kind("turned by 270 degrees", short=True)
def turned_270(folder: Path) -> Path:
    return _turned(folder, 270)


def _mirrored(folder: Path, a: int, b: int, c: int, d: int) -> Path:
    """The matrix of a track's header maps a picture's x to (a, b) and its y to (c, d); ffmpeg cannot write this one."""
    path = made(folder / "v.mp4", *pictures(1), *H264)
    data = bytearray(path.read_bytes())
    at = data.index(b"tkhd") + 44
    for place, value in zip((0, 4, 12, 16), (a, b, c, d), strict=True):
        data[at + place : at + place + 4] = (value << 16).to_bytes(4, "big", signed=True)
    path.write_bytes(data)
    return path


@kind("mirrored sideways", short=True)
def mirrored(folder: Path) -> Path:
    return _mirrored(folder, -1, 0, 0, 1)


@kind("mirrored upside down")
def upside_down(folder: Path) -> Path:
    return _mirrored(folder, 1, 0, 0, -1)


@kind("mirrored and turned, as front cameras write it", short=True)
def mirrored_and_turned(folder: Path) -> Path:
    return _mirrored(folder, 0, 1, 1, 0)


# ---- shapes


@kind("101 x 77 pixels, 4:4:4", short=True)
def odd_444(folder: Path) -> Path:
    whole = ("-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv444p")
    return made(folder / "v.mp4", *pictures(1, size="101x77"), *whole)


@kind("101 x 77 pixels, 4:2:0")
def odd_420(folder: Path) -> Path:
    vp9 = ("-c:v", "libvpx-vp9", "-deadline", "realtime", "-cpu-used", "8", "-b:v", "1M", "-pix_fmt", "yuv420p")
    return made(folder / "v.webm", *pictures(1, size="101x77"), *vp9)


@kind("101 x 77 pixels, Motion JPEG in AVI")
def odd_jpeg(folder: Path) -> Path:
    return made(folder / "v.avi", *pictures(1, size="101x77"), "-c:v", "mjpeg", "-q:v", "3", "-pix_fmt", "yuvj420p")


@kind("pixels of 64:45, as widescreen DV")
def wide_pixels(folder: Path) -> Path:
    return made(folder / "v.mp4", *pictures(1, size="144x116"), "-vf", "setsar=64/45", *H264)


@kind("pixels of 8:9, turned by 90 degrees", short=True)
def narrow_pixels_turned(folder: Path) -> Path:
    flat = made(folder / "flat.mp4", *pictures(1, size="144x96"), "-vf", "setsar=8/9", *H264)
    return made(folder / "v.mp4", "-i", flat, "-c", "copy", "-metadata:s:v", "rotate=90")


def _fields(path: Path, *codec: object, first: str) -> Path:
    weave = f"tinterlace=interleave_{'top' if first == 'tff' else 'bottom'},setfield={first}"
    return made(path, *pictures(4, rate=50), "-vf", weave, *codec, "-flags", "+ilme+ildct", "-pix_fmt", "yuv420p")


@kind("interlaced MPEG-2, top field first", short=True)
def interlaced_mpeg2(folder: Path) -> Path:
    return _fields(folder / "v.ts", "-c:v", "mpeg2video", "-b:v", "2M", "-bf", 2, "-top", 1, first="tff")


@kind("interlaced H.264, bottom field first")
def interlaced_h264(folder: Path) -> Path:
    coder = ("-c:v", "libx264", "-preset", "veryfast", "-x264-params", "bff=1")
    return _fields(folder / "v.mp4", *coder, first="bff")


# ---- colours and codecs


def _tagged(matrix: str, primaries: str, transfer: str, *, full: bool = False) -> tuple[object, ...]:
    spread = "pc" if full else "tv"
    convert = f"scale=out_color_matrix={matrix}:out_range={spread}"
    space = {"bt601": "smpte170m", "bt709": "bt709", "bt2020": "bt2020nc"}[matrix]
    tags = ("-colorspace", space, "-color_primaries", primaries, "-color_trc", transfer, "-color_range", spread)
    return "-vf", convert, *tags


@kind("BT.601, limited range")
def bt601(folder: Path) -> Path:
    return made(folder / "v.mp4", *pictures(1), *_tagged("bt601", "smpte170m", "smpte170m"), *H264)


@kind("BT.709, limited range")
def bt709(folder: Path) -> Path:
    return made(folder / "v.mp4", *pictures(1), *_tagged("bt709", "bt709", "bt709"), *H264)


@kind("BT.709, full range", short=True)
def full_range(folder: Path) -> Path:
    return made(folder / "v.mp4", *pictures(1), *_tagged("bt709", "bt709", "bt709", full=True), *H264)


@kind("no word on colours, high definition")
def untold_colours(folder: Path) -> Path:
    return made(folder / "v.mp4", *pictures(0.4, size="1280x720"), *H264)


@kind("HEVC Main 10, HDR10 (PQ, BT.2020)", short=True)
def hdr10(folder: Path) -> Path:
    hevc = ("-c:v", "libx265", "-preset", "ultrafast", "-x265-params", "log-level=error", "-pix_fmt", "yuv420p10le")
    return made(folder / "v.mp4", *pictures(2), *_tagged("bt2020", "bt2020", "smpte2084"), *hevc, "-tag:v", "hvc1")


@kind("VP9 profile 2, HLG, BT.2020")
def hlg(folder: Path) -> Path:
    vp9 = ("-c:v", "libvpx-vp9", "-deadline", "realtime", "-cpu-used", "8", "-b:v", "1M", "-pix_fmt", "yuv420p10le")
    return made(folder / "v.webm", *pictures(1), *_tagged("bt2020", "bt2020", "arib-std-b67"), *vp9)


@kind("ProRes, 10 bits, 4:2:2")
def prores(folder: Path) -> Path:
    ks = ("-c:v", "prores_ks", "-profile:v", 2, "-pix_fmt", "yuv422p10le")
    return made(folder / "v.mov", *pictures(1), *_tagged("bt709", "bt709", "bt709"), *ks)


@kind("AV1")
def av1(folder: Path) -> Path:
    svt = ("-c:v", "libsvtav1", "-preset", 12, "-b:v", "1M", "-svtav1-params", "lp=1")
    return made(folder / "v.mp4", *pictures(1), *svt)


@kind("HEVC with B-frames, MPEG-TS")
def hevc_transport(folder: Path) -> Path:
    hevc = ("-c:v", "libx265", "-preset", "ultrafast", "-x265-params", "log-level=error:bframes=3:keyint=25")
    return made(folder / "v.ts", *pictures(), *hevc)


@kind("MPEG-4 with B-frames, AVI")
def mpeg4(folder: Path) -> Path:
    return made(folder / "v.avi", *pictures(), "-c:v", "mpeg4", "-bf", 2, "-q:v", 4)


# ---- what else is in them


@kind("two angles, the smaller one marked as the default", stream=1, short=True)
def two_angles(folder: Path) -> Path:
    angles = (*pictures(1, size="320x192"), *pictures(1, size="160x120"), "-map", 0, "-map", 1)
    return made(folder / "v.mkv", *angles, *H264, "-disposition:v:0", 0, "-disposition:v:1", "default")


@kind("two angles, none marked, the larger one second", stream=1)
def larger_second(folder: Path) -> Path:
    angles = (*pictures(1, size="160x120"), *pictures(1, size="320x192"), "-map", 0, "-map", 1)
    return made(folder / "v.mkv", *angles, *H264, "-disposition:v:0", 0, "-disposition:v:1", 0)


@kind("a cover picture", short=True)
def cover(folder: Path) -> Path:
    picture = made(folder / "cover.png", "-f", "lavfi", "-i", "color=red:s=640x480", "-frames:v", 1)
    film = made(folder / "film.mp4", *pictures(1), *sound(1), *H264, *AAC)
    maps = ("-map", 1, "-map", 0, "-c", "copy", "-disposition:v:0", "attached_pic")
    return made(folder / "v.mp4", "-i", film, "-i", picture, *maps)


@kind("timecode, subtitles and sound beside the pictures, QuickTime")
def beside(folder: Path) -> Path:
    (folder / "s.srt").write_text("1\n00:00:00,500 --> 00:00:01,500\nwhat a freeze\n", encoding="utf-8")
    streams = (*pictures(2), *sound(2), "-i", folder / "s.srt", *H264, *AAC, "-c:s", "mov_text")
    return made(folder / "v.mov", *streams, "-timecode", "10:00:00:00")


@kind("a data stream of a camera, MPEG-TS")
def data_stream(folder: Path) -> Path:
    told = folder / "told.bin"
    told.write_bytes(bytes(range(256)) * 16)
    film = made(folder / "film.ts", *pictures(2), *sound(2), *H264, *AAC)
    return made(folder / "v.ts", "-i", film, "-f", "data", "-i", told, "-map", 0, "-map", 1, "-c", "copy")
