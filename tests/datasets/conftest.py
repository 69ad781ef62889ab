"""Archives in the layouts of published ones, with small arrays."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest


@pytest.fixture(scope="session")
def save_array() -> Callable[..., Path]:
    """A function that writes random features: an archive with `arr_0`, or a plain array where the name ends so."""

    def save(path: Path, shape: tuple[int, ...] = (6, 8)) -> Path:
        path.parent.mkdir(parents=True, exist_ok=True)
        array = np.random.default_rng([ord(letter) for letter in path.stem]).normal(size=shape).astype(np.float32)
        if path.suffix == ".npy":
            np.save(path, array)
        else:
            np.savez(path, array)
        return path

    return save


@pytest.fixture(scope="session")
def videos_of() -> Callable[[Path], list[str]]:
    """A function that gives all ids in the pair lists of a task's folder."""

    def videos(task: Path) -> list[str]:
        files = [path for path in sorted(task.glob("*.txt")) if "vid_list" not in path.name]
        return sorted({word for path in files for word in path.read_text().split()})

    return videos
