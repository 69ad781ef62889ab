"""Tools whose motion is known: what every feature must say of them."""

from dataclasses import replace

import numpy as np
import pytest

from toprock.datasets.kinematics import STRIDE_S, WINDOW_S, Tool, motion_windows, poses

RATE_HZ = 30.0
NOTHING = np.log(1e-4)  # the logarithm of an amount of zero
SPEED, SPREAD, PEAK, ACCELERATION, JERK, SPIN, SPIN_SPREAD, SPIN_UP, GRIPPING, GRIP_RANGE = range(10)
STRAIGHT, REST, SUBMOVEMENTS, UNEVEN, GRIP, STEADY, STEADY_TURN = range(10, 17)
BANDS, DIRECTION, PATH = slice(17, 21), slice(21, 24), 24
TOGETHER = slice(25 * 2, 25 * 2 + 5)


def tool(velocity, *, start=(0.0, 0.0, 0.0), turning=None, grip=None):
    """A tool that moves by `velocity` (N, 3) from `start`."""
    velocity = np.asarray(velocity, float)
    count = len(velocity)
    position = np.asarray(start) + np.concatenate([np.zeros((1, 3)), np.cumsum(velocity[:-1], axis=0) / RATE_HZ])
    return Tool(
        position,
        np.tile(np.eye(3), (count, 1, 1)),
        velocity,
        np.zeros((count, 3)) if turning is None else np.asarray(turning, float),
        np.zeros(count) if grip is None else np.asarray(grip, float),
    )


def seconds(count):
    return np.arange(round(count * RATE_HZ)) / RATE_HZ


def along(speed, direction=(1.0, 0.0, 0.0)):
    return np.outer(speed, direction)


def described(first, second=None):
    """The features of the first tool in the first window, and those of both together."""
    second = second or tool(np.zeros_like(first.velocity))
    row = motion_windows([first, second], RATE_HZ).features[0]
    return row[:25], row[TOGETHER]


def test_a_tool_at_rest():
    row, together = described(tool(np.zeros((60, 3))))
    np.testing.assert_allclose(row[:STRAIGHT], NOTHING, rtol=1e-6)
    assert row[REST] == 1.0
    np.testing.assert_array_equal(row[[STRAIGHT, SUBMOVEMENTS, UNEVEN, GRIP, STEADY, STEADY_TURN]], 0.0)
    np.testing.assert_array_equal(row[BANDS], 0.0)
    np.testing.assert_array_equal(row[DIRECTION], 0.0)
    assert row[PATH] == pytest.approx(NOTHING)
    assert np.isfinite(together).all()


def test_a_straight_line_at_constant_speed():
    row, _ = described(tool(along(np.full(60, 0.5), (0.6, 0.0, -0.8))))
    assert row[SPEED] == row[PEAK] == pytest.approx(np.log(0.5 + 1e-4), abs=1e-6)
    for still in (SPREAD, ACCELERATION, JERK, SPIN, SPIN_UP):
        assert row[still] == pytest.approx(NOTHING, abs=1e-5)
    assert row[STRAIGHT] == pytest.approx(1.0)
    assert row[STEADY] == pytest.approx(1.0)
    assert row[REST] == 0.0
    np.testing.assert_allclose(row[DIRECTION], [0.6, 0.0, -0.8], atol=1e-6)
    assert row[PATH] == pytest.approx(np.log(0.5 * 59 / 30 + 1e-4), abs=1e-6)


def test_a_circle():
    radius, turn = 0.3, np.pi  # once around in the two seconds of a window
    t = seconds(2)
    velocity = radius * turn * np.stack([-np.sin(turn * t), np.cos(turn * t), np.zeros(60)], 1)
    row, _ = described(tool(velocity))
    chord = 2 * np.sin(turn / RATE_HZ / 2) * RATE_HZ  # what a difference of two frames makes of one derivative
    assert row[SPEED] == pytest.approx(np.log(radius * turn + 1e-4), abs=1e-6)
    assert row[SPREAD] == pytest.approx(NOTHING, abs=1e-5)
    assert row[ACCELERATION] == pytest.approx(np.log(radius * turn * chord + 1e-4), abs=1e-5)
    assert row[JERK] == pytest.approx(np.log(radius * turn * chord**2 + 1e-4), abs=1e-5)
    assert row[STRAIGHT] < 0.02
    assert row[STEADY] < 1e-6
    assert np.abs(row[DIRECTION]).max() < 1e-6


def test_turning_and_gripping():
    t = seconds(2)
    turning = np.outer(2.0 + 0 * t, [0, 0, 1.0])
    row, _ = described(tool(np.zeros((60, 3)), turning=turning, grip=0.25 + 0.25 * (-1.0) ** np.arange(60)))
    assert row[SPIN] == pytest.approx(np.log(2.0 + 1e-4), abs=1e-6)
    assert row[SPIN_SPREAD] == row[SPIN_UP] == pytest.approx(NOTHING, abs=1e-5)
    assert row[STEADY_TURN] == pytest.approx(1.0)
    assert row[GRIP] == pytest.approx(0.25)
    assert row[GRIP_RANGE] == pytest.approx(np.log(0.5 + 1e-4), abs=1e-6)
    assert row[GRIPPING] == pytest.approx(np.log(59 * 0.5 / 2 + 1e-4), abs=1e-6)  # 59 changes by 0.5 in 2 s


