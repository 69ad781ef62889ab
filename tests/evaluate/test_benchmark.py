"""Learners side by side: rows that are kept, taken up again, and the same however many processes make them."""

import json
import multiprocessing
from dataclasses import replace

import numpy as np
import pytest
import torch

from toprock.comparisons import Pair, pairwise_accuracy
from toprock.datasets import Fold
from toprock.engines import LocalEngine
from toprock.errors import PairsError
from toprock.evaluate.benchmark import controls, inner_folds, run_benchmark
from toprock.features import PerformanceFeatures
from toprock.peers import AveragePooling, Linear, Qsd, Softmax, TrainingSide, TwinConfig

QUICK = AveragePooling(TwinConfig(epochs=2, segments=4))
LEARNERS = {"average": QUICK, "linear": Linear()}


def run(task, folder, learners=LEARNERS, seeds=range(2), engine=None, **options):
    """The one task's scores, and how many rows were already there and all there are."""
    told = []
    (scores,) = run_benchmark(
        [task],
        learners,
        seeds=seeds,
        folder=folder,
        engine=engine or LocalEngine(1),
        on_row=lambda *row: told.append(row),
        **options,
    )
    return scores, told[0][1:]


def without_times(rows):
    return [{k: v for k, v in row.items() if k != "seconds"} for row in rows]


def row_file(folder, name):
    (path,) = (folder / "toy").glob(f"{name}-*.json")
    return path


def mark(path):
    """Change a finished row, keeping its digest; returns what its scores are now."""
    row = json.loads(path.read_text())
    row["scores"] = {ident: -value for ident, value in row["scores"].items()}
    path.write_text(json.dumps(row))
    return row["scores"]


def test_a_row_for_every_learner_fold_and_seed(small_task, tmp_path):
    scores, (done, total) = run(small_task, tmp_path)
    assert (done, total) == (0, 8)
    named = [(row["seed"], row["fold"], row["model"]) for row in scores.rows]
    assert named == [(s, f, m) for s in (0, 1) for f in ("one", "two") for m in ("average", "linear")]
    names = {path.name.rpartition("-")[0] for path in (tmp_path / "toy").iterdir()}
    assert names == {f"{m}-fold-{f}-seed-{s}" for s, f, m in named}
    assert scores.rows[0]["settings"] == QUICK.settings
    assert scores.rows[0]["published"] is None
    fold = small_task.folds[1]
    assert set(scores.rows[3]["scores"]) == {i for p in fold.test for i in (p.better, p.worse)}
    assert [len(found) for found in scores.folds[0].scores.values()] == [2, 2, 1, 1]  # seeds; controls have none
    assert scores.names == ["average", "linear", "duration", "memorisation"]


def test_a_row_is_what_its_learner_gives(small_task, tmp_path):
    scores, _ = run(small_task, tmp_path, seeds=[5])
    fold = small_task.folds[0]
    arrays = {
        i: {recipe.stream: stream.features for recipe, stream in found.streams.items()}
        for i, found in small_task.features.items()
    }
    ids = {i for p in fold.train for i in (p.better, p.worse)}
    side = TrainingSide({i: arrays[i] for i in sorted(ids)}, fold.train, small_task.performers)
    expected = QUICK(side, seed=5)(arrays)
    assert scores.rows[0]["scores"] == {i: expected[i] for i in scores.rows[0]["scores"]}
    (first, *_) = scores.row_accuracies()
    assert first["accuracy"] == pairwise_accuracy(expected, fold.test)
    unseen = [p for p in fold.test if p.better not in ids and p.worse not in ids]
    assert first["both_unseen"] == pairwise_accuracy(expected, unseen)


def test_a_finished_row_is_read_and_not_done_again(small_task, tmp_path):
    first, _ = run(small_task, tmp_path)
    path = row_file(tmp_path, "linear-fold-two-seed-1")
    changed = mark(path)
    again, (done, total) = run(small_task, tmp_path)
    assert (done, total) == (8, 8)
    assert again.rows[:-1] == first.rows[:-1]
    assert again.rows[-1]["scores"] == changed
    assert again.folds[1].scores["linear"][1] == changed
    assert again.row_accuracies()[-1]["accuracy"] == pytest.approx(1 - first.row_accuracies()[-1]["accuracy"])


def test_more_seeds_and_learners_are_added_to_what_is_there(small_task, tmp_path):
    run(small_task, tmp_path, {"linear": Linear()}, seeds=range(1))
    _, there = run(small_task, tmp_path)
    assert there == (2, 8)


