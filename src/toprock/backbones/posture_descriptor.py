"""One vector for the posture in one picture: edge directions, outline and the distribution of the body.

Edge directions are pooled over a pyramid (Dalal and Triggs, CVPR 2005; Bosch et al., CIVR 2007) over a
square around the performer, once for the picture and once for the silhouette, and coarsely over the whole
picture. Everything is relative to the performer's box and contrast, so that place, distance, clothes and
light matter little. A picture and its mirror image have the same descriptor: a posture is as good to the
left as to the right.
"""

from __future__ import annotations

import cv2
import numpy as np

from toprock.backbones.silhouette import Silhouette

_ORIENTATIONS = 8
_PATCH = 48  # pixels of the square around the performer
_MARGIN = 1.15  # side of the square over the longer side of the box
_LEVELS = (1, 2, 4)
_PICTURE_CELLS = 2
_FAINT = 8.0  # Sobel response of an edge of 2 grey levels
_BACKGROUND = 0.1  # weight of edges outside the silhouette
_SHAPE = 24
DIMENSION = _ORIENTATIONS * (2 * sum(n * n for n in _LEVELS) + _PICTURE_CELLS**2) + _SHAPE


def describe_posture(image: np.ndarray, silhouette: Silhouette) -> np.ndarray:
    """The descriptor of one picture, (DIMENSION,) float32.

    Args:
        image: (height, width, 3) uint8 RGB.
        silhouette: found in it.
    """
    grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
    patch, inside = _square_patches(grey, silhouette)
    picture = cv2.resize(grey, (_PATCH, _PATCH), interpolation=cv2.INTER_AREA)
    everywhere = np.ones((_PATCH, _PATCH), np.float32)
    edges = _edge_histograms(patch, _BACKGROUND + (1 - _BACKGROUND) * inside, max(_LEVELS))
    outline = _edge_histograms(255 * inside, everywhere, max(_LEVELS))
    whole = _edge_histograms(picture, everywhere, _PICTURE_CELLS)
    parts = [
        *(_normalised(_both_ways(_coarser(edges, cells))) for cells in _LEVELS),
        *(_normalised(_both_ways(_coarser(outline, cells))) for cells in _LEVELS),
        0.5 * _normalised(_both_ways(whole)),
        _shape(silhouette),
    ]
    return np.concatenate(parts).astype(np.float32)


def _square_patches(grey: np.ndarray, silhouette: Silhouette) -> tuple[np.ndarray, np.ndarray]:
    """The square around the performer's box as (_PATCH, _PATCH) float32 grey and weight."""
    top, bottom, left, right = silhouette.box
    side = _MARGIN * max(bottom - top, right - left)
    corner_x, corner_y = (left + right - side) / 2, (top + bottom - side) / 2
    own = cv2.dilate(silhouette.weight * silhouette.mask, np.ones((3, 3), np.uint8))
    patches = []
    for picture, scale in ((grey.astype(np.float32), grey.shape[0] / own.shape[0]), (own, 1.0)):
        step = side * scale / _PATCH
        if step > 1.5:  # more pixels than the patch has: none may be skipped
            picture = cv2.blur(picture, (round(step), round(step)))
        offset = step / 2 - 0.5
        matrix = np.array([[step, 0.0, corner_x * scale + offset], [0.0, step, corner_y * scale + offset]])
        flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
        border = cv2.BORDER_REPLICATE
        patches.append(cv2.warpAffine(picture, matrix, (_PATCH, _PATCH), flags=flags, borderMode=border))
    return patches[0], patches[1]


