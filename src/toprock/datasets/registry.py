"""Datasets by the name that `toprock benchmark` takes."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from toprock.datasets import best, brace, epic_skills, jigsaws, scored
from toprock.datasets.task import Task
from toprock.errors import UsageError

Reader = Callable[[Path, Path | None], Iterator[Task]]
"""(folder of the data, pair or label lists where they do not lie in it) -> tasks, one at a time."""

DATASETS: Mapping[str, Reader] = {
    "best": lambda data, pairs: best.read(data, pairs or data),
    "brace": brace.read,
    "epic-skills": lambda data, pairs: epic_skills.read(data, pairs or data),
    "fis-v": scored.read_fis_v,
    "jigsaws": lambda data, pairs: jigsaws.read(data, pairs or data),
    "rhythmic-gymnastics": scored.read_rhythmic_gymnastics,
}


def reader(name: str) -> Reader:
    """The reader of a dataset.

    Raises:
        UsageError: there is none of that name.
    """
    if name not in DATASETS:
        raise UsageError(f"there is no benchmark '{name}'", advice=f"Allowed: {', '.join(sorted(DATASETS))}.")
    return DATASETS[name]
