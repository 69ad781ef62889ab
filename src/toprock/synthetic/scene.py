"""Where a performance happens: a textured place, light, and a camera that moves a little."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import cv2
import numpy as np

WIDTH, HEIGHT = 256, 192
_MARGIN = 40  # pixels drawn around the picture for a moving camera
_FINE = 3  # a moving camera samples a background this much finer: 4 times as fast as interpolating each frame
Colour = tuple[float, float, float]


@dataclass(frozen=True)
class Camera:
    """A view: body heights to pixels, and one similarity a frame.

    Attributes:
        scale: pixels a body height at z = 0.
        pitch: radians that the camera looks down.
        ground: (x, y) pixels where the origin stands.
        shifts: (T, 2) pixels; zooms: (T,) factors about the picture's centre.
    """

    scale: float
    pitch: float
    ground: tuple[float, float]
    shifts: np.ndarray
    zooms: np.ndarray

    @classmethod
    def draw(cls, rng: np.random.Generator, frames: int, fps: float) -> Camera:
        """A new camera: often still, else slow pan or zoom, with or without shaking hands."""
        scale = rng.uniform(100, 124)
        ground = (WIDTH / 2 + rng.uniform(-26, 26), rng.uniform(150, 168))
        time = np.arange(frames) / fps
        shifts, zooms = np.zeros((frames, 2)), np.ones(frames)
        if rng.uniform() < 0.45:
            for axis in range(2):
                for hertz, size in ((0.35, 1.6), (1.1, 0.5), (2.6, 0.22)):
                    phase, amount = rng.uniform(0, 2 * np.pi), size * rng.uniform(0.2, 1.0)
                    shifts[:, axis] += amount * np.sin(2 * np.pi * hertz * time * rng.uniform(0.8, 1.2) + phase)
        if rng.uniform() < 0.35:
            period = rng.uniform(14, 40)
            shifts[:, 0] += rng.uniform(4, 14) * np.sin(2 * np.pi * time / period + rng.uniform(0, 2 * np.pi))
        if rng.uniform() < 0.35:
            period = rng.uniform(14, 40)
            zooms += rng.uniform(0.02, 0.06) * np.sin(2 * np.pi * time / period + rng.uniform(0, 2 * np.pi))
        return cls(scale, rng.uniform(0.12, 0.26), ground, shifts, zooms)

    def during(self, start: int, stop: int) -> Camera:
        """The same camera in the frames from `start` on and before `stop`."""
        return replace(self, shifts=self.shifts[start:stop], zooms=self.zooms[start:stop])

    @property
    def still(self) -> bool:
        return not self.shifts.any() and bool((self.zooms == 1).all())

    def project(self, points: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Pixels (T, N, 2), depth (T, N; more is nearer), pixels a body height (T, N) of (T, N, 3)."""
        cosine, sine = np.cos(self.pitch), np.sin(self.pitch)
        depth = points[..., 2] * cosine + points[..., 1] * sine
        scale = self.scale / (1 - 0.16 * depth)
        x = self.ground[0] + scale * points[..., 0]
        y = self.ground[1] - scale * (points[..., 1] * cosine - points[..., 2] * sine)
        pixels = np.stack([x, y], axis=-1)
        centre = np.array([WIDTH / 2, HEIGHT / 2])
        zooms = self.zooms[:, None, None]
        return (pixels - centre) * zooms + centre + self.shifts[:, None, :], depth, scale * zooms[..., 0]

    def matrix(self, frame: int) -> np.ndarray:
        """Affine matrix (2, 3) from the large background to the picture."""
        zoom, (dx, dy) = self.zooms[frame], self.shifts[frame]
        return np.array(
            [
                [zoom, 0, (1 - zoom) * WIDTH / 2 + dx - zoom * _MARGIN],
                [0, zoom, (1 - zoom) * HEIGHT / 2 + dy - zoom * _MARGIN],
            ]
        )


