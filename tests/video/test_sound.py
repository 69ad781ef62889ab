"""The sound track: what is read, when it sounds, and within which bounds."""

from pathlib import Path

import av
import numpy as np
import pytest

from toprock.errors import DecoderFailed, VideoTooLarge
from toprock.video import Limits, Sound, read_sound

RATE_HZ = 16_000


@pytest.fixture(scope="module")
def tone():
    t = np.arange(4 * RATE_HZ) / RATE_HZ
    return (0.5 * np.sin(2 * np.pi * 440 * t)).astype(np.float32)


def together(pieces):
    pieces = list(pieces)
    return pieces[0].time_s, np.concatenate([p.samples for p in pieces])


def children():
    """Processes that this one has started and that have not ended."""
    return {int(pid) for task in Path("/proc/self/task").iterdir() for pid in (task / "children").read_text().split()}


def loudest_hz(samples):
    return np.argmax(np.abs(np.fft.rfft(samples))) * RATE_HZ / len(samples)


def test_samples_and_times(make_video, tone, tmp_path):
    path = make_video(tmp_path / "v.mkv", frames=120, sound=tone, sound_codec="flac")
    start_s, samples = together(read_sound(path, rate_hz=RATE_HZ))
    assert start_s == pytest.approx(0.0, abs=0.01)
    np.testing.assert_allclose(samples[:60_000], tone[:60_000], atol=1e-3)
    _, slower = together(read_sound(path, rate_hz=8000))
    assert len(slower) == pytest.approx(len(samples) / 2, rel=0.01)


def test_pieces_follow_each_other_and_sound_may_start_late(make_video, tone, tmp_path):
    path = make_video(tmp_path / "v.mp4", frames=180, sound=tone, sound_from_s=1.5)
    pieces = list(read_sound(path, rate_hz=RATE_HZ))
    ends = [p.time_s + len(p.samples) / RATE_HZ for p in pieces]
    assert pieces[0].time_s == pytest.approx(1.5, abs=0.07)
    assert ends[-1] == pytest.approx(5.5, abs=0.1)
    assert [p.time_s for p in pieces[1:]] == pytest.approx(ends[:-1], abs=0.005)
    assert all(isinstance(p, Sound) and p.samples.dtype == np.float32 for p in pieces)


def test_sound_whose_times_fall_back_is_left_out(make_video, tone, tmp_path):
    once = make_video(tmp_path / "once.ts", frames=30, sound=tone)
    twice = tmp_path / "twice.ts"
    twice.write_bytes(2 * once.read_bytes())
    times = [piece.time_s for piece in read_sound(twice, rate_hz=RATE_HZ)]
    assert times == sorted(times)
    assert times[-1] <= len(tone) / RATE_HZ


def test_sound_far_behind_a_gap_is_left_out(make_video, tone, tmp_path):
    """The gap is no longer filled with hours of silence."""
    path = make_video(tmp_path / "v.mp4", times_s=range(0, 720, 10), sound=tone, sound_from_s=700)
    assert together(read_sound(path, rate_hz=RATE_HZ))[0] == pytest.approx(700, abs=0.1)  # it begins late: no gap
    twice = make_video(tmp_path / "v.ts", frames=30, sound=tone).read_bytes()
    later = make_video(
        tmp_path / "l.ts", times_s=[900 + n / 30 for n in range(30)], sound=tone, sound_from_s=900
    ).read_bytes()
    (tmp_path / "both.ts").write_bytes(twice + later)
    start_s, samples = together(read_sound(tmp_path / "both.ts", rate_hz=RATE_HZ))
    assert (start_s, len(samples) / RATE_HZ) == (pytest.approx(0, abs=0.1), pytest.approx(4, abs=0.2))
    both = [piece.time_s for piece in read_sound(tmp_path / "both.ts", rate_hz=RATE_HZ, limits=Limits(max_gap_s=1000))]
    assert both[-1] > 900


def test_stereo_at_another_rate_is_mixed(tmp_path):
    t = np.arange(96_000) / 48_000
    both = np.stack([np.sin(2 * np.pi * 500 * t), np.sin(2 * np.pi * 500 * t)]).astype(np.float32) / 2
    with av.open(str(tmp_path / "v.mp4"), "w") as out:
        pictures, sound = out.add_stream("libx264", rate=10), out.add_stream("aac", rate=48_000, layout="stereo")
        pictures.width, pictures.height, pictures.pix_fmt = 64, 64, "yuv420p"
        for at in range(0, 95_000, 1024):
            frame = av.AudioFrame.from_ndarray(both[:, at : at + 1024].copy(), format="fltp", layout="stereo")
            frame.sample_rate, frame.pts = 48_000, at
            out.mux(sound.encode(frame))
        out.mux(sound.encode(None))
        for _ in range(20):
            out.mux(pictures.encode(av.VideoFrame.from_ndarray(np.zeros((64, 64, 3), np.uint8), format="rgb24")))
        out.mux(pictures.encode(None))
    _, samples = together(read_sound(tmp_path / "v.mp4", rate_hz=RATE_HZ))
    assert len(samples) == pytest.approx(2 * RATE_HZ, rel=0.05)
    assert loudest_hz(samples) == pytest.approx(500, abs=1)


def test_sound_longer_than_a_video_may_be(make_video, tone, tmp_path):
    path = make_video(tmp_path / "v.mkv", frames=30, sound=np.tile(tone, 2))
    with pytest.raises(VideoTooLarge, match="sound is longer than the limit of 5 s"):
        list(read_sound(path, rate_hz=RATE_HZ, limits=Limits(max_duration_s=5)))


def test_the_child_is_bounded_and_ends_with_the_iterator(make_video, tone, tmp_path):
    path = make_video(tmp_path / "v.mp4", frames=30, sound=tone)
    with pytest.raises(DecoderFailed):
        list(read_sound(path, rate_hz=RATE_HZ, limits=Limits(memory_mb=40)))
    before = children()
    pieces = read_sound(path, rate_hz=RATE_HZ)
    next(pieces)
    assert children() - before
    pieces.close()
    assert not children() - before
