import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from toprock.datasets.scored import read_fis_v, read_rhythmic_gymnastics, score_pairs
from toprock.errors import FeaturesError, PairsError, UsageError

HEADER = "Video_Name\tDifficulty_Score    Execution_Score Total_Score\tPenalty\tVideo_length\n"
GYMNASTICS = {
    "train": "Ball_001\t9.00\t8.00\t17.00\t0.00\t90\nBall_002\t7.00\t4.00\t10.50\t0.50\t93\n"
    "Ball_003\t7.00\t3.50\t10.50\t0.00\t93\nHoop_001\t9.00\t7.00\t16.00\t0.00\t92\nHoop_002\t7\t4\t11\t0\t93\n",
    "test": "Ball_004\t7.00\t6.25\t13.25\t0.00\t91\nBall_005\t7.00\t4.00\t11.00\t0.00\t92\n"
    "Hoop_003\t7.50\t7.00\t14.50\t0.00\t91\nHoop_004\t5.0\t7.00\t12.00\t0.00\t91\n",
}
SKATING = {"train": "1 30.5 27 1\n2 31.5 28.5 0\n3 20.25 28.5 2\n", "test": "4 27 26.5 2\n5 33.75 32.25 0\n"}


def words(text):
    return [line.split()[0] for line in text.splitlines()]


@pytest.fixture
def gymnastics(tmp_path, save_array):
    for side, lines in GYMNASTICS.items():
        (tmp_path / f"{side}.txt").write_text(HEADER + lines)
        for name in words(lines):
            save_array(tmp_path / f"dynamic_feat/{name}.npy", (5, 8))
            save_array(tmp_path / f"static_feat/{name}.npy", (20, 4))
    return tmp_path


@pytest.fixture
def skating(tmp_path, save_array):
    for side, lines in SKATING.items():
        (tmp_path / f"labels/{side}.txt").parent.mkdir(exist_ok=True)
        (tmp_path / f"labels/{side}.txt").write_text(lines)
        for name in words(lines):
            save_array(tmp_path / f"swintx_avg_fps25_clip32/{name}.npy", (7, 8))
    return tmp_path


def names(pairs):
    return [(p.better, p.worse) for p in pairs]


def test_rhythmic_gymnastics(gymnastics):
    ball, hoop = read_rhythmic_gymnastics(gymnastics)
    assert (ball.name, hoop.name) == ("rhythmic-gymnastics/Ball", "rhythmic-gymnastics/Hoop")
    (fold,) = ball.folds
    assert names(fold.train) == [("Ball_001", "Ball_002"), ("Ball_001", "Ball_003")]
    assert names(fold.test) == [("Ball_004", "Ball_005")]
    assert ball.scores == {"Ball_001": 17.0, "Ball_002": 10.5, "Ball_003": 10.5, "Ball_004": 13.25, "Ball_005": 11.0}
    assert {stream: recipe.backbone for stream, recipe in ball.recipes.items()} == {
        "dynamic": "dynamic_feat",
        "static": "static_feat",
    }
    found = ball.features["Ball_001"]
    assert found.facts == {"duration_s": 90.0}
    assert found.streams[ball.recipes["dynamic"]].times[-1].tolist() == [72.0, 90.0]
    np.testing.assert_array_equal(
        found.streams[ball.recipes["static"]].features,
        np.load(gymnastics / "static_feat/Ball_001.npy").astype(np.float16),
    )
    assert set(hoop.features) == {f"Hoop_00{i}" for i in range(1, 5)}


def test_a_threshold_leaves_out_close_calls(gymnastics):
    ball, _ = read_rhythmic_gymnastics(gymnastics, threshold=3.0)
    assert names(ball.folds[0].train) == [("Ball_001", "Ball_002"), ("Ball_001", "Ball_003")]
    assert names(ball.folds[0].test) == []
    for threshold in (-1.0, float("nan")):
        with pytest.raises(UsageError, match="the threshold is"):
            read_rhythmic_gymnastics(gymnastics, threshold=threshold)


