"""BRACE from videos to a model, on rendered battles; who won, on the real annotations."""

import re
import shutil
from dataclasses import replace

import av
import numpy as np
import pytest

from toprock import FeatureStore, Pair, train
from toprock.assess.model import Model
from toprock.backbones import build
from toprock.comparisons import write_pairs
from toprock.datasets.battles import parts, performance_id, read_battles
from toprock.datasets.brace import battle_pairs, find_videos, outcomes, read, yearly_folds
from toprock.errors import FeaturesError, ManifestError, PairsError
from toprock.features import Recipe
from toprock.features.extraction import describe_video
from toprock.performance import read_manifest
from toprock.ranker import Plan
from toprock.synthetic import write_video


@pytest.fixture
def copy(championship, tmp_path):
    """Annotations to be changed."""
    for name in ("annotations", "videos_info.csv", "outcomes.csv"):
        place = championship.folder / name
        (shutil.copytree if place.is_dir() else shutil.copy)(place, tmp_path / name)
    return tmp_path


def test_each_year_is_tested_by_what_was_learnt_from_the_others(championship):
    (task,) = read(championship.folder)
    ids = [[performance_id(b.year, b.video_id, name) for name in b.ranked] for b in championship.battles]
    first, *others = [Pair(*pair) for pair in ids]
    assert [(fold.name, fold.train, fold.test) for fold in task.folds] == [
        ("2031", others, [first]),
        ("2032", [first], others),
    ]
    assert set(task.features) == {ident for pair in ids for ident in pair}
    assert set(task.recipes) == {"dynamic", "static"}
    assert task.performers == {ident: ident.split("/", 2)[2] for pair in ids for ident in pair}
    assert (task.missing, task.pairs_left_out) == ({}, 0)


def test_features_come_from_the_dancers_own_turns_and_cuts_are_found(championship):
    (task,) = read(championship.folder)
    intervals = {p.id: p.intervals for p in read_manifest(championship.folder / "prepared/manifest.csv")}
    for ident, found in task.features.items():
        spans = intervals[ident]
        for stream in task.recipes.values():
            times = found.streams[stream].times
            inside = [[a - 1e-6 <= start and end <= b + 1e-6 for a, b in spans] for start, end in times]
            assert (np.sum(inside, axis=1) == 1).all()
            assert (np.sum(inside, axis=0) > 15).all()
        assert found.facts["duration_s"] == pytest.approx(sum(b - a for a, b in spans), abs=0.1)
        assert found.facts["annotated_cuts"] == 4
        assert found.facts["cuts"] == pytest.approx(4, abs=1)
    cuts = sum(found.facts["cuts"] for found in task.features.values())
    assert cuts == pytest.approx(4 * len(task.features), abs=1)


def test_what_the_other_dancer_does_changes_nothing(championship, tmp_path):
    """The same battle with the other dancer's turns painted over: one performance stays, the other is gone."""
    battle = championship.battles[0]
    one, other = (p for p in read_manifest(championship.folder / "prepared/manifest.csv") if p.video == battle.video)

    def painted():
        with av.open(str(battle.video)) as container:
            for frame in container.decode(video=0):
                image = frame.to_ndarray(format="rgb24")
                yield np.full_like(image, 90) if any(a <= frame.time < b for a, b in other.intervals) else image

    write_video(painted(), tmp_path / "painted.mp4")
    again = [replace(p, video=tmp_path / "painted.mp4") for p in (one, other)]
    made = describe_video(tmp_path / "painted.mp4", again, [build("posture")])
    store = FeatureStore(championship.folder / "features")
    likeness = []
    for p, now in zip((one, other), made, strict=True):
        (recipe,) = now.streams
        before = store.read(p.id).streams[recipe].features.astype(float)
        after = now.streams[recipe].features.astype(float)
        assert before.shape == after.shape
        spread = before.std(axis=0)
        likeness.append(np.median(np.abs(after - before)[:, spread > 0] / spread[spread > 0]))
    assert likeness[0] < 0.2  # the video was coded once more
    assert likeness[1] > 5 * likeness[0]


def test_a_model_learns_a_fold_and_judges_its_test(championship):
    (task,) = read(championship.folder)
    fold = task.folds[0]
    store = FeatureStore(championship.folder / "features")
    saved = train(store, fold.train, performers=task.performers, plan=Plan(steps=40))
    model = Model(saved)
    scores = {ident: model.assess(task.features[ident]).score for ident in task.features}
    assert all(np.isfinite(score) for score in scores.values())
    for pair in fold.train:
        assert scores[pair.better] > scores[pair.worse]
    (test,) = fold.test
    assert not {test.better, test.worse} & set(saved.config.trained_on.performances)
    assert scores[test.better] != scores[test.worse]


def test_pairs_of_ones_own_take_the_place_of_the_outcomes(championship, tmp_path):
    (task,) = read(championship.folder)
    turned = [Pair(p.worse, p.better) for p in task.folds[0].train + task.folds[0].test]
    across = Pair(turned[0].better, turned[-1].better)
    write_pairs([*turned, across], tmp_path / "pairs.csv")
    (own,) = read(championship.folder, tmp_path / "pairs.csv")
    assert [(p.better, p.worse) for p in own.folds[0].test] == [(p.worse, p.better) for p in task.folds[0].test]
    assert all(across not in (*fold.train, *fold.test) for fold in own.folds)
    (same,) = read(championship.folder, tmp_path)
    assert same.folds == own.folds


