from itertools import pairwise

import numpy as np
import pytest
from backbone_figures import FPS, HEIGHT, WIDTH, describe, disc_video, mean_motion, texture

from toprock.backbones import build
from toprock.backbones.base import Frame
from toprock.backbones.motion import PerformerMotion, small_grey
from toprock.backbones.motion_descriptor import DIMENSION, DIRECTIONS, Derivatives

PER_CELL = DIRECTIONS + 5
RIGHT, DOWN, LEFT, UP = 0, 2, 4, 6
TIMES = np.arange(24) / FPS


def velocities(frames):
    """Velocity of the moving cells, in heights a second, for each pair of frames."""
    motion = PerformerMotion(small_grey(frames[0].image, HEIGHT).shape)
    found = []
    for before, after in pairwise(frames):
        step_s = after.time_s - before.time_s
        found.append(motion.between(small_grey(before.image, HEIGHT), small_grey(after.image, HEIGHT)) / step_s)
    return found


def inside(field, centre, radius=0.11):
    """Which cells lie well inside a disc at `centre` (x, y in heights)."""
    rows, columns = field.shape[:2]
    y, x = (np.mgrid[0:rows, 0:columns] + 0.5) / rows
    return np.hypot(x - centre[0], y - centre[1]) < radius


def disc_velocity(field, centre):
    return np.median(field[inside(field, centre)], axis=0)


def whole_picture(vector):
    return vector[:PER_CELL]


@pytest.mark.parametrize(
    "speed, direction", [((0.6, 0.0), RIGHT), ((-0.6, 0.0), LEFT), ((0.0, 0.4), DOWN), ((0.0, -0.4), UP)]
)
def test_a_moving_disc_has_its_direction_and_speed(speed, direction):
    start = (0.9 - speed[0] * 0.8, 0.5 - speed[1] * 0.8)

    def place(time_s):
        return start[0] + speed[0] * time_s, start[1] + speed[1] * time_s

    frames = disc_video(place, TIMES)
    for frame, field in zip(frames, velocities(frames), strict=False):
        assert disc_velocity(field, place(frame.time_s)) == pytest.approx(speed, abs=0.13 * np.hypot(*speed))
    for segment in describe(build("flow"), frames):
        assert np.argmax(whole_picture(segment.vector)[:DIRECTIONS]) == direction


def test_variable_frame_rate_gives_the_same_speed():
    rng = np.random.default_rng(5)
    uneven = np.cumsum(rng.choice([1 / 30, 1 / 15, 1 / 10], 24))
    for times in (TIMES, uneven):
        frames = disc_video(lambda t: (0.3 + 0.5 * t, 0.5), times)
        for frame, field in zip(frames, velocities(frames), strict=False):
            place = (0.3 + 0.5 * frame.time_s, 0.5)
            assert disc_velocity(field, place)[0] == pytest.approx(0.5, rel=0.15)


