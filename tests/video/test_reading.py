"""Frames come at the right times, of the right size, upright, whatever the file is like."""

from __future__ import annotations

import csv
import subprocess
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from frame_reading import read

from toprock.errors import EmptyVideo, TruncatedVideo, UsageError, VideoTooLarge
from toprock.video import Limits, grab_pictures, probe, read_frames


@pytest.fixture(scope="module")
def long_gop(make_video, tmp_path_factory) -> Path:
    """80 s at 25 a second with a keyframe every 20 s and B-frames over its border (open groups)."""
    return make_video(
        tmp_path_factory.mktemp("long") / "long.mkv",
        frames=2000,
        rate_hz=25,
        gop=500,
        options={"x264-params": "open-gop=1:scenecut=0:keyint=500:min-keyint=400:bframes=3:b-adapt=0"},
    )


def test_a_picture_far_behind_a_gap_is_damage(make_video, tmp_path):
    times = [n / 10 for n in range(30)]
    path = make_video(tmp_path / "v.mkv", times_s=[*times, 70_000.0])
    with pytest.raises(TruncatedVideo, match=r"stop at 2\.9 s and go on at 70000\.0 s; the longest gap may be 600 s"):
        read(path, 10)
    frames, _ = read(path, 10, intervals=[(0, 2.5)])
    assert [frame.time_s for frame in frames] == pytest.approx(times[:25], abs=0.002)
    frames, _ = read(path, 10, limits=Limits(max_gap_s=80_000))
    assert frames[-1].time_s == pytest.approx(70_000.0)


def test_all_frames_with_their_times_and_pictures(plain, read_number):
    frames, reader = read(plain)
    assert [read_number(f.image) for f in frames] == list(range(90))
    assert [f.time_s for f in frames] == pytest.approx([i / 30 for i in range(90)], abs=1e-4)
    assert reader.end_s == pytest.approx(3.0, abs=1e-3)
    assert reader.damaged == 0
    assert frames[0].image.dtype == np.uint8
    assert frames[0].image.shape == (32, 48, 3)
    assert frames[0].image.flags.c_contiguous


@pytest.mark.parametrize("rate_hz", [15, 12, 7.5, 10, 29.97, 30, 0.7])
def test_a_lower_rate_takes_the_nearest_frames_without_drift(plain, read_number, rate_hz):
    frames, _ = read(plain, rate_hz)
    due = [k / rate_hz for k in range(1000) if k / rate_hz <= 89 / 30 + 0.5 / 30]
    nearest = [min(range(90), key=lambda i: (abs(i / 30 - t), -i)) for t in due]
    got = [read_number(f.image) for f in frames]
    assert len(got) == len(set(nearest))
    assert max(abs(a - b) for a, b in zip(got, sorted(set(nearest)), strict=True)) <= 1  # ties to either side
    assert all(abs(a / 30 - t) <= 0.5 / 30 + 1e-3 for a, t in zip(got, due, strict=False))


def test_a_slower_video_gives_each_frame_once(make_video, tmp_path, read_number):
    path = make_video(tmp_path / "slow.mp4", frames=20, rate_hz=4)
    assert [read_number(f.image) for f in read(path, 15)[0]] == list(range(20))


def test_variable_frame_rate_keeps_presentation_times(make_video, tmp_path, read_number):
    steps = [0.033] * 30 + [0.1] * 15 + [0.033] * 15 + [0.5] * 3
    times = np.cumsum([0.0, *steps]).round(3).tolist()
    path = make_video(tmp_path / "vfr.mp4", times_s=times)
    frames, reader = read(path)
    assert [f.time_s for f in frames] == pytest.approx(times, abs=1e-3)
    at_10 = [f.time_s for f in read(path, 10)[0]]
    assert all(b - a > 0.05 for a, b in pairwise(at_10))
    slow = [t for t in times if 1.0 < t < 2.4]  # steps of 0.1 s: none may be missing
    assert len([t for t in at_10 if 1.0 < t < 2.4]) == len(slow)
    assert reader.end_s >= times[-1]


def test_times_count_from_the_start_as_a_player_shows_them(make_video, tmp_path):
    path = make_video(tmp_path / "late.ts", frames=30, rate_hz=25, container_options={"output_ts_offset": "100"})
    with av.open(str(path)) as raw:
        assert raw.start_time > 99e6  # the file's own clock begins at 100 s
    frames, _ = read(path)
    assert frames[0].time_s == pytest.approx(0.0, abs=1e-6)
    assert len(frames) == 30