def test_performances_without_features_are_counted_and_named(championship, copy):
    shutil.copytree(championship.folder / "features", copy / "features")
    store = FeatureStore(copy / "features")
    lost = [
        performance_id(b.year, b.video_id, b.dancers[0]) for b in (championship.battles[1], championship.battles[2])
    ]
    store.path(lost[0]).unlink()
    store.note_failures({lost[0]: "the video is damaged"})
    (task,) = read(copy)
    assert task.missing == {lost[0]: "the video is damaged"}
    assert task.pairs_left_out == 2  # once to test, once to train on
    assert [(len(f.train), len(f.test)) for f in task.folds] == [(1, 1), (1, 1)]
    store.path(lost[1]).unlink()
    with pytest.raises(PairsError, match="2 performances have no features"):
        next(read(copy))


def test_without_features_it_says_how_to_make_them(copy):
    with pytest.raises(FeaturesError, match="toprock dataset brace, then toprock extract"):
        next(read(copy))


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("dancer 1", "dancer 5", "are not in 'battle-1-000'"),
        ("battle-1-000", "battle-9", "are not in 'battle-9'"),
        (",yes,", ",perhaps,", "line 2: certain is 'perhaps', neither yes nor no"),
        ("winner", "best", "no column winner"),
        ("\nbattle-1-001", "\nbattle-1-000", "are not in 'battle-1-000'"),
    ],
)
def test_outcomes_that_make_no_sense_are_refused(copy, old, new, said):
    text = (copy / "outcomes.csv").read_text()
    assert old in text
    (copy / "outcomes.csv").write_text(text.replace(old, new, 1))
    with pytest.raises(ManifestError, match=re.escape(said)):
        outcomes(copy, read_battles(copy))


def test_a_battle_with_two_outcomes_is_refused(copy):
    with (copy / "outcomes.csv").open("a") as file:
        file.write((copy / "outcomes.csv").read_text().splitlines()[1] + "\n")
    with pytest.raises(ManifestError, match="'battle-1-000' stands twice"):
        outcomes(copy, read_battles(copy))


def test_several_kinds_of_features_are_told_apart_by_folder(championship, copy):
    shutil.copytree(championship.folder / "features", copy / "features")
    store = FeatureStore(copy / "features")
    (recipe, *_) = store.recipes
    store.add_recipes(Recipe(recipe.stream, "another", {}))
    with pytest.raises(FeaturesError, match="has several kinds of features of one stream"):
        list(read(copy))


def test_battles_that_are_no_knockout_need_an_outcomes_file(copy):
    (copy / "outcomes.csv").unlink()
    assert battle_pairs(copy, read_battles(copy)) == []  # three single battles, of which nothing follows
    battles = [replace(b, year="2031") for b in read_battles(copy)]
    names = {"dancer 0": "a", "dancer 1": "b", "dancer 2": "b", "dancer 3": "c", "dancer 4": "c", "dancer 5": "a"}
    ring = [replace(b, turns=tuple(replace(t, dancer=names[t.dancer]) for t in b.turns)) for b in battles]
    with pytest.raises(PairsError, match=r"who won in 2031 cannot be told .*Write down who won in .*outcomes\.csv"):
        outcomes(copy, ring)


def test_the_brackets_give_the_shared_outcomes(shared, tmp_path):
    data = shared / "data/brace"
    battles = read_battles(data)
    told, derived = outcomes(data, battles), outcomes(tmp_path, battles)
    assert (len(told), sum(o.certain for o in told.values())) == (74, 70)
    assert derived == told
    pairs = battle_pairs(tmp_path, battles)
    assert (len(pairs), len(battle_pairs(tmp_path, battles, uncertain=True))) == (70, 74)
    assert {i for p in pairs for i in (p.better, p.worse)} <= set(parts(battles))
    assert all(p.better.rpartition("/")[0] == p.worse.rpartition("/")[0] for p in pairs)


def test_the_real_folds(shared):
    """Sizes, and how many test pairs are of two dancers who are in no training pair, as the documents say."""
    battles = read_battles(shared / "data/brace")
    folds = yearly_folds(battle_pairs(shared / "data/brace", battles))
    assert [(fold.name, len(fold.train), len(fold.test)) for fold in folds] == [
        ("2011", 66, 4), ("2013", 56, 14), ("2014", 58, 12), ("2017", 56, 14), ("2018", 56, 14), ("2020", 58, 12),
    ]  # fmt: skip
    unseen = 0
    for fold in folds:
        trained, tested = (
            {i: i.split("/", 2) for p in side for i in (p.better, p.worse)} for side in (fold.train, fold.test)
        )
        assert not {video for _, video, _ in trained.values()} & {video for _, video, _ in tested.values()}
        dancers = {dancer for _, _, dancer in trained.values()}
        unseen += sum(tested[p.better][2] not in dancers and tested[p.worse][2] not in dancers for p in fold.test)
    assert unseen == 16


def test_a_video_is_known_by_its_id_as_downloaders_write_it(tmp_path, copy):
    battles = read_battles(copy)
    for name in ("Final [battle-1-000].mp4", "Final-battle-1-001.webm", "battle-1-002.mkv", "battle-1-0021.mp4"):
        (tmp_path / name).touch()
    found, missing = find_videos(tmp_path, battles)
    assert {ident: video.suffix for ident, video in found.items()} == {
        "battle-1-000": ".mp4",
        "battle-1-001": ".webm",
        "battle-1-002": ".mkv",
    }
    assert missing == []
