"""Fixtures for all tests: the shared data, and small real videos made on the spot."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

TOPROCK = (sys.executable, "-m", "toprock")
BITS = 12  # a numbered picture shows its number as this many black or white columns


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of shared data: TOPROCK_SHARED, else ../shared beside the repository."""
    default = Path(__file__).resolve().parents[2] / "shared"
    folder = Path(os.environ.get("TOPROCK_SHARED", default))
    if not (folder / "data").is_dir():
        if os.environ.get("CI") == "true":
            pytest.fail(f"{folder} holds no data; set TOPROCK_SHARED")
        pytest.skip(f"{folder} holds no data; set TOPROCK_SHARED")
    return folder


def numbered(index: int, width: int, height: int) -> np.ndarray:
    """A picture (height, width, 3) uint8; `read_number` reads `index` from it after coding and scaling."""
    image = np.full((height, width, 3), 16, np.uint8)
    for bit in range(BITS):
        if index >> bit & 1:
            image[:, bit * width // BITS : (bit + 1) * width // BITS] = 235
    return image


@pytest.fixture(scope="session")
def read_number() -> Callable[[np.ndarray], int]:
    """The number that a picture of `make_video` shows."""

    def read(image: np.ndarray) -> int:
        width = image.shape[1]
        centres = [int((bit + 0.5) * width / BITS) for bit in range(BITS)]
        return sum(1 << bit for bit, x in enumerate(centres) if image[:, x].mean() > 125)

    return read


MakeVideo = Callable[..., Path]


@pytest.fixture(scope="session")
def make_video() -> MakeVideo:
    """A function that encodes a real video; see `_encode` for what it takes. Picture i shows the number i."""
    return _encode


def _encode(
    path: Path,
    *,
    frames: int = 30,
    rate_hz: float = 30,
    size: tuple[int, int] = (96, 64),
    codec: str = "libx264",
    times_s: Sequence[float] | None = None,
    pictures: Iterable[np.ndarray] | None = None,
    gop: int = 12,
    b_frames: int = 2,
    options: dict[str, str] | None = None,
    container_options: dict[str, str] | None = None,
    prepare: Callable[[Any], None] = lambda stream: None,
    sound_s: float = 0.0,
    pixel_format: str = "yuv420p",
) -> Path:
    """Write numbered pictures (or `pictures`) to `path`, at rate_hz or at `times_s`; returns the path.

    `prepare` may change the output stream; `sound_s` adds so many seconds of silence.
    """
    with av.open(str(path), "w", options=container_options or {}) as out:
        stream = out.add_stream(codec, rate=Fraction(rate_hz).limit_denominator(1001))
        stream.width, stream.height = size
        stream.pix_fmt = pixel_format
        stream.codec_context.gop_size = gop
        speed = {"preset": "ultrafast", "crf": "20", "bf": str(b_frames)} if codec == "libx264" else {}
        stream.options = speed | (options or {})
        ticks = Fraction(1, 1000) if times_s is not None else None
        if ticks is not None:
            stream.codec_context.time_base = ticks
        prepare(stream)
        if sound_s:
            _silence(out, sound_s)
        count = len(times_s) if times_s is not None else frames
        source = iter(pictures) if pictures is not None else (numbered(i, *size) for i in range(count))
        for i, image in enumerate(source):
            frame = av.VideoFrame.from_ndarray(image, format="rgb24")
            if ticks is not None:
                assert times_s is not None
                frame.pts, frame.time_base = round(times_s[i] * 1000), ticks
            for packet in stream.encode(frame):
                out.mux(packet)
        for packet in stream.encode():
            out.mux(packet)
    return path


def _silence(out: Any, seconds: float) -> None:
    sound = out.add_stream("aac", rate=16000)
    for i in range(int(seconds * 16000) // 1024):
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), format="fltp", layout="mono")
        frame.sample_rate, frame.pts, frame.time_base = 16000, i * 1024, Fraction(1, 16000)
        for packet in sound.encode(frame):
            out.mux(packet)
    for packet in sound.encode():
        out.mux(packet)


Toprock = Callable[..., tuple[str, str]]


@pytest.fixture(scope="session")
def toprock() -> Toprock:
    """A function that runs the command in its own process; see `_toprock` for what it takes."""
    return _toprock


def _toprock(*arguments: object, status: int = 0, **more: Any) -> tuple[str, str]:
    """Standard output and standard error of `toprock ARGUMENTS`, which must end with `status` and without a traceback.

    `more` goes to `subprocess.run`.
    """
    command = [*TOPROCK, *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, errors="surrogateescape", timeout=300, **more)
    assert done.returncode == status, done.stderr
    assert "Traceback" not in done.stderr
    return done.stdout, done.stderr


@dataclass(frozen=True)
class Place:
    """Small rendered battles and what the commands made of them; for reading only.

    Attributes:
        folder: holds in/ (videos, manifest.csv, moments.csv), pairs.txt, features/ and model/.
        count: of performances, battle-000 and so on.
    """

    folder: Path
    count: int = 6

    def __truediv__(self, name: str) -> Path:
        return self.folder / name

    def video(self, number: int) -> Path:
        return self.folder / "in" / "videos" / f"battle-{number:03}.mp4"


