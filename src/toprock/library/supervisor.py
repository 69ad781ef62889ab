"""Starts workers, ends those whose job was cancelled and does not stop, and replaces those that die."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
import traceback
from dataclasses import dataclass, field

from sqlalchemy import select

from toprock.errors import ToprockError
from toprock.files import tidy
from toprock.library import catalogue, jobs, tables
from toprock.library.bounds import Bounds
from toprock.library.forgetting import clear_away
from toprock.library.library import DATABASE, Library
from toprock.library.sweeping import forget_old_jobs
from toprock.machine import cores, memory_of

_LOOK_S = 0.5
_PATIENCE_S = 5.0
_SWEEP_S = 1800.0
_CALM_S = 2.0
_RAISE = "Retry it when it may have more: raise {name} under [room] (toprock settings shows where)."
_CLOCK_OFF_S = 600.0


@dataclass
class _Worker:
    name: str
    kinds: str
    process: subprocess.Popen[bytes] | None = None
    started: float = 0.0
    deaths: int = 0
    lost: bool = False
    blamed: bool = False
    because: str = ""
    done: int = 0
    running: dict[int, float] = field(default_factory=dict)
    stopping: dict[int, float] = field(default_factory=dict)


class _Clock:
    """Notices that the machine's clock was set, so that nothing is deleted before somebody could put it right."""

    def __init__(self) -> None:
        self._wall, self._ran = time.time(), time.monotonic()

    def steady(self) -> bool:
        """Whether the clock has gone on as time did since it was asked last."""
        wall, ran = time.time(), time.monotonic()
        off_s = (wall - self._wall) - (ran - self._ran)
        self._wall, self._ran = wall, ran
        return abs(off_s) < _CLOCK_OFF_S


