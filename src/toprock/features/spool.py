"""Segments on their way to the store: kept on disk while a long video runs by, so that memory does not grow."""

from __future__ import annotations

import tempfile
from array import array
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from toprock.backbones.base import Segment
from toprock.features.store import StreamFeatures
from toprock.files import storage_errors

MAX_SEGMENTS = 16_384
"""Segments kept a stream and performance. Beyond it every second one is dropped, again and again, so that a
stream at 6 segments a second keeps its full rate up to 45 minutes."""

_IN_MEMORY = 1 << 20


class Spool:
    """Segments of one stream of one performance, thinned by half each time there are too many.

    Features wait in a nameless temporary file beyond the first MiB; it vanishes with the last array that shows it.

    Args:
        dimension: D, of the features.

    >>> spool = Spool(2)
    >>> spool.extend([(0.0, 0.5, np.array([1.0, 2.0])), (0.5, 1.0, np.array([3.0, 4.0]))])
    >>> spool.stack().features.tolist()
    [[1.0, 2.0], [3.0, 4.0]]
    """

    def __init__(self, dimension: int) -> None:
        self._dimension = dimension
        self._times = array("d")
        self._features = _new_file()
        self._every = 1
        self._seen = 0

    def __len__(self) -> int:
        return len(self._times) // 2

    def __del__(self) -> None:
        self._features.close()

    def extend(self, segments: Iterable[Segment]) -> None:
        """Take segments in.

        Raises:
            StorageError: the disk of the temporary folder is full.
        """
        for start_s, end_s, vector in segments:
            if self._seen % self._every == 0:
                self._times.extend((start_s, end_s))
                self._append(self._features, vector.astype(np.float16).reshape(self._dimension))
            self._seen += 1
            if len(self) > MAX_SEGMENTS:
                self._halve()

    def stack(self) -> StreamFeatures:
        """All that was kept: features (T, D) float16, mapped from the file where there is one, and times (T, 2)."""
        times = np.array(self._times, dtype=np.float64).reshape(-1, 2)
        return StreamFeatures(self._rows(), times)

    def _rows(self) -> np.ndarray:
        shape = (len(self), self._dimension)
        with storage_errors(_folder()):
            self._features.flush()
        if self._features.name is None:
            self._features.seek(0)
            return np.frombuffer(self._features.read(), np.float16).reshape(shape)
        return np.memmap(self._features, np.float16, mode="r", shape=shape)

    def _append(self, file: tempfile.SpooledTemporaryFile[bytes], rows: np.ndarray) -> None:
        with storage_errors(_folder()):
            file.write(rows.tobytes())

    def _halve(self) -> None:
        rows, thinner = self._rows(), _new_file()
        for at in range(0, len(rows), 512):
            self._append(thinner, rows[at : at + 512 : 2])
        self._features.close()
        self._features = thinner
        self._times = array("d", np.array(self._times).reshape(-1, 2)[::2].ravel())
        self._every *= 2


def _new_file() -> tempfile.SpooledTemporaryFile[bytes]:
    return tempfile.SpooledTemporaryFile(max_size=_IN_MEMORY)


def _folder() -> Path:
    return Path(tempfile.gettempdir())