@pytest.mark.parametrize("change", ["setting", "training data", "test data", "pairs", "performers", "published"])
def test_a_row_of_other_inputs_is_not_taken(small_task, tmp_path, changed, change):
    learners = {"average": QUICK}
    run(small_task, tmp_path, learners, seeds=[0])
    path = row_file(tmp_path, "average-fold-one-seed-0")
    marked = mark(path)
    first, second = small_task.folds
    options, touched = {}, None
    if change == "setting":
        learners = {"average": replace(QUICK, config=replace(QUICK.config, noise=0.02))}
    elif change == "training data":
        touched = first.train[0].better
    elif change == "test data":
        trained = {i for p in first.train for i in (p.better, p.worse)}
        touched = next(p.better for p in first.test if p.better not in trained)
    elif change == "pairs":
        small_task = small_task.with_folds([replace(first, train=first.train[1:]), second])
    elif change == "performers":
        small_task = replace(small_task, performers={})
    else:
        options = {"published": True}
    if touched:
        small_task = changed(small_task, touched)
    scores, there = run(small_task, tmp_path, learners, seeds=[0], **options)
    in_second = touched in {i for p in (*second.train, *second.test) for i in (p.better, p.worse)}
    assert there == (int(change == "pairs" or (touched is not None and not in_second)), 2)
    assert scores.rows[0]["scores"] != marked
    assert json.loads(path.read_text())["scores"] == marked  # both tables have their rows


def test_learners_of_equal_settings_have_rows_of_their_own(small_task, tmp_path):
    config = TwinConfig(epochs=2, segments=4)
    first, _ = run(small_task, tmp_path, {"x": AveragePooling(config)}, seeds=[0])
    second, (done, _) = run(small_task, tmp_path, {"x": Softmax(config)}, seeds=[0])
    assert done == 0
    assert first.rows[0]["scores"] != second.rows[0]["scores"]


def test_a_performer_of_another_fold_changes_no_row(small_task, tmp_path):
    run(small_task, tmp_path)
    _, (done, total) = run(replace(small_task, performers={**small_task.performers, "stranger": "eve"}), tmp_path)
    assert done == total


def test_rows_made_here_leave_the_threads_as_they_were(small_task, tmp_path):
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    run(small_task, tmp_path, {"linear": Linear()}, seeds=[0])
    assert torch.get_num_threads() == 2
    torch.set_num_threads(before)


def test_scores_do_not_hold_the_features_of_their_task(small_task, tmp_path):
    assert not run(small_task, tmp_path, {"linear": Linear()}, seeds=[0])[0].task.features


@pytest.mark.parametrize("left", ["", '{"digest": "', "[]"])
def test_a_row_that_is_cut_off_is_done_again(small_task, tmp_path, left):
    learners = {"linear": Linear()}
    first, _ = run(small_task, tmp_path, learners)
    row_file(tmp_path, "linear-fold-one-seed-0").write_text(left)
    again, there = run(small_task, tmp_path, learners)
    assert there == (3, 4)
    assert without_times(again.rows) == without_times(first.rows)


def test_an_interrupt_leaves_finished_rows_whole(small_task, tmp_path):
    def stop(what, done, total):
        if done == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_benchmark([small_task], LEARNERS, seeds=range(2), folder=tmp_path, engine=LocalEngine(1), on_row=stop)
    files = sorted((tmp_path / "toy").iterdir())
    assert len(files) == 3
    assert all(json.loads(path.read_text())["scores"] for path in files)
    scores, there = run(small_task, tmp_path)
    assert there == (3, 8)
    whole, _ = run(small_task, tmp_path / "undisturbed")
    assert without_times(scores.rows) == without_times(whole.rows)


def test_two_processes_give_the_rows_of_one(small_task, tmp_path):
    learners = {"qsd": Qsd(model={"width": 8}, training={"steps": 2}), "linear": Linear()}
    one, _ = run(small_task, tmp_path / "one", learners, seeds=[0], published=True)
    two, _ = run(small_task, tmp_path / "two", learners, seeds=[0], published=True, engine=LocalEngine(2))
    assert without_times(one.rows) == without_times(two.rows)
    assert [path.name for path in sorted((tmp_path / "one/toy").iterdir())] == [
        path.name for path in sorted((tmp_path / "two/toy").iterdir())
    ]