class Background:
    """The place behind the performer, with light of colour `tint` (3,); drawn once, moved with the camera."""

    def __init__(self, rng: np.random.Generator, camera: Camera, tint: np.ndarray) -> None:
        self._camera = camera
        large = np.clip(_draw_place(rng, camera) * tint, 0, 255).astype(np.uint8)
        self._crop = np.ascontiguousarray(large[_MARGIN : _MARGIN + HEIGHT, _MARGIN : _MARGIN + WIDTH])
        self._fine = cv2.resize(large, None, fx=_FINE, fy=_FINE, interpolation=cv2.INTER_CUBIC)

    def frame(self, number: int) -> np.ndarray:
        """A fresh picture (192, 256, 3) uint8 RGB of the place alone."""
        if self._camera.still:
            return self._crop.copy()
        to_large = cv2.invertAffineTransform(self._camera.matrix(number))
        to_fine = to_large * _FINE
        to_fine[:, 2] += (_FINE - 1) / 2  # pixel centres
        flags = cv2.INTER_NEAREST | cv2.WARP_INVERSE_MAP
        return cv2.warpAffine(self._fine, to_fine, (WIDTH, HEIGHT), flags=flags, borderMode=cv2.BORDER_REFLECT)

    def wall_luma(self) -> float:
        """Mean brightness behind the performer, 0 to 255."""
        return float(self._crop[30:170, 60:200].mean())


def _draw_place(rng: np.random.Generator, camera: Camera) -> np.ndarray:
    height, width = HEIGHT + 2 * _MARGIN, WIDTH + 2 * _MARGIN
    horizon = int(camera.ground[1] + _MARGIN - rng.uniform(24, 40))
    picture = np.zeros((height, width, 3), np.float32)
    wall = _WALLS[int(rng.integers(len(_WALLS)))]
    picture[:horizon] = wall(rng, horizon, width)
    picture[horizon:] = _floor(rng, height - horizon, width, horizon, camera)
    cv2.line(
        picture,
        (0, horizon),
        (width, horizon),
        tuple(float(v) for v in picture[horizon - 4, 0] * 0.5),
        2,
        cv2.LINE_AA,
    )
    # the camera is focused on the performer: the place behind is soft
    picture = 0.15 * cv2.GaussianBlur(picture, (0, 0), 0.8) + 0.85 * cv2.GaussianBlur(picture, (0, 0), 9)
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    spot_x = camera.ground[0] + _MARGIN + rng.uniform(-50, 50)
    spot = np.exp(-(((x - spot_x) / rng.uniform(110, 200)) ** 2 + ((y - horizon - 15) / rng.uniform(90, 160)) ** 2))
    dim = rng.uniform(0.5, 0.85)
    picture *= (dim + (1.15 - dim) * spot)[..., None]
    picture += rng.normal(0, 2.2, (height, width, 1))
    return picture