@pytest.fixture(scope="session")
def place(tmp_path_factory: pytest.TempPathFactory, toprock: Toprock) -> Place:
    """Videos, pairs, features and a model, made by the commands."""
    from toprock.synthetic import quality_pairs, render_performances

    made = Place(tmp_path_factory.mktemp("place"))
    rendered = render_performances(made / "in", count=made.count, seed=3, processes=2)
    (made / "pairs.txt").write_text("".join(f"{a} {b}\n" for a, b in quality_pairs(rendered)))
    toprock("extract", made / "in/manifest.csv", "--out", made / "features")
    pairs = ("--features", made / "features", "--pairs", made / "pairs.txt")
    toprock("train", *pairs, "--out", made / "model", "--steps", 5)
    return made


@dataclass(frozen=True)
class Championship:
    """Rendered battles in BRACE's layout, one of 2031 and two of 2032, as the commands left them; for reading only.

    Attributes:
        folder: holds what `render_battles` writes, prepared/ (manifest.csv and others) and features/.
        battles: what is true of them, in order.
    """

    folder: Path
    battles: list[Any]


@pytest.fixture(scope="session")
def championship(tmp_path_factory: pytest.TempPathFactory, toprock: Toprock) -> Championship:
    """Battles of two turns a dancer, prepared and extracted by the commands."""
    from toprock.synthetic import render_battles

    folder = tmp_path_factory.mktemp("championship")
    battles = render_battles(folder, count=3, seed=1, years=("2031", "2032", "2032"))
    toprock("dataset", "brace", "--data", folder, "--videos", folder / "videos", "--out", folder / "prepared")
    toprock("extract", folder / "prepared/manifest.csv", "--out", folder / "features")
    return Championship(folder, battles)


@pytest.fixture(scope="session")
def real_jigsaws(shared: Path) -> Any:
    """The one task of the shared JIGSAWS data, read once; for reading only."""
    from toprock.datasets import jigsaws

    (task,) = jigsaws.read(shared / "data/jigsaws", shared / "data/epic-skills")
    return task


WriteJigsaws = Callable[..., Path]


@pytest.fixture(scope="session")
def write_jigsaws() -> WriteJigsaws:
    """A function that writes invented trials in the official layout; see `_write_jigsaws` for what it takes."""
    return _write_jigsaws


def _write_jigsaws(
    folder: Path, *, task: str = "Knot_Tying", surgeons: str = "BCDE", zipped: bool = False, seconds: float = 3.0
) -> Path:
    """Two trials a surgeon, later surgeons quicker and better, and pairs of four folds that leave one surgeon out each.

    Returns the folder, which serves as --data and as --pairs.
    """
    rng = np.random.default_rng(len(task))
    trials = [f"{task}_{surgeon}00{take}" for surgeon in surgeons for take in (1, 2)]
    files = {}
    lines = []
    for number, trial in enumerate(trials):
        item = 1 + number * 4 // len(trials)
        skill = "NIE"[min(2, number * 3 // len(trials))]
        lines.append("\t".join([trial, "", skill, str(6 * item), "", *[str(item)] * 6]))  # tabs doubled, as published
        table = _recording(rng, round(30 * seconds), speed=0.02 * (1 + number))
        files[f"kinematics/AllGestures/{trial}.txt"] = "".join(
            "    ".join(f"{value:.6f}" for value in row) + " \n" for row in table
        )
    files[f"meta_file_{task}.txt"] = "\n".join(lines) + "\n"
    folder.mkdir(parents=True, exist_ok=True)
    if zipped:
        with zipfile.ZipFile(folder / f"{task}.zip", "w", zipfile.ZIP_BZIP2) as archive:
            for name, text in files.items():
                archive.writestr(f"{task}/{name}", text)
    else:
        for name, text in files.items():
            (folder / task / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / task / name).write_text(text)
    better = [(a, b) for i, b in enumerate(trials) for a in trials[i + 1 :]]
    (folder / "splits/surgery").mkdir(parents=True, exist_ok=True)
    for k, held in enumerate(surgeons[:4], 1):
        for side in ("train", "test"):
            kept = [p for p in better if (f"_{held}00" in f"{p}") == (side == "test")]
            text = "".join(f"{task}/{a}_capture2 {task}/{b}_capture2\n" for a, b in kept)
            (folder / f"splits/surgery/{side}_split{k}.txt").write_text(text)
    return folder


def _recording(rng: np.random.Generator, frames: int, *, speed: float) -> np.ndarray:
    """(frames, 76): four tools that wander at about `speed`."""
    blocks = []
    for _ in range(4):
        velocity = speed * (1 + 0.1 * rng.normal(size=(frames, 3)))
        position = np.cumsum(velocity, axis=0) / 30
        rotation = np.tile(np.eye(3).ravel(), (frames, 1))
        blocks += [position, rotation, velocity, rng.normal(size=(frames, 3)), rng.uniform(size=(frames, 1))]
    return np.concatenate(blocks, axis=1)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Callable[[str], Path]]:
    """A function that gives a folder on a disk of so many bytes (as in "120k"); called again, it changes the size."""
    folder = tmp_path / "disk"

    def sized(size: str) -> Path:
        more = "remount," if folder.exists() else ""
        folder.mkdir(exist_ok=True)
        command = ["mount", "-t", "tmpfs", "-o", f"{more}size={size}", "tmpfs", str(folder)]
        if subprocess.run(command, capture_output=True).returncode:
            pytest.skip("a small disk cannot be mounted here")
        return folder

    yield sized
    subprocess.run(["umount", str(folder)], capture_output=True)
