"""One vector for the posture in one picture: edge directions, outline and the distribution of the body.

Edge directions are pooled over a pyramid (Dalal and Triggs, CVPR 2005; Bosch et al., CIVR 2007) over a square around the
performer, and coarsely over the picture. Everything is relative to the performer's box and contrast, so that
place, distance, clothes and light matter little.
"""

from __future__ import annotations

import cv2
import numpy as np

from toprock.backbones.silhouette import Silhouette

_ORIENTATIONS = 8
_PATCH = 64  # pixels of the square around the performer
_SIDE = 4.4  # standard deviations of the weight; a uniform bar of length 1 has 0.29
_LEVELS = (1, 2, 4)
_FAINT = 8.0  # Sobel response of an edge of 2 grey levels
_PICTURE_CELLS = 2
_OCCUPANCY = 8
_PROFILE = 8
_RAYS = 16
_SHAPE = 24
DIMENSION = (
    _ORIENTATIONS * (sum(n * n for n in _LEVELS) + _PICTURE_CELLS**2)
    + _OCCUPANCY**2
    + 2 * _PROFILE
    + 2 * _RAYS
    + _SHAPE
)


def describe_posture(image: np.ndarray, silhouette: Silhouette) -> np.ndarray:
    """The descriptor of one picture, (DIMENSION,) float32.

    Args:
        image: (height, width, 3) uint8 RGB.
        silhouette: found in it.
    """
    grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
    patch, inside = _square_patch(grey, silhouette)
    edges = _edge_histograms(patch, 0.15 + 0.85 * cv2.dilate(inside, np.ones((5, 5), np.uint8)), max(_LEVELS))
    pyramid = [_normalised(_coarser(edges, n)) for n in _LEVELS]
    picture = cv2.resize(grey, (_PATCH, _PATCH), interpolation=cv2.INTER_AREA)
    whole = _edge_histograms(picture, np.ones(picture.shape, np.float32), _PICTURE_CELLS)
    top, bottom, left, right = silhouette.box
    body = silhouette.mask[top:bottom, left:right].astype(np.float32)
    if not body.any():
        body = np.ones_like(body)
    parts = [
        *pyramid,
        0.5 * _normalised(whole.ravel()),
        2 * cv2.resize(inside, (_OCCUPANCY, _OCCUPANCY), interpolation=cv2.INTER_AREA).ravel(),
        _resized(body, 1, _PROFILE).ravel(),
        _resized(body, _PROFILE, 1).ravel(),
        _radial_profile(body),
        _shape(body, silhouette),
    ]
    return np.concatenate(parts).astype(np.float32)


def _square_patch(grey: np.ndarray, silhouette: Silhouette) -> tuple[np.ndarray, np.ndarray]:
    """The square around the performer's centre of mass as (_PATCH, _PATCH) float32 grey and weight.

    Its side follows the spread of the weight, which stray pixels change less than they change a box.
    """
    own = silhouette.weight * silhouette.mask if silhouette.mask.any() else silhouette.weight
    moments = cv2.moments(own)
    mass = max(moments["m00"], 1e-6)
    centre_x, centre_y = moments["m10"] / mass, moments["m01"] / mass
    spread = np.sqrt(max(moments["mu20"], moments["mu02"]) / mass)
    side = _SIDE * max(float(spread), 2.0)
    corner_x, corner_y = centre_x + 0.5 - side / 2, centre_y + 0.5 - side / 2
    patches = []
    for picture, scale in ((grey.astype(np.float32), grey.shape[0] / own.shape[0]), (silhouette.weight, 1.0)):
        step = side * scale / _PATCH
        if step > 1.5:  # few pixels are skipped
            picture = cv2.blur(picture, (round(step), round(step)))
        origin_x, origin_y = corner_x * scale + step / 2 - 0.5, corner_y * scale + step / 2 - 0.5
        matrix = np.array([[step, 0.0, origin_x], [0.0, step, origin_y]])
        flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
        patches.append(
            cv2.warpAffine(picture, matrix, (_PATCH, _PATCH), flags=flags, borderMode=cv2.BORDER_REPLICATE)
        )
    return patches[0], patches[1]


