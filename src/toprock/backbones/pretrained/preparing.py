"""Pictures as a checkpoint wants them: resized, cropped, rescaled and normalised as its own configuration says.

The same numbers as the `*Pil` processors of the transformers library give, in plain torch, so that neither that
library nor Pillow is needed to prepare a picture.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from toprock.errors import WeightsError

if TYPE_CHECKING:
    import torch

_MODES = {2: "bilinear", 3: "bicubic"}
"""Pillow's numbers for the ways to resize that torch has too."""
_SQUARE = ("vitimage", "vitfeature", "siglip", "dinov3", "deit")
"""Processors that take a size of one number for a square; others for the shorter side."""
_BICUBIC = ("clip", "bit", "convnext", "siglip")
"""Processors that resize so where their configuration does not say how; others are bilinear."""
_SWITCH = {"size": "do_resize", "image_mean": "do_normalize", "image_std": "do_normalize"}
_NEEDED = tuple(_SWITCH)
"""What a configuration must say, unless this switch is off."""
_SMALLEST, _LARGEST = 8, 1024
"""Pixels of a side; no published model sees more, and no machine could show it many."""
_CROP_BELOW = 384
"""A ConvNeXT-like processor crops below this size and squeezes from it on."""


@dataclass(frozen=True)
class Preparation:
    """How pictures are made ready.

    Attributes:
        short_side: pixels of the shorter side after resizing; None where the picture is squeezed to `height, width`.
        height, width: pixels of what the network sees.
        mode: bilinear or bicubic.
        scale: pixel values are multiplied by it.
        offset: and this is added.
        mean, std: of red, green and blue, for normalising after that.
    """

    short_side: int | None
    height: int
    width: int
    mode: str
    scale: float
    offset: float
    mean: tuple[float, float, float]
    std: tuple[float, float, float]

    @classmethod
    def from_json(cls, config: Mapping[str, Any]) -> Preparation:
        """Read a preprocessor_config.json.

        Raises:
            WeightsError: it asks for what is not known here.
        """
        kind = str(
            config.get("image_processor_type")
            or config.get("feature_extractor_type")
            or config.get("video_processor_type")
            or ""
        ).lower()
        if not config.get("do_resize", True):
            raise WeightsError("its pictures are not to be resized, which no video allows")
        absent = [name for name in _NEEDED if config.get(name) is None and config.get(_SWITCH[name], True)]
        if absent:
            raise WeightsError(f"it does not say {', '.join(absent)}")
        short, size = _size(config["size"], square=kind.startswith(_SQUARE))
        crop = _size(config["crop_size"], square=True)[1] if config.get("crop_size") is not None else None
        if kind.startswith("convnext"):  # a ResNet's too
            edge = short or size[0]
            crop = (edge, edge)
            short = int(edge / config.get("crop_pct", 224 / 256)) if edge < _CROP_BELOW else None
        elif not config.get("do_center_crop", crop is not None):
            crop = None
        if crop is None and short is not None:
            crop = (short, short)
        height, width = crop if short is not None and crop is not None else crop or size
        if short is None and crop is not None and crop != size:
            raise WeightsError(f"it squeezes pictures to {size} and then crops them to {crop}")
        resample = config.get("resample", 3 if kind.startswith(_BICUBIC) else 2)
        if resample not in _MODES:
            raise WeightsError(f"its way to resize, number {resample}, is not known here")
        scale = float(config.get("rescale_factor", 1 / 255)) if config.get("do_rescale", True) else 1.0
        normal = config.get("do_normalize", True)
        found = cls(
            short_side=short,
            height=height,
            width=width,
            mode=_MODES[resample],
            scale=scale,
            offset=-1.0 if kind.startswith("vivit") and config.get("offset", True) else 0.0,
            mean=_three(config["image_mean"]) if normal else (0.0, 0.0, 0.0),
            std=_three(config["image_std"]) if normal else (1.0, 1.0, 1.0),
        )
        sides = [side for side in (found.short_side, found.height, found.width) if side is not None]
        if not all(_SMALLEST <= side <= _LARGEST for side in sides):
            raise WeightsError(f"its pictures of {' and '.join(map(str, sides))} pixels are not within 8 to {_LARGEST}")
        numbers = (found.scale, *found.mean, *found.std)
        if not all(map(math.isfinite, numbers)) or min(found.scale, *found.std) <= 0:
            raise WeightsError("it rescales or normalises by what is no positive number")
        return found

    @property
    def reading_side(self) -> int:
        """Pixels of the shorter side at which a video is best read."""
        return self.short_side or max(self.height, self.width)

    def to_json(self) -> dict[str, Any]:
        """JSON values that name every number."""
        size = "squeezed" if self.short_side is None else self.short_side
        return {
            "short_side": size,
            "height": self.height,
            "width": self.width,
            "mode": self.mode,
            "scale": self.scale,
            "offset": self.offset,
            "mean": list(self.mean),
            "std": list(self.std),
        }

    def fit(self, image: np.ndarray) -> np.ndarray:
        """A picture (H, W, 3) uint8, resized and cropped in the middle: (height, width, 3) uint8."""
        height, width = image.shape[:2]
        if self.short_side is None:
            return resize(image, self.height, self.width, self.mode)
        if height < width:
            size = self.short_side, int(self.short_side * width / height)
        else:
            size = int(self.short_side * height / width), self.short_side
        return _crop(resize(image, *size, self.mode), self.height, self.width)

    def cut(self, image: np.ndarray, box: tuple[float, float, float, float]) -> np.ndarray:
        """What lies in a box, (height, width, 3) uint8; the box is made as long as it is wide, in the network's shape.

        Args:
            image: (H, W, 3) uint8.
            box: left, top, right and bottom in shares of the picture; what lies outside it is filled with its border.
        """
        high, wide = image.shape[:2]
        left, top, right, bottom = box[0] * wide, box[1] * high, box[2] * wide, box[3] * high
        unit = max((right - left) / self.width, (bottom - top) / self.height, 8 / min(self.width, self.height))
        half_wide, half_high = unit * self.width / 2, unit * self.height / 2
        x, y = (left + right) / 2, (top + bottom) / 2
        x0, x1 = round(x - half_wide), round(x + half_wide)
        y0, y1 = round(y - half_high), round(y + half_high)
        rows = np.clip(np.arange(y0, y1), 0, high - 1)
        columns = np.clip(np.arange(x0, x1), 0, wide - 1)
        return resize(image[rows][:, columns], self.height, self.width, self.mode)

    def normalise(self, pixels: torch.Tensor) -> torch.Tensor:
        """Pixels (..., H, W, 3) uint8 as float32 (..., 3, H, W), rescaled and normalised."""
        import torch

        mean = torch.tensor(self.mean, device=pixels.device)
        std = torch.tensor(self.std, device=pixels.device)
        out = pixels.float().mul_(self.scale).add_(self.offset).sub_(mean).div_(std)
        return out.movedim(-1, -3)


