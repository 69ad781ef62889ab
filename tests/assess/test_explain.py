"""Sentences on moments say what was measured, and nothing where nothing was."""

import cv2
import numpy as np
import pytest

from toprock.assess import Moment, SegmentEvidence
from toprock.assess.explain import explained
from toprock.backbones import build
from toprock.backbones.base import Frame
from toprock.backbones.readings import Reading, readings

READINGS = {"dynamic": [Reading(0, "slower", "faster"), Reading(2, "smoother", "jerkier")]}


def segment(stream, start_s, value):
    return SegmentEvidence(stream, start_s, start_s + 1, {"high": value, "low": 0.0, "average": 0.0}, 0.1, 0.1)


def told(kind, contribution, standard, *, dynamic=0.5, static=0.1):
    segments = [segment("dynamic", t, dynamic * (t in (2, 3))) for t in range(6)]
    segments += [segment("static", t, static * (t in (2, 3))) for t in range(6)]
    (moment,) = explained([Moment(kind, 2.0, 4.0, contribution)], segments, standard, READINGS)
    return moment


def test_a_sentence_names_time_contribution_stream_and_what_differed():
    x = np.zeros((6, 3))
    x[2:4, 0], x[2:4, 2], x[5] = 2.5, -1.26, 9.0
    moment = told("best", 1.2, {"dynamic": x, "static": np.zeros((6, 3))})
    assert moment.stream == "dynamic"
    assert moment.sentence == (
        "0:02.0 to 0:04.0 raised the score by 1.200, motion spoke most (+1.000): it was faster (2.5 times the usual "
        "variation) and smoother (1.3 times the usual variation) than in the training performances."
    )


def test_what_does_not_differ_or_has_no_name_is_not_told():
    x = np.zeros((6, 3))
    x[2:4, 1], x[2:4, 0] = 8.0, 0.9
    moment = told("worst", -0.2, {"dynamic": x, "static": x}, dynamic=0.0, static=-0.1)
    assert moment.stream == "static"
    assert moment.sentence == "0:02.0 to 0:04.0 lowered the score by 0.200, posture spoke most (-0.200)."


def test_a_worst_moment_is_led_by_the_stream_that_lowered_it():
    moment = told("worst", -0.5, {"dynamic": np.zeros((6, 3)), "static": np.zeros((6, 3))}, dynamic=0.2, static=-0.9)
    assert moment.stream == "static"


@pytest.mark.parametrize("name", ["flow", "flow-beat", "posture", "pose", "pose-motion"])
def test_every_reading_is_a_number_of_its_descriptor(name):
    from toprock.backbones.pose.descriptor import POSE_NAMES
    from toprock.backbones.pose.motion_descriptor import MOTION_NAMES

    dimension = {"pose": len(POSE_NAMES), "pose-motion": len(MOTION_NAMES)}.get(name) or build(name).spec.dimension
    places = [reading.place % dimension for reading in readings(name)]
    assert len(set(places)) == len(places) > 3
    assert all(-dimension <= reading.place < dimension for reading in readings(name))


def film(move, length_s=0.9):
    """The mean vector of `flow` of a textured square that moves as told, in picture heights."""
    rng, rows = np.random.default_rng(0), []
    texture = cv2.GaussianBlur(rng.integers(80, 255, (30, 30, 3)).astype(np.uint8), (0, 0), 1)
    backbone = build("flow")
    describer, rate, side = backbone.describer(), backbone.reading.rate_hz, backbone.reading.short_side
    scene = cv2.GaussianBlur(rng.integers(0, 120, (side, 2 * side, 3)).astype(np.uint8), (0, 0), 2)
    count = round(length_s * rate)
    for number in range(count):
        picture = scene.copy()
        x, y = move(number / rate)
        left, top = int(side + x * side), int((side - 30) / 2 + y * side)
        picture[top : top + 30, left : left + 30] = texture
        rows += describer.push(Frame(number / rate, picture), new_shot=number == 0)
    rows += describer.finish(count / rate)
    return np.mean([row.vector for row in rows], axis=0)


def test_flow_is_read_rightly_from_pictures():
    place = {reading.higher: reading.place for reading in readings("flow")}
    slow, fast = film(lambda t: (0.2 * t, 0.0)), film(lambda t: (0.8 * t, 0.0))
    up, down = film(lambda t: (0.0, 0.3 - 0.6 * t)), film(lambda t: (0.0, -0.3 + 0.6 * t))
    even, uneven = film(lambda t: (0.4 * t, 0.0), 1.6), film(lambda t: (0.4 * t + 0.06 * np.sin(14 * t), 0.0), 1.6)
    assert fast[place["faster"]] > slow[place["faster"]]
    assert up[place["with more upward motion"]] > 3 * down[place["with more upward motion"]]
    assert down[place["with more downward motion"]] > 3 * up[place["with more downward motion"]]
    assert uneven[place["less steady in speed"]] > even[place["less steady in speed"]]
    assert uneven[place["jerkier"]] > even[place["jerkier"]]
