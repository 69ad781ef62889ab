"""Fixtures for all tests: the shared data, and small real videos made on the spot."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import zipfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from functools import partial
from pathlib import Path
from typing import IO, Any

import av
import numpy as np
import pytest
from hypothesis import settings

settings.register_profile("toprock", deadline=None)  # machines are busy, and not alike
settings.load_profile("toprock")

TOPROCK = (sys.executable, "-m", "toprock")
TIMEOUT_S = 300
SOUND_HZ = 16_000
os.environ.setdefault("TOPROCK_LOG", "off")  # tests are no uses
os.environ.pop("TOPROCK_SETTINGS", None)
os.environ["XDG_CONFIG_HOME"] = os.devnull  # nobody's settings
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
    sound: np.ndarray | None = None,
    sound_from_s: float = 0.0,
    sound_codec: str = "aac",
    pixel_format: str = "yuv420p",
) -> Path:
    """Write numbered pictures (or `pictures`) to `path`, at rate_hz or at `times_s`; returns the path.

    `prepare` may change the output stream; `sound_s` adds so many seconds of silence, `sound`
    samples at SOUND_HZ in -1 to 1 that start at `sound_from_s`.
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
            sound = np.zeros(int(sound_s * SOUND_HZ), np.float32)
        if sound is not None:
            _add_sound(out, sound, sound_from_s, sound_codec)
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


def _add_sound(out: Any, samples: np.ndarray, from_s: float, codec: str) -> None:
    stream = out.add_stream(codec, rate=SOUND_HZ, layout="mono")
    form = stream.codec_context.format.name
    scaled = samples if form.startswith("flt") else np.round(samples * 32767).astype(np.int16)
    for at in range(0, len(samples) - 1023, 1024):
        frame = av.AudioFrame.from_ndarray(scaled[None, at : at + 1024], format=form, layout="mono")
        frame.sample_rate, frame.pts, frame.time_base = SOUND_HZ, at + round(from_s * SOUND_HZ), Fraction(1, SOUND_HZ)
        for packet in stream.encode(frame):
            out.mux(packet)
    for packet in stream.encode():
        out.mux(packet)


@pytest.fixture(scope="session")
def clicks() -> Callable[..., np.ndarray]:
    """A function that makes sound at SOUND_HZ: clicks at `times_s`, over noise; see `_clicks`."""
    return _clicks


def _clicks(times_s: Sequence[float], duration_s: float, *, noise: float = 0.0, level: float = 0.5) -> np.ndarray:
    """Short bursts of a falling 1 kHz tone in white noise of standard deviation `noise`; (N,) float32."""
    sound = np.random.default_rng(0).normal(scale=noise or 1e-12, size=int(duration_s * SOUND_HZ))
    t = np.arange(int(0.03 * SOUND_HZ)) / SOUND_HZ
    burst = level * np.sin(2 * np.pi * 1000 * t) * np.exp(-t / 0.008)
    for start in (round(time_s * SOUND_HZ) for time_s in times_s):
        part = sound[start : start + len(burst)]
        part += burst[: len(part)]
    return sound.clip(-1, 1).astype(np.float32)


@pytest.fixture
def library(tmp_path: Path) -> Iterator[Any]:
    """An empty library."""
    from toprock.library import Library

    made = Library(tmp_path / "library")
    yield made
    made.close()


Toprock = Callable[..., tuple[str, str]]


@pytest.fixture(scope="session")
def toprock() -> Iterator[Toprock]:
    """A function that runs the command in a process that has its libraries already; see `_toprock`."""
    with _command_server() as server:
        yield partial(_toprock, server)


@pytest.fixture(scope="session")
def fresh_toprock() -> Toprock:
    """As `toprock`, in a Python of its own from the start, as users have it; any more goes to `subprocess.run`."""
    return partial(_toprock, None)