def test_acceleration_of_an_accelerating_disc():
    def mean_acceleration(place):
        derivatives, values = Derivatives((HEIGHT // 4, WIDTH // 4)), []
        frames = disc_video(lambda t: (place(t), 0.5), TIMES[:18])
        for number, field in enumerate(velocities(frames)):
            acceleration, _ = derivatives.push(field.astype(np.float32), 1 / FPS)
            if number >= 2:
                values.append(np.median(acceleration[inside(field, (place(frames[number].time_s), 0.5))]))
        return np.mean(values)

    wanted = 1.2
    assert mean_acceleration(lambda t: 0.25 + 0.25 * t + wanted / 2 * t * t) == pytest.approx(wanted, rel=0.25)
    assert mean_acceleration(lambda t: 0.3 + 0.8 * t) < 0.4 * wanted


def test_reversals_show_in_the_rhythm():
    def lag_correlation(frames, lag):
        middle = describe(build("flow"), frames)[1].vector
        rhythm = PER_CELL * (1 + 4 + 1 + 9)
        return middle[rhythm + 5 + 5 + lag - 1]  # after 5 energy lags and 5 of the spectrum

    forth = disc_video(lambda t: (0.3 + 0.6 * t, 0.5), TIMES)
    shake = disc_video(lambda t: (0.9 + 0.12 * np.sin(2 * np.pi * t / 0.8), 0.5), TIMES)
    assert lag_correlation(forth, 5) > 0.7
    assert lag_correlation(shake, 5) < -0.5  # half a period later


def test_a_still_scene_has_no_motion():
    picture = texture(3)
    frames = [Frame(t, picture) for t in TIMES]
    assert mean_motion(frames) == 0.0
    for segment in describe(build("flow"), frames):
        moving = segment.vector[: PER_CELL * 15]
        assert np.count_nonzero(moving) == 0


def test_coding_noise_is_no_motion():
    rng = np.random.default_rng(0)
    picture = texture(3).astype(int)
    frames = [Frame(t, np.clip(picture + rng.integers(-1, 2, picture.shape), 0, 255).astype(np.uint8)) for t in TIMES]
    assert mean_motion(frames) == 0.0


def test_two_still_scenes_joined_have_no_motion():
    frames = [Frame(t, texture(3 if t < 0.8 else 4)) for t in TIMES]
    border = int(np.sum(TIMES < 0.8))
    assert mean_motion(frames, cuts=[border]) == 0.0
    for segment in describe(build("flow"), frames, cuts=[border]):
        assert np.count_nonzero(segment.vector[: PER_CELL * 15]) == 0


def panned(shift_per_s, wide=texture(7, width=WIDTH + 160, contrast=40.0)):
    def at(time_s):
        left = 20 + shift_per_s * HEIGHT * time_s
        whole = int(left)
        part = left - whole
        first, second = wide[:, whole : whole + WIDTH], wide[:, whole + 1 : whole + 1 + WIDTH]
        return ((1 - part) * first + part * second).astype(np.uint8)

    return at


def test_a_pan_is_taken_out():
    pan = panned(0.5)
    frames = [Frame(t, pan(t)) for t in TIMES]
    assert mean_motion(frames) < 0.01  # of 0.5


def test_a_disc_is_found_in_front_of_a_pan():
    frames = disc_video(lambda t: (0.9, 0.25 + 0.35 * t), TIMES, background=panned(0.4))
    wanted = np.array([0.4, 0.35])  # against the background, which moves to the left
    for frame, field in zip(frames, velocities(frames), strict=False):
        assert disc_velocity(field, (0.9, 0.25 + 0.35 * frame.time_s)) == pytest.approx(wanted, abs=0.08)
    still = disc_video(lambda t: (0.9, 0.25 + 0.35 * t), TIMES)
    assert mean_motion(frames) == pytest.approx(0.53 / 0.35 * mean_motion(still), rel=0.3)


def test_the_body_part_is_the_same_elsewhere_and_at_another_size():
    def middle(centre, radius, swing):
        frames = disc_video(
            lambda t: (centre[0] + swing * np.sin(2 * np.pi * t / 0.9), centre[1]), TIMES, radius=radius
        )
        return describe(build("flow"), frames)[2].vector[PER_CELL * 5 : PER_CELL * 15]

    def cosine(a, b):
        return float(a @ b / np.linalg.norm(a) / np.linalg.norm(b))

    reference = middle((0.5, 0.4), 0.16, 0.12)
    elsewhere = middle((1.2, 0.7), 0.16, 0.12)
    nearer = middle((1.0, 0.5), 0.24, 0.18)
    frames = disc_video(lambda t: (0.9, 0.5 + 0.12 * np.sin(2 * np.pi * t / 0.9)), TIMES, radius=0.16)
    upwards = describe(build("flow"), frames)[2].vector[PER_CELL * 5 : PER_CELL * 15]
    assert cosine(reference, elsewhere) > 0.95
    assert cosine(reference, nearer) > 0.9
    assert cosine(reference, upwards) < cosine(reference, nearer) - 0.1


@pytest.mark.parametrize("cuts", [(), (9,), (9, 10), (3, 20), (30, 59)])
def test_clips_cover_the_interval_and_cross_no_cut(cuts):
    frames = disc_video(lambda t: (0.3 + 0.2 * t, 0.5), np.arange(60) / FPS)
    segments = describe(build("flow"), frames, cuts=cuts, end_s=4.05)
    borders = [0.0, *(frames[k].time_s for k in cuts), 4.05]
    covered = 0.0
    for segment in segments:
        assert segment.vector.shape == (DIMENSION,)
        assert segment.vector.dtype == np.float32
        assert np.isfinite(segment.vector).all()
        assert segment.start_s <= covered + 1e-9  # no gap
        assert 0 < segment.end_s - segment.start_s <= 0.8 + 0.1 + 1e-9
        assert not any(segment.start_s + 1e-9 < border < segment.end_s - 1e-9 for border in borders)
        covered = max(covered, segment.end_s)
    assert segments[0].start_s == 0.0
    assert covered == pytest.approx(4.05)


def test_no_flow_is_measured_across_a_cut():
    first = disc_video(lambda t: (0.5, 0.5), TIMES[:12])
    second = [Frame(f.time_s, f.image[:, ::-1]) for f in disc_video(lambda t: (0.7, 0.6), TIMES[12:])]
    assert mean_motion([*first, *second], cuts=[12]) == 0.0
    assert mean_motion([*first, *second]) > 0.0


def test_memory_does_not_grow_with_length():
    describer = build("flow").describer()
    frames = disc_video(lambda t: (0.9 + 0.2 * np.sin(t), 0.5), np.arange(150) / FPS)
    for number, frame in enumerate(frames):
        describer.push(frame, new_shot=number == 0)
        assert len(describer._shot._pairs) <= 0.8 * FPS + 0.4 * FPS + 2


def test_larger_pictures_give_nearly_the_same():
    small = disc_video(lambda t: (0.3 + 0.6 * t, 0.5), TIMES)
    large = [Frame(f.time_s, np.repeat(np.repeat(f.image, 2, axis=0), 2, axis=1)) for f in small]
    one, other = (describe(build("flow"), frames)[1].vector for frames in (small, large))
    assert one == pytest.approx(other, abs=0.15)
