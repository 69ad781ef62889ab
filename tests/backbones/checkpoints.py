"""Small checkpoints of every known kind, with random weights: made by the library that real ones are made for."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

VIT = {
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "intermediate_size": 64,
    "image_size": 32,
    "patch_size": 16,
}
NORMAL = {"image_mean": [0.485, 0.456, 0.406], "image_std": [0.229, 0.224, 0.225]}
MIDDLE = {"size": {"shortest_edge": 40}, "crop_size": {"height": 32, "width": 32}, "do_center_crop": True}
SQUARE = {"size": {"height": 32, "width": 32}}

KINDS: dict[str, tuple[str, str, dict[str, Any], dict[str, Any]]] = {
    # model_type: configuration, model, settings, preprocessor
    "videomae": (
        "VideoMAEConfig",
        "VideoMAEForVideoClassification",
        VIT | {"num_frames": 4},
        {"image_processor_type": "VideoMAEImageProcessor", "resample": 2, **MIDDLE, **NORMAL},
    ),
    "vjepa2": (
        "VJEPA2Config",
        "VJEPA2Model",
        {
            "hidden_size": 48,
            "num_hidden_layers": 2,
            "num_attention_heads": 4,
            "crop_size": 32,
            "patch_size": 16,
            "frames_per_clip": 4,
            "pred_hidden_size": 48,
            "pred_num_hidden_layers": 2,
            "pred_num_attention_heads": 4,
            "pred_num_mask_tokens": 2,
        },
        {"video_processor_type": "VJEPA2VideoProcessor", "resample": 2, **MIDDLE, "crop_size": 32, **NORMAL},
    ),
    "timesformer": (
        "TimesformerConfig",
        "TimesformerForVideoClassification",
        VIT | {"num_frames": 4},
        {"image_processor_type": "VideoMAEImageProcessor", "resample": 2, **MIDDLE, "image_mean": [0.45] * 3}
        | {"image_std": [0.225] * 3},
    ),
    "vivit": (
        "VivitConfig",
        "VivitForVideoClassification",
        VIT | {"num_frames": 4, "tubelet_size": [2, 16, 16]},
        {"image_processor_type": "VivitImageProcessor", "resample": 2, **MIDDLE, "rescale_factor": 1 / 127.5}
        | {"offset": True, "image_mean": [0.5] * 3, "image_std": [0.5] * 3},
    ),
    "dinov2": (
        "Dinov2Config",
        "Dinov2Model",
        VIT | {"patch_size": 8},
        {"image_processor_type": "BitImageProcessor", "resample": 3, **MIDDLE, **NORMAL},
    ),
    "dinov3_vit": (
        "DINOv3ViTConfig",
        "DINOv3ViTModel",
        VIT | {"num_register_tokens": 2},
        {"image_processor_type": "DINOv3ViTImageProcessorFast", "resample": 2, **SQUARE, **NORMAL},
    ),
    "clip": (
        "CLIPConfig",
        "CLIPModel",
        {
            "vision_config": VIT,
            "text_config": {
                "hidden_size": 32,
                "num_hidden_layers": 1,
                "num_attention_heads": 4,
                "intermediate_size": 32,
                "vocab_size": 64,
            },
        },
        {"feature_extractor_type": "CLIPFeatureExtractor", "resample": 3, "size": 32, "crop_size": 32, **NORMAL}
        | {"do_center_crop": True},
    ),
    "siglip": (
        "SiglipConfig",
        "SiglipModel",
        {
            "vision_config": VIT,
            "text_config": {
                "hidden_size": 32,
                "num_hidden_layers": 1,
                "num_attention_heads": 4,
                "intermediate_size": 32,
                "vocab_size": 64,
            },
        },
        {"image_processor_type": "SiglipImageProcessor", "resample": 3, **SQUARE, "image_mean": [0.5] * 3}
        | {"image_std": [0.5] * 3},
    ),
    "resnet": (
        "ResNetConfig",
        "ResNetForImageClassification",
        {"embedding_size": 8, "hidden_sizes": [8, 16, 24, 32], "depths": [1, 1, 1, 1], "layer_type": "basic"},
        {"feature_extractor_type": "ConvNextFeatureExtractor", "resample": 3, "size": 64, "crop_pct": 0.875, **NORMAL},
    ),
    "mobilenet_v2": (
        "MobileNetV2Config",
        "MobileNetV2ForImageClassification",
        {"depth_multiplier": 0.35, "image_size": 32, "num_labels": 3},
        {"image_processor_type": "MobileNetV2ImageProcessor", "resample": 2, **MIDDLE, "image_mean": [0.5] * 3}
        | {"image_std": [0.5] * 3},
    ),
}


def make_checkpoint(kind: str, folder: Path, *, seed: int = 0) -> Path:
    """Write a small checkpoint of a kind; returns its folder."""
    import torch
    import transformers

    configuration, model, settings, preprocessor = KINDS[kind]
    torch.manual_seed(seed)
    made = getattr(transformers, model)(getattr(transformers, configuration)(**settings))
    for module in made.modules():
        if isinstance(module, torch.nn.BatchNorm2d):  # fresh ones let nothing through a net this small
            torch.nn.init.uniform_(module.bias, -1, 1)
    made.save_pretrained(folder)
    name = "video_preprocessor_config.json" if kind == "vjepa2" else "preprocessor_config.json"
    (folder / name).write_text(
        json.dumps({"do_resize": True, "do_normalize": True, "do_rescale": True, **preprocessor})
    )
    return folder


def pictures(count: int, height: int = 60, width: int = 90, seed: int = 0) -> np.ndarray:
    """Smooth random pictures, as real ones are smooth."""
    import torch

    rng = np.random.default_rng(seed)
    small = torch.from_numpy(rng.random((count, 3, 6, 9), dtype=np.float32))
    large = torch.nn.functional.interpolate(small, (height, width), mode="bicubic").clamp(0, 1)
    return (large * 255).byte().permute(0, 2, 3, 1).contiguous().numpy()
