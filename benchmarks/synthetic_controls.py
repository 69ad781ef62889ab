"""What gives the quality of a synthetic performance away without looking at a moment: it should be nothing.

Draws performances without files (one pair of neighbouring frames of every eight) and asks of each control how
often it puts a pair of performances in the right order. The direction of a control, and the weights of the
linear models, are learnt on one half of the performances and tested on the other, both ways round; intervals
are bootstrapped over performances. 50 % is chance; each control must stay within 5 points of it.

    python benchmarks/synthetic_controls.py [--seeds 5] [--count 120] [--processes 2]
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import platform
import time
from concurrent.futures import ProcessPoolExecutor
from typing import NamedTuple

import cv2
import numpy as np

from toprock.synthetic import draw_performance

_STRIDE = 8  # frames from one pair of neighbours to the next
_BINS = 5  # a channel of the joint colour histogram


class Measured(NamedTuple):
    """One performance: its quality, one number a control, and its colour histogram (125 + 24,)."""

    quality: float
    controls: dict[str, float]
    histogram: np.ndarray


def measure(task: tuple[int, int]) -> Measured:
    """Draw performance (seed, index) and measure what needs no understanding of it."""
    cv2.setNumThreads(1)
    plan, _ = draw_performance(*task)
    total = len(plan.times())
    numbers = [n + k for n in range(0, total - 1, _STRIDE) for k in (0, 1)]
    _, frames = draw_performance(*task, numbers=numbers)
    flow = cv2.DISOpticalFlow_create(cv2.DISOPTICAL_FLOW_PRESET_ULTRAFAST)
    joint = np.zeros(_BINS**3)
    single = np.zeros(24)
    change, speed, colour = [], [], []
    for before in frames:
        after = next(frames)
        change.append(float(cv2.absdiff(before, after).mean()))
        small = [cv2.cvtColor(cv2.resize(f, (128, 96), interpolation=cv2.INTER_AREA), cv2.COLOR_RGB2GRAY)
                 for f in (before, after)]  # fmt: skip
        speed.append(float(np.hypot(*np.moveaxis(flow.calc(*small, None), -1, 0)).mean()))
        colour.append(before.reshape(-1, 3).mean(axis=0))
        thumb = before[::3, ::3].reshape(-1, 3).astype(int)
        codes = (thumb * _BINS // 256) @ (_BINS * _BINS, _BINS, 1)
        joint += np.bincount(codes, minlength=_BINS**3)
        single += np.concatenate([np.bincount(thumb[:, c] // 32, minlength=8) for c in range(3)])
    red, green, blue = np.mean(colour, axis=0)
    controls = {
        "duration": plan.duration_s,
        "mean frame difference": float(np.mean(change)),
        "mean DIS flow": float(np.mean(speed)),
        "mean red": float(red),
        "mean green": float(green),
        "mean blue": float(blue),
    }
    histogram = np.concatenate([joint / joint.sum(), single / single.sum()])
    return Measured(plan.quality, controls, np.sqrt(histogram))


def pairwise_accuracy(score: np.ndarray, quality: np.ndarray) -> float:
    """Share of pairs with different qualities that the score orders rightly; ties of the score count 0.5."""
    above = np.sign(quality[:, None] - quality[None])
    right = above * np.sign(score[:, None] - score[None])
    return float(0.5 + 0.5 * right.sum() / np.abs(above).sum())


def two_way(values: np.ndarray, quality: np.ndarray) -> list[tuple[np.ndarray, np.ndarray]]:
    """(score, quality) of each half, sign or ridge weights of values (N,) or (N, D) learnt on the other."""
    parity = np.arange(len(quality)) % 2
    halves = []
    for half in (0, 1):
        train, test = parity != half, parity == half
        if values.ndim == 1:
            sign = 1.0 if pairwise_accuracy(values[train], quality[train]) >= 0.5 else -1.0
            halves.append((sign * values[test], quality[test]))
        else:
            halves.append((_ridge(values[train], quality[train], values[test]), quality[test]))
    return halves


def _ridge(train: np.ndarray, target: np.ndarray, test: np.ndarray, penalty: float = 30.0) -> np.ndarray:
    mean, scale = train.mean(axis=0), train.std(axis=0) + 1e-6
    X, Y = (train - mean) / scale, (test - mean) / scale
    weights = np.linalg.solve(X.T @ X + penalty * np.eye(X.shape[1]), X.T @ (target - target.mean()))
    return Y @ weights


def accuracy_with_interval(
    halves: list[tuple[np.ndarray, np.ndarray]], *, draws: int = 300, seed: int = 0
) -> tuple[float, float, float]:
    """Mean accuracy of the halves and its 95 % bootstrap interval over performances."""
    rng = np.random.default_rng(seed)
    value = float(np.mean([pairwise_accuracy(s, q) for s, q in halves]))
    resampled = []
    for _ in range(draws):
        picks = [(h, rng.integers(len(h[1]), size=len(h[1]))) for h in halves]
        resampled.append(np.mean([pairwise_accuracy(s[p], q[p]) for (s, q), p in picks]))
    low, high = np.percentile(resampled, [2.5, 97.5])
    return value, float(low), float(high)


def control_table(measured: list[Measured]) -> dict[str, tuple[float, float, float]]:
    """Control -> (accuracy, low, high)."""
    quality = np.array([m.quality for m in measured])
    columns = {name: np.array([m.controls[name] for m in measured]) for name in measured[0].controls}
    columns["linear on colour histograms"] = np.array([m.histogram for m in measured])
    columns["linear on all of the above"] = np.column_stack(
        [*(columns[n] for n in measured[0].controls), columns["linear on colour histograms"]]
    )
    return {name: accuracy_with_interval(two_way(values, quality)) for name, values in columns.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--count", type=int, default=120, help="performances a seed")
    parser.add_argument("--first-seed", type=int, default=1)
    parser.add_argument("--processes", type=int, default=min(2, os.cpu_count() or 1))
    options = parser.parse_args()
    started = time.perf_counter()
    seeds = range(options.first_seed, options.first_seed + options.seeds)
    tasks = [(seed, index) for seed in seeds for index in range(options.count)]
    with ProcessPoolExecutor(options.processes, mp_context=multiprocessing.get_context("spawn")) as pool:
        measured = list(pool.map(measure, tasks, chunksize=4))
    quality = np.array([m.quality for m in measured])
    spread = " ".join(f"{v:.2f}" for v in np.percentile(quality, [5, 25, 50, 75, 95]))
    print(f"{len(measured)} performances of {options.seeds} seeds; quality at 5 25 50 75 95 %: {spread}")
    print(f"{'control':<30}{'accuracy %':>11}   95 % interval")
    for name, (value, low, high) in control_table(measured).items():
        print(f"{name:<30}{100 * value:>11.1f}   {100 * low:.1f} to {100 * high:.1f}")
    machine = f"{platform.machine()}, {os.cpu_count()} cores, {options.processes} processes"
    print(f"{time.perf_counter() - started:.0f} s on {machine}")


if __name__ == "__main__":
    main()
