"""What lies in the folders of a store, and what the head of a file tells, without loading an array.

A folder's stamp changes whenever a file is put into it, replaced or removed: writers rename whole files into place. A
file's stamp changes when another takes its place, or when its length or time of change does.
"""

from __future__ import annotations

import functools
import hashlib
import json
import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast
from urllib.parse import unquote

from toprock.errors import FeaturesError
from toprock.features.recipe import Recipe
from toprock.places import beginning, is_remote, remote_errors

SUFFIX = ".safetensors"
Stamp = tuple[int, int, int]
"""Of a folder: times of change of what it holds and of itself, and its number; of a file: size, time, number."""
_NUMBER = 2**63 - 1  # numbers of files are kept as signed ones
_HEAD = 8192  # holds the head of nearly every file
_REMOTE_HEAD = 1 << 16
_LONGEST_HEAD = 100_000_000  # as safetensors has it
_SIZES = {"F16": 2, "F64": 8}
NONSENSE = (ValueError, LookupError, TypeError, AttributeError, OverflowError, RecursionError)
"""What reading JSON raises that holds other things than it should."""


@dataclass(frozen=True)
class Look:
    """A folder at one moment: its stamp from before the look, its files of features, and the folders in it."""

    stamp: Stamp
    files: dict[str, Stamp]
    folders: list[str]


@dataclass(frozen=True)
class Head:
    """What a file says of itself.

    Attributes:
        check: checksum of its arrays and notes.
        shapes: hash of a recipe -> segments T and length D of a vector.
        duration_s: of the performance, where it is known.
        problem: why it cannot be whole; empty where it may be.
    """

    check: str = ""
    shapes: dict[str, tuple[int, int]] = field(default_factory=dict)
    duration_s: float | None = None
    problem: str = ""


def id_of(path: str) -> str:
    """The id of the file that lies there, below the store.

    >>> id_of("2c/5b/semi%2Fanna.safetensors")
    'semi/anna'
    """
    _, _, *folders, name = path.split("/")
    return unquote("".join(folder[:-1] for folder in folders) + name[: -len(SUFFIX)])


def files_below(store: Path) -> Iterator[str]:
    """Every file of features, as its path below the store; no file is opened or asked for its state."""
    if is_remote(store):
        yield from (f"{folder}/{name}" for folder, files in remote_listing(store).items() for name in files)
        return
    root, waiting = str(store), [""]
    while waiting:
        folder = waiting.pop()
        try:
            with os.scandir(os.path.join(root, folder)) as entries:  # noqa: PTH118 - a million of them
                files, folders = _sorted_out(folder, entries)
        except OSError:  # it has just gone, or is not ours to read
            continue
        waiting += folders
        yield from (f"{folder}/{entry.name}" for entry in files)


def remote_listing(store: Path) -> dict[str, dict[str, Stamp]]:
    """Of a store at an address: folder -> its files, each with its size and a digest of its tag or time of change.

    Raises:
        StorageError: nothing answers.
    """
    remote: Any = store
    with remote_errors(store):
        there = remote.fs.find(remote.path, detail=True)
    root, found = remote.path.strip("/"), dict[str, dict[str, Stamp]]()
    for file, told in there.items():
        folder, _, name = file.strip("/")[len(root) :].strip("/").rpartition("/")
        if [len(part) for part in folder.split("/")[:2]] == [2, 2] and name.endswith(SUFFIX) and name[0] != ".":
            mark = next((str(told[k]) for k in ("ETag", "etag", "LastModified", "mtime", "created") if told.get(k)), "")
            tag = int(hashlib.sha256(mark.encode()).hexdigest()[:15], 16)
            found.setdefault(folder, {})[name] = (int(told["size"] or 0), tag, 0)
    return found


def folder_stamp(path: str) -> Stamp | None:
    """Of a folder; None where there is none.

    Raises:
        FeaturesError: it cannot be looked at.
    """
    try:
        found = os.stat(path)  # noqa: PTH116 - sixty thousand of them
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as problem:
        raise _unreadable(path, problem) from problem
    return found.st_mtime_ns, found.st_ctime_ns, found.st_ino & _NUMBER


def file_stamp(path: str) -> Stamp | None:
    """Of a file; None where there is none."""
    try:
        return _stamp(os.stat(path))  # noqa: PTH116
    except OSError:
        return None


def look(root: str, folder: str) -> Look | None:
    """Look at one folder of a store ('' is the store itself); None where there is none.

    Raises:
        FeaturesError: it cannot be read.
    """
    path = os.path.join(root, folder)  # noqa: PTH118
    stamp = folder_stamp(path)  # before it is read: what comes meanwhile is seen the next time
    if stamp is None:
        return None
    found = {}
    try:
        with os.scandir(path) as entries:
            files, folders = _sorted_out(folder, entries)
            for entry in files:
                try:
                    found[entry.name] = _stamp(entry.stat())
                except OSError:
                    if entry.is_symlink():  # it leads nowhere
                        found[entry.name] = (0, 0, 0)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as problem:
        raise _unreadable(path, problem) from problem
    return Look(stamp, found, sorted(folders))


