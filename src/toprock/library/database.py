"""The database of a library: SQLite in its folder, or any other by its URL (PostgreSQL is tested)."""

from __future__ import annotations

import contextlib
import sqlite3
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, create_engine, event, select, text
from sqlalchemy.exc import DataError, DBAPIError, IntegrityError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as NoConnection
from sqlalchemy.orm import Session

from toprock.errors import Busy, LibraryError, Refused, StorageError, ToprockError
from toprock.library.tables import SCHEMA, Base, Setting

_WAIT_S = 30.0
_SHORT_S = 0.5
"""How long writers still wait where one before them has waited in vain."""
_LOCK = 0x746F70
"""For which writers of a PostgreSQL database queue, as those of SQLite do."""


class Database:
    """Reads that do not wait, and writes one after the other.

    Args:
        where: a file (SQLite), or an SQLAlchemy URL such as postgresql+psycopg://user@host/name.
        new: whether an empty one may be begun; else it has to be there.
        patience_s: how long a writer waits, from when it comes, while another program holds the database (SQLite).

    Raises:
        LibraryError: it cannot be opened, or a newer version made it.
    """

    def __init__(self, where: Path | str, *, new: bool = True, patience_s: float = _WAIT_S) -> None:
        self.url = f"sqlite:///{where}" if isinstance(where, Path) else where
        self._name = str(where) if isinstance(where, Path) else where.rpartition("@")[2]
        # SQLite has writers sleep and try again, and some never get their turn; those of one process queue here instead
        self._turn = threading.Lock() if self.url.startswith("sqlite") else None
        self._patience_s, self._held = patience_s, False
        self.settled = True
        try:
            self._engine = (
                _sqlite(self.url)
                if self.url.startswith("sqlite")
                else create_engine(self.url, pool_pre_ping=True, pool_size=10, max_overflow=20)
            )
            postgres = self._engine.dialect.name == "postgresql"
            self._reader = (
                self._engine.execution_options(isolation_level="REPEATABLE READ") if postgres else self._engine
            )
            self._queue = text(f"SELECT pg_advisory_xact_lock({_LOCK})") if postgres else None
            Base.metadata.create_all(self._engine)
            self._check_schema(new)
        except (SQLAlchemyError, ImportError) as problem:
            raise self._unusable(problem) from problem

    def settle(self) -> None:
        """Have deleted rows go from the files at once, and not when SQLite next tidies its log up.

        Where others read at this moment, it does nothing, and `settled` is false: try again later.
        """
        if self._turn is None:  # PostgreSQL does so by itself
            return
        try:
            connection = self._engine.raw_connection()
        except SQLAlchemyError:  # very many are at it
            self.settled = False
            return
        try:
            cursor = connection.cursor()
            cursor.execute("PRAGMA busy_timeout=0")
            (busy, *_) = cursor.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
            cursor.execute(f"PRAGMA busy_timeout={int(1000 * _WAIT_S)}")
            self.settled = not busy
        except sqlite3.Error:
            self.settled = False
            connection.invalidate()
        finally:
            connection.close()

    def close(self) -> None:
        """Let go of all connections."""
        self._engine.dispose()

    @contextlib.contextmanager
    def read(self) -> Iterator[Session]:
        """A session that sees one state of the database; what it finds may be used after it has ended.

        Raises:
            LibraryError: the database does not answer.
        """
        try:
            with Session(self._reader, expire_on_commit=False) as session:
                yield session
        except (DBAPIError, NoConnection) as problem:
            raise self._unusable(problem) from problem

    @contextlib.contextmanager
    def write(self) -> Iterator[Session]:
        """A session whose changes are kept together when the block ends well, and not at all otherwise.

        Raises:
            Busy: another program holds the database.
            LibraryError: the database does not answer, or its disk is full.
        """
        try:
            with self._my_turn() as patience_s:
                engine = self._engine.execution_options(toprock_write=True, toprock_patience_s=patience_s)
                with Session(engine, expire_on_commit=False) as session, session.begin():
                    if self._queue is not None:
                        session.execute(self._queue)
                    elif self._turn is not None:
                        session.connection()  # waits for other programs
                        self._held = False
                    yield session
        except (DBAPIError, NoConnection) as problem:
            self._held = self._held or _is_locked(problem)
            raise self._unusable(problem) from problem

    @contextlib.contextmanager
    def _my_turn(self) -> Iterator[float]:
        """Wait for the writers of this process that came before; gives the seconds that are left for other programs."""
        if self._turn is None:
            yield 0.0
            return
        until = time.monotonic() + (_SHORT_S if self._held else self._patience_s)
        if not self._turn.acquire(timeout=max(0.0, until - time.monotonic())):
            raise self._busy()
        try:
            yield max(0.0, (time.monotonic() + _SHORT_S if self._held else until) - time.monotonic())
        finally:
            self._turn.release()

    def _check_schema(self, new: bool) -> None:
        with self.write() as session:
            found = session.get(Setting, "schema")
            if found is None and not new:
                raise LibraryError(
                    f"{self._name}: the database is empty, and there are videos or models in the library's folder",
                    advice="Name the database that belongs to it (--database), or bring back library.db from a copy.",
                )
            if found is None:
                session.add(Setting(name="schema", value=str(SCHEMA)))
            elif not found.value.isdigit() or int(found.value) > SCHEMA:
                raise LibraryError(
                    f"{self._name}: was made by a newer version of toprock (schema {found.value})",
                    advice="Update toprock.",
                )

    def _unusable(self, problem: Exception) -> ToprockError:
        if isinstance(problem, IntegrityError):
            return Refused("something else was changed at the same moment", advice="Try it once more.")
        if isinstance(problem, DataError):  # PostgreSQL takes no zero byte, and no number beyond its column
            return Refused("a text or number in what was given cannot be kept", advice="Leave out what cannot be seen.")
        if _is_locked(problem) or isinstance(problem, NoConnection):
            return self._busy()
        told = str(getattr(problem, "orig", None) or problem).strip().splitlines()
        if "disk is full" in str(problem) or "No space left" in str(problem):
            return StorageError("the disk is full", advice="Free some space, and try again.")
        return LibraryError(
            f"{self._name}: the database cannot be used ({told[0] if told else type(problem).__name__})",
            advice="See to it that it is there, may be written and has room; then try again.",
        )

    def _busy(self) -> Busy:
        return Busy(
            f"{self._name}: another program holds the database, or very many write at once",
            advice="Try again in a moment. If it stays so, end the program that has it open, as a backup does.",
        )


