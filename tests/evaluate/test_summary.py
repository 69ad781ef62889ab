"""One table from many rows, against plain loops."""

import itertools

import numpy as np
import pytest

from toprock.comparisons import Pair
from toprock.datasets import Fold, Task
from toprock.evaluate.summary import RESAMPLES, FoldScores, TaskScores, kept_pairs, rank_correlation, summarise

IDS = [f"v{i}" for i in range(8)]


def table(folds, scores, *, name="toy", durations=None, judged=None, published=None):
    """TaskScores of learners: scores is fold -> learner -> scores of each seed."""
    task = Task(name, {}, {}, folds, scores=judged or {})
    rows = [
        {
            "task": name,
            "fold": fold,
            "model": model,
            "seed": seed,
            "seconds": 2.0 + seed,
            "published": published,
            "scores": found,
        }
        for fold, models in scores.items()
        for model, seeds in models.items()
        for seed, found in enumerate(seeds)
    ]
    return TaskScores(task, [FoldScores(fold, scores[fold.name]) for fold in folds], durations or {}, rows)


def drawn(rng, ids=IDS):
    return {i: round(float(v), 1) for i, v in zip(ids, rng.normal(size=len(ids)), strict=True)}


def random_table(seed, *, name="toy", ids=IDS, learners=("qsd", "raan")):
    rng = np.random.default_rng(seed)
    folds, scores = [], {}
    for number in range(2):
        pairs = [
            Pair(*rng.permutation(ids)[:2].tolist(), weight=float(rng.integers(1, 4))) for _ in range(9 + 4 * number)
        ]
        pairs.append(Pair(ids[0], ids[1], tie=True))
        folds.append(Fold(f"f{number}", [Pair(ids[0], ids[1]), Pair(ids[2], ids[1])], pairs))
        scores[f"f{number}"] = {learner: [drawn(rng, ids) for _ in range(3)] for learner in learners}
    durations = {i: float(rng.uniform(50, 80)) for i in ids}
    return table(folds, scores, name=name, durations=durations)


def outcome(scores, pair):
    a, b = scores[pair.better], scores[pair.worse]
    return 0.5 if a == b else float(a > b)


def is_kept(kind, pair, fold, durations):
    if pair.tie:
        return False
    if kind == "unseen":
        return not any(i in (p.better, p.worse) for p in fold.train for i in (pair.better, pair.worse))
    if kind == "similar":
        a, b = durations[pair.better], durations[pair.worse]
        return abs(a - b) < 0.15 * max(a, b)
    return True


def loops(tasks, learner, kind):
    """Mean, and the mean of every resample, with nothing but loops; NaN where a resample has no pair."""
    rng = np.random.default_rng(0)
    means, draws = [], []
    for task in tasks:
        ids = sorted({i for f in task.folds for p in f.fold.test for i in (p.better, p.worse)})
        counts = rng.multinomial(len(ids), [1 / len(ids)] * len(ids), size=RESAMPLES)
        shares = []  # of each fold: outcomes by pair
        for fold in task.folds:
            pairs = [p for p in fold.fold.test if is_kept(kind, p, fold.fold, task.durations)]
            right = [sum(outcome(s, p) for s in fold.scores[learner]) / len(fold.scores[learner]) for p in pairs]
            shares.append(
                [(ids.index(p.better), ids.index(p.worse), p.weight, r) for p, r in zip(pairs, right, strict=True)]
            )
        means.append(np.mean([sum(w * r for *_, w, r in s) / sum(w for *_, w, _ in s) for s in shares]))
        resampled = []
        for count in counts.tolist():
            values = []
            for share in shares:
                total = sum(count[a] * count[b] * w for a, b, w, _ in share)
                if total:
                    values.append(sum(count[a] * count[b] * w * r for a, b, w, r in share) / total)
            resampled.append(sum(values) / len(values) if values else np.nan)
        draws.append(resampled)
    columns = [[v for v in column if not np.isnan(v)] for column in zip(*draws, strict=True)]
    return np.mean(means), np.array([np.mean(column) if column else np.nan for column in columns])


