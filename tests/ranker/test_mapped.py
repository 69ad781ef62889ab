"""Features that are read as they are learnt from: what a file holds, and nothing of a file that has changed."""

import contextlib
import os
import resource
from pathlib import Path

import numpy as np
import pytest
import torch

from toprock.comparisons import Pair
from toprock.errors import ComputeError, FeaturesError
from toprock.features import FeatureStore, PerformanceFeatures, Recipe
from toprock.features.store import StreamFeatures
from toprock.ranker import Plan, TrainingConfig, drawing, train_from_store
from toprock.ranker.batch import segments_in
from toprock.ranker.drawing import Draw, Pool, draw
from toprock.ranker.mapped import map_features
from toprock.ranker.model import Ranker, RankerConfig

RECIPES = {"dynamic": Recipe("dynamic", "made-up", {}), "static": Recipe("static", "made-up", {})}
DIMENSIONS = {"dynamic": 5, "static": 6}


@pytest.fixture
def store(toy, tmp_path):
    """Twenty performances, of which the second has no dynamic stream."""
    store = FeatureStore(tmp_path / "features", create=True)
    for number, (ident, arrays) in enumerate(zip(toy.ids[:20], toy.data, strict=False)):
        streams = {}
        for stream, x in arrays.items():
            times = np.stack([np.arange(len(x)), np.arange(len(x)) + 1.0], 1)
            if (number, stream) != (1, "dynamic"):
                streams[RECIPES[stream]] = StreamFeatures(x, times)
        store.write(PerformanceFeatures(ident, streams, {"duration_s": 10.0 + number}))
    return store


def test_what_is_mapped_is_what_is_stored(store, toy):
    seen = []
    data = map_features(store, toy.ids[:20], RECIPES, lambda found: seen.append(found.id))
    assert seen == toy.ids[:20]
    assert list(data[1]) == ["static"]
    assert (segments_in(data[1], "dynamic"), segments_in(data[0], "dynamic")) == (0, len(toy.data[0]["dynamic"]))
    for mapped, plain in zip(data, toy.data, strict=False):
        for stream, x in mapped.items():
            np.testing.assert_array_equal(x, plain[stream])
            assert x.dtype == np.float16
            assert not x.flags.writeable
            assert x.base is not None  # a view, not a copy


def test_features_at_an_address_are_learnt_from_as_those_on_a_disk(store, toy):
    there = FeatureStore("memory://mapped/features", create=True)
    for ident in toy.ids[:20]:
        there.write(store.read(ident))
    for here, fetched in zip(
        map_features(store, toy.ids[:20], RECIPES), map_features(there, toy.ids[:20], RECIPES), strict=True
    ):
        assert list(here) == list(fetched)
        for stream, x in here.items():
            np.testing.assert_array_equal(x, fetched[stream])


def test_maps_and_files_are_let_go_of(store, toy):
    data = map_features(store, toy.ids[:20], RECIPES)
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (len(list(Path("/proc/self/fd").iterdir())) + 8, hard))
    try:
        assert sum(float(x.astype(float).sum()) for _ in range(5) for p in data for x in p.values())
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert str(store.folder) not in Path("/proc/self/maps").read_text()


def rewritten(path):
    path.write_bytes(path.read_bytes())


def replaced(path):
    other = path.with_name("other")
    other.write_bytes(path.read_bytes())
    os.utime(other, ns=(path.stat().st_atime_ns, path.stat().st_mtime_ns))
    other.replace(path)


def cut(path):
    os.truncate(path, 100)


@pytest.mark.parametrize("change", [rewritten, replaced, cut, os.remove])
def test_a_file_that_changes_is_told_and_never_read(store, toy, change):
    data = map_features(store, toy.ids[:20], RECIPES)
    change(store.path("v03"))
    with pytest.raises(FeaturesError, match=r"v03\.safetensors: was changed or removed while it was being learnt from"):
        data[3]["static"]
    assert len(data[4]["static"])


def test_too_few_open_files_are_no_change_of_a_file(store, toy):
    data, held = map_features(store, toy.ids[:3], RECIPES), []
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (len(list(Path("/proc/self/fd").iterdir())) + 8, limits[1]))
    try:
        with contextlib.suppress(OSError):
            while True:
                held.append(os.open(os.devnull, os.O_RDONLY))
        with pytest.raises(ComputeError, match="this machine gives no more"):
            data[2]["static"]
    finally:
        for handle in held:
            os.close(handle)
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)
    assert len(data[2]["static"])


def test_a_training_ends_when_a_file_changes_under_it(store, toy, monkeypatch):
    monkeypatch.setattr(drawing, "IN_MEMORY", 0)
    pairs = [Pair(a, b) for a, b in zip(toy.ids[:19], toy.ids[1:20], strict=True)]

    def advance(at):
        if at.done == 3:
            rewritten(store.path("v03"))

    with pytest.raises(FeaturesError, match="v03"):
        train_from_store(store, pairs, plan=Plan(steps=20, members=1), on_advance=advance)


def test_a_damaged_file_is_found_before_anything_is_learnt(store, toy):
    path = store.path("v07")
    data = bytearray(path.read_bytes())
    data[-5] ^= 1
    path.write_bytes(data)
    told = []
    pairs = [Pair(a, b) for a, b in zip(toy.ids[:19], toy.ids[1:20], strict=True)]
    with pytest.raises(FeaturesError, match="v07"):
        train_from_store(store, pairs, plan=Plan(steps=2), on_advance=told.append, on_read=lambda *at: told.append(at))
    assert told == [(n, 20) for n in range(1, 8)]


def test_segments_read_as_they_are_drawn_are_those_of_padded_ones(store, toy, monkeypatch):
    data, how = map_features(store, toy.ids[:20], RECIPES), Draw(segments=8, dropout=0.3, noise=0.1)
    ranker, rows = Ranker(RankerConfig(dimensions=DIMENSIONS, width=8)), torch.tensor([0, 1, 5, 19])
    found = []
    for memory in (1 << 30, 0):
        monkeypatch.setattr(drawing, "IN_MEMORY", memory)
        torch.manual_seed(0)
        found.append(draw(Pool(data, DIMENSIONS), ranker, how, rows=rows))
    padded, read = found
    for stream in DIMENSIONS:
        for kind in ("features", "masks", "places"):
            assert torch.equal(getattr(padded.batch, kind)[stream], getattr(read.batch, kind)[stream])
        assert padded.batch.features[stream].abs().sum() > 1


def test_a_model_is_the_same_however_much_fits_in_memory(store, toy, monkeypatch):
    pairs = [Pair(a, b) for a, b in zip(toy.ids[:19], toy.ids[1:20], strict=True)]
    plan = Plan(model={"width": 8, "hidden": 8}, training=TrainingConfig(steps=6, batch=8), members=1)
    models = []
    for memory in (1 << 30, 0):
        monkeypatch.setattr(drawing, "IN_MEMORY", memory)
        models.append(train_from_store(store, pairs, plan=plan).config.model_dump())
    assert models[0] == models[1]
