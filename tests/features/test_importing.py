import json
import os
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from toprock.errors import FeaturesError, ManifestError, RecipeMismatch, UsageError
from toprock.features import FeatureStore, Recipe, StreamFeatures, import_features
from toprock.features.importing import find_arrays, import_recipe, read_spans, segment_times
from toprock.features.store import PerformanceFeatures

rng = np.random.default_rng(0)
I3D = {"stream": "dynamic", "name": "i3d"}


def arrays(folder, *names, dimension=6, segments=9, suffix="_rgb"):
    for name in names:
        path = folder / f"{name}{suffix}.npz"
        path.parent.mkdir(parents=True, exist_ok=True)
        np.savez(path, rng.normal(size=(segments, dimension)).astype(np.float32))
    return folder


@pytest.fixture
def store(tmp_path):
    return FeatureStore(tmp_path / "store", create=True)


def test_a_folder_becomes_performances(tmp_path, store):
    arrays(tmp_path / "in", "a", "Sonic/B1-S")
    arrays(tmp_path / "in", "a", suffix="_flow")
    (tmp_path / "in/readme.txt").write_text("no array")
    done = import_features(tmp_path / "in", store, **I3D, suffix="_rgb", spans={"a": (10.0, 28.0)})
    assert (done.written, done.kept, done.failed) == (["Sonic/B1-S", "a"], [], {})
    found = store.read("a")
    ((recipe, stream),) = found.streams.items()
    assert recipe == import_recipe("dynamic", "i3d", 6)
    source = np.load(tmp_path / "in/a_rgb.npz")["arr_0"]
    np.testing.assert_array_equal(stream.features, source.astype(np.float16))
    np.testing.assert_allclose(stream.times, np.stack([np.arange(10, 28, 2), np.arange(12, 30, 2)], 1))
    assert found.facts == {"duration_s": 18.0}
    assert store.read("Sonic/B1-S").facts == {"duration_s": None}
    assert store.read("Sonic/B1-S").streams[recipe].times[-1].tolist() == [8.0, 9.0]


def test_what_is_there_is_kept_and_what_changed_is_not(tmp_path, store):
    arrays(tmp_path / "in", "a", "b")
    options = I3D | {"suffix": "_rgb"}
    import_features(tmp_path / "in", store, **options)
    assert import_features(tmp_path / "in", store, **options).kept == ["a", "b"]
    arrays(tmp_path / "in", "b")
    done = import_features(tmp_path / "in", store, **options)
    assert (done.written, done.kept) == (["b"], ["a"])
    new = np.load(tmp_path / "in/b_rgb.npz")["arr_0"]
    np.testing.assert_array_equal(next(iter(store.read("b").streams.values())).features, new.astype(np.float16))
    done = import_features(tmp_path / "in", store, **options, duration_s=5.0)
    assert done.written == ["a", "b"]
    assert store.read("a").facts == {"duration_s": 5.0}


def test_streams_of_two_imports_join(tmp_path, store):
    arrays(tmp_path / "i3d", "a", "b", suffix="")
    arrays(tmp_path / "rn50", "a", "b", suffix="", dimension=4, segments=20)
    import_features(tmp_path / "i3d", store, **I3D, duration_s=40.0)
    import_features(tmp_path / "rn50", store, stream="static", name="rn50", rate_hz=0.5)
    assert store.choose() == {
        "dynamic": import_recipe("dynamic", "i3d", 6),
        "static": import_recipe("static", "rn50", 4, rate_hz=0.5),
    }
    assert {r.stream for r in store.read("a").streams} == {"dynamic", "static"}
    assert store.read("a").streams[store.choose()["static"]].times[-1].tolist() == [38.0, 40.0]
    assert import_features(tmp_path / "i3d", store, **I3D, duration_s=40.0).kept == ["a", "b"]
    assert import_features(tmp_path / "rn50", store, stream="static", name="rn50", rate_hz=0.5).kept == ["a", "b"]


def test_imports_stay_beside_what_a_video_gave(tmp_path, store):
    flow = Recipe("dynamic", "flow", {"clip_s": 0.8})
    video = {"video": "a.mp4", "size": 1}
    seen = StreamFeatures(np.ones((3, 2), np.float16), segment_times(3))
    arrays(tmp_path / "in", "a", suffix="")
    static = {"stream": "static", "name": "clip"}
    clip = import_recipe("static", "clip", 6)
    store.write(PerformanceFeatures("a", {flow: seen}, {"duration_s": 3.0, "cuts": 1}, video))
    import_features(tmp_path / "in", store, **static, duration_s=99.0)
    assert set(store.read("a").streams) == {flow, clip}
    assert store.read("a").facts == {"duration_s": 3.0, "cuts": 1}
    assert store.has("a", [flow], video)
    store.write(PerformanceFeatures("a", {flow: seen}, {"duration_s": 4.0}, video | {"size": 2}))
    assert set(store.read("a").streams) == {flow, clip}
    assert store.read("a").facts == {"duration_s": 4.0}
    assert not store.has("a", [flow], video)
    assert import_features(tmp_path / "in", store, **static, duration_s=99.0).kept == ["a"]


