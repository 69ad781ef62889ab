"""What is planted, when, and what it does to the body."""

from __future__ import annotations

import dataclasses
from itertools import pairwise

import numpy as np
import pytest

from toprock.synthetic import Choreography, choreograph
from toprock.synthetic.body import JOINT, Proportions, forward_kinematics, joint_angle, make_pose, mirror
from toprock.synthetic.choreography import DURATION_S, FPS, interpolate
from toprock.synthetic.draw import draw_proportions_of
from toprock.synthetic.timing import make_warp, path_times

_PLANS = [(7, index) for index in range(60)]


@pytest.fixture(scope="module")
def plans() -> list[Choreography]:
    return [choreograph(*number) for number in _PLANS]


def test_a_plan_depends_on_seed_and_index_alone(plans: list[Choreography]) -> None:
    again = choreograph(7, 3)
    assert again.moments == plans[3].moments
    assert again.quality == plans[3].quality
    assert np.array_equal(again.joints(Proportions()), plans[3].joints(Proportions()))
    assert choreograph(8, 3).moments != plans[3].moments


def test_moments_lie_inside_the_video_and_do_not_overlap(plans: list[Choreography]) -> None:
    for plan in plans:
        assert DURATION_S[0] <= plan.duration_s <= DURATION_S[1]
        spans = sorted((m.start_s, m.end_s) for m in plan.moments)
        assert spans[0][0] >= 0
        assert spans[-1][1] <= plan.duration_s
        assert all(start < end for start, end in spans)
        assert all(one[1] < other[0] for one, other in pairwise(spans))


def test_nearly_all_performances_hold_good_and_bad_moments_of_both_streams(plans: list[Choreography]) -> None:
    both = [{m.label for m in plan.moments} == {"good", "bad"} for plan in plans]
    assert np.mean(both) > 0.95
    counts = [sum(m.label == label for m in plan.moments) for plan in plans for label in ("good", "bad")]
    assert 2 <= np.mean(counts) <= 6
    kinds = {(m.stream, m.label) for plan in plans for m in plan.moments}
    assert len(kinds) == 4


def test_moments_have_the_stated_lengths(plans: list[Choreography]) -> None:
    moments = [m for plan in plans for m in plan.moments]
    for stream, label, low, high in (
        ("static", "bad", 0.2, 0.5),
        ("static", "good", 0.4, 1.2),
        ("dynamic", "bad", 0.5, 1.2),
        ("dynamic", "good", 0.5, 1.5),
    ):
        lengths = [m.end_s - m.start_s for m in moments if (m.stream, m.label) == (stream, label)]
        assert low - 0.01 <= min(lengths), (stream, label)
        assert max(lengths) <= high + 0.01, (stream, label)


def test_quality_is_the_stated_function_of_the_moments_and_spread_out(plans: list[Choreography]) -> None:
    for plan in plans:
        places = 2 * sum(e.kind not in ("spin", "drop") for e in plan.elements)
        weights = [(1.0 if m.label == "good" else -1.0) * (1.5 if m.kind == "stumble" else 1.0) for m in plan.moments]
        net = sum(weights)
        assert plan.quality == pytest.approx(1 / (1 + np.exp(-3 * net / places)))
    low, high = np.percentile([plan.quality for plan in plans], [10, 90])
    assert low < 0.3
    assert high > 0.7


def _speed(joints: np.ndarray) -> np.ndarray:
    return np.linalg.norm(np.diff(joints, axis=0), axis=2).mean(axis=1) * FPS


def _frames(plan: Choreography, start_s: float, end_s: float) -> slice:
    return slice(int(np.ceil(start_s * FPS)), int(np.floor(end_s * FPS)) + 1)


def test_a_posture_fault_changes_joint_angles_but_not_the_range_of_speed(plans: list[Choreography]) -> None:
    turned, faster, everywhere = [], [], []
    for number, plan in zip(_PLANS, plans, strict=True):
        body = draw_proportions_of(*number)
        faulty, clean = plan.joints(body), plan.joints(body, planted_postures=False)
        everywhere.append(_speed(clean))
        for m in plan.moments:
            if (m.stream, m.label) == ("static", "bad"):
                span = _frames(plan, m.start_s, m.end_s)
                around = _frames(plan, m.start_s - 0.3, min(m.end_s + 0.3, plan.duration_s - 0.1))
                angles = [
                    np.abs(joint_angle(faulty, *names) - joint_angle(clean, *names))[span].max()
                    for side in ("left", "right")
                    for names in (
                        (f"hip_{side}", f"knee_{side}", f"ankle_{side}"),
                        ("chest", f"hip_{side}", f"knee_{side}"),
                        (f"shoulder_{side}", f"elbow_{side}", f"wrist_{side}"),
                        (f"hip_{side}", f"shoulder_{side}", f"elbow_{side}"),
                    )
                ]
                turned.append(max(angles))
                faster.append(_speed(faulty)[around].max())
    assert len(turned) > 50
    assert np.median(turned) > 45
    assert np.percentile(turned, 5) > 20  # degrees: a person sees it
    assert np.median(faster) < np.percentile(np.concatenate(everywhere), 99)


