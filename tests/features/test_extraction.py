"""What a store holds depends on the video, the intervals and the recipe, and on nothing else."""

import contextlib
import os
import signal
from pathlib import Path

import numpy as np
import pytest

from toprock.backbones import build
from toprock.errors import EmptyVideo, RecipeMismatch
from toprock.features import FeatureStore, Recipe, extract, spool
from toprock.features.extraction import describe_video
from toprock.performance import Performance
from toprock.video import Limits


def film(folder, make_video, rate_hz):
    """12 s in which a patterned disc wanders."""
    rng = np.random.default_rng(0)
    ground, disc = rng.integers(0, 90, (96, 128, 3), np.uint8), rng.integers(120, 255, (24, 24, 3), np.uint8)

    def pictures():
        for i in range(int(12 * rate_hz)):
            angle = 2.1 * i / rate_hz
            y, x = int(36 + 30 * np.sin(angle)), int(52 + 45 * np.cos(1.3 * angle))
            image = ground.copy()
            image[y : y + 24, x : x + 24] = disc
            yield image

    return make_video(
        folder / "disc.mp4", pictures=pictures(), frames=int(12 * rate_hz), rate_hz=rate_hz, size=(128, 96)
    )


@pytest.fixture(scope="module", params=[10, 20, 30, 50, 59.94])
def video(request, make_video, tmp_path_factory):
    """At a rate below, at and above those that backbones ask for."""
    return film(tmp_path_factory.mktemp("video"), make_video, request.param)


@pytest.fixture(scope="module")
def one_video(make_video, tmp_path_factory):
    """For what has nothing to do with rates."""
    return film(tmp_path_factory.mktemp("one-video"), make_video, 30)


def described(video, backbones, *performances):
    return {p.id: p for p in describe_video(video, performances, [build(name) for name in backbones])}


def assert_same(one, other):
    for recipe, found in one.streams.items():
        np.testing.assert_array_equal(found.times, other.streams[recipe].times)
        np.testing.assert_array_equal(found.features, other.streams[recipe].features)


def test_a_stream_is_the_same_alone_and_beside_another(video):
    whole = Performance("whole", video)
    both = described(video, ["flow", "posture"], whole)["whole"]
    for name in ("flow", "posture"):
        alone = described(video, [name], whole)["whole"]
        assert len(alone.streams) == 1
        assert_same(alone, both)


def test_a_performance_is_the_same_alone_and_beside_others_of_its_file(video):
    one = Performance("one", video, ((5.03, 9.0),))
    alone = described(video, ["flow", "posture"], one)["one"]
    before, across = Performance("b", video, ((1.0, 5.03),)), Performance("c", video, ((2.01, 6.0), (8.0, 11.0)))
    for others in ([before], [across], [Performance("whole", video)]):
        assert_same(alone, described(video, ["flow", "posture"], one, *others)["one"])


def test_every_interval_needs_a_frame(video):
    with pytest.raises(EmptyVideo, match=r"no frame in 100-110;120-130 s \(it ends at 12\.\d s\)"):
        described(video, ["posture"], Performance("a", video, ((0.0, 1.0), (100.0, 110.0), (120.0, 130.0))))
    (late,) = described(video, ["posture"], Performance("a", video, ((11.0, 500.0),))).values()
    assert late.facts["duration_s"] == pytest.approx(1.0, abs=0.11)


def test_very_long_videos_keep_a_bounded_number_of_segments_over_all_their_length(video, monkeypatch):
    monkeypatch.setattr(spool, "MAX_SEGMENTS", 20)
    (found,) = described(video, ["posture"], Performance("a", video))["a"].streams.values()
    assert 10 <= len(found.times) <= 20
    assert found.times[0, 0] == 0.0
    assert found.times[-1, 1] > 11


def test_one_bad_neighbour_in_a_file_fails_alone(one_video, tmp_path):
    store = FeatureStore(tmp_path / "f", create=True)
    them = [Performance("good", one_video, ((1.0, 3.0),)), Performance("late", one_video, ((50.0, 60.0),))]
    done = extract(them, store, [build("posture")])
    assert (done.written, set(done.failed)) == (["good"], {"late"})
    assert set(store.failures()) == {"late"}
    done = extract([Performance("late", one_video, ((4.0, 5.0),)), them[0]], store, [build("posture")])
    assert (done.written, done.kept, store.failures()) == (["late"], ["good"], {})
    assert not (store.folder / "failures.json").exists()


def copies(video, folder, count):
    for i in range(count):
        (folder / f"v{i}.mp4").symlink_to(video)
    return [Performance(f"v{i}", folder / f"v{i}.mp4") for i in range(count)]


def test_limits_reach_the_workers_and_what_failed_is_tried_again(one_video, tmp_path):
    store, them = FeatureStore(tmp_path / "f", create=True), copies(one_video, tmp_path, 2)
    done = extract(them, store, [build("posture")], workers=2, limits=Limits(max_duration_s=5))
    assert set(done.failed) == {"v0", "v1"}
    assert all("the limit is 5 s" in why for why in done.failed.values())
    assert extract(them, store, [build("posture")], workers=2).written == ["v0", "v1"]


def test_a_lost_worker_takes_one_video_with_it(one_video, tmp_path):
    store, them = FeatureStore(tmp_path / "f", create=True), copies(one_video, tmp_path, 7)
    killed = []

    def kill_workers(progress):
        if progress.done and not killed:
            for folder in Path("/proc").glob("[0-9]*"):
                with contextlib.suppress(OSError):
                    parent = int((folder / "stat").read_text().rpartition(")")[2].split()[1])
                    if parent == os.getpid() and b"toprock.features._worker" in (folder / "cmdline").read_bytes():
                        os.kill(int(folder.name), signal.SIGKILL)
                        killed.append(folder.name)

    done = extract(them, store, [build("posture")], workers=2, on_progress=kill_workers)
    assert len(killed) == 2
    assert 1 <= len(done.failed) <= 2
    assert all("the process that read it was lost" in why for why in done.failed.values())
    assert len(done.written) == 7 - len(done.failed)
    assert extract(them, store, [build("posture")], workers=2).written == sorted(done.failed)


def test_a_recipe_that_cannot_be_replayed_says_why():
    made = Recipe.of(build("posture"))
    for other, what in (
        (Recipe("static", "posture", {**made.settings, "version": 99}), "version is 1, not 99"),
        (Recipe("static", "videomae", {}), "there is no backbone 'videomae'"),
        (Recipe("static", "posture", {"stride": 2}), "has no setting stride"),
    ):
        with pytest.raises(RecipeMismatch, match=what):
            other.build()
    assert Recipe.of(made.build()) == made


def test_features_of_a_video_that_is_replaced_while_it_is_read_are_not_those_of_its_successor(
    one_video, make_video, tmp_path
):
    video, store = tmp_path / "v.mp4", FeatureStore(tmp_path / "f", create=True)
    video.write_bytes(one_video.read_bytes())
    other = make_video(tmp_path / "other.mp4", frames=90)

    def replace(time_s):
        if other.exists():
            other.replace(video)

    (found,) = describe_video(video, [Performance("a", video)], [build("posture")], on_time=replace)
    store.write(found)
    result = extract([Performance("a", video)], store, [build("posture")])
    assert result.written == ["a"]
    assert store.read("a").facts["duration_s"] == pytest.approx(3, abs=0.1)
