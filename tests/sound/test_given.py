"""Beats from a file, and what features make of them and of sound, through the commands."""

import json

import numpy as np
import pytest

from toprock import load
from toprock.backbones import build
from toprock.backbones.on_beat import DIMENSION
from toprock.errors import ManifestError
from toprock.features import FeatureStore, Recipe, extract
from toprock.features.extraction import describe_video
from toprock.performance import Performance
from toprock.sound import read_beats, with_beats

BEATS = tuple(np.arange(0.25, 6.0, 0.5).tolist())


@pytest.fixture(scope="module")
def films(make_video, clicks, tmp_path_factory):
    """A folder with loud.mp4 (clicks at BEATS) and mute.mp4: one disc that wanders."""
    folder = tmp_path_factory.mktemp("films")
    rng = np.random.default_rng(0)
    ground, disc = rng.integers(0, 90, (96, 128, 3), np.uint8), rng.integers(120, 255, (24, 24, 3), np.uint8)

    def pictures():
        for i in range(120):
            image = ground.copy()
            x = int(52 + 45 * np.sin(0.4 * i))
            image[36:60, x : x + 24] = disc
            yield image

    for name, sound in (("loud", clicks(BEATS, 6.0)), ("mute", None)):
        make_video(folder / f"{name}.mp4", pictures=pictures(), frames=120, rate_hz=20, size=(128, 96), sound=sound)
    return folder


def timing(store, ident):
    (array,) = (f for r, f in store.read(ident).streams.items() if r.backbone == "flow-beat")
    return array.features[:, -DIMENSION:]


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("[1, 2]", "names no performance"),
        ("{}", "names no performance"),
        ("{", "cannot be read"),
        ('{"a": [1, 1]}', "'a' are no rising"),
        ('{"a": [2, "3"]}', "'a' are no rising"),
        ('{"a": [true, 2]}', "'a' are no rising"),
        ('{"a": [1, Infinity]}', "'a' are no rising"),
        ('{"a": [NaN]}', "'a' are no rising"),
        ('{"a": [-1, 2]}', "'a' are no rising"),
        ('{"a": {"bpm": 120, "beats": [1]}}', "'a' are no rising"),
        ("[" * 100_000, "cannot be read"),
    ],
)
def test_malformed_beats(tmp_path, text, what):
    path = tmp_path / "beats.json"
    path.write_text(text)
    with pytest.raises(ManifestError, match=what):
        read_beats(path)


def test_beats_go_to_the_performances_that_they_name(tmp_path):
    path = tmp_path / "beats.json"
    path.write_text('{"a.mp4": [1, 2.5], "c": []}')
    a, b, c = with_beats([Performance(i, tmp_path / "v.mp4") for i in "abc"], read_beats(path))
    assert (a.beats, b.beats, c.beats) == ((1.0, 2.5), None, ())
    with pytest.raises(ManifestError, match="none of these"):
        with_beats([Performance("d", tmp_path / "v.mp4")], read_beats(path))


def test_given_beats_come_before_those_heard(films):
    backbones = [build("flow-beat")]
    video = films / "loud.mp4"

    def described(beats):
        (found,) = describe_video(video, [Performance("p", video, beats=beats)], backbones)
        return found.facts["beats"], next(iter(found.streams.values())).features[:, -1]

    heard, given, none = described(None), described((1.0, 1.5, 2.0)), described(())
    assert heard[0] == pytest.approx(len(BEATS), abs=1)
    assert given[0] == 3
    assert (none[0], none[1].any()) == (0, False)
    assert given[1][0] < 0.5 < heard[1].mean()


def test_only_what_hears_beats_depends_on_them(films, tmp_path):
    store = FeatureStore(tmp_path / "store", create=True)
    both = [build("flow-beat"), build("posture")]
    loud = Performance("loud", films / "loud.mp4")
    given = Performance("loud", films / "loud.mp4", beats=BEATS)

    def run(performance, backbones, workers=1):
        done = extract([performance], store, backbones, workers=workers)
        assert not done.failed
        return done.written

    assert run(given, both)
    assert run(given, both) == []
    assert run(loud, [build("posture")]) == run(given, [build("posture")]) == []  # posture hears nothing
    timed = timing(store, "loud")
    assert run(loud, [build("flow")])  # the features beside it stay
    np.testing.assert_array_equal(timing(store, "loud"), timed)
    assert run(given, both) == []
    assert run(Performance("loud", films / "loud.mp4", beats=BEATS[1:]), both)
    assert run(given, both)
    assert run(loud, both)  # heard, not given
    assert run(loud, both) == []
    assert len(store.read("loud").streams) == 3


def test_from_sound_to_score_by_command(toprock, films, tmp_path):
    toprock("extract", films, "--out", tmp_path / "store", "--beats", "sound", "--static", "none")
    store = FeatureStore(tmp_path / "store")
    assert store.recipes == [Recipe.of(build("flow-beat"))]
    assert timing(store, "loud")[:, -1].mean() > 0.6
    assert not timing(store, "mute").any()
    (tmp_path / "pairs.txt").write_text("loud mute\n")
    given = ("--features", store.folder, "--pairs", tmp_path / "pairs.txt")
    toprock("train", *given, "--out", tmp_path / "model", "--steps", 3)
    model = load(tmp_path / "model")
    for name in ("loud", "mute"):
        fresh = model.assess(films / f"{name}.mp4")
        assert fresh.score == pytest.approx(model.assess(store.read(name)).score, abs=1e-3)


def test_a_beats_file_by_command(toprock, films, tmp_path):
    beats = tmp_path / "beats.json"
    beats.write_text(json.dumps({"mute": BEATS}))
    out, say = ("--out", tmp_path / "store"), ("--static", "none")
    _, told = toprock("extract", films, *out, "--beats", beats, *say, "--workers", 2)
    assert "no beats of 1 performances" in told
    store = FeatureStore(tmp_path / "store")
    for ident in ("loud", "mute"):
        assert timing(store, ident)[:, -1].mean() > 0.6
    assert store.read("mute").source["beats"].keys() == {Recipe.of(build("flow-beat")).hash}
    _, told = toprock("extract", films, *out, "--beats", tmp_path / "none.json", status=1)
    assert "none.json: cannot be read" in told


def test_a_model_without_beats_takes_none(toprock, films, place, tmp_path):
    _, told = toprock(
        "extract", films, "--out", tmp_path / "s", "--beats", "sound", "--like", place / "model", status=2
    )
    assert "was trained without beats" in told
    _, told = toprock("extract", films, "--out", tmp_path / "s", "--beats", "sound", "--dynamic", "none", status=2)
    assert "no dynamic stream to add beats to" in told
    assert not (tmp_path / "s").exists()