class Supervisor:
    """The workers of one server; a context manager.

    Args:
        library: whose jobs.
        workers: processes: the first one looks at videos and scores, the second one trains too, and so do others.
        bounds: on what they may use; None takes this machine's.
        alone: whether no other server can be at this library: then what runs is nobody's, whatever its lease says.
    """

    def __init__(
        self, library: Library, *, workers: int | None = None, bounds: Bounds | None = None, alone: bool = False
    ) -> None:
        self._library, self._alone, self._bounds = library, alone, bounds or Bounds.chosen()
        mark = f"{os.getpid()}-{tables.new_key()[:6]}"
        count = workers if workers is not None else self._bounds.workers or min(2, max(1, cores()))
        everything, quick = ",".join(jobs.KINDS), "take,extract,score"
        self._workers = [_Worker(f"{mark}-{n}", quick if n == 0 and count > 1 else everything) for n in range(count)]
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._look_after, daemon=True)
        self._swept = 0.0
        self._clock = _Clock()

    def __enter__(self) -> Supervisor:
        with self._library.write() as session:
            jobs.recover(session, everybody=self._alone)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()
        for worker in self._workers:
            self._end(worker, blamed=False)

    def _look_after(self) -> None:
        tidy(self._library.folder.root)
        while not self._over.is_set():
            for worker in self._workers:
                with contextlib.suppress(ToprockError, OSError):
                    self._look_at(worker)
            try:
                self._tidy()
            except ToprockError:
                pass  # the database is busy, or the disk full
            except Exception:  # whatever it is, jobs go on, and so does the rest of this at its next turn
                traceback.print_exc()
            self._over.wait(_LOOK_S)

    def _look_at(self, worker: _Worker) -> None:
        if worker.process is None:
            self._give_back(worker)
            self._start(worker)
        elif worker.process.poll() is not None:
            self._end(worker)
            worker.deaths = worker.deaths + 1 if time.monotonic() - worker.started < 10 else 0
            self._over.wait(min(30.0, _CALM_S * worker.deaths))
        else:
            self._note_jobs(worker)
            self._stop_cancelled(worker)
            self._keep_in_bounds(worker)

    def _start(self, worker: _Worker) -> None:
        command = [sys.executable, "-P", "-m", "toprock.library.worker"]
        command += [str(self._library.folder.root), worker.name, worker.kinds]
        worker.process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=sys.stderr,
            start_new_session=True,
            env=os.environ | {"OMP_NUM_THREADS": "1", DATABASE: self._library.database_url},
        )
        worker.started = time.monotonic()

    def _note_jobs(self, worker: _Worker) -> None:
        """Since when its jobs have been seen to run, and since when they are to stop."""
        with self._library.read() as session:
            query = select(tables.Job.id, tables.Job.cancel).where(
                tables.Job.worker == worker.name, tables.Job.state == "running"
            )
            found = session.execute(query).all()
        now = time.monotonic()
        worker.done += len(worker.running.keys() - {job for job, _ in found})
        worker.running = {job: worker.running.get(job, now) for job, _ in found}
        worker.stopping = {job: worker.stopping.get(job, now) for job, cancel in found if cancel}

    def _stop_cancelled(self, worker: _Worker) -> None:
        """Work looks at its cancellation between its steps; where a step takes too long, the process ends."""
        if any(time.monotonic() - since > _PATIENCE_S for since in worker.stopping.values()):
            self._end(worker)

    def _keep_in_bounds(self, worker: _Worker) -> None:
        """Give up a job that needs more than it may have, before the machine swaps or another program dies of it."""
        if worker.process is None or not worker.running:
            return
        most_mb, hours = self._bounds.share_mb(len(self._workers)), self._bounds.job_hours
        if memory_of(worker.process.pid) > most_mb:
            what = f"it needs more than the {most_mb} MB of memory that a job may take"
            because = f"{what}. {_RAISE.format(name='worker_memory_mb')}"
            # what jobs before it left is not its own: it begins again in a fresh process
            self._end(worker, blamed=False, because=because if worker.done == 0 else "")
        elif any(time.monotonic() - since > 3600 * hours for since in worker.running.values()):
            what = f"it took longer than the {hours:g} hours that a job may take"
            self._end(worker, because=f"{what}. {_RAISE.format(name='job_hours')}")

    def _end(self, worker: _Worker, *, blamed: bool = True, because: str = "") -> None:
        """End a process with all that it started, and give its job back, now or as soon as that can be noted.

        A job is `blamed` where its process ended by itself: after three times it is not tried again; and at once where
        it is known `because` of what.
        """
        if worker.process is not None:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(worker.process.pid, signal.SIGKILL)
            if worker.process.stdin:
                with contextlib.suppress(OSError):
                    worker.process.stdin.close()
            worker.process.wait()
            worker.process, worker.stopping, worker.running, worker.done = None, {}, {}, 0
            worker.lost, worker.blamed, worker.because = True, blamed, because
        with contextlib.suppress(ToprockError, OSError):
            self._give_back(worker)
            tidy(self._library.folder.root)

    def _give_back(self, worker: _Worker) -> None:
        """Put the job of a process that has ended back into the queue, or call it cancelled."""
        if worker.lost:
            with self._library.write() as session:
                jobs.recover(session, worker=worker.name, blamed=worker.blamed, because=worker.because)
            worker.lost = False

    def _tidy(self) -> None:
        """Jobs of servers that are gone, and performances that have been kept for long enough."""
        if time.monotonic() - self._swept > _SWEEP_S or not self._swept:
            self._swept = time.monotonic()
            if self._clock.steady():
                catalogue.expire(self._library)
            forget_old_jobs(self._library)
            clear_away(self._library)
        if not self._library.database.settled:
            self._library.database.settle()
        with self._library.read() as session:
            stale = session.scalars(
                select(tables.Job.id).where(
                    tables.Job.state == "running",
                    jobs.run_out(),
                    tables.Job.worker.not_in([worker.name for worker in self._workers]),  # these are looked after
                )
            ).first()
        if stale is not None:
            with self._library.write() as session:
                jobs.recover(session, but=[worker.name for worker in self._workers])
