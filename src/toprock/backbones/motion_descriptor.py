"""One vector for the motion of a clip: where, in which directions, how fast, how smoothly, in which rhythm.

Motion is pooled over cells of two grids: over the picture (1x1, 2x2) in picture heights, and over the box in
which the performer moves (1x1, 3x3) in box sizes, so that it carries over to other places and distances.
Direction histograms weighted by speed follow Dalal, Triggs and Schmid (ECCV 2006).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

DIRECTIONS = 8  # 0: to the right, 2: downwards, 4: to the left, 6: upwards
_PER_CELL = DIRECTIONS + 5
_SAMPLES = 12  # of the rhythm, evenly over the clip
_ENERGY_LAGS, _SPECTRUM, _VELOCITY_LAGS, _FIELD_LAGS = 5, 5, 5, 4
_PER_BAND = _ENERGY_LAGS + _SPECTRUM + _VELOCITY_LAGS + 5
_PICTURE_GRID, _BOX_GRID = 2, 3
_CONTEXT = 3
DIMENSION = _PER_CELL * (1 + _PICTURE_GRID**2 + 1 + _BOX_GRID**2) + 3 * _PER_BAND + _FIELD_LAGS + _CONTEXT + 5
_QUIET = 0.01  # box sizes a second: a mean speed that counts as standing still in ratios


@dataclass(frozen=True)
class PairMotion:
    """What moved between two frames.

    Attributes:
        start_s, end_s: times of the two frames.
        velocity: (rows, columns, 2) float32 in picture heights a second; 0 where nothing moves.
        acceleration, jerk: (rows, columns) float32 magnitudes along the motion, heights/s^2 and heights/s^3.
        camera: mean speed of the background, heights/s.
    """

    start_s: float
    end_s: float
    velocity: np.ndarray
    acceleration: np.ndarray
    jerk: np.ndarray
    camera: float

    @property
    def step_s(self) -> float:
        return self.end_s - self.start_s


class Derivatives:
    """Acceleration and jerk of velocity fields, following the moving points from one field to the next."""

    def __init__(self, grid: tuple[int, int]) -> None:
        rows, columns = grid
        self._rows = rows
        self._x, self._y = np.meshgrid(np.arange(columns, dtype=np.float32), np.arange(rows, dtype=np.float32))
        self._velocity: np.ndarray | None = None
        self._acceleration: np.ndarray | None = None

    def push(self, velocity: np.ndarray, step_s: float) -> tuple[np.ndarray, np.ndarray]:
        """(rows, columns) magnitudes of acceleration and jerk; 0 where not yet known.

        Args:
            velocity: (rows, columns, 2) float32, picture heights a second.
            step_s: time between the frames.
        """
        none = np.zeros(velocity.shape[:2], np.float32)
        before, self._velocity = self._velocity, velocity
        if before is None:
            return none, none
        reach = velocity * (step_s * self._rows)  # picture heights are rows of cells
        from_x, from_y = self._x - reach[..., 0], self._y - reach[..., 1]
        acceleration = (velocity - _look_up(before, from_x, from_y)) / step_s
        last, self._acceleration = self._acceleration, acceleration
        if last is None:
            return _length(acceleration), none
        return _length(acceleration), _length((acceleration - _look_up(last, from_x, from_y)) / step_s)


class PerformerBox:
    """The box in which the performer moved in the last seconds.

    Args:
        grid: (rows, columns) of cells.
        memory_s: motion counts e times less after this time.
    """

    def __init__(self, grid: tuple[int, int], memory_s: float) -> None:
        self._by_row, self._by_column = (np.zeros(n, np.float64) for n in grid)
        self._memory_s = memory_s

    def push(self, pair: PairMotion) -> None:
        """Count the motion of one pair of frames."""
        keep = np.exp(-pair.step_s / self._memory_s)
        amount = np.sqrt(_length(pair.velocity)) * pair.step_s
        self._by_row = keep * self._by_row + amount.sum(axis=1)
        self._by_column = keep * self._by_column + amount.sum(axis=0)

    def get(self) -> tuple[float, float, float, float]:
        """(top, bottom, left, right) in cells; the whole picture where nothing has moved yet."""
        top, bottom = _span(self._by_row)
        left, right = _span(self._by_column)
        return top, bottom, left, right


@dataclass
class Habit:
    """Running means of the performance so far, against which a clip is compared."""

    memory_s: float
    _seen_s: float = 0.0
    _means: np.ndarray | None = None

    def compare(self, values: np.ndarray, lasting_s: float) -> np.ndarray:
        """Log ratio of `values` (>= 0) to their means so far; then counts them in."""
        if self._means is None:
            self._means = values.copy()
        ratio = np.log((values + _QUIET) / (self._means + _QUIET))
        self._seen_s = min(self._seen_s + lasting_s, self.memory_s)
        self._means += (values - self._means) * min(1.0, lasting_s / self._seen_s)
        return ratio


def describe_motion(pairs: Sequence[PairMotion], box: tuple[float, float, float, float], habit: Habit) -> np.ndarray:
    """The descriptor of one clip, (DIMENSION,) float32; all 0 but the box where nothing moves.

    Args:
        pairs: of one shot, in order; may be empty.
        box: (top, bottom, left, right) of the performer, in cells.
        habit: of this performance; is told of this clip.
    """
    if not pairs:
        return np.zeros(DIMENSION, np.float32)
    rows, columns = pairs[0].velocity.shape[:2]
    top, bottom, left, right = box
    size = max(bottom - top, right - left) / rows  # picture heights
    velocity = np.stack([pair.velocity for pair in pairs])  # (P, rows, columns, 2)
    at_pair, at_row, at_column = np.nonzero(velocity.any(axis=3))
    points = _Points(
        pair=at_pair,
        share=np.array([pair.step_s for pair in pairs])[at_pair] / sum(pair.step_s for pair in pairs),
        velocity=velocity[at_pair, at_row, at_column],
        acceleration=np.stack([pair.acceleration for pair in pairs])[at_pair, at_row, at_column],
        jerk=np.stack([pair.jerk for pair in pairs])[at_pair, at_row, at_column],
    )
    in_picture = at_row * _PICTURE_GRID // rows * _PICTURE_GRID + at_column * _PICTURE_GRID // columns
    box_row = np.clip((at_row + 0.5 - top) / (bottom - top), 0, 0.999)
    box_column = np.clip((at_column + 0.5 - left) / (right - left), 0, 0.999)
    in_box = (box_row * _BOX_GRID).astype(int) * _BOX_GRID + (box_column * _BOX_GRID).astype(int)
    picture = _pool(points, in_picture, _PICTURE_GRID**2, rows * columns, 1.0)
    body = _pool(points, in_box, _BOX_GRID**2, (bottom - top) * (right - left), size)
    rhythm = _rhythms(points, pairs, (box_row >= 0.5).astype(int), (bottom - top) * (right - left) * size)
    lasting_s = sum(pair.step_s for pair in pairs)
    whole = np.array([body[0, DIRECTIONS + k] for k in (1, 3, 4)])
    context = habit.compare(np.expm1(whole), lasting_s)
    place = [
        np.log((bottom - top) / (right - left)),
        size,
        (top + bottom) / 2 / rows - 0.5,
        (left + right) / 2 / columns - 0.5,
        np.log1p(10 * float(np.mean([pair.camera for pair in pairs]))),
    ]
    parts = (picture.ravel(), body.ravel(), rhythm, _field_correlation(velocity), context, np.array(place))
    return np.concatenate(parts).astype(np.float32)


@dataclass(frozen=True)
class _Points:
    """Cells that moved: pair index, share of the clip's time, velocity (M, 2), acceleration, jerk."""

    pair: np.ndarray
    share: np.ndarray
    velocity: np.ndarray
    acceleration: np.ndarray
    jerk: np.ndarray