def test_figure_skating(skating):
    tes, pcs = read_fis_v(skating / "swintx_avg_fps25_clip32", skating / "labels")
    assert (tes.name, pcs.name) == ("fis-v/TES", "fis-v/PCS")
    assert names(tes.folds[0].train) == [("2", "1"), ("2", "3"), ("1", "3")]
    assert names(pcs.folds[0].train) == [("2", "1"), ("3", "1")]
    assert pcs.scores["5"] == 32.25
    assert tes.recipes == pcs.recipes
    assert tes.recipes["dynamic"].backbone == "swintx_avg_fps25_clip32"
    assert tes.features["1"].facts == {"duration_s": None}
    for side in ("train", "test"):
        (skating / f"labels/{side}.txt").rename(skating / f"labels/{side}_dataset.txt")
    assert [t.name for t in read_fis_v(skating)] == ["fis-v/TES", "fis-v/PCS"]


def test_what_is_missing_is_counted_and_named(skating):
    (skating / "swintx_avg_fps25_clip32/1.npy").unlink()
    np.save(skating / "swintx_avg_fps25_clip32/4.npy", np.ones(8))
    tes, _ = read_fis_v(skating)
    assert set(tes.missing) == {"1", "4"}
    assert tes.missing["1"] == "no features"
    assert "has the shape (8,)" in tes.missing["4"]
    assert tes.pairs_left_out == 3
    assert set(tes.scores) == set(tes.features) == {"2", "3", "5"}


def test_folders_that_are_not_clear(gymnastics, skating, save_array):
    save_array(gymnastics / "other/Ball_001.npy", (5, 8))
    with pytest.raises(PairsError, match=r"has 2 files train\.txt"):
        read_rhythmic_gymnastics(gymnastics)
    (gymnastics / "labels/train.txt").unlink()
    (gymnastics / "labels/test.txt").unlink()
    with pytest.raises(FeaturesError, match="two kinds of dynamic features") as caught:
        read_rhythmic_gymnastics(gymnastics)
    assert str(gymnastics / "other") in str(caught.value)
    with pytest.raises(FeaturesError, match="none of the 9 videos") as caught:
        read_rhythmic_gymnastics(skating / "swintx_avg_fps25_clip32", gymnastics)
    assert "pickles" in caught.value.advice


def test_a_score_of_zero_is_no_header(skating):
    (skating / "labels/train.txt").write_text("1 0.0 27 1\n2 31.5 28.5 0\n")
    tes, _ = read_fis_v(skating / "swintx_avg_fps25_clip32", skating / "labels")
    assert tes.scores["1"] == 0.0
    assert names(tes.folds[0].train) == [("2", "1")]
    (skating / "labels/train.txt").write_text("1 nan 27 1\n2 31.5 28.5 0\n")
    with pytest.raises(PairsError, match="line 1: does not hold an id and 2 numbers"):
        read_fis_v(skating / "swintx_avg_fps25_clip32", skating / "labels")


def test_a_video_with_two_files_is_refused(skating):
    folder = skating / "swintx_avg_fps25_clip32"
    np.savez(folder / "2.npz", np.ones((7, 8)))
    with pytest.raises(FeaturesError, match=r"2\.np[yz] and 2\.np[yz] mean one video"):
        read_fis_v(folder, skating / "labels")


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("1 20\n", "line 1: does not hold an id and 2 numbers"),
        ("1 20 30\n2 x 3\n", "line 2: does not hold"),
        ("1 20 nan\n", "line 1: does not hold"),
        ("1 1 2\n1 1 2\n1 1 3\n", "line 3: '1' has other scores above"),
        ("Video TES PCS\n", "holds no video"),
        (None, r"has no file train\.txt"),
    ],
)
def test_malformed_labels_are_named_with_the_line(skating, text, what):
    path = skating / "labels/train.txt"
    path.unlink() if text is None else path.write_text(text)
    with pytest.raises(PairsError, match=what) as caught:
        read_fis_v(skating)
    assert str(skating) in str(caught.value)
    assert caught.value.advice


@given(
    st.dictionaries(st.text("abc", min_size=1), st.integers(0, 2000).map(lambda n: n / 100), max_size=12),
    st.integers(0, 500).map(lambda n: n / 100),
)
def test_pairs_are_those_that_the_scores_order(scores, threshold):
    pairs = {(p.better, p.worse) for p in score_pairs(scores, threshold=threshold)}
    assert pairs == {
        (a, b) for a in scores for b in scores if round(100 * (scores[a] - scores[b])) > round(100 * threshold)
    }
