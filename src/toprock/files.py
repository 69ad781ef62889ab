"""Files that are whole or absent: written beside their place, synced, then moved there in one step."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from toprock.errors import StorageError

_FULL = {errno.ENOSPC, errno.EDQUOT}
_REFUSED = {errno.EACCES, errno.EPERM, errno.EROFS}


def write_bytes(path: str | Path, data: bytes | memoryview) -> None:
    """Write a file atomically; its folder is made where needed.

    Raises:
        StorageError: the disk is full or the folder cannot be written; nothing half-written stays.
    """
    path = Path(path)
    with storage_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=".", suffix=".part")
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            Path(name).chmod(0o666 & ~_umask())
            Path(name).replace(path)
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise


def write_text(path: str | Path, text: str) -> None:
    """`write_bytes` of UTF-8."""
    write_bytes(path, text.encode())


def write_json(path: str | Path, value: Any) -> None:
    """`write_text` of indented JSON."""
    write_text(path, json.dumps(value, indent=2, ensure_ascii=False) + "\n")


@contextlib.contextmanager
def storage_errors(path: Path) -> Iterator[None]:
    """Turn a full disk or a refused write below `path` into a StorageError."""
    try:
        yield
    except OSError as problem:
        if problem.errno in _FULL:
            raise StorageError(
                f"{path}: the disk is full",
                advice="Free some space and run the same command again; it resumes.",
            ) from problem
        if problem.errno in _REFUSED:
            raise StorageError(
                f"{path}: may not be written", advice="Choose another folder, or change its permissions."
            ) from problem
        if isinstance(problem, (NotADirectoryError, FileExistsError)):
            raise StorageError(
                f"{path}: a file stands where a folder is needed", advice="Choose another folder."
            ) from problem
        raise


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