def _pool(points: _Points, cell: np.ndarray, cells: int, area: float, unit: float) -> np.ndarray:
    """(1 + cells, _PER_CELL): the whole, then each cell; `area` is the whole's; lengths in `unit`."""
    speed = _length(points.velocity) / unit
    turn = np.arctan2(points.velocity[:, 1], points.velocity[:, 0]) * (DIRECTIONS / (2 * np.pi)) % DIRECTIONS
    lower = turn.astype(int) % DIRECTIONS
    upper, fraction = (lower + 1) % DIRECTIONS, turn - np.floor(turn)
    weight = points.share * speed
    length = cells * DIRECTIONS
    histogram = np.bincount(cell * DIRECTIONS + lower, weight * (1 - fraction), length) + np.bincount(
        cell * DIRECTIONS + upper, weight * fraction, length
    )
    sums = [histogram.reshape(cells, DIRECTIONS)]
    values = (1.0, speed, (speed * speed) ** 2, points.acceleration / unit, points.jerk / unit)
    sums += [np.bincount(cell, points.share * value, cells)[:, None] for value in values]
    each = np.concatenate(sums, axis=1)  # (cells, 8 + 5)
    both = np.concatenate([each.sum(axis=0, keepdims=True), each])
    areas = np.full((cells + 1, 1), area / cells)
    areas[0] = area
    covered = np.maximum(both[:, DIRECTIONS, None], 1e-9)
    means = both[:, DIRECTIONS + 1 :] / covered
    moving = both[:, DIRECTIONS, None] > 0
    means[:, 1] **= 0.25
    statistics = np.log1p(means * np.array([2.0, 2.0, 0.3, 0.03])) * moving
    return np.concatenate(
        [np.log1p(20 * both[:, :DIRECTIONS] / areas), np.sqrt(covered / areas) * moving, statistics], 1
    )


