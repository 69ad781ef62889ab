"""MoveNet single-pose Lightning: where the 17 points of one person's body are, through LiteRT.

The net is Votel and Li, "Next-generation pose detection with MoveNet and TensorFlow.js", TensorFlow blog, 2021.
It looks at 192 x 192 pixels and prefers the person nearest to their middle.
"""

from __future__ import annotations

import functools
import importlib
import importlib.util
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from toprock.backbones.base import Box
from toprock.backbones.weights import VARIABLE, content_hash, places
from toprock.errors import UsageError, WeightsError

POINTS = (
    "nose",
    "left eye",
    "right eye",
    "left ear",
    "right ear",
    "left shoulder",
    "right shoulder",
    "left elbow",
    "right elbow",
    "left wrist",
    "right wrist",
    "left hip",
    "right hip",
    "left knee",
    "right knee",
    "left ankle",
    "right ankle",
)
WHOLE: Box = (0.0, 0.0, 1.0, 1.0)

WEIGHTS_FILE = "movenet_single_pose_lightning_ptq.tflite"
_PUBLISHED_BYTES = 2_894_840
_PUBLISHED_HASH = "f6f0508e973f72e5"  # content_hash of the published file
_SIDE = 192  # pixels
_QUIET = threading.Lock()
_TRIAL_S = 60.0
_TRIAL = (
    "import sys; from ai_edge_litert.interpreter import Interpreter; "
    "net = Interpreter(model_path=sys.argv[1], num_threads=1); net.allocate_tensors(); net.invoke()"
)
_BRING = (
    "Get it with `toprock backbones --download pose`, or bring it: "
    f"name its folder in ${VARIABLE} or as pose:at=FOLDER."
)


class MoveNet:
    """Finds the points of one person in a picture. Instances share nothing, so each thread may have its own.

    Args:
        path: the weights, a tflite file; see `find_movenet`.
        threads: for one picture; with one, the same picture always gives the same points.

    Raises:
        WeightsError: LiteRT is not installed, or the file is damaged or another kind of net.
    """

    def __init__(self, path: str | Path, *, threads: int = 1) -> None:
        self._interpreter, self._input, self._output = _load(Path(path), threads)

    def points(self, image: np.ndarray, box: Box | None = None) -> np.ndarray:
        """The points of the person nearest to the middle of a box.

        Args:
            image: (height, width, 3) uint8 RGB.
            box: what the net is shown, everything else hidden; it may reach out of the picture. None is all of it.

        Returns:
            (17, 3) float32 in the order of `POINTS`: x and y in fractions of the whole picture, and a score in
            0 to 1. Without a person there are points all the same, with low scores.

        Raises:
            UsageError: no pixel of the picture lies in the box.
        """
        square, left, top, side = _letterbox(image, WHOLE if box is None else box)
        self._interpreter.set_tensor(self._input, square[None])
        self._interpreter.invoke()
        y, x, score = self._interpreter.get_tensor(self._output)[0, 0].T
        height, width = image.shape[:2]
        return np.stack([(left + x * side) / width, (top + y * side) / height, score], axis=1).astype(np.float32)


def find_movenet(near: str | Path | None = None) -> Path:
    """The weights file: `near`, or in the folder `near`, else where weights usually are (see `weights.places`).

    Raises:
        WeightsError: it is in none of these places.
    """
    for place in places(near):
        path = place / WEIGHTS_FILE if place.is_dir() else place
        if path.is_file():
            return path
    where = f" (nor at {near})" if near else ""
    raise WeightsError(f"the weights of MoveNet, {WEIGHTS_FILE}, are not on this machine{where}", advice=_BRING)


def movenet_hash(path: Path) -> str:
    """The content hash of a weights file, refused where it is the published file with a damage that LiteRT can't see.

    Raises:
        WeightsError: it is damaged or cannot be read.
    """
    found = content_hash([path])
    if path.stat().st_size == _PUBLISHED_BYTES and found != _PUBLISHED_HASH:
        raise _unusable(path, "has the size of MoveNet's published weights and other contents; it is damaged")
    return found


def require_litert() -> None:
    """See that LiteRT is installed, without importing it.

    Raises:
        WeightsError: it is not.
    """
    if importlib.util.find_spec("ai_edge_litert") is None:
        raise WeightsError("MoveNet needs LiteRT, which is not installed", advice="pip install 'toprock[pose]'")


