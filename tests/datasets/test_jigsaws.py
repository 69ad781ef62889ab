"""JIGSAWS: the official layout, zipped and unpacked, whole and damaged; and the real set where it is at hand."""

import zipfile

import numpy as np
import pytest

from toprock.comparisons import Pair
from toprock.datasets import jigsaws
from toprock.errors import FeaturesError, PairsError

TASK = "Knot_Tying"


def trial(folder, name):
    return folder / TASK / f"kinematics/AllGestures/{TASK}_{name}.txt"


def test_zip_and_folder_are_read_alike(tmp_path, write_jigsaws):
    (packed,) = jigsaws.read(*[write_jigsaws(tmp_path / "zip", zipped=True)] * 2)
    (plain,) = jigsaws.read(*[write_jigsaws(tmp_path / "plain")] * 2)
    with zipfile.ZipFile(tmp_path / "zip" / f"{TASK}.zip") as archive:
        assert {info.compress_type for info in archive.infolist()} == {zipfile.ZIP_BZIP2}
    assert list(packed.features) == list(plain.features) == [f"{TASK}/{TASK}_{s}00{n}" for s in "BCDE" for n in (1, 2)]
    for one, other in zip(packed.features.values(), plain.features.values(), strict=True):
        assert one.facts == other.facts
        for recipe, stream in one.streams.items():
            np.testing.assert_array_equal(stream.features, other.streams[recipe].features)


def test_what_a_task_holds(tmp_path, write_jigsaws):
    folder = write_jigsaws(tmp_path)
    (task,) = jigsaws.read(folder, folder / "splits/surgery")
    assert task.name == "jigsaws"
    assert [fold.name for fold in task.folds] == ["1", "2", "3", "4"]
    first = task.folds[0]
    assert (len(first.train), len(first.test)) == (15, 13)  # 6 trials among each other; all 28 pairs less those
    assert first.test[0] == Pair(f"{TASK}/{TASK}_B002", f"{TASK}/{TASK}_B001")  # without _capture2
    assert task.performers[f"{TASK}/{TASK}_D002"] == "D"
    assert task.scores == {
        f"{TASK}/{TASK}_{s}00{n}": 6.0 * grade for s, grade in zip("BCDE", (1, 2, 3, 4), strict=True) for n in (1, 2)
    }
    assert (task.missing, task.pairs_left_out) == ({}, 0)
    found = task.features[f"{TASK}/{TASK}_B001"]
    shapes = {recipe.stream: stream.features.shape for recipe, stream in found.streams.items()}
    assert shapes == {"dynamic": (3, 4 * 25 + 2 * 5), "static": (3, 4 + 2 * 9)}
    assert found.facts["duration_s"] == 3.0
    assert found.facts["cuts"] is None
    table = np.loadtxt(trial(folder, "B001"))
    speeds = [np.sqrt((table[:, at : at + 3] ** 2).sum(1)).mean() for at in (38 + 12, 57 + 12)]  # patient side
    assert found.facts["mean_motion"] == pytest.approx(np.mean(speeds))


def test_the_columns_are_where_they_belong(tmp_path, write_jigsaws):
    folder = write_jigsaws(tmp_path)
    table = np.loadtxt(trial(folder, "B001"))
    table[30] = np.arange(76)  # the middle of the first window
    np.savetxt(trial(folder, "B001"), table)
    (task,) = jigsaws.read(folder, folder)
    pose = task.features[f"{TASK}/{TASK}_B001"].streams[jigsaws.RECIPES["static"]].features[0]
    np.testing.assert_array_equal(pose[:4], [18, 37, 56, 75])
    for pair, left in enumerate((0, 38)):
        rotation = [table[30, tool + 3 : tool + 12].reshape(3, 3) for tool in (left, left + 19)]  # row by row
        apart, there = np.full(3, 19.0), np.full(3, 3**-0.5)
        expected = [apart @ rotation[0], there @ rotation[0], -there @ rotation[1]]
        np.testing.assert_allclose(pose[4 + 9 * pair : 13 + 9 * pair], np.concatenate(expected), rtol=1e-6)


