"""Motion between two pictures that is the performer's own: optical flow less what the camera did.

Flow is dense inverse search (Kroeger et al., ECCV 2016) in its fastest preset, which works on quarter
resolution, so that every fourth pixel (a *cell*) holds all of it. The camera's motion is a similarity (shift,
turn, zoom) fitted to the cells by iteratively reweighted least squares with Geman-McClure weights. Motion
counts only where the pictures differ after the camera's motion is undone, so that a still scene has exactly
none.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

CELL = 4  # pixels: the finest scale of the preset
_NOISE_LEVELS = 3.0  # grey levels (of 255) that coding and sensors change without motion
_STILL_PX = 0.12  # a smaller displacement than this, in pixels a pair, is no motion
_CAMERA_PX = 0.25  # a fitted camera motion that displaces no cell by more is none
_SCALES_PX = (4.0, 2.0, 1.0, 0.6, 0.6)  # annealed width of the Geman-McClure weights


def small_grey(image: np.ndarray, short_side: int) -> np.ndarray:
    """Grey picture (h, w) uint8 whose shorter side is at most `short_side`, sides multiples of `CELL`.

    Args:
        image: (height, width, 3) uint8 RGB.
        short_side: pixels.
    """
    height, width = image.shape[:2]
    scale = min(1.0, short_side / min(height, width))
    size = tuple(max(16, round(side * scale / CELL) * CELL) for side in (width, height))
    grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
    return grey if size == (width, height) else cv2.resize(grey, size, interpolation=cv2.INTER_AREA)


@dataclass(frozen=True)
class CameraFit:
    """Similarity flow of the background: u = shift_x + zoom x - turn y, v = shift_y + turn x + zoom y.

    x, y in cells from the centre; flow in pixels. All 0 is a still camera.
    """

    shift_x: float = 0.0
    shift_y: float = 0.0
    zoom: float = 0.0
    turn: float = 0.0

    @property
    def still(self) -> bool:
        return not (self.shift_x or self.shift_y or self.zoom or self.turn)

    def field(self, x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Flow (u, v) in pixels at x, y (cells from the centre)."""
        return (
            self.shift_x + self.zoom * x - self.turn * y,
            self.shift_y + self.turn * x + self.zoom * y,
        )


