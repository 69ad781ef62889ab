"""Files that are whole or absent: written beside their place, synced, then moved there in one step."""

from __future__ import annotations

import contextlib
import csv
import errno
import fcntl
import functools
import hashlib
import io
import json
import math
import os
import platform
import re
import signal
import tempfile
import time
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO, Any, cast
from urllib.parse import quote

from toprock.errors import StorageError, UsageError
from toprock.places import is_remote, put, remote_errors

AGAIN = "run the same command again; it resumes"
"""Of the advice on full disks: where there is no command, as in a room, it reads "try again"."""
_TROUBLES = {
    errno.ENOSPC: ("the disk is full", f"Free some space and {AGAIN}."),
    errno.EDQUOT: ("your share of the disk is full", f"Free some space and {AGAIN}."),
    errno.EFBIG: ("it grows larger than a file may be here", "Raise the limit (ulimit -f), or use another disk."),
    errno.EMFILE: ("too many files are open", "Let more be open at a time (ulimit -n 4096), and try again."),
    errno.ENOTDIR: ("a file stands where a folder is needed", "Choose another folder."),
    errno.EEXIST: ("a file stands where a folder is needed", "Choose another folder."),
    errno.EISDIR: ("a folder stands where a file is needed", "Choose another name."),
}
_REFUSED = {errno.EACCES, errno.EPERM, errno.EROFS}
_ABANDONED_S = 3600.0
_ATTEMPTS = 100
_PART = re.compile(r"\.[0-9a-f]{8}-[a-z0-9_]{8}\.part")
"""Names of files that are being written: the sign of a machine, and what `tempfile` draws."""
LOCK = ".lock"
"""In a folder on a disk that locks files alone: what its writers lock."""
_tidied: set[Path] = set()
_FORMULA = tuple("=+-@\t\r\n＝＋－＠'")  # spreadsheets run what begins so, some of them in full width too
_PLAIN = frozenset(" ._-")
_LONGEST_NAME = 180  # bytes; file systems take 255, and something follows


def write_bytes(path: str | Path, data: bytes | memoryview, *, private: bool = False) -> None:
    """Write a file atomically; its folder is made where needed. A `private` one nobody else may ever read.

    Raises:
        StorageError: the disk is full or the file cannot be written; nothing half-written stays.
    """
    if is_remote(path):
        put(cast(Path, path), data)
        return
    write_together([(Path(path), data)], private=private)


def write_together(files: Sequence[tuple[Path, bytes | memoryview]], *, private: bool = False) -> None:
    """Write files that belong together: all of them, or none where the disk is full or one cannot be written.

    The last one vouches for the others: it is absent while they are being replaced.

    Raises:
        StorageError: the disk is full or a file cannot be written; what stood there before still does.
    """
    parts: list[tuple[Path, Path]] = []
    with _to_the_end(), contextlib.ExitStack() as held:
        try:
            for path, data in files:
                with storage_errors(path):
                    file, part = _part_beside(path)
                    held.callback(_let_go, file)
                    parts.append((part, path))
                    file.write(data)
                    file.flush()
                    os.fsync(file.fileno())
                    part.chmod(0o600 if private else 0o666 & ~_umask())
            if len(parts) > 1:
                with storage_errors(parts[-1][1]):
                    parts[-1][1].unlink(missing_ok=True)
            for part, path in parts:
                with storage_errors(path):
                    part.replace(path)
        except BaseException:
            for part, _ in parts:
                part.unlink(missing_ok=True)
            raise


@contextlib.contextmanager
def whole_file(path: str | Path) -> Iterator[Path]:
    """For writers that want the name of a file: one beside `path`, moved there when the block ends well, else removed.

    Raises:
        StorageError: the disk is full or the file cannot be written; what stood there before still does.
    """
    path = Path(path)
    with storage_errors(path):
        held, part = _part_beside(path)
        with held:
            try:
                yield part
                with part.open("rb") as file:
                    os.fsync(file.fileno())
                part.chmod(0o666 & ~_umask())
                part.replace(path)
            except BaseException:
                part.unlink(missing_ok=True)
                raise


def spare_inputs(path: str | Path, inputs: Iterable[str | Path]) -> None:
    """See to it that a file to be written is none of those to be read, by whatever name or link.

    Raises:
        UsageError: it is one of them.
    """
    for given in inputs:
        with contextlib.suppress(OSError, ValueError):
            if Path(path).samefile(given):
                raise UsageError(f"{path}: would be written over {given}", advice="Choose another name.")


