"""Pictures as checkpoints want them: as the library prepares them, and as published configurations say."""

import json

import numpy as np
import pytest
import torch
from checkpoints import pictures

from toprock.backbones.pretrained import Preparation, read_checkpoint
from toprock.errors import WeightsError

PLAIN_PICTURES = {"crop_size": 32, "do_center_crop": True, "image_mean": [0.5] * 3, "image_std": [0.5] * 3}


PROCESSORS = {
    "videomae": "VideoMAEImageProcessor",
    "dinov2": "BitImageProcessor",
    "clip": "CLIPImageProcessor",
    "siglip": "SiglipImageProcessor",
    "resnet": "ConvNextImageProcessor",
    "mobilenet_v2": "MobileNetV2ImageProcessor",
}


@pytest.mark.parametrize("size", [(60, 90), (91, 47), (40, 40), (240, 427)], ids=str)
@pytest.mark.parametrize("kind", sorted(PROCESSORS))
def test_preparation_equals_the_librarys(kind, size, checkpoints):
    import transformers

    config = json.loads((checkpoints(kind) / "preprocessor_config.json").read_text())
    name = PROCESSORS[kind]  # the one by Pillow has a name of its own since transformers has one by torchvision too
    theirs = getattr(transformers, f"{name}Pil", None) or getattr(transformers, name)
    theirs = theirs(**config)
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
