"""What the on-beat channel is worth where timing on the beat is all that makes quality: with it and without it.

Every performer makes the same kind of jerk once a beat, with the same unsteadiness; quality is how near to the beat of
the music that is, between half a beat late (0) and on it (1). Pictures alone cannot tell. The music, clicks in noise
at 90 to 140 beats a minute, is a sound track, and its beats are found by listening.

    python benchmarks/beats.py [--seed N]
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np

from toprock.assess.model import Model
from toprock.backbones import build
from toprock.comparisons import Pair
from toprock.evaluate import Accuracy, evaluate
from toprock.features import FeatureStore, Recipe, extract
from toprock.peers import fit_linear
from toprock.performance import Performance
from toprock.ranker import train_from_store
from toprock.ranker.from_store import arrays_of
from toprock.sound import track_beats

FPS, SIZE, LENGTH_S, SOUND_HZ = 20, 128, 14.0, 16_000
TRAIN, TEST = 60, 30
MIN_DIFFERENCE = 0.1
JERK_S, UNSTEADY_S = 0.2, 0.03


def main() -> None:
    """Render, extract twice, train twice, print."""
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--seed", type=int, default=0)
    seed = arguments.parse_args().seed
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        dancers = [Dancer(seed, number, Path(folder)) for number in range(TRAIN + TEST)]
        found = [track_beats(dancer.render()) for dancer in dancers]
        score = np.mean([f_measure(b, d.beats_s) for b, d in zip(found, dancers, strict=True)])
        print(f"beats heard in {len(dancers)} sound tracks: mean F-measure {score:.3f} at 70 ms")
        train, test = (pairs(some) for some in (dancers[:TRAIN], dancers[TRAIN:]))
        for name in ("flow", "flow-beat"):
            backbone = build(name)
            store = FeatureStore(Path(folder) / name, create=True)
            extract([dancer.performance for dancer in dancers], store, [backbone])
            model = Model(train_from_store(store, train))
            result = evaluate(model, store, test)
            recipes = {"dynamic": Recipe.of(backbone)}
            data = {d.performance.id: arrays_of(store.read(d.performance.id), recipes) for d in dancers}
            linear = fit_linear({d.performance.id: data[d.performance.id] for d in dancers[:TRAIN]}, train, {})
            print(f"{name}: {TRAIN} to learn from, {TEST} new ones, {len(test)} pairs")
            say("ranked right", result.accuracy)
            for branch, accuracy in result.branches.items():
                say(f"  {branch} alone", accuracy)
            say("  linear model", Accuracy.of(linear.scores(data), test))
            say("  mean motion", result.controls["mean_motion"])
    print(f"{time.monotonic() - began:.0f} s in all")


def say(name: str, accuracy: Accuracy) -> None:
    """One line of figures."""
    assert accuracy.value is not None and accuracy.interval is not None
    print(f"  {name:<16} {accuracy.value:.1%} ({accuracy.interval[0]:.1%} to {accuracy.interval[1]:.1%})")


class Dancer:
    """A patterned disc that jerks to and fro once a beat, and its music."""

    def __init__(self, seed: int, number: int, folder: Path) -> None:
        rng = np.random.default_rng([seed, number])
        self.quality = float(rng.uniform())
        period_s = 60 / rng.uniform(90, 140)
        first_s = rng.uniform(0, period_s)
        self.beats_s = np.arange(first_s, LENGTH_S, period_s)
        late_s = (1 - self.quality) * period_s / 2
        jerks_s = np.arange(first_s - 2 * period_s, LENGTH_S, period_s) + late_s
        self._jerks_s = jerks_s + rng.normal(scale=UNSTEADY_S, size=len(jerks_s))
        self._steps = rng.uniform(0.12, 0.3, len(jerks_s)) * np.resize([1, -1], len(jerks_s))
        self._angle = rng.uniform(0, np.pi)
        self._ground = rng.integers(0, 90, (SIZE, SIZE, 3), np.uint8)
        self._disc = rng.integers(120, 255, (24, 24, 3), np.uint8)
        self._rng = rng
        self.performance = Performance(f"dancer-{number:03}", folder / f"dancer-{number:03}.mp4")

    def render(self) -> Path:
        """Write the video; returns its path."""
        path = self.performance.video
        with av.open(str(path), "w") as out:
            pictures = out.add_stream("libx264", rate=FPS, options={"preset": "ultrafast", "crf": "21"})
            pictures.width = pictures.height = SIZE
            pictures.pix_fmt = "yuv420p"
            sound = out.add_stream("aac", rate=SOUND_HZ, layout="mono")
            _mux(out, sound, self._sound())
            _mux(out, pictures, self._pictures())
        return path

    def _pictures(self) -> Iterator[av.VideoFrame]:
        y, x = np.mgrid[:24, :24] - 11.5
        round_ = np.hypot(y, x) < 12
        for index in range(int(LENGTH_S * FPS)):
            done = np.clip((index / FPS - self._jerks_s) / JERK_S, 0, 1)
            way = 0.5 + (self._steps * done * done * (3 - 2 * done)).sum()
            centre = SIZE / 2 + (way - 0.5) * SIZE * np.array([np.sin(self._angle), np.cos(self._angle)])
            top, left = np.clip(np.round(centre - 12), 0, SIZE - 24).astype(int)
            image = self._ground.copy()
            image[top : top + 24, left : left + 24][round_] = self._disc[round_]
            yield av.VideoFrame.from_ndarray(image, format="rgb24")

    def _sound(self) -> Iterator[av.AudioFrame]:
        samples = self._rng.normal(scale=0.02, size=int(LENGTH_S * SOUND_HZ))
        t = np.arange(480) / SOUND_HZ
        for start in (self.beats_s * SOUND_HZ).astype(int):
            part = samples[start : start + 480]
            part += (0.5 * np.sin(2 * np.pi * 1000 * t) * np.exp(-t / 0.008))[: len(part)]
        for at in range(0, len(samples) - 1023, 1024):
            part = samples[None, at : at + 1024].astype(np.float32)
            frame = av.AudioFrame.from_ndarray(part, format="fltp", layout="mono")
            frame.sample_rate, frame.pts, frame.time_base = SOUND_HZ, at, Fraction(1, SOUND_HZ)
            yield frame


def _mux(out: Any, stream: Any, frames: Iterator[Any]) -> None:
    for frame in frames:
        out.mux(stream.encode(frame))
    out.mux(stream.encode(None))


def pairs(dancers: list[Dancer]) -> list[Pair]:
    """Every two of clearly different quality."""
    return [
        Pair(a.performance.id, b.performance.id)
        for a in dancers
        for b in dancers
        if a.quality - b.quality >= MIN_DIFFERENCE
    ]


def f_measure(found: np.ndarray, truth: np.ndarray) -> float:
    """Of beats within 70 ms of a true one."""
    near = np.abs(found[:, None] - truth) <= 0.07
    return 2 * min(near.any(1).sum(), near.any(0).sum()) / max(1, len(found) + len(truth))


if __name__ == "__main__":
    main()
