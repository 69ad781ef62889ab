"""toprock benchmark: the document it prints, rows it takes up again, and wrong use."""

import json
import os
import re

import numpy as np
import pytest

from toprock.files import write_bytes

LINE = {
    "accuracy",
    "interval",
    "both_unseen",
    "both_unseen_interval",
    "similar_length",
    "similar_length_interval",
    "new_performers",
    "new_performers_interval",
    "difference",
    "difference_interval",
    "both_unseen_difference",
    "both_unseen_difference_interval",
    "spearman",
    "published_protocol",
    "seconds",
}
ROW = {"task", "fold", "model", "seed", "seconds", "settings", "published", "accuracy", "both_unseen"}
DOCUMENT = {"schema", "name", "folds", "summary", "tasks", "missing", "pairs_left_out", "rows"}


@pytest.fixture(scope="module")
def trials(tmp_path_factory, write_jigsaws):
    return write_jigsaws(tmp_path_factory.mktemp("jigsaws"), zipped=True)


def benchmark(toprock, name, data, out, *more, **options):
    return toprock("benchmark", name, "--data", data, "--out", out, "--workers", 1, *more, **options)


def test_the_document_and_the_rows_that_are_taken_up_again(toprock, trials, tmp_path):
    options = ("--model", "linear", "--seeds", 2, "--json")
    told, _ = benchmark(toprock, "jigsaws", trials, tmp_path / "out", *options)
    found = json.loads(told)
    assert set(found) == DOCUMENT
    assert (found["schema"], found["name"], found["folds"]) == (1, "jigsaws", "official")
    assert (found["missing"], found["pairs_left_out"]) == ({}, 0)
    assert list(found["summary"]) == ["linear", "duration", "mean_motion", "memorisation"]
    assert all(set(line) == LINE for line in found["summary"].values())
    assert found["tasks"] == {"jigsaws": found["summary"]}
    assert {(row["model"], row["fold"], row["seed"]) for row in found["rows"]} == {
        ("linear", fold, seed) for fold in "1234" for seed in (0, 1)
    }
    assert all(set(row) == ROW for row in found["rows"])
    # the quicker of the invented trials is the better one: to be seen by what looks, and not by what does not
    assert found["summary"]["linear"]["accuracy"] > 0.8
    assert found["summary"]["mean_motion"]["accuracy"] == 1.0
    assert found["summary"]["duration"]["accuracy"] == 0.5
    assert found["summary"]["linear"]["difference"] is None  # qsd did not run
    assert found["summary"]["memorisation"]["both_unseen"] == 0.5
    (path,) = (tmp_path / "out/jigsaws").glob("linear-fold-2-seed-1-*.json")
    row = json.loads(path.read_text())
    row["scores"] = {ident: -value for ident, value in row["scores"].items()}
    path.write_text(json.dumps(row))
    (was,) = (r["accuracy"] for r in found["rows"] if (r["fold"], r["seed"]) == ("2", 1))
    again = json.loads(benchmark(toprock, "jigsaws", trials, tmp_path / "out", *options)[0])
    assert [r["accuracy"] for r in again["rows"] if (r["fold"], r["seed"]) == ("2", 1)] == [pytest.approx(1 - was)]
    less = found["summary"]["linear"]["accuracy"] - again["summary"]["linear"]["accuracy"]
    assert less == pytest.approx((2 * was - 1) / 8)  # one row of eight


def test_a_table_for_people(toprock, trials, tmp_path):
    short = ("--seeds", 1, "--epochs", 10, "--segments", 2, "--leave-one-out", "--published-protocol")
    models = ("--model", "linear", "--model", "raan", "--model", "softmax")
    wide = os.environ | {"COLUMNS": "200"}
    told, _ = benchmark(toprock, "jigsaws", trials, tmp_path / "out", *short, *models, env=wide)
    lines = told.splitlines()
    assert lines[0].startswith("jigsaws, one performer left out: % of pairs ranked right")
    for head in ("ranked right", "both unseen", "like length", "best on test"):
        assert head in lines[1]
    assert "qsd is better by" not in told
    names = [re.split(r"\s{2,}", line)[0] for line in lines[2:8]]
    assert names == ["raan", "softmax", "linear", "duration", "mean motion", "memorisation"]
    assert "100.0 (100-100)" in lines[6]
    assert "no fair estimate" in told
    assert "Intervals by drawing performances anew" in told