@pytest.mark.parametrize(
    ("kind", "key"), [("all", "accuracy"), ("unseen", "both_unseen"), ("similar", "similar_length")]
)
def test_means_and_intervals_are_those_of_plain_loops(kind, key):
    tasks = [random_table(1), random_table(2, name="other", ids=IDS[:6])]
    lines = {line.name: line for line in summarise(tasks, reference="qsd")}
    found = {name: loops(tasks, name, kind) for name in ("qsd", "raan")}
    for name, (mean, resampled) in found.items():
        figure = getattr(lines[name], key)
        assert figure.value == pytest.approx(mean)
        assert figure.interval == pytest.approx(tuple(np.nanquantile(resampled, [0.025, 0.975])))
    if kind != "similar":
        figure = lines["raan"].difference if kind == "all" else lines["raan"].difference_unseen
        assert figure.value == pytest.approx(found["qsd"][0] - found["raan"][0])
        together = found["qsd"][1] - found["raan"][1]  # the same performances drawn for both
        assert figure.interval == pytest.approx(tuple(np.nanquantile(together, [0.025, 0.975])))


def constant(value):
    return {"a": 0.0, "b": value}


def one_pair(count, better="b", worse="a"):
    return [Pair(better, worse)] * count


def test_folds_count_alike_whatever_their_size():
    folds = [Fold("big", one_pair(1), one_pair(99)), Fold("small", one_pair(1), one_pair(1))]
    scores = {"big": {"qsd": [constant(1.0)]}, "small": {"qsd": [constant(-1.0)]}}
    (line,) = summarise([table(folds, scores)], reference="qsd")
    assert line.accuracy.value == 0.5


def test_tasks_count_alike_whatever_their_size():
    many = [Fold(str(n), one_pair(1), one_pair(9)) for n in range(3)]
    right = table(many, {f.name: {"qsd": [constant(1.0)]} for f in many})
    wrong = table([Fold("0", one_pair(1), one_pair(1))], {"0": {"qsd": [constant(-1.0)]}}, name="other")
    (line,) = summarise([right, wrong], reference="qsd")
    assert line.accuracy.value == 0.5


def test_seeds_are_averaged_and_ties_of_scores_count_half():
    fold = Fold("0", one_pair(1), one_pair(2))
    scores = {"0": {"qsd": [constant(1.0), constant(-1.0), constant(0.0), constant(1.0)]}}
    (line,) = summarise([table([fold], scores, published=0.75)], reference="qsd")
    assert line.accuracy.value == (1 + 0 + 0.5 + 1) / 4
    assert line.published == 0.75
    assert line.seconds == 3.5


def test_the_difference_of_learners_that_say_the_same_is_nothing():
    twins = random_table(3, learners=("qsd",))
    folds = [FoldScores(f.fold, {**f.scores, "raan": f.scores["qsd"]}) for f in twins.folds]
    rows = [*twins.rows, *({**row, "model": "raan"} for row in twins.rows)]
    qsd, raan = summarise([TaskScores(twins.task, folds, twins.durations, rows)], reference="qsd")
    assert (raan.difference.value, raan.difference.interval) == (0.0, (0.0, 0.0))
    assert (raan.difference_unseen.value, raan.difference_unseen.interval) == (0.0, (0.0, 0.0))
    assert raan.difference.inconclusive
    assert (qsd.difference.value, qsd.difference.interval) == (None, None)  # nobody is better than themselves
    assert qsd.accuracy == raan.accuracy


def test_a_difference_is_what_the_reference_has_more():
    pairs = [Pair(a, b) for i, a in enumerate(IDS) for b in IDS[i + 1 :]]
    right = {i: -float(n) for n, i in enumerate(IDS)}
    scores = {"0": {"qsd": [right], "raan": [{i: -v for i, v in right.items()}]}}
    _, raan = summarise([table([Fold("0", pairs[:1], pairs)], scores)], reference="qsd")
    assert (raan.difference.value, raan.difference.interval) == (1.0, (1.0, 1.0))
    assert not raan.difference.inconclusive
    for line in summarise([table([Fold("0", pairs[:1], pairs)], scores)], reference="not there"):
        assert line.difference.value is None


def test_pairs_that_a_figure_is_taken_over():
    test = [Pair("a", "b"), Pair("c", "d"), Pair("d", "e"), Pair("e", "c", tie=True), Pair("a", "unknown")]
    fold = Fold("0", [Pair("a", "x"), Pair("x", "b", tie=True)], test)
    durations = {"a": 100.0, "b": 85.0, "c": 85.1, "d": 100.0, "e": None}
    performers = {"a": "ann", "x": "bob", "b": "bob", "c": "cy", "d": "di", "e": "ann"}
    found = TaskScores(Task("t", {}, {}, [fold], performers), [], durations, [])
    assert kept_pairs(found, fold, "all") == [test[0], test[1], test[2], test[4]]
    assert kept_pairs(found, fold, "unseen") == [test[1], test[2]]
    assert kept_pairs(found, fold, "similar") == [test[1]]  # less than 15 % of the longer one apart
    assert kept_pairs(found, fold, "new") == [test[1]]  # e is another performance of ann's