def test_an_interrupt_ends_the_other_processes_in_the_middle_of_their_rows(small_task, tmp_path):
    long = AveragePooling(TwinConfig(epochs=30_000, segments=4))

    def stop(what, done, total):
        if done:
            raise KeyboardInterrupt

    before = set(multiprocessing.active_children())
    learners = {"linear": Linear(), "average": long}
    with pytest.raises(KeyboardInterrupt):
        run_benchmark([small_task], learners, seeds=[0], folder=tmp_path, engine=LocalEngine(2), on_row=stop)
    assert set(multiprocessing.active_children()) <= before
    (path,) = (tmp_path / "toy").iterdir()
    assert json.loads(path.read_text())["model"] == "linear"


def test_the_published_protocol_takes_the_best_accuracy_of_a_training(small_task, tmp_path):
    learner = AveragePooling(TwinConfig(epochs=6, segments=4, learning_rate=0.1, watch_every=1))
    fold = small_task.folds[0]
    scores, _ = run(small_task, tmp_path, {"average": learner}, seeds=[0], published=True)
    data = {
        i: {recipe.stream: stream.features for recipe, stream in found.streams.items()}
        for i, found in small_task.features.items()
    }
    seen = []
    ids = {i for p in fold.train for i in (p.better, p.worse)}
    side = TrainingSide({i: data[i] for i in sorted(ids)}, fold.train, small_task.performers)
    learner(side, seed=0, watch=lambda scorer: seen.append(pairwise_accuracy(scorer(data), fold.test)))
    assert len(set(seen)) > 1
    assert scores.rows[0]["published"] == max(seen)


@pytest.mark.parametrize("side", ["train", "test"])
@pytest.mark.parametrize("left", [[], [Pair("v00", "v01", tie=True)]])
def test_a_fold_with_nothing_in_it_is_named(small_task, tmp_path, side, left):
    first, second = small_task.folds
    task = small_task.with_folds([first, replace(second, **{side: left})])
    with pytest.raises(PairsError, match="toy, fold two: has no pair left to learn from, or none to be tested on"):
        run(task, tmp_path)
    assert not (tmp_path / "toy").exists()  # told before anything is trained


def measured(**facts):
    return PerformanceFeatures("x", {}, facts)


def test_controls_learn_their_direction_on_the_training_side_alone(small_task):
    features = {i: measured(duration_s=s, cuts=c) for i, s, c in (("a", 10.0, 9), ("b", 20.0, 1), ("c", 40.0, 7))}
    features |= {"d": measured(duration_s=80.0, cuts=3, mean_motion=1.0)}
    # in training the shorter one and the one with fewer cuts a second wins; in the test the longer ones
    fold = Fold(
        "1", [Pair("b", "a"), Pair("b", "d", weight=0.5), Pair("b", "c", weight=3.0)], [Pair("d", "c"), Pair("c", "b")]
    )
    found = controls(replace(small_task, features=features), fold)
    assert set(found) == {"duration", "cut_rate", "memorisation"}  # motion was not measured everywhere
    assert found["duration"] == {"a": -10.0, "b": -20.0, "c": -40.0, "d": -80.0}
    assert pairwise_accuracy(found["duration"], fold.test) == 0.0
    assert found["cut_rate"] == {"a": -0.9, "b": -0.05, "c": -0.175, "d": -0.0375}
    other = controls(replace(small_task, features=features), replace(fold, train=[Pair("d", "a")]))
    assert other["duration"]["d"] == 80.0


def test_memorisation_knows_training_performances_and_nothing_else(small_task):
    fold = Fold(
        "1",
        [Pair("v03", "v02"), Pair("v02", "v01"), Pair("v01", "v00"), Pair("v04", "v03")],
        [Pair("v04", "v00"), Pair("v09", "v10"), Pair("v10", "v01"), Pair("v01", "v10")],
    )
    scores = controls(small_task, fold)["memorisation"]
    assert sorted(scores, key=scores.get)[:2] == ["v00", "v01"]
    middle = np.median([scores[f"v{n:02}"] for n in range(5)])
    assert scores["v09"] == scores["v10"] == middle == scores["v02"]
    assert pairwise_accuracy(scores, fold.test) == (1 + 0.5 + 1 + 0) / 4


def test_inner_folds_rank_training_pairs_only_with_performers_kept_apart(small_task):
    inner = inner_folds(small_task)
    assert len(inner.folds) == 10
    who = small_task.performers

    def named(pairs):
        return {(p.better, p.worse) for p in pairs}

    for fold in inner.folds:
        (outer,) = (f for f in small_task.folds if fold.name.startswith(f"{f.name}."))
        assert named([*fold.train, *fold.test]) == named(outer.train)
        assert not named(fold.train) & named(fold.test)
        learnt = {who[i] for p in fold.train for i in (p.better, p.worse)}
        assert all({who[p.better], who[p.worse]} - learnt for p in fold.test)
