"""How fast frames are read, against the ffmpeg command on the same file in the same run.

    python benchmarks/read_speed.py [--repeats 5] [--folder DIR] [--seconds 60]

Makes a 1080p30 H.264 video (cached in a temporary folder), then alternates
`read_frames(rate_hz=15, short_side=128)`, start of its process included, with
`ffmpeg -i FILE -vf scale=-2:256 -f null -`. Prints median times and their ratio: above 1, Toprock is faster.
Processor time is printed beside it: it is less disturbed by other work.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import resource
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import av

from toprock.video import probe, read_frames


def make(folder: Path, seconds: int) -> Path:
    """Moving shapes under film grain at 12 Mbit/s, as a phone records it."""
    path = folder / f"toprock-speed-1080p30-{seconds}s.mp4"
    if not path.exists():
        print(f"making {path} ...", flush=True)
        moving = f"testsrc2=size=1920x1080:rate=30:duration={seconds}"
        grain = "noise=alls=10:allf=t,format=yuv420p"
        coding = ["-c:v", "libx264", "-preset", "veryfast", "-b:v", "12M", "-g", "60"]
        part = path.with_suffix(".part.mp4")
        source = ["-f", "lavfi", "-i", moving, "-vf", grain]
        subprocess.run(["ffmpeg", "-v", "error", "-y", *source, *coding, part], check=True)
        part.replace(path)
    return path


def ours(path: Path) -> None:
    """One whole reading by Toprock."""
    with read_frames(path, rate_hz=15, short_side=128) as frames:
        count = sum(1 for _ in frames)
    assert count >= 14.9 * (frames.info.duration_s or 0)


def theirs(path: Path) -> None:
    """One whole reading by the ffmpeg command."""
    subprocess.run(
        ["ffmpeg", "-v", "error", "-nostdin", "-i", path, "-vf", "scale=-2:256", "-f", "null", "-"],
        check=True,
    )


def cost(work: Callable[[Path], None], path: Path) -> tuple[float, float]:
    """Seconds by the clock and of the processor, children included."""

    def used() -> float:
        both = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
        return sum(usage.ru_utime + usage.ru_stime for usage in both)

    clock, processor = time.perf_counter(), used()
    work(path)
    return time.perf_counter() - clock, used() - processor


def main() -> None:
    """Measure and print."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--repeats", type=int, default=5)
    options.add_argument("--seconds", type=int, default=60)
    options.add_argument("--folder", type=Path, default=Path(tempfile.gettempdir()))
    options.add_argument("--json", action="store_true", help="print one JSON document")
    chosen = options.parse_args()
    path = make(chosen.folder, chosen.seconds)
    version = subprocess.run(["ffmpeg", "-version"], capture_output=True, text=True, check=True).stdout.split()[2]
    pairs = [(cost(ours, path), cost(theirs, path)) for _ in range(chosen.repeats)]
    start, _ = cost(lambda p: probe(p) and None, path)
    result = {
        "ratio": statistics.median(b[0] / a[0] for a, b in pairs),
        "ratio_processor": statistics.median(b[1] / a[1] for a, b in pairs),
        "toprock_s": statistics.median(a[0] for a, _ in pairs),
        "ffmpeg_s": statistics.median(b[0] for _, b in pairs),
        "toprock_processor_s": statistics.median(a[1] for a, _ in pairs),
        "ffmpeg_processor_s": statistics.median(b[1] for _, b in pairs),
        "probe_s": start,
        "repeats": chosen.repeats,
        "video": f"{path.name}, {path.stat().st_size * 8 / 1e6 / chosen.seconds:.1f} Mbit/s",
        "machine": f"{platform.machine()}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}",
        "versions": f"ffmpeg {version}, PyAV {av.__version__}",
    }
    if chosen.json:
        print(json.dumps(result))
        return
    print(f"{result['video']}; {result['machine']}; {result['versions']}")
    for name in ("toprock", "ffmpeg"):
        wall, cpu = result[f"{name}_s"], result[f"{name}_processor_s"]
        print(f"{name:8} {wall:7.2f} s   {cpu:7.2f} s of processor (medians of {chosen.repeats})")
    print(f"probe    {start:7.2f} s")
    print(f"ratio    {result['ratio']:7.2f}     {result['ratio_processor']:7.2f} (ffmpeg / toprock)")


if __name__ == "__main__":
    main()
