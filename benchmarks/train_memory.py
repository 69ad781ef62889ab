"""Memory and time of training on stores of growing size: features mapped from their files, beside all read into memory.

    python benchmarks/train_memory.py [--gb 0.2 1] [--steps 20] [--segments 400] [--width 1024] [--processes 1 2]

Makes stores of random features (float16, two streams) in a temporary folder and trains one ranker on each, for a fixed
number of steps, in a process of its own. Memory is the peak of RssAnon (/proc/PID/status): what a process holds for
itself, without the page cache that maps look into, over that of the imports. Both ways train in turn on the same
store. With several `--processes` also the time of a training by so many, each with one thread, on the last store.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import numpy as np

PAIRS_EACH = 4


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--gb", type=float, nargs="+", default=[0.2, 1.0], help="sizes of the stores")
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--segments", type=int, default=400, help="of a performance and stream")
    parser.add_argument("--width", type=int, default=1024, help="numbers a segment")
    parser.add_argument("--processes", type=int, nargs="*", default=[], help="also trainings by so many")
    parser.add_argument("--child", nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        measured(Path(options.child[0]), options.child[1], options.steps)
        return
    print(f"{platform.machine()}, {os.cpu_count()} cores, one thread a process; {options.steps} steps, one ranker")
    for size in options.gb:
        with tempfile.TemporaryDirectory() as temporary:
            folder = Path(temporary)
            count = make(folder, size, options.segments, options.width)
            ways = {way: child(folder, way, options.steps) for way in ("mapped", "memory")}
            print(f"{size:g} GB, {count} performances: " + "; ".join(f"{way} {told(ways[way])}" for way in ways))
            ratio = ways["mapped"]["seconds"] / ways["memory"]["seconds"]
            print(f"  time mapped / in memory {ratio:.2f}; the same scores: {same(ways)}")
            for number in options.processes if size == options.gb[-1] else ():
                print(f"  toprock train --processes {number}: {together(folder, number, options.steps):.1f} s")


def make(folder: Path, gb: float, segments: int, width: int) -> int:
    """A store of so many GB, and pairs.txt; returns how many performances it has."""
    from toprock.features import FeatureStore, PerformanceFeatures, Recipe
    from toprock.features.store import StreamFeatures

    rng = np.random.default_rng(0)
    store = FeatureStore(folder / "features", create=True)
    recipes = [Recipe(stream, "made-up", {}) for stream in ("dynamic", "static")]
    count = max(4, round(gb * 1e9 / (2 * 2 * segments * width)))
    quality = rng.normal(size=count)
    noise = rng.normal(size=(4 * segments, width)).astype(np.float16)
    times = np.stack([np.arange(segments), np.arange(segments) + 1.0], 1)
    for number, good in enumerate(quality):
        x = noise[int(rng.integers(3 * segments)) :][:segments].copy()
        x[:, :8] += np.float16(0.3 * good)
        streams = {recipe: StreamFeatures(x, times) for recipe in recipes}
        store.write(PerformanceFeatures(f"v{number:06}", streams, {"duration_s": float(segments)}))
    ends = rng.integers(count, size=(PAIRS_EACH * count, 2))
    lines = [f"v{a:06} v{b:06}\n" if quality[a] > quality[b] else f"v{b:06} v{a:06}\n" for a, b in ends if a != b]
    (folder / "pairs.txt").write_text("".join(sorted(set(lines))))
    return count


def child(folder: Path, way: str, steps: int) -> dict[str, float]:
    """What a training in a process of its own measured."""
    command = [sys.executable, __file__, "--steps", str(steps), "--child", str(folder), way]
    done = subprocess.run(command, env={**os.environ, "OMP_NUM_THREADS": "1"}, stdout=subprocess.PIPE, check=True)
    return json.loads(done.stdout)


def measured(folder: Path, way: str, steps: int) -> None:
    """Train, and print seconds, MB and what the scores were."""
    from toprock.comparisons import read_pairs
    from toprock.features import FeatureStore
    from toprock.ranker import Plan, from_store

    if way == "memory":  # as it was before features were mapped

        def read(store, ids, recipes, look):  # type: ignore[no-untyped-def]
            data = []
            for found in map(store.read, ids):
                look(found)
                data.append(from_store.arrays_of(found, recipes))
            return data

        from_store.map_features = read
    store, pairs = FeatureStore(folder / "features"), read_pairs(folder / "pairs.txt")
    store.ids()
    before, peak, stop = anonymous_mb(), 0.0, threading.Event()

    def watch() -> None:
        nonlocal peak
        while not stop.wait(0.01):
            peak = max(peak, anonymous_mb())

    thread = threading.Thread(target=watch)
    thread.start()
    begun = time.perf_counter()
    model = from_store.train_from_store(store, pairs, plan=Plan(steps=steps, members=1))
    seconds = time.perf_counter() - begun
    stop.set()
    thread.join()
    print(
        json.dumps({"seconds": seconds, "mb": peak - before, "bias": model.config.bias, "spread": model.config.spread})
    )


def together(folder: Path, processes: int, steps: int) -> float:
    """Seconds of the command with so many processes, start and all."""
    command = [sys.executable, "-m", "toprock", "train", "--features", "features", "--pairs", "pairs.txt"]
    command += ["--out", f"model{processes}", "--steps", str(steps), "--members", "1", "--processes", str(processes)]
    begun = time.perf_counter()
    subprocess.run(command, cwd=folder, env={**os.environ, "OMP_NUM_THREADS": "1"}, check=True, capture_output=True)
    return time.perf_counter() - begun


def anonymous_mb() -> float:
    """Memory of this process that is no file's."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("RssAnon:"):
            return int(line.split()[1]) / 1024
    raise SystemExit("this machine does not tell RssAnon")


def told(found: dict[str, float]) -> str:
    return f"{found['mb']:.0f} MB, {found['seconds']:.1f} s"


def same(ways: dict[str, dict[str, float]]) -> bool:
    return len({(found["bias"], found["spread"]) for found in ways.values()}) == 1


if __name__ == "__main__":
    main()