class PerformerMotion:
    """Pushed grey pictures one by one, gives the motion of what moves against the background.

    Args:
        shape: (height, width) of the pictures, multiples of `CELL`.
    """

    def __init__(self, shape: tuple[int, int]) -> None:
        cv2.setNumThreads(1)
        self._flow = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_ULTRAFAST)
        self._flow.setPatchSize(5)  # of the preset's 8: limbs are thin
        self._flow.setPatchStride(3)
        height, width = shape
        self.height_px = height
        self.grid = (height // CELL, width // CELL)
        rows, columns = self.grid
        self._x, self._y = np.meshgrid(
            np.arange(columns, dtype=np.float32) - (columns - 1) / 2,
            np.arange(rows, dtype=np.float32) - (rows - 1) / 2,
        )
        # Every second cell is enough for four numbers.
        self._fit_x, self._fit_y = self._x[::2, ::2].ravel(), self._y[::2, ::2].ravel()
        edge = np.maximum(np.abs(self._x) / (columns / 2), np.abs(self._y) / (rows / 2))
        self._prior = (0.15 + edge[::2, ::2].ravel() ** 2).astype(np.float32)  # background is rather outside
        self._corner_x, self._corner_y = (
            self._x[[0, 0, -1, -1], [0, -1, 0, -1]],
            self._y[[0, 0, -1, -1], [0, -1, 0, -1]],
        )
        self._busy = np.zeros(self.grid, np.float32)  # where the performer moved lately
        self.camera = CameraFit()

    def between(self, before: np.ndarray, after: np.ndarray) -> np.ndarray:
        """Displacement of the performer's cells in picture heights, (rows, columns, 2) float32; 0 elsewhere.

        Args:
            before, after: grey pictures (height, width) uint8 of one shot.
        """
        difference = cv2.absdiff(before, after)
        if int(difference.max()) <= _NOISE_LEVELS:
            self.camera = CameraFit()
            return np.zeros((*self.grid, 2), np.float32)
        flow = self._flow.calc(before, after, None)[CELL // 2 :: CELL, CELL // 2 :: CELL]
        flow = flow[: self.grid[0], : self.grid[1]].copy()
        self.camera = self._fit(flow, self._texture(before))
        if not self.camera.still:
            u, v = self.camera.field(self._x, self._y)
            flow[..., 0] -= u
            flow[..., 1] -= v
            difference = cv2.absdiff(before, self._undo_camera(after))
        flow *= self._moved(difference, flow)[..., None]
        self._busy = 0.8 * self._busy + 0.2 * (flow[..., 0] != 0)
        return flow / self.height_px

    def _texture(self, grey: np.ndarray) -> np.ndarray:
        """Weight of each cell of the fit in 0 to 1: flow on flat areas is guessed."""
        small = cv2.resize(grey, self.grid[::-1], interpolation=cv2.INTER_AREA)
        slope = cv2.morphologyEx(small, cv2.MORPH_GRADIENT, np.ones((3, 3), np.uint8))[::2, ::2].ravel()
        return np.minimum(slope.astype(np.float32) / 12.0, 1.0)

    def _fit(self, flow: np.ndarray, texture: np.ndarray) -> CameraFit:
        u, v = flow[::2, ::2, 0].ravel(), flow[::2, ::2, 1].ravel()
        prior = self._prior * texture * (1.0 - self._busy[::2, ::2].ravel())
        total = float(prior.sum())
        if total < 1e-3 * prior.size:
            return CameraFit()
        still = self._support(u, v, CameraFit(), prior)
        if still > 0.9 * total:
            return CameraFit()
        shifted = CameraFit(_weighted_median(u, prior), _weighted_median(v, prior))
        moving = self._support(u, v, shifted, prior)
        if still > 0.7 * total and still >= moving:
            return CameraFit()
        fit = shifted if moving > still else CameraFit()
        for scale in _SCALES_PX:
            weight = prior * _agreement(u, v, fit, self._fit_x, self._fit_y, scale) ** 2
            fit = _least_squares(u, v, self._fit_x, self._fit_y, weight)
        final = self._support(u, v, fit, prior)
        if final < 0.25 * total or final < 1.02 * still:
            return CameraFit()  # no background that moves as one
        return fit if float(np.hypot(*fit.field(self._corner_x, self._corner_y)).max()) > _CAMERA_PX else CameraFit()

    def _support(self, u: np.ndarray, v: np.ndarray, fit: CameraFit, prior: np.ndarray) -> float:
        """How much of the background moves as `fit` says, to a pixel."""
        return float(prior @ _agreement(u, v, fit, self._fit_x, self._fit_y, 1.0))

    def _undo_camera(self, after: np.ndarray) -> np.ndarray:
        """`after` as a still camera would have seen it."""
        rows, columns = self.grid
        a = self.camera.zoom / CELL
        b = self.camera.turn / CELL
        cx, cy = (columns * CELL - 1) / 2, (rows * CELL - 1) / 2
        matrix = np.array(
            [
                [1 + a, -b, self.camera.shift_x - a * cx + b * cy],
                [b, 1 + a, self.camera.shift_y - b * cx - a * cy],
            ]
        )
        return cv2.warpAffine(
            after,
            matrix,
            after.shape[::-1],
            flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
            borderMode=cv2.BORDER_REPLICATE,
        )

    def _moved(self, difference: np.ndarray, flow: np.ndarray) -> np.ndarray:
        """1 for cells that moved: the pictures differ in or beside the cell, and the flow is above noise."""
        strongest = cv2.resize(cv2.blur(difference, (3, 3)), self.grid[::-1], interpolation=cv2.INTER_AREA)
        near = cv2.dilate(strongest, np.ones((3, 3), np.uint8))
        return ((near > _NOISE_LEVELS) & (np.hypot(flow[..., 0], flow[..., 1]) > self._still_px())).astype(np.float32)

    def _still_px(self) -> float:
        return _STILL_PX if self.camera.still else 3 * _STILL_PX


def _weighted_median(values: np.ndarray, weights: np.ndarray) -> float:
    order = np.argsort(values)
    cumulated = np.cumsum(weights[order])
    return float(values[order[np.searchsorted(cumulated, cumulated[-1] / 2)]])


def _agreement(u: np.ndarray, v: np.ndarray, fit: CameraFit, x: np.ndarray, y: np.ndarray, scale: float) -> np.ndarray:
    """1 where the flow is the camera's, falling to 0 over `scale` pixels (Geman and McClure, 1987)."""
    camera_u, camera_v = fit.field(x, y)
    return 1.0 / (1.0 + ((u - camera_u) ** 2 + (v - camera_v) ** 2) / scale**2)


def _least_squares(u: np.ndarray, v: np.ndarray, x: np.ndarray, y: np.ndarray, weight: np.ndarray) -> CameraFit:
    """The similarity flow nearest to (u, v) in weighted squares, in closed form."""
    weight = weight / max(float(weight.sum()), 1e-9)
    mean_x, mean_y, mean_u, mean_v = (float(weight @ value) for value in (x, y, u, v))
    x, y, u, v = x - mean_x, y - mean_y, u - mean_u, v - mean_v
    wx, wy = weight * x, weight * y
    spread = max(float(wx @ x + wy @ y), 1e-6)
    zoom = float(wx @ u + wy @ v) / spread
    turn = float(wx @ v - wy @ u) / spread
    return CameraFit(mean_u - zoom * mean_x + turn * mean_y, mean_v - turn * mean_x - zoom * mean_y, zoom, turn)
