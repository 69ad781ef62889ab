"""What the commands say of how far their scores can be trusted, on features made up for the purpose."""

import json

import numpy as np
import pytest

COUNT = 18


@pytest.fixture(scope="module")
def judged(toprock, tmp_path_factory):
    """Eighteen imported performances as good as their first feature, of six performers at two events, and a model."""
    folder, rng = tmp_path_factory.mktemp("trust"), np.random.default_rng(0)
    arrays = folder / "arrays"
    arrays.mkdir()
    rows = []
    for number in range(COUNT):
        x = rng.normal(size=(30, 4)).astype(np.float32)
        x[:, 0] += 0.2 * number
        np.save(arrays / f"v{number:02}.npy", x)
        rows.append(f"v{number:02},0,{40 + number}\n")
    (folder / "times.csv").write_text("id,start_s,end_s\n" + "".join(rows))
    toprock(
        *("features", "import", arrays, "--out", folder / "features", "--name", "made-up"),
        *("--stream", "static", "--manifest", folder / "times.csv"),
    )
    ids = [f"v{number:02}" for number in range(COUNT)]
    lines = [f"{b} {a}\n" for i, a in enumerate(ids) for b in ids[i + 1 :]]
    (folder / "pairs.txt").write_text("".join(lines))
    manifest = [
        f"{i},{i}.mp4,p{n % 6},{'final' if n % 2 else 'semi'},{'left' if n % 3 else 'right'}\n"
        for n, i in enumerate(ids)
    ]
    (folder / "manifest.csv").write_text("id,video,performer,event,side\n" + "".join(manifest))
    (folder / "marks.csv").write_text("id,mark\n" + "".join(f"{i},{n / 2}\n" for n, i in enumerate(ids)))
    common = ("--features", folder / "features", "--pairs", folder / "pairs.txt", "--manifest", folder / "manifest.csv")
    _, told = toprock("train", *common, "--out", folder / "model", "--members", 2)
    (folder / "told.txt").write_text(told)
    toprock("train", *common, "--out", folder / "marked", "--members", 1, "--marks", folder / "marks.csv")
    return folder


def test_training_tells_what_more_comparisons_bring_and_what_is_too_close(judged):
    told = (judged / "told.txt").read_text()
    assert "twice as many between the same performances would likely bring" in told
    assert "too close to call where their scores differ by less than" in told


def test_a_score_has_a_scale_with_an_interval(toprock, judged):
    common = ("--features", judged / "features", "--model", judged / "model")
    low, high = json.loads(toprock("score", *common, "v02", "v15", "--json")[0])
    for one in (low, high):
        assert 0 <= one["scaled"]["low"] <= one["scaled"]["value"] <= one["scaled"]["high"] <= 100
        assert one["scaled"]["scale"] == "training"
        assert one["score"] == pytest.approx(np.mean(one["members"]), abs=1e-4)
    assert low["scaled"]["value"] < 40 < 60 < high["scaled"]["value"]
    assert "of 100 (" in toprock("score", *common, "v02")[0]


def test_marks_put_scores_on_the_judges_scale(toprock, judged):
    common = ("--features", judged / "features", "--model", judged / "marked")
    scaled = json.loads(toprock("score", *common, "v15", "--json")[0])["scaled"]
    assert scaled["scale"] == "marks"
    assert 6 < scaled["value"] < 10


def test_a_comparison_has_a_probability_or_is_too_close_to_call(toprock, judged):
    common = ("--features", judged / "features", "--model", judged / "model")
    clear = json.loads(toprock("compare", "v17", "v00", *common, "--json")[0])
    assert clear["probability"] > 0.9
    assert not clear["too_close"]
    out, _ = toprock("compare", "v09", "v09", *common)
    assert "Too close to call: the higher score is right with a chance of" in out
    assert "v17 is better with a chance of" in toprock("compare", "v00", "v17", *common)[0]


def test_what_is_unlike_the_training_is_said_first(toprock, judged, tmp_path):
    arrays = tmp_path / "arrays"
    arrays.mkdir()
    np.save(arrays / "odd.npy", np.full((30, 4), 9.0, np.float32))
    (tmp_path / "times.csv").write_text("id,start_s,end_s\nodd,0,400\n")
    toprock(
        *("features", "import", arrays, "--out", tmp_path / "features", "--name", "made-up"),
        *("--stream", "static", "--manifest", tmp_path / "times.csv"),
    )
    common = ("--features", tmp_path / "features", "--model", judged / "model")
    found = json.loads(toprock("score", *common, "--json")[0])
    assert [caution["kind"] for caution in found["cautions"]] == ["unlike", "length"]
    out, _ = toprock("score", *common)
    assert out.startswith("! odd: Its posture is unlike the training performances")


def test_evaluation_tells_calibration_groups_rivals_and_faithfulness(toprock, judged, tmp_path):
    pairs = [line.split() for line in (judged / "pairs.txt").read_text().splitlines()]
    new = {f"v{number:02}" for number in range(0, COUNT, 3)}
    for name, some in (
        ("train", [p for p in pairs if not new & set(p)]),
        ("test", [p for p in pairs if new & set(p)]),
    ):
        (tmp_path / name).write_text("".join(f"{a} {b}\n" for a, b in some))
    common = (
        *("evaluate", "--features", judged / "features", "--manifest", judged / "manifest.csv", "--members", 1),
        *("--train-pairs", tmp_path / "train", "--test-pairs", tmp_path / "test", "--faithfulness"),
    )
    found = json.loads(toprock(*common, "--json")[0])
    assert set(found["calibration"]) == {"one", "both"}
    for kind, measured in found["calibration"].items():
        assert set(measured["calibrated"]) == {"ece", "brier", "log_loss"}, kind
        assert len(measured["bins"]) == 10
    assert found["calibration"]["both"]["pairs"] == 15
    assert {group["column"] for group in found["groups"]} == {"performer", "event"}
    assert found["rivals"] == ["duration"]  # longer is better here, always
    assert found["faithfulness"]["deletion"]["best"]["change"] < 0
    out, _ = toprock(*common, "--by", "side")
    assert "by side" in out
    assert "! duration alone ranks as well but for chance" in out
    assert "came true" in out
    assert "best, deleted" in out
    _, told = toprock(*common, "--by", "shoes", status=2)
    assert "has nothing in a column 'shoes'" in told


def test_two_models_are_put_beside_each_other(toprock, judged):
    common = ("compare-models", judged / "model", judged / "marked", "--features", judged / "features")
    found = json.loads(toprock(*common, "--pairs", judged / "pairs.txt", "--json")[0])
    assert found["learnt_from"] == [COUNT, COUNT]
    assert found["agreement"] > 0.8
    assert found["one_scale"] is False
    out, _ = toprock("compare-models", judged / "model", judged / "model", *common[3:])
    assert "agree with a rank correlation of 1.00" in out
    assert "move by +0.0 on the mean" in out


def test_the_card_tells_trust_controls_and_limits(judged):
    text = (judged / "model/README.md").read_text()
    for head in ("How far to trust it", "What else could explain its order", "Where it holds"):
        assert head in text
    assert '"longer is better" ranks 100.0% of the training pairs right' in text