def _edge_histograms(grey: np.ndarray, weight: np.ndarray, cells: int) -> np.ndarray:
    """(cells, cells, _ORIENTATIONS): edge strength, compressed, shared between the two nearest of 0 to pi.

    Direction 0 is a gradient along x, that is, an upright edge.
    """
    values = grey.astype(np.float32)
    dx, dy = cv2.Sobel(values, cv2.CV_32F, 1, 0), cv2.Sobel(values, cv2.CV_32F, 0, 1)
    strength, angle = cv2.cartToPolar(dx, dy)
    strength = cv2.sqrt(cv2.max(strength - _FAINT, 0.0)) * weight
    place = angle * np.float32(_ORIENTATIONS / np.pi)
    lower = place.astype(np.int32)
    fraction = place - lower
    rows, columns = values.shape
    cell = (np.arange(rows) * cells // rows * cells)[:, None] + np.arange(columns) * cells // columns
    shared = strength * fraction
    length = cells * cells * _ORIENTATIONS
    first = (cell * _ORIENTATIONS + lower % _ORIENTATIONS).ravel()
    second = (cell * _ORIENTATIONS + (lower + 1) % _ORIENTATIONS).ravel()
    histograms = np.bincount(first, (strength - shared).ravel(), length) + np.bincount(second, shared.ravel(), length)
    return histograms.reshape(cells, cells, _ORIENTATIONS)


def _coarser(histograms: np.ndarray, cells: int) -> np.ndarray:
    """Sum over blocks, so that cells x cells are left."""
    rows, columns, channels = histograms.shape
    return histograms.reshape(cells, rows // cells, cells, columns // cells, channels).sum(axis=(1, 3))


def _both_ways(histograms: np.ndarray) -> np.ndarray:
    """Mean with, and absolute difference from, the histograms of the mirrored picture; as many numbers.

    Args:
        histograms: (cells, cells, _ORIENTATIONS).
    """
    cells = len(histograms)
    mirrored = histograms[:, ::-1, -np.arange(_ORIENTATIONS) % _ORIENTATIONS]
    mean, difference = (histograms + mirrored) / 2, np.abs(histograms - mirrored) / 2
    if cells == 1:  # one cell is its own mirror image: half of each says all
        half = _ORIENTATIONS // 2
        return np.concatenate([mean[0, 0, : half + 1], difference[0, 0, 1:half]])
    return np.concatenate([mean[:, : cells // 2].ravel(), difference[:, : cells // 2].ravel()])


def _normalised(histogram: np.ndarray) -> np.ndarray:
    """Length 1, clipped at 0.25, length 1 again; then scaled to values of about 0.5 whatever their number."""
    for _ in range(2):
        histogram = np.minimum(histogram / (float(np.linalg.norm(histogram)) + 1e-3), 0.25)
    return histogram / (float(np.linalg.norm(histogram)) + 1e-3) * np.sqrt(len(histogram)) / 2


def _shape(silhouette: Silhouette) -> np.ndarray:
    """Numbers of the outline, (_SHAPE,)."""
    rows, columns = silhouette.mask.shape
    top, bottom, left, right = silhouette.box
    body = silhouette.mask[top:bottom, left:right]
    if not body.any():
        body = np.ones_like(body)
    height, width = body.shape
    moments = cv2.moments(body, binaryImage=True)
    area = moments["m00"]
    centre_x, centre_y = moments["m10"] / area / width, moments["m01"] / area / height
    spread, difference = moments["nu20"] + moments["nu02"], moments["nu20"] - moments["nu02"]
    cross = 2 * abs(moments["nu11"])
    hu = cv2.HuMoments(moments).ravel()[1:4]
    thickness = cv2.distanceTransform(np.pad(body, 1), cv2.DIST_L2, 3)
    outlines = cv2.findContours(body, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)[0]
    hull_area = cv2.contourArea(cv2.convexHull(np.concatenate(outlines)))
    y, x = np.nonzero(body)
    reach = np.hypot(x / width - centre_x, y / height - centre_y)
    return np.array(
        [
            np.log(height / width),
            area / (height * width),
            abs(centre_x - 0.5),
            centre_y - 0.5,
            4 * spread,
            10 * difference,  # above 0 lies, below 0 stands
            10 * cross,
            difference / (spread + 1e-6),
            cross / (spread + 1e-6),
            np.hypot(difference, cross) / (spread + 1e-6),
            *(np.log1p(abs(h) * 10.0 ** (2 + 2 * k)) for k, h in enumerate(hu)),
            area / max(hull_area, area),
            sum(cv2.arcLength(outline, True) for outline in outlines) / np.sqrt(area) / 4,
            float(thickness.max()) / np.sqrt(area),
            float(thickness.sum()) / area / np.sqrt(area) * 5,
            float(body[: height // 2].sum()) / area,
            float((body * body[:, ::-1]).sum()) / area,
            float(reach.mean()),
            (bottom - top) / rows,
            (right - left) / columns,
            (top + bottom) / 2 / rows - 0.5,
            silhouette.certainty,
        ]
    )
