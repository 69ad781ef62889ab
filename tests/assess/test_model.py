"""A model as the library gives it: files and features in, scores with their evidence out."""

import json
import shutil

import numpy as np
import pytest

import toprock as library
from toprock.assess.model import Failure
from toprock.errors import FeaturesError, ModelError, RecipeMismatch, UnreadableVideo
from toprock.features import FeatureStore, PerformanceFeatures, Recipe, StreamFeatures


@pytest.fixture(scope="module")
def model(place):
    return library.load(place / "model")


@pytest.fixture(scope="module")
def found(place):
    """Stored features of one performance."""
    return FeatureStore(place / "features").read("battle-000")


def with_streams(found, **streams):
    """The same performance with other features, by stream; None leaves a stream out."""
    kept = {r: f for r, f in found.streams.items() if r.stream not in streams}
    return PerformanceFeatures(found.id, kept | dict(filter(None, streams.values())), found.facts, found.source)


def of_stream(found, stream):
    return next((r, f) for r, f in found.streams.items() if r.stream == stream)


def test_video_and_features_give_one_score(model, place, found):
    video, stored = model.assess(place.video(0)), model.assess(found)
    assert (video.id, stored.id) == ("battle-000", "battle-000")
    assert video.score == pytest.approx(stored.score, abs=1e-5)
    assert video.score == pytest.approx(video.bias + sum(s.contribution for s in video.segments), abs=1e-9)
    assert model.assess(str(place.video(0))) == video


def test_files_of_one_name_are_told_apart(model, place, found, tmp_path):
    files = [tmp_path / "semi/anna.mp4", tmp_path / "final/anna.mp4"]
    for number, file in enumerate(files):
        file.parent.mkdir()
        shutil.copy(place.video(number), file)
    compared = model.compare(*files)
    assert (compared.a, compared.b) == ("semi/anna", "final/anna")
    assert compared.difference == pytest.approx(model.assess(files[0]).score - model.assess(files[1]).score)
    ranked = model.rank(map(str, files))
    assert {a.id for a in ranked} == {"semi/anna", "final/anna"}
    assert ranked[0].score >= ranked[1].score
    anna = library.Performance("anna", place.video(2))
    gone = tmp_path / "gone/anna.mp4"
    them = model.assess_all([files[0], anna, found, gone])
    assert [one.id for one in them] == ["semi/anna", "anna", "battle-000", "gone/anna"]
    assert isinstance(them[3], Failure)
    assert str(gone) in them[3].error
    assert model.assess(files[0]).id == "anna"


def test_what_cannot_be_assessed_is_raised(model, tmp_path):
    with pytest.raises(UnreadableVideo, match="a folder, not a video"):
        model.assess(tmp_path)
    with pytest.raises(UnreadableVideo, match="no such file"):
        model.rank([tmp_path / "gone.mp4"])
    with pytest.raises(ModelError, match="is no model folder"):
        library.load(tmp_path)


@pytest.mark.parametrize("stream", ["dynamic", "static"])
def test_one_stream_of_another_recipe_is_refused_and_named(model, found, stream):
    recipe, features = of_stream(found, stream)
    other = Recipe(stream, recipe.backbone, recipe.settings | {"rate_hz": 3.0})
    mismatched = with_streams(found, **{stream: (other, features)})
    with pytest.raises(RecipeMismatch, match=r"rate_hz is 3\.0, not") as caught:
        model.assess(mismatched)
    assert "--like MODEL" in caught.value.advice
    both = PerformanceFeatures(found.id, {**found.streams, other: features}, found.facts, found.source)
    assert model.assess(both).score == model.assess(found).score


@pytest.mark.parametrize("stream", ["dynamic", "static"])
def test_a_stream_that_is_absent_is_done_without(model, found, stream):
    alone = model.assess(with_streams(found, **{stream: None}))
    whole = model.assess(found)
    rest = [s.contribution for s in whole.segments if s.stream != stream]
    assert {s.stream for s in alone.segments} == {"dynamic", "static"} - {stream}
    assert alone.score == pytest.approx(whole.bias + sum(rest), abs=1e-5)
    with pytest.raises(RecipeMismatch, match="none of the model's streams"):
        model.assess(PerformanceFeatures("x", {}))


@pytest.mark.parametrize(
    ("change", "what"),
    [
        (lambda config: config | {"format": 99}, "newer version of toprock"),
        (lambda config: config | {"bias": float("nan")}, "NaN is no number"),
        (lambda config: config | {"members": 3}, "holds 5 rankers, not 3"),
        (lambda config: config | {"members": 7}, "holds 5 rankers, not 7"),
        (lambda config: config | {"ranker": config["ranker"] | {"hidden": 8}}, "do not fit this version"),
        (lambda config: config | {"recipes": {}}, "is damaged"),
        (lambda config: config | {"more": 1}, "is damaged"),
        (lambda config: {k: v for k, v in config.items() if k != "ranker"}, "is damaged"),
        (lambda config: [], "is damaged"),
        (lambda config: config | {"ranker": config["ranker"] | {"heads": 5}}, "5 heads do not divide a width"),
    ],
)
def test_a_model_folder_that_is_not_what_it_was(place, found, tmp_path, change, what):
    folder = shutil.copytree(place / "model", tmp_path / "m")
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(change(config)))
    with pytest.raises(ModelError, match=what) as caught:
        library.load(folder).assess(found)
    assert caught.value.advice


def test_one_that_holds_no_segment_is_too_short(model, found):
    empty = {}
    for recipe, features in found.streams.items():
        empty[recipe] = StreamFeatures(features.features[:0], np.zeros((0, 2)))
    with pytest.raises(FeaturesError, match="'battle-000' is too short to be judged"):
        model.assess(PerformanceFeatures(found.id, empty))
    dynamic, static = of_stream(found, "dynamic"), of_stream(found, "static")
    short = PerformanceFeatures(found.id, {dynamic[0]: empty[dynamic[0]], static[0]: static[1]})
    assert {s.stream for s in model.assess(short).segments} == {"static"}
