import numpy as np
import pytest

from toprock.datasets import epic_skills
from toprock.errors import FeaturesError, PairsError
from toprock.features.importing import import_recipe

COUNTS = {"chopstick_using": 40, "dough_rolling": 33, "drawing": 40, "surgery": 103}
PAIRS = {
    "chopstick_using": [(314, 222), (280, 256), (299, 237), (299, 237)],
    "dough_rolling": [(106, 75), (96, 85), (97, 84), (100, 81)],
    "drawing": [(127, 120), (140, 107), (148, 99), (127, 120)],
    "surgery": [(883, 776), (856, 803), (964, 695), (1000, 659)],
}
LAYOUTS = {
    "nested": lambda task, ident: ident,
    "by task": lambda task, ident: f"{task}/{ident}",
    "flat": lambda task, ident: ident.replace("/", "_"),
    "by task, last part": lambda task, ident: f"{task}/{ident.rpartition('/')[2] if task == 'surgery' else ident}",
}


@pytest.fixture(scope="session")
def official(shared):
    return shared / "data/epic-skills"


@pytest.mark.parametrize("layout", LAYOUTS)
def test_every_official_name_is_found(official, tmp_path, save_array, videos_of, layout):
    for task in COUNTS:
        for ident in videos_of(official / "splits" / task):
            save_array(tmp_path / f"I3D/{LAYOUTS[layout](task, ident)}_rgb.npz")
    save_array(tmp_path / "I3D/A1_flow.npz")
    tasks = list(epic_skills.read(tmp_path, official if layout == "flat" else official / "splits"))
    assert [t.name for t in tasks] == [f"epic-skills/{name}" for name in COUNTS]
    for task, (name, count) in zip(tasks, COUNTS.items(), strict=True):
        assert sorted(task.features) == videos_of(official / "splits" / name)
        assert len(task.features) == count
        assert [f.name for f in task.folds] == ["fold1", "fold2", "fold3", "fold4"]
        assert [(len(f.train), len(f.test)) for f in task.folds] == PAIRS[name]
        assert (task.missing, task.pairs_left_out) == ({}, 0)
        assert task.recipes == {"dynamic": import_recipe("dynamic", "i3d", 8)}
        assert {f.facts["duration_s"] for f in task.features.values()} == {None}


def test_surgeons_are_known_and_others_are_not(official, tmp_path, save_array, videos_of):
    for task in COUNTS:
        for ident in videos_of(official / "splits" / task):
            save_array(tmp_path / f"{ident}_rgb.npz", (2, 3))
    performers = {task.name: task.performers for task in epic_skills.read(tmp_path, official)}
    assert len(performers["epic-skills/surgery"]) == 103
    assert set(performers["epic-skills/surgery"].values()) == set("BCDEFGHI")
    assert not any(performers[f"epic-skills/{name}"] for name in list(COUNTS)[:3])


@pytest.fixture
def small(tmp_path):
    """Two tasks with one pair a side, in the official layout."""
    for k in range(1, 5):
        for side, pair in (("train", "Sonic/A1-S Hand/A1-S \n"), ("test", "Sonic/A1-S Hand/E1-S \n")):
            for task in ("drawing", "other"):
                path = tmp_path / f"splits/{task}/{side}_split{k}.txt"
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(pair if task == "drawing" else pair.replace("-S", ""))
    return tmp_path


def test_what_is_missing_is_counted_and_named(small, save_array):
    save_array(small / "data/Sonic/A1-S_rgb.npz")
    save_array(small / "data/Hand/A1-S_rgb.npz")
    save_array(small / "data/Hand/E1-S_rgb.npz").write_bytes(b"PK")
    drawing, other = epic_skills.read(small / "data", small)
    assert set(drawing.features) == {"Sonic/A1-S", "Hand/A1-S"}
    assert set(drawing.missing) == {"Hand/E1-S"}
    assert "Hand/E1-S_rgb.npz: cannot be read as an array" in drawing.missing["Hand/E1-S"]
    assert drawing.pairs_left_out == 4
    assert [(len(f.train), len(f.test)) for f in drawing.folds] == [(1, 0)] * 4
    assert (other.features, other.recipes, other.pairs_left_out) == ({}, {}, 8)
    assert other.missing == dict.fromkeys(["Hand/A1", "Hand/E1", "Sonic/A1"], "no features")


def test_a_name_without_its_folder_is_taken_only_where_it_means_one_video(small, save_array):
    save_array(small / "data/A1-S_rgb.npz")
    save_array(small / "data/E1-S_rgb.npz")
    drawing, _ = epic_skills.read(small / "data", small)
    assert set(drawing.features) == {"Hand/E1-S"}


def test_a_file_in_the_folder_of_another_task_is_not_taken(small, save_array):
    save_array(small / "data/drawing/Hand/E1_rgb.npz")
    save_array(small / "data/drawing/Hand/E1-S_rgb.npz")
    drawing, other = epic_skills.read(small / "data", small)
    assert set(drawing.features) == {"Hand/E1-S"}
    assert set(other.features) == set()


def test_two_files_for_one_video(small, save_array):
    save_array(small / "data/old/Hand/E1-S_rgb.npz")
    save_array(small / "data/new/Hand/E1-S_rgb.npz")
    with pytest.raises(FeaturesError, match="two files mean the video 'Hand/E1-S' of drawing") as caught:
        epic_skills.read(small / "data", small)
    assert "new/Hand" in str(caught.value)
    assert "old/Hand" in str(caught.value)
    inside = save_array(small / "data/drawing/Hand/E1-S_rgb.npz", (9, 8))
    drawing, _ = epic_skills.read(small / "data", small)
    (stream,) = drawing.features["Hand/E1-S"].streams.values()
    np.testing.assert_array_equal(stream.features, np.load(inside)["arr_0"].astype(np.float16))


def test_folders_that_hold_nothing(small, save_array):
    save_array(small / "data/nobody_rgb.npz")
    with pytest.raises(FeaturesError, match="holds none of the 6 videos of epic-skills") as caught:
        epic_skills.read(small / "data", small)
    assert "<video>_rgb.npz" in caught.value.advice
    with pytest.raises(FeaturesError, match="no such file"):
        epic_skills.read(small / "gone", small)
    with pytest.raises(PairsError, match=r"no task with a list train_split1\.txt"):
        epic_skills.read(small / "data", small / "data")
    (small / "splits/drawing/test_split3.txt").unlink()
    with pytest.raises(PairsError, match=r"test_split3\.txt: cannot be read"):
        epic_skills.read(small / "data", small)
