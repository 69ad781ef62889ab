"""Checkpoint folders: those that are not what they should be, and which weights a name or a recipe means."""

import json
import shutil

import pytest
from checkpoints import make_checkpoint

from toprock.backbones import build, from_settings
from toprock.backbones.base import Compute
from toprock.backbones.pretrained import CATALOGUE
from toprock.errors import RecipeMismatch, UsageError, WeightsError
from toprock.features.recipe import Recipe

PLAIN = Compute(device="cpu", precision="float32")


def copy(folder, to):
    shutil.copytree(folder, to)
    return to


def test_an_empty_folder_is_no_checkpoint(tmp_path):
    with pytest.raises(WeightsError, match=r"is no checkpoint .it has no config.json"):
        build(str(tmp_path))


def test_an_unknown_kind_lists_the_known(tmp_path):
    (tmp_path / "config.json").write_text('{"model_type": "bert"}')
    with pytest.raises(WeightsError, match=r"model_type is bert.*clip.*dinov2.*vjepa2"):
        build(str(tmp_path))


@pytest.mark.parametrize("name", ["pytorch_model.bin", "model.pt"])
def test_pickles_are_refused_with_the_way_out(name, checkpoints, tmp_path):
    folder = copy(checkpoints("dinov2"), tmp_path / "dino")
    (folder / "model.safetensors").unlink()
    (folder / name).write_bytes(b"anything")
    with pytest.raises(WeightsError, match=r"as a pickle only.*could run any code.*model.safetensors"):
        build(str(folder))


def test_cut_off_weights_are_named(checkpoints, tmp_path):
    folder = copy(checkpoints("dinov2"), tmp_path / "dino")
    data = (folder / "model.safetensors").read_bytes()
    (folder / "model.safetensors").write_bytes(data[: len(data) // 2])
    with pytest.raises(WeightsError, match=r"model.safetensors: is damaged or cut off"):
        build(str(folder))
    (folder / "model.safetensors").write_bytes(b"")
    with pytest.raises(WeightsError, match=r"is damaged or cut off"):
        build(str(folder))


def test_damaged_settings_are_named(checkpoints, tmp_path):
    folder = copy(checkpoints("dinov2"), tmp_path / "dino")
    for name, text in (
        ("config.json", "{"),
        ("config.json", "[]"),
        ("preprocessor_config.json", "{"),
        ("preprocessor_config.json", '{"size": "large"}'),
        ("preprocessor_config.json", '{"size": 32, "resample": 5, "image_mean": 0.5, "image_std": 0.5}'),
        ("preprocessor_config.json", '{"size": 32, "image_mean": [0.5], "image_std": [0.5]}'),
        ("preprocessor_config.json", '{"size": 32}'),
    ):
        before = (folder / name).read_text()
        (folder / name).write_text(text)
        with pytest.raises(WeightsError, match=name):
            build(str(folder))
        (folder / name).write_text(before)
    (folder / "preprocessor_config.json").unlink()
    with pytest.raises(WeightsError, match=r"has no preprocessor_config.json"):
        build(str(folder))


@pytest.mark.parametrize(
    "name, more, message",
    [
        ("config.json", {"hidden_size": 10**9}, "hidden_size is 1000000000, not a whole number from 1 to 16384"),
        ("config.json", {"num_hidden_layers": -1}, "num_hidden_layers is -1"),
        ("config.json", {"vision_config": 3}, "vision_config is no object"),
        ("preprocessor_config.json", {"size": {"shortest_edge": 100_000}}, "pictures of 100000"),
        ("preprocessor_config.json", {"crop_size": 4}, "pictures of .* 4 pixels are not within 8 to 1024"),
        ("preprocessor_config.json", {"image_std": [0, 1, 1]}, "by what is no positive number"),
        ("preprocessor_config.json", {"rescale_factor": "x"}, "could not convert"),
    ],
)
def test_absurd_numbers_are_named_before_anything_is_made_of_them(name, more, message, checkpoints, tmp_path):
    folder = copy(checkpoints("dinov2"), tmp_path / "dino")
    (folder / name).write_text(json.dumps(json.loads((folder / name).read_text()) | more))
    with pytest.raises(WeightsError, match=rf"{name}.*{message}"):
        build(str(folder))


def test_absurd_settings_are_named(checkpoints):
    with pytest.raises(UsageError, match=r"frames=100000.* at most 128 frames"):
        build(str(checkpoints("videomae")), frames=100_000)
    with pytest.raises(UsageError, match=r"rate_hz=1e\+09 of the backbone 'dinov2' is more than any video has"):
        build(str(checkpoints("dinov2")), rate_hz=1e9)


def test_sizes_that_do_not_fit_are_said(checkpoints, tmp_path):
    folder = copy(checkpoints("dinov2"), tmp_path / "wider")
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | {"hidden_size": 64}))
    with pytest.raises(WeightsError, match=r"wider: its (weights|model.safetensors)"):
        build(str(folder)).open(PLAIN)
    (folder / "config.json").write_text(json.dumps(config | {"num_hidden_layers": 3}))
    with pytest.raises(WeightsError, match=r"model.safetensors lacks .*layer.2"):
        build(str(folder)).open(PLAIN)


