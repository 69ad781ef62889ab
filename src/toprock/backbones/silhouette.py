"""The performer's silhouette, guessed from one picture.

Nothing but the picture is known, so what stands out is taken. Places are filmed upright: a wall, an audience
or a floor looks alike from left to right. So a colour that is rare in its band of rows stands out, the more
so if it is walled off from the picture's border (barrier distance; Zhang et al., ICCV 2015) and near the
middle. The colours found that way vote once more for every pixel that has them. Where the guess fails it
degrades to a soft blob in the middle.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np

_SHORT_SIDE = 56  # pixels at which the silhouette is looked for
_BANDS = 12  # of rows
_STEPS = (20, 6, 6)  # width of a colour bin in Y, Cr, Cb
_LEVELS, _LOWEST_CHROMA = (13, 22, 22), 62  # bins a channel; stronger colours fall into the outermost
_BINS = 13 * 22 * 22
_RAREST = 0.01  # shares of a band below this are all as rare
_FILL_STEPS = 5
_NEIGHBOURS = np.ones((3, 3), np.uint8)
# Logistic weights of rarity, colour vote and place, fitted to 160 rendered scenes with known outlines.
_RARITY, _VOTE, _CENTRAL, _BIAS = 1.5, 4.0, 3.7, -7.0
_LEAST_WEIGHT = 0.25
_LEAST_MASS = 0.002  # of the picture, for a blob to count
_SMALL_PART = 0.1  # of the main blob's mass, for another blob to be the performer's too
_NEAR = 0.12  # of the main blob's longer side, within which other blobs are


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
    weight = _stands_out(cv2.GaussianBlur(colours, (3, 3), 0))
    mask = _main_blobs(weight)
    if not mask.any():
        return Silhouette(weight, mask, (0, size[1], 0, size[0]), 0.0)
    inside = float(weight[mask > 0].mean())
    outside = float(weight[mask == 0].mean()) if (mask == 0).any() else inside
    left, top, w, h = cv2.boundingRect(mask)
    return Silhouette(weight, mask, (top, top + h, left, left + w), max(0.0, inside - outside))


def _stands_out(colours: np.ndarray) -> np.ndarray:
    """How sure each pixel is the performer's; (rows, columns) float32 in 0 to 1."""
    rows, columns = colours.shape[:2]
    bins = _bins(colours)
    rarity = _rare_in_band(bins)
    central = _central(columns, rows)
    first = cv2.blur(rarity * rarity * (0.5 + _barrier(colours)) * (0.3 + central), (3, 3))
    share = np.minimum(_to_unit(first), 1.0) ** 1.5
    members = np.maximum(np.bincount(bins.ravel(), minlength=_BINS), 1)
    vote = _to_unit((np.bincount(bins.ravel(), share.ravel(), _BINS) / members)[bins].astype(np.float32))
    logit = _RARITY * rarity + _VOTE * np.minimum(vote, 1.5)
    logit = cv2.GaussianBlur(logit, (3, 3), 0.8) + _CENTRAL * central + _BIAS
    return 1.0 / (1.0 + np.exp(-logit))


def _bins(colours: np.ndarray) -> np.ndarray:
    """Number of each pixel's colour bin, (rows, columns) in 0.._BINS - 1."""
    tables = _bin_tables()
    luma, red, blue = (np.take(table, colours[..., k]) for k, table in enumerate(tables))
    return luma + red + blue


@lru_cache(maxsize=1)
def _bin_tables() -> tuple[np.ndarray, ...]:
    """For each channel, what each of its 256 values adds to the number of the bin."""
    values = np.arange(256)
    chroma = values - _LOWEST_CHROMA
    level = [np.clip(v // step, 0, n - 1) for v, step, n in zip((values, chroma, chroma), _STEPS, _LEVELS, strict=True)]
    return level[0] * (_LEVELS[1] * _LEVELS[2]), level[1] * _LEVELS[2], level[2]


def _rare_in_band(bins: np.ndarray) -> np.ndarray:
    """Minus the log share of each pixel's colour bin in its band of rows and the next two; 0 to 1 float32."""
    rows, columns = bins.shape
    band = (np.arange(rows) * _BANDS // rows)[:, None]
    counts = np.bincount((band * _BINS + bins).ravel(), minlength=_BANDS * _BINS)
    near = sum(counts[np.clip(band + k, 0, _BANDS - 1) * _BINS + bins] for k in (-1, 0, 1))
    share = near * np.float32(_BANDS / (3.0 * rows * columns))
    return (np.log((1.0 + _RAREST) / (share + _RAREST)) / np.log(1.0 / _RAREST)).astype(np.float32)


def _barrier(colours: np.ndarray) -> np.ndarray:
    """Least height of the wall between each pixel and the border, summed over channels; about 0 to 1 float32.

    A pixel darker than all around it is in a pit, a brighter one on a hill; both depths are found by filling
    the picture and its negative: along straight lines from the border, then from pixel to pixel around
    corners.
    """
    rows, columns = colours.shape[:2]
    half = cv2.resize(colours, (columns // 2, rows // 2), interpolation=cv2.INTER_AREA)
    both = np.concatenate([half, 255 - half], axis=2)  # (rows / 2, columns / 2, 6) uint8
    climb = np.maximum.accumulate
    level = np.minimum(
        np.minimum(climb(both, axis=0), climb(both[::-1], axis=0)[::-1]),
        np.minimum(climb(both, axis=1), climb(both[:, ::-1], axis=1)[:, ::-1]),
    )
    for _ in range(_FILL_STEPS):
        level = cv2.max(cv2.erode(level, _NEIGHBOURS), both)
    depth = level - both
    height = np.maximum(depth[..., :3], depth[..., 3:]) @ np.array([1.0, 2.0, 2.0], np.float32)
    return cv2.resize(_to_unit(height), (columns, rows), interpolation=cv2.INTER_LINEAR)


def _to_unit(values: np.ndarray) -> np.ndarray:
    """`values` less their smallest, over their 99th percentile."""
    low = float(values.min())
    rank = values.size - 1 - values.size // 100
    high = float(np.partition(values.ravel(), rank)[rank])
    return (values - low) / np.float32(high - low + 1e-6)


@lru_cache(maxsize=8)
def _central(width: int, height: int) -> np.ndarray:
    """1 in the middle, falling to a half towards the corners; performers are filmed."""
    y, x = np.linspace(-1, 1, height)[:, None], np.linspace(-1, 1, width)
    return (0.4 + 0.6 * np.exp(-(x**2 + y**2) / 1.2)).astype(np.float32)


def _main_blobs(weight: np.ndarray) -> np.ndarray:
    """The blob with most weight, and other weighty ones close to it; (rows, columns) uint8."""
    mask = (weight > _LEAST_WEIGHT).astype(np.uint8)
    count, labels, boxes, _ = cv2.connectedComponentsWithStats(cv2.dilate(mask, _NEIGHBOURS), connectivity=8)
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
    kept = (mass >= _SMALL_PART * mass[main]) & (gap <= _NEAR * max(boxes[main, 2:4]))
    return mask * kept[labels].astype(np.uint8)
