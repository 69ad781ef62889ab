"""Speed of extraction with networks beside the networks' forward passes alone on the same inputs, in one run.

    python benchmarks/backbone_speed.py [--seconds 180] [--repeats 3] [--device cpu] [--precision auto] [--video FILE]

Two networks of true size with random weights: DINOv2-S at 2 frames a second, VideoMAE-S on 100 clips in 3 minutes. The
ratio says how much of the networks' own speed is left when videos are decoded, cut into shots and cropped beside
them; loading and the trial of what is fastest are not counted. Needs the extra `pretrained`.
"""

from __future__ import annotations

import argparse
import json
import platform
import statistics
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import torch
from extract_speed import make_video

from toprock.backbones import build
from toprock.backbones.base import Backbone, Compute, Network, Segment
from toprock.features.encoding import Encoding
from toprock.features.extraction import describe_video
from toprock.machine import cores
from toprock.performance import Performance

NORMAL = {"image_mean": [0.485, 0.456, 0.406], "image_std": [0.229, 0.224, 0.225], "do_center_crop": True}
SMALL = {"hidden_size": 384, "num_hidden_layers": 12, "num_attention_heads": 6, "intermediate_size": 1536}
LARGE = {"hidden_size": 1024, "num_hidden_layers": 24, "num_attention_heads": 16, "intermediate_size": 4096}
CROP = {"crop_size": {"height": 224, "width": 224}}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=int, default=180)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--device", default="auto")
    parser.add_argument("--precision", default="auto")
    parser.add_argument("--video", type=Path, help="a 720p video; by default one is made with ffmpeg")
    parser.add_argument("--large", type=int, default=0, metavar="N", help="N videos at once through VideoMAE-L instead")
    options = parser.parse_args()
    compute = Compute(device=options.device, precision=options.precision)
    with tempfile.TemporaryDirectory() as temporary:
        place = Path(temporary)
        video = options.video or make_video(place / "720p.mp4", seconds=options.seconds, size="1280:720")
        if options.large:
            print(machine(compute), flush=True)
            compare_many(video, videomae(place / "videomae-l", LARGE, every_s=0.5), compute, options.large)
            return
        still = dinov2_small(place / "dinov2-s")
        moving = videomae(place / "videomae-s", SMALL, every_s=1.8)
        print(machine(compute), flush=True)
        for backbones in ([still], [moving], [still, moving]):
            compare(video, backbones, compute, options.repeats)


def dinov2_small(folder: Path) -> Backbone:
    """DINOv2-S as published, but for its weights, at 2 frames a second."""
    from transformers import Dinov2Config, Dinov2Model

    torch.manual_seed(0)
    config = Dinov2Config(hidden_size=384, num_hidden_layers=12, num_attention_heads=6, image_size=518, patch_size=14)
    Dinov2Model(config).save_pretrained(folder)
    plain = {"image_processor_type": "BitImageProcessor", "size": {"shortest_edge": 256}, "resample": 3}
    (folder / "preprocessor_config.json").write_text(json.dumps({**plain, **CROP, **NORMAL}))
    return build(str(folder), rate_hz=2)


def videomae(folder: Path, size: dict[str, int], *, every_s: float) -> Backbone:
    """A VideoMAE model as published, but for its weights."""
    from transformers import VideoMAEConfig, VideoMAEModel

    torch.manual_seed(0)
    VideoMAEModel(VideoMAEConfig(**size)).save_pretrained(folder)
    plain = {"image_processor_type": "VideoMAEImageProcessor", "size": {"shortest_edge": 224}, "resample": 2}
    (folder / "preprocessor_config.json").write_text(json.dumps({**plain, **CROP, **NORMAL}))
    return build(str(folder), every_s=every_s)