def test_where_nothing_is_there_nothing_is_said():
    """Every test pair has a training performance, no duration is known, nobody gave absolute scores."""
    fold = Fold("0", [Pair("a", "b")], [Pair("b", "a")])
    (line,) = summarise([table([fold], {"0": {"qsd": [constant(1.0)]}})], reference="qsd")
    said = line.to_json()
    assert (said.pop("accuracy"), said.pop("interval"), said.pop("seconds")) == (1.0, (1.0, 1.0), 2.0)
    assert set(said) == {
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
    }
    assert set(said.values()) == {None}
    assert line.both_unseen.inconclusive


def test_a_task_without_such_pairs_does_not_weigh_on_the_others():
    seen = table([Fold("0", one_pair(1), one_pair(1))], {"0": {"qsd": [constant(-1.0)]}})
    unseen = table([Fold("0", one_pair(1, "x", "y"), one_pair(1))], {"0": {"qsd": [constant(1.0)]}}, name="other")
    (line,) = summarise([seen, unseen], reference="qsd")
    assert line.both_unseen.value == 1.0
    assert line.accuracy.value == 0.5


def chain(*ids):
    return [Pair(a, b) for a, b in itertools.pairwise(ids)]


def test_rank_correlation_stays_within_what_pairs_connect():
    """Two exercises judged on scales of their own: across them the order means nothing."""
    easy, hard = ["e1", "e2", "e3", "e4"], ["h1", "h2", "h3"]
    fold = Fold("0", chain("t1", "e1") + chain("t2", "h1"), chain(*easy) + chain(*hard) + chain("p1", "p2"))
    judged = {
        "e1": 40.0,
        "e2": 30.0,
        "e3": 20.0,
        "e4": 10.0,
        "h1": 3.0,
        "h2": 2.0,
        "h3": 1.0,
        "t1": 0.0,
        "p1": 1.0,
        "p2": 5.0,
    }
    given = {"e1": 0.4, "e2": 0.3, "e3": 0.2, "e4": 0.1, "h1": 0.7, "h2": 0.9, "h3": 0.8, "p1": 5.0, "p2": 0.0}
    one = table([fold], {"0": {"qsd": [given]}}, judged=judged)
    # e1 and h1 were in training; e2 to e4 agree wholly, h2 and h3 are two and left out, as are p1 and p2
    assert rank_correlation(one, "qsd") == pytest.approx(1.0)
    fresh = Fold("0", chain("t1", "t2", "t3"), fold.test)
    other = table([fresh], {"0": {"qsd": [given]}}, judged=judged)
    # h1 > h2 > h3 was judged, h2 > h3 > h1 given: rho = 1 - 6 (4 + 1 + 1) / (3 * 8) = -0.5; 4 and 3 performances
    assert rank_correlation(other, "qsd") == pytest.approx((4 * 1.0 + 3 * -0.5) / 7)


def test_one_score_for_all_correlates_with_nothing():
    fold = Fold("0", chain("x", "y"), chain("a", "b", "c"))
    flat = {"a": 1.0, "b": 1.0, "c": 1.0}
    up = {"a": 3.0, "b": 2.0, "c": 1.0}
    one = table([fold], {"0": {"qsd": [flat], "raan": [flat, up]}}, judged=up)
    assert rank_correlation(one, "qsd") == 0.0
    assert rank_correlation(one, "raan") == 0.5  # mean over the seeds
    assert [line.spearman for line in summarise([one], reference="qsd")] == [0.0, 0.5]
    assert rank_correlation(table([fold], {"0": {"qsd": [flat]}}, judged={"a": 1.0, "b": 1.0, "c": 1.0}), "qsd") is None
    assert rank_correlation(table([fold], {"0": {"qsd": [flat]}}, judged={"a": 1.0, "b": 2.0}), "qsd") is None


def test_only_what_all_tasks_have_is_in_the_table():
    fold = Fold("0", one_pair(1), one_pair(1))
    found = {"qsd": [constant(1.0)]}
    one = table([fold], {"0": found})
    one = TaskScores(
        one.task,
        [FoldScores(fold, {**found, "memorisation": [constant(0.0)], "duration": [constant(1.0)]})],
        {},
        one.rows,
    )
    other = TaskScores(one.task, [FoldScores(fold, {**found, "memorisation": [constant(0.0)]})], {}, one.rows)
    assert one.names == ["qsd", "duration", "memorisation"]
    assert [line.name for line in summarise([one, other], reference="qsd")] == ["qsd", "memorisation"]
    assert [line.seconds for line in summarise([one, other], reference="qsd")] == [2.0, None]
