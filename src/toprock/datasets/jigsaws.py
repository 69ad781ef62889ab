"""JIGSAWS: kinematics of eight surgeons at three tasks on a da Vinci robot (Gao et al., M2CAI 2014).

The data is given out by its makers after registration; nothing of it comes with this package. What is read is the
official layout, as zip files or unpacked::

    DATA/<Task>.zip or DATA/<Task>/     kinematics/AllGestures/<Trial>.txt    76 numbers a line, 30 lines a second
                                        meta_file_<Task>.txt                  skill and six-item scores
    PAIRS/surgery/{train,test}_split{1..4}.txt                                EPIC-Skills' pairs on the same trials

The dynamic stream are motion windows and the static stream instantaneous poses; see `kinematics`.
"""

from __future__ import annotations

import io
import lzma
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from toprock.backbones.base import Stream
from toprock.comparisons import Pair, read_pairs
from toprock.datasets.kinematics import STRIDE_S, WINDOW_S, Tool, motion_windows, poses
from toprock.datasets.task import Fold, Task
from toprock.errors import FeaturesError, PairsError
from toprock.features.recipe import Recipe
from toprock.features.store import PerformanceFeatures

TASKS = ("Suturing", "Needle_Passing", "Knot_Tying")
RATE_HZ = 30.0
_COLUMNS = 76
_DAMAGES = (zipfile.BadZipFile, zlib.error, lzma.LZMAError, RuntimeError, ValueError, OSError, EOFError)
_SETTINGS = {"version": 2, "window_s": WINDOW_S, "stride_s": STRIDE_S}
RECIPES: dict[Stream, Recipe] = {
    "dynamic": Recipe("dynamic", "kinematics-motion", _SETTINGS),
    "static": Recipe("static", "kinematics-pose", _SETTINGS),
}


def read(data: Path, pairs: Path) -> Iterator[Task]:
    """The three exercises in one task with EPIC-Skills' official folds; pairs never cross exercises.

    Args:
        data: holds the tasks, zipped or not.
        pairs: holds EPIC-Skills' surgery pairs, in itself, or in `surgery` or `splits/surgery` below it.

    Raises:
        FeaturesError: no trial is there, or a file is damaged.
        PairsError: the pair lists are not there.
    """
    features, scores, troubles = read_trials(data)
    folder = _pairs_folder(pairs)
    folds = []
    for number in range(1, 5):
        train, test = (_named(folder / f"{side}_split{number}.txt") for side in ("train", "test"))
        folds.append(Fold(str(number), train, test))
    performers = {ident: ident.rsplit("_", 1)[1][0] for ident in features}
    yield Task("jigsaws", features, RECIPES, folds, performers, scores).without_missing(troubles)


def read_trials(data: Path) -> tuple[dict[str, PerformanceFeatures], dict[str, float], dict[str, str]]:
    """Features and the sum of the six scores of every rated trial, by `<Task>/<Trial>`, and why others have none.

    Raises:
        FeaturesError: there is no trial, or a file is damaged.
    """
    features: dict[str, PerformanceFeatures] = {}
    scores: dict[str, float] = {}
    troubles: dict[str, str] = {}
    for task in TASKS:
        files = _files(data, task)
        meta = f"meta_file_{task}.txt"
        for trial, score in _ratings(files.get(meta, b""), where=f"{data / task}: {meta}").items():
            ident = f"{task}/{trial}"
            text = files.get(f"kinematics/AllGestures/{trial}.txt")
            if text is None:
                troubles[ident] = "no kinematics"
                continue
            features[ident] = describe(ident, text, where=f"{data / task}: {trial}.txt")
            scores[ident] = score
    if not features:
        raise FeaturesError(
            f"{data}: holds no JIGSAWS trial",
            advice=f"Put {', '.join(f'{task}.zip' for task in TASKS)} there, as downloaded, or unpacked.",
        )
    return features, scores, troubles


def describe(ident: str, text: bytes, *, where: str) -> PerformanceFeatures:
    """Both streams of one trial from its lines of 76 numbers.

    Raises:
        FeaturesError: it is not that, or shorter than a window.
    """
    try:
        table = np.loadtxt(io.BytesIO(text), dtype=np.float64, ndmin=2) if text.strip() else np.empty((0, 0))
    except ValueError as problem:
        raise FeaturesError(f"{where}: is damaged ({problem})", advice="Download it again.") from problem
    if table.shape[1] != _COLUMNS or not np.isfinite(table).all() or len(table) < WINDOW_S * RATE_HZ:
        raise FeaturesError(
            f"{where}: holds {table.shape[0]} lines of {table.shape[1]} numbers, "
            f"not {WINDOW_S:g} s or more of {_COLUMNS} numbers at {RATE_HZ:g} Hz",
            advice="Download it again.",
        )
    tools = [_tool(block) for block in np.split(table, 4, axis=1)]
    speeds = [np.linalg.norm(tool.velocity, axis=1).mean() for tool in tools[2:]]
    return PerformanceFeatures(
        ident,
        {RECIPES["dynamic"]: motion_windows(tools, RATE_HZ), RECIPES["static"]: poses(tools, RATE_HZ)},
        {"duration_s": len(table) / RATE_HZ, "cuts": None, "mean_motion": float(np.mean(speeds))},
        {"trial": ident},
    )


def _tool(block: np.ndarray) -> Tool:
    return Tool(block[:, :3], block[:, 3:12].reshape(-1, 3, 3), block[:, 12:15], block[:, 15:18], block[:, 18])


def _files(data: Path, task: str) -> dict[str, bytes]:
    """Path below the task's folder -> bytes, from the zip or the folder."""
    folder, archive = data / task, data / f"{task}.zip"
    if folder.is_dir():
        return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*.txt")}
    if not archive.is_file():
        return {}
    try:
        with zipfile.ZipFile(archive) as file:
            names = [name for name in file.namelist() if name.endswith(".txt")]
            return {name.split(f"{task}/", 1)[-1]: file.read(name) for name in names}
    except _DAMAGES as problem:
        raise FeaturesError(f"{archive}: is damaged ({problem})", advice="Download it again.") from problem


def _ratings(text: bytes, *, where: str) -> dict[str, float]:
    """Trial -> sum of its six items: the trial, its skill, the sum and the items in a line, other lines aside."""
    ratings = {}
    for line in text.decode("utf-8", "replace").splitlines():
        trial, *rest = line.split() or [""]
        if len(rest) != 8:
            continue
        if not all(item.isdecimal() for item in rest[2:]):
            raise FeaturesError(f"{where}: rates {trial} by {' '.join(rest[2:])}", advice="Download it again.")
        ratings[trial] = float(sum(map(int, rest[2:])))
    return ratings


def _pairs_folder(pairs: Path) -> Path:
    for folder in (pairs / "splits" / "surgery", pairs / "surgery", pairs):
        if (folder / "train_split1.txt").is_file():
            return folder
    raise PairsError(
        f"{pairs}: holds no pairs of EPIC-Skills' surgery task",
        advice="Name the folder with train_split1.txt to test_split4.txt with --pairs.",
    )


def _named(path: Path) -> list[Pair]:
    return [Pair(_trial(p.better), _trial(p.worse), p.tie, weight=p.weight) for p in read_pairs(path)]


def _trial(name: str) -> str:
    return name.removesuffix("_capture2").removesuffix("_capture1")
