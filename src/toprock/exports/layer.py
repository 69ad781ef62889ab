"""Shapes with smooth edges, laid over pictures."""

from __future__ import annotations

import cv2
import numpy as np

Colour = tuple[int, int, int]

_FINER = 4


class Layer:
    """What is laid over a part of a picture: colour, and how much of it covers each pixel.

    Args:
        width, height: in pixels; at first nothing is covered.
    """

    def __init__(self, width: int, height: int) -> None:
        self._colour = np.zeros((height, width, 3), np.float32)  # times its cover
        self._cover = np.zeros((height, width, 1), np.float32)

    def paint(self, mask: np.ndarray, colour: Colour, opacity: float = 1.0) -> None:
        """Paint where a mask (height, width) uint8 says, over what is there."""
        cover = mask[..., None].astype(np.float32) * (opacity / 255)
        self._colour += cover * (np.array(colour, np.float32) - self._colour)
        self._cover += cover * (1 - self._cover)

    def fixed(self) -> Overlay:
        """The layer as it is, ready to be laid over many pictures."""
        return Overlay(self._colour, self._cover)


class Overlay:
    """A finished layer of `width` x `height` pixels."""

    def __init__(self, colour: np.ndarray, cover: np.ndarray) -> None:
        self.height, self.width = cover.shape[:2]
        self._add = np.floor(colour).astype(np.uint16)
        self._keep = np.floor((1 - cover) * 256).astype(np.uint16)

    def over(self, picture: np.ndarray, columns: slice = slice(None), *, opacity: float = 1.0) -> None:
        """Lay it, or some of its columns, over a picture (height, width, 3) uint8 of its size, in place."""
        part = picture[:, columns]
        add, keep = (a[: part.shape[0], columns][:, : part.shape[1]] for a in (self._add, self._keep))
        if opacity < 1:
            shown = np.uint32(round(opacity * 256))
            add, keep = add * shown >> 8, 256 - ((256 - keep) * shown >> 8)
        part[:] = (part * keep >> 8) + add


def bars(size: tuple[int, int], boxes: np.ndarray, *, radius: float = 0.0) -> np.ndarray:
    """A mask (height, width) uint8 of upright rectangles, with round corners where wanted.

    Args:
        size: width and height in pixels.
        boxes: (n, 4) left, top, right, bottom in pixels and parts of such.
        radius: of the corners, in pixels.
    """
    width, height = size
    large = np.zeros((height * _FINER, width * _FINER), np.uint8)
    for left, top, right, bottom in np.round(np.asarray(boxes, float).reshape(-1, 4) * _FINER).astype(int).tolist():
        if right <= left or bottom <= top:
            continue
        r = min(round(radius * _FINER), (right - left) // 2, (bottom - top) // 2)
        large[top + r : bottom - r, left:right] = 255
        large[top:bottom, left + r : right - r] = 255
        for x in (left + r, right - r - 1):
            for y in (top + r, bottom - r - 1):
                if r > 0:
                    cv2.circle(large, (x, y), r, 255, cv2.FILLED)
    return cv2.resize(large, (width, height), interpolation=cv2.INTER_AREA)


def lay_text(picture: np.ndarray, mask: np.ndarray, colour: Colour, left: int, top: int, opacity: float = 1.0) -> None:
    """Lay a mask of letters over a picture (height, width, 3) uint8, in place; what lies outside is cut off."""
    high, wide = picture.shape[:2]
    x, y = max(left, 0), max(top, 0)
    mask = mask[y - top : high - top, x - left : wide - left]
    if not mask.size:
        return
    part = picture[y : y + mask.shape[0], x : x + mask.shape[1]]
    cover = mask[..., None].astype(np.uint16) * round(opacity * 256) // 255
    part[:] = (part * (256 - cover) + np.array(colour, np.uint16) * cover) >> 8


def placed(mask: np.ndarray, size: tuple[int, int], left: int, top: int) -> np.ndarray:
    """A mask in an empty one of `size` (width, height); what lies outside is cut off."""
    width, height = size
    canvas = np.zeros((height, width, 3), np.uint8)
    lay_text(canvas, mask, (255, 255, 255), left, top)
    return canvas[..., 0]