def _rhythms(points: _Points, pairs: Sequence[PairMotion], lower_half: np.ndarray, unit: float) -> np.ndarray:
    """Rhythm of the whole box and of its upper and lower half, 3 * _PER_BAND."""
    speed = _length(points.velocity)
    index = lower_half * len(pairs) + points.pair
    series = (
        np.stack(
            [
                np.bincount(index, value, 2 * len(pairs)).reshape(2, len(pairs))
                for value in (speed, points.velocity[:, 0], points.velocity[:, 1])
            ],
            axis=2,
        )
        / unit
    )  # (2, P, 3): mean speed and velocity in box sizes a second
    series = np.concatenate([series.sum(axis=0, keepdims=True), series])
    middles = np.array([(pair.start_s + pair.end_s) / 2 for pair in pairs])
    even = np.linspace(pairs[0].start_s, pairs[-1].end_s, 2 * _SAMPLES + 1)[1::2]
    sampled = [[np.interp(even, middles, band[:, k]) for k in range(3)] for band in series]
    return _rhythm(np.array(sampled)).ravel()


def _rhythm(series: np.ndarray) -> np.ndarray:
    """Periodicity, stops and reversals of each band, (bands, _PER_BAND).

    Args:
        series: (bands, 3, _SAMPLES): speed, velocity x, velocity y.
    """
    energy, velocity = series[:, 0], series[:, 1:]
    mean = energy.mean(axis=1, keepdims=True)
    ripple = (energy - mean) / (mean + _QUIET)
    spectrum = np.abs(np.fft.rfft(ripple * np.hanning(_SAMPLES)))[:, 1 : _SPECTRUM + 1] / _SAMPLES
    steps = np.diff(velocity, axis=2)
    shape = [
        energy.min(axis=1) / (mean[:, 0] + _QUIET),
        np.log1p(energy.max(axis=1) / (mean[:, 0] + _QUIET)),
        np.sqrt((ripple**2).mean(axis=1)),
        np.abs(np.diff(energy)).mean(axis=1) / (mean[:, 0] + _QUIET),
        np.log1p(
            np.hypot(steps[:, 0], steps[:, 1]).mean(axis=1)
            / (np.hypot(velocity[:, 0], velocity[:, 1]).mean(axis=1) + _QUIET)
        ),
    ]
    parts = [
        _lagged(ripple[:, None], _ENERGY_LAGS),
        4 * spectrum,
        _lagged(velocity, _VELOCITY_LAGS),
        np.array(shape).T,
    ]
    return np.concatenate(parts, axis=1) * (mean > 1e-6)


def _lagged(series: np.ndarray, lags: int) -> np.ndarray:
    """Correlation of (bands, channels, samples) with itself 1..lags samples later, -1 to 1; (bands, lags)."""
    products = np.einsum("bci,bcj->bij", series, series)
    power = np.trace(products, axis1=1, axis2=2) / _SAMPLES + 1e-6
    means = [np.diagonal(products, lag, 1, 2).mean(axis=1) for lag in range(1, lags + 1)]
    return np.stack(means, axis=1) / power[:, None]


def _field_correlation(velocity: np.ndarray) -> np.ndarray:
    """Correlation of the velocity fields (P, rows, columns, 2) with those 1.._FIELD_LAGS pairs later."""
    flat = velocity.reshape(len(velocity), -1)
    products = flat @ flat.T
    power = float(np.trace(products)) / len(flat)
    if power < 1e-9:
        return np.zeros(_FIELD_LAGS)
    lags = range(1, _FIELD_LAGS + 1)
    return np.array([np.diagonal(products, lag).mean() / power if lag < len(flat) else 0.0 for lag in lags])


def _span(amount: np.ndarray) -> tuple[float, float]:
    """First and last place that hold all but a fiftieth of `amount` at each end, with a margin; >= 4 wide."""
    total = float(amount.sum())
    if total <= 1e-9:
        return 0.0, float(len(amount))
    cumulated = np.cumsum(amount) / total
    first, last = int(np.searchsorted(cumulated, 0.02)), int(np.searchsorted(cumulated, 0.98)) + 1
    margin = max(0.5, (4 - (last - first)) / 2)
    return max(0.0, first - margin), min(float(len(amount)), last + margin)


def _look_up(field: np.ndarray, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    return cv2.remap(field, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)


def _length(vectors: np.ndarray) -> np.ndarray:
    x, y = vectors[..., 0], vectors[..., 1]
    return np.sqrt(x * x + y * y)
