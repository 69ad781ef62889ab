"""Datasets by the name that `toprock benchmark` takes."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from toprock.datasets import best, epic_skills, jigsaws
from toprock.datasets.task import Task
from toprock.errors import UsageError

Reader = Callable[[Path, Path], Iterator[Task]]
"""(folder of the data, folder of the official pair lists) -> tasks, one at a time."""

DATASETS: Mapping[str, Reader] = {"best": best.read, "epic-skills": epic_skills.read, "jigsaws": jigsaws.read}


def reader(name: str) -> Reader:
    """The reader of a dataset.

    Raises:
        UsageError: there is none of that name.
    """
    if name not in DATASETS:
        raise UsageError(f"there is no benchmark '{name}'", advice=f"Allowed: {', '.join(sorted(DATASETS))}.")
    return DATASETS[name]
