"""What one hour of video costs, by backbone, on the machine that this runs on; docs/sizing.md reckons on from it.

    python benchmarks/sizing.py [--seconds 120] [--video FILE] [--device cpu] [--networks] [--many 1]

For each backbone a 720p video is read: seconds of the clock, of all cores and of the networks' forward passes, and
bytes of features, each for an hour of video. `--networks` adds networks of true size with random weights (needs the
extra `pretrained`); `--many` reads so many videos at a time, as extraction does on a machine of many cores.
"""

from __future__ import annotations

import argparse
import os
import resource
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

from backbone_speed import LARGE, SMALL, dinov2_small, forward_s, machine, shown, videomae
from extract_speed import make_video

from toprock.backbones import build
from toprock.backbones.base import Backbone, Compute, NetworkBackbone
from toprock.features.encoding import Encoding
from toprock.features.extraction import describe_video
from toprock.features.needs import needs_of
from toprock.features.store import FeatureStore
from toprock.machine import cores
from toprock.performance import Performance
from toprock.video import Limits, probe

BASE = {"hidden_size": 768, "num_hidden_layers": 12, "num_attention_heads": 12, "intermediate_size": 3072}
HOUR_S = 3600.0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=int, default=120)
    parser.add_argument("--video", type=Path)
    parser.add_argument("--device", default="auto")
    parser.add_argument("--precision", default="auto")
    parser.add_argument("--networks", action="store_true")
    parser.add_argument("--many", type=int, default=1)
    options = parser.parse_args()
    compute = Compute(device=options.device, precision=options.precision)
    with tempfile.TemporaryDirectory() as temporary:
        place = Path(temporary)
        video = options.video or make_video(place / "720p.mp4", seconds=options.seconds, size="1280:720")
        print(machine(compute), f"{options.many} at a time" if options.many > 1 else "one video at a time", flush=True)
        head = "| backbones | needs | clock s | core s | forward s | MB of features | ran on |"
        print(f"An hour of 720p video costs:\n\n{head}\n| --- | --- | ---: | ---: | ---: | ---: | --- |", flush=True)
        embedded = [[build("flow")], [build("posture")], [build("flow"), build("posture")]]
        for backbones in embedded + (networks(place) if options.networks else []):
            print(row(video, backbones, compute, options.many, place), flush=True)


def networks(place: Path) -> list[list[Backbone]]:
    """Of true size, with random weights; clips every half second, frames at 2 a second."""
    made = {
        "videomae-small": videomae(place / "videomae-small", SMALL, every_s=0.5),
        "videomae-base": videomae(place / "videomae-base", BASE, every_s=0.5),
        "videomae-large": videomae(place / "videomae-large", LARGE, every_s=0.5),
    }
    return [[dinov2_small(place / "dinov2-small")], *([backbone] for backbone in made.values())]


def row(video: Path, backbones: Sequence[Backbone], compute: Compute, many: int, place: Path) -> str:
    performances = [Performance(f"{video.stem}-{number}", video) for number in range(many)]
    limits = replace(Limits.chosen(), threads=max(1, cores() // many))
    hours = many * probe(video).duration_s / HOUR_S
    store = FeatureStore(place / f"store-{time.monotonic_ns()}", create=True)
    with Encoding(compute) as encoding, ThreadPoolExecutor(many) as readers:
        for backbone in backbones:
            if isinstance(backbone, NetworkBackbone):
                encoding.load(backbone)

        def read(performance: Performance) -> None:
            (found,) = describe_video(video, [performance], backbones, limits=limits, encoding=encoding)
            store.write(found)

        begun, used = time.perf_counter(), core_seconds()
        list(readers.map(read, performances))
        clock_s, core_s = time.perf_counter() - begun, core_seconds() - used
        forward_s = sum(forward(video, b, encoding) for b in backbones if isinstance(b, NetworkBackbone)) * many
        paces = "; ".join(dict.fromkeys(encoding.paces().values())) or "cpu"
    size = sum(path.stat().st_size for path in store.folder.rglob("*.safetensors"))
    names = " and ".join(backbone.spec.name for backbone in backbones)
    needs = needs_of(backbones, compute, accelerators="cuda" in paces)
    numbers = (clock_s / hours, core_s / hours, forward_s / hours)
    shown_numbers = " | ".join(f"{value:,.0f}" for value in numbers)
    return f"| {names} | {needs} | {shown_numbers} | {size / hours / 1e6:.1f} | {paces} |"


def forward(video: Path, backbone: NetworkBackbone, encoding: Encoding) -> float:
    """Seconds that the network alone takes for the segments of a video."""
    network, inputs = encoding.load(backbone), [segment.vector for segment in shown(video, backbone)]
    network.launch(inputs[: network.batch])()
    return forward_s(network, inputs)


def core_seconds() -> float:
    """Of this process and of the decoders that have ended."""
    return sum(
        resource.getrusage(who).ru_utime + resource.getrusage(who).ru_stime
        for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    )


if __name__ == "__main__":
    os.environ.setdefault("OMP_NUM_THREADS", str(cores()))
    main()