def name_of(ident: str) -> str:
    """An id as the beginning of a file's name: safe, its own, and (but for very long ones) `unquote` gives it back.

    >>> name_of("semi/anna"), name_of("試合 1"), name_of("../x")
    ('semi%2Fanna', '試合 1', '%2E.%2Fx')
    """
    name = "".join(c if c.isalnum() or c in _PLAIN else quote(c, safe="", errors="surrogatepass") for c in ident)
    if name.startswith("."):
        name = "%2E" + name[1:]
    if len(name.encode()) <= _LONGEST_NAME:
        return name
    digest = hashlib.sha256(ident.encode("utf-8", "surrogatepass")).hexdigest()[:16]
    return name.encode()[: _LONGEST_NAME - 17].decode("utf-8", "ignore") + "+" + digest


def time_in_name(time_s: float) -> str:
    """A time of a video as a part of a name.

    >>> time_in_name(75.26)
    'at 1m15.3s'
    """
    minutes, tenths = divmod(round(10 * time_s), 600)
    return f"at {minutes}m{tenths / 10:04.1f}s"


def write_text(path: str | Path, text: str) -> None:
    """`write_bytes` of UTF-8; what is no text in the name of a file is written as its escape, which JSON reads back."""
    write_bytes(path, as_bytes(text))


def as_bytes(text: str) -> bytes:
    """What `write_text` writes."""
    return text.encode("utf-8", "backslashreplace")


def write_json(path: str | Path, value: Any) -> None:
    """`write_text` of indented JSON; numbers that are not finite become null."""
    write_text(path, json_text(value))


