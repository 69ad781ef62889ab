"""The whole way through the house by its command line, on real (small, rendered) videos."""

import json
import shutil

import pytest
from safetensors.numpy import load_file, save_file

from toprock.backbones import build
from toprock.features import FeatureStore, extract
from toprock.performance import read_manifest


def test_a_second_extraction_does_nothing_and_says_so(toprock, place):
    _, told = toprock("extract", place / "in/manifest.csv", "--out", place / "features")
    assert f"already holds all {place.count} performances" in told


def test_a_score_is_its_evidence_and_the_same_from_video_and_features(toprock, place, tmp_path):
    report = tmp_path / "report.html"
    out, _ = toprock("score", place.video(1), "--model", place / "model", "--json", "--report", report)
    found = json.loads(out)
    assert found["score"] == pytest.approx(found["bias"] + sum(s["contribution"] for s in found["segments"]), abs=1e-4)
    for segment in found["segments"]:
        assert sum(segment["contributions"].values()) == pytest.approx(segment["contribution"], abs=1e-6)
    assert {s["stream"] for s in found["segments"]} == {"dynamic", "static"}
    assert found["id"] in report.read_text()
    out, _ = toprock("score", "battle-001", "--features", place / "features", "--model", place / "model", "--json")
    assert json.loads(out)["score"] == pytest.approx(found["score"], abs=1e-5)


def test_one_bad_video_never_stops_the_others(toprock, place, tmp_path):
    videos = tmp_path / "videos"
    videos.mkdir()
    (videos / "bad.mp4").write_bytes(b"not a video at all")
    shutil.copy(place.video(0), videos / "good.mp4")
    out, _ = toprock("score", videos / "bad.mp4", place.video(0), "--model", place / "model", "--json", status=1)
    failed, scored = json.loads(out)
    assert set(failed) == {"id", "error"}
    assert "bad.mp4" in failed["error"]
    assert "score" in scored
    _, told = toprock("extract", videos, "--out", tmp_path / "f", status=1)
    assert "1 performances written" in told
    assert FeatureStore(tmp_path / "f").ids() == ["good"]
    assert set(FeatureStore(tmp_path / "f").failures()) == {"bad"}


def test_unknown_ids_stop_and_can_be_skipped(toprock, place, tmp_path):
    pairs = tmp_path / "pairs.txt"
    pairs.write_text((place / "pairs.txt").read_text() + "battle-000 ghost\n")
    common = ("--features", place / "features", "--pairs", pairs)
    train = ("train", *common, "--steps", 2, "--out", tmp_path / "m")
    evaluate = ("evaluate", *common, "--model", place / "model")
    for command in (train, evaluate):
        _, told = toprock(*command, status=1)
        assert "ghost (never seen)" in told
        assert "--skip-missing" in told
        assert len(told.splitlines()) == 1
    assert not (tmp_path / "m").exists()
    for command in (train, evaluate):
        _, told = toprock(*command, "--skip-missing")
        assert "left out 1 performances and 1 pairs: ghost (never seen)" in told
    stored = json.loads((tmp_path / "m/config.json").read_text())["trained_on"]
    assert stored["left_out"] == {"ghost": "never seen"}
    assert stored["pairs_left_out"] == 1


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("battle-000 battle-000\n", "compares 'battle-000' with itself"),
        ("better,worse,outcome\nbattle-000,battle-001,tie\nbattle-002,battle-000,tie\n", "every pair is a tie"),
        ("ghost spook\n", "no pair is left: none of the performances has features"),
        ("", "holds no pair"),
    ],
)
def test_pairs_that_teach_nothing_leave_nothing_behind(toprock, place, tmp_path, text, what):
    pairs = tmp_path / "pairs.csv"
    pairs.write_text(text)
    common = ("--features", place / "features", "--pairs", pairs, "--skip-missing")
    _, told = toprock("train", *common, "--out", tmp_path / "m", status=1)
    assert what in told
    assert len(told.splitlines()) == 1
    assert not (tmp_path / "m").exists()


def test_a_failed_extraction_is_why_an_id_is_missing(toprock, place, tmp_path):
    videos = tmp_path / "videos"
    videos.mkdir()
    (videos / "bad.mp4").touch()
    for number in (0, 1):
        shutil.copy(place.video(number), videos)
    toprock("extract", videos, "--out", tmp_path / "f", status=1)
    (tmp_path / "pairs.txt").write_text("bad.mp4 battle-000\nbattle-001 battle-000\n")
    train = ("train", "--features", tmp_path / "f", "--pairs", tmp_path / "pairs.txt", "--out", tmp_path / "m")
    _, told = toprock(*train, status=1)
    assert "the file is empty" in told


@pytest.mark.parametrize("stream", ["dynamic", "static"])
def test_one_stream_is_enough(toprock, place, tmp_path, stream):
    """Trained on one of two streams, a video scores as its features do: a stream is the same alone and in company."""
    other = {"dynamic": "static", "static": "dynamic"}[stream]
    pairs = ("--features", place / "features", "--pairs", place / "pairs.txt")
    toprock("train", *pairs, "--out", tmp_path / "m", "--steps", 2, f"--{other}", "none")
    video = json.loads(toprock("score", place.video(0), "--model", tmp_path / "m", "--json")[0])
    assert {s["stream"] for s in video["segments"]} == set(video["recipes"]) == {stream}
    stored = ("score", "battle-000", "--features", place / "features", "--model", tmp_path / "m", "--json")
    assert json.loads(toprock(*stored)[0])["score"] == pytest.approx(video["score"], abs=1e-5)