def test_a_trial_without_kinematics_is_named_and_its_pairs_are_counted(tmp_path, write_jigsaws):
    folder = write_jigsaws(tmp_path)
    trial(folder, "C001").unlink()
    (task,) = jigsaws.read(folder, folder)
    assert task.missing == {f"{TASK}/{TASK}_C001": "no kinematics"}
    assert task.pairs_left_out == 4 * 7
    named = {i for fold in task.folds for p in (*fold.train, *fold.test) for i in (p.better, p.worse)}
    assert named == set(task.features)


@pytest.mark.parametrize("kind", [zipfile.ZIP_BZIP2, zipfile.ZIP_DEFLATED, zipfile.ZIP_STORED, zipfile.ZIP_LZMA])
def test_a_zip_with_damaged_contents(tmp_path, write_jigsaws, kind):
    folder = write_jigsaws(tmp_path)
    archive = tmp_path / "Suturing.zip"
    name = "Suturing/kinematics/AllGestures/Suturing_B001.txt"
    with zipfile.ZipFile(archive, "w", kind) as file:
        file.writestr(name, " ".join(map(str, np.random.default_rng(0).normal(size=900))))
    damaged = bytearray(archive.read_bytes())
    damaged[200:4000] = bytes(3800)
    archive.write_bytes(damaged)
    with pytest.raises(FeaturesError, match=r"Suturing\.zip: is damaged"):
        jigsaws.read_trials(folder)


@pytest.mark.parametrize("changed", [("é".encode(), b"\xe4\xe4"), (b"\x14\x00\x00\x08", b"\x14\x00\x01\x08")])
def test_a_zip_with_names_that_are_no_text_or_with_a_password(tmp_path, write_jigsaws, changed):
    folder = write_jigsaws(tmp_path)
    archive = tmp_path / "Suturing.zip"
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("Suturing/é.txt", "1 2 3")
    bad = archive.read_bytes().replace(*changed, *([1] if b"\xe4" in changed[1] else []))
    assert bad != archive.read_bytes()
    archive.write_bytes(bad)
    with pytest.raises(FeaturesError, match=r"Suturing\.zip: is damaged"):
        jigsaws.read_trials(folder)


@pytest.mark.parametrize("length", [0, 10, 3000])
def test_a_zip_that_was_cut_off(tmp_path, write_jigsaws, length):
    folder = write_jigsaws(tmp_path, zipped=True)
    archive = folder / f"{TASK}.zip"
    archive.write_bytes(archive.read_bytes()[:length])
    with pytest.raises(FeaturesError, match=rf"{TASK}\.zip: is damaged"):
        jigsaws.read_trials(folder)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda lines: [line + " 1.0" for line in lines], "90 lines of 77 numbers"),
        (lambda lines: [line.rsplit(maxsplit=1)[0] for line in lines], "90 lines of 75 numbers"),
        (lambda lines: [*lines[:5], lines[5] + " 1.0", *lines[6:]], "is damaged"),
        (lambda lines: [*lines[:5], lines[5].replace("0.", "O.", 1), *lines[6:]], "is damaged"),
        (lambda lines: lines[:59], "59 lines of 76 numbers, not 2 s or more"),
        (lambda lines: [*lines[:5], " ".join(["nan"] * 76), *lines[6:]], "90 lines of 76 numbers"),
        (lambda lines: [*lines[:5], " ".join(["1e999"] * 76), *lines[6:]], "90 lines of 76 numbers"),
        (lambda lines: ["\x00\xff\xfe"], "is damaged"),
        (lambda lines: [], "0 lines"),
    ],
)
def test_a_trial_that_is_not_what_it_should_be(tmp_path, write_jigsaws, change, told):
    folder = write_jigsaws(tmp_path)
    path = trial(folder, "D001")
    path.write_text("\n".join(change([line.strip() for line in path.read_text().splitlines()])), encoding="latin-1")
    with pytest.raises(FeaturesError, match=rf"{TASK}: {TASK}_D001\.txt: .*{told}"):
        jigsaws.read_trials(folder)


