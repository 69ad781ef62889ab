"""MoveNet, the tracker on pictures, and the two backbones; all of it with the real weights."""

import csv
import importlib.util
import os
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import cv2
import numpy as np
import pytest
from backbone_figures import describe, texture

from toprock.backbones.base import FollowingBackbone, Frame
from toprock.backbones.pose import SPECS
from toprock.backbones.pose.movenet import POINTS, WEIGHTS_FILE, MoveNet, find_movenet, movenet_hash
from toprock.backbones.pose.pose import Pose
from toprock.backbones.pose.pose_motion import PoseMotion
from toprock.backbones.pose.tracking import PerformerTracker
from toprock.errors import RecipeMismatch, UsageError, WeightsError

SIDE = 240  # pixels of the shorter side of composed pictures


@pytest.fixture(scope="session")
def folder(shared):
    """The folder with the weights; tests that need it are skipped without, and fail on CI."""
    found = shared / "weights" / "movenet"
    missing = None if (found / WEIGHTS_FILE).is_file() else f"{found} holds no weights of MoveNet"
    if importlib.util.find_spec("ai_edge_litert") is None:
        missing = "LiteRT is not installed: pip install 'toprock[pose]'"
    if missing and os.environ.get("CI") == "true":
        pytest.fail(missing)
    if missing:
        pytest.skip(missing)
    return found


@pytest.fixture(scope="session")
def net(folder):
    return MoveNet(find_movenet(folder))


@pytest.fixture(scope="session")
def squat(folder):
    """The published example, (610, 500, 3)."""
    return cv2.cvtColor(cv2.imread(str(folder / "squat.bmp")), cv2.COLOR_BGR2RGB)


@pytest.fixture(scope="session")
def person(squat):
    """The example's person, as high as composed pictures, (SIDE, ..., 3)."""
    return cv2.resize(squat, (round(500 / 610 * SIDE), SIDE), interpolation=cv2.INTER_AREA)


@pytest.fixture
def nowhere(tmp_path, monkeypatch):
    """No weights anywhere."""
    monkeypatch.setenv("TOPROCK_WEIGHTS", "")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


def scene(persons, *, width=3 * SIDE, shade=150):
    """(SIDE, width, 3) of pictures pasted with their left edges at pixels: [(picture, left)]."""
    whole = np.full((SIDE, width, 3), shade, np.uint8)
    for picture, left in persons:
        whole[SIDE - len(picture) :, left : left + picture.shape[1]] = picture
    return whole


def middle(points):
    """x of the hips' middle, in fractions."""
    return float(points[11:13, 0].mean())


def test_the_published_example_has_the_published_points(net, squat, folder):
    with (folder / f"{WEIGHTS_FILE.removesuffix('.tflite')}_reference.csv").open() as file:
        published = [[float(row["keypoint_x"]), float(row["keypoint_y"])] for row in csv.DictReader(file)]
    found = net.points(squat)
    assert found.shape == (len(POINTS), 3)
    assert found.dtype == np.float32
    assert np.abs(found[:, :2] - published).max() <= 0.030
    assert found[:, 2].mean() > 0.6


@pytest.mark.parametrize("box", [(0.05, 0.1, 0.85, 1.0), (-0.2, -0.1, 1.2, 1.3), (0.0, 0.1, 0.9, 1.4)])
def test_points_in_a_box_are_in_fractions_of_the_whole_picture(net, squat, box):
    apart = np.abs(net.points(squat, box)[:, :2] - net.points(squat)[:, :2])
    assert np.median(apart) < 0.015
    assert apart.max() < 0.08


def test_proportions_are_kept_in_a_wide_picture(net, person):
    alone = net.points(person)
    wide = net.points(scene([(person, 200)]), (200 / 720, 0.0, (200 + person.shape[1]) / 720, 1.0))
    assert (wide[:, 0] * 720 - 200) / person.shape[1] == pytest.approx(alone[:, 0], abs=1e-3)
    assert wide[:, 1:] == pytest.approx(alone[:, 1:], abs=1e-3)


def test_a_box_outside_the_picture_is_refused(net, squat):
    with pytest.raises(UsageError, match=r"no pixel of a picture of 500 x 610 lies in the box \(1.5"):
        net.points(squat, (1.5, 0.0, 2.0, 1.0))