def test_one_bad_file_never_stops_the_others(tmp_path, store):
    folder = arrays(tmp_path / "in", "a", "z")
    arrays(folder, "wide", dimension=7)
    np.savez(folder / "nan_rgb.npz", np.full((9, 6), np.nan))
    (folder / "cut_rgb.npz").write_bytes((folder / "a_rgb.npz").read_bytes()[:99])
    np.save(folder / "z_rgb.npy", np.ones((9, 6)))
    done = import_features(folder, store, **I3D, suffix="_rgb")
    assert done.written == ["a"]
    assert store.failures() == done.failed
    assert set(done.failed) == {"wide", "nan", "cut", "z"}
    for ident, what in (
        ("wide", r"(9, 7), not (any, 6)"),
        ("nan", "54 of its 54"),
        ("cut", "cannot be read"),
        ("z", "the same id"),
    ):
        assert what in done.failed[ident]
        assert str(folder) in done.failed[ident]
    assert store.ids() == ["a"]
    np.savez(folder / "nan_rgb.npz", np.zeros((9, 6)))
    done = import_features(folder, store, **I3D, suffix="_rgb")
    assert (done.written, done.kept) == (["nan"], ["a"])
    assert set(store.failures()) == {"wide", "cut", "z"}


def test_another_array_of_the_same_file_is_imported_anew(tmp_path, store):
    (tmp_path / "in").mkdir()
    np.savez(tmp_path / "in/a.npz", rgb=np.zeros((9, 6)), flow=np.ones((9, 6)))
    assert import_features(tmp_path / "in", store, **I3D, key="rgb").written == ["a"]
    assert import_features(tmp_path / "in", store, **I3D, key="flow").written == ["a"]
    assert store.read("a").streams[store.choose()["dynamic"]].features.max() == 1
    assert import_features(tmp_path / "in", store, **I3D, key="flow").kept == ["a"]


def test_a_failure_is_forgotten_when_the_file_is_right_whatever_was_wrong(tmp_path, store, monkeypatch):
    folder = arrays(tmp_path / "in", "z", suffix="")
    np.save(folder / "z.npy", np.ones((9, 6)))
    store.note_failures({"video": "video.mp4: is damaged"})
    assert "the same id" in import_features(folder, store, **I3D).failed["z"]
    (folder / "z.npy").unlink()
    monkeypatch.chdir(tmp_path)  # another spelling of the path
    assert import_features(Path("in"), store, **I3D).written == ["z"]
    assert set(store.failures()) == {"video"}


def test_an_interrupted_import_goes_on(tmp_path, store):
    def interrupt(done, total, ident):
        if ident == "b":
            raise KeyboardInterrupt

    folder = arrays(tmp_path / "in", "a", "b", "c", suffix="")
    np.save(folder / "0.npy", np.ones(3))
    with pytest.raises(KeyboardInterrupt):
        import_features(folder, store, **I3D, on_progress=interrupt)
    assert set(store.failures()) == {"0"}
    done = import_features(folder, store, **I3D)
    assert (done.written, done.kept, set(done.failed)) == (["b", "c"], ["a"], {"0"})


def test_awkward_names_come_back(tmp_path, store):
    names = ["-rf", "a b", "v1.mp4", "ünï", os.fsdecode(b"raw-\xff")]
    arrays(tmp_path / "in", *names, ".hidden", suffix="")
    (tmp_path / "in/folder.npz").mkdir()
    import_features(tmp_path / "in", store, **I3D)
    assert store.ids() == sorted([*names[:-1], "raw-\\xff"])


def test_a_later_import_of_new_performances_is_of_the_same_recipe(tmp_path, store):
    arrays(tmp_path / "one", "a", segments=9)
    arrays(tmp_path / "two", "b", segments=4)
    other = FeatureStore(tmp_path / "other", create=True)
    import_features(tmp_path / "one", store, **I3D)
    import_features(tmp_path / "two", other, **I3D)
    assert store.recipes == other.recipes
    assert store.recipes[0].hash == other.recipes[0].hash