def _load(path: Path, threads: int) -> tuple[Any, int, int]:
    """The interpreter, and the numbers of its input and output."""
    require_litert()
    litert = importlib.import_module("ai_edge_litert.interpreter")
    found = movenet_hash(path)
    if found != _PUBLISHED_HASH:
        _try_out(path, found)
    content = path.read_bytes()  # not mapped: a file that changes under a running net would end the process
    try:
        with _silence():
            interpreter = litert.Interpreter(model_content=content, num_threads=threads)
            interpreter.allocate_tensors()
        interpreter.invoke()
        inputs, outputs = interpreter.get_input_details(), interpreter.get_output_details()
    except (ValueError, RuntimeError) as problem:
        raise _unusable(path, f"is not a whole tflite file ({str(problem).splitlines()[0]})") from problem
    shapes = [(tuple(map(int, part["shape"])), np.dtype(part["dtype"]).name) for part in (*inputs, *outputs)]
    if shapes != [((1, _SIDE, _SIDE, 3), "uint8"), ((1, 1, len(POINTS), 3), "float32")]:
        raise _unusable(path, f"is another net than MoveNet single-pose Lightning: it maps {shapes}")
    return interpreter, inputs[0]["index"], outputs[0]["index"]


@functools.cache
def _try_out(path: Path, found: str) -> None:
    """Run weights that are not the published ones in a process of their own: damaged ones can make LiteRT end it.

    Args:
        path: the weights.
        found: their content hash; the same contents are tried once.
    """
    try:
        done = subprocess.run([sys.executable, "-c", _TRIAL, str(path)], capture_output=True, timeout=_TRIAL_S)
    except subprocess.TimeoutExpired as problem:
        raise _unusable(path, "is damaged: LiteRT hangs on it") from problem
    if done.returncode not in (0, 1):  # 1 is an exception, which the caller will meet and explain
        raise _unusable(path, "is damaged: LiteRT crashes on it")


@contextmanager
def _silence() -> Iterator[None]:
    """Keep off standard error what LiteRT's C++ says there once in a process: which kernels it chose."""
    with _QUIET:
        try:
            kept = os.dup(2)
        except OSError:  # the process has no standard error
            yield
            return
        nowhere = os.open(os.devnull, os.O_WRONLY)
        try:
            os.dup2(nowhere, 2)
            yield
        finally:
            os.dup2(kept, 2)
            os.close(kept)
            os.close(nowhere)


def _unusable(path: Path, what: str) -> WeightsError:
    return WeightsError(f"{path}: {what}", advice=f"Remove it. {_BRING}")


def _letterbox(image: np.ndarray, box: Box) -> tuple[np.ndarray, float, float, float]:
    """What is in the box, its proportions kept, in the middle of a square; rims repeat its edges.

    Of the ways to fill the square this is one with the least error on the published example (0.028; black rims 0.053,
    one hip); a squeezed picture has as little and lower scores (0.54 against 0.71 in the mean).

    Returns:
        (192, 192, 3) uint8, and the square's left, top and side in pixels of the picture.
    """
    height, width = image.shape[:2]
    x0, x1 = round(box[0] * width), round(box[2] * width)
    y0, y1 = round(box[1] * height), round(box[3] * height)
    crop = image[max(y0, 0) : max(y1, 0), max(x0, 0) : max(x1, 0)]
    if not crop.size:
        raise UsageError(
            f"no pixel of a picture of {width} x {height} lies in the box {box}", advice="Give a larger one."
        )
    side = max(x1 - x0, y1 - y0)
    left, top, step = (x0 + x1 - side) / 2, (y0 + y1 - side) / 2, side / _SIDE
    if step > 1.5:  # none of its pixels may be skipped
        crop = cv2.blur(crop, (round(step), round(step)))
    shift = step / 2 - 0.5
    matrix = np.array([[step, 0.0, left - max(x0, 0) + shift], [0.0, step, top - max(y0, 0) + shift]])
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    square = cv2.warpAffine(crop, matrix, (_SIDE, _SIDE), flags=flags, borderMode=cv2.BORDER_REPLICATE)
    return square, left, top, float(side)
