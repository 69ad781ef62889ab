"""What every dataset becomes, and finding it by name."""

import numpy as np
import pytest

from toprock.comparisons import Pair
from toprock.datasets import Fold, Task
from toprock.datasets.registry import DATASETS, reader
from toprock.errors import PairsError, ToprockError, UsageError
from toprock.features import PerformanceFeatures, Recipe, StreamFeatures


def task(*ids, folds, performers=None):
    return Task("toy", {i: PerformanceFeatures(i, {}) for i in ids}, {}, folds, performers or {})


def test_pairs_without_features_are_counted_and_named():
    folds = [
        Fold("1", [Pair("a", "b"), Pair("a", "x")], [Pair("y", "x")]),
        Fold("2", [Pair("x", "b")], [Pair("b", "a"), Pair("a", "b", tie=True)]),
    ]
    whole = task("a", "b", "never named", folds=folds).without_missing({"x": "cut off", "b": "is there after all"})
    assert whole.missing == {"x": "cut off", "y": "no features"}
    assert whole.pairs_left_out == 3
    assert [(list(f.train), list(f.test)) for f in whole.folds] == [
        ([Pair("a", "b")], []),
        ([], [Pair("b", "a"), Pair("a", "b", tie=True)]),
    ]


def test_a_performance_that_lacks_a_stream_is_missing():
    recipes = {stream: Recipe(stream, "made", {}) for stream in ("dynamic", "static")}
    streams = {r: StreamFeatures(np.ones((2, 3), np.float16), np.array([[0.0, 1], [1, 2]])) for r in recipes.values()}
    empty = StreamFeatures(np.ones((0, 3), np.float16), np.ones((0, 2)))
    features = {
        "a": PerformanceFeatures("a", streams),
        "b": PerformanceFeatures("b", {recipes["dynamic"]: streams[recipes["dynamic"]]}),
        "c": PerformanceFeatures("c", streams | {recipes["dynamic"]: empty}),
        "d": PerformanceFeatures("d", {}),
        "e": PerformanceFeatures("e", streams),
    }
    folds = [Fold("1", [Pair("a", "b"), Pair("a", "e"), Pair("c", "d")], [])]
    found = Task("toy", features, recipes, folds).without_missing({"d": "is damaged"})
    assert found.missing == {"b": "no static features", "c": "no dynamic features", "d": "is damaged"}
    assert list(found.folds[0].train) == [Pair("a", "e")]


def test_one_performer_is_left_out():
    people = {"a1": "ann", "a2": "ann", "b1": "bob", "c1": "cy"}
    crossed = Pair("a1", "b1")
    folds = [Fold("1", [Pair("a1", "a2"), Pair("b1", "c1")], [crossed]), Fold("2", [crossed], [Pair("c1", "a2")])]
    found = task(*people, folds=folds, performers=people).leave_one_out()
    assert found.name == "toy, one performer left out"
    sides = {
        f.name: ({(p.better, p.worse) for p in f.train}, {(p.better, p.worse) for p in f.test}) for f in found.folds
    }
    assert sides == {
        "ann": ({("b1", "c1")}, {("a1", "a2"), ("a1", "b1"), ("c1", "a2")}),
        "bob": ({("a1", "a2"), ("c1", "a2")}, {("a1", "b1"), ("b1", "c1")}),
        "cy": ({("a1", "a2"), ("a1", "b1")}, {("b1", "c1"), ("c1", "a2")}),
    }
    assert [len(f.train) + len(f.test) for f in found.folds] == [4, 4, 4]  # a pair of two folds counts once


def test_nobody_can_be_left_out_where_performers_are_not_known():
    found = task("a", "b", "c", folds=[Fold("1", [Pair("a", "b")], [Pair("b", "c")])], performers={"a": "ann"})
    with pytest.raises(PairsError, match="toy: the performers of 2 performances are not known"):
        found.leave_one_out()


def test_other_folds():
    one = task("a", "b", folds=[], performers={"a": "ann"})
    other = one.with_folds([Fold("x", [], [Pair("a", "b")])])
    assert [f.name for f in other.folds] == ["x"]
    assert (other.features, other.performers, list(one.folds)) == (one.features, one.performers, [])


def test_an_unknown_benchmark_is_answered_with_those_there_are():
    with pytest.raises(UsageError, match="no benchmark 'gymnastics'") as caught:
        reader("gymnastics")
    assert caught.value.advice == "Allowed: best, brace, epic-skills, fis-v, jigsaws, rhythmic-gymnastics."


@pytest.mark.parametrize("name", DATASETS)
def test_data_that_is_not_there_is_an_error_for_people(tmp_path, name):
    with pytest.raises(ToprockError, match=str(tmp_path / "gone")) as caught:
        list(reader(name)(tmp_path / "gone", None))
    assert caught.value.advice
