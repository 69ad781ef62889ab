"""Extraction on Ray beside the local engine: the same videos, the same cores, in one run.

    python benchmarks/engines.py [--videos 200] [--workers 2] [--tasks 16]

Videos of one minute, 224 px high, 15 frames a second, are read into fresh stores by both engines in turn, and the
stores are compared byte for byte. Ray's overhead is measured on tasks that last ten seconds whoever runs them.
"""

from __future__ import annotations

import argparse
import os
import platform
import shutil
import statistics
import subprocess
import tempfile
import time
from functools import partial
from pathlib import Path

from toprock.backbones import build
from toprock.engines import Engine, open_engine
from toprock.features import FeatureStore, extract
from toprock.machine import cores
from toprock.performance import find_performances

KINDS = 4
TURN = 30


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--videos", type=int, default=200)
    parser.add_argument("--workers", type=int, default=cores())
    parser.add_argument("--tasks", type=int, default=16)
    options = parser.parse_args()
    print(f"{platform.machine()}, {cores()} cores, Python {platform.python_version()}, {options.workers} at a time")
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        make_videos(folder / "videos", options.videos)
        begun = time.perf_counter()
        with open_engine("ray", workers=options.workers) as ray:
            print(f"Ray starts in {time.perf_counter() - begun:.1f} s")
            overhead(ray, options.tasks, options.workers)
            speeds(folder, ray, options.workers)


def make_videos(folder: Path, count: int) -> None:
    folder.mkdir()
    kinds = []
    for kind in range(min(KINDS, count)):
        path = folder / f"kind{kind}.mp4"
        source = f"testsrc2=size=398x224:rate=15:duration=60,hue=h={90 * kind}:H={0.2 * (kind + 1)}*t"
        command = ["ffmpeg", "-v", "error", "-f", "lavfi", "-i", source, "-pix_fmt", "yuv420p", "-preset", "veryfast"]
        subprocess.run([*command, str(path)], check=True)
        kinds.append(path)
    for number in range(len(kinds), count):
        shutil.copy2(kinds[number % len(kinds)], folder / f"video{number:04}.mp4")


def overhead(ray: Engine, tasks: int, workers: int) -> None:
    list(ray.run({number: partial(time.sleep, 0.01) for number in range(workers)}))  # its processes are there now
    begun = time.perf_counter()
    list(ray.run({number: partial(time.sleep, 10) for number in range(tasks)}))
    ideal = 10 * -(-tasks // workers)
    print(f"{tasks} tasks of 10 s: {100 * ((time.perf_counter() - begun) / ideal - 1):.2f} % more than {ideal} s")


def speeds(folder: Path, ray: Engine, workers: int) -> None:
    performances = find_performances(folder / "videos")
    turns = [performances[at : at + TURN] for at in range(0, len(performances), TURN)]
    seconds: dict[str, list[float]] = {"local": [], "ray": []}
    for number, some in enumerate(turns):
        for name in (
            ("local", "ray") if number % 2 else ("ray", "local")
        ):  # a machine's other load is not always the same
            store = FeatureStore(folder / name, create=True)
            engine = ray if name == "ray" else None
            begun = time.perf_counter()
            done = extract(some, store, [build("flow"), build("posture")], workers=workers, engine=engine)
            seconds[name].append(time.perf_counter() - begun)
            assert len(done.written) == len(some), done.failed
    ratios = [a / b for a, b in zip(seconds["local"], seconds["ray"], strict=True)]
    each = {name: sum(values) / len(performances) for name, values in seconds.items()}
    print(f"{len(performances)} videos of 60 s: local {each['local']:.2f} s a video, Ray {each['ray']:.2f} s a video")
    whole = sum(seconds["local"]) / sum(seconds["ray"])
    print(
        f"Ray runs at {whole:.3f} of the local engine's speed (1 is as fast); turns of {TURN}: median "
        f"{statistics.median(ratios):.3f}, {min(ratios):.2f} to {max(ratios):.2f}"
    )
    print(f"stores are equal byte for byte: {contents(folder / 'local') == contents(folder / 'ray')}")


def contents(store: Path) -> dict[str, bytes]:
    return {p.relative_to(store).as_posix(): p.read_bytes() for p in store.rglob("*.safetensors")}


if __name__ == "__main__":
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    main()
