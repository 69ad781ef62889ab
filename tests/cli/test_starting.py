"""`--start-from`: few comparisons of one's own, and a model that has learnt something else."""

import json
import shutil

import numpy as np
import pytest

from toprock.ranker import SavedModel

COUNT = 8


def write_task(folder, name, seed):
    """Arrays of both streams, each performance better than the one before it, and pairs among them."""
    rng = np.random.default_rng(seed)
    for i in range(COUNT):
        for stream in ("dynamic", "static"):
            array = rng.normal(size=(16, 8)).astype(np.float32)
            array[rng.permutation(16)[: 2 * i], 0] += 4
            (folder / stream).mkdir(exist_ok=True)
            np.savez(folder / stream / f"{name}{i}.npz", array)
    pairs = [(a, b) for a in range(COUNT) for b in range(a)]
    (folder / f"{name}.txt").write_text("".join(f"{name}{a} {name}{b}\n" for a, b in pairs))
    few = ((2, 0), (4, 2), (3, 1), (5, 3), (5, 0))
    (folder / f"{name}-few.txt").write_text("".join(f"{name}{a} {name}{b}\n" for a, b in few))
    people = "".join(f"{name}{i},x.mp4,{('ann', 'bob')[i % 2]}\n" for i in range(COUNT))
    (folder / f"{name}.csv").write_text(f"id,video,performer\n{people}")


@pytest.fixture(scope="module")
def desk(tmp_path_factory, toprock):
    """A store of two tasks, a and b, and models that have learnt a: of both streams, and of one."""
    folder = tmp_path_factory.mktemp("starting")
    for seed, name in enumerate("ab"):
        write_task(folder, name, seed)
    for stream in ("dynamic", "static"):
        options = ("--name", "made", "--stream", stream, "--rate-hz", 2)
        toprock("features", "import", folder / stream, "--out", folder / "store", *options)
    common = ("train", "--features", folder / "store", "--pairs", folder / "a.txt")
    toprock(*common, "--steps", 40, "--members", 2, "--out", folder / "start", "--name", "what a taught")
    toprock(*common, "--steps", 2, "--members", 1, "--static", "none", "--out", folder / "one-stream")
    return folder


def scored(toprock, desk, model):
    found = json.loads(toprock("score", "--features", desk / "store", "--model", model, "--json")[0])
    return [one for one in found if one["id"].startswith("b")]


def test_five_pairs_and_a_start(desk, toprock, tmp_path):
    common = ("train", "--features", desk / "store", "--pairs", desk / "b-few.txt", "--out", tmp_path / "m")
    _, told = toprock(*common, "--manifest", desk / "b.csv", "--start-from", desk / "start", "--members", 1)
    config = json.loads((tmp_path / "m/config.json").read_text())
    assert config["started_from"]["name"] == "what a taught"
    assert config["started_from"]["created"] == json.loads((desk / "start/config.json").read_text())["created"]
    assert config["started_from"]["performances"] == [f"a{i}" for i in range(COUNT)]
    assert config["trained_on"]["performances"] == [f"b{i}" for i in range(6)]
    assert config["members"] == 2  # an ensemble stays one
    assert config["curve"][0][0] == 0
    card = (tmp_path / "m/README.md").read_text()
    assert f"Started from the model 'what a taught' of {config['started_from']['created']}" in card
    assert f"which had learnt from {COUNT} performances" in card
    assert f"As it was, that model ranked {config['curve'][0][1]:.1%} of the same held-out pairs right" in card
    assert "what a taught" in told
    if not config["steps"]:
        assert "it is that model still" in card
    each, before = (scored(toprock, desk, model) for model in (tmp_path / "m", desk / "start"))
    assert np.corrcoef([one["score"] for one in each], [one["score"] for one in before])[0, 1] > 0.9
    ranked = [one["percentile"] for one in sorted(each, key=lambda one: one["score"])]
    assert ranked == sorted(ranked)
    assert ranked[0] < 50 < ranked[-1]
    begun = ("--start-from", tmp_path / "m", "--steps", 2)  # a start of a start
    _, told = toprock(*common[:-1], tmp_path / "next", *begun)
    assert "had seen 6 of them before, which flatters it" in told
    seen = json.loads((tmp_path / "next/config.json").read_text())["started_from"]["performances"]
    assert seen == sorted([f"a{i}" for i in range(COUNT)] + [f"b{i}" for i in range(6)])
    card = (tmp_path / "next/README.md").read_text()
    assert "It had seen 6 of the performances here before, which flatters it" in card