def test_pictures_that_begin_after_the_sound_keep_their_delay(make_video, tmp_path):
    times = [1.5 + i / 25 for i in range(25)]
    path = make_video(tmp_path / "delay.mkv", times_s=times, sound_s=3.0)
    frames, _ = read(path)
    assert frames[0].time_s == pytest.approx(1.5, abs=0.03)


@pytest.mark.parametrize(
    ("name", "codec"),
    [("a.avi", "mpeg4"), ("a.mkv", "libx264"), ("a.mov", "mjpeg"), ("a.webm", "libvpx"), ("a.ts", "libx264")],
)
def test_containers_and_codecs(make_video, tmp_path, read_number, name, codec):
    more = {"pixel_format": "yuvj420p"} if codec == "mjpeg" else {}
    options = {"deadline": "realtime"} if codec == "libvpx" else {}
    path = make_video(tmp_path / name, codec=codec, options=options, frames=40, rate_hz=20, **more)
    frames, _ = read(path)
    assert [read_number(f.image) for f in frames] == list(range(40))
    assert [f.time_s for f in frames] == pytest.approx([i / 20 for i in range(40)], abs=2e-3)


def test_the_last_pictures_come_where_another_stream_stands_first(plain, tmp_path):
    """A decoder holds the last pictures back until it is told that the file has ended."""
    path, maps = tmp_path / "sound-first.mp4", ("-map", "1:a", "-map", "0:v", "-c:v", "copy", "-shortest")
    tone = ("-f", "lavfi", "-i", "sine=d=3")
    subprocess.run(["ffmpeg", "-v", "error", "-i", plain, *tone, *maps, path], check=True)
    with av.open(str(path)) as raw:
        assert raw.streams.video[0].index == 1
    frames, reader = read(path)
    assert (len(frames), reader.damaged) == (90, 0)


def test_avi_with_b_frames_has_rising_times(make_video, tmp_path, read_number):
    path = make_video(tmp_path / "b.avi", codec="mpeg4", options={"bf": "2"}, frames=40, rate_hz=20)
    numbers = [read_number(f.image) for f in read(path)[0]]
    assert numbers == sorted(set(numbers))
    assert len(numbers) >= 38


# ---- geometry


@pytest.mark.parametrize(
    ("size", "shape"), [((160, 90), (64, 114, 3)), ((90, 160), (114, 64, 3)), ((50, 50), (64, 64, 3))]
)
def test_short_side_and_aspect(make_video, tmp_path, size, shape):
    path = make_video(tmp_path / "a.mp4", size=size, frames=3)
    assert read(path, short_side=64)[0][0].image.shape == shape


def test_pixels_that_are_not_square(make_video, tmp_path):
    def prepare(stream: Any) -> None:
        stream.sample_aspect_ratio = Fraction(16, 15)

    path = make_video(tmp_path / "dv.mkv", size=(72, 60), frames=3, prepare=prepare)
    info = probe(path)
    assert (info.width, info.height) == (77, 60)
    assert read(path, short_side=60)[0][0].image.shape == (60, 76, 3)


def test_a_size_that_changes_mid_stream_keeps_the_picture_size(make_video, tmp_path, read_number):
    parts = [
        make_video(tmp_path / f"{w}.ts", size=(w, h), frames=20, rate_hz=20, options={"bf": "0"})
        for w, h in ((96, 64), (192, 128))
    ]
    joined = tmp_path / "joined.mkv"
    listing = tmp_path / "list.txt"
    listing.write_text("".join(f"file '{p}'\n" for p in parts))
    subprocess.run(
        ["ffmpeg", "-v", "error", "-f", "concat", "-safe", "0", "-i", listing, "-c", "copy", joined],
        check=True,
    )
    frames, _ = read(joined)
    assert {f.image.shape for f in frames} == {(32, 48, 3)}
    assert [read_number(f.image) for f in frames] == [*range(20), *range(20)]
    with pytest.raises(VideoTooLarge, match="192 x 128"):
        read(joined, limits=Limits(max_pixels=100 * 100))


def test_scaling_down_averages_so_that_fine_patterns_do_not_shimmer(make_video, tmp_path):
    grids = []
    for shift in range(8):
        image = np.zeros((256, 256, 3), np.uint8)
        image[:, (np.arange(256) + shift) % 4 < 2] = 255  # stripes of 2 pixels wander
        grids.append(image)
    path = make_video(tmp_path / "stripes.mkv", size=(256, 256), pictures=grids, options={"crf": "10"})
    images = np.stack([f.image for f in read(path, short_side=32)[0]]).astype(float)
    assert np.abs(np.diff(images.mean(axis=3), axis=0)).mean() < 6
    assert abs(images.mean() - 127) < 15


