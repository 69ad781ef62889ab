"""Pretrained backbones: real loading code on small checkpoints of every kind, and on real weights where they lie."""

import itertools
import json
import shutil

import numpy as np
import pytest
import torch
from checkpoints import KINDS, make_checkpoint

from toprock.backbones import build, from_settings
from toprock.backbones.base import Compute, FollowingBackbone, Frame, NetworkBackbone
from toprock.backbones.pretrained import CATALOGUE, Preparation, read_checkpoint
from toprock.backbones.pretrained.families import FAMILIES
from toprock.backbones.pretrained.network import TransformersNetwork, load_model
from toprock.errors import ComputeError, RecipeMismatch, ToprockError, UsageError, WeightsError
from toprock.features.recipe import Recipe

PLAIN_PICTURES = {"crop_size": 32, "do_center_crop": True, "image_mean": [0.5] * 3, "image_std": [0.5] * 3}
PLAIN = Compute(device="cpu", precision="float32")


@pytest.fixture(scope="session")
def checkpoints(tmp_path_factory):
    """A function: kind -> folder of a small checkpoint, made once."""
    made = {}

    def folder(kind):
        if kind not in made:
            made[kind] = make_checkpoint(kind, tmp_path_factory.mktemp("checkpoints") / kind.replace("_", "-"))
        return made[kind]

    return folder


@pytest.fixture
def mobilenet(shared):
    return shared / "weights" / "mobilenet_v2"


def pictures(count, height=60, width=90, seed=0):
    """Smooth random pictures, as real ones are smooth."""
    rng = np.random.default_rng(seed)
    small = torch.from_numpy(rng.random((count, 3, 6, 9), dtype=np.float32))
    large = torch.nn.functional.interpolate(small, (height, width), mode="bicubic").clamp(0, 1)
    return (large * 255).byte().permute(0, 2, 3, 1).contiguous().numpy()


def shown(backbone, images, rate_hz=10.0):
    """The segments that a backbone makes of pictures, in one shot."""
    describer, out = backbone.describer(), []
    for number, image in enumerate(images):
        out += describer.push(Frame(number / rate_hz, image), new_shot=number == 0)
    return out + describer.finish(len(images) / rate_hz)


def test_every_family_has_a_small_checkpoint():
    assert set(KINDS) == {kind for kind in FAMILIES if not kind.endswith("_vision_model")}


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_features_equal_those_of_the_librarys_own_model(kind, checkpoints):
    backbone = build(str(checkpoints(kind)), rate_hz=10)
    segments = shown(backbone, pictures(8))
    network = backbone.open(PLAIN)
    found = network.launch([segment.vector for segment in segments])()
    assert found.shape == (len(segments), backbone.spec.dimension)
    checkpoint = read_checkpoint(checkpoints(kind))
    family, p = checkpoint.family, checkpoint.preparation
    model = load_model(checkpoint)
    pixels = torch.from_numpy(np.stack([segment.vector for segment in segments])).double()
    ready = ((pixels * p.scale + p.offset - torch.tensor(p.mean)) / torch.tensor(p.std)).movedim(-1, -3).float()
    with torch.no_grad():
        out = model(**{family.argument: ready}, **(family.options or {}))
    wanted = family.features(out).flatten(1).numpy()
    cosine = (found * wanted).sum(1) / np.linalg.norm(found, axis=1) / np.linalg.norm(wanted, axis=1)
    assert cosine.min() >= 0.9999
    half = backbone.open(Compute(device="cpu", precision="bfloat16")).launch([s.vector for s in segments])()
    cosine = (half * wanted).sum(1) / np.linalg.norm(half, axis=1) / np.linalg.norm(wanted, axis=1)
    assert cosine.min() >= 0.999


