"""Writing videos: times, length and sound are those given, and a file is whole or absent."""

from __future__ import annotations

import av
import numpy as np
import pytest

from toprock.errors import StorageError, UsageError
from toprock.exports.film import SOUND_HZ, find_encoder, frame_rate, short_side, write_film
from toprock.exports.soundtrack import Piece, joined, pieces_of, sound_of_each
from toprock.video import Sound, VideoInfo, probe, read_frames, read_sound


def picture(value: int) -> np.ndarray:
    return np.full((48, 64, 3), value, np.uint8)


def info(tmp_path, width: int, height: int, rate_hz: float = 30.0) -> VideoInfo:
    return VideoInfo(tmp_path, width, height, None, rate_hz, "h264", "mov", None, 0)


def test_times_and_length_are_kept_whatever_the_rate(tmp_path):
    times = [0.0, 0.04, 0.5, 0.51, 2.0]
    with write_film(tmp_path / "film.mp4", (64, 48)) as film:
        for n, time_s in enumerate(times):
            film.picture(picture(40 * n), time_s)
        film.end(3.25)
    with av.open(str(tmp_path / "film.mp4")) as container:
        (stream,) = container.streams
        shown = [(float(f.time), f.to_ndarray(format="rgb24")[20, 20, 0]) for f in container.decode(video=0)]
        assert (stream.codec_context.name, stream.pix_fmt) == ("h264", "yuv420p")
        assert container.duration / av.time_base == pytest.approx(3.25, abs=0.002)
    assert [time_s for time_s, _ in shown] == pytest.approx(times, abs=1e-4)
    assert [int(value) for _, value in shown] == pytest.approx([0, 40, 80, 120, 160], abs=3)


def test_players_can_begin_before_all_has_come(tmp_path):
    with write_film(tmp_path / "film.mp4", (64, 48)) as film:
        film.picture(picture(9), 0.0)
        film.end(1.0)
    data = (tmp_path / "film.mp4").read_bytes()
    assert 0 < data.index(b"moov") < data.index(b"mdat")


def test_colours_come_back_as_they_went_in(tmp_path):
    colours = [(67, 220, 174), (255, 154, 102), (11, 21, 38), (245, 248, 255)]
    with write_film(tmp_path / "film.mp4", (64, 48)) as film:
        for n, colour in enumerate(colours):
            film.picture(picture(0) + np.array(colour, np.uint8), n / 10)
        film.end(1.0)
    with read_frames(tmp_path / "film.mp4", rate_hz=30, short_side=48) as frames:
        for colour, frame in zip(colours, frames, strict=True):
            np.testing.assert_allclose(frame.image[20, 20], colour, atol=3)


def test_sound_lies_where_the_pictures_are(tmp_path, clicks):
    with write_film(tmp_path / "film.mp4", (64, 48), sound=True) as film:
        film.picture(picture(0), 0.0)
        samples = np.zeros(3 * SOUND_HZ, np.float32)
        samples[SOUND_HZ : SOUND_HZ + 4800] = 0.5 * np.sin(np.arange(4800) / 8)
        for part in np.array_split(samples, 7):
            film.sound(part)
        film.end(3.0)
    heard = np.zeros(3 * SOUND_HZ, np.float32)
    for time_s, part in read_sound(tmp_path / "film.mp4", rate_hz=SOUND_HZ):
        start = round(time_s * SOUND_HZ)
        heard[start : start + len(part)] = part[: len(heard) - start]
    loud = np.flatnonzero(np.abs(heard) > 0.1)
    assert (loud[0] / SOUND_HZ, loud[-1] / SOUND_HZ) == pytest.approx((1.0, 1.1), abs=0.01)
    assert probe(tmp_path / "film.mp4").duration_s == pytest.approx(3.0, abs=0.002)


