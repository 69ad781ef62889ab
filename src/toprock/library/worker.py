"""A worker of the room: `python -m toprock.library.worker LIBRARY NAME KINDS`; does one job after the other.

It ends when its standard input does, so that no worker outlives the server that started it, however that one ended.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import threading
import time
import traceback
from collections.abc import Callable
from typing import Any

from sqlalchemy.orm import Session

from toprock.errors import ToprockError
from toprock.files import AGAIN
from toprock.library import jobs, tables
from toprock.library.forgetting import Names, clear_away, forget_since, names_in
from toprock.library.library import DATABASE, Library
from toprock.library.work import Stopped, do
from toprock.shortage import lacking

_IDLE_S = 0.5
_BEAT_S = 5.0
_TELL_S = 0.5
_MOST_LOG = 4000
_PATIENCE_S = 600.0
"""Hours of work are not given up because another program holds the database."""
_NICE = 10
"""Pages come first: whoever looks at one waits for it, and nobody for a job."""
_PAUSES_S = (1.0, 5.0, 30.0, 60.0)


class Beat:
    """Keeps a job's lease while it is worked on, and passes on what the work tells."""

    def __init__(self, library: Library, job: tables.Job, worker: str) -> None:
        self._library, self._job, self._worker = library, job, worker
        self._stop, self._over = threading.Event(), threading.Event()
        self._log: list[Any] = []
        self._news: dict[str, Any] = {}
        self._changes: list[Callable[[Session], None]] = []
        self._told = 0.0
        self._lock = threading.Lock()
        self._thread = threading.Thread(target=self._keep, daemon=True)
        self._thread.start()

    def progress(self, done: float, stage: str) -> None:
        """How far the work is; raises `Stopped` where it is to stop."""
        self._news = {"progress": float(done), "stage": stage}
        if time.monotonic() - self._told > _TELL_S:
            with contextlib.suppress(ToprockError):  # a database that is busy or full ends no hours of work
                self._tell()
        if self._stop.is_set():
            raise Stopped

    def log(self, entry: dict[str, Any]) -> None:
        """Keep something that the work has found out."""
        self._log.append(entry)
        if len(self._log) > _MOST_LOG:
            self._log = self._log[::2]

    def at_end(self, change: Callable[[Session], None]) -> None:
        """What else changes in the database when the job is done."""
        self._changes.append(change)

    def done(self, session: Session, result: dict[str, Any]) -> None:
        """The job is done, and all changes that are to come with that are made."""
        if jobs.finish(session, self._job.id, self._worker, "done", result=result):
            for change in self._changes:
                change(session)

    def end(self) -> None:
        """The work is over; nothing is told after this."""
        self._over.set()
        self._thread.join()
        with contextlib.suppress(ToprockError):
            self._tell()

    def _keep(self) -> None:
        while not self._over.wait(_BEAT_S):
            with contextlib.suppress(ToprockError):
                self._tell()

    def _tell(self) -> None:
        with self._lock:
            self._told = time.monotonic()
            changes = {**self._news, "log": list(self._log)}
            with self._library.write() as session:
                if not jobs.beat(session, self._job.id, self._worker, **changes):
                    self._stop.set()


def work(library: Library, worker: str, kinds: tuple[str, ...], over: threading.Event) -> None:
    """Do jobs until `over`."""
    while not over.is_set():
        try:
            with library.write() as session:
                job = jobs.claim(session, worker, kinds)
        except ToprockError as problem:
            print(problem, file=sys.stderr)
            over.wait(5.0)
            continue
        if job is None:
            over.wait(_IDLE_S)
        else:
            _do(library, job, worker)


def _do(library: Library, job: tables.Job, worker: str) -> None:
    beat = Beat(library, job, worker)
    state, problem = "", ""
    before = Names(frozenset(), {})
    try:
        with library.read() as session:
            before = names_in(session)
        result = do(library, job, beat)
    except Stopped:
        state = "cancelled"
    except ToprockError as trouble:
        state, problem = "failed", str(trouble).replace(AGAIN, "try again")
    except Exception as trouble:
        traceback.print_exc()
        unforeseen = f"something unforeseen happened ({type(trouble).__name__}: {trouble}). Please report it."
        state, problem = "failed", str(lacking(trouble) or unforeseen)
    beat.end()

    def finish(session: Session) -> None:
        if state:
            jobs.finish(session, job.id, worker, state, problem=problem)
        else:
            beat.done(session, result)
        forget_since(library, session, before)

    _finish(library, finish)
    clear_away(library)  # what it was gone on from, and what was deleted meanwhile


def _finish(library: Library, change: Callable[[Session], None]) -> None:
    """Say how a job has ended, and again until it is heard: only then the next one begins."""
    for pause_s in (*_PAUSES_S, None):
        try:
            with library.write() as session:
                change(session)
            return
        except ToprockError as trouble:
            if pause_s is None:
                raise
            print(trouble, file=sys.stderr)
            time.sleep(pause_s)


def main() -> None:
    """Serve until standard input ends."""
    root, worker, kinds = sys.argv[1:]
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # an interrupt at the keyboard is the server's to answer
    os.nice(_NICE)
    library = Library(root, database=os.environ.get(DATABASE, ""), patience_s=_PATIENCE_S)
    over = threading.Event()

    def serve() -> None:
        try:
            work(library, worker, tuple(kinds.split(",")), over)
        except BaseException:
            traceback.print_exc()
        os._exit(1)  # the supervisor starts another worker, and gives the job back

    threading.Thread(target=serve, daemon=True).start()
    with contextlib.suppress(KeyboardInterrupt):
        sys.stdin.buffer.read()
    # a job that runs is not waited for: its lease runs out, or the next server sees that its worker is gone
    os._exit(0)


if __name__ == "__main__":
    main()
