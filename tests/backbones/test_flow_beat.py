"""Motion on the beat and off it, with discs whose timing is known."""

import numpy as np
import pytest
from backbone_figures import FPS, describe, disc_video

from toprock.backbones import build
from toprock.backbones.on_beat import DIMENSION, beat_phases

PERIOD_S = 0.6
TIMES = np.arange(int(9 * FPS)) / FPS
BEATS = np.arange(0.3, 9.0, PERIOD_S)
COSINE, SINE, LENGTH = 0, 3, 6  # within a span, of speed, rises and falls
LONG = 9  # where the longer span begins


@pytest.fixture(scope="module")
def jerks():
    """A disc that jerks to and fro, each jerk fastest a tenth of a second after it begins on a beat of BEATS."""

    def place(time_s):
        done = np.clip((time_s - BEATS) / 0.2, 0, 1)
        return 0.8 + (np.resize([0.3, -0.3], len(BEATS)) * done * done * (3 - 2 * done)).sum(), 0.5

    return disc_video(place, TIMES)


def channels(frames, beats, **settings):
    """The on-beat channels (T, DIMENSION) of all clips."""
    return np.array([s.vector[-DIMENSION:] for s in describe(build("flow-beat", **settings).hearing(beats), frames)])


def test_a_disc_on_the_beat_and_the_same_disc_off_it(jerks):
    on, off, late = (
        channels(jerks, BEATS + shift * PERIOD_S)[6:-2, LONG:].mean(axis=0) for shift in (1 / 6, 1 / 6 + 0.5, -1 / 12)
    )
    assert on[COSINE] > 0.5  # fast around the beat
    assert off[COSINE] < -0.5
    assert late[SINE] > 0.4  # fast after it
    for found in (on, off, late):
        assert found[LENGTH] > 0.5  # as close together, wherever
    assert on[SINE + 1] < -0.3 < 0.3 < on[SINE + 2]  # it speeds up before and slows down after


def test_motion_at_another_tempo_gathers_nowhere(jerks):
    other = np.arange(0.3, 9.0, 0.437)
    strange, on = (channels(jerks, beats)[12:-2, LONG + LENGTH].mean() for beats in (other, BEATS))
    assert strange < 0.3
    assert on > 0.6


def test_even_motion_gathers_nowhere():
    steady = disc_video(lambda t: (0.9 + 0.3 * np.cos(1.5 * t), 0.5 + 0.25 * np.sin(1.5 * t)), TIMES)
    assert np.abs(channels(steady, BEATS)[6:-2, [LONG + COSINE, LONG + SINE]]).mean() < 0.1


def test_the_other_features_are_those_of_flow(jerks):
    plain, timed = (describe(b, jerks) for b in (build("flow"), build("flow-beat").hearing(BEATS)))
    assert [s[:2] for s in plain] == [s[:2] for s in timed]
    for one, other in zip(plain, timed, strict=True):
        np.testing.assert_array_equal(one.vector, other.vector[:-DIMENSION])
        assert other.vector.dtype == np.float32


@pytest.mark.parametrize("beats", [[], [4.0], [100.0, 101.0]])
def test_without_beats_the_channels_are_zero(jerks, beats):
    assert np.count_nonzero(channels(jerks, beats)) == 0
    assert np.count_nonzero([s.vector[-DIMENSION:] for s in describe(build("flow-beat"), jerks)]) == 0


def test_presence_is_the_share_of_time_between_beats(jerks):
    known = channels(jerks, BEATS[BEATS < 4.0])[:, -1]
    assert set(known[1:8]) == {1.0}
    assert not known[-10:].any()


def test_a_still_scene_has_beats_and_no_timing(jerks):
    still = channels([jerks[0]._replace(time_s=float(t)) for t in TIMES[:45]], BEATS)
    assert still[2, -1] == 1.0
    assert np.count_nonzero(still[:, :-1]) == 0


def test_a_gap_between_beats_has_no_phase():
    beats = np.array([0.0, 0.5, 1.0, 9.0, 9.5])
    assert np.abs(beat_phases(np.array([0.25, 0.75, 5.0, 9.25, 9.75]), beats)).tolist() == [1, 1, 0, 1, 0]


def test_hearing_leaves_the_backbone_as_it_was(jerks):
    backbone = build("flow-beat")
    heard = backbone.hearing(BEATS)
    assert heard == backbone != build("flow")
    assert build("flow-beat", **backbone.settings) == backbone
    assert np.count_nonzero([s.vector[-DIMENSION:] for s in describe(backbone, jerks[:30])]) == 0
