"""The whole way through the house by its command line, on real (small, rendered) videos."""

import json
import shutil
import subprocess
import sys

import numpy as np
import pytest

from toprock.backbones import build
from toprock.features import FeatureStore, extract
from toprock.performance import read_manifest
from toprock.synthetic import quality_pairs, render_performances

COUNT = 6


def toprock(*arguments, status=0):
    """Run the command line in its own process; returns standard output and standard error."""
    command = [sys.executable, "-c", "from toprock.cli import main; main()", *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert done.returncode == status, done.stderr
    assert "Traceback" not in done.stderr
    return done.stdout, done.stderr


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """Videos, pairs, features and a model, made by the commands."""
    folder = tmp_path_factory.mktemp("place")
    rendered = render_performances(folder / "in", count=COUNT, seed=3, processes=2)
    (folder / "pairs.txt").write_text("".join(f"{a} {b}\n" for a, b in quality_pairs(rendered)))
    toprock("extract", folder / "in" / "manifest.csv", "--out", folder / "features")
    toprock(
        *("train", "--features", folder / "features", "--pairs", folder / "pairs.txt"),
        *("--out", folder / "model", "--steps", 5),
    )
    return folder


def video(place, number):
    return place / "in" / "videos" / f"battle-{number:03}.mp4"


def test_a_second_extraction_does_nothing_and_says_so(place):
    _, told = toprock("extract", place / "in" / "manifest.csv", "--out", place / "features")
    assert f"already holds all {COUNT} performances" in told


def test_a_score_is_its_evidence_and_the_same_from_video_and_features(place, tmp_path):
    report = tmp_path / "report.html"
    out, _ = toprock("score", video(place, 1), "--model", place / "model", "--json", "--report", report)
    found = json.loads(out)
    assert found["score"] == pytest.approx(found["bias"] + sum(s["contribution"] for s in found["segments"]), abs=1e-4)
    for segment in found["segments"]:
        assert sum(segment["contributions"].values()) == pytest.approx(segment["contribution"], abs=1e-6)
    assert {s["stream"] for s in found["segments"]} == {"dynamic", "static"}
    assert found["id"] in report.read_text()
    out, _ = toprock("score", "battle-001", "--features", place / "features", "--model", place / "model", "--json")
    assert json.loads(out)["score"] == pytest.approx(found["score"], abs=1e-5)


def test_one_bad_video_never_stops_the_others(place, tmp_path):
    bad = tmp_path / "bad.mp4"
    bad.write_bytes(b"not a video at all")
    out, _ = toprock("score", bad, video(place, 0), "--model", place / "model", "--json", status=1)
    failed, scored = json.loads(out)
    assert set(failed) == {"id", "error"}
    assert "bad.mp4" in failed["error"]
    assert "score" in scored
    videos = tmp_path / "videos"
    videos.mkdir()
    shutil.copy(bad, videos)
    shutil.copy(video(place, 0), videos / "good.mp4")
    _, told = toprock("extract", videos, "--out", tmp_path / "f", status=1)
    assert "1 performances written" in told
    assert FeatureStore(tmp_path / "f").ids() == ["good"]
    assert set(FeatureStore(tmp_path / "f").failures()) == {"bad"}


def test_rank_compare_and_evaluate(place):
    common = ("--features", place / "features", "--model", place / "model", "--json")
    rows = json.loads(toprock("rank", *common)[0])
    assert [r["rank"] for r in rows] == list(range(1, COUNT + 1))
    assert rows == sorted(rows, key=lambda r: -r["score"])
    first, last = rows[0], rows[-1]
    found = json.loads(toprock("compare", first["id"], last["id"], *common)[0])
    assert found["difference"] == pytest.approx(first["score"] - last["score"])
    assert found["probability"] is None
    out, _ = toprock("evaluate", *common, "--pairs", place / "pairs.txt", "--moments", place / "in" / "moments.csv")
    found = json.loads(out)
    assert {"accuracy", "interval", "pairs", "videos", "both_unseen", "controls", "moment_auc_good"} <= set(found)
    assert set(found["controls"]) == {"duration", "mean_motion", "cut_rate"}
    assert found["both_unseen"] is None


def test_ids_from_a_file_and_ids_that_look_like_options(place, tmp_path):
    common = ("--features", place / "features", "--model", place / "model")
    (tmp_path / "ids").write_text("battle-000\nbattle-002\n")
    out, _ = toprock("score", *common, "--json", "--ids", tmp_path / "ids")
    assert [r["id"] for r in json.loads(out)] == ["battle-000", "battle-002"]
    _, told = toprock("score", *common, "--", "-dash", status=1)
    assert "has no features of '-dash'" in told


@pytest.mark.parametrize(
    ("arguments", "what"),
    [
        (("frobnicate",), "No such command 'frobnicate'"),
        (("score", "a.mp4"), "Missing option '--model'"),
        (("extract", "x", "--out", "y", "--dynamic", "posture"), "'posture' is a static backbone"),
        (("extract", "x", "--out", "y", "--static", "nonsense"), "nonsense"),
        (("evaluate", "--features", "x"), "either --model or --train-pairs"),
    ],
)
def test_wrong_use_is_answered_in_one_line(arguments, what, tmp_path):
    _, told = toprock(*arguments, status=2)
    assert what in told
    assert len(told.strip().splitlines()) == 1


def test_unknown_ids_stop_and_can_be_skipped(place, tmp_path):
    pairs = tmp_path / "pairs.txt"
    pairs.write_text((place / "pairs.txt").read_text() + "battle-000 ghost\n")
    common = ("train", "--features", place / "features", "--pairs", pairs, "--steps", 2, "--out", tmp_path / "m")
    _, told = toprock(*common, status=1)
    assert "ghost (never seen)" in told
    assert "--skip-missing" in told
    assert not (tmp_path / "m" / "config.json").exists()
    _, told = toprock(*common, "--skip-missing")
    assert "left out 1 performances and 1 pairs" in told
    stored = json.loads((tmp_path / "m" / "config.json").read_text())["trained_on"]
    assert stored["left_out"] == {"ghost": "never seen"}
    pairs.write_text("battle-000 battle-000\n")
    _, told = toprock(*common, status=1)
    assert "compares 'battle-000' with itself" in told


def test_features_of_another_recipe_are_refused_with_the_difference(place, tmp_path):
    store = FeatureStore(tmp_path / "f", create=True)
    (one, *_) = read_manifest(place / "in" / "manifest.csv")
    extract([one], store, [build("posture", rate_hz=3.0)])
    _, told = toprock("score", one.id, "--features", tmp_path / "f", "--model", place / "model", status=1)
    assert "another recipe" in told
    assert "rate_hz is 3.0, not 6.0" in told


def test_a_damaged_model_is_named(place, tmp_path):
    _, told = toprock("score", video(place, 0), "--model", tmp_path, status=1)
    assert "is no model folder" in told
    shutil.copytree(place / "model", tmp_path / "m")
    weights = tmp_path / "m" / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:1000])
    _, told = toprock("score", video(place, 0), "--model", tmp_path / "m", status=1)
    assert "is damaged" in told


