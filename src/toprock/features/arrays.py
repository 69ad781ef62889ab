"""Arrays of features that other tools wrote, read without trusting them: `.npy` files and `.npz` archives."""

from __future__ import annotations

import contextlib
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO, cast

import numpy as np

from toprock.errors import FeaturesError

ENDINGS = (".npz", ".npy")
LARGEST = float(np.finfo(np.float16).max)
"""65504, the largest value that a feature store keeps."""

_MOST_BYTES = 4 * 2**30
_ADVICE = "Make it or download it again, or leave it out."


def read_array(path: Path, *, key: str = "arr_0") -> np.ndarray:
    """The features (T, D) in a file, as float16.

    Values of 6e-5 and more keep 11 significant bits (they move by at most 0.05 %); smaller ones move by at most 3e-8.

    Args:
        path: a `.npy` file, or an `.npz` archive.
        key: which array of an archive.

    Raises:
        FeaturesError: unreadable, cut off, no numbers, not two axes, empty, values that are not finite or beyond
            what float16 holds. Python objects are refused unseen: nothing is ever unpickled.
    """
    read_shape(path, key=key)
    with _opened(path, key) as (file, _), _trouble(path):
        array = np.lib.format.read_array(file, allow_pickle=False)
    wrong = int(np.count_nonzero(~np.isfinite(array)))
    if wrong:
        raise FeaturesError(f"{path}: {wrong} of its {array.size} values are not finite", advice=_ADVICE)
    largest = max(float(array.max()), -float(array.min()))
    if largest > LARGEST:
        raise FeaturesError(
            f"{path}: holds {largest:.6g}, beyond what a feature store keeps (float16, up to {LARGEST:.0f})",
            advice="Scale all features of this kind down, and import them under a name of their own.",
        )
    with np.errstate(under="ignore"):
        return np.ascontiguousarray(array, dtype=np.float16)


def read_shape(path: Path, *, key: str = "arr_0") -> tuple[int, int]:
    """(T, D) of the features in a file, from its header alone.

    Raises:
        FeaturesError: as `read_array`, as far as a header tells.
    """
    with _opened(path, key) as (file, size), _trouble(path):
        version = np.lib.format.read_magic(file)
        read = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}
        if version not in read:
            raise ValueError(f"version {version} of the format")
        shape, _, kind = read[version](file)
        begin = file.tell()
    if kind.kind not in "fiu":
        what = "Python objects, which are never loaded" if kind.hasobject else f"values of the kind {kind}"
        raise FeaturesError(f"{path}: holds {what}, not an array of numbers", advice=_ADVICE)
    if len(shape) != 2:
        raise FeaturesError(
            f"{path}: has the shape {shape}, not (segments, numbers)",
            advice="Save one row a segment, for instance the mean over the other axes.",
        )
    if 0 in shape:
        raise FeaturesError(f"{path}: is empty (shape {shape})", advice=_ADVICE)
    wanted = shape[0] * shape[1] * kind.itemsize
    if wanted > _MOST_BYTES:
        raise FeaturesError(
            f"{path}: declares {wanted / 2**30:.0f} GiB, more than {_MOST_BYTES / 2**30:.0f}", advice=_ADVICE
        )
    if begin + wanted > size:
        raise FeaturesError(f"{path}: is cut off: {size} bytes of {begin + wanted}", advice=_ADVICE)
    return shape[0], shape[1]


@contextlib.contextmanager
def _opened(path: Path, key: str) -> Iterator[tuple[IO[bytes], int]]:
    """An array's bytes and how many there are, in a `.npy` file or under `key` in an archive."""
    with contextlib.ExitStack() as stack:
        with _trouble(path):
            if path.suffix.lower() == ".npz":
                archive = stack.enter_context(zipfile.ZipFile(path))
                names = archive.namelist()
                if f"{key}.npy" not in names:
                    keys = ", ".join(name.removesuffix(".npy") for name in names[:10]) or "nothing"
                    raise FeaturesError(f"{path}: has no array '{key}'; it holds {keys}", advice="Name one with --key.")
                file = stack.enter_context(archive.open(f"{key}.npy"))
                size = archive.getinfo(f"{key}.npy").file_size
            else:
                file = cast("IO[bytes]", stack.enter_context(path.open("rb")))
                size = path.stat().st_size
        yield file, size


@contextlib.contextmanager
def _trouble(path: Path) -> Iterator[None]:
    """Whatever zip, zlib and numpy raise on bytes that are no array (a dozen kinds), as one error."""
    try:
        yield
    except FeaturesError:
        raise
    except Exception as problem:
        what = problem.strerror if isinstance(problem, OSError) and problem.strerror else str(problem).split("\n")[0]
        raise FeaturesError(
            f"{path}: cannot be read as an array ({what or type(problem).__name__})", advice=_ADVICE
        ) from problem
