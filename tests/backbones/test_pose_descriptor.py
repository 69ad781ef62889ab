"""Descriptors of body points on skeletons drawn by hand; no weights are needed."""

import numpy as np
import pytest

from toprock.backbones.pose.descriptor import POSE_NAMES, describe_pose
from toprock.backbones.pose.motion_descriptor import MOTION_NAMES, Moment, describe_pose_motion

ASPECT = 16 / 9
# x to the person's left (the picture's right), y upwards from the hips, trunk lengths; nose, eyes, ears, then
# shoulders, elbows, wrists, hips, knees, ankles, left before right
HEAD = [(0, 1.3), (0.06, 1.36), (-0.06, 1.36), (0.12, 1.33), (-0.12, 1.33)]
HIPS = [(0.2, 0), (-0.2, 0)]
SHOULDERS = [(0.35, 1), (-0.35, 1)]
STAND = [
    *HEAD,
    *SHOULDERS,
    *[(0.4, 0.4), (-0.4, 0.4), (0.42, -0.1), (-0.42, -0.1)],
    *HIPS,
    *[(0.2, -0.85), (-0.2, -0.85), (0.2, -1.7), (-0.2, -1.7)],
]
STAR = [
    *HEAD,
    *SHOULDERS,
    *[(0.85, 1.4), (-0.85, 1.4), (1.25, 1.75), (-1.25, 1.75)],
    *HIPS,
    *[(0.7, -0.65), (-0.7, -0.65), (1.2, -1.35), (-1.2, -1.35)],
]
CROUCH = [
    *HEAD,
    *SHOULDERS,
    *[(0.5, 0.45), (-0.5, 0.45), (0.2, 0.75), (-0.2, 0.75)],
    *HIPS,
    *[(0.6, 0.4), (-0.6, 0.4), (0.25, -0.25), (-0.25, -0.25)],
]
ONE_ARM = [*STAND[:7], (0.45, 1.6), STAND[8], (0.5, 2.1), *STAND[10:]]
KICK = [*STAND[:14], STAND[14], (0.2, -1.7), (-0.9, -0.85)]


def points(figure, *, centre=(0.5, 0.5), size=0.2, turn=0.0, aspect=ASPECT):
    """(17, 3) of a figure whose trunk is `size` picture heights long, turned by `turn` radians anticlockwise."""
    x, y = np.array(figure, dtype=float).T
    turned_x, turned_y = x * np.cos(turn) - y * np.sin(turn), x * np.sin(turn) + y * np.cos(turn)
    return np.stack(
        [centre[0] + size * turned_x / aspect, centre[1] - size * turned_y, np.full(len(figure), 0.8)], axis=1
    )


def facts(found, aspect=ASPECT):
    vector = describe_pose(found, aspect)
    assert vector.shape == (len(POSE_NAMES),)
    assert vector.dtype == np.float32
    return dict(zip(POSE_NAMES, vector.tolist(), strict=True))


def mirrored(found):
    left_right = [0, 2, 1, 4, 3, *(k + 1 if k % 2 else k - 1 for k in range(5, 17))]
    other = found[left_right].copy()
    other[:, 0] = 1 - other[:, 0]
    return other


def test_names_are_unique():
    assert len(set(POSE_NAMES)) == len(POSE_NAMES)
    assert len(set(MOTION_NAMES)) == len(MOTION_NAMES)


@pytest.mark.parametrize("figure", [STAND, STAR, CROUCH, KICK], ids=["stand", "star", "crouch", "kick"])
def test_place_size_aspect_and_mirror_change_nothing(figure):
    reference = describe_pose(points(figure), ASPECT)
    for other in (points(figure, centre=(0.2, 0.7)), points(figure, size=0.07), mirrored(points(figure))):
        assert describe_pose(other, ASPECT) == pytest.approx(reference, abs=1e-5)
    assert describe_pose(points(figure, aspect=9 / 16), 9 / 16) == pytest.approx(reference, abs=1e-5)


def test_upright_and_upside_down_are_told_apart():
    upright, level, inverted = (facts(points(STAND, turn=turn)) for turn in (0, np.pi / 2, np.pi))
    assert upright["inverted"] < -0.9 < abs(level["inverted"]) < 0.2 < 0.9 < inverted["inverted"]
    assert [round(f["trunk inclination"], 3) for f in (upright, level, inverted)] == [0, 0.5, 1]
    assert upright["trunk up"] == pytest.approx(1)
    assert upright["trunk inclination, class 1 of 5"] == inverted["trunk inclination, class 5 of 5"] == 1
    assert level["trunk level"] == pytest.approx(1)
    for name in ("elbow straight, mean", "knee straight, mean", "wrist from hips, mean", "ankle along the trunk, mean"):
        assert upright[name] == pytest.approx(inverted[name], abs=1e-5)