@pytest.mark.parametrize(
    ("more", "what"),
    [({"rate_hz": 2.0}, "time_rule is rate, not uniform|rate_hz"), ({"segments": 9}, r"shape is \[None, 6\]")],
)
def test_one_name_is_one_kind(tmp_path, store, more, what):
    arrays(tmp_path / "in", "a")
    import_features(tmp_path / "in", store, **I3D)
    with pytest.raises(FeaturesError, match=what) as caught:
        import_features(tmp_path / "in", store, **I3D, **more)
    assert "another --name" in caught.value.advice
    arrays(tmp_path / "thin", "b", dimension=5)
    done = import_features(tmp_path / "thin", store, **I3D)
    assert "(9, 5), not (any, 6)" in done.failed["b_rgb"]


def test_a_stated_number_of_segments_is_demanded(tmp_path, store):
    arrays(tmp_path / "in", "a", segments=400)
    arrays(tmp_path / "in", "b", segments=399)
    done = import_features(tmp_path / "in", store, **I3D, suffix="_rgb", segments=400)
    assert done.written == ["a"]
    assert "not (400, 6)" in done.failed["b"]


@pytest.mark.parametrize("name", ["flow", "posture", "none", " "])
def test_names_that_mean_something_else(tmp_path, store, name):
    arrays(tmp_path / "in", "a")
    with pytest.raises(UsageError, match="cannot be called"):
        import_features(tmp_path / "in", store, stream="static", name=name)


def test_nothing_to_import(tmp_path):
    with pytest.raises(FeaturesError, match="no such file"):
        find_arrays(tmp_path / "gone")
    arrays(tmp_path, "a")
    with pytest.raises(FeaturesError, match="named like <id>_flow"):
        find_arrays(tmp_path, suffix="_flow")
    assert find_arrays(tmp_path / "a_rgb.npz", suffix="_rgb") == {"a": [tmp_path / "a_rgb.npz"]}


def test_spans_of_a_manifest_and_of_a_published_table(tmp_path):
    path = tmp_path / "m.csv"
    path.write_text("id,video,intervals\na,a.mp4,12-45.5\nb,b.mp4,\n")
    assert read_spans(path) == {"a": (12.0, 45.5)}
    path.write_text("task,vid_id,start_seconds,end_seconds\norigami,x,2.5,9\n")
    assert read_spans(path) == {"x": (2.5, 9.0)}
    path.write_text("id,start_s,end_s\na,0,3\n")
    assert read_spans(path) == {"a": (0.0, 3.0)}
    for text in (
        "id,start_s,end_s\n",
        "id\na\n",
        "id,start_s,end_s\na,3,3\n",
        "id,start_s,end_s\na,x,3\n",
        "id,start_s,end_s\na,0,inf\n",
        "id,intervals\na,1-2;3-4\n",
        "id,start_s,end_s\na,0,3\na,0,4\n",
    ):
        path.write_text(text)
        with pytest.raises(ManifestError) as caught:
            read_spans(path)
        assert str(path) in str(caught.value)


@given(
    st.integers(1, 500),
    st.one_of(st.none(), st.tuples(st.floats(0, 1e5), st.floats(0.1, 1e5)).map(lambda x: (x[0], x[0] + x[1]))),
    st.one_of(st.none(), st.floats(0.01, 100)),
)
def test_times_rise_without_a_gap(count, span, rate_hz):
    times = segment_times(count, span=span, rate_hz=rate_hz)
    assert times.shape == (count, 2)
    assert (times[:, 0] < times[:, 1]).all()
    np.testing.assert_array_equal(times[1:, 0], times[:-1, 1])
    assert times[0, 0] == (span[0] if span else 0)
    if span and rate_hz is None:
        assert times[-1, 1] == pytest.approx(span[1])
    elif rate_hz is not None:
        assert times[-1, 1] - times[0, 0] == pytest.approx(count / rate_hz, rel=1e-3)


def test_a_video_cannot_be_turned_into_imported_features():
    recipe = Recipe.from_json(json.loads(json.dumps(import_recipe("dynamic", "i3d", 1024).to_json())))
    with pytest.raises(
        RecipeMismatch, match=r"dynamic features 'i3d' of shape \(any, 1024\).* were imported"
    ) as caught:
        recipe.build()
    assert "toprock features import" in caught.value.advice


@pytest.mark.parametrize("shape", [None, 4.5, [4], [None, "x"], {"a": 1}])
def test_a_recipe_of_an_import_without_a_shape_is_damaged(shape):
    value = {"stream": "dynamic", "backbone": "i3d", "settings": {"imported": True, "shape": shape}}
    with pytest.raises(FeaturesError, match="the recipe is damaged"):
        Recipe.from_json(value)
