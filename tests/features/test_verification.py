import numpy as np
import pytest
from safetensors import safe_open
from safetensors.numpy import load_file, save_file

from toprock.backbones import build
from toprock.features import FeatureStore, PerformanceFeatures, Recipe, StreamFeatures, import_features, verify
from toprock.features.importing import import_recipe


@pytest.fixture
def store(tmp_path):
    (tmp_path / "in").mkdir()
    for name in "abc":
        np.save(tmp_path / f"in/{name}.npy", np.random.default_rng(0).normal(size=(5, 3)))
    made = FeatureStore(tmp_path / "store", create=True)
    import_features(tmp_path / "in", made, stream="static", name="rn50", rate_hz=1)
    return made


def change(store, ident, **arrays):
    path = store.path(ident)
    with safe_open(path, framework="numpy") as file:
        metadata = file.metadata()
    recipe = import_recipe("static", "rn50", 3, rate_hz=1).hash
    changed = {f"{recipe}.{name}": value for name, value in arrays.items()}
    metadata.pop("check")
    save_file(load_file(path) | changed, path, metadata=metadata)


def test_a_sound_store(store):
    found = verify(store)
    ((recipe, holding),) = found.holdings.items()
    assert recipe == import_recipe("static", "rn50", 3, rate_hz=1)
    assert (holding.performances, holding.segments, holding.dimension) == (3, 15, 3)
    assert (found.sound, found.damaged) == (3, {})


@pytest.mark.parametrize(
    ("arrays", "what"),
    [
        ({"features": np.full((5, 3), np.nan, np.float16)}, "are not all finite"),
        ({"features": np.ones((5, 4), np.float16)}, "have 4 numbers a segment, not 3"),
        ({"features": np.ones((4, 3), np.float16)}, "is damaged"),
        ({"times": np.zeros((5, 2))}, "have times that do not rise"),
        ({"times": np.stack([np.arange(5.0)[::-1], np.arange(5.0)[::-1] + 1], 1)}, "have times that do not rise"),
        ({"times": np.full((5, 2), np.nan)}, "have times that do not rise"),
    ],
)
def test_features_that_make_no_sense_are_named(store, arrays, what):
    change(store, "b", **arrays)
    found = verify(store)
    assert set(found.damaged) == {"b"}
    assert what in found.damaged["b"]
    assert str(store.path("b")) in found.damaged["b"]
    assert found.sound == 2


def test_one_odd_file_does_not_make_the_others_odd(tmp_path):
    store, recipe = FeatureStore(tmp_path / "store", create=True), Recipe.of(build("flow"))
    right = build("flow").spec.dimension
    for ident, dimension in (("a", 3), ("b", right), ("c", right)):
        stream = StreamFeatures(np.ones((2, dimension), np.float16), np.array([[0.0, 1], [1, 2]]))
        store.write(PerformanceFeatures(ident, {recipe: stream}))
    found = verify(store)
    assert set(found.damaged) == {"a"}
    assert f"have 3 numbers a segment, not {right}" in found.damaged["a"]


def test_files_that_are_cut_off_or_of_an_unknown_recipe_are_named(store):
    path = store.path("a")
    path.write_bytes(path.read_bytes()[:-3])
    assert set(verify(store).damaged) == {"a"}
    store.recipes.clear()
    found = verify(store)
    assert "that store.json does not name" in found.damaged["b"]
    assert found.sound == 0


def test_what_extraction_makes_is_sound(place):
    found = verify(FeatureStore(place / "features"))
    assert found.damaged == {}
    assert found.sound == place.count