def read_head(path: Path | str, ident: str) -> Head | None:
    """What a file says of itself; None where it is no more there.

    Raises:
        StorageError: it lies at an address, and nothing answers.
    """
    try:
        data, size = head_of(path)
    except FileNotFoundError:
        return Head(problem="is a link that leads nowhere") if os.path.islink(str(path)) else None  # noqa: PTH114
    except OSError as problem:
        return Head(problem=f"cannot be read ({problem.strerror})")
    if not data:
        return Head(problem="is damaged (it is cut off, or no file of features)")
    try:
        return _head(json.loads(data), size - 8 - len(data), ident)
    except (*NONSENSE, FeaturesError) as problem:
        return Head(problem=f"is damaged ({problem})")


def head_of(path: Path | str) -> tuple[bytes, int]:
    """The JSON that a safetensors file begins with, empty where it cannot be one, and the size of the file.

    Raises:
        FileNotFoundError, OSError: it is not there, or cannot be read.
        StorageError: it lies at an address, and nothing answers.
    """
    if is_remote(path):
        remote = cast(Path, path)
        data, size = beginning(remote, _REMOTE_HEAD)
        length = int.from_bytes(data[:8], "little")
        if len(data) < 8 + length <= min(size, _LONGEST_HEAD):
            data, size = beginning(remote, 8 + length)
    else:
        with open(path, "rb", buffering=0) as file:  # noqa: PTH123
            size = os.fstat(file.fileno()).st_size
            data = file.read(_HEAD) or b""
            length = int.from_bytes(data[:8], "little")
            while len(data) < 8 + length <= min(size, _LONGEST_HEAD) and (more := file.read(8 + length - len(data))):
                data += more
    return data[8 : 8 + length] if 2 <= length <= min(size - 8, _LONGEST_HEAD) else b"", size


def _head(told: dict[str, Any], size: int, ident: str) -> Head:
    """The head of a file whose arrays take `size` bytes."""
    notes = told.pop("__metadata__")
    facts = json.loads(notes["facts"])
    if notes.get("id", ident) != ident:
        raise ValueError("it is another performance's")
    shapes = {}
    for recipe in hashes_in(notes["recipes"]):
        rows, columns = told[f"{recipe}.features"]["shape"]
        if told[f"{recipe}.times"]["shape"] != [rows, 2]:
            raise ValueError("features and times do not fit together")
        shapes[recipe] = (int(rows), int(columns))
    at = 0
    for begin, end, array in sorted((*array["data_offsets"], name) for name, array in told.items()):
        kind, shape = told[array]["dtype"], told[array]["shape"]
        if begin != at or end - begin != functools.reduce(int.__mul__, shape, _SIZES[kind]):
            raise ValueError("its arrays do not lie where they should")
        at = end
    if at != size:
        raise ValueError(f"its arrays take {size} bytes, not {at}")
    duration = facts.get("duration_s")
    known = isinstance(duration, (int, float)) and not isinstance(duration, bool)
    return Head(str(notes.get("check", "")), shapes, float(duration) if known else None)


@functools.lru_cache(maxsize=256)
def hashes_in(recipes: str) -> tuple[str, ...]:
    """The hashes of recipes that a file notes; most files note the same text."""
    return tuple(Recipe.from_json(value).hash for value in json.loads(recipes))


def _sorted_out(folder: str, entries: Iterator[os.DirEntry[str]]) -> tuple[list[os.DirEntry[str]], list[str]]:
    """The files of features among the entries of a folder, and the folders in which more of them may lie."""
    files, folders = [], []
    leaf = "/" in folder
    for entry in entries:
        if not (entry.name.isascii() or _is_text(entry.name)):  # none of ours
            continue
        if leaf and entry.name.endswith(SUFFIX) and not entry.name.startswith("."):
            if not entry.is_dir():
                files.append(entry)
        elif entry.is_dir(follow_symlinks=not leaf) and (leaf or len(entry.name) == 2):
            folders.append(f"{folder}/{entry.name}" if folder else entry.name)
    return files, folders


def _is_text(name: str) -> bool:
    try:
        return bool(name.encode())
    except UnicodeEncodeError:
        return False


def _stamp(found: os.stat_result) -> Stamp:
    return found.st_size, found.st_mtime_ns, found.st_ino & _NUMBER


def _unreadable(path: str, problem: OSError) -> FeaturesError:
    return FeaturesError(f"{path}: cannot be read ({problem.strerror})", advice="Check who may read it.")
