"""Whatever a file holds, reading it ends in its frames or in one error: which file, why, what to do."""

from __future__ import annotations

import os
import struct
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from frame_reading import read

from toprock.errors import EmptyVideo, TruncatedVideo, UnreadableVideo, VideoError, VideoTooLarge
from toprock.video import Limits, grab_pictures, probe


@pytest.fixture(scope="module")
def noisy(make_video, tmp_path_factory) -> Path:
    """10 s that are hard to compress, so that damage hits pictures and not only the header."""
    noise = np.random.default_rng(1).integers(0, 255, (64, 96, 3), np.uint8)
    return make_video(
        tmp_path_factory.mktemp("noisy") / "noisy.mp4",
        pictures=[np.roll(noise, 3 * i, axis=1) for i in range(300)],
        container_options={"movflags": "faststart"},
    )


def check(error: VideoError, path: Path) -> None:
    assert str(path) in str(error)
    assert error.path == path
    assert error.what
    assert error.advice
    assert "\n" not in str(error)


# ---- not a video


def test_missing_folder_empty_and_pipe(tmp_path):
    empty, pipe = tmp_path / "empty.mp4", tmp_path / "pipe.mp4"
    empty.touch()
    os.mkfifo(pipe)
    for path, kind, words in (
        (tmp_path / "no.mp4", UnreadableVideo, "no such file"),
        (tmp_path, UnreadableVideo, "a folder"),
        (empty, EmptyVideo, "0 bytes"),
        (pipe, UnreadableVideo, "device or pipe"),
        (tmp_path / "a\0b.mp4", UnreadableVideo, "cannot be opened"),
    ):
        for use in (read, probe, lambda p: grab_pictures(p, [0.0], short_side=32)):
            with pytest.raises(kind, match=words) as caught:
                use(path)
            check(caught.value, path)


def test_not_permitted(plain, tmp_path):
    path = tmp_path / "locked.mp4"
    path.write_bytes(plain.read_bytes())
    path.chmod(0)
    script = """
import os, sys
from toprock.video import probe
if os.geteuid() == 0:
    os.seteuid(65534)  # root may read everything
probe(sys.argv[1])
"""
    done = subprocess.run([sys.executable, "-c", script, str(path)], capture_output=True, text=True, check=False)
    last = done.stderr.strip().splitlines()[-1]
    assert last.startswith("toprock.errors.UnreadableVideo")
    assert "you may not read this file" in last


KINDS = {
    "a text file": b"hello, this is no video\n" * 40,
    "a PNG picture": b"\x89PNG\r\n\x1a\n" + bytes(100),
    "a JPEG picture": b"\xff\xd8\xff\xe0" + bytes(100),
    "a PDF document": b"%PDF-1.7\n" + bytes(100),
    "a ZIP archive": b"PK\x03\x04" + bytes(100),
    r"a playlist \(M3U, HLS\)": b"#EXTM3U\n#EXT-X-TARGETDURATION:10\n#EXTINF:9,\nplain.mp4\n#EXT-X-ENDLIST\n",
    r"a list of files \(ffconcat\)": b"ffconcat version 1.0\nfile plain.mp4\n",
    "a web page": b"<!DOCTYPE html><html><body>404</body></html>",
    "DASH": b'<?xml version="1.0"?><MPD xmlns="urn:mpeg:dash:schema:mpd:2011"></MPD>',
    r"a sound file \(WAV\)": b"RIFF\x24\x00\x00\x00WAVEfmt " + bytes(100),
    "Flash": b"FLV\x01\x05" + bytes(100),
    "Windows Media": bytes.fromhex("3026b2758e66cf11a6d900aa0062ce6c") + bytes(100),
    "HEIC": b"\x00\x00\x00\x18ftypheic" + bytes(100),
    "a Git LFS pointer": b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 3\n",
    "zeros": bytes(5000),
    "unknown kind": bytes(np.random.default_rng(0).integers(1, 256, 5000, np.uint8)),
    "unknown": b"abc\x01",
}


@pytest.mark.parametrize("words", KINDS)
def test_what_it_is_instead_is_named(tmp_path, words):
    path = tmp_path / "named.mp4"
    path.write_bytes(KINDS[words])
    with pytest.raises(UnreadableVideo, match=words) as caught:
        read(path)
    check(caught.value, path)


@pytest.mark.parametrize(
    "script",
    [
        "ffconcat version 1.0\nfile plain.mp4\n",
        "#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\nplain.mp4\n#EXT-X-ENDLIST\n",
        "file 'plain.mp4'\n",
    ],
)
@pytest.mark.parametrize("disguise", [b"", b"\x00\x00\x00\x08free", b"\x1a\x45\xdf\xa3", b"RIFF\x10\x00\x00\x00AVI "])
def test_a_list_of_files_never_decodes_the_file_beside_it(plain, tmp_path, script, disguise):
    (tmp_path / "plain.mp4").write_bytes(plain.read_bytes())
    evil = tmp_path / "evil.mp4"
    evil.write_bytes(disguise + script.encode())
    with pytest.raises(VideoError) as caught:
        read(evil)
    check(caught.value, evil)


