"""EPIC-Skills 2018: chopstick using, dough rolling, drawing and surgery, four folds each (Doughty et al., CVPR 2018).

The pairs and the I3D features are those of the rank-aware attention paper (Doughty et al., CVPR 2019). In a fold
most test pairs contain a training video: look at the pairs of two unseen ones too.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from toprock.datasets.archives import Archives, published_tasks
from toprock.datasets.splits import read_splits
from toprock.datasets.task import Task

FOLDS = {f"fold{k}": (f"train_split{k}.txt", f"test_split{k}.txt") for k in range(1, 5)}


def read(data: Path, pairs: Path) -> Iterator[Task]:
    """One task after the other, as `epic-skills/drawing`; hold one at a time.

    The RGB features are the dynamic stream (I3D looks at clips); archives of flow are passed over. How long the
    videos are is not published, so `duration_s` is None and times count segments. Performers are known for surgery
    only, where an id tells the surgeon (`Suturing_B001` is B's first trial). Videos that are absent are counted and
    named in `Task.missing`; a task of which nothing is there comes without features and without pairs.

    Args:
        data: folder with `<video>_rgb.npz` at any depth, key `arr_0`, one row a segment; ids with `/` may be
            folders or flat names.
        pairs: folder of the official lists, `<task>/train_split1.txt` and so on (or the one above, with `splits`).

    Raises:
        PairsError: a list is absent or malformed.
        FeaturesError: none of the videos is there, or two files mean the same one.
    """
    return published_tasks("epic-skills", read_splits(pairs, FOLDS), Archives(data, suffix="_rgb"), performer=surgeon)


def surgeon(ident: str) -> str:
    """Who performed a trial of the surgery task; empty for others.

    >>> surgeon("Knot_Tying/Knot_Tying_D003_capture2"), surgeon("Sonic/B1-S")
    ('D', '')
    """
    match = re.search(r"(?:Knot_Tying|Needle_Passing|Suturing)_([A-Z])\d{3}(?:_|$)", ident)
    return match[1] if match else ""
