"""Everything that the product reads besides videos, each with a whole file to damage."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from toprock.comparisons import Pair, read_pairs
from toprock.comparisons.marks import read_marks
from toprock.comparisons.pairs import read_all_pairs
from toprock.evaluate.moments import read_moments
from toprock.evaluate.segment_types import read_segments
from toprock.features.arrays import read_array
from toprock.features.recipe import Recipe
from toprock.features.store import FeatureStore, PerformanceFeatures, StreamFeatures
from toprock.library import Library
from toprock.library.label_studio import pairs_of_tasks
from toprock.performance import read_manifest
from toprock.ranker import SavedModel, train_from_store
from toprock.ranker.from_store import Plan
from toprock.ranker.training import TrainingConfig
from toprock.settings import section
from toprock.sound.given import read_beats
from toprock.video import Limits

RECIPES = {
    "dynamic": Recipe("dynamic", "fuzzed", {"imported": True, "shape": [None, 4]}),
    "static": Recipe("static", "fuzzed", {"imported": True, "shape": [None, 3]}),
}
PAIRS = [Pair(f"p{b}", f"p{a}") for a in range(6) for b in range(a + 1, 6)]


@dataclass(frozen=True)
class Reader:
    """One kind of file.

    Attributes:
        make: writes a whole one, with what belongs to it, into a folder; gives the file that is to be damaged.
        read: reads it, given that file.
        form: csv, json, safetensors, toml or bytes: how damage can be aimed.
    """

    make: Callable[[Path], Path]
    read: Callable[[Path], Any]
    form: str


def _text(name: str, text: str) -> Callable[[Path], Path]:
    def make(folder: Path) -> Path:
        (folder / name).write_text(text)
        return folder / name

    return make


def _features(number: int) -> PerformanceFeatures:
    draw = np.random.default_rng(number)
    times = np.stack([np.arange(9.0), np.arange(9.0) + 1], axis=1)
    streams = {}
    for recipe in RECIPES.values():
        values = draw.normal(size=(9, recipe.settings["shape"][1])) + number
        streams[recipe] = StreamFeatures(values.astype(np.float16), times)
    facts = {"duration_s": 10.0, "cuts": 0.0, "mean_motion": 0.5}
    return PerformanceFeatures(f"p{number}", streams, facts, {"imported": {r.hash: "x.npz" for r in streams}})


def _store(folder: Path) -> FeatureStore:
    store = FeatureStore(folder / "features", create=True)
    for number in range(6):
        store.write(_features(number))
    store.note_failures({"p9": "v9.mp4: there is no such file"})
    return store


def _in_store(name: str) -> Callable[[Path], Path]:
    def make(folder: Path) -> Path:
        store = _store(folder)
        return store.path("p3") if name == "p3" else store.folder / name

    return make


def _store_of(path: Path) -> Path:
    return next(folder for folder in path.parents if folder.name == "features")


def _read_store(path: Path) -> object:
    store = FeatureStore(_store_of(path))
    recipes = list(store.choose().values())
    return [store.ids(), store.failures(), store.read("p3"), store.has("p3", recipes, store.read("p2").source)]


def plan(steps: int) -> Plan:
    """A small training."""
    return Plan(training=TrainingConfig(steps=steps), members=1)


def _model(name: str) -> Callable[[Path], Path]:
    def make(folder: Path) -> Path:
        store = _store(folder)
        train_from_store(store, PAIRS, plan=plan(2)).save(folder / "model")
        return folder / "model" / name

    return make


def _read_model(path: Path) -> object:
    from toprock.assess.model import Model

    model = Model(SavedModel.load(path.parent))
    return model.assess(_features(2)).to_json()


def _checkpoint(name: str) -> Callable[[Path], Path]:
    def make(folder: Path) -> Path:
        store, stop = _store(folder), folder / "checkpoint"

        def on_advance(advance: Any) -> None:
            if (stop / name).is_file():
                raise KeyboardInterrupt

        try:
            train_from_store(store, PAIRS, plan=plan(400), checkpoint=stop, on_advance=on_advance)
        except KeyboardInterrupt:
            return stop / name
        raise FileNotFoundError(name)

    return make


def _read_checkpoint(path: Path) -> object:
    class Enough(Exception):
        pass

    def on_advance(advance: Any) -> None:
        raise Enough

    store = FeatureStore(path.parent.parent / "features")
    try:
        return train_from_store(store, PAIRS, plan=plan(400), checkpoint=path.parent, on_advance=on_advance)
    except Enough:
        return True


def _archive(folder: Path) -> Path:
    np.savez(folder / "a.npz", arr_0=np.ones((5, 4), np.float32))
    return folder / "a.npz"


def _compressed(folder: Path) -> Path:
    np.savez_compressed(folder / "c.npz", arr_0=np.ones((50, 40), np.float32))
    return folder / "c.npz"


def _array(folder: Path) -> Path:
    np.save(folder / "a.npy", np.ones((5, 4), np.float16))
    return folder / "a.npy"


def _jigsaws(folder: Path) -> Path:
    with zipfile.ZipFile(folder / "Suturing.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        row = " ".join(f"{value:.3f}" for value in np.linspace(0, 1, 76))
        archive.writestr("Suturing/kinematics/AllGestures/Suturing_B001.txt", (row + "\n") * 120)
        archive.writestr("Suturing/meta_file_Suturing.txt", "Suturing_B001\tN\t13\t1\t2\t2\t3\t3\t2\n")
    return folder / "Suturing.zip"


def _read_jigsaws(path: Path) -> object:
    from toprock.datasets.jigsaws import read_trials

    return read_trials(path.parent)


def _tasks(folder: Path) -> Path:
    value = [
        {
            "id": 1,
            "data": {"left_id": "p0", "right_id": "p1", "left": "/data/upload/1/ab12-p0.mp4"},
            "annotations": [
                {
                    "completed_by": {"email": "ann@example.org"},
                    "lead_time": 12.5,
                    "created_at": "2026-01-02T03:04:05Z",
                    "result": [{"type": "pairwise", "value": {"selected": "left"}, "meta": {"extra": {"a": "b"}}}],
                }
            ],
        }
    ]
    (folder / "tasks.json").write_text(json.dumps(value))
    return folder / "tasks.json"


def _read_tasks(path: Path) -> object:
    library = Library(path.parent / "library")
    try:
        return pairs_of_tasks(path.read_bytes(), library)
    finally:
        library.close()


def _read_settings(path: Path) -> object:
    import os

    before = os.environ.get("TOPROCK_SETTINGS")
    os.environ["TOPROCK_SETTINGS"] = str(path)
    try:
        return section("limits", Limits)
    finally:
        os.environ.pop("TOPROCK_SETTINGS")
        if before is not None:
            os.environ["TOPROCK_SETTINGS"] = before


SLOW = ("model", "training", "JIGSAWS", "Label Studio")
"""How the names of those begin that take more than a few milliseconds."""
_MANIFEST = "id,video,intervals,performer,event,date\na,a.mp4,1-2.5;4-9,Ann,Jam,2026-01-02\nb,sub/b.mp4,,Bo,Jam,\n"
_PAIRS = "better,worse,outcome,annotator,criterion,weight\na,b,win,Ann,flow,1\nb,c,tie,Bo,flow,0.5\n"
READERS = {
    "manifest": Reader(_text("manifest.csv", _MANIFEST), read_manifest, "csv"),
    "pairs, plain": Reader(_text("pairs.txt", "a b\nb c\nc a\n"), read_pairs, "csv"),
    "pairs, CSV": Reader(_text("pairs.csv", _PAIRS), read_all_pairs, "csv"),
    "moments": Reader(_text("m.csv", "id,start_s,end_s,label\na,1,2.5,good\na,3,4,bad\n"), read_moments, "csv"),
    "segments": Reader(_text("s.csv", "id,start_s,end_s,type\na,1,2.5,toprock\nb,3,4,freeze\n"), read_segments, "csv"),
    "marks": Reader(_text("k.csv", "id,mark\na,8.5\nb,7\n"), lambda path: read_marks(path, ["a", "b"]), "csv"),
    "beats": Reader(_text("b.json", '{"a": [0.5, 1.0, 1.5], "b": []}'), read_beats, "json"),
    "settings": Reader(_text("s.toml", "[limits]\nmemory_mb = 2048\nstall_s = 9.5\n"), _read_settings, "bytes"),
    "array, npy": Reader(_array, read_array, "bytes"),
    "array, npz": Reader(_archive, read_array, "bytes"),
    "array, npz compressed": Reader(_compressed, read_array, "bytes"),
    "JIGSAWS archive": Reader(_jigsaws, _read_jigsaws, "bytes"),
    "Label Studio tasks": Reader(_tasks, _read_tasks, "json"),
    "features of one": Reader(_in_store("p3"), _read_store, "safetensors"),
    "feature store's head": Reader(_in_store("store.json"), _read_store, "json"),
    "failures": Reader(_in_store("failures.json"), _read_store, "json"),
    "model's configuration": Reader(_model("config.json"), _read_model, "json"),
    "model's weights": Reader(_model("model.safetensors"), _read_model, "safetensors"),
    "training's stage that runs": Reader(_checkpoint("fold2of5.safetensors"), _read_checkpoint, "safetensors"),
    "training's stage that is done": Reader(_checkpoint("fold1of5.done.json"), _read_checkpoint, "json"),
    "training's inputs": Reader(_checkpoint("inputs.json"), _read_checkpoint, "json"),
}