def json_text(value: Any) -> str:
    """What `write_json` writes."""
    return json.dumps(finite(value), indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def finite(value: Any) -> Any:
    """JSON values with null in place of numbers that JSON does not have.

    >>> finite({"auc": float("nan"), "interval": (0.5, 1.0)})
    {'auc': None, 'interval': [0.5, 1.0]}
    """
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, dict):
        return {k: finite(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [finite(v) for v in value]
    return value


def checksum(arrays: Mapping[str, Any], *texts: str) -> str:
    """CRC-32 of named arrays and texts, to notice that a disk or a copy has changed a byte.

    >>> import numpy as np
    >>> checksum({"a": np.zeros(2)}), checksum({"a": np.array([0.0, 1e-300])})
    ('3dac6df0', 'a6035c4f')
    """
    import numpy as np

    found = 0
    for name in sorted(arrays):
        content = np.ascontiguousarray(arrays[name]).reshape(-1).view(np.uint8)
        found = zlib.crc32(content.data, zlib.crc32(name.encode(), found))
    for text in texts:
        found = zlib.crc32(text.encode(), found)
    return f"{found:08x}"


def harmless(text: str) -> str:
    """Text that no spreadsheet takes for a formula.

    >>> harmless("=SUM(A1)"), harmless("anna")
    ("'=SUM(A1)", 'anna')
    """
    return f"'{text}" if text.startswith(_FORMULA) else text


def table_text(head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """Rows as CSV (RFC 4180), for spreadsheets; Excel takes text for UTF-8 by the mark in front of what is not ASCII.

    >>> table_text(["id", "time_s"], [["anna", 1.5]])
    'id,time_s\\r\\nanna,1.5\\r\\n'
    """
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\r\n")
    writer.writerow(head)
    writer.writerows(rows)
    whole = text.getvalue()
    return whole if whole.isascii() else "\ufeff" + whole


def is_part(path: Path) -> bool:
    """Whether a file is one that is being written, or whose writing was killed."""
    return _PART.fullmatch(path.name) is not None


def remove_abandoned(part: Path, *, only_look: bool = False) -> bool:
    """Remove a file whose writing was killed, and tell whether it was one; a write that goes on is left alone."""
    dead = False
    with contextlib.suppress(OSError):
        if not is_part(part):
            return False
        old = time.time() - part.stat().st_mtime > _ABANDONED_S
        handle = os.open(part, os.O_RDWR | os.O_NOFOLLOW)
        try:
            dead = old
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            dead = old or part.name.startswith(f".{_here()}-")
        except BlockingIOError:
            dead = False
        except OSError:  # a disk without locks
            pass
        finally:
            if dead and not only_look:
                part.unlink()
            os.close(handle)
    return dead


def tidy(folder: str | Path) -> None:
    """Remove what writes that were killed left below a folder; a write that goes on, here or elsewhere, is left alone.

    Those of this machine are known by a lock that nobody holds any more, those of others by their age.
    """
    if is_remote(folder):
        return
    with contextlib.suppress(OSError):  # folders come and go
        for path in Path(folder).rglob(".*.part"):
            remove_abandoned(path)


@contextlib.contextmanager
def alone(folder: Path) -> Iterator[None]:
    """Be the only one, of all processes that ask so, who changes what lies in a folder; it is made where needed.

    Raises:
        StorageError: the folder cannot be made.
    """
    with storage_errors(folder):
        handles = _held_alone(folder)
    try:
        yield
    finally:
        for handle in handles:
            os.close(handle)


def _held_alone(folder: Path) -> list[int]:
    """Open files that hold the lock of a folder."""
    attempts = 0
    while True:
        attempts += 1
        with contextlib.ExitStack() as held:
            try:
                folder.mkdir(parents=True, exist_ok=True)
                handle = os.open(folder, os.O_RDONLY)
            except (FileNotFoundError, FileExistsError):  # it was empty, and another process has just removed it
                if attempts < _ATTEMPTS:
                    continue
                raise
            held.callback(os.close, handle)
            handles = [handle]
            try:
                fcntl.flock(handle, fcntl.LOCK_EX)
            except OSError:  # a disk over the network, which locks files alone
                handles.append(os.open(folder / LOCK, os.O_RDWR | os.O_CREAT, 0o666))
                held.callback(os.close, handles[-1])
                with contextlib.suppress(OSError):  # or not even them
                    fcntl.flock(handles[-1], fcntl.LOCK_EX)
            if os.fstat(handle).st_nlink:  # else it was removed while this waited: the others hold its successor
                held.pop_all()
                return handles


@contextlib.contextmanager
def storage_errors(path: Path) -> Iterator[None]:
    """Turn a full disk or a refused write below `path` into a StorageError."""
    if is_remote(path):
        with remote_errors(path):
            yield
        return
    try:
        yield
    except OSError as problem:
        what, advice = _TROUBLES.get(problem.errno or 0, (f"cannot be written ({problem.strerror})", ""))
        if problem.errno in _REFUSED:
            what = "may not be written"
        raise StorageError(
            f"{path}: {what}", advice=advice or "Choose another folder, or change its permissions."
        ) from problem


@contextlib.contextmanager
def _to_the_end() -> Iterator[None]:
    """Let a request to stop wait for the end of the block, where this thread is the one that gets it.

    Where another thread gets it, what is being written is lost, and nothing half-written is taken for whole.
    """
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGTERM})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _part_beside(path: Path) -> tuple[IO[bytes], Path]:
    """A new file in the folder of `path`, locked while it is open."""
    folder = path.parent
    if folder not in _tidied:
        _tidied.add(folder)
        with contextlib.suppress(OSError):
            for left in folder.glob(".*.part"):
                remove_abandoned(left)
    attempts = 0
    while True:
        attempts += 1
        try:
            folder.mkdir(parents=True, exist_ok=True)
            handle, name = tempfile.mkstemp(dir=folder, prefix=f".{_here()}-", suffix=".part")
        except (FileNotFoundError, FileExistsError):  # it was empty, and another process has just removed it
            if attempts < _ATTEMPTS:
                continue
            raise
        file = os.fdopen(handle, "wb")
        with contextlib.suppress(OSError):  # not every disk has locks
            fcntl.flock(file, fcntl.LOCK_EX)
        if os.fstat(handle).st_nlink:  # else it was taken for abandoned before it was locked
            return file, Path(name)
        file.close()


def _let_go(file: IO[bytes]) -> None:
    """Close a file whose end is known: on a full disk, closing tries once more to write what did not fit."""
    with contextlib.suppress(OSError):
        file.close()


@functools.cache
def _here() -> str:
    """A sign of this machine: on a disk that several share, its locks say nothing of the others' writes."""
    return hashlib.sha256(platform.node().encode()).hexdigest()[:8]


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