def test_features_of_another_recipe_are_refused_with_the_difference(toprock, place, tmp_path):
    store = FeatureStore(tmp_path / "f", create=True)
    (one, *_) = read_manifest(place / "in/manifest.csv")
    score = ("score", one.id, "--features", tmp_path / "f", "--model", place / "model")
    extract([one], store, [build("posture", rate_hz=3.0)])
    _, told = toprock(*score, status=1)
    assert "another recipe" in told
    assert "rate_hz is 3.0, not 6.0" in told
    extract([one], store, [build("flow")])  # now one of the two streams fits
    _, told = toprock(*score, status=1)
    assert "rate_hz is 3.0, not 6.0" in told
    toprock("extract", place / "in/manifest.csv", "--out", tmp_path / "f", "--like", place / "model")
    out, _ = toprock(*score, "--json")  # the right one stands beside the other
    assert {s["stream"] for s in json.loads(out)["segments"]} == {"dynamic", "static"}


@pytest.mark.parametrize(
    ("change", "what"),
    [
        ({"settings": {"version": 99}}, "version is 1, not 99"),
        ({"backbone": "videomae"}, "cannot make the static features 'videomae'"),
        ({"settings": {"nonsense": 1}}, "has no setting nonsense"),
    ],
)
def test_a_model_of_another_recipe_says_what_it_needs(toprock, place, tmp_path, change, what):
    shutil.copytree(place / "model", tmp_path / "m")
    config = json.loads((tmp_path / "m/config.json").read_text())
    recipe = config["recipes"]["static"]
    recipe.update({k: recipe[k] | v if isinstance(v, dict) else v for k, v in change.items()})
    (tmp_path / "m/config.json").write_text(json.dumps(config))
    stored = ("--features", place / "features", "--model", tmp_path / "m")
    for command, said in (
        (("score", place.video(0), "--model", tmp_path / "m"), what),
        (("extract", place.video(0), "--out", tmp_path / "f", "--like", tmp_path / "m"), what),
        (("evaluate", *stored, "--pairs", place / "pairs.txt"), "made by another recipe than the model's"),
    ):
        _, told = toprock(*command, status=1)
        assert len(told.splitlines()) == 1
        assert said in told
    assert not (tmp_path / "f").exists()


def test_a_damaged_model_is_named(toprock, place, tmp_path):
    _, told = toprock("score", place.video(0), "--model", tmp_path, status=1)
    assert "is no model folder" in told
    shutil.copytree(place / "model", tmp_path / "m")
    weights = tmp_path / "m/model.safetensors"
    tensors = load_file(weights)
    save_file({name.replace("refine", "encode.3"): value for name, value in tensors.items()}, weights)
    _, told = toprock("score", place.video(0), "--model", tmp_path / "m", status=1)
    assert told.endswith("its weights do not fit this version of toprock. Train it again.\n")
    weights.write_bytes(weights.read_bytes()[:1000])
    _, told = toprock("score", place.video(0), "--model", tmp_path / "m", status=1)
    assert "is damaged" in told


def test_a_model_never_overwrites_what_is_not_a_model(toprock, place, tmp_path):
    train = ("train", "--features", place / "features", "--pairs", place / "pairs.txt", "--steps", 1, "--out")
    (tmp_path / "README.md").write_text("mine")
    _, told = toprock(*train, tmp_path, status=1)
    assert "is a folder with other things in it" in told
    assert (tmp_path / "README.md").read_text() == "mine"
    (tmp_path / "run/checkpoint").mkdir(parents=True)
    (tmp_path / "run/checkpoint/epoch-9").write_text("mine")
    _, told = toprock(*train, tmp_path / "run", status=1)
    assert "is a folder with other things in it" in told
    assert (tmp_path / "run/checkpoint/epoch-9").read_text() == "mine"
    shutil.copytree(place / "model", tmp_path / "m")
    toprock(*train, tmp_path / "m")  # a model may be replaced
    assert json.loads((tmp_path / "m/config.json").read_text())["steps"] == 1


def test_performers_are_known_by_ids_with_and_without_ending(toprock, place, tmp_path):
    manifest = tmp_path / "people.csv"
    manifest.write_text("id,video,performer\n" + "".join(f"battle-{i:03}.mp4,x.mp4,ann\n" for i in range(3)))
    common = ("--features", place / "features", "--pairs", place / "pairs.txt", "--manifest", manifest)
    toprock("train", *common, "--out", tmp_path / "m", "--steps", 2)
    assert json.loads((tmp_path / "m/config.json").read_text())["trained_on"]["performers"] == 4
    out, told = toprock("evaluate", *common, "--model", place / "model", "--json")
    assert json.loads(out)["same_performer_pairs"] == 3
    assert told == ""
    manifest.write_text("id,video,performer\nsomething-else,x.mp4,ann\n")
    _, told = toprock("evaluate", *common, "--model", place / "model", "--json")
    assert "names the performer of no performance" in told


def test_contradictions_are_told_and_can_be_refused(toprock, place, tmp_path):
    pairs = tmp_path / "p.txt"
    pairs.write_text("battle-000 battle-001\nbattle-001 battle-000\nbattle-002 battle-000\n")
    train = ("train", "--features", place / "features", "--pairs", pairs, "--steps", 1, "--out", tmp_path / "m")
    _, told = toprock(*train, "--strict", status=1)
    assert "1 couple judged both ways (such as battle-000 and battle-001)" in told
    _, told = toprock(*train)
    assert "note: 1 couple judged both ways" in told
