"""Features made elsewhere, the whole way: import, train, score, evaluate; what is damaged is named."""

import json

import numpy as np
import pytest

from toprock.assess.model import load
from toprock.errors import RecipeMismatch
from toprock.features import FeatureStore

COUNT = 10


def better(a, b):
    """Performance 9 is the best one."""
    return f"v{max(a, b)} v{min(a, b)}\n"


@pytest.fixture(scope="module")
def desk(tmp_path_factory):
    """Archives in the layout of RAAN, of ten performances of which each is better than the one before it."""
    folder = tmp_path_factory.mktemp("imports")
    (folder / "i3d").mkdir()
    rng = np.random.default_rng(0)
    for i in range(COUNT):
        array = rng.normal(size=(40, 16)).astype(np.float32)
        array[rng.permutation(40)[: 3 * i], 0] += 4
        np.savez(folder / f"i3d/v{i}_rgb.npz", array)
    (folder / "spans.csv").write_text("vid_id,start_seconds,end_seconds\n" + "v1,10,30\n")
    pairs = [(a, b) for a in range(COUNT) for b in range(a)]
    (folder / "train.txt").write_text("".join(better(a, b) for a, b in pairs if a not in (4, 6) and b not in (4, 6)))
    (folder / "test.txt").write_text("".join(better(a, b) for a, b in pairs if a in (4, 6) or b in (4, 6)))
    return folder


@pytest.fixture(scope="module")
def trained(desk, toprock):
    options = ("--name", "i3d", "--stream", "dynamic", "--suffix", "_rgb", "--manifest", desk / "spans.csv")
    _, told = toprock("features", "import", desk / "i3d", "--out", desk / "store", *options, "--duration", 80)
    assert told.splitlines() == [f"10 performances imported into {desk / 'store'}, 0 failed."]
    common = ("--features", desk / "store", "--pairs", desk / "train.txt")
    toprock("train", *common, "--out", desk / "model", "--steps", 30)
    return desk


def test_one_stream_from_import_to_evaluation(trained, toprock):
    common = ("--features", trained / "store", "--model", trained / "model", "--json")
    one, nine = json.loads(toprock("score", *common, "v1", "v9")[0])
    assert nine["score"] > one["score"]
    assert {s["stream"] for s in one["segments"]} == {"dynamic"}
    assert (one["segments"][0]["start_s"], one["segments"][-1]["end_s"]) == (10.0, 30.0)
    assert nine["segments"][-1]["end_s"] == 80.0
    assert one["recipes"]["dynamic"]["settings"]["shape"] == [None, 16]
    found = json.loads(toprock("evaluate", *common, "--pairs", trained / "test.txt")[0])
    assert found["accuracy"] > 0.7
    assert found["both_unseen_pairs"] == 1
    assert found["controls"]["duration"] is not None


def test_a_later_import_of_new_performances_is_scored(trained, toprock, tmp_path):
    (tmp_path / "new").mkdir()
    np.savez(tmp_path / "new/anna.npz", np.load(trained / "i3d/v9_rgb.npz")["arr_0"][:30])
    (tmp_path / "spans.csv").write_text("id,start_s,end_s\nbert,0,3\n")
    options = ("--name", "i3d", "--stream", "dynamic", "--manifest", tmp_path / "spans.csv")
    _, told = toprock("features", "import", tmp_path / "new", "--out", tmp_path / "store", *options)
    assert "names none of the performances" in told
    report = tmp_path / "report.html"
    common = ("--features", tmp_path / "store", "--model", trained / "model")
    out, _ = toprock("score", *common, "anna", "--json", "--report", report)
    found = json.loads(out)
    assert [s["end_s"] for s in found["segments"]] == list(range(1, 31))
    assert "anna" in report.read_text(encoding="utf-8")


def test_a_model_of_an_import_refuses_videos_and_says_what_it_needs(trained, toprock, place):
    out, told = toprock("score", place.video(0), "--model", trained / "model", status=1)
    assert out == ""
    assert "needs the dynamic features 'i3d' of shape (any, 16)" in told
    assert "toprock features import" in told
    assert len(told.splitlines()) == 1
    with pytest.raises(RecipeMismatch, match="dynamic is flow, not i3d") as caught:
        load(trained / "model").features_of(FeatureStore(place / "features"), "battle-000")
    assert "The model needs imported features: dynamic 'i3d' (any, 16)" in caught.value.advice


def test_bad_files_are_listed_and_a_second_run_goes_on(desk, toprock, tmp_path):
    np.save(tmp_path / "good.npy", np.ones((4, 3)))
    np.save(tmp_path / "nan.npy", np.full((4, 3), np.nan))
    np.save(tmp_path / "flat.npy", np.ones(4))
    command = ("features", "import", tmp_path, "--out", tmp_path / "s", "--name", "n", "--stream", "static")
    _, told = toprock(*command, status=1)
    lines = told.splitlines()
    assert lines[0].startswith(f"left out: {tmp_path / 'flat.npy'}: has the shape (4,)")
    assert lines[1].startswith(f"left out: {tmp_path / 'nan.npy'}: 12 of its 12 values are not finite")
    assert lines[2] == f"1 performances imported into {tmp_path / 's'}, 2 failed."
    assert "how long 1 of them are is not known (such as good)" in lines[3]
    assert set(FeatureStore(tmp_path / "s").failures()) == {"flat", "nan"}
    _, told = toprock(*command, status=1)
    assert "0 performances imported" in told
    assert "1 were there already, 2 failed" in told
    out, _ = toprock("features", "verify", tmp_path / "s")
    assert "failed when made: nan" in out


def test_verify_names_what_is_damaged(trained, toprock, tmp_path):
    out, told = toprock("features", "verify", trained / "store", "--json")
    assert told == ""
    found = json.loads(out)
    assert set(found) == {"schema", "performances", "sound", "recipes", "damaged", "failures"}
    (recipe,) = found["recipes"]
    assert (recipe["backbone"], recipe["performances"], recipe["segments"]) == ("i3d", COUNT, 400)
    assert (found["performances"], found["sound"], found["damaged"]) == (COUNT, COUNT, {})
    np.save(tmp_path / "a.npy", np.ones((4, 3)))
    toprock("features", "import", tmp_path, "-o", tmp_path / "s", "--name", "n", "--stream", "static", "--duration", 4)
    path = FeatureStore(tmp_path / "s").path("a")
    path.write_bytes(path.read_bytes()[:-1])
    out, _ = toprock("features", "verify", tmp_path / "s", status=1)
    assert f"damaged: {path}: is damaged" in out
    assert "0 performances are sound, 1 are damaged" in out
    assert set(json.loads(toprock("features", "verify", tmp_path / "s", "--json", status=1)[0])["damaged"]) == {"a"}