@pytest.mark.parametrize("crop", ["middle", "performer"])
@pytest.mark.parametrize("kind", sorted(KINDS))
def test_segments_tile_the_time_and_a_recipe_makes_the_backbone_again(kind, crop, checkpoints, shared):
    pose = {"pose": str(shared / "weights" / "movenet")} if crop == "performer" else {}
    backbone = build(str(checkpoints(kind)), crop=crop, **pose)
    assert isinstance(backbone, NetworkBackbone)
    assert isinstance(backbone, FollowingBackbone)
    segments = shown(backbone, pictures(30), rate_hz=backbone.reading.rate_hz)
    assert segments[0].start_s == 0
    assert all(a.end_s >= b.start_s - 1e-6 for a, b in itertools.pairwise(segments))
    assert segments[-1].end_s == pytest.approx(30 / backbone.reading.rate_hz)
    assert {segment.vector.dtype for segment in segments} == {np.dtype(np.uint8)}
    assert len({segment.vector.shape for segment in segments}) == 1
    recipe = Recipe.from_json(json.loads(json.dumps(Recipe.of(backbone).to_json())))
    assert recipe.build() == backbone
    assert recipe == Recipe.of(backbone)
    assert str(checkpoints(kind)) not in json.dumps(dict(recipe.settings))


PROCESSORS = {
    "videomae": "VideoMAEImageProcessorPil",
    "dinov2": "BitImageProcessorPil",
    "clip": "CLIPImageProcessorPil",
    "siglip": "SiglipImageProcessorPil",
    "resnet": "ConvNextImageProcessorPil",
    "mobilenet_v2": "MobileNetV2ImageProcessorPil",
}


@pytest.mark.parametrize("size", [(60, 90), (91, 47), (40, 40), (240, 427)], ids=str)
@pytest.mark.parametrize("kind", sorted(PROCESSORS))
def test_preparation_equals_the_librarys(kind, size, checkpoints):
    import transformers

    config = json.loads((checkpoints(kind) / "preprocessor_config.json").read_text())
    theirs = getattr(transformers, PROCESSORS[kind])(**config)
    ours = Preparation.from_json(config)
    (image,) = pictures(1, *size, seed=3)
    plain = theirs(image, do_normalize=False, return_tensors="np")["pixel_values"]
    plain = plain.reshape(-1, *plain.shape[-2:])[-3:]
    mine = ours.fit(image).transpose(2, 0, 1) / 255
    assert mine.shape == plain.shape
    assert np.abs(mine - plain).max() < 1e-2
    whole = theirs(image, return_tensors="np")["pixel_values"]
    whole = whole.reshape(-1, *whole.shape[-2:])[-3:]
    normal = ours.normalise(torch.from_numpy(ours.fit(image))).numpy()
    assert np.abs(normal - whole).max() < 1e-2 / min(ours.std)


def test_squeezed_pictures_and_vivits_offset(checkpoints):
    dinov3 = read_checkpoint(checkpoints("dinov3_vit")).preparation
    assert (dinov3.short_side, dinov3.height, dinov3.width) == (None, 32, 32)
    vivit = read_checkpoint(checkpoints("vivit")).preparation
    black, white = (vivit.normalise(torch.full((2, 2, 3), v, dtype=torch.uint8)) for v in (0, 255))
    assert torch.allclose(black, torch.full_like(black, -3.0))  # -1 before normalising by 0.5
    assert torch.allclose(white, torch.full_like(white, 1.0))