def test_one_stream_is_enough(place, tmp_path):
    common = ("--features", place / "features", "--pairs", place / "pairs.txt")
    toprock("train", *common, "--out", tmp_path / "m", "--steps", 2, "--dynamic", "none")
    out, _ = toprock("score", video(place, 0), "--model", tmp_path / "m", "--json")
    assert {s["stream"] for s in json.loads(out)["segments"]} == {"static"}


def test_a_full_disk_is_told_and_leaves_nothing_half_written(place, tmp_path):
    small = tmp_path / "small"
    small.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=120k", "tmpfs", str(small)], capture_output=True)
    if mounted.returncode:
        pytest.skip("a small disk cannot be mounted here")
    try:
        _, told = toprock("extract", place / "in" / "manifest.csv", "--out", small / "features", status=1)
        assert "the disk is full" in told
        assert not list(small.rglob("*.part"))
        store = FeatureStore(small / "features")
        for ident in store.ids():
            assert all(np.isfinite(s.features).all() for s in store.read(ident).streams.values())
    finally:
        subprocess.run(["umount", str(small)], check=True)


def test_help_needs_no_heavy_library():
    code = (
        "import sys\nfrom toprock.cli import main\nsys.argv = ['toprock', '--help']\n"
        "try:\n    main()\nexcept SystemExit:\n    pass\n"
        "assert not {'torch', 'cv2', 'av', 'scipy'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)