def test_pictures_that_the_model_cannot_look_at_are_said(checkpoints, tmp_path):
    folder = copy(checkpoints("videomae"), tmp_path / "videomae")
    with pytest.raises(WeightsError, match=r"cannot look at inputs of 7 x 32 x 32 x 3.*Leave out frames="):
        build(str(folder), frames=7).open(PLAIN)


def test_the_parts_of_a_large_checkpoint_are_all_needed(checkpoints, tmp_path):
    import transformers

    folder = tmp_path / "parts"
    model = transformers.Dinov2Model.from_pretrained(checkpoints("dinov2"))
    model.save_pretrained(folder, max_shard_size="20KB")
    shutil.copy(checkpoints("dinov2") / "preprocessor_config.json", folder)
    parts = sorted(folder.glob("model-*.safetensors"))
    assert len(parts) > 1
    assert build(str(folder)).open(PLAIN).batch >= 1
    parts[1].unlink()
    with pytest.raises(WeightsError, match=f"lacks {parts[1].name}"):
        build(str(folder))


def test_wrong_streams_settings_and_names(checkpoints):
    folder = str(checkpoints("dinov2"))
    with pytest.raises(UsageError, match=r"has no setting every_s"):
        build(folder, every_s=2)
    with pytest.raises(UsageError, match=r"cannot crop to 'left'"):
        build(folder, crop="left")
    with pytest.raises(UsageError, match=r"every_s=3.* longer than its clips"):
        build(str(checkpoints("videomae")), every_s=3)
    with pytest.raises(UsageError, match=r"looks at clips already"):
        build("temporal", image=str(checkpoints("videomae")))
    for image in ("", "pose", "videomae-small"):
        with pytest.raises(UsageError, match=rf"'{image}' is no model of single pictures"):
            build(f"temporal:image={image}")
    with pytest.raises(UsageError, match=r"no backbone is named"):
        build(" ")
    with pytest.raises(UsageError, match=r"there is no such folder"):
        build("some/where")
    with pytest.raises(UsageError, match=r"'posture:x' is no|there is no backbone|is no setting"):
        build("posture:x")
    assert build(f"{folder}").settings["rate_hz"] == 2.0


def test_names_with_settings():
    assert build("flow:clip_s=1.2,every_s=0.6").settings["every_s"] == 0.6
    with pytest.raises(UsageError, match=r"has no setting speed"):
        build("flow:speed=2")


# ---- which weights


def test_other_weights_than_the_recipes_are_refused(checkpoints, tmp_path, monkeypatch):
    recipe = Recipe.of(build(str(checkpoints("dinov2"))))
    other = make_checkpoint("dinov2", tmp_path / "other" / "dinov2", seed=7)
    with pytest.raises(WeightsError, match=r"in .*other.* are not those that were used"):
        from_settings(recipe.backbone, recipe.settings, weights_at=str(other))
    monkeypatch.setenv("TOPROCK_WEIGHTS", str(checkpoints("dinov2").parent))
    assert Recipe.of(from_settings(recipe.backbone, recipe.settings, weights_at=str(other))) == recipe


def test_weights_that_moved_are_found_by_name_and_content(checkpoints, tmp_path, monkeypatch):
    first = copy(checkpoints("dinov2"), tmp_path / "here" / "mine")
    recipe = Recipe.of(build(str(first)))
    (tmp_path / "there").mkdir()
    shutil.move(first, tmp_path / "there" / "mine")
    with pytest.raises(WeightsError, match=r"the weights of 'mine' are not on this machine.*TOPROCK_WEIGHTS"):
        recipe.build()
    monkeypatch.setenv("TOPROCK_WEIGHTS", str(tmp_path / "there"))
    assert Recipe.of(recipe.build()) == recipe


def test_a_place_for_weights_that_is_none_is_told(tmp_path, monkeypatch, checkpoints):
    recipe = Recipe.of(build(str(copy(checkpoints("dinov2"), tmp_path / "mine"))))
    shutil.rmtree(tmp_path / "mine")
    monkeypatch.setenv("TOPROCK_WEIGHTS", "/etc/passwd")
    with pytest.raises(WeightsError, match=rf"nor at {tmp_path}/mine.*TOPROCK_WEIGHTS names /etc/passwd, which is no"):
        recipe.build()


