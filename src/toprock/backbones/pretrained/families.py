"""The kinds of models that are known: which class loads one, what it is shown, and where its features come out.

To add one: a line in `FAMILIES`, and a small checkpoint in tests/backbones/test_pretrained.py.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from toprock.backbones.base import Stream


@dataclass(frozen=True, kw_only=True)
class Family:
    """A kind of model, by the `model_type` of its config.json.

    Attributes:
        title: for people.
        stream: dynamic (shown clips) or static (shown frames).
        model: name of the class in the transformers library.
        features: of what the model returns, (B, D) or (B, D, 1, 1).
        dimension: D, from the config.
        frames: in a clip, from the config; a static model has none.
        rate_hz: frames a second that it is shown by default.
        argument: what the model calls its pixels.
        options: further arguments of the model.
        convolutional: whether its layers like channels last.
        spare: parameters that features do not depend on, and that some checkpoints come without.
    """

    title: str
    stream: Stream
    model: str
    features: Callable[[Any], Any]
    dimension: Callable[[Mapping[str, Any]], int]
    frames: Callable[[Mapping[str, Any]], int] | None = None
    rate_hz: float = 2.0
    argument: str = "pixel_values"
    options: Mapping[str, Any] | None = None
    convolutional: bool = False
    spare: frozenset[str] = frozenset()


def _hidden(config: Mapping[str, Any]) -> int:
    return int(config.get("hidden_size", 768))


def _vision_hidden(config: Mapping[str, Any]) -> int:
    return int(config.get("vision_config", config).get("hidden_size", 768))


def _mean(output: Any) -> Any:
    return output.last_hidden_state.mean(1)


def _first(output: Any) -> Any:
    return output.last_hidden_state[:, 0]


def _pooled(output: Any) -> Any:
    return output.pooler_output


FAMILIES: dict[str, Family] = {
    "videomae": Family(
        title="VideoMAE",
        stream="dynamic",
        model="VideoMAEModel",
        features=_mean,
        dimension=_hidden,
        frames=lambda config: int(config.get("num_frames", 16)),
        rate_hz=7.5,  # every fourth frame of Kinetics' 30 a second, as it was trained
    ),
    "vjepa2": Family(
        title="V-JEPA 2",
        stream="dynamic",
        model="VJEPA2Model",
        features=_mean,
        dimension=lambda config: int(config.get("hidden_size", 1024)),
        frames=lambda config: min(16, int(config.get("frames_per_clip", 64))),
        rate_hz=5.0,
        argument="pixel_values_videos",
        options={"skip_predictor": True},
    ),
    "timesformer": Family(
        title="TimeSformer",
        stream="dynamic",
        model="TimesformerModel",
        features=_first,
        dimension=_hidden,
        frames=lambda config: int(config.get("num_frames", 8)),
        rate_hz=3.75,  # trained at about 1; faster, so that a clip stays a moment
    ),
    "vivit": Family(
        title="ViViT",
        stream="dynamic",
        model="VivitModel",
        features=_first,
        dimension=_hidden,
        frames=lambda config: int(config.get("num_frames", 32)),
        rate_hz=15.0,  # every second frame of Kinetics' 30 a second
        spare=frozenset({"pooler.dense.weight", "pooler.dense.bias"}),
    ),
    "dinov2": Family(title="DINOv2", stream="static", model="Dinov2Model", features=_pooled, dimension=_hidden),
    "dinov3_vit": Family(title="DINOv3", stream="static", model="DINOv3ViTModel", features=_pooled, dimension=_hidden),
    "clip": Family(title="CLIP", stream="static", model="CLIPVisionModel", features=_pooled, dimension=_vision_hidden),
    "clip_vision_model": Family(
        title="CLIP", stream="static", model="CLIPVisionModel", features=_pooled, dimension=_hidden
    ),
    "siglip": Family(
        title="SigLIP", stream="static", model="SiglipVisionModel", features=_pooled, dimension=_vision_hidden
    ),
    "siglip_vision_model": Family(
        title="SigLIP", stream="static", model="SiglipVisionModel", features=_pooled, dimension=_hidden
    ),
    "resnet": Family(
        title="ResNet",
        stream="static",
        model="ResNetModel",
        features=_pooled,
        dimension=lambda config: int(config.get("hidden_sizes", [2048])[-1]),
        convolutional=True,
    ),
    "mobilenet_v2": Family(
        title="MobileNetV2",
        stream="static",
        model="MobileNetV2Model",
        features=_pooled,
        dimension=lambda config: _mobilenet_width(config),
        convolutional=True,
    ),
}


def _mobilenet_width(config: Mapping[str, Any]) -> int:
    """Channels of the last layer: 1280, more where the network is wider than 1.0."""
    wide = float(config.get("depth_multiplier", 1.0))
    if config.get("finegrained_output", True) and wide < 1.0:
        return 1280
    divisor = int(config.get("depth_divisible_by", 8))
    value = 1280 * wide
    rounded = max(int(config.get("min_depth", 8)), int(value + divisor / 2) // divisor * divisor)
    return int(rounded + divisor if rounded < 0.9 * value else rounded)