def test_bent_and_straight_joints():
    stand, crouch = facts(points(STAND)), facts(points(CROUCH))
    assert stand["knee straight, mean"] == pytest.approx(1)
    assert stand["knee straight, class 3 of 3"] == pytest.approx(1)
    assert crouch["knee straight, mean"] < 0 < stand["hip straight, mean"]
    assert crouch["elbow straight, mean"] < -0.4
    assert stand["thigh up, mean"] == pytest.approx(-1)
    assert facts(points(KICK))["knee straight, difference"] > 0.2


def test_extension_tells_star_from_crouch():
    star, crouch = facts(points(STAR)), facts(points(CROUCH))
    for name in ("wrist from shoulders, mean", "ankle from hips, mean", "ankle from ankle", "reach, mean", "tall"):
        assert star[name] > 1.5 * crouch[name]


def test_symmetry_is_lost_with_one_arm_or_leg():
    stand, one_arm, kick = (facts(points(figure)) for figure in (STAND, ONE_ARM, KICK))
    for about in ("the trunk", "a plumb line"):
        assert stand[f"body symmetric about {about}"] == pytest.approx(1)
        assert one_arm[f"legs symmetric about {about}"] == pytest.approx(1)
        assert one_arm[f"arms symmetric about {about}"] < 0.4
        assert kick[f"legs symmetric about {about}"] < 0.6
    tilted = facts(points(STAR, turn=0.6))
    assert tilted["body symmetric about the trunk"] == pytest.approx(1)
    assert tilted["body symmetric about a plumb line"] < 0.6


def test_support_is_what_is_lowest():
    feet, one_foot, head = facts(points(STAND)), facts(points(KICK)), facts(points(STAND, turn=np.pi))
    assert feet["ankle carries, both"] == pytest.approx(1)
    assert feet["wrist carries, one"] < 0.01
    assert one_foot["ankle carries, one"] == pytest.approx(1)
    assert one_foot["ankle carries, both"] < 0.1
    assert head["head carry"] > 0.8
    assert head["hips over support"] < feet["hips over support"]
    assert facts(points(STAR))["width of support"] > 3 * feet["width of support"]
    assert feet["balance off the support's middle"] == pytest.approx(0, abs=1e-5)


def test_hidden_points_are_neutral_and_said():
    whole = points(STAND)
    hidden = whole.copy()
    hidden[[13, 14, 15, 16], 2] = 0.1
    hidden[[13, 14, 15, 16], :2] = 7.0  # wherever the net puts what it cannot see
    seen, half = facts(whole), facts(hidden)
    assert half["knee straight, mean"] == half["ankle from hips, mean"] == half["thigh up, mean"] == 0
    assert half["knees seen"] == half["feet seen"] == 0 < seen["feet seen"]
    for name in ("elbow straight, mean", "trunk up", "wrist from hips, mean", "hands seen"):
        assert half[name] == pytest.approx(seen[name], abs=1e-5)
    one = whole.copy()
    one[15, 2] = 0.0
    assert facts(one)["knee straight, mean"] == pytest.approx(1)
    assert facts(one)["knee straight, difference"] == 0


@pytest.mark.parametrize("score", [0.0, 0.19, np.nan])
def test_nobody_is_all_neutral(score):
    nobody = points(STAND)
    nobody[:, 2] = score
    assert not describe_pose(nobody, ASPECT).any()


def test_any_points_have_a_bounded_descriptor():
    rng = np.random.default_rng(0)
    for number in range(200):
        wild = rng.normal(scale=10.0 ** rng.integers(-6, 3), size=(17, 3))
        wild[:, 2] = rng.random(17) if number % 2 else 0.9
        if number % 5 == 0:
            wild[:, :2] = 0.5
        moments = [Moment(k / 15, wild + 0.01 * k if rng.random() < 0.8 else None, ASPECT) for k in range(20)]
        for vector in (
            describe_pose(wild, ASPECT),
            describe_pose_motion(moments, 0.4, 1.2, rate_hz=15, rhythm_s=3.2),
        ):
            assert np.isfinite(vector).all()
            assert np.abs(vector).max() <= 1


def motion(figure_at, *, rate_hz=15.0, lasting_s=3.2, size=0.2, centre=lambda t: (0.5, 0.5), seen=lambda t: True):
    times = np.arange(round(lasting_s * rate_hz) + 1) / rate_hz
    moments = [Moment(t, points(figure_at(t), size=size, centre=centre(t)) if seen(t) else None, ASPECT) for t in times]
    vector = describe_pose_motion(moments, lasting_s - 0.8, lasting_s, rate_hz=15.0, rhythm_s=3.2)
    return dict(zip(MOTION_NAMES, vector.tolist(), strict=True))