def _noise(rng: np.random.Generator, height: int, width: int, cell: int) -> np.ndarray:
    """Smooth noise in -1..1, (height, width)."""
    small = rng.uniform(-1, 1, (height // cell + 2, width // cell + 2)).astype(np.float32)
    return cv2.resize(small, (width, height), interpolation=cv2.INTER_CUBIC)


def _hue(rng: np.random.Generator, value: tuple[float, float], saturation: tuple[float, float]) -> np.ndarray:
    """A colour (3,) in 0..255 of random hue."""
    hsv = np.array([[[rng.uniform(0, 360), rng.uniform(*saturation), rng.uniform(*value)]]], np.float32)
    return cv2.cvtColor(hsv, cv2.COLOR_HSV2RGB)[0, 0] * 255


def _stage(rng: np.random.Generator, height: int, width: int) -> np.ndarray:
    """An LED wall with shapes, and beams of light from above."""
    one, other = _hue(rng, (0.12, 0.4), (0.4, 0.9)), _hue(rng, (0.2, 0.6), (0.4, 0.9))
    ramp = np.linspace(0, 1, height, dtype=np.float32)[:, None, None]
    picture = np.broadcast_to(one * (1 - ramp) + 0.7 * other * ramp, (height, width, 3)).astype(np.float32).copy()
    for _ in range(int(rng.integers(3, 8))):
        centre = (int(rng.uniform(0, width)), int(rng.uniform(20, height)))
        tint = tuple(float(v) for v in _hue(rng, (0.3, 0.75), (0.3, 0.9)))
        layer = picture.copy()
        if rng.uniform() < 0.5:
            cv2.circle(layer, centre, int(rng.uniform(10, 50)), tint, int(rng.choice([-1, 3, 6])), cv2.LINE_AA)
        else:
            corners = np.array(centre) + rng.uniform(-60, 60, (3, 2))
            cv2.fillPoly(layer, [corners.astype(np.int32)], tint, cv2.LINE_AA)
        picture = 0.55 * picture + 0.45 * layer
    pitch = int(rng.integers(4, 8))
    picture[::pitch] *= 0.86
    picture[:, ::pitch] *= 0.9
    for _ in range(int(rng.integers(1, 4))):
        top, bottom = rng.uniform(0, width), rng.uniform(0, width)
        beam = np.zeros((height, width), np.float32)
        corners = np.array([[top - 4, 0], [top + 4, 0], [bottom + 34, height], [bottom - 34, height]], np.int32)
        cv2.fillPoly(beam, [corners], 1.0)
        picture += cv2.GaussianBlur(beam, (0, 0), 7)[..., None] * _hue(rng, (0.2, 0.35), (0.1, 0.6))
    return picture


def _bricks(rng: np.random.Generator, height: int, width: int) -> np.ndarray:
    """A brick wall with a painted piece on it."""
    picture = np.empty((height, width, 3), np.float32)
    base = _hue(rng, (0.35, 0.7), (0.1, 0.5))
    picture[:] = base * 0.62
    tall, long = int(rng.integers(8, 13)), int(rng.integers(20, 34))
    for row, top in enumerate(range(0, height, tall)):
        for left in range(-(row % 2) * long // 2, width, long):
            tone = base * rng.uniform(0.8, 1.12)
            cv2.rectangle(
                picture,
                (left + 1, top + 1),
                (left + long - 2, top + tall - 2),
                tuple(float(v) for v in tone),
                -1,
            )
    for _ in range(int(rng.integers(2, 6))):
        points = np.array([rng.uniform(0, width), rng.uniform(height * 0.3, height)]) + rng.uniform(-45, 45, (6, 2))
        hull = cv2.convexHull(points.astype(np.float32)).astype(np.int32)
        layer = picture.copy()
        cv2.fillPoly(layer, [hull], tuple(float(v) for v in _hue(rng, (0.4, 0.9), (0.5, 1))), cv2.LINE_AA)
        cv2.polylines(layer, [hull], True, (18, 18, 20), 3, cv2.LINE_AA)
        picture = 0.3 * picture + 0.7 * layer
    return picture * (1 + 0.1 * _noise(rng, height, width, 24)[..., None])


def _crowd(rng: np.random.Generator, height: int, width: int) -> np.ndarray:
    """People round the floor, out of focus, with lamps above them."""
    ramp = np.linspace(0.5, 1, height, dtype=np.float32)[:, None, None]
    picture = np.broadcast_to(_hue(rng, (0.1, 0.35), (0.2, 0.7)) * ramp, (height, width, 3)).astype(np.float32).copy()
    for _ in range(int(rng.integers(6, 16))):
        lamp = (int(rng.uniform(0, width)), int(rng.uniform(5, height * 0.5)))
        cv2.circle(
            picture,
            lamp,
            int(rng.uniform(2, 7)),
            tuple(float(v) for v in _hue(rng, (0.6, 1), (0.1, 0.6))),
            -1,
            cv2.LINE_AA,
        )
    for row in range(3):
        head = 8 + 2 * row
        left = rng.uniform(-20, 0)
        while left < width + 20:
            top = height - 52 + 16 * row + rng.uniform(-6, 6)
            coat = tuple(float(v) for v in _hue(rng, (0.1, 0.3 + 0.12 * row), (0.0, 0.7)))
            skin = tuple(float(v) for v in np.array([150, 112, 90]) * rng.uniform(0.3, 0.95))
            cv2.ellipse(
                picture,
                (int(left), int(top + 3.4 * head)),
                (int(1.5 * head), int(2.6 * head)),
                0,
                0,
                360,
                coat,
                -1,
                cv2.LINE_AA,
            )
            cv2.circle(picture, (int(left), int(top)), head - 1, skin, -1, cv2.LINE_AA)
            left += rng.uniform(1.6, 3.0) * head
    return cv2.GaussianBlur(picture, (0, 0), rng.uniform(1.2, 2.6))


def _studio(rng: np.random.Generator, height: int, width: int) -> np.ndarray:
    """A plain room: panels or curtains, a window or posters."""
    base = _hue(rng, (0.45, 0.88), (0.0, 0.35))
    x = np.arange(width, dtype=np.float32)
    folds = 1 + rng.uniform(0.03, 0.14) * np.sin(2 * np.pi * x / rng.uniform(12, 60) + 2 * np.sin(x / 37))
    picture = np.broadcast_to(base * folds[None, :, None], (height, width, 3)).astype(np.float32).copy()
    for _ in range(int(rng.integers(2, 5))):
        left, top = int(rng.uniform(-10, width - 30)), int(rng.uniform(10, height * 0.55))
        right, bottom = left + int(rng.uniform(28, 80)), top + int(rng.uniform(24, 64))
        cv2.rectangle(picture, (left, top), (right, bottom), tuple(float(v) for v in base * 0.5), -1)
        fill = _hue(rng, (0.3, 0.95), (0.1, 0.8))
        cv2.rectangle(picture, (left + 2, top + 2), (right - 2, bottom - 2), tuple(float(v) for v in fill), -1)
        cv2.circle(
            picture,
            ((left + right) // 2, (top + bottom) // 2),
            9,
            tuple(float(v) for v in 255 - fill),
            -1,
            cv2.LINE_AA,
        )
    return picture * (1 + 0.05 * _noise(rng, height, width, 40)[..., None])


_WALLS: tuple[Callable[[np.random.Generator, int, int], np.ndarray], ...] = (_stage, _bricks, _crowd, _studio)


def _floor(rng: np.random.Generator, height: int, width: int, horizon: int, camera: Camera) -> np.ndarray:
    """Boards, tiles, concrete or a printed ring, in perspective."""
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    standing = max(camera.ground[1] + _MARGIN - horizon, 8.0)
    distance = standing / np.maximum(y + 5, 4) * 1.2
    across = (x - camera.ground[0] - _MARGIN) / camera.scale * distance
    base = _hue(rng, (0.3, 0.8), (0.05, 0.5))
    kind = int(rng.integers(4))
    if kind == 0:
        tone = 0.86 + 0.16 * np.sin(np.floor(across / 0.16) * 12.9898) - 0.25 * ((across / 0.16) % 1 < 0.05)
    elif kind == 1:
        tone = 0.82 + 0.2 * ((np.floor(across / 0.45) + np.floor(distance / 0.32)) % 2)
    elif kind == 2:
        tone = np.ones_like(x)
    else:
        radius = np.hypot(across, (distance - 1.2) * 1.6)
        tone = np.where(radius < 0.85, 1.1, 0.8) - 0.35 * (np.abs(radius - 0.85) < 0.03)
    speckle = 0.06 * _noise(rng, height, width, 3) + 0.08 * _noise(rng, height, width, 20)
    return base * (tone + speckle).astype(np.float32)[..., None]