def test_an_encoder_that_is_not_there_is_done_without(tmp_path):
    assert find_encoder() == "libx264"
    assert find_encoder(["no-such", "mpeg4"]) == "mpeg4"
    with pytest.raises(UsageError, match="encodes no video"):
        find_encoder(["no-such"])
    with write_film(tmp_path / "film.mp4", (64, 48), encoder="mpeg4") as film:
        film.picture(picture(200), 0.0)
        film.picture(picture(20), 1.0)
        film.end(2.0)
    assert probe(tmp_path / "film.mp4").codec == "mpeg4"
    assert probe(tmp_path / "film.mp4").duration_s == pytest.approx(2.0, abs=0.002)


@pytest.mark.parametrize("problem", [KeyboardInterrupt, ValueError])
def test_what_is_broken_off_leaves_what_was_there(tmp_path, problem):
    (tmp_path / "film.mp4").write_bytes(b"before")
    with pytest.raises(problem), write_film(tmp_path / "film.mp4", (64, 48)) as film:
        film.picture(picture(0), 0.0)
        raise problem
    assert [(p.name, p.read_bytes()) for p in tmp_path.iterdir()] == [("film.mp4", b"before")]


def test_a_full_disk_is_said_and_leaves_nothing(small_disk):
    folder = small_disk("64k")
    noise = np.random.default_rng(0).integers(0, 255, (30, 240, 320, 3), dtype=np.uint8)
    with pytest.raises(StorageError, match="the disk is full"), write_film(folder / "film.mp4", (320, 240)) as film:
        for n, image in enumerate(noise):
            film.picture(image, n / 30)
        film.end(1.0)
    assert list(folder.iterdir()) == []


@pytest.mark.parametrize(
    ("size", "least", "side"),
    [
        ((1920, 1080), 2, 720),
        ((320, 240), 2, 240),
        ((320, 240), 360, 360),
        ((239, 427), 2, 238),
        ((3200, 100), 360, 120),
    ],
)
def test_sizes_are_even_and_neither_large_nor_long(tmp_path, size, least, side):
    assert short_side(info(tmp_path, *size), least=least) == side


@pytest.mark.parametrize(
    ("source_hz", "wanted_hz"), [(25, 30), (30, 30), (50, 25), (60, 30), (59.94, 29.97), (240, 30)]
)
def test_fast_videos_lose_every_so_many_pictures(tmp_path, source_hz, wanted_hz):
    assert frame_rate(info(tmp_path, 64, 48, source_hz)) == pytest.approx(wanted_hz)


def test_sound_of_spans_is_filled_with_silence_and_kept_in_step():
    sound = [Sound(0.5, np.full(SOUND_HZ, 0.25, np.float32)), Sound(2.0, np.full(SOUND_HZ // 2, 0.5, np.float32))]
    spans = [(0.0, 1.0), (1.25, 2.25), (5.0, 6.5)]
    whole = np.concatenate(list(joined(pieces_of(sound, spans), spans)))
    assert len(whole) == round(3.5 * SOUND_HZ)
    parts = [(0, 0.5, 0), (0.5, 1.25, 0.25), (1.25, 1.75, 0), (1.75, 2.0, 0.5), (2.0, 3.5, 0)]
    for start_s, end_s, level in parts:
        assert (whole[round(start_s * SOUND_HZ) : round(end_s * SOUND_HZ)] == level).all()


def test_sound_that_comes_twice_is_taken_once():
    spans = [(0.0, 1.0)]
    twice = [Piece(0, 0, np.ones(30_000, np.float32)), Piece(0, 20_000, np.zeros(20_000, np.float32))]
    whole = np.concatenate(list(joined(twice, spans)))
    assert (len(whole), whole.sum()) == (SOUND_HZ, 30_000)


def test_spans_without_sound_are_silent_and_a_silent_film_has_none(tmp_path, make_video):
    spans = [(0.0, 0.5), (0.25, 4.0)]
    assert sound_of_each(make_video(tmp_path / "silent.mp4"), spans) is None
    loud = np.full(16_000, 0.3, np.float32)
    first, second = sound_of_each(make_video(tmp_path / "loud.mp4", sound=loud), spans)
    assert (len(first), len(second)) == (SOUND_HZ // 2, round(3.75 * SOUND_HZ))
    assert np.abs(first[4800:]).mean() == pytest.approx(0.3, abs=0.05)
    assert np.abs(second[2 * SOUND_HZ :]).max() == 0