def test_evaluate_trains_from_a_start_and_counts_what_that_had_seen(desk, toprock, tmp_path):
    """With one pair nothing can be held out: what is measured is the start."""
    (tmp_path / "one.txt").write_text("b1 b0\n")
    (tmp_path / "test.txt").write_text("b7 b6\nb7 a0\nb5 b3\n")
    common = ("evaluate", "--features", desk / "store", "--json")
    test = ("--test-pairs", tmp_path / "test.txt")
    started = toprock(*common, "--train-pairs", tmp_path / "one.txt", *test, "--start-from", desk / "start")[0]
    found, before = json.loads(started), json.loads(toprock(*common, "--model", desk / "start", *test)[0])
    assert found["branches"] == before["branches"]
    assert (found["pairs"], found["both_unseen_pairs"]) == (3, 2)


def test_a_folder_written_before_there_were_starts_still_loads(desk, tmp_path):
    shutil.copytree(desk / "start", tmp_path / "m")
    config = json.loads((tmp_path / "m/config.json").read_text())
    assert config.pop("started_from") is None
    (tmp_path / "m/config.json").write_text(json.dumps(config))
    assert SavedModel.load(tmp_path / "m").config.started_from is None


@pytest.mark.parametrize(
    ("start", "more", "status", "what"),
    [
        ("one-stream", (), 1, "looks at dynamic features, not at dynamic and static ones"),
        ("start", ("--static", "none"), 1, "looks at dynamic and static features, not at dynamic ones"),
        ("another", (), 1, "of another recipe: dynamic is made, not flow"),
        ("nowhere", (), 1, "is no model folder"),
    ],
)
def test_a_start_that_does_not_fit_is_refused(desk, toprock, tmp_path, start, more, status, what):
    shutil.copytree(desk / "start", tmp_path / "another")
    config = json.loads((tmp_path / "another/config.json").read_text())
    config["recipes"]["dynamic"]["backbone"] = "flow"
    (tmp_path / "another/config.json").write_text(json.dumps(config))
    folder = (tmp_path if start in ("another", "nowhere") else desk) / start
    common = ("--features", desk / "store", "--start-from", folder, *more)
    _, told = toprock("train", *common, "--pairs", desk / "b.txt", "--out", tmp_path / "m", status=status)
    assert what in told
    assert len(told.splitlines()) == 1
    assert not (tmp_path / "m").exists()


def test_wrong_uses_are_told(desk, toprock, tmp_path):
    common = ("--features", desk / "store", "--start-from", desk / "start", "--pairs", desk / "b.txt")
    _, told = toprock("train", *common, "--out", desk / "start", status=2)
    assert "is the model to start from. Give another folder for the new one." in told
    _, told = toprock("evaluate", *common, "--model", desk / "start", status=2)
    assert "Give it with --train-pairs." in told


def test_few_pairs_from_scratch_are_called_few(desk, toprock, tmp_path):
    common = ("train", "--features", desk / "store", "--out", tmp_path / "m", "--steps", 2)
    _, told = toprock(*common, "--pairs", desk / "b-few.txt")
    assert "5 pairs are few" in told
    card = (tmp_path / "m/README.md").read_text()
    assert "not chosen by cross-validation: they were given" in card
    _, told = toprock(*common, "--pairs", desk / "b.txt")
    assert "are few" not in told
