"""Checkpoints from the command line: from a folder of weights to a score, and what goes wrong on the way."""

import json
import os
import shutil
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "backbones"))
from checkpoints import make_checkpoint

ALONE = {"TOPROCK_WEIGHTS": "", "HF_HUB_OFFLINE": "1"}


@pytest.fixture(scope="module")
def bench(tmp_path_factory):
    """A folder with two small checkpoints."""
    folder = tmp_path_factory.mktemp("bench")
    make_checkpoint("dinov2", folder / "still")
    make_checkpoint("videomae", folder / "moving")
    return folder


def env(**more):
    return {**os.environ, **ALONE, **more}


def test_from_a_folder_of_weights_to_a_score(bench, place, toprock, tmp_path):
    said = toprock(
        *("extract", place / "in/manifest.csv", "--out", tmp_path / "features"),
        *("--dynamic", f"temporal:image={bench / 'still'}", "--static", bench / "still", "--precision", "float32"),
        env=env(),
    )[1]
    assert "still ran on cpu, float32" in said
    assert "6 performances written" in said
    pairs = ("--features", tmp_path / "features", "--pairs", place / "pairs.txt")
    toprock("train", *pairs, "--out", tmp_path / "model", "--steps", 5, "--members", 1, env=env())
    card = (tmp_path / "model" / "README.md").read_text()
    assert "temporal" in card
    assert "still" in card
    assert "licence of its checkpoint's folder, weights `" in card
    shown = ("score", place.video(0), "--model", tmp_path / "model", "--json", "--precision", "float32")
    first = json.loads(toprock(*shown, env=env())[0])
    stored = toprock(
        *("score", "--features", tmp_path / "features", "--model", tmp_path / "model", "--json", "battle-000"),
        env=env(),
    )[0]
    assert first["score"] == pytest.approx(json.loads(stored)["score"], abs=2e-3)
    assert {segment["stream"] for segment in first["segments"]} == {"dynamic", "static"}

    shutil.move(bench / "still", bench / "gone")
    try:
        said = toprock(*shown[:4], status=1, env=env())[1].replace("\n", " ")
        assert "the weights of 'still' are not on this machine" in said
        assert "TOPROCK_WEIGHTS" in said
        (tmp_path / "weights").mkdir()
        shutil.copytree(bench / "gone", tmp_path / "weights" / "still")
        there = json.loads(toprock(*shown, env=env(TOPROCK_WEIGHTS=str(tmp_path / "weights")))[0])
        assert there["score"] == pytest.approx(first["score"], abs=1e-5)
    finally:
        shutil.move(bench / "gone", bench / "still")


@pytest.mark.parametrize(
    "options, message",
    [
        (("--dynamic", "STILL"), "'still' is a static backbone, not a dynamic one.*--static.*temporal:image="),
        (("--static", "MOVING"), "'moving' is a dynamic backbone, not a static one.*--dynamic"),
        (("--static", "nowhere/at-all"), "nowhere/at-all: there is no such folder"),
        (("--static", "dinov9"), "there is no backbone 'dinov9'.*dinov2-small.*or a folder"),
        (("--crop", "performer"), "--crop performer is for networks"),
        (("--static", "STILL:rate=3"), "has no setting rate.*rate_hz"),
        (("--precision", "half"), "there is no precision 'half'.*bfloat16"),
        (("--device", "tpu"), "there is no device 'tpu'.*cuda"),
    ],
)
def test_wrong_choices_are_named(options, message, bench, place, toprock, tmp_path):
    import re

    written = [o.replace("STILL", str(bench / "still")).replace("MOVING", str(bench / "moving")) for o in options]
    said = toprock("extract", place.video(0), "--out", tmp_path / "f", *written, status=2, env=env())[1]
    assert re.search(message, said.replace("\n", " "))
    assert not (tmp_path / "f").exists()


def test_a_folder_with_pickles_is_refused_before_anything_is_read(bench, place, toprock, tmp_path):
    folder = tmp_path / "pickles"
    shutil.copytree(bench / "still", folder)
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")
    said = toprock("extract", place.video(0), "--out", tmp_path / "f", "--static", folder, status=1, env=env())[1]
    assert "as a pickle only" in said
    assert not (tmp_path / "f").exists()


def test_the_list_says_what_is_ready_and_what_to_run(bench, toprock, tmp_path):
    empty = env(HF_HUB_CACHE=str(tmp_path), XDG_CACHE_HOME=str(tmp_path), TOPROCK_WEIGHTS=str(bench))
    found = json.loads(toprock("backbones", "--json", env=empty)[0])
    states = {one["name"]: one["state"] for one in found["backbones"]}
    assert states["flow"] == states["posture"] == states["temporal"] == "ready"
    assert states["dinov2-small"] == states["pose"] == "downloadable"
    assert states["vivit-base"] == "bring a folder"
    assert {Path(folder).name for folder in found["folders"]} == {"still", "moving"}
    said = toprock("backbones", env=empty | {"COLUMNS": "160"})[0]
    assert "toprock backbones --download NAME" in said
    assert "CC-BY-NC-4.0" in said
    assert str(bench / "still") in said.replace("\n", "")
    said = toprock("backbones", "--download", "flow", status=2, env=empty)[1]
    assert "'flow' has no weights to fetch" in said
    said = toprock("backbones", "--download", "vivit-base", status=1, env=empty)[1].replace("\n", " ")
    assert "holds its weights as a pickle" in said


def test_pose_and_the_performer_from_the_command_line(bench, place, shared, toprock, tmp_path):
    here = env(TOPROCK_WEIGHTS=str(shared / "weights"))
    said = toprock(
        *("extract", place.video(0), "--out", tmp_path / "features", "--crop", "performer"),
        *("--dynamic", "pose-motion", "--static", bench / "still"),
        env=here,
    )[1]
    assert "1 performances written" in said
    recipes = json.loads((tmp_path / "features" / "store.json").read_text())["recipes"]
    settings = {recipe["backbone"]: recipe["settings"] for recipe in recipes}
    assert settings["still"]["crop"] == "performer"
    assert settings["still"]["pose_weights"] == settings["pose-motion"]["weights"]
    checked = toprock("features", "verify", tmp_path / "features", env=here)
    assert "1" in checked[0] + checked[1]
    said = toprock("extract", place.video(0), "--out", tmp_path / "g", "--static", "pose", status=1, env=env())[1]
    assert "toprock backbones --download pose" in said.replace("\n", " ")
