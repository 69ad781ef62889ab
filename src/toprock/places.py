"""Folders that lie elsewhere: addresses such as `s3://bucket/folder`, reached through fsspec.

An address behaves as a `pathlib.Path` does; files are put there whole or not at all.
"""

from __future__ import annotations

import contextlib
import json
import os
import platform
import re
import secrets
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

from toprock.errors import StorageError, ToprockError, UsageError

_ADDRESS = re.compile(r"[a-zA-Z][a-zA-Z0-9+.-]+://")
_WHOLE = {"s3", "s3a", "gs", "gcs", "az", "abfs", "abfss", "adl", "oci", "oss", "memory"}
"""Object stores, where a file that is put there appears whole; elsewhere it is moved into its place."""
_OPTIONS: dict[str, dict[str, Any]] = {"s3": {"config_kwargs": {"connect_timeout": 10}}}
_BEAT_S = 20.0
_ABANDONED_S = 120.0
_SETTLES_S = 1.0  # two that take over at once have both written by then, and the later one has it


def place(address: str | Path) -> Path:
    """A folder by its path or its address.

    Raises:
        UsageError: the address is of a kind that is not known here, or what reaches it is not installed.

    >>> place("features").name
    'features'
    """
    text = str(address)
    if not isinstance(address, str) or not _ADDRESS.match(text) or text.startswith("file://"):
        return Path(text.removeprefix("file://")) if isinstance(address, str) else address
    scheme = text.split("://")[0]
    try:
        from upath import UPath

        found = UPath(text, use_listings_cache=False, **_OPTIONS.get(scheme, {}))
        _ = found.fs
    except ImportError as problem:
        raise UsageError(
            f"{text}: what reaches {scheme}:// is not installed ({problem})",
            advice="pip install 'toprock[remote]', or the package that is named.",
        ) from None
    except Exception as problem:
        raise UsageError(
            f"{text}: is no address that can be used ({problem})", advice="Write it as in s3://bucket/folder."
        ) from None
    return cast(Path, found)


def is_remote(path: str | Path) -> bool:
    """Whether this is an address rather than a path on a disk of this machine."""
    return not isinstance(path, (str, Path))


def absolute(path: Path) -> Path:
    """A path from the root on; an address is one already."""
    return path if is_remote(path) else path.absolute()


def put(path: Path, data: bytes | memoryview) -> None:
    """Put a file at an address, whole or not at all.

    Raises:
        StorageError: it cannot be written, or nothing answers.
    """
    fs, name = _parts(path)
    try:
        with remote_errors(path):
            if _kinds(fs) & _WHOLE:
                fs.pipe_file(name, bytes(data))
                return
            folder = name.rpartition("/")[0]
            part = f"{folder}/.{secrets.token_hex(4)}-{secrets.token_hex(4)}.part"
            fs.makedirs(folder, exist_ok=True)
            fs.pipe_file(part, bytes(data))
            fs.mv(part, name)
    except FileNotFoundError as problem:
        raise StorageError(f"{path}: cannot be written ({problem})", advice="Make the bucket or folder.") from problem


def beginning(path: Path, count: int) -> tuple[bytes, int]:
    """The first bytes of a file at an address, and how many there are in all.

    Raises:
        FileNotFoundError: there is none.
        StorageError: it cannot be read, or nothing answers.
    """
    fs, name = _parts(path)
    with remote_errors(path):
        size = int(fs.info(name)["size"])
        return fs.cat_file(name, start=0, end=min(count, size)) if size else b"", size


@contextlib.contextmanager
def lease(path: Path, what: str) -> Iterator[None]:
    """Be the only one who writes below an address for as long as the block runs.

    A file tells who; it is written again every so often, and one that is old is taken for abandoned.

    Args:
        path: of that file.
        what: is held, for people.

    Raises:
        StorageError: somebody else holds it; says who, and since when. At the end of the block: somebody else has
            taken it over meanwhile, as this process could not be heard of for long.
    """
    fs, name = _parts(path)
    mine = {"machine": platform.node(), "process": os.getpid(), "sign": secrets.token_hex(8), "since": _now()}
    with remote_errors(path):
        there = fs.exists(name)
        if there and (holder := _holder(fs, name, path, what)):
            raise holder
        if not _claimed(fs, name, mine, anew=not there):
            raise _held(path, what, {})
    stop, lost = threading.Event(), threading.Event()

    def beat() -> None:
        while not lost.is_set() and not stop.wait(_BEAT_S):
            with contextlib.suppress(Exception):
                if json.loads(fs.cat_file(name)) == mine:
                    fs.pipe_file(name, json.dumps(mine).encode())
                else:
                    lost.set()

    thread = threading.Thread(target=beat, daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()
        with contextlib.suppress(Exception):
            if json.loads(fs.cat_file(name)) == mine:
                fs.rm_file(name)
            else:
                lost.set()
    if lost.is_set():
        raise StorageError(
            f"{path.parent}: another run has taken over {what}, as this one was not heard of for long",
            advice="When the other has ended, run the same command again: it makes what was lost between the two.",
        )


@contextlib.contextmanager
def remote_errors(path: Path) -> Iterator[None]:
    """Whatever a service or the way to it answers, as one error; that a file is not there stays what it is."""
    try:
        yield
    except (ToprockError, FileNotFoundError, FileExistsError):
        raise
    except PermissionError as problem:
        raise StorageError(
            f"{path}: may not be read or written ({problem})", advice="Check the credentials and what they allow."
        ) from problem
    except Exception as problem:  # of a dozen libraries
        reason = str(problem).strip().split("\n")[0][:200] or type(problem).__name__
        raise StorageError(
            f"{path}: cannot be reached ({reason})",
            advice="Check the address, the credentials and the network; what was done is kept.",
        ) from problem


def _claimed(fs: Any, name: str, mine: dict[str, Any], *, anew: bool) -> bool:
    """Write a lease: a new one, or over one that was abandoned. False where another has just done so."""
    told = json.dumps(mine).encode()
    if anew:
        try:
            fs.pipe_file(name, told, mode="create")
            return True
        except FileExistsError:
            return False
        except (TypeError, NotImplementedError, ValueError):  # a kind of place that cannot tell new from there
            pass
    fs.pipe_file(name, told)
    time.sleep(_SETTLES_S)
    return bool(json.loads(fs.cat_file(name)) == mine)


def _holder(fs: Any, name: str, path: Path, what: str) -> StorageError | None:
    """Who holds a lease; None where its holder has not been heard of for long."""
    try:
        told = json.loads(fs.cat_file(name))
        seen = fs.modified(name).timestamp()
    except FileNotFoundError:
        return None
    except ValueError:
        told, seen = {}, 0.0
    if time.time() - seen < _ABANDONED_S:
        return _held(path, what, told)
    return None


def _held(path: Path, what: str, told: dict[str, Any]) -> StorageError:
    who = f"process {told['process']} on {told['machine']}, since {told['since']}" if told else "just now"
    return StorageError(
        f"{path.parent}: another run holds {what} ({who})",
        advice=f"Wait until it ends; one that was killed is forgotten after {_ABANDONED_S / 60:.0f} minutes.",
    )


def _parts(path: Path) -> tuple[Any, str]:
    remote: Any = path
    return remote.fs, remote.path


def _kinds(fs: Any) -> set[str]:
    return {fs.protocol} if isinstance(fs.protocol, str) else set(fs.protocol)


def _now() -> str:
    return time.strftime("%Y-%m-%d %H:%M:%S %Z")
