"""Speed of extraction beside ffmpeg's plain decode-and-scale of the same file, in one run.

    python benchmarks/extract_speed.py [--video FILE] [--repeats 5]

Prints the ratio (1 is as fast as ffmpeg); child start included, file in the page cache. Without --video a 60 s
1080p H.264 file is made from a real clip where there is one, else from ffmpeg's own sources.
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
from pathlib import Path

from toprock.backbones import build
from toprock.features.extraction import describe_video
from toprock.performance import Performance

SHARED = Path(os.environ.get("TOPROCK_SHARED", Path(__file__).parents[2] / "shared"))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--video", type=Path)
    parser.add_argument("--repeats", type=int, default=5)
    options = parser.parse_args()
    if not shutil.which("ffmpeg"):
        raise SystemExit("ffmpeg is needed as the yardstick: install it and run again")
    with tempfile.TemporaryDirectory() as temporary:
        video = options.video or make_video(Path(temporary) / "hd.mp4")
        compare(video, options.repeats)


def make_video(path: Path, *, seconds: int = 60, size: str = "1920:1080") -> Path:
    """A 1080p H.264 file: people walking where the real clip is at hand, else ffmpeg's moving test picture."""
    clip = SHARED / "data" / "clips" / "intel_sample_videos" / "one-by-one-person-detection.mp4"
    if clip.is_file():
        source = ["-stream_loop", "-1", "-i", str(clip)]
        scale = f"scale={size}:flags=bicubic,noise=alls=4:allf=t,fps=30"
    else:
        source = ["-f", "lavfi", "-i", "testsrc2=size=1280x720:rate=30"]
        scale = f"scale={size},noise=alls=6:allf=t"
    command = [
        "ffmpeg",
        "-v",
        "error",
        *source,
        "-t",
        str(seconds),
        "-vf",
        scale,
        "-an",
        "-pix_fmt",
        "yuv420p",
    ]
    subprocess.run([*command, "-c:v", "libx264", "-preset", "veryfast", "-crf", "23", str(path)], check=True)
    return path


def compare(video: Path, repeats: int) -> None:
    backbones = [build("flow"), build("posture")]
    performance = Performance(video.stem, video)
    command = ["ffmpeg", "-v", "error", "-i", str(video), "-vf", "scale=-2:256", "-f", "null", "-"]
    ours, theirs = [], []
    subprocess.run(command, check=True)  # warms the page cache
    for _ in range(repeats):
        begun = time.perf_counter()
        subprocess.run(command, check=True)
        theirs.append(time.perf_counter() - begun)
        begun = time.perf_counter()
        (found,) = describe_video(video, [performance], backbones)
        ours.append(time.perf_counter() - begun)
    ratios = [a / b for a, b in zip(theirs, ours, strict=True)]
    seconds = found.facts["duration_s"]
    print(f"{platform.machine()}, {os.cpu_count()} cores; {video.name}: {seconds:.1f} s of video")
    print(f"ffmpeg decode and scale: {statistics.median(theirs):.2f} s; extraction: {statistics.median(ours):.2f} s")
    print(f"speed of extraction / speed of ffmpeg: median {statistics.median(ratios):.2f}, lowest {min(ratios):.2f}")


if __name__ == "__main__":
    main()