def compare(video: Path, backbones: Sequence[Backbone], compute: Compute, repeats: int) -> None:
    """Print seconds of both and their ratio."""
    performance = Performance(video.stem, video)
    inputs = [shown(video, backbone) for backbone in backbones]
    with Encoding(compute) as encoding:
        networks = [encoding.load(backbone) for backbone in backbones]
        whole, forward = [], []
        for _ in range(repeats):
            begun = time.perf_counter()
            describe_video(video, [performance], backbones, encoding=encoding)
            whole.append(time.perf_counter() - begun)
            begun = time.perf_counter()
            for network, segments in zip(networks, inputs, strict=True):
                for at in range(0, len(segments), network.batch):
                    network.launch([segment.vector for segment in segments[at : at + network.batch]])()
            forward.append(time.perf_counter() - begun)
        ratios = [a / b for a, b in zip(forward, whole, strict=True)]
        names = " and ".join(f"{b.spec.name} ({len(s)})" for b, s in zip(backbones, inputs, strict=True))
        print(f"{names}: {'; '.join(dict.fromkeys(encoding.paces().values()))}")
        took = f"whole {statistics.median(whole):.1f} s, forward alone {statistics.median(forward):.1f} s"
        print(
            f"  {took}; forward / whole: median {statistics.median(ratios):.2f}, lowest {min(ratios):.2f}", flush=True
        )


def compare_many(video: Path, backbone: Backbone, compute: Compute, count: int) -> None:
    """The same for so many videos read at a time, which share one network."""
    inputs = [segment.vector for segment in shown(video, backbone)] * count
    with Encoding(compute) as encoding, ThreadPoolExecutor(count) as readers:
        network = encoding.load(backbone)
        for _ in range(2):
            begun = time.perf_counter()
            them = [Performance(f"{video.stem}-{number}", video) for number in range(count)]
            list(readers.map(lambda p: describe_video(video, [p], [backbone], encoding=encoding), them))
            whole = time.perf_counter() - begun
            forward = forward_s(network, inputs)
            print(
                f"{count} videos, {len(inputs)} clips ({encoding.paces()[backbone.spec.name]}): whole {whole:.1f} s, "
                f"forward alone {forward:.1f} s, forward / whole {forward / whole:.2f}; "
                f"{len(inputs) / whole:.0f} clips a second",
                flush=True,
            )


def forward_s(network: Network, inputs: Sequence[np.ndarray]) -> float:
    """Seconds that a network alone takes: the next batch is on its way before the last one is fetched."""
    begun, waiting = time.perf_counter(), None
    for at in range(0, len(inputs), network.batch):
        launched = network.launch(inputs[at : at + network.batch])
        if waiting is not None:
            waiting()
        waiting = launched
    if waiting is not None:
        waiting()
    return time.perf_counter() - begun


class _Shown:
    """Gathers what a backbone hands to its network, in place of showing it."""

    batch = 1
    pace = ""

    def __init__(self, dimension: int) -> None:
        self.dimension = dimension
        self.inputs: list[np.ndarray] = []

    def launch(self, inputs: Sequence[np.ndarray]):  # type: ignore[no-untyped-def]
        self.inputs += inputs
        return lambda: np.zeros((len(inputs), self.dimension), np.float32)


def shown(video: Path, backbone: Backbone) -> list[Segment]:
    """The segments of a video, as the backbone's network is to see them."""
    gathered = _Shown(backbone.spec.dimension)
    with Encoding() as encoding:
        encoding.load(backbone, gathered)
        (found,) = describe_video(video, [Performance(video.stem, video)], [backbone], encoding=encoding)
    (stream,) = found.streams.values()
    return [Segment(a, b, one) for (a, b), one in zip(stream.times.tolist(), gathered.inputs, strict=True)]


def machine(compute: Compute) -> str:
    """What this ran on."""
    flags = Path("/proc/cpuinfo").read_text() if Path("/proc/cpuinfo").exists() else ""
    kinds = [name for name in ("amx_bf16", "avx512_bf16", "avx512f", "avx2") if name in flags]
    card = torch.cuda.get_device_name() if torch.cuda.is_available() and compute.device != "cpu" else "no accelerator"
    kind = kinds[0] if kinds else "no vector units known"
    return f"{platform.machine()}, {cores()} cores ({kind}), {card}, torch {torch.__version__}"


if __name__ == "__main__":
    main()
