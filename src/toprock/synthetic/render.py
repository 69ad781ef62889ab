"""Performances as files: videos, a manifest, the planted moments and the true quality."""

from __future__ import annotations

import csv
import io
import multiprocessing
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np

from toprock.errors import UsageError
from toprock.files import storage_errors, whole_file, write_text
from toprock.machine import cores
from toprock.performance import Performance, write_manifest
from toprock.synthetic.choreography import FPS, PlantedMoment, choreograph
from toprock.synthetic.draw import draw_performance

SOUND_HZ = 16_000
_SOUND_BLOCK = 1024  # samples that AAC codes together


@dataclass(frozen=True)
class SyntheticPerformance:
    """A rendered performance and what is true of it.

    Attributes:
        id: its id in manifest.csv, moments.csv and quality.csv.
        performer: each performance has its own.
        quality: 0 to 1; see `toprock.synthetic.choreography` for the formula.
        duration_s: seconds.
        moments: what was planted, in order of time; none overlap.
        video: the file.
    """

    id: str
    performer: str
    quality: float
    duration_s: float
    moments: tuple[PlantedMoment, ...]
    video: Path


def render_performances(
    out: Path,
    *,
    count: int,
    seed: int,
    prefix: str = "battle",
    processes: int | None = None,
    on_progress: Callable[[int], None] | None = None,
) -> list[SyntheticPerformance]:
    """Render `count` performances into `out`: videos/ID.mp4, manifest.csv, moments.csv, quality.csv.

    Performance i depends on `seed` and i alone, not on the number of processes.

    Args:
        out: folder, made where needed.
        count: how many.
        seed: another seed gives other performers.
        prefix: ids are `prefix-000` and so on.
        processes: default is one a CPU core.
        on_progress: called with the number of finished videos.

    Raises:
        UsageError: `count` or `processes` is below 1, or `prefix` is no file name.
        StorageError: the disk is full, or the folder cannot be written.

    Example::

        performances = render_performances(Path("battles"), count=20, seed=1)
        pairs = quality_pairs(performances, min_difference=0.1)
    """
    if count < 1 or (processes is not None and processes < 1):
        raise UsageError(f"count is {count}, processes {processes}", advice="Both must be 1 or more.")
    if not prefix or Path(prefix).name != prefix:
        raise UsageError(f"the prefix '{prefix}' is no file name", advice="Use letters, digits and dashes.")
    out = Path(out)
    videos = out / "videos"
    with storage_errors(videos):
        videos.mkdir(parents=True, exist_ok=True)
    digits = max(3, len(str(count - 1)))
    paths = [videos / f"{prefix}-{index:0{digits}d}.mp4" for index in range(count)]
    tasks = [(str(path), seed, index) for index, path in enumerate(paths)]
    for done, _ in enumerate(_run(_render_one, tasks, processes), start=1):
        if on_progress:
            on_progress(done)
    performances = []
    for index, path in enumerate(paths):
        plan = choreograph(seed, index)
        performances.append(
            SyntheticPerformance(
                path.stem, f"performer-{seed}-{index}", plan.quality, plan.duration_s, plan.moments, path
            )
        )
    _write_tables(out, performances, event=f"seed {seed}")
    return performances


def quality_pairs(
    performances: Iterable[SyntheticPerformance], *, min_difference: float = 0.0
) -> list[tuple[str, str]]:
    """All pairs of ids (better, worse) whose qualities differ, by at least `min_difference`."""
    ranked = sorted(performances, key=lambda p: (-p.quality, p.id))
    return [
        (one.id, other.id)
        for place, one in enumerate(ranked)
        for other in ranked[place + 1 :]
        if one.quality > other.quality and one.quality - other.quality >= min_difference
    ]


def write_video(frames: Iterable[np.ndarray], path: Path, *, fps: int = FPS, sound: np.ndarray | None = None) -> None:
    """Encode RGB frames (H, W, 3) uint8, H and W even, as H.264 in MP4; `path` is whole or absent.

    Args:
        frames: at least one.
        path: the file.
        fps: frames a second.
        sound: (N,) float32 in -1..1, `SOUND_HZ` a second, to hear beside the frames (AAC).

    Raises:
        StorageError: the disk is full, or the folder cannot be written.
    """
    with whole_file(path) as part:
        _encode(frames, str(part), fps, sound)


def _encode(frames: Iterable[np.ndarray], name: str, fps: int, sound: np.ndarray | None) -> None:
    codec = "libx264" if "libx264" in av.codecs_available else "mpeg4"
    options = {"preset": "ultrafast", "tune": "zerolatency", "crf": "21"} if codec == "libx264" else {"qscale": "3"}
    with av.open(name, "w", format="mp4", options={"movflags": "+faststart"}) as container:
        stream = heard = None
        for image in frames:
            if stream is None:
                stream = container.add_stream(codec, rate=fps, options=options)
                stream.height, stream.width = image.shape[:2]
                stream.pix_fmt = "yuv420p"
                stream.codec_context.thread_count = 1
                stream.codec_context.gop_size = 2 * fps
                heard = container.add_stream("aac", rate=SOUND_HZ, layout="mono") if sound is not None else None
            planes = cv2.cvtColor(image, cv2.COLOR_RGB2YUV_I420)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(planes, format="yuv420p")))
        if stream is not None:
            container.mux(stream.encode(None))
        if heard is not None and sound is not None:
            for start in range(0, len(sound), _SOUND_BLOCK):
                block = np.ascontiguousarray(sound[None, start : start + _SOUND_BLOCK], dtype=np.float32)
                samples = av.AudioFrame.from_ndarray(block, format="fltp", layout="mono")
                samples.sample_rate, samples.pts, samples.time_base = SOUND_HZ, start, Fraction(1, SOUND_HZ)
                container.mux(heard.encode(samples))
            container.mux(heard.encode(None))


def _render_one(task: tuple[str, int, int]) -> None:
    path, seed, index = task
    _, frames = draw_performance(seed, index)
    write_video(frames, Path(path))


def _run(
    work: Callable[[tuple[str, int, int]], None], tasks: Sequence[tuple[str, int, int]], processes: int | None
) -> Iterator[None]:
    processes = min(processes or cores(), len(tasks))
    if processes == 1:
        yield from map(work, tasks)
        return
    with ProcessPoolExecutor(processes, mp_context=multiprocessing.get_context("spawn")) as pool:
        try:
            yield from pool.map(work, tasks)
        except BaseException:
            pool.shutdown(wait=True, cancel_futures=True)
            raise


def _write_tables(out: Path, performances: Sequence[SyntheticPerformance], *, event: str) -> None:
    moments = [
        (p.id, f"{m.start_s:.3f}", f"{m.end_s:.3f}", m.label, m.kind, m.stream) for p in performances for m in p.moments
    ]
    write_text(out / "moments.csv", _csv(("id", "start_s", "end_s", "label", "kind", "stream"), moments))
    quality = [(p.id, f"{p.quality:.6f}", f"{p.duration_s:.2f}") for p in performances]
    write_text(out / "quality.csv", _csv(("id", "quality", "duration_s"), quality))
    listed = [Performance(p.id, p.video, (), p.performer, event) for p in performances]
    with whole_file(out / "manifest.csv") as part:
        write_manifest(listed, part)


def _csv(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(header)
    writer.writerows(rows)
    return buffer.getvalue()