PUBLISHED = {
    "ViViT": (
        {"image_processor_type": "ViViTImageProcessor", "size": {"shortest_edge": 224}, "resample": 2}
        | {"crop_size": {"height": 224, "width": 224}, "do_center_crop": True, "rescale_factor": 0.00784313725490196}
        | {"image_mean": [0.5, 0.5, 0.5], "image_std": [0.5, 0.5, 0.5]},
        {"short_side": 224, "height": 224, "mode": "bilinear", "offset": -1.0},
    ),
    "VideoMAE": (
        {"feature_extractor_type": "VideoMAEFeatureExtractor", "size": 224, "do_center_crop": True, "resample": 2}
        | {"image_mean": [0.485, 0.456, 0.406], "image_std": [0.229, 0.224, 0.225], "crop_size": 224},
        {"short_side": 224, "height": 224, "mode": "bilinear", "offset": 0.0},
    ),
    "DINOv2": (
        {"image_processor_type": "BitImageProcessor", "size": {"shortest_edge": 256}, "resample": 3}
        | {"crop_size": {"height": 224, "width": 224}, "do_center_crop": True, "do_convert_rgb": True}
        | {
            "image_mean": [0.485, 0.456, 0.406],
            "image_std": [0.229, 0.224, 0.225],
            "rescale_factor": 0.00392156862745098,
        },
        {"short_side": 256, "height": 224, "mode": "bicubic", "offset": 0.0},
    ),
    "CLIP": (
        {"feature_extractor_type": "CLIPFeatureExtractor", "size": 224, "crop_size": 224, "resample": 3}
        | {"do_center_crop": True, "image_mean": [0.48, 0.46, 0.41], "image_std": [0.27, 0.26, 0.28]},
        {"short_side": 224, "height": 224, "mode": "bicubic"},
    ),
    "SigLIP": (
        {"image_processor_type": "SiglipImageProcessor", "size": {"height": 224, "width": 224}, "resample": 3}
        | {"image_mean": [0.5, 0.5, 0.5], "image_std": [0.5, 0.5, 0.5]},
        {"short_side": None, "height": 224, "mode": "bicubic"},
    ),
    "ResNet": (
        {"feature_extractor_type": "ConvNextFeatureExtractor", "size": 224, "crop_pct": 0.875, "resample": 3}
        | {"image_mean": [0.485, 0.456, 0.406], "image_std": [0.229, 0.224, 0.225]},
        {"short_side": 256, "height": 224, "mode": "bicubic"},
    ),
    "V-JEPA 2": (
        {
            "video_processor_type": "VJEPA2VideoProcessor",
            "size": {"shortest_edge": 292},
            "crop_size": 256,
            "resample": 2,
        }
        | {"do_center_crop": True, "image_mean": [0.485, 0.456, 0.406], "image_std": [0.229, 0.224, 0.225]},
        {"short_side": 292, "height": 256, "mode": "bilinear"},
    ),
}
"""Preprocessor configurations as their authors publish them, and what they mean."""


@pytest.mark.parametrize("name", PUBLISHED)
def test_published_configurations_are_understood(name):
    config, wanted = PUBLISHED[name]
    found = Preparation.from_json(config)
    assert {key: getattr(found, key) for key in wanted} == wanted
    assert found.mean == tuple(config["image_mean"])
    for key in ("size", "image_mean", "image_std"):
        with pytest.raises(WeightsError, match=rf"does not say {key}"):
            Preparation.from_json({k: v for k, v in config.items() if k != key})


def test_a_small_picture_is_set_on_black():
    preparation = Preparation.from_json(PLAIN_PICTURES | {"size": {"shortest_edge": 20}})
    out = preparation.fit(np.full((40, 40, 3), 200, np.uint8))
    assert out.shape == (32, 32, 3)
    assert (out[0] == 0).all()
    assert (out[16, 16] == 200).all()


def test_cutting_keeps_the_shape_of_the_network_and_fills_with_the_border():
    preparation = Preparation.from_json(PLAIN_PICTURES | {"size": {"shortest_edge": 32}})
    image = np.zeros((100, 200, 3), np.uint8)
    image[40:60, 90:110] = 255
    out = preparation.cut(image, (0.45, 0.4, 0.55, 0.6))
    assert out.shape == (32, 32, 3)
    assert (out[4:28, 4:28] == 255).all()
    beyond = preparation.cut(image, (-0.5, -0.5, 0.1, 0.1))
    assert beyond.shape == (32, 32, 3)
    assert (beyond == 0).all()


# ---- folders that are not what they should be


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
    place = tmp_path / f"models--{known.repository.replace('/', '--')}" / "snapshots" / known.revision
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


# ---- at work


