"""The performer's silhouette, guessed from one picture.

Nothing but the picture is known, so what stands out is taken: pixels that cannot reach the picture's border
without crossing an edge (minimum barrier distance; Zhang et al., ICCV 2015, here by straight sweeps) and whose colour is
rare along the border. Where the guess fails, it degrades to a soft blob around what has the most contrast.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np

_SHORT_SIDE = 48
_COLOURS = 8  # levels a channel of the border's colour histogram
_FILL_STEPS = 12
_NEIGHBOURS = np.ones((3, 3), np.uint8)
_BLUR = 0.5 * np.eye(_COLOURS) + 0.25 * (np.eye(_COLOURS, k=1) + np.eye(_COLOURS, k=-1))
_LEAST_MASS = 0.002  # of the picture, for a blob to count
_NEAR = 0.12  # of the main blob's longer side: other blobs within are the performer's too


@dataclass(frozen=True)
class Silhouette:
    """Where the performer seems to be.

    Attributes:
        weight: (rows, columns) float32 in 0 to 1, how sure a pixel is the performer's.
        mask: (rows, columns) uint8, 0 or 1.
        box: (top, bottom, left, right) in pixels of `mask`, not empty.
        certainty: 0 to 1, how far the mask stands out from the rest.
    """

    weight: np.ndarray
    mask: np.ndarray
    box: tuple[int, int, int, int]
    certainty: float


def find_silhouette(image: np.ndarray) -> Silhouette:
    """The silhouette in one picture.

    Args:
        image: (height, width, 3) uint8 RGB.
    """
    height, width = image.shape[:2]
    scale = _SHORT_SIDE / min(height, width)
    size = (max(16, round(width * scale)), max(16, round(height * scale)))
    colours = cv2.cvtColor(cv2.resize(image, size, interpolation=cv2.INTER_AREA), cv2.COLOR_RGB2YCrCb)
    colours = cv2.GaussianBlur(colours, (3, 3), 0)
    salience = _barrier(colours) * (0.35 + 0.65 * _rare_at_border(colours)) * _central(*size)
    top = float(np.partition(salience.ravel(), -salience.size // 200)[-salience.size // 200])
    weight = np.clip(salience / max(top, 8.0), 0.0, 1.0).astype(np.float32)
    mask = _main_blobs(weight)
    if not mask.any():
        return Silhouette(weight, mask, (0, size[1], 0, size[0]), 0.0)
    inside = float(weight[mask > 0].mean())
    outside = float(weight[mask == 0].mean()) if (mask == 0).any() else inside
    left, top_, w, h = cv2.boundingRect(mask)
    return Silhouette(weight, mask, (top_, top_ + h, left, left + w), max(0.0, inside - outside))


def _barrier(colours: np.ndarray) -> np.ndarray:
    """Least height of the wall between each pixel and the border, summed over channels; (rows, columns) float32.

    A pixel darker than all around it is in a pit, a brighter one on a hill; both depths are found by filling the
    picture and its negative: along straight lines from the border, then from pixel to pixel around corners.
    """
    both = np.concatenate([colours, 255 - colours], axis=2)  # (rows, columns, 6) uint8
    climb = np.maximum.accumulate
    level = np.minimum(
        np.minimum(climb(both, axis=0), climb(both[::-1], axis=0)[::-1]),
        np.minimum(climb(both, axis=1), climb(both[:, ::-1], axis=1)[:, ::-1]),
    )
    level = cv2.merge([_fill(*planes) for planes in zip(cv2.split(level), cv2.split(both), strict=True)])
    depth = cv2.subtract(level, both)
    return np.maximum(depth[..., :3], depth[..., 3:]) @ np.array([1.0, 2.0, 2.0], np.float32)


def _fill(level: np.ndarray, ground: np.ndarray) -> np.ndarray:
    for _ in range(_FILL_STEPS):
        level = cv2.max(cv2.erode(level, _NEIGHBOURS), ground)
    return level


def _rare_at_border(colours: np.ndarray) -> np.ndarray:
    """1 where a colour is rarer along the border than in the picture, falling to 0; (rows, columns) float32."""
    rows, columns = colours.shape[:2]
    ring = np.ones((rows, columns), np.uint8)
    edge_y, edge_x = max(1, rows // 10), max(1, columns // 12)
    ring[edge_y : rows - edge_y // 2, edge_x : columns - edge_x] = 0
    bins, span = [_COLOURS] * 3, [0, 256] * 3
    at_border = _smooth_histogram(cv2.calcHist([colours], [0, 1, 2], ring, bins, span))
    overall = _smooth_histogram(cv2.calcHist([colours], [0, 1, 2], None, bins, span))
    rare = overall / (overall + 3.0 * at_border + 1e-6)
    index = (colours // (256 // _COLOURS)).astype(np.intp)
    return cv2.blur(rare[index[..., 0], index[..., 1], index[..., 2]].astype(np.float32), (3, 3))


def _smooth_histogram(counts: np.ndarray) -> np.ndarray:
    """Shares of a (_COLOURS,) * 3 histogram, blurred along each channel."""
    shares = counts / max(float(counts.sum()), 1.0)
    for _ in range(3):
        shares = (_BLUR @ shares.reshape(_COLOURS, -1)).reshape(shares.shape).transpose(1, 2, 0)
    return shares


@lru_cache(maxsize=8)
def _central(width: int, height: int) -> np.ndarray:
    """1 in the middle, falling to a half towards the corners; performers are filmed."""
    y, x = np.linspace(-1, 1, height)[:, None], np.linspace(-1, 1, width)
    return (0.4 + 0.6 * np.exp(-(x**2 + y**2) / 1.2)).astype(np.float32)


def _main_blobs(weight: np.ndarray) -> np.ndarray:
    """Pixels above Otsu's threshold in the blob with most weight, and in other weighty ones close to it."""
    levels = (weight**0.7 * 255).astype(np.uint8)
    _, mask = cv2.threshold(levels, 0, 1, cv2.THRESH_BINARY | cv2.THRESH_OTSU)
    joined = cv2.dilate(mask, _NEIGHBOURS)
    count, labels, boxes, _ = cv2.connectedComponentsWithStats(joined, connectivity=8)
    if count < 2:
        return np.zeros_like(mask)
    mass = np.bincount(labels.ravel(), (weight * mask).ravel(), count)
    mass[0] = 0.0
    main = int(mass.argmax())
    if mass[main] < _LEAST_MASS * weight.size:
        return np.zeros_like(mask)
    low = boxes[:, :2]
    high = low + boxes[:, 2:4]
    gap = np.maximum(np.maximum(low - high[main], low[main] - high), 0).max(axis=1)
    kept = (mass >= 0.1 * mass[main]) & (gap <= _NEAR * max(boxes[main, 2:4]))
    return mask * kept[labels].astype(np.uint8)
