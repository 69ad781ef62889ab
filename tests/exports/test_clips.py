"""Clips hold exactly their span: their length, and what they show, are the video's."""

from __future__ import annotations

import shutil
import struct

import numpy as np
import pytest

from toprock.errors import StorageError, UnreadableVideo, UsageError
from toprock.exports import cut_clips
from toprock.exports.film import SOUND_HZ
from toprock.video import probe, read_frames, read_sound


def shown(path, read_number):
    """Time and number of each picture."""
    with read_frames(path, rate_hz=1000, short_side=64) as frames:
        return [(frame.time_s, read_number(frame.image)) for frame in frames]


def test_a_clip_is_its_moment_and_the_padding(film_strip, make_item, read_number, tmp_path):
    clips = cut_clips(make_item("semi/anna", film_strip), tmp_path / "clips", padding_s=0.5)
    assert [clip.file.name for clip in clips] == [
        "semi%2Fanna-best-00001.000s.mp4",
        "semi%2Fanna-worst-00003.000s.mp4",
    ]
    for clip, (start_s, end_s) in zip(clips, [(0.5, 2.5), (2.5, 5.0)], strict=True):
        assert (clip.start_s, clip.end_s) == pytest.approx((start_s, end_s))
        assert probe(clip.file).duration_s == pytest.approx(end_s - start_s, abs=0.002)
        pictures = shown(clip.file, read_number)
        assert [number for _, number in pictures] == list(range(round(start_s * 30), round(end_s * 30)))
        for time_s, number in pictures:
            assert time_s == pytest.approx(number / 30 - start_s, abs=1e-3)
    assert sorted(p.name for p in (tmp_path / "clips").iterdir()) == sorted(clip.file.name for clip in clips)
    assert clips[0].to_json() == {
        "kind": "best", "start_s": 1.0, "end_s": 2.0, "contribution": 0.2, "stream": None, "differs": [],
        "sentence": "", "file": str(clips[0].file), "clip_start_s": 0.5, "clip_end_s": 2.5,
    }  # fmt: skip


def test_a_picture_of_a_clip_is_the_same_as_in_the_video(film_strip, make_item, tmp_path):
    clip = cut_clips(make_item("a", film_strip), tmp_path)[0]
    with read_frames(clip.file, rate_hz=30, short_side=256) as frames:
        cut = next(frames).image
    with read_frames(film_strip, rate_hz=30, short_side=256) as frames:
        assert np.abs(next(frames).image.astype(int) - cut).mean() < 2


def test_padding_ends_where_the_video_does(film_strip, make_item, tmp_path):
    item = make_item("a", film_strip, moments=[("best", 0.25, 1.0, 0.1), ("worst", 5.5, 6.0, -0.1)])
    first, last = cut_clips(item, tmp_path, padding_s=2.0)
    assert (first.start_s, first.end_s) == pytest.approx((0.0, 3.0))
    assert (last.start_s, last.end_s) == pytest.approx((3.5, 6.0))
    for clip in (first, last):
        assert probe(clip.file).duration_s == pytest.approx(clip.end_s - clip.start_s, abs=0.002)


def test_a_slow_video_shows_what_was_on_when_the_clip_begins(make_video, make_item, read_number, tmp_path):
    video = make_video(tmp_path / "slow.mp4", times_s=[0.0, 0.9, 1.9, 2.9, 3.9], size=(384, 256))
    (clip,) = cut_clips(make_item("a", video, moments=[("best", 1.5, 3.5, 0.1)]), tmp_path / "clips", padding_s=0)
    times, numbers = zip(*shown(clip.file, read_number), strict=True)
    assert times == pytest.approx((0.0, 0.4, 1.4), abs=1e-3)
    assert numbers == (1, 2, 3)
    assert probe(clip.file).duration_s == pytest.approx(2.0, abs=0.002)


def test_sound_comes_along(make_video, make_item, clicks, tmp_path):
    video = make_video(tmp_path / "loud.mp4", frames=180, size=(96, 64), sound=clicks([1.5, 4.0], 6.0))
    clips = cut_clips(make_item("a", video), tmp_path / "clips")
    for clip, click_s in zip(clips, (1.5, 4.0), strict=True):
        pieces = list(read_sound(clip.file, rate_hz=SOUND_HZ))
        heard = np.concatenate([piece.samples for piece in pieces])
        first = np.flatnonzero(np.abs(heard) > 0.1)[0] / SOUND_HZ + pieces[0].time_s
        assert first + clip.start_s == pytest.approx(click_s, abs=0.01)
        assert probe(clip.file).duration_s == pytest.approx(clip.end_s - clip.start_s, abs=0.002)


def test_a_turned_video_stands_upright(make_video, make_item, tmp_path):
    upright = make_video(tmp_path / "v.mp4", frames=90, size=(96, 64))
    data = bytearray(upright.read_bytes())
    whole, quarter = (
        struct.pack(">9i", 65536, 0, 0, 0, 65536, 0, 0, 0, 1 << 30),
        struct.pack(">9i", 0, 65536, 0, -65536, 0, 0, 0, 0, 1 << 30),
    )
    at = data.index(whole, data.index(b"tkhd"))
    data[at : at + len(whole)] = quarter
    (tmp_path / "turned.mp4").write_bytes(data)
    item = make_item("a", tmp_path / "turned.mp4", moments=[("best", 1.0, 2.0, 0.1)])
    (clip,) = cut_clips(item, tmp_path / "clips")
    assert (probe(clip.file).width, probe(clip.file).height, probe(clip.file).rotation) == (64, 96, 0)


def test_nothing_is_cut_where_no_moment_stands_out(film_strip, make_item, tmp_path):
    assert cut_clips(make_item("a", film_strip, moments=[]), tmp_path / "clips") == []
    assert not (tmp_path / "clips").exists()


def test_a_clip_is_never_written_over_the_video(film_strip, make_item, tmp_path):
    video = tmp_path / "a-best-00001.000s.mp4"
    shutil.copy(film_strip, video)
    before = video.read_bytes()
    with pytest.raises(UsageError, match="would be written over"):
        cut_clips(make_item("a", video), tmp_path)
    assert [(p.name, p.read_bytes() == before) for p in tmp_path.iterdir()] == [(video.name, True)]


def test_what_cannot_be_cut_is_said(film_strip, make_item, make_video, tmp_path):
    for padding_s in (-1.0, 61.0, float("nan")):
        with pytest.raises(UsageError, match="Give 0 to 60 seconds"):
            cut_clips(make_item("a", film_strip), tmp_path, padding_s=padding_s)
    with pytest.raises(UsageError, match="the video of 'a' is not known"):
        cut_clips(make_item("a"), tmp_path)
    (tmp_path / "file").write_bytes(b"not a video")
    with pytest.raises(UnreadableVideo, match="this is a text file"):
        cut_clips(make_item("a", tmp_path / "file"), tmp_path)
    with pytest.raises(StorageError, match="a file stands where a folder is needed"):
        cut_clips(make_item("a", film_strip), tmp_path / "file")
    assert [p.name for p in tmp_path.iterdir()] == ["file"]