def test_a_video_of_another_ending_is_read(plain, tmp_path):
    path = tmp_path / "really-mp4.avi"
    path.write_bytes(plain.read_bytes())
    assert probe(path).container == "mov"


# ---- half a video


def test_sound_only(tmp_path):
    path = tmp_path / "sound.mp4"
    tone = ["-f", "lavfi", "-i", "sine=d=1"]
    subprocess.run(["ffmpeg", "-v", "error", *tone, "-c:a", "aac", path], check=True)
    with pytest.raises(UnreadableVideo, match="sound but no pictures") as caught:
        read(path)
    check(caught.value, path)


def test_moov_missing(plain, tmp_path):
    path = tmp_path / "cut.mp4"
    path.write_bytes(plain.read_bytes()[: plain.stat().st_size // 2])
    with pytest.raises(UnreadableVideo, match=r"index \(moov\) is missing") as caught:
        read(path)
    check(caught.value, path)


@pytest.mark.parametrize("ending", [".mkv", ".avi", ".mov"])
def test_an_early_end_is_said(make_video, tmp_path, ending):
    codec = "mpeg4" if ending == ".avi" else "libx264"
    noise = np.random.default_rng(2).integers(0, 255, (64, 96, 3), np.uint8)
    pictures = [np.roll(noise, i, axis=0) for i in range(300)]
    options = {"movflags": "faststart"} if ending == ".mov" else {}
    whole = make_video(
        tmp_path / f"whole{ending}", codec=codec, pictures=pictures, container_options=options, sound_s=10
    )
    assert len(read(whole)[0]) == 300
    cut = tmp_path / f"cut{ending}"
    cut.write_bytes(whole.read_bytes()[: whole.stat().st_size // 2])
    with pytest.raises(TruncatedVideo, match=r"ends at [3-6]\.\d s of (9\.9|10\.\d) s declared") as caught:
        read(cut)
    check(caught.value, cut)


def test_sound_that_outlasts_the_pictures_is_no_early_end(make_video, tmp_path):
    for name in ("long-sound.mkv", "long-sound.mp4"):
        path = make_video(tmp_path / name, frames=60, sound_s=9.0)
        assert len(read(path)[0]) == 60
    bare = tmp_path / "no-tags.mkv"  # only the container declares a length
    bare.write_bytes((tmp_path / "long-sound.mkv").read_bytes().replace(b"DURATION", b"DURATIOX"))
    assert probe(bare).duration_s == pytest.approx(9.0, abs=0.2)
    assert len(read(bare)[0]) == 60


def test_no_length_in_the_header(make_video, tmp_path):
    path = make_video(tmp_path / "live.mkv", frames=60, container_options={"live": "1"})
    assert probe(path).duration_s is None
    frames, reader = read(path)
    assert len(frames) == 60
    assert reader.end_s == pytest.approx(2.0, abs=0.05)


def test_no_frame_at_all(plain, tmp_path):
    data = bytearray(plain.read_bytes())
    at = data.index(b"mdat") + 4
    data[at : data.index(b"moov") - 4] = bytes(data.index(b"moov") - 4 - at)
    path = tmp_path / "blank.mp4"
    path.write_bytes(data)
    with pytest.raises(EmptyVideo, match="no picture can be decoded") as caught:
        read(path)
    check(caught.value, path)


def test_a_header_without_samples(tmp_path):
    path = tmp_path / "header.mp4"
    source = ["-f", "lavfi", "-i", "testsrc=s=64x64:d=1"]
    subprocess.run(
        ["ffmpeg", "-v", "error", *source, "-movflags", "frag_keyframe+empty_moov", "-frames:v", "1", path],
        check=True,
    )
    path.write_bytes(path.read_bytes()[: path.read_bytes().index(b"moof") - 4])
    with pytest.raises(VideoError) as caught:
        read(path)
    check(caught.value, path)


# ---- damage


def test_damage_in_the_middle_is_skipped_and_counted(noisy, tmp_path):
    data = bytearray(noisy.read_bytes())
    at = len(data) // 2
    data[at : at + 3000] = bytes(3000)
    path = tmp_path / "hole.mp4"
    path.write_bytes(data)
    frames, reader = read(path)
    assert 0 < reader.damaged < 30
    assert 260 <= len(frames) < 300
    assert reader.end_s == pytest.approx(10.0, abs=0.1)
    times = [f.time_s for f in frames]
    assert times == sorted(set(times))


def test_too_much_damage_is_an_error(noisy, tmp_path):
    data = bytearray(noisy.read_bytes())
    for at in range(data.index(b"mdat") + 3000, len(data) - 20000, 20000):
        data[at : at + 14000] = bytes(14000)
    path = tmp_path / "holes.mp4"
    path.write_bytes(data)
    with pytest.raises(UnreadableVideo, match=r"\d+ of \d+ pieces are damaged") as caught:
        read(path)
    check(caught.value, path)


# ---- beyond limits


def declared_8192(tmp_path: Path) -> Path:
    """A small H.264 file of 8192 x 8192 pictures, all of one grey."""
    path = tmp_path / "bomb.mp4"
    source = ["-f", "lavfi", "-i", "color=gray:s=8192x8192:r=5:d=0.4"]
    fast = ["-c:v", "libx264", "-preset", "ultrafast", "-threads", "2"]
    subprocess.run(["ffmpeg", "-v", "error", *source, *fast, path], check=True)
    return path


def test_huge_pictures_are_refused(tmp_path):
    path = declared_8192(tmp_path)
    assert path.stat().st_size < 600_000
    with pytest.raises(VideoTooLarge, match="8192 x 8192") as caught:
        read(path)
    check(caught.value, path)
    lying = bytearray(path.read_bytes())  # a header that says 64 x 64 where the pictures are 8192
    for name, offset in ((b"avc1", 4 + 24), (b"tkhd", 4 + 76)):
        at = lying.index(name) + offset
        lying[at : at + 4] = b"\x00\x40\x00\x40"
    liar = tmp_path / "liar.mp4"
    liar.write_bytes(lying)
    with pytest.raises(VideoTooLarge, match="8192"):
        read(liar)


@pytest.mark.parametrize("size", [(4096, 2160), (5312, 2988), (5312, 4648)])
def test_camera_sizes_are_allowed(tmp_path, size):
    path = tmp_path / "big.mp4"
    source = ["-f", "lavfi", "-i", f"color=gray:s={size[0]}x{size[1]}:r=5:d=0.2"]
    fast = ["-c:v", "libx264", "-preset", "ultrafast", "-threads", "2"]
    subprocess.run(["ffmpeg", "-v", "error", *source, *fast, path], check=True)
    assert (probe(path).width, probe(path).height) == size


def test_a_header_of_a_thousand_million_frames(plain, tmp_path):
    data = bytearray(plain.read_bytes())
    at = data.index(b"stts") + 8  # entries, then (count, duration)
    assert struct.unpack(">I", data[at : at + 4]) == (1,)
    data[at + 4 : at + 8] = struct.pack(">I", 1_000_000_000)
    size = data.index(b"stsz") + 8  # one size for all, count
    data[size : size + 8] = struct.pack(">II", 1, 1_000_000_000)
    path = tmp_path / "eternal.mp4"
    path.write_bytes(data)
    start = time.monotonic()
    with pytest.raises(VideoError) as caught:
        read(path, limits=Limits(stall_s=20))
    check(caught.value, path)
    assert time.monotonic() - start < 15


def test_a_header_of_days(make_video, tmp_path):
    path = make_video(tmp_path / "days.mkv", frames=30)
    data = bytearray(path.read_bytes().replace(b"DURATION", b"DURATIOX"))
    at = data.index(b"\x44\x89\x88") + 3  # Duration, 8 bytes, in milliseconds
    data[at : at + 8] = struct.pack(">d", 1e9)
    path.write_bytes(data)
    with pytest.raises(VideoTooLarge, match="declares a length of 1000000 s") as caught:
        read(path)
    check(caught.value, path)


@pytest.mark.parametrize(
    ("limits", "words"),
    [
        (Limits(max_duration_s=2), "length of 3 s"),
        (Limits(max_frames=50), "90 frames"),
        (Limits(max_pixels=5000), "96 x 64"),
    ],
)
def test_limits_hold_for_what_is_declared(plain, limits, words):
    with pytest.raises(VideoTooLarge, match=words) as caught:
        read(plain, limits=limits)
    check(caught.value, plain)


def test_limits_hold_for_what_is_decoded_without_a_declaration(make_video, tmp_path):
    path = make_video(tmp_path / "live.mkv", frames=60, container_options={"live": "1"})
    with pytest.raises(VideoTooLarge, match="longer than"):
        read(path, limits=Limits(max_duration_s=1))
    with pytest.raises(VideoTooLarge, match="more than the limit of 20 frames"):
        read(path, limits=Limits(max_frames=20))


def test_too_many_streams(plain, tmp_path):
    path = tmp_path / "streams.mp4"
    subprocess.run(["ffmpeg", "-v", "error", "-i", plain, *["-map", "0"] * 8, "-c", "copy", path], check=True)
    assert probe(path).width == 96
    with pytest.raises(VideoTooLarge, match="streams"):
        probe(path, limits=Limits(max_streams=7))


def test_a_strip_of_a_picture_is_refused(make_video, tmp_path):
    path = make_video(tmp_path / "strip.mp4", size=(2048, 16), frames=2)
    with pytest.raises(VideoTooLarge, match="32 times"):
        read(path)