def test_missing_trials_are_counted_and_named(toprock, tmp_path, write_jigsaws):
    folder = write_jigsaws(tmp_path / "data")
    (folder / "Knot_Tying/kinematics/AllGestures/Knot_Tying_C002.txt").unlink()
    told, aside = benchmark(toprock, "jigsaws", folder, tmp_path / "out", "--model", "linear", "--seeds", 1, "--json")
    found = json.loads(told)
    assert found["missing"] == {"Knot_Tying/Knot_Tying_C002": "no kinematics"}
    assert found["pairs_left_out"] == 28
    assert "left out 1 performances and 28 pairs: Knot_Tying/Knot_Tying_C002 (no kinematics)" in aside


@pytest.fixture
def archives(tmp_path):
    """Six drawings as tiny archives in EPIC-Skills' layout, with pairs; of a second task nothing but its pairs."""
    rng = np.random.default_rng(0)
    names = [f"Sonic/A{n}-S" for n in range(6)]
    for number, name in enumerate(names):
        path = tmp_path / f"data/{name}_rgb.npz"
        path.parent.mkdir(parents=True, exist_ok=True)
        np.savez(path, rng.normal(size=(5, 4)).astype(np.float32) + 3 * number * np.eye(4, dtype=np.float32)[0])
    pairs = [f"{b} {a}\n" for i, a in enumerate(names) for b in names[i + 1 :]]
    for k in range(1, 5):
        for task, end in (("drawing", ""), ("dough_rolling", "x")):
            for side, chosen in (("train", pairs[::2]), ("test", pairs[1::2])):
                text = "".join(chosen).replace("-S", f"-S{end}")
                write_bytes(tmp_path / f"pairs/splits/{task}/{side}_split{k}.txt", text.encode())
    return tmp_path


def test_published_archives_of_one_task(toprock, archives):
    options = ("--pairs", archives / "pairs", "--model", "linear", "--seeds", 1, "--json")
    told, aside = benchmark(toprock, "epic-skills", archives / "data", archives / "out", *options)
    found = json.loads(told)
    assert list(found["tasks"]) == ["epic-skills/drawing"]
    assert list(found["summary"]) == ["linear", "memorisation"]  # neither duration nor motion is published
    assert found["summary"]["linear"]["accuracy"] > 0.9
    assert found["summary"]["linear"]["both_unseen"] is None  # every video is named by a training pair
    assert len(found["rows"]) == 4
    assert set(found["missing"].values()) == {"no features"}
    assert (len(found["missing"]), found["pairs_left_out"]) == (6, 4 * 15)
    assert "left out: epic-skills/dough_rolling, of which too little is there" in aside
    assert len(list((archives / "out/epic-skills/drawing").glob("linear-fold-fold1-seed-0-*.json"))) == 1


def test_a_task_that_cannot_be_folded_so_is_left_out(toprock, archives, tmp_path):
    common = ("--pairs", archives / "pairs", "--leave-one-out", "--model", "linear")
    _, aside = benchmark(toprock, "epic-skills", archives / "data", tmp_path / "out", *common, status=1)
    assert re.search(r"left out: epic-skills/drawing: the performers of \d+ performances are not known", aside)
    assert "epic-skills: nothing is left to be measured" in aside


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("gymnastics",), "there is no benchmark 'gymnastics'. Allowed: best, brace, epic-skills, fis-v, jigsaws, "),
        (("jigsaws", "--model", "quads"), "there is no model 'quads'. Allowed: qsd, raan, softmax, average, linear."),
        (("jigsaws", "--ablate", "--model", "qsd"), "--ablate and --model are two tables. Give one of them."),
        (("jigsaws", "--seeds", "0"), "seeds"),
    ],
)
def test_wrong_use_is_one_line_and_exits_2(toprock, trials, tmp_path, arguments, told):
    name, *more = arguments
    out, aside = benchmark(toprock, name, trials, tmp_path / "out", *more, status=2)
    assert out == ""
    assert told in re.sub(r"\s+", " ", aside)
    assert len(aside.splitlines()) == 1
    assert not (tmp_path / "out").exists()


def test_data_that_is_not_there(toprock, trials, tmp_path):
    (tmp_path / "empty").mkdir()
    _, aside = benchmark(toprock, "jigsaws", tmp_path / "empty", tmp_path / "out", "--json", status=1)
    assert "empty: holds no JIGSAWS trial" in aside
    _, aside = benchmark(toprock, "jigsaws", trials, tmp_path / "out", "--pairs", tmp_path / "empty", status=1)
    assert "empty: holds no pairs of EPIC-Skills' surgery task" in aside
    assert not (tmp_path / "out").exists()
