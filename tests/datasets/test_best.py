import csv
import weakref

import numpy as np
import pytest

from toprock.datasets import best
from toprock.errors import ManifestError

PAIRS = {
    "apply_eyeliner": (2115, 235),
    "braid_hair": (2179, 234),
    "origami": (1793, 212),
    "scrambled_eggs": (1134, 154),
    "tie_tie": (2176, 233),
}


@pytest.fixture(scope="module")
def official(shared):
    return shared / "data/best"


@pytest.mark.parametrize("layout", ["{ident}", "features/{task}/{ident}"])
def test_every_official_name_is_found(official, tmp_path, save_array, videos_of, layout):
    for task in PAIRS:
        for ident in videos_of(official / "splits" / task):
            save_array(tmp_path / (layout.format(task=task, ident=ident) + "_rgb.npz"))
    with (official / "BEST.csv").open() as file:
        spans = {
            row["vid_id"]: (float(row["start_seconds"]), float(row["end_seconds"])) for row in csv.DictReader(file)
        }
    names = []
    for task in best.read(tmp_path, official / "splits"):
        names.append(task.name)
        (fold,) = task.folds
        assert (len(fold.train), len(fold.test)) == PAIRS[task.name.removeprefix("best/")]
        assert len(task.features) == 100
        assert (task.missing, task.pairs_left_out, task.performers) == ({}, 0, {})
        for ident, found in task.features.items():
            start_s, end_s = spans[ident]
            assert found.facts == {"duration_s": pytest.approx(end_s - start_s)}
            (stream,) = found.streams.values()
            assert stream.times[0, 0] == pytest.approx(start_s)
            assert stream.times[-1, 1] == pytest.approx(end_s)
            np.testing.assert_allclose(np.diff(stream.times), (end_s - start_s) / 6)
    assert names == [f"best/{name}" for name in PAIRS]


@pytest.fixture
def small(tmp_path, save_array):
    for task in ("origami", "tie_tie"):
        folder = tmp_path / f"pairs/splits/{task}"
        folder.mkdir(parents=True)
        for side in ("train", "test"):
            (folder / f"{side}.txt").write_text(f"{task}-{side}-a {task}-{side}-b\n")
            for name in "ab":
                save_array(tmp_path / f"data/{task}-{side}-{name}_rgb.npz", (400, 16))
    return tmp_path


def test_no_task_is_held_beside_the_next(small):
    tasks = best.read(small / "data", small / "pairs")
    first = next(tasks)
    assert next(iter(first.features.values())).facts == {"duration_s": None}
    held = weakref.ref(first)
    del first
    assert held() is None
    assert next(tasks).name == "best/tie_tie"


def test_a_table_beside_the_splits_gives_the_times(small):
    table = small / "pairs/BEST.csv"
    table.write_text("task,vid_id,start_seconds,end_seconds\norigami,origami-train-a,5,45\n")
    first = next(best.read(small / "data", small / "pairs"))
    facts = {ident: found.facts["duration_s"] for ident, found in first.features.items()}
    assert facts.pop("origami-train-a") == 40.0
    assert set(facts.values()) == {None}
    table.write_text("task,vid_id,start_seconds,end_seconds\norigami,origami-train-a,45,5\n")
    with pytest.raises(ManifestError, match=r"BEST\.csv, line 2"):
        best.read(small / "data", small / "pairs")