def resize(image: np.ndarray, height: int, width: int, mode: str) -> np.ndarray:
    """A picture (H, W, 3) uint8 at another size, every pixel of it counting; as Pillow does it.

    >>> resize(np.full((4, 6, 3), 7, np.uint8), 2, 3, "bilinear")[..., 0].tolist()
    [[7, 7, 7], [7, 7, 7]]
    """
    if image.shape[:2] == (height, width):
        return image
    import torch

    pixels = torch.from_numpy(np.ascontiguousarray(image)).permute(2, 0, 1)[None]  # (1, 3, H, W), channels last
    out = torch.nn.functional.interpolate(pixels, (height, width), mode=mode, align_corners=False, antialias=True)
    return np.ascontiguousarray(out[0].permute(1, 2, 0).numpy())


def _crop(image: np.ndarray, height: int, width: int) -> np.ndarray:
    """The middle of a picture; a smaller one is set on black."""
    high, wide = image.shape[:2]
    if high < height or wide < width:
        above, left = -((high - max(high, height)) // 2), -((wide - max(wide, width)) // 2)
        larger = np.zeros((max(high, height), max(wide, width), 3), np.uint8)
        larger[above : above + high, left : left + wide] = image
        return _crop(larger, height, width)
    top, left = (high - height) // 2, (wide - width) // 2
    return np.ascontiguousarray(image[top : top + height, left : left + width])


def _size(value: Any, *, square: bool) -> tuple[int | None, tuple[int, int]]:
    """The shorter side, or None, and height and width, of what a configuration calls size."""
    if isinstance(value, Mapping) and value.get("shortest_edge"):
        edge = int(value["shortest_edge"])
        return edge, (edge, edge)
    if isinstance(value, Mapping) and value.get("height") and value.get("width"):
        return None, (int(value["height"]), int(value["width"]))
    if isinstance(value, int):
        return (None if square else value), (value, value)
    if isinstance(value, (list, tuple)) and len(value) == 2:
        return None, (int(value[0]), int(value[1]))
    raise WeightsError(f"its picture size {value!r} is not known here")


def _three(value: Any) -> tuple[float, float, float]:
    values = [float(value)] * 3 if isinstance(value, (int, float)) else [float(v) for v in value]
    if len(values) != 3:
        raise WeightsError(f"it normalises {len(values)} channels, not red, green and blue")
    return values[0], values[1], values[2]