def test_batches_do_not_change_features_and_shrink_when_memory_runs_out(checkpoints, monkeypatch):
    backbone = build(str(checkpoints("dinov2")))
    network = backbone.open(PLAIN)
    inputs = [segment.vector for segment in shown(backbone, pictures(10), rate_hz=2)]
    whole = network.launch(inputs)()
    alone = np.concatenate([network.launch([one])() for one in inputs])
    assert np.abs(whole - alone).max() < 1e-5
    forward, seen = network._forward, []

    def short_of_memory(now):
        seen.append(len(now))
        if len(now) > 2:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB")
        return forward(now)

    monkeypatch.setattr(network, "_forward", short_of_memory)
    assert np.array_equal(network.launch(inputs)(), np.concatenate([whole])) or np.allclose(
        network.launch(inputs)(), whole, atol=1e-5
    )
    assert seen[:3] == [8, 4, 2]
    assert network.batch == 2
    monkeypatch.setattr(network, "_forward", lambda now: (_ for _ in ()).throw(MemoryError()))
    before = torch.get_num_threads()
    with pytest.raises(ToprockError, match=r"not memory enough for one segment"):
        network.launch(inputs)
    assert torch.get_num_threads() == before


def test_trying_out_how_to_compute_leaves_the_process_as_it_was(checkpoints):
    torch.manual_seed(0)
    wanted = torch.rand(1)
    torch.manual_seed(0)
    before = torch.get_num_threads()
    build(str(checkpoints("resnet"))).open(Compute(device="cpu"))
    assert torch.equal(torch.rand(1), wanted)
    assert torch.get_num_threads() == before


def test_want_of_memory_while_trying_out_is_called_so(checkpoints, monkeypatch):
    def short(self, pixels, pace):
        raise RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes")

    monkeypatch.setattr(TransformersNetwork, "_features", short)
    with pytest.raises(ComputeError, match=r"not memory enough for one segment in dinov2"):
        build(str(checkpoints("dinov2"))).open(PLAIN)


def test_features_that_are_no_numbers_are_refused(checkpoints):
    backbone = build(str(checkpoints("dinov2")))
    network = backbone.open(PLAIN)
    assert isinstance(network, TransformersNetwork)
    next(network._model.parameters()).data.fill_(float("nan"))
    with pytest.raises(WeightsError, match=r"features that are no numbers"):
        network.launch([np.zeros((32, 32, 3), np.uint8)])()


def test_there_is_no_cuda_on_a_machine_without(checkpoints):
    if torch.cuda.is_available():
        pytest.skip("this machine has an accelerator")
    with pytest.raises(ToprockError, match=r"there is no CUDA device here"):
        build(str(checkpoints("dinov2"))).open(Compute(device="cuda"))
    with pytest.raises(UsageError, match=r"there is no precision 'half'"):
        Compute(precision="half")


def test_temporal_pools_frames_differences_and_rhythm(checkpoints):
    image = build(str(checkpoints("dinov2")))
    backbone = build("temporal", image=str(checkpoints("dinov2")))
    assert backbone.spec.dimension == 2 * 32 + 6
    still, moving = pictures(1).repeat(8, 0), pictures(8)
    clips = [shown(backbone, images, rate_hz=7.5)[0].vector for images in (still, moving)]
    quiet, lively = backbone.open(PLAIN).launch(clips)()
    frames = image.open(PLAIN).launch(list(clips[1]))()
    assert np.allclose(lively[:32], frames.mean(0), atol=1e-4)
    assert np.allclose(lively[32:64], np.abs(np.diff(frames, axis=0)).mean(0), atol=1e-4)
    assert np.abs(quiet[32:67]).max() < 1e-4
    assert lively[64] > 0.02
    assert Recipe.of(backbone).build() == backbone


def test_real_weights_see_what_is_in_a_picture(mobilenet, shared):
    """A squatting person is called a dumbbell by this network, as its README says of the picture."""
    import cv2
    from transformers import MobileNetV2ForImageClassification

    backbone = build(str(mobilenet))
    assert backbone.spec.dimension == 1280
    picture = cv2.cvtColor(cv2.imread(str(shared / "weights" / "movenet" / "squat.bmp")), cv2.COLOR_BGR2RGB)
    squeezed = cv2.resize(picture, (224, 224), interpolation=cv2.INTER_AREA)
    features = backbone.open(PLAIN).launch([squeezed])()
    whole = MobileNetV2ForImageClassification.from_pretrained(mobilenet).eval()
    with torch.no_grad():
        logits = whole.classifier(torch.from_numpy(features))
    assert whole.config.id2label[int(logits.argmax())] == "dumbbell"
