"""Where weights lie on this machine, and what names them: their content, never their place."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Iterator
from functools import lru_cache
from pathlib import Path

from toprock.errors import WeightsError

VARIABLE = "TOPROCK_WEIGHTS"
"""Environment variable with folders to look for weights in, joined as in PATH."""


def cache_folder() -> Path:
    """Where `toprock backbones --download` puts what does not come from the hub."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "toprock" / "weights"


def places(*near: str | Path | None) -> Iterator[Path]:
    """Folders and files that weights may be in: those named, then `TOPROCK_WEIGHTS` and what lies in it, the cache."""
    yield from (Path(place) for place in near if place)
    roots = [Path(part) for part in os.environ.get(VARIABLE, "").split(os.pathsep) if part]
    for root in [*roots, cache_folder()]:
        if root.is_dir():
            yield root
            yield from sorted(child for child in root.iterdir() if child.is_dir())


def missing_places() -> list[str]:
    """What `TOPROCK_WEIGHTS` names and is no folder."""
    return [part for part in os.environ.get(VARIABLE, "").split(os.pathsep) if part and not Path(part).is_dir()]


def content_hash(files: Iterable[Path]) -> str:
    """16 hexadecimal digits that name the contents of files, in the order of their names.

    Raises:
        WeightsError: one cannot be read.

    >>> len(content_hash([Path("model/model.safetensors"), Path("model/config.json")]))
    16
    """
    whole = hashlib.sha256()
    for path in sorted(files, key=lambda path: path.name):
        whole.update(bytes.fromhex(file_sha256(path)))
    return whole.hexdigest()[:16]


def file_sha256(path: Path) -> str:
    """SHA-256 of a file, in hexadecimal digits; read once as long as it does not change.

    Raises:
        WeightsError: it cannot be read.
    """
    try:
        status = path.stat()
        return _sha256(path.resolve(), status.st_size, status.st_mtime_ns, status.st_ino)
    except OSError as problem:
        raise WeightsError(f"{path}: cannot be read ({problem.strerror})", advice="Copy it again.") from problem


@lru_cache(maxsize=256)
def _sha256(path: Path, size: int, changed_ns: int, inode: int) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
