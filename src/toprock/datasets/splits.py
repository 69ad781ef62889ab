"""Published pair lists: a folder a task, with lists to train on and to be tested on."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from toprock.comparisons import read_pairs
from toprock.datasets.task import Fold
from toprock.errors import PairsError


def read_splits(pairs: Path, folds: Mapping[str, tuple[str, str]]) -> dict[str, list[Fold]]:
    """task -> folds, of every task that the folder has.

    Args:
        pairs: the folder of the tasks, or the one that holds it as `splits`.
        folds: fold -> names of its list to train on and of its list to be tested on.

    Raises:
        PairsError: there is no task, or one of its lists is absent or malformed.
    """
    inner = pairs / "splits"
    root = inner if inner.is_dir() else pairs
    first = next(iter(folds.values()))[0]
    tasks = sorted(path.parent for path in root.glob(f"*/{first}"))
    if not tasks:
        raise PairsError(
            f"{pairs}: holds no task with a list {first}",
            advice=f"Give the folder of the official pairs: <task>/{first} and so on.",
        )
    return {
        task.name: [
            Fold(name, read_pairs(task / train), read_pairs(task / test)) for name, (train, test) in folds.items()
        ]
        for task in tasks
    }