def test_two_seconds_are_enough(tmp_path, write_jigsaws):
    folder = write_jigsaws(tmp_path, seconds=2)
    features, _, _ = jigsaws.read_trials(folder)
    assert {len(stream.features) for found in features.values() for stream in found.streams.values()} == {1}


def test_a_rating_that_is_no_number(tmp_path, write_jigsaws):
    folder = write_jigsaws(tmp_path)
    meta = folder / TASK / f"meta_file_{TASK}.txt"
    meta.write_text(meta.read_text().replace("\t4\t4\t4", "\t4\tfour\t4", 1))
    with pytest.raises(FeaturesError, match=rf"meta_file_{TASK}\.txt: .*{TASK}_E001"):
        jigsaws.read_trials(folder)


def test_nothing_there(tmp_path, write_jigsaws):
    with pytest.raises(FeaturesError, match="holds no JIGSAWS trial") as caught:
        jigsaws.read_trials(tmp_path)
    assert f"Suturing.zip, Needle_Passing.zip, {TASK}.zip" in caught.value.advice
    folder = write_jigsaws(tmp_path / "data")
    with pytest.raises(PairsError, match="no pairs of EPIC-Skills' surgery task"):
        list(jigsaws.read(folder, tmp_path))
    (folder / "splits/surgery/test_split3.txt").unlink()
    with pytest.raises(PairsError, match=r"test_split3\.txt: cannot be read"):
        list(jigsaws.read(folder, folder))


def test_the_real_set_is_all_there(real_jigsaws):
    assert len(real_jigsaws.features) == 102
    counts = {task: sum(i.startswith(f"{task}/") for i in real_jigsaws.features) for task in jigsaws.TASKS}
    assert counts == {"Suturing": 38, "Needle_Passing": 28, "Knot_Tying": 36}
    assert real_jigsaws.missing == {"Suturing/Suturing_G001": "no kinematics"}
    assert real_jigsaws.pairs_left_out == 144
    # of 6636 official lines 6492 can be used
    assert [(len(f.train), len(f.test)) for f in real_jigsaws.folds] == [(856, 767), (830, 793), (964, 659), (973, 650)]
    assert sum(len(f.train) + len(f.test) for f in real_jigsaws.folds) == 6492
    assert set(real_jigsaws.performers.values()) == set("BCDEFGHI")
    assert real_jigsaws.performers["Suturing/Suturing_I003"] == "I"
    lengths = [found.facts["duration_s"] for found in real_jigsaws.features.values()]
    assert (round(min(lengths)), round(np.median(lengths)), round(max(lengths))) == (31, 88, 188)
    ranges = {
        task: (min(scores), max(scores))
        for task in jigsaws.TASKS
        for scores in [[s for i, s in real_jigsaws.scores.items() if i.startswith(f"{task}/")]]
    }
    assert ranges == {"Suturing": (8, 30), "Needle_Passing": (7, 24), "Knot_Tying": (6, 22)}
    outcomes = [
        real_jigsaws.scores[p.better] - real_jigsaws.scores[p.worse]
        for f in real_jigsaws.folds
        for p in (*f.train, *f.test)
    ]
    assert (sum(d > 0 for d in outcomes), outcomes.count(0)) == (6488, 4)
    for found in real_jigsaws.features.values():
        for stream in found.streams.values():
            assert np.isfinite(stream.features).all()
            assert len(stream.features) == len(stream.times)


def test_one_surgeon_is_left_out(real_jigsaws):
    task = real_jigsaws.leave_one_out()
    assert [fold.name for fold in task.folds] == list("BCDEFGHI")
    for fold in task.folds:
        assert all(fold.name in (task.performers[p.better], task.performers[p.worse]) for p in fold.test)
        assert not any(fold.name in (task.performers[p.better], task.performers[p.worse]) for p in fold.train)