def test_nets_in_several_threads_agree_to_the_last_bit(folder, squat):
    def look(_):
        own = MoveNet(find_movenet(folder))
        return np.stack([own.points(squat) for _ in range(4)])

    with ThreadPoolExecutor(3) as pool:
        found = np.concatenate(list(pool.map(look, range(3))))
    assert (found == found[0]).all()


def test_places_without_people_have_low_scores(net):
    for picture in (texture(3), np.zeros((64, 64, 3), np.uint8), np.full((90, 160, 3), 255, np.uint8)):
        assert net.points(picture)[:, 2].mean() < 0.2


@pytest.mark.parametrize("damage", ["empty", "short", "long garbage", "one byte", "another net"])
def test_damaged_weights_are_named(folder, tmp_path, damage):
    content = (folder / WEIGHTS_FILE).read_bytes()
    one_byte = bytearray(content)
    one_byte[1_000_000] ^= 1
    shape = np.array([1, 192, 192, 3], np.int32).tobytes()
    other_shape = np.array([1, 96, 96, 3], np.int32).tobytes()
    path = tmp_path / "damaged.tflite"
    path.write_bytes(
        {
            "empty": b"",
            "short": content[:-3000],
            "long garbage": np.random.default_rng(0).bytes(4_000_000),
            "one byte": bytes(one_byte),
            "another net": content.replace(shape, other_shape) + b"\0",
        }[damage]
    )
    with pytest.raises(WeightsError, match=r"damaged.tflite: .*toprock backbones --download pose"):
        MoveNet(path)


def test_weights_that_crash_litert_do_not_crash_toprock(folder, tmp_path, monkeypatch):
    path = tmp_path / "crashing.tflite"
    path.write_bytes((folder / WEIGHTS_FILE).read_bytes() + b"\0")
    monkeypatch.setattr("toprock.backbones.pose.movenet._TRIAL", "import os; os.abort()")
    with pytest.raises(WeightsError, match=r"crashing.tflite: is damaged: LiteRT crashes on it"):
        MoveNet(path)


def test_other_weights_of_the_same_kind_work(folder, tmp_path, squat, net):
    path = tmp_path / "other.tflite"
    path.write_bytes((folder / WEIGHTS_FILE).read_bytes() + b"\0")
    assert movenet_hash(path) != movenet_hash(folder / WEIGHTS_FILE)
    assert np.array_equal(MoveNet(path).points(squat), net.points(squat))


def test_another_net_is_named_with_its_shapes(folder, monkeypatch):
    monkeypatch.setattr("toprock.backbones.pose.movenet._SIDE", 256)
    with pytest.raises(WeightsError, match=rf"{WEIGHTS_FILE}: is another net than .*192, 192, 3"):
        MoveNet(folder / WEIGHTS_FILE)


def test_weights_that_are_nowhere(nowhere, tmp_path):
    with pytest.raises(WeightsError, match=r"not on this machine.*--download pose.*TOPROCK_WEIGHTS.*pose:at=FOLDER"):
        find_movenet()
    with pytest.raises(WeightsError, match="nor at"):
        find_movenet(tmp_path / "gone")


def test_weights_are_found_where_they_may_be(nowhere, folder, tmp_path, monkeypatch):
    assert find_movenet(folder) == find_movenet(folder / WEIGHTS_FILE) == folder / WEIGHTS_FILE
    monkeypatch.setenv("TOPROCK_WEIGHTS", os.pathsep.join([str(tmp_path / "none"), str(folder.parent)]))
    assert find_movenet() == folder / WEIGHTS_FILE
    assert find_movenet(tmp_path / "gone") == folder / WEIGHTS_FILE
    monkeypatch.setenv("TOPROCK_WEIGHTS", "")
    (tmp_path / "cache/toprock/weights").mkdir(parents=True)
    copied = shutil.copy(folder / WEIGHTS_FILE, tmp_path / "cache/toprock/weights")
    assert str(find_movenet()) == str(copied)


def test_without_litert_the_extra_is_named(folder, monkeypatch):
    monkeypatch.setitem(sys.modules, "ai_edge_litert", None)
    for make in (lambda: Pose(at=folder), lambda: MoveNet(folder / WEIGHTS_FILE)):
        with pytest.raises(WeightsError, match=r"pip install 'toprock\[pose\]'"):
            make()