def test_small_pictures_of_woven_fields_are_no_comb(tmp_path):
    """A bar that moves by its width from field to field: rows of either field must not show one place each."""
    bar = "color=black:s=320x240:r=50:d=1[g];color=white:s=32x240:r=50:d=1[b];[g][b]overlay=x=n*24"
    weave = f"{bar},tinterlace=interleave_top,setfield=tff"
    path, coder = tmp_path / "woven.mkv", ("-c:v", "ffv1", "-pix_fmt", "yuv420p")
    subprocess.run(["ffmpeg", "-v", "error", "-filter_complex", weave, *coder, "-field_order", "tt", path], check=True)
    with av.open(str(path)) as raw:
        assert next(raw.decode(video=0)).interlaced_frame
    for image in (frame.image.astype(int) for frame in read(path, short_side=60)[0][2:6]):
        assert image.max() > 200
        assert np.abs(np.diff(image[10:-10], axis=0)).max() < 10


# ---- intervals


def test_intervals_give_what_reading_everything_gives(long_gop, read_number):
    everything = {round(f.time_s, 3): f.image for f in read(long_gop)[0]}
    assert len(everything) == 2000
    spans = [(1.0, 1.5), (19.5, 20.5), (40.0, 40.4), (41.0, 41.2), (79.0, 80.0)]
    frames, reader = read(long_gop, intervals=spans)
    wanted = [t for t in everything if any(a <= t < b for a, b in spans)]
    assert [round(f.time_s, 3) for f in frames] == wanted
    assert all(np.array_equal(f.image, everything[round(f.time_s, 3)]) for f in frames)
    assert [read_number(f.image) for f in frames] == [round(t * 25) for t in wanted]
    assert reader.end_s == 80.0


@pytest.mark.parametrize("rate_hz", [7, 10, 12.5, 29.97, 1000])
def test_intervals_choose_among_the_frames_of_the_whole(plain, read_number, rate_hz):
    spans = [(0.45, 1.0), (1.03, 1.35), (2.31, 2.7)]
    frames, reader = read(plain, rate_hz, intervals=spans)
    whole = read(plain, rate_hz)[0]
    assert [f.time_s for f in frames] == [f.time_s for f in whole if any(a <= f.time_s < b for a, b in spans)]
    assert [read_number(f.image) for f in frames] == [round(f.time_s * 30) for f in frames]
    assert reader.end_s == 2.7


def test_touching_intervals_lose_and_double_nothing(plain, read_number):
    frames, _ = read(plain, intervals=[(0, 1), (1, 2), (2, 3)])
    assert [read_number(f.image) for f in frames] == list(range(90))


