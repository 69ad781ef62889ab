"""Marks that judges gave: absolute scores, where there are such beside comparisons."""

from __future__ import annotations

import math
from collections.abc import Iterable
from pathlib import Path

from toprock.errors import ManifestError
from toprock.performance import id_matcher, read_table


def read_marks(path: str | Path, known: Iterable[str]) -> dict[str, float]:
    """Read a marks file: CSV with the columns id (or video) and mark.

    Args:
        path: the file.
        known: ids that may be named, with or without ending. Marks of others are left out.

    Raises:
        ManifestError: a column is missing, a mark is no number, one performance has two marks, or none is known.
        UnknownPerformance: a name fits two ids.

    >>> import pathlib, tempfile
    >>> path = pathlib.Path(tempfile.mkdtemp()) / "marks.csv"
    >>> _ = path.write_text("id,mark\\nanna.mp4,8.5\\n")
    >>> read_marks(path, ["anna", "bert"])
    {'anna': 8.5}
    """
    path, find = Path(path), id_matcher(known)
    marks: dict[str, float] = {}
    for number, row in read_table(path, required=("mark",), error=ManifestError):
        name = row.get("id") or row.get("video")
        if not name:
            raise ManifestError(f"{path}, line {number}: names no performance", advice="Fill the column id.")
        try:
            mark = float(row["mark"])
        except ValueError:
            mark = math.nan
        if not math.isfinite(mark):
            raise ManifestError(f"{path}, line {number}: '{row['mark']}' is no mark", advice="Give a number.")
        ident = find(name)
        if ident is not None and marks.setdefault(ident, mark) != mark:
            raise ManifestError(f"{path}, line {number}: '{name}' has another mark above", advice="Give their mean.")
    if not marks:
        raise ManifestError(f"{path}: marks none of the performances", advice="Use their ids, as in the pairs file.")
    return marks
