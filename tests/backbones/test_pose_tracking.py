"""The tracker with a stand-in for the net, which knows where the people are; no weights are needed."""

import numpy as np
import pytest

from toprock.backbones.base import Frame
from toprock.backbones.pose.tracking import EASE_S, HOLD_S, PerformerTracker

ASPECT = 2.0
PICTURE = np.zeros((50, 100, 3), np.uint8)
WHOLE = (0.0, 0.0, 1.0, 1.0)
# a standing body 0.9 high and 0.3 wide about 0, y downwards: head, shoulders, elbows, wrists, hips, knees, ankles
BODY = np.array(
    [
        *[(0, -0.45)] * 5,
        *[(0.1, -0.35), (-0.1, -0.35), (0.15, -0.2), (-0.15, -0.2), (0.15, -0.05), (-0.15, -0.05)],
        *[(0.07, 0), (-0.07, 0), (0.07, 0.22), (-0.07, 0.22), (0.07, 0.45), (-0.07, 0.45)],
    ]
)


class Stage:
    """Finds the person nearest to the middle of the box, as MoveNet does. `people` are (x, y, size) in fractions."""

    def __init__(self):
        self.people = []
        self.looks = 0

    def points(self, image, box=None):
        self.looks += 1
        x0, y0, x1, y1 = box or WHOLE
        inside = [p for p in self.people if x0 <= p[0] <= x1 and y0 <= p[1] <= y1]
        if not inside:
            return np.full((17, 3), 0.1, np.float32)
        x, y, size = min(inside, key=lambda p: np.hypot(ASPECT * (p[0] - (x0 + x1) / 2), p[1] - (y0 + y1) / 2))
        places = (x, y) + size * BODY / (ASPECT, 1)
        return np.concatenate([places, np.full((17, 1), 0.7)], axis=1).astype(np.float32)


def follow(people_at, times, *, cuts=(), start_box=None):
    stage = Stage()
    tracker = PerformerTracker(stage, start_box=start_box)
    sightings = []
    for number, time_s in enumerate(times):
        stage.people = people_at(time_s)
        sightings.append(tracker.push(Frame(float(time_s), PICTURE), new_shot=number == 0 or number in cuts))
    return sightings, stage


def middle(sighting):
    return float(sighting.points[11:13, 0].mean())


def times_to(end_s, rate_hz=6.0):
    return np.arange(round(end_s * rate_hz) + 1) / rate_hz


def test_a_walk_across_a_wide_picture_is_followed_with_a_look_a_picture():
    sightings, stage = follow(lambda t: [(0.1 + 0.2 * t, 0.5, 0.6)], times_to(4))
    for time_s, sighting in zip(times_to(4), sightings, strict=True):
        assert sighting.found
        assert middle(sighting) == pytest.approx(0.1 + 0.2 * time_s, abs=1e-3)
        assert sighting.box[0] < middle(sighting) < sighting.box[2]
    assert stage.looks <= len(sightings) + 5


def test_the_box_holds_every_point_of_a_body_at_rest():
    sightings, _ = follow(lambda t: [(0.5, 0.5, 0.6)], times_to(1))
    x0, y0, x1, y1 = sightings[-1].box
    x, y, _ = sightings[-1].points.T
    assert x0 < x.min() < x.max() < x1 < 0.8
    assert y0 < y.min() < y.max() < y1 <= 1


def test_the_larger_and_more_central_one_is_chosen():
    alone_near_middle, _ = follow(lambda t: [(0.15, 0.5, 0.5), (0.55, 0.5, 0.5)], [0.0])
    assert middle(alone_near_middle[0]) == pytest.approx(0.55)
    larger, _ = follow(lambda t: [(0.35, 0.5, 0.9), (0.62, 0.5, 0.3)], [0.0])
    assert middle(larger[0]) == pytest.approx(0.35)


def test_a_start_box_chooses_the_other_one_and_stays():
    def people(t):
        return [(0.5, 0.5, 0.6), (0.85, 0.5, 0.6)]

    sightings, _ = follow(people, times_to(2), start_box=(0.75, 0.1, 0.95, 0.9))
    assert {round(middle(s), 3) for s in sightings} == {0.85}


def test_nobody_in_the_start_box_is_waited_for_and_then_given_up():
    start_box = (0.75, 0.1, 0.95, 0.9)
    sightings, _ = follow(lambda t: [(0.3, 0.5, 0.6)], times_to(2), start_box=start_box)
    assert [s.found for s in sightings] == [t > HOLD_S for t in times_to(2)]
    assert sightings[0].box == sightings[6].box == start_box
    late, _ = follow(lambda t: [(0.3, 0.5, 0.6), (0.85, 0.5, 0.6 if t >= 0.5 else 0)], [0.0], start_box=start_box)
    assert late[0].found is False or middle(late[0]) == pytest.approx(0.85)


