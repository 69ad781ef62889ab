"""How far `toprock watch` lies behind a file that ffmpeg writes in real time, and that the last score is the same.

    python benchmarks/watch_delay.py [--seconds 60] [--sizes 640x360 1280x720] [--model FOLDER] [--container ts|mkv|mp4]

For every segment: from when the last of its frames lay in the file (looked at every 2 ms) to when the line that shows
its evidence was read from the command's output. A clip's frames end with its end, a posture's where it does: half way
to the next picture. The watching begins first and waits for the file. Without --model one is trained on rendered
battles. The picture is a real clip where there is one, else ffmpeg's own test picture.
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
from extract_speed import make_video

FORMS = {
    "ts": ("-f", "mpegts"),
    "mkv": ("-f", "matroska", "-cluster_time_limit", "200"),
    "mp4": ("-f", "mp4", "-movflags", "+empty_moov+default_base_moof", "-frag_duration", "200000"),
}
TOPROCK = (sys.executable, "-m", "toprock")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=int, default=60)
    parser.add_argument("--sizes", nargs="+", default=["640x360", "1280x720"])
    parser.add_argument("--model", type=Path)
    parser.add_argument("--container", choices=FORMS, default="ts")
    options = parser.parse_args()
    os.environ["TOPROCK_LOG"] = "off"
    print(f"{platform.machine()}, {len(os.sched_getaffinity(0))} cores, load {os.getloadavg()[0]:.1f}")
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        model = options.model or train(folder)
        for size in options.sizes:
            source = make_video(folder / f"source-{size}.mp4", seconds=options.seconds, size=size.replace("x", ":"))
            measure(source, folder / f"{size}.{options.container}", model, FORMS[options.container])


def train(folder: Path) -> Path:
    """A model of the default backbones, learnt from a few rendered battles."""
    from toprock.synthetic import quality_pairs, render_performances

    rendered = render_performances(folder / "in", count=6, seed=3, processes=2)
    (folder / "pairs.txt").write_text("".join(f"{a} {b}\n" for a, b in quality_pairs(rendered)))
    features = folder / "features"
    for command in (
        ("extract", folder / "in/manifest.csv", "--out", features),
        ("train", "--features", features, "--pairs", folder / "pairs.txt", "--out", folder / "model"),
    ):
        subprocess.run([*TOPROCK, *map(str, command)], check=True, capture_output=True)
    return folder / "model"


def measure(source: Path, path: Path, model: Path, form: tuple[str, ...]) -> None:
    command = [*TOPROCK, "watch", str(path), "--model", str(model), "--lines", "--quiet-s", "30"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as watch:
        assert watch.stderr and watch.stdout
        watch.stderr.readline()  # it waits for the file
        sizes: list[tuple[float, int]] = []
        over = threading.Event()
        look = threading.Thread(target=note_sizes, args=(path, sizes, over))
        look.start()
        writer = [
            "ffmpeg",
            "-v",
            "error",
            "-re",
            "-i",
            str(source),
            "-c",
            "copy",
            "-flush_packets",
            "1",
            *form,
            str(path),
        ]
        with subprocess.Popen(writer):
            shown = [(time.monotonic(), json.loads(line)) for line in watch.stdout]
        over.set()
        look.join()
    final = shown[-1][1]
    delays = delays_of(shown, *written(path, sizes))
    batch = subprocess.run([*TOPROCK, "score", str(path), "-m", str(model), "--json"], check=True, capture_output=True)
    expected = json.loads(batch.stdout)
    same = {key: value for key, value in final.items() if key not in ("live", "final")} == expected
    print(f"{path.name}: {final['live']['seen_s']:.1f} s at 30 frames/s, {path.stat().st_size / 1e6:.1f} MB")
    for stream, values in delays.items():
        low, high, most = np.percentile(values, [50, 99, 100])
        print(f"  {stream:8} {len(values)} segments: shown after p50 {low:.2f} s, p99 {high:.2f} s, max {most:.2f} s")
    print(
        f"  score {final['score']:+.6f}, of toprock score {expected['score']:+.6f}: all {'equal' if same else 'OTHER'}"
    )


def note_sizes(path: Path, sizes: list[tuple[float, int]], over: threading.Event) -> None:
    """Clock and size of the file, whenever it has grown."""
    while not over.wait(0.002):
        size = path.stat().st_size if path.exists() else 0
        if not sizes or size != sizes[-1][1]:
            sizes.append((time.monotonic(), size))


def written(path: Path, sizes: list[tuple[float, int]]) -> tuple[np.ndarray, np.ndarray]:
    """Times of the frames in seconds (N,), rising from 0, and the clock when each lay in the file (N,)."""
    command = ["ffprobe", "-v", "error", "-select_streams", "v:0", "-show_entries", "packet=pts_time,pos,size"]
    out = subprocess.run([*command, "-of", "json", str(path)], check=True, capture_output=True).stdout
    packets = json.loads(out)["packets"]
    times_s = np.array([float(p["pts_time"]) for p in packets])
    ends = np.array([int(p["pos"]) + int(p["size"]) for p in packets])
    clock, grown = np.array(sizes).T
    at = clock[np.searchsorted(grown, ends).clip(max=len(clock) - 1)]
    order = np.argsort(times_s)
    return times_s[order] - times_s.min(), np.maximum.accumulate(at[order])


def delays_of(shown: list[tuple[float, dict]], times_s: np.ndarray, written_s: np.ndarray) -> dict[str, list[float]]:
    """Stream -> seconds for each segment, in order."""
    delays: dict[str, list[float]] = {"dynamic": [], "static": []}
    known: set[tuple[str, float]] = set()
    for clock, row in shown:
        for segment in row["segments"]:
            name = segment["stream"], segment["start_s"]
            if name not in known:  # the last line repeats all
                known.add(name)
                last = max(0, int(np.searchsorted(times_s, segment["end_s"] - 1e-4)) - 1)
                delays[segment["stream"]].append(clock - written_s[last])
    return delays


if __name__ == "__main__":
    main()