@pytest.mark.parametrize(("at_hz", "band"), [(1.0, 0), (2.0, 1), (4.0, 2), (8.0, 3)])
def test_tremor_is_in_its_band_and_its_beats_are_counted(at_hz, band):
    row, _ = described(tool(along(1.0 + 0.2 * np.sin(2 * np.pi * at_hz * seconds(2) + 0.1))))
    np.testing.assert_allclose(row[BANDS], np.eye(4)[band], atol=1e-6)
    assert row[SUBMOVEMENTS] == pytest.approx(at_hz, abs=0.5)
    assert row[UNEVEN] == pytest.approx(0.2 / 2**0.5, rel=0.02)


def test_resting_half_of_the_time():
    row, _ = described(tool(along(np.repeat([0.0, 0.4], 30))))
    assert row[REST] == 0.5
    assert row[SPEED] == pytest.approx(np.log(0.2 + 1e-4), abs=1e-6)
    assert row[PEAK] == pytest.approx(np.log(0.4 + 1e-4), abs=1e-6)


def test_two_tools_together():
    speed = 1.0 + 0.5 * np.sin(2 * np.pi * seconds(2))
    left = tool(along(speed))
    _, alike = described(left, tool(along(speed), start=(0.0, 0.3, 0.0)))
    assert alike == pytest.approx([1.0, 0.0, 1.0, 0.3, NOTHING], abs=1e-5)
    _, against = described(left, tool(along(2 * (2.0 - speed))))
    assert against[0] == pytest.approx(-1.0)
    assert against[1] == pytest.approx(np.log(1.0001 / 2.0001), abs=1e-4)
    assert against[2] < 0.6
    assert against[4] > np.log(0.5)


def test_poses_are_those_in_the_middle_of_each_window():
    t = seconds(4)
    away = tool(along(2.0 * np.ones(len(t))), start=(0.0, 3.0, 0.0), grip=-t)
    stream = poses([tool(along(np.zeros(len(t))), grip=t), away], RATE_HZ)
    for row, (start, end) in zip(stream.features, stream.times, strict=True):
        middle = (start + end) / 2
        assert row[:2] == pytest.approx([middle, -middle], abs=1e-6)
        np.testing.assert_allclose(row[2:5], [2 * middle, 3.0, 0.0], atol=1e-6)  # two a second along x


def test_a_pose_is_where_the_other_tool_is_in_a_tools_own_axes():
    turned = np.array([[0.0, -1.0, 0.0], [1.0, 0.0, 0.0], [0.0, 0.0, 1.0]])  # its x is the room's y, its y is -x
    left, right = (tool(np.zeros((60, 3)), start=start) for start in ((1.0, 1.0, 1.0), (1.0, 4.0, 5.0)))
    left = replace(left, rotation=np.tile(turned, (60, 1, 1)))
    row = poses([left, right], RATE_HZ).features[0]
    np.testing.assert_allclose(row[2:], [3.0, 0.0, 4.0, 0.6, 0.0, 0.8, 0.0, -0.6, -0.8], atol=1e-6)


def test_a_pose_does_not_tell_where_in_the_room_the_tools_are():
    turn, _ = np.linalg.qr(np.random.default_rng(1).normal(size=(3, 3)))
    here = [replace(one, rotation=np.tile(turn, (900, 1, 1))) for one in wandering(900)]
    there = [
        replace(one, position=one.position @ turn.T + 7.0, rotation=np.einsum("ij,njk->nik", turn, one.rotation))
        for one in here
    ]
    one, other = (poses(tools, RATE_HZ).features for tools in (here, there))
    np.testing.assert_allclose(one, other, atol=1e-4)


def test_tools_at_one_place_have_no_direction():
    row = poses([tool(np.zeros((60, 3)))] * 2, RATE_HZ).features[0]
    np.testing.assert_array_equal(row, 0.0)


def wandering(count):
    rng = np.random.default_rng(0)
    return [tool(rng.normal(size=(900, 3))[:count], grip=rng.uniform(size=900)[:count]) for _ in range(4)]


@pytest.mark.parametrize("describe", [motion_windows, poses])
def test_a_window_never_tells_how_long_the_recording_is(describe):
    whole = describe(wandering(900), RATE_HZ)
    assert len(whole.features) == (30 - WINDOW_S) / STRIDE_S + 1
    for count in (60, 61, 305, 600):
        part = describe(wandering(count), RATE_HZ)
        assert len(part.features) == (count - 60) // 15 + 1
        np.testing.assert_array_equal(part.features, whole.features[: len(part.features)])
        np.testing.assert_array_equal(part.times, whole.times[: len(part.times)])


def test_times_are_half_a_second_around_the_middle_of_each_window():
    stream = motion_windows(wandering(105), RATE_HZ)
    np.testing.assert_allclose(stream.times, [[0.75, 1.25], [1.25, 1.75], [1.75, 2.25], [2.25, 2.75]])
    assert stream.features.shape == (4, 4 * 25 + 2 * 5)