def _toprock(
    server: socket.socket | None,
    *arguments: object,
    status: int = 0,
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
    **more: Any,
) -> tuple[str, str]:
    """Standard output and standard error of `toprock ARGUMENTS`, run in the folder `cwd` with the environment `env`.

    It must end with `status`, and without a traceback.
    """
    words = [*map(str, arguments)]
    environment = {**(os.environ if env is None else env)}
    if server is None:
        text = {"capture_output": True, "text": True, "errors": "surrogateescape", "timeout": TIMEOUT_S}
        done = subprocess.run([*TOPROCK, *words], cwd=cwd, env=environment, **text, **more)
        ended, out, told = done.returncode, done.stdout, done.stderr
    else:
        ended, out, told = _ask(server, arguments=words, folder=str(cwd or Path.cwd()), environment=environment, **more)
    assert ended == status, told
    assert "Traceback" not in told
    return out, told


@contextmanager
def _command_server() -> Iterator[socket.socket]:
    """The end of a socket where `_ask` can ask; see command_server.py."""
    here, there = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    here.settimeout(TIMEOUT_S)
    command = [sys.executable, Path(__file__).with_name("command_server.py"), str(there.fileno())]
    streams = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}  # as a command's are
    with subprocess.Popen(command, pass_fds=[there.fileno()], **streams), here:
        there.close()
        yield here


def _ask(server: socket.socket, **request: Any) -> tuple[int, str, str]:
    """Status, standard output and standard error of a command."""
    ends = [os.pipe() for _ in range(2)]
    socket.send_fds(server, [json.dumps(request).encode()], [inner for _, inner in ends])
    for _, inner in ends:
        os.close(inner)
    pid = int(server.recv(99))
    timer = threading.Timer(TIMEOUT_S, os.kill, (pid, signal.SIGKILL))
    timer.start()
    with ThreadPoolExecutor() as pool:
        files = [os.fdopen(outer, errors="surrogateescape") for outer, _ in ends]
        out, told = pool.map(_all_of, files)
    timer.cancel()
    return int(server.recv(99)), out, told


def _all_of(file: IO[str]) -> str:
    with file:
        return file.read()


def _made_once(factory: pytest.TempPathFactory, name: str, make: Callable[[Path], None]) -> Path:
    """A folder of the session that the first process to ask for it has made; the others wait, and read it."""
    root = factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:  # each process has its own folder in that of the session
        root = root.parent
    folder = root / name
    with (root / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (root / f"{name}.made").exists():
            folder.mkdir(exist_ok=True)
            make(folder)
            (root / f"{name}.made").touch()
    return folder


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
    return Place(_made_once(tmp_path_factory, "place", partial(make_place, toprock=toprock)))


def make_place(folder: Path, toprock: Callable[..., object]) -> Place:
    """Fill a folder as `Place` has it, by a function that runs the command."""
    from toprock.synthetic import quality_pairs, render_performances

    rendered = render_performances(folder / "in", count=Place.count, seed=3, processes=2)
    (folder / "pairs.txt").write_text("".join(f"{a} {b}\n" for a, b in quality_pairs(rendered)))
    toprock("extract", folder / "in/manifest.csv", "--out", folder / "features")
    pairs = ("--features", folder / "features", "--pairs", folder / "pairs.txt")
    toprock("train", *pairs, "--out", folder / "model", "--steps", 5)
    return Place(folder)


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
    from toprock.synthetic.battle import plan_battles, render_battles

    chosen = {"count": 3, "seed": 1, "years": ("2031", "2032", "2032")}

    def make(folder: Path) -> None:
        render_battles(folder, **chosen)
        toprock("dataset", "brace", "--data", folder, "--videos", folder / "videos", "--out", folder / "prepared")
        toprock("extract", folder / "prepared/manifest.csv", "--out", folder / "features")

    folder = _made_once(tmp_path_factory, "championship", make)
    return Championship(folder, plan_battles(folder, **chosen))


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


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    """A headless Chromium."""
    found = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if found is None and Path("/usr/bin/chromium").exists():
        found = "/usr/bin/chromium"
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        found = None
    if found is None:
        if os.environ.get("CI") == "true":
            pytest.fail("there is no Chromium or no playwright")
        pytest.skip("there is no Chromium or no playwright")
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=found, args=["--no-sandbox"])
        yield chromium
        chromium.close()
