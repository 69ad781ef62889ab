"""Beats in real files with a click track whose beats are known."""

from itertools import pairwise

import numpy as np
import pytest

from toprock.errors import UnreadableVideo
from toprock.sound import track_beats
from toprock.sound.onsets import FRAMES_HZ, RATE_HZ, onset_envelope
from toprock.sound.tracking import beats_in
from toprock.video import Sound, read_frames

LENGTH_S = 20.0


def metronome(bpm, offset_s=0.0, until_s=LENGTH_S):
    return np.arange(offset_s, until_s - 0.05, 60 / bpm)


def f_measure(found, truth, within_s=0.07):
    """Of beats found within 70 ms of a true one, none counted twice (the usual measure of beat tracking)."""
    free, hits = list(truth), 0
    for beat in found:
        near = [t for t in free if abs(t - beat) <= within_s]
        if near:
            free.remove(min(near, key=lambda t: abs(t - beat)))
            hits += 1
    return 2 * hits / max(1, len(found) + len(truth))


@pytest.fixture
def film(make_video, tmp_path):
    """A function that puts sound into a real video of `length_s`."""

    def make(sound=None, *, name="film.mp4", length_s=LENGTH_S, **more):
        return make_video(tmp_path / name, frames=int(length_s * 5), rate_hz=5, sound=sound, **more)

    return make


@pytest.mark.parametrize("bpm", [90, 120, 140])
@pytest.mark.parametrize(("noise", "offset_s"), [(0.0, 0.0), (0.03, 0.31)])
def test_clicks_are_found(film, clicks, bpm, noise, offset_s):
    truth = metronome(bpm, offset_s)
    found = track_beats(film(clicks(truth, LENGTH_S, noise=noise)))
    assert f_measure(found, truth) > 0.95
    off = [found[np.argmin(abs(found - t))] - t for t in truth[2:-2]]
    assert abs(np.median(off)) < 0.015


@pytest.mark.parametrize(
    ("name", "codec"), [("f.mkv", "flac"), ("g.mkv", "libopus"), ("f.avi", "mp2"), ("f.ts", "aac"), ("f.mov", "aac")]
)
def test_every_container_keeps_sound_and_pictures_together(film, clicks, name, codec):
    truth = metronome(100, 0.2)
    path = film(clicks(truth, LENGTH_S), name=name, sound_codec=codec, codec="mpeg4" if name == "f.avi" else "libx264")
    with read_frames(path, rate_hz=5, short_side=16) as frames:
        truth += next(frames).time_s  # where the file's 0 s is the start of a coded silence before the sound
    found = track_beats(path)
    assert f_measure(found, truth) > 0.95
    off = [found[np.argmin(abs(found - t))] - t for t in truth[2:-2]]
    assert abs(np.median(off)) < 0.04  # MP2 begins with 481 samples of silence


def test_sound_that_starts_late(film, clicks):
    truth = metronome(120, 0.2, until_s=13.0)
    found = track_beats(film(clicks(truth, 13.0), sound_from_s=6.5))
    assert f_measure(found, truth + 6.5) > 0.9


def test_a_tempo_that_changes(film, clicks):
    truth = np.concatenate([metronome(96, 0.1, until_s=30), metronome(132, 30.2, until_s=60)])
    assert f_measure(track_beats(film(clicks(truth, 60, noise=0.01), length_s=60)), truth) > 0.9


def test_quiet_music_has_the_same_beats(clicks):
    truth = metronome(110)
    envelopes = [onset_envelope([Sound(0.0, clicks(truth, LENGTH_S, level=level))]) for level in (0.5, 0.02)]
    loud, quiet = (beats_in(envelope) for envelope in envelopes)
    assert f_measure(quiet, loud) > 0.95


def test_no_sound_no_pulse_no_beats(film, clicks):
    assert len(track_beats(film())) == 0
    assert len(track_beats(film(clicks([], LENGTH_S), name="silent.mp4"))) == 0
    assert len(track_beats(film(clicks([], LENGTH_S, noise=0.1), name="noise.mp4"))) == 0
    assert len(track_beats(film(clicks([0.5], 1.0), name="short.mp4", length_s=1))) == 0


def test_beats_end_where_the_music_ends(clicks):
    music = clicks(metronome(120, until_s=40), 80)
    found = beats_in(onset_envelope([Sound(0.0, music)]))
    assert 36 < found.max() < 52


def test_pieces_gaps_and_repeats_make_no_difference(clicks):
    sound = clicks(metronome(120), LENGTH_S, noise=0.01)
    whole = onset_envelope([Sound(0.0, sound)])
    rng = np.random.default_rng(0)
    borders = [0, *np.sort(rng.integers(0, len(sound), 40)), len(sound)]
    pieces = [Sound(a / RATE_HZ + 0.001, sound[a:b]) for a, b in pairwise(borders)]
    np.testing.assert_allclose(onset_envelope(pieces), whole, atol=1e-5)
    np.testing.assert_allclose(
        onset_envelope([*pieces[:20], Sound(0.0, sound[:RATE_HZ]), *pieces[20:]]), whole, atol=1e-5
    )
    late = onset_envelope([Sound(3600.0, sound)])
    assert len(late) - len(whole) == pytest.approx(3600 * FRAMES_HZ, abs=1)
    assert np.count_nonzero(late[: 3599 * FRAMES_HZ]) == 0
    np.testing.assert_allclose(late[-len(whole) + 10 :], whole[10:], atol=1e-5)


def test_what_is_no_video_is_named(tmp_path):
    path = tmp_path / "text.mp4"
    path.write_text("ffconcat version 1.0\nfile v.mp4\n")
    with pytest.raises(UnreadableVideo, match=r"text\.mp4"):
        track_beats(path)


def test_damaged_sound_is_heard_as_far_as_it_goes(film, clicks):
    truth = metronome(120)
    path = film(clicks(truth, LENGTH_S, noise=0.02))
    data = bytearray(path.read_bytes())
    rng = np.random.default_rng(0)
    for _ in range(60):
        data[rng.integers(len(data) // 4, len(data) * 3 // 4)] = rng.integers(256)
    path.write_bytes(data)
    assert f_measure(track_beats(path), truth) > 0.8
