"""Pictures with known answers for the tests of the backbones."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

import cv2
import numpy as np

from toprock.backbones import build
from toprock.backbones.base import Backbone, Frame, Segment
from toprock.backbones.flow import FlowDescriber

HEIGHT, WIDTH = 128, 228
FPS = 15.0


def texture(seed: int, *, width: int = WIDTH, height: int = HEIGHT, contrast: float = 60.0) -> np.ndarray:
    """A smooth random picture, (height, width, 3) uint8."""
    rng = np.random.default_rng(seed)
    noise = cv2.GaussianBlur(rng.normal(size=(height, width, 3)), (0, 0), 2.5)
    return np.clip(120 + contrast * noise / noise.std(), 0, 255).astype(np.uint8)


def disc_video(
    place: Callable[[float], tuple[float, float]],
    times: Sequence[float],
    *,
    radius: float = 0.14,
    background: Callable[[float], np.ndarray] | None = None,
) -> list[Frame]:
    """A textured disc whose centre is at `place(time)` (x, y in picture heights) at each of `times`."""
    still = texture(1, contrast=20.0)
    surface = texture(2, width=128, height=128)
    frames = []
    for time_s in times:
        picture = (background(time_s) if background else still).copy()
        x, y = (value * HEIGHT for value in place(time_s))
        matrix = np.array([[1.0, 0.0, x - 64], [0.0, 1.0, y - 64]])
        mask = cv2.circle(np.zeros((128, 128), np.uint8), (64, 64), round(radius * HEIGHT), 255, -1, cv2.LINE_AA)
        moved = cv2.warpAffine(surface, matrix, (WIDTH, HEIGHT)).astype(float)
        weight = cv2.warpAffine(mask, matrix, (WIDTH, HEIGHT)).astype(float)[..., None] / 255
        frames.append(Frame(float(time_s), (picture * (1 - weight) + moved * weight).astype(np.uint8)))
    return frames


def describe(
    backbone: Backbone, frames: Iterable[Frame], cuts: Sequence[int] = (), end_s: float | None = None
) -> list[Segment]:
    """All segments of `frames`, with a new shot at each index of `cuts`."""
    describer, segments, last = backbone.describer(), [], 0.0
    for number, frame in enumerate(frames):
        segments += describer.push(frame, new_shot=number == 0 or number in cuts)
        last = frame.time_s
    return segments + describer.finish(last + 1 / FPS if end_s is None else end_s)


def mean_motion(frames: Iterable[Frame], cuts: Sequence[int] = ()) -> float:
    describer = build("flow").describer()
    assert isinstance(describer, FlowDescriber)
    for number, frame in enumerate(frames):
        describer.push(frame, new_shot=number == 0 or number in cuts)
    return describer.mean_motion


def stick_figure(
    limbs: Sequence[tuple[tuple[float, float], tuple[float, float]]],
    *,
    centre: tuple[float, float] = (0.9, 0.55),
    size: float = 0.6,
    colour: tuple[int, int, int] = (200, 60, 50),
    ground: tuple[int, int, int] = (90, 100, 110),
    thickness: float = 0.13,
) -> np.ndarray:
    """Limbs ((x, y), (x, y)) in a unit square about 0, drawn on a plain ground, (HEIGHT, WIDTH, 3) uint8."""
    picture = np.full((HEIGHT, WIDTH, 3), ground, np.uint8)
    for start, end in limbs:
        ends = [
            tuple(round((c + size * p) * HEIGHT * 16) for c, p in zip(centre, point, strict=True))
            for point in (start, end)
        ]
        width = max(1, round(thickness * size * HEIGHT))
        cv2.line(picture, (ends[0][0], ends[0][1]), (ends[1][0], ends[1][1]), colour, width, cv2.LINE_AA, 4)
    return picture