def test_a_late_interval_is_sought_not_decoded_up_to(make_video, tmp_path):
    noise = np.random.default_rng(0).integers(0, 255, (240, 320, 3), np.uint8)
    path = make_video(
        tmp_path / "late.mp4",
        size=(320, 240),
        rate_hz=25,
        gop=25,
        pictures=(np.roll(noise, i, axis=1) for i in range(1500)),
        options={"crf": "35"},
    )
    damaged = bytearray(path.read_bytes())
    first = damaged.index(b"mdat") + 2000
    damaged[first : len(damaged) // 2] = bytes(len(damaged) // 2 - first)
    late = tmp_path / "first-half-gone.mp4"
    late.write_bytes(damaged)
    frames, reader = read(late, 5, intervals=[(55, 58)])  # the first half cannot be decoded, so it was not
    assert len(frames) == 15
    assert reader.damaged == 0


@pytest.mark.parametrize("name", ["ts.ts", "avi.avi"])
def test_intervals_in_files_without_a_good_index(make_video, tmp_path, read_number, name):
    codec = "libx264" if name == "ts.ts" else "mpeg4"
    path = make_video(tmp_path / name, codec=codec, frames=1000, rate_hz=25, gop=250, b_frames=0)
    frames, _ = read(path, 5, intervals=[(15.0, 16.0), (33.0, 34.0)])
    assert [read_number(f.image) for f in frames] == [375, 380, 385, 390, 395, 825, 830, 835, 840, 845]


def test_an_interval_behind_the_end(plain):
    with pytest.raises(EmptyVideo, match=r"ends at 3\.0 s"):
        read(plain, intervals=[(100, 110)])
    frames, reader = read(plain, intervals=[(2.5, 110)])
    assert len(frames) == 15
    assert reader.end_s == pytest.approx(3.0, abs=1e-3)


@pytest.mark.parametrize("spans", [[(2, 1)], [(1, 1)], [(-1, 1)], [(0, 2), (1, 3)], [(float("nan"), 1)]])
def test_wrong_intervals_are_refused(plain, spans):
    with pytest.raises(UsageError, match="interval"):
        read_frames(plain, rate_hz=5, short_side=32, intervals=spans)


@pytest.mark.parametrize(("rate_hz", "short_side"), [(0, 32), (-1, 32), (float("inf"), 32), (5, 0), (5, 100_000)])
def test_wrong_rates_and_sizes_are_refused(plain, rate_hz, short_side):
    with pytest.raises(UsageError):
        read_frames(plain, rate_hz=rate_hz, short_side=short_side)


# ---- pictures, info


def test_pictures_at_times_in_any_order(long_gop, read_number):
    times = [50.0, 0.0, 39.99, 40.0, 79.9, 500.0, 0.05, 50.0]
    got = [read_number(p) for p in grab_pictures(long_gop, times, short_side=48)]
    assert got == [1250, 0, 999, 1000, 1997, 1999, 1, 1250]
    assert grab_pictures(long_gop, [], short_side=48) == []
    with pytest.raises(UsageError):
        grab_pictures(long_gop, [float("nan")], short_side=48)


def test_probe(plain):
    info = probe(plain)
    assert info.path == plain
    assert (info.width, info.height, info.codec, info.container) == (96, 64, "h264", "mov")
    assert info.duration_s == pytest.approx(3.0, abs=0.01)
    assert info.rate_hz == pytest.approx(30)
    assert info.frames == 90


def test_names_that_are_hard(plain, tmp_path):
    for name in (
        "a b'c.mp4",
        "-dash.mp4",
        "conçat:file:x.mp4",
        b"not-utf8-\xff.mp4".decode("utf8", "surrogateescape"),
    ):
        path = tmp_path / name
        path.write_bytes(plain.read_bytes())
        assert len(read(path)[0]) == 90


# ---- real clips


def test_frame_counts_of_the_shared_clips(shared):
    clips = shared / "data" / "clips"
    table = [line.strip("| \n").split(" | ") for line in (clips / "README.md").read_text().splitlines() if ".m" in line]
    counts = {row[0]: int(row[3]) for row in table if len(row) > 5 and row[3].isdigit()}
    assert len(counts) == 6
    for name, count in counts.items():
        if not name.endswith("demo.mp4"):  # that one in the test below
            assert len(read(clips / name)[0]) == count, name


def test_times_of_a_shared_clip_are_those_of_ffprobe(shared):
    path = shared / "data" / "clips" / "sports2d" / "demo.mp4"
    said = subprocess.run(
        [
            "ffprobe",
            "-v",
            "error",
            "-select_streams",
            "v",
            "-show_entries",
            "packet=pts_time",
            "-of",
            "csv=p=0",
            path,
        ],
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    times = sorted(float(line.strip(",")) for line in said.split())
    frames, reader = read(path)
    assert len(frames) == len(times) == 230
    assert [f.time_s for f in frames] == pytest.approx(times, abs=1e-4)
    assert reader.end_s == pytest.approx(probe(path).duration_s, abs=0.05)


def test_lengths_of_the_push_up_videos(shared):
    folder = shared / "data" / "pushups"
    rows = list(csv.DictReader((folder / "videos.csv").read_text().splitlines()))
    for row in rows[:5]:
        name = row["video"] if row["video"].endswith(".mp4") else row["video"] + ".mp4"
        info = probe(folder / "videos" / name)
        assert (info.width, info.height) == (int(row["width"]), int(row["height"]))
        assert info.duration_s == pytest.approx(float(row["duration_s"]), abs=0.1)


def test_a_cut_off_file_is_judged_within_the_wanted_time_only(make_video, tmp_path):
    path = make_video(tmp_path / "a.mp4", frames=600, rate_hz=10, container_options={"movflags": "faststart"})
    cut = tmp_path / "cut.mp4"
    cut.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(TruncatedVideo, match=r"cut\.mp4: it ends at \d+\.\d s of 60\.0 s declared"):
        read(cut)
    assert len(read(cut, 5, intervals=[(1, 3)])[0]) == 10
    with pytest.raises(TruncatedVideo, match="declared"):
        read(cut, 5, intervals=[(50, 55)])
