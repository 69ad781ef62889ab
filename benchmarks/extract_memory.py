"""Peak memory of extraction into a store (parent and decoder together) on a 40-minute file beside a 1-minute one.

python benchmarks/extract_memory.py
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

SCRIPT = """
import sys
from pathlib import Path
from toprock.backbones import build
from toprock.features import FeatureStore, extract
from toprock.performance import Performance
video = Path(sys.argv[1])
store = FeatureStore(video.parent / f"{video.stem}-features", create=True)
extract([Performance(video.stem, video)], store, [build("flow"), build("posture")], workers=1)
"""


def main() -> None:
    argparse.ArgumentParser(description=__doc__.splitlines()[0]).parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        short, long = Path(temporary) / "1min.mp4", Path(temporary) / "40min.mp4"
        source = ["-f", "lavfi", "-i", "testsrc2=size=640x360:rate=25", "-t", "60"]
        coding = ["-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p"]
        subprocess.run(["ffmpeg", "-v", "error", *source, *coding, str(short)], check=True)
        again = ["-stream_loop", "39", "-i", str(short), "-c", "copy", str(long)]
        subprocess.run(["ffmpeg", "-v", "error", *again], check=True)
        one, forty = peak_mb(short), peak_mb(long)
        print(f"1 minute: {one:.0f} MB; 40 minutes: {forty:.0f} MB; {forty / one - 1:+.1%}")


def peak_mb(video: Path) -> float:
    """Highest sum of the resident memory (proportional share) of all processes of an extraction."""
    process = subprocess.Popen([sys.executable, "-c", SCRIPT, str(video)])
    peak = 0.0
    stop = threading.Event()

    def watch() -> None:
        nonlocal peak
        while not stop.is_set():
            peak = max(peak, sum(_pss_mb(pid) for pid in _tree(process.pid)))
            time.sleep(0.1)

    thread = threading.Thread(target=watch)
    thread.start()
    status = process.wait()
    stop.set()
    thread.join()
    if status:
        raise SystemExit(f"extraction of {video.name} failed")
    return peak


def _tree(pid: int) -> list[int]:
    try:
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    except OSError:
        return [pid]
    return [pid, *(p for child in children for p in _tree(int(child)))]


def _pss_mb(pid: int) -> float:
    try:
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1]) / 1024
    except OSError:
        pass
    return 0.0


if __name__ == "__main__":
    main()