def test_building_is_light_and_the_net_is_silent(folder):
    code = (
        "import sys; from toprock.backbones.pose.pose import Pose; pose = Pose(at=sys.argv[1]); "
        "print('ai_edge_litert' in sys.modules); pose.describer(); print('ai_edge_litert' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code, str(folder)], capture_output=True, text=True, check=True)
    assert (done.stdout.split(), done.stderr) == (["False", "True"], "")


def test_a_walk_through_a_wide_picture_is_followed(net, person):
    tracker = PerformerTracker(net)
    small = cv2.resize(person, None, fx=0.75, fy=0.75, interpolation=cv2.INTER_AREA)
    for number, left in enumerate(range(0, 560, 28)):
        seen = tracker.push(Frame(number / 6, scene([(small, left)])), new_shot=number == 0)
        assert seen.found
        assert middle(seen.points) * 720 == pytest.approx(left + 0.36 * small.shape[1], abs=15)
        assert seen.box[0] < middle(seen.points) < seen.box[2]


def test_of_two_people_the_largest_and_most_central_is_taken_or_the_one_in_the_start_box(net, person):
    small = cv2.resize(person, None, fx=0.6, fy=0.6, interpolation=cv2.INTER_AREA)
    both = scene([(small, 40), (person, 300)])
    first = PerformerTracker(net).push(Frame(0.0, both), new_shot=True)
    assert 300 < middle(first.points) * 720 < 500
    tracker = PerformerTracker(net, start_box=(40 / 720, 0.4, (40 + small.shape[1]) / 720, 1.0))
    for number in range(6):
        seen = tracker.push(Frame(number / 6, both), new_shot=number == 0)
        assert 40 < middle(seen.points) * 720 < 40 + small.shape[1]
    side_by_side = scene([(person, 170), (person[:, ::-1], 170 + person.shape[1])])
    for left in (170, 170 + person.shape[1]):
        box = (left / 720, 0.0, (left + person.shape[1]) / 720, 1.0)
        tracker = PerformerTracker(net, start_box=box)
        for number in range(4):
            seen = tracker.push(Frame(number / 6, side_by_side), new_shot=number == 0)
            assert box[0] < middle(seen.points) < box[2]


def test_loss_and_return_and_cuts(net, person):
    left, right, empty = scene([(person, 40)]), scene([(person, 460)]), scene([])
    tracker = PerformerTracker(net)
    assert tracker.push(Frame(0.0, left), new_shot=True).found
    lost = tracker.push(Frame(0.2, empty), new_shot=False)
    assert (lost.points, lost.found) == (None, False)
    assert not tracker.push(Frame(0.4, right), new_shot=False).found  # too far for the same person
    assert tracker.push(Frame(0.6, left), new_shot=False).found
    cut = tracker.push(Frame(0.8, right), new_shot=True)
    assert middle(cut.points) * 720 > 460
    assert cut.box[0] > 0.5


@pytest.fixture(scope="session", params=[Pose, PoseMotion])
def kind(request):
    return request.param


def test_settings_make_an_equal_backbone_again(kind, folder, monkeypatch):
    backbone = kind(at=folder, short_side=96)
    assert backbone.settings["weights"] == movenet_hash(folder / WEIGHTS_FILE)
    assert backbone.weights_at == str(folder / WEIGHTS_FILE)
    assert "at" not in backbone.settings
    assert isinstance(backbone.settings["version"], int)
    again = kind(at=folder, **backbone.settings)
    assert (again, hash(again), again.reading) == (backbone, hash(backbone), backbone.reading)
    assert kind(at=folder) != backbone
    monkeypatch.setenv("TOPROCK_WEIGHTS", str(folder))
    assert eval(repr(backbone)) == backbone
    assert SPECS[kind.name] == kind.spec == backbone.spec
    assert kind.spec.size_mb == pytest.approx((folder / WEIGHTS_FILE).stat().st_size / 1e6, abs=0.05)


def test_other_weights_than_the_recipes_are_refused(kind, folder):
    with pytest.raises(RecipeMismatch, match=rf"{WEIGHTS_FILE}: .* asks for 0123456789abcdef.*{kind.name}:at=FOLDER"):
        kind(at=folder, weights="0123456789abcdef")


def test_wrong_settings_are_named(folder):
    with pytest.raises(UsageError, match=r"'pose' has no setting clip_s"):
        Pose(at=folder, clip_s=1.0)
    with pytest.raises(UsageError, match=r"every_s=2.*clip_s=0.8"):
        PoseMotion(at=folder, every_s=2)
    with pytest.raises(RecipeMismatch, match="version 99"):
        Pose(at=folder, version=99)
    for box in ((0.1, 0.2, 0.3), (0.5, 0.0, 0.4, 1.0), (0.0, 0.0, 1.2, 1.0)):
        with pytest.raises(UsageError, match="is no box in the picture"):
            Pose(at=folder).following(box)


def two_shots(person, rate_hz=10.0):
    """2.5 s in which the person is to the left, then to the right from the 15th picture on."""
    small = cv2.resize(person, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)
    return [
        Frame(k / rate_hz, scene([(small, 60 + 2 * k if k < 15 else 200)], width=340))
        for k in range(round(2.5 * rate_hz))
    ]


def test_segments_tile_the_time_and_cross_no_cut(kind, folder, person):
    segments = describe(kind(at=folder), two_shots(person), cuts=[15], end_s=2.55)
    covered = 0.0
    for segment in segments:
        assert segment.vector.shape == (kind.spec.dimension,)
        assert segment.vector.dtype == np.float32
        assert np.isfinite(segment.vector).all()
        assert segment.vector.any()
        assert segment.start_s <= covered + 1e-9
        assert segment.end_s > segment.start_s
        assert not segment.start_s + 1e-9 < 1.5 < segment.end_s - 1e-9
        covered = max(covered, segment.end_s)
    assert (segments[0].start_s, covered) == (0.0, pytest.approx(2.55))
    assert max(s.end_s - s.start_s for s in segments) <= 0.9 + 1e-9


def test_a_shot_of_one_picture_and_none_at_all(kind, folder, person):
    assert describe(kind(at=folder), []) == []
    segments = describe(kind(at=folder), two_shots(person)[:3], cuts=[1, 2], end_s=0.3)
    spans = [value for segment in segments for value in segment[:2]]
    assert spans == pytest.approx([0.0, 0.1, 0.1, 0.2, 0.2, 0.3])


def test_an_empty_place_is_said_to_be_one(kind, folder):
    for segment in describe(kind(at=folder), [Frame(k / 10, texture(3)) for k in range(10)]):
        assert not segment.vector.any()


def test_the_same_pictures_give_the_same_vectors(kind, folder, person):
    one, other = (describe(kind(at=folder), two_shots(person)[:10]) for _ in range(2))
    assert all(np.array_equal(a.vector, b.vector) for a, b in zip(one, other, strict=True))


def test_larger_pictures_give_nearly_the_same(folder, squat):
    large = cv2.resize(squat, None, fx=2, fy=2, interpolation=cv2.INTER_LINEAR)
    one, other = (describe(Pose(at=folder), [Frame(0.0, image)])[0].vector for image in (squat, large))
    assert np.abs(one - other).mean() < 0.03


def test_a_backbone_follows_the_one_in_the_start_box(folder, person):
    small = cv2.resize(person, None, fx=0.6, fy=0.6, interpolation=cv2.INTER_AREA)
    upside_down = np.ascontiguousarray(person[::-1])
    both = [Frame(k / 6, scene([(upside_down, 260), (small, 560)])) for k in range(3)]
    box = (560 / 720, 0.4, (560 + small.shape[1]) / 720, 1.0)
    usual = Pose(at=folder)
    following = usual.following(box)
    assert following == usual
    assert isinstance(usual, FollowingBackbone)
    alone = describe(usual, [Frame(0.0, scene([(small, 560)]))])[0].vector
    for segment in describe(following, both):
        assert np.abs(segment.vector - alone).mean() < 0.05
    assert np.abs(describe(usual, both)[0].vector - alone).mean() > 0.1


def test_memory_does_not_grow_with_length(folder):
    describer = PoseMotion(at=folder, rhythm_s=1.0).describer()
    for number in range(120):
        describer.push(Frame(number / 15, np.zeros((32, 32, 3), np.uint8)), new_shot=number == 0)
        assert len(describer._shot._moments) <= (0.8 + 0.4 + 1.0) * 15 + 2