@pytest.mark.parametrize("rate_hz", [6.0, 15.0])
def test_one_who_passes_by_does_not_take_over(rate_hz):
    sightings, _ = follow(lambda t: [(0.4, 0.5, 0.6), (0.4 * t - 0.2, 0.55, 0.6)], times_to(3, rate_hz))
    away = [abs(middle(s) - 0.4) * ASPECT for s in sightings]
    assert max(away) < 0.3
    assert away[-1] < 1e-3


def test_no_jump_to_another_while_the_performer_may_come_back():
    def people(t):
        performer = [] if 1.0 < t < 1.6 else [(0.2, 0.5, 0.6)]
        return [*performer, (0.9, 0.5, 0.6)]

    sightings, _ = follow(people, times_to(3), start_box=(0.1, 0.1, 0.3, 0.9))
    assert [s.found for s in sightings] == [not 1.0 < t < 1.6 for t in times_to(3)]
    assert {round(middle(s), 3) for s in sightings if s.found} == {0.2}


def test_loss_holds_the_box_then_widens_it_then_finds_again():
    times = times_to(8, 10)
    sightings, _ = follow(lambda t: [(0.2, 0.5, 0.5)] if t <= 1 or t >= 7 else [], times)
    by_time = {round(float(t), 1): s for t, s in zip(times, sightings, strict=True)}
    seen = by_time[1.0].box
    assert by_time[1.1].points is None
    assert by_time[1.0 + HOLD_S].box == seen
    widths = [by_time[round(t, 1)].box[2] for t in np.arange(2.1, 6.9, 0.1)]
    assert (np.diff(widths) > 0).all()
    eased = 1 - (1 - seen[2]) * np.exp(-1)
    assert by_time[round(1.0 + HOLD_S + EASE_S, 1)].box[2] == pytest.approx(eased, abs=1e-6)
    assert by_time[7.0].found
    assert by_time[8.0].box[2] < 0.6


def test_a_cut_forgets():
    def people(t):
        return [(0.15, 0.5, 0.6)] if t < 1 else [(0.85, 0.5, 0.6)]

    times = times_to(2)
    cut = int(np.searchsorted(times, 1.0))
    sightings, _ = follow(people, times, cuts=[cut], start_box=(0.05, 0.1, 0.3, 0.9))
    assert sightings[cut].found
    assert middle(sightings[cut]) == pytest.approx(0.85)
    assert sightings[cut].box[0] > 0.6  # nothing is left of the box before the cut
    uncut, _ = follow(people, times, start_box=(0.05, 0.1, 0.3, 0.9))
    assert not uncut[cut].found
    empty, _ = follow(lambda t: people(t) if t < 1 else [], times, cuts=[cut])
    assert empty[cut].box == WHOLE


def test_smoothing_does_not_depend_on_the_frame_rate():
    def people(t):
        return [(0.3 if t < 1 else 0.4, 0.5, 0.6 if t < 1.5 else 0.4)]

    boxes = []
    for rate_hz in (10.0, 20.0, 60.0):
        sightings, _ = follow(people, times_to(2, rate_hz))
        boxes.append([sightings[round(t * rate_hz)].box for t in (0.9, 1.2, 1.4, 1.7, 2.0)])
    assert np.array(boxes[0]) == pytest.approx(np.array(boxes[2]), abs=0.05)
    assert np.array(boxes[1]) == pytest.approx(np.array(boxes[2]), abs=0.025)


def test_a_moving_box_is_smooth():
    rng = np.random.default_rng(0)
    shaken = {round(float(t), 3): 0.5 + rng.normal(scale=0.02) for t in times_to(4, 15)}
    sightings, _ = follow(lambda t: [(shaken[round(float(t), 3)], 0.5, 0.6)], times_to(4, 15))
    steps = np.abs(np.diff([s.box[0] for s in sightings])).mean()
    assert steps < 0.6 * np.abs(np.diff(list(shaken.values()))).mean()


@pytest.mark.parametrize("shape", [(64, 64), (50, 100), (100, 50), (4, 400), (400, 4)])
def test_empty_pictures_of_any_shape_are_looked_at_in_few_looks(shape):
    stage = Stage()
    sighting = PerformerTracker(stage).push(Frame(0.0, np.zeros((*shape, 3), np.uint8)), new_shot=True)
    assert sighting == (None, WHOLE, False)
    assert 1 <= stage.looks <= 6
