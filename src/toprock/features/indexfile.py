"""The SQLite file of an index: where it lies, who may rebuild it, and what is done when it is damaged.

It is a cache and never the truth, so one that is damaged, of another program or of another format is thrown away.
All who have it open share a lock beside it; only who holds that lock alone throws it away.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import sqlite3
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from toprock.backbones.weights import cache_folder
from toprock.errors import FeaturesError, StorageError
from toprock.files import storage_errors
from toprock.places import is_remote

NAME = "index.sqlite"
_LOCK = "index.lock"
_FORMAT = 1
_MARK = 0x54504B49  # application_id: whose file it is
_WAIT_S = 30.0
_SCHEMA = f"""
PRAGMA application_id = {_MARK};
PRAGMA user_version = {_FORMAT};
CREATE TABLE notes(name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE folders(
    folder INTEGER PRIMARY KEY, path TEXT NOT NULL UNIQUE, changed_ns INTEGER NOT NULL, own_ns INTEGER NOT NULL,
    inode INTEGER NOT NULL, settled INTEGER NOT NULL);
CREATE TABLE kinds(
    kind INTEGER PRIMARY KEY, recipes TEXT NOT NULL UNIQUE, performances INTEGER NOT NULL DEFAULT 0,
    bytes INTEGER NOT NULL DEFAULT 0);
CREATE TABLE performances(
    folder INTEGER NOT NULL, name TEXT NOT NULL, id TEXT NOT NULL, size INTEGER NOT NULL, changed_ns INTEGER NOT NULL,
    inode INTEGER NOT NULL, settled INTEGER NOT NULL, kind INTEGER NOT NULL, shapes TEXT NOT NULL,
    checksum TEXT NOT NULL, duration_s REAL, problem TEXT NOT NULL, PRIMARY KEY(folder, name)) WITHOUT ROWID;
CREATE TABLE failures(id TEXT PRIMARY KEY, why TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE verified(
    folder INTEGER NOT NULL, name TEXT NOT NULL, wrong TEXT NOT NULL, PRIMARY KEY(folder, name)) WITHOUT ROWID;
CREATE TRIGGER came AFTER INSERT ON performances BEGIN
    UPDATE kinds SET performances = performances + 1, bytes = bytes + NEW.size WHERE kind = NEW.kind;
END;
CREATE TRIGGER went AFTER DELETE ON performances BEGIN
    UPDATE kinds SET performances = performances - 1, bytes = bytes - OLD.size WHERE kind = OLD.kind;
    DELETE FROM verified WHERE folder = OLD.folder AND name = OLD.name;
END;
"""
_LOST = (
    *("SQLITE_CORRUPT", "SQLITE_NOTADB", "SQLITE_FORMAT", "SQLITE_ERROR", "SQLITE_CONSTRAINT", "SQLITE_MISMATCH"),
    *("SQLITE_READONLY", "SQLITE_CANTOPEN"),  # of one that was open: it has been removed meanwhile
)
"""Beginnings of the names of errors that a whole file of ours never gives."""


class _Useless(Exception):
    """The file is damaged, another program's, or of another format."""


class IndexFile:
    """An open index: in the store where it may be written, else in the user's cache, else in memory alone.

    Args:
        store: folder (or address) of the feature store.
        on_note: told what happened to an index that could not be used.

    Attributes:
        path: where it lies; None in memory.
        database: the connection; transactions are begun and ended by hand.
    """

    def __init__(self, store: Path, *, on_note: Callable[[str], None] = lambda note: None) -> None:
        self._note = on_note
        self._held: int | None = None
        self.path: Path | None = None
        where = str(store) if is_remote(store) else os.path.realpath(store)
        key = hashlib.sha256(os.fsencode(where)).hexdigest()[:32]
        for folder in ([] if is_remote(store) else [store]) + [cache_folder().parent / "indexes" / key]:
            if folder is not store:
                with contextlib.suppress(OSError):
                    folder.mkdir(parents=True, exist_ok=True)
            if os.access(folder, os.W_OK | os.X_OK) and self._opened(folder / NAME):
                return
        self.database = _connected(":memory:")
        self.database.executescript(_SCHEMA)

    def close(self) -> None:
        """Let go of the file."""
        self.database.close()
        if self._held is not None:
            os.close(self._held)
            self._held = None

    def clock_ns(self) -> int:
        """The time now by the clock that dates files beside the index."""
        if self.path is not None:
            with contextlib.suppress(OSError):
                os.utime(self.path)
                return self.path.stat().st_mtime_ns
        return time.time_ns()

    @contextlib.contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        """A transaction that is kept whole when the block ends well, and not at all otherwise."""
        self.database.execute("BEGIN IMMEDIATE")
        try:
            yield self.database
            self.database.execute("COMMIT")
        except BaseException:
            with contextlib.suppress(sqlite3.Error):  # some errors have ended it already
                self.database.execute("ROLLBACK")
            raise

    def begin_anew(self, problem: sqlite3.Error | None) -> None:
        """Throw away a file that gave this error, or is known to be wrong, and begin an empty one.

        Raises:
            FeaturesError: another program holds it.
            StorageError: the disk is full or refuses.
        """
        name = getattr(problem, "sqlite_errorname", "SQLITE_ERROR")
        if problem and (self.path is None or not name.startswith(_LOST)):
            raise self.told(problem) from problem
        self.database.close()
        if (path := self.path) is None:
            self.database = _connected(":memory:")
            self.database.executescript(_SCHEMA)
            return
        with storage_errors(path):
            self._replace(path, spare_usable=False)

    def told(self, problem: sqlite3.Error) -> FeaturesError | StorageError:
        """An error of SQLite in words."""
        name = getattr(problem, "sqlite_errorname", "")
        if name.startswith("SQLITE_BUSY"):
            return FeaturesError(f"{self.path}: another program holds the index", advice="Try again when it is done.")
        if name.startswith("SQLITE_FULL"):
            return StorageError(f"{self.path}: the disk is full", advice="Free some space, and try again.")
        return FeaturesError(
            f"{self.path}: the index cannot be used ({problem})", advice="Delete it; it is made again by itself."
        )

    def _opened(self, path: Path) -> bool:
        """Whether the index is open now, there."""
        try:
            self._lock(path.parent, fcntl.LOCK_SH)
            try:
                self.database = _ready(path)
            except _Useless:
                self._replace(path, spare_usable=True)
            except sqlite3.Error as problem:
                if getattr(problem, "sqlite_errorname", "").startswith("SQLITE_BUSY"):
                    self.path = path
                    raise self.told(problem) from problem
                raise
            self.path = path
            return True
        except (OSError, sqlite3.Error):  # a disk that is full or has no locks
            if self._held is not None:
                os.close(self._held)
                self._held = None
            return False

    def _replace(self, path: Path, *, spare_usable: bool) -> None:
        """Begin an empty file there, but for one that is usable after all, as another program has just made it."""
        self._lock(path.parent, fcntl.LOCK_EX)
        try:
            if not spare_usable:
                raise _Useless
            self.database = _ready(path)
        except _Useless:
            for end in ("-journal", "-wal", "-shm", ""):
                path.with_name(path.name + end).unlink(missing_ok=True)
            self._note(f"{path}: could not be used, and is made again")
            self.database = _ready(path)
        self._lock(path.parent, fcntl.LOCK_SH)

    def _lock(self, folder: Path, kind: int) -> None:
        """Share the folder's index with others, or have it alone.

        Raises:
            FeaturesError: others do not let go of it.
        """
        if self._held is None:
            self._held = os.open(folder / _LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
        if kind == fcntl.LOCK_EX:
            fcntl.flock(self._held, fcntl.LOCK_UN)  # two that share it and want it alone would wait for each other
        end = time.monotonic() + _WAIT_S
        while True:
            try:
                fcntl.flock(self._held, kind | fcntl.LOCK_NB)
                return
            except BlockingIOError:
                if time.monotonic() > end:
                    raise FeaturesError(
                        f"{folder / NAME}: is damaged, and another program has it open",
                        advice="Try again when it is done.",
                    ) from None
                time.sleep(0.05)
            except OSError:  # not every disk has locks
                return


def _connected(path: Path | str) -> sqlite3.Connection:
    database = sqlite3.connect(path, timeout=_WAIT_S, isolation_level=None)
    try:
        database.execute("PRAGMA cache_size = -65536")
        database.execute("PRAGMA temp_store = MEMORY")
        database.execute("PRAGMA trusted_schema = OFF")  # the file may have come with a store of somebody else's
        return database
    except sqlite3.Error:
        database.close()
        raise


def _ready(path: Path) -> sqlite3.Connection:
    """An open index with its tables, which may be written.

    Raises:
        _Useless: what lies there is no index of this format.
        sqlite3.Error: it cannot be opened or written there.
    """
    database: sqlite3.Connection | None = None
    try:
        database = _connected(path)
        database.execute("BEGIN IMMEDIATE")
        (mark,), (form,) = (database.execute(f"PRAGMA {n}").fetchone() for n in ("application_id", "user_version"))
        if (mark, form) == (0, 0) and database.execute("SELECT count(*) FROM sqlite_schema").fetchone() == (0,):
            for statement in _statements():
                database.execute(statement)
        elif (mark, form) != (_MARK, _FORMAT):
            raise _Useless
        database.execute("COMMIT")
        return database
    except BaseException as problem:
        if database is not None:
            database.close()
        if getattr(problem, "sqlite_errorname", "").startswith(_LOST[:-2]):
            raise _Useless from problem
        raise


def _statements() -> Iterator[str]:
    """Those of the schema: `executescript` would end the transaction that they belong to."""
    statement = ""
    for line in _SCHEMA.splitlines(keepends=True):
        statement += line
        if sqlite3.complete_statement(statement):
            yield statement
            statement = ""