def test_another_preparation_is_another_recipe(checkpoints, tmp_path):
    folder = copy(checkpoints("dinov2"), tmp_path / "dino")
    recipe = Recipe.of(build(str(folder)))
    path = folder / "preprocessor_config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"image_mean": [0.1, 0.2, 0.3]}))
    with pytest.raises(RecipeMismatch, match=r"preparation is"):
        recipe.build()


def test_a_known_checkpoint_that_is_not_here_says_how_to_get_it(tmp_path, monkeypatch):
    monkeypatch.delenv("TOPROCK_WEIGHTS", raising=False)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    with pytest.raises(WeightsError, match=r"toprock backbones --download dinov2-small; or bring its folder"):
        build("dinov2-small")
    with pytest.raises(WeightsError, match=r"after asking for access on the page of facebook/dinov3"):
        build("dinov3-small")
    with pytest.raises(WeightsError, match=r"Bring a folder of google/vivit"):
        build("vivit-base")


def test_a_known_checkpoint_is_taken_from_the_hubs_cache(checkpoints, tmp_path, monkeypatch):
    known = CATALOGUE["resnet-50"]
    place = tmp_path / f"models--{known.source.replace('/', '--')}" / "snapshots" / known.revision
    copy(checkpoints("resnet"), place)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    backbone = build("resnet-50")
    assert backbone.weights_at == str(place)
    assert backbone.spec.licence == "Apache-2.0"
    assert Recipe.of(backbone).build() == backbone
    assert build(str(place)).spec.name == "folder-resnet-50"
    assert Recipe.of(build(str(place))) == Recipe.of(backbone)  # of a checkpoint its content counts


def test_other_weights_under_a_known_name_are_not_taken_for_it(checkpoints, tmp_path, monkeypatch):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "empty"))
    folder = copy(checkpoints("dinov2"), tmp_path / "dinov2-small")
    monkeypatch.setenv("TOPROCK_WEIGHTS", str(tmp_path))
    with pytest.raises(
        WeightsError, match=r"the weights in .* are not those of 'dinov2-small'.*Give the folder itself"
    ):
        build("dinov2-small")
    backbone = build(str(folder))
    assert (backbone.spec.name, backbone.spec.licence) == ("folder-dinov2-small", "see the folder")
    assert Recipe.of(backbone).build() == backbone


def test_a_folder_named_like_another_backbone_is_still_a_folder(checkpoints, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    copy(checkpoints("dinov2"), tmp_path / "somewhere" / "flow")
    backbone = build("somewhere/flow")
    assert backbone.spec.name == "folder-flow"
    assert Recipe.of(backbone).build() == backbone
    copy(checkpoints("dinov2"), tmp_path / "2024")
    assert build("temporal:image=2024").settings["image"] == "2024"


def test_a_folder_that_is_named_is_never_replaced_by_another(checkpoints, tmp_path, monkeypatch):
    broken = copy(checkpoints("dinov2"), tmp_path / "mine" / "image")
    copy(checkpoints("dinov2"), tmp_path / "root" / "image")
    monkeypatch.setenv("TOPROCK_WEIGHTS", str(tmp_path / "root"))
    (broken / "model.safetensors").write_bytes(b"")
    with pytest.raises(WeightsError, match=r"mine/image/model.safetensors: is damaged or cut off"):
        build(str(broken))


def test_temporal_keeps_to_its_recipe_wherever_it_is_built(checkpoints, tmp_path, monkeypatch):
    backbone = build("temporal", image=str(copy(checkpoints("dinov2"), tmp_path / "there" / "image")))
    make_checkpoint("dinov2", tmp_path / "here" / "image", seed=9)
    monkeypatch.chdir(tmp_path / "here")
    assert Recipe.of(backbone).build() == backbone


def test_the_catalogue_is_pinned():
    for known in CATALOGUE.values():
        assert known.revision is None or (len(known.revision) == 40 and int(known.revision, 16))
        assert known.licence
        assert known.sha256 == "" or len(known.sha256) == 64


def test_without_a_connection_a_download_says_how_to_bring_a_folder(tmp_path):
    import os
    import subprocess
    import sys

    nowhere = {"HF_ENDPOINT": "http://127.0.0.1:9", "HF_HOME": str(tmp_path), "HF_HUB_DOWNLOAD_TIMEOUT": "1"}
    ran = subprocess.run(
        [sys.executable, "-m", "toprock", "backbones", "--download", "resnet-50"],
        env={**os.environ, **nowhere},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert ran.returncode == 1
    assert "microsoft/resnet-50 cannot be reached" in ran.stderr.replace("\n", " ")
    assert "give it in place of the name" in ran.stderr.replace("\n", " ")