def _edge_histograms(grey: np.ndarray, weight: np.ndarray, cells: int) -> np.ndarray:
    """(cells, cells, _ORIENTATIONS): edge strength, compressed, shared between the two nearest of 0 to pi."""
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
    """Sum over blocks, so that cells x cells are left; (cells * cells * channels,)."""
    rows, columns, channels = histograms.shape
    return histograms.reshape(cells, rows // cells, cells, columns // cells, channels).sum(axis=(1, 3)).ravel()


def _normalised(histogram: np.ndarray) -> np.ndarray:
    """Length 1, clipped at 0.25, length 1 again; then scaled so that a value is about 1 whatever the length."""
    for _ in range(2):
        histogram = np.minimum(histogram / (float(np.linalg.norm(histogram)) + 1e-3), 0.25)
    return histogram / (float(np.linalg.norm(histogram)) + 1e-3) * np.sqrt(len(histogram)) / 2


def _resized(body: np.ndarray, rows: int, columns: int) -> np.ndarray:
    """Mean of `body` over rows x columns equal cells, also where it is smaller than that."""
    fine = cv2.resize(body, (_resolution(columns), _resolution(rows)), interpolation=cv2.INTER_LINEAR) if (
        min(body.shape) < 2 * max(rows, columns)
    ) else body
    return cv2.resize(fine, (columns, rows), interpolation=cv2.INTER_AREA)


def _resolution(cells: int) -> int:
    return cells * max(4, 24 // cells)


def _radial_profile(body: np.ndarray) -> np.ndarray:
    """Reach and share of the body in each direction from its centre, in units of the square root of its area.

    Reach is a power mean near the largest distance, less shaky than the largest itself.
    """
    y, x = np.nonzero(body)
    dx, dy = x - x.mean(), y - y.mean()
    ray = (np.arctan2(dy, dx) * (_RAYS / (2 * np.pi)) + 0.5).astype(np.intp) % _RAYS
    distance = np.hypot(dx, dy) / np.sqrt(len(x))
    reach = (np.bincount(ray, distance**8, _RAYS) / np.maximum(np.bincount(ray, minlength=_RAYS), 1)) ** (1 / 8)
    share = np.bincount(ray, distance, _RAYS) / len(x) * _RAYS
    return np.concatenate([reach, share])


def _shape(body: np.ndarray, silhouette: Silhouette) -> np.ndarray:
    """Numbers of the whole outline, (_SHAPE,)."""
    rows, columns = silhouette.mask.shape
    height, width = body.shape
    top, bottom, left, right = silhouette.box
    moments = cv2.moments(body, binaryImage=True)
    area = moments["m00"]
    centre_x, centre_y = moments["m10"] / area / width, moments["m01"] / area / height
    spread, difference, cross = (
        moments["nu20"] + moments["nu02"],
        moments["nu20"] - moments["nu02"],
        2 * moments["nu11"],
    )
    hu = cv2.HuMoments(moments).ravel()
    binary = body.astype(np.uint8)
    outline = max(cv2.findContours(binary, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)[0], key=len)
    hull_area = cv2.contourArea(cv2.convexHull(np.argwhere(body > 0)[:, ::-1].astype(np.int32)))
    thickness = cv2.distanceTransform(np.pad(binary, 1), cv2.DIST_L2, 3)
    half = height // 2
    mirrored = body[:, ::-1]
    return np.array(
        [
            np.log(height / width),
            area / (height * width),
            centre_x - 0.5,
            centre_y - 0.5,
            4 * spread,
            10 * difference,  # > 0 lies, < 0 stands
            10 * cross,
            difference / (spread + 1e-6),
            cross / (spread + 1e-6),
            np.hypot(difference, cross) / (spread + 1e-6),
            *(np.sign(h) * np.log1p(abs(h) * 10.0 ** (2 + 2 * k)) for k, h in enumerate(hu[1:4])),
            area / max(hull_area, area),
            cv2.arcLength(outline, True) / np.sqrt(area) / 4,
            float(thickness.max()) / np.sqrt(area),
            float(thickness.sum()) / area / np.sqrt(area) * 5,
            float(body[:half].sum()) / area,
            float((body * mirrored).sum()) / area,
            (bottom - top) / rows,
            (right - left) / columns,
            (top + bottom) / 2 / rows - 0.5,
            (left + right) / 2 / columns - 0.5,
            silhouette.certainty,
        ]
    )
