"""BEST, the Bristol Everyday Skill Tasks: five tasks of 100 videos (Doughty et al., CVPR 2019), one split.

The videos of the two sides are disjoint. A task has 75 videos to learn from and 25 to be tested on: on so few, a
gap of a few points between two models is not evidence.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from toprock.datasets.archives import Archives, published_tasks
from toprock.datasets.splits import read_splits
from toprock.datasets.task import Task
from toprock.features.importing import read_spans

FOLDS = {"official": ("train.txt", "test.txt")}


def read(data: Path, pairs: Path) -> Iterator[Task]:
    """One task after the other, as `best/origami`; one holds some 80 MB, so hold one at a time.

    The RGB features are the dynamic stream (I3D looks at clips); archives of flow are passed over. Where `BEST.csv`
    lies beside the pairs, it gives `duration_s` and the span of the full video that the segments share evenly;
    without it times count segments. Performers are not known. Videos that are absent are counted and named in
    `Task.missing`; a task of which nothing is there comes without features and without pairs.

    Args:
        data: folder with `<video>_rgb.npz` at any depth, key `arr_0`, one row a segment.
        pairs: folder of the official lists, `<task>/train.txt` and `test.txt` (or the one above, with `splits`).

    Raises:
        PairsError: a list is absent or malformed.
        FeaturesError: none of the videos is there, or two files mean the same one.
        ManifestError: BEST.csv is malformed.
    """
    tasks = read_splits(pairs, FOLDS)
    table = next((p for p in (pairs / "BEST.csv", pairs.parent / "BEST.csv") if p.is_file()), None)
    spans = read_spans(table) if table else {}
    return published_tasks("best", tasks, Archives(data, suffix="_rgb"), spans=spans)