def test_a_freeze_with_bent_knees_has_bent_knees_and_without_has_not() -> None:
    seen = 0
    for index in range(80):
        plan = choreograph(11, index)
        for m in plan.moments:
            if m.kind == "bent knees":
                seen += 1
                middle = round((m.start_s + m.end_s) / 2 * FPS)
                body = draw_proportions_of(11, index)
                danced = [plan.joints(body, planted_postures=planted) for planted in (True, False)]
                knees = [joint_angle(j, "hip_left", "knee_left", "ankle_left")[middle] for j in danced]
                assert knees[0] < 100
                assert knees[1] > 110
    assert seen >= 3


def test_a_timing_fault_stays_on_the_normal_path_and_goes_back_on_it(plans: list[Choreography]) -> None:
    away, reversed_s = [], []
    for number, plan in list(zip(_PLANS, plans, strict=True))[:12]:
        body = draw_proportions_of(*number)
        path, joints = plan.path(body), plan.joints(body)
        where = path_times(plan.times(), plan.warps)
        for m in plan.moments:
            if (m.stream, m.label) == ("dynamic", "bad"):
                span = _frames(plan, m.start_s, m.end_s)
                away += [np.linalg.norm(path - pose, axis=2).mean(axis=1).min() for pose in joints[span]]
                reversed_s.append(-np.minimum(np.diff(where[span]), 0).sum())
    assert len(reversed_s) > 10
    assert max(away) < 0.03  # body heights: half a sample of the path at full speed
    assert min(reversed_s) > 0.05  # it does go back


@pytest.mark.parametrize("name", ["hesitation", "wobble", "backs out", "on the beat", "stuck landing"])
def test_a_warp_covers_as_much_path_as_constant_speed(name: str) -> None:
    warp = make_warp(name, 3.0, 4.0)
    fine = path_times(np.linspace(2.5, 5.0, 4001), (warp,))
    covered = np.abs(np.diff(fine)).sum()
    assert covered == pytest.approx(2.5, abs=0.02)
    assert (np.diff(fine).min() < -1e-6) == (name in {"hesitation", "wobble", "backs out"})
    assert fine[-1] == pytest.approx(4.0 + warp.advance_s)


def test_a_warp_is_continuous_at_both_ends() -> None:
    warps = (make_warp("hesitation", 1.0, 2.0), make_warp("stuck landing", 3.0, 4.0))
    times = np.linspace(0, 5, 5001)
    assert np.abs(np.diff(path_times(times, warps))).max() < 0.01


def test_the_body_stands_on_the_floor_and_limbs_keep_their_lengths() -> None:
    body = draw_proportions_of(3, 1)
    joints = choreograph(3, 1).joints(body)
    assert -0.03 < joints[:, :, 1].min() < 0.03
    knees, ankles = joints[:, JOINT["knee_left"]], joints[:, JOINT["ankle_left"]]
    lengths = np.linalg.norm(knees - ankles, axis=1)
    assert np.allclose(lengths, body.shin, atol=0.03)  # frames lie between samples of the path
    assert np.median(np.abs(lengths - body.shin)) < 1e-3


def test_a_standing_body_is_about_one_body_height_tall_and_a_mirrored_pose_mirrors() -> None:
    pose = make_pose(arm_left=((1, 0.3, 0), (1, 0, 0)), yaw=0.3, bend=0.3)
    joints = forward_kinematics(np.stack([pose, mirror(pose)]), Proportions(), 0.01)
    assert 0.85 < joints[0, :, 1].max() < 1.0
    left, right = joints[0, JOINT["hand_left"]], joints[1, JOINT["hand_right"]]
    pelvis = joints[:, JOINT["pelvis"]]
    assert np.allclose((left - pelvis[0]) * (-1, 1, 1), right - pelvis[1], atol=1e-9)


def test_interpolation_meets_its_keys_and_never_overshoots() -> None:
    times = np.array([0.0, 0.4, 1.0, 1.3])
    values = np.array([[0.0], [1.0], [1.0], [-1.0]])
    assert np.allclose(interpolate(times, values, times), values)
    fine = interpolate(times, values, np.linspace(-1, 2, 500))
    assert fine.min() >= -1 - 1e-9
    assert fine.max() <= 1 + 1e-9


def test_plans_are_values(plans: list[Choreography]) -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        plans[0].moments[0].start_s = 0.0  # type: ignore[misc]