def setting(session: Session, name: str, default: str = "") -> str:
    """A value of the library as a whole."""
    found = session.scalar(select(Setting.value).where(Setting.name == name))
    return default if found is None else found


def set_setting(session: Session, name: str, value: str) -> None:
    """Keep a value of the library as a whole."""
    session.merge(Setting(name=name, value=value))


def _sqlite(url: str) -> Engine:
    """Writers queue for the lock when they begin, so that none is refused half way; readers never wait for them."""
    engine = create_engine(
        url, connect_args={"timeout": _WAIT_S, "check_same_thread": False}, pool_size=20, max_overflow=40
    )

    @event.listens_for(engine, "connect")
    def prepare(connection: Any, _: Any) -> None:
        connection.isolation_level = None  # transactions begin where SQLAlchemy says, not where the driver thinks
        for pragma in (
            "journal_mode=WAL",
            "synchronous=FULL",
            "foreign_keys=ON",
            "secure_delete=ON",
            f"busy_timeout={int(1000 * _WAIT_S)}",
        ):
            connection.execute(f"PRAGMA {pragma}")

    @event.listens_for(engine, "begin")
    def begin(connection: Any) -> None:
        options = connection.get_execution_options()
        if not options.get("toprock_write"):
            connection.exec_driver_sql("BEGIN")
            return
        connection.exec_driver_sql(f"PRAGMA busy_timeout={int(1000 * options['toprock_patience_s'])}")
        try:
            connection.exec_driver_sql("BEGIN IMMEDIATE")
        finally:
            connection.exec_driver_sql(f"PRAGMA busy_timeout={int(1000 * _WAIT_S)}")

    return engine


def _is_locked(problem: Exception) -> bool:
    return "database is locked" in str(getattr(problem, "orig", None) or "")