def waving(hertz, height=0.5, joints=(9, 10), smooth=True):
    def at(time_s):
        figure = np.array(STAND, dtype=float)
        swing = np.sin(2 * np.pi * hertz * time_s)
        figure[list(joints), 1] += height * (swing if smooth else np.sign(swing))
        return figure

    return at


def test_a_still_body_does_not_move():
    still = motion(lambda t: STAND)
    assert still["stillness"] == still["share of frames found"] == 1
    for name, value in still.items():
        if name.endswith((": speed", ": peak speed", ": jerk", ": range", ": rhythm", ": rate")):
            assert value == pytest.approx(0, abs=1e-5), name


def test_speed_is_of_the_joint_that_moves():
    wave = motion(waving(1.5))
    assert wave["hands: speed"] > 0.4
    assert wave["feet: speed"] == wave["hips: speed"] == pytest.approx(0, abs=1e-5)
    assert wave["hands: range"] > 0.3 > wave["knees: range"]
    assert wave["hands move together"] > 0.9
    assert motion(waving(1.5, joints=(9,)))["hands: speed, difference"] > 0.3
    assert motion(waving(1.5, joints=(9,)))["hands move together"] == pytest.approx(0, abs=1e-5)


def test_the_whole_body_moves_with_the_hips():
    walk = motion(lambda t: STAND, centre=lambda t: (0.2 + 0.1 * t, 0.5))
    speed = 0.1 * ASPECT / 0.2  # trunk lengths a second
    assert walk["hips: speed"] == pytest.approx(speed / (speed + 2.0), rel=0.05)
    assert walk["hands: speed"] == pytest.approx(walk["hips: speed"], rel=0.05)
    assert walk["hands against hips: speed"] == pytest.approx(0, abs=1e-5)
    assert walk["hips: straight way"] > 0.9
    up = motion(lambda t: STAND, centre=lambda t: (0.5, 0.8 - 0.1 * t))
    assert up["hips: upward velocity"] > 0.2


def test_size_in_the_picture_does_not_matter():
    near, far = (motion(waving(1.5), size=size) for size in (0.3, 0.1))
    assert list(near.values()) == pytest.approx(list(far.values()), abs=1e-4)


def test_frame_rate_matters_little():
    usual, twice = (motion(waving(1.25), rate_hz=rate) for rate in (15.0, 30.0))
    assert list(usual.values()) == pytest.approx(list(twice.values()), abs=0.1)


def test_abrupt_motion_has_more_jerk_than_smooth():
    smooth, abrupt = (motion(waving(1.5, smooth=kind)) for kind in (True, False))
    assert abrupt["hands: jerk"] > smooth["hands: jerk"] + 0.15
    assert abrupt["hands: jerk over speed"] > smooth["hands: jerk over speed"]


def test_rhythm_has_its_frequency():
    slow, quick = (motion(waving(hertz)) for hertz in (1.0, 3.0))
    name = "hands against hips: rhythm"
    assert slow[name] > 0.7 < quick[name]
    for hertz, found in ((1.0, slow), (3.0, quick)):
        assert found[f"{name}'s frequency"] == pytest.approx(np.log(hertz / 0.5) / np.log(10), abs=0.1)
    rng = np.random.default_rng(1)
    assert motion(lambda t: np.array(STAND) + rng.normal(scale=0.2, size=(17, 2)))[name] < 0.5
    assert motion(waving(2.0), lasting_s=0.8)[name] == 0  # too short to tell


def test_the_course_within_a_clip_is_told():
    def late(time_s):
        return waving(2.0)(max(time_s, 2.8))

    found = motion(late)
    assert found["motion in quarter 1"] < 0.05 < 0.3 < found["motion in quarter 4"]
    assert 0.4 < found["stillness"] < 0.9


def test_turning_is_told():
    times = np.arange(25) / 15
    moments = [Moment(t, points(STAND, turn=2 * np.pi * t), ASPECT) for t in times]
    vector = describe_pose_motion(moments, 0.4, 1.2, rate_hz=15, rhythm_s=3.2)
    found = dict(zip(MOTION_NAMES, vector.tolist(), strict=True))
    assert found["trunk turns: total"] == pytest.approx(0.8, abs=0.05)
    assert found["trunk turns: rate"] == pytest.approx(2 * np.pi / (2 * np.pi + 3), abs=0.05)


def test_a_short_loss_is_bridged_and_said():
    whole, holed = motion(waving(1.5)), motion(waving(1.5), seen=lambda t: not 2.75 < t < 2.9)
    assert holed["share of frames found"] == pytest.approx(11 / 13)
    assert holed["hands: speed"] == pytest.approx(whole["hands: speed"], abs=0.1)
    never = motion(waving(1.5), seen=lambda t: False)
    assert not any(never.values())
