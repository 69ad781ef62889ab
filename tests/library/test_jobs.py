"""The queue, and workers that are killed at the worst moment."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import select

from toprock.errors import Busy, LibraryError, Refused, StorageError
from toprock.library import (
    Bounds,
    Library,
    Supervisor,
    catalogue,
    intake,
    jobs,
    models,
    supervisor,
    tables,
    work,
    worker,
)
from toprock.web.serving import alone


def put(library, *titles, kind="extract"):
    with library.write() as session:
        return [jobs.enqueue(session, kind, title, subject=title) for title in titles]


def state_of(library, number):
    with library.read() as session:
        job = jobs.get(session, number)
        return job.state, job.attempts


def test_a_job_is_done_by_one_worker_only(library):
    first, second = put(library, "a", "b")
    with library.write() as session:
        assert jobs.claim(session, "one").id == first
        assert jobs.claim(session, "two").id == second
        assert jobs.claim(session, "three") is None
    with library.write() as session:
        assert not jobs.beat(session, first, "two", progress=0.5)
        assert jobs.beat(session, first, "one", progress=0.5)
        assert not jobs.finish(session, first, "two", "done")
        assert jobs.finish(session, first, "one", "done", result={"n": 1})
    assert state_of(library, first) == ("done", 1)


def test_what_waits_already_is_not_put_there_twice(library):
    (first,) = put(library, "a")
    assert put(library, "a") == [first]
    with library.write() as session:
        jobs.claim(session, "one")
    assert put(library, "a") != [first]  # one that runs may have looked before what is new was there


def test_scores_come_before_long_work(library):
    put(library, "long")
    (score,) = put(library, "m", kind="score")
    with library.write() as session:
        assert jobs.claim(session, "one").id == score
        assert jobs.claim(session, "one", kinds=("train",)) is None


def test_a_job_that_kills_its_worker_three_times_is_not_tried_again(library):
    (number,) = put(library, "a")
    for attempt in range(1, jobs.ATTEMPTS + 1):
        with library.write() as session:
            jobs.claim(session, "one")
            assert jobs.recover(session) == 0
            assert jobs.recover(session, worker="one") == 1
        wanted = "failed" if attempt == jobs.ATTEMPTS else "queued"
        assert state_of(library, number) == (wanted, attempt)
    with library.write() as session:
        assert "3 times" in jobs.get(session, number).problem
        jobs.retry(session, number)
    assert state_of(library, number) == ("queued", 0)


def test_a_room_that_is_closed_or_killed_is_no_jobs_fault(library):
    (number,) = put(library, "a")
    for _ in range(5):
        with library.write() as session:
            jobs.claim(session, "one")
            assert jobs.recover(session, worker="one", blamed=False) == 1
        with library.write() as session:
            jobs.claim(session, "one").lease = tables.now() - timedelta(seconds=1)
            session.flush()
            assert jobs.recover(session, but=["one"]) == 0  # it lives; the machine slept
            assert jobs.recover(session) == 1
    assert state_of(library, number) == ("queued", 0)


def test_a_lease_that_ends_after_a_day_is_none(library):
    """The clock was set back, and the server that had it is gone."""
    (number,) = put(library, "a")
    with library.write() as session:
        jobs.claim(session, "one").lease = tables.now() + timedelta(days=1)
        session.flush()
        assert jobs.recover(session, but=["one"]) == 0
        assert jobs.recover(session) == 1
    assert state_of(library, number)[0] == "queued"


def test_a_clock_that_was_set_deletes_nothing(library, monkeypatch):
    ahead = [0.0]
    real = time.time
    monkeypatch.setattr(supervisor.time, "time", lambda: real() + ahead[0])
    clock = supervisor._Clock()
    assert clock.steady()
    ahead[0] = 40 * 86_400.0
    assert not clock.steady()
    assert clock.steady()  # it has stayed so


def test_writers_that_come_together_wait_together_and_those_after_them_hardly(tmp_path):
    """Another program holds the lock: nobody waits for the others' waiting as well."""
    with contextlib.closing(Library(tmp_path / "held", patience_s=1.0)) as library:
        (number,) = put(library, "a")
        other = sqlite3.connect(library.folder.root / "library.db", isolation_level=None)
        other.execute("BEGIN IMMEDIATE")

        def change(_):
            start = time.monotonic()
            with pytest.raises(Busy, match="another program holds the database"):
                put(library, "b")
            return time.monotonic() - start

        with ThreadPoolExecutor(8) as many:
            assert max(many.map(change, range(8))) < 4.0
        assert change(0) < 3.0
        other.close()
        with library.write() as session:
            assert jobs.claim(session, "one").id == number


def test_a_busy_database_ends_neither_work_nor_worker(library, monkeypatch):
    monkeypatch.setattr(worker, "_PAUSES_S", (0.05, 0.05))
    (number,) = put(library, "a")
    with library.write() as session:
        job = jobs.claim(session, "one")
    writes, busy = library.database.write, [True] * 3

    def sometimes():
        if busy and busy.pop():
            raise (LibraryError if len(busy) % 2 else StorageError)("the database is locked, or its disk full")
        return writes()

    monkeypatch.setattr(library.database, "write", sometimes)

    def does(library, job, watch):
        for _ in range(2):
            time.sleep(worker._TELL_S)
            watch.progress(0.5, "at it")
        return {"n": 1}

    monkeypatch.setattr(worker, "do", does)
    worker._do(library, job, "one")
    assert not busy
    assert state_of(library, number)[0] == "done"


def test_work_that_needs_more_memory_than_there_is_fails_in_words(library, monkeypatch):
    (number,) = put(library, "a")
    with library.write() as session:
        job = jobs.claim(session, "one")
    monkeypatch.setattr(worker, "do", lambda *_: {"n": len(bytearray(1 << 62))})
    worker._do(library, job, "one")
    with library.read() as session:
        found = jobs.get(session, number)
        assert (found.state, found.problem.partition(".")[0]) == ("failed", "there is not enough memory for this")


def test_cancelling_and_trying_again(library):
    waits, runs = put(library, "a", "b")
    with library.write() as session:
        jobs.cancel(session, waits)
        assert jobs.claim(session, "one").id == runs
        jobs.cancel(session, runs)
        assert not jobs.beat(session, runs, "one")
        with pytest.raises(Refused, match="running"):
            jobs.retry(session, runs)
        assert jobs.recover(session, worker="one") == 1
        with pytest.raises(Refused, match="cancelled"):
            jobs.cancel(session, runs)
    assert state_of(library, waits)[0] == state_of(library, runs)[0] == "cancelled"


def test_what_follows_from_a_job_comes_with_its_end_or_not_at_all(library, place):
    """A worker is lost between its work and the note that it is done: what the job brings about is there once."""
    models.bring(library, place / "model")
    intake.add_video(library, place.video(0), filename="v.mp4", owned=False)
    for attempt in ("lost", "whole"):
        with library.write() as session:
            job = jobs.claim(session, attempt, ("extract",))
        if attempt == "lost":
            beat = worker.Beat(library, job, "lost")
            work.do(library, job, beat)
            beat.end()
            with library.write() as session:
                jobs.recover(session, worker="lost")
        else:
            worker._do(library, job, attempt)
            with library.write() as session:
                beat.done(session, {})  # it was slow, not dead: too late
    with library.read() as session:
        assert [job.state for job in jobs.listed(session) if job.kind == "extract"] == ["done"]
        assert len([job for job in jobs.listed(session) if job.kind == "score" and job.payload]) == 1


def test_the_only_server_waits_for_no_lease_and_clears_away_what_dead_workers_wrote(library):
    (number,) = put(library, "a")
    with library.write() as session:
        jobs.claim(session, "gone")
    code = (
        "import sys; from toprock.files import whole_file\nwith whole_file(sys.argv[1]): print(1, flush=True); input()"
    )
    command = [sys.executable, "-c", code, library.folder.thumbnail("0" * 16)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as writes:
        writes.stdout.readline()
        writes.kill()
    assert list(library.folder.root.rglob("*.part"))
    with Supervisor(library, workers=0):
        assert state_of(library, number) == ("running", 1)
    assert not list(library.folder.root.rglob("*.part"))
    with Supervisor(library, workers=0, alone=True):
        assert state_of(library, number) == ("queued", 0)


KILLED = """
import os, signal, sys
from pathlib import Path
from toprock.library import Library, intake, models
from toprock.ranker import SavedModel

def fatal(does):
    def done(*given, **more):
        does(*given, **more)
        os.kill(os.getpid(), signal.SIGKILL)
    return done

root, source, what = sys.argv[1:]
library = Library(root)
if what == "videos":
    Path.replace = fatal(Path.replace)
    intake.add_video(library, Path(source), filename="v.mp4", owned=True)
else:
    SavedModel.save = fatal(SavedModel.save)
    models.bring(library, Path(source))
"""


@pytest.mark.parametrize("what", ["videos", "models"])
def test_what_was_on_its_way_in_when_the_server_was_killed_goes_with_the_next_start(library, place, what):
    source = place / "model"
    if what == "videos":
        source = Path(shutil.copy(place.video(0), library.folder.incoming / "upload"))
    done = subprocess.run([sys.executable, "-c", KILLED, library.folder.root, source, what])
    assert done.returncode == -signal.SIGKILL
    assert len(list((library.folder.root / what).iterdir())) == 1  # it is there, and the database knows nothing of it
    with alone(library), library.read() as session:
        assert not session.scalars(select(tables.Coming)).all()
    assert not list((library.folder.root / what).iterdir())
    key = models.bring(library, place / "model")
    with alone(library):
        assert library.folder.model(key).is_dir()  # what has arrived stays


def until(condition, seconds=60.0):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if found := condition():
            return found
        time.sleep(0.05)
    raise AssertionError("it did not happen in time")


def running(library):
    with library.read() as session:
        return [(job.id, job.worker, job.stage) for job in jobs.listed(session, state="running")]


def ended(library):
    with library.read() as session:
        return not jobs.waiting(session)


def killed(library):
    """End the worker that runs a job, in the middle of it."""
    name = until(lambda: running(library))[0][1]
    for place in Path("/proc").iterdir():
        with contextlib.suppress(OSError):
            if place.name.isdigit() and name.encode() in (place / "cmdline").read_bytes().split(b"\0"):
                os.kill(int(place.name), signal.SIGKILL)
                return name
    raise AssertionError("no such worker")


def test_a_killed_worker_a_cancelled_job_and_a_restart_lose_nothing(library, make_video, tmp_path):
    """SIGKILL while it looks, a cancel while it looks, a server that ends while it looks: all is looked at, once."""
    folder = tmp_path / "videos"
    folder.mkdir()
    for number in range(2):
        make_video(folder / f"v{number}.mp4", frames=1500 + number, size=(192, 128))
    intake.begin_folder(library, folder)
    with Supervisor(library, workers=1):
        until(lambda: catalogue.listed(library).total == 2)
        killed(library)
        number, _, _ = until(lambda: [job for job in running(library) if job[2]])[0]
        with library.write() as session:
            jobs.cancel(session, number)
        until(lambda: state_of(library, number)[0] == "cancelled")
        until(lambda: running(library))
    assert not running(library)  # a server that ends gives back what its workers had
    with library.write() as session:
        jobs.retry(session, number)
    with Supervisor(library, workers=1):
        until(lambda: ended(library))
    with library.read() as session:
        assert [job.state for job in jobs.listed(session)] == ["done"] * 3
    assert [row.performance.state for row in catalogue.listed(library).rows] == ["ready"] * 2
    assert library.store.ids() == ["v0", "v1"]
    assert not list(library.folder.root.rglob("*.part"))


def test_workers_end_with_a_server_that_is_killed(library, tmp_path):
    code = f"""
import time
from toprock.library import Library, Supervisor
with Supervisor(Library({str(library.folder.root)!r}), workers=1) as supervisor:
    time.sleep(1.0)
    print(supervisor._workers[0].process.pid, flush=True)
    time.sleep(60)
"""
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        pid = int(server.stdout.readline())
        server.kill()
    until(lambda: not Path(f"/proc/{pid}").exists(), 10)


@pytest.mark.parametrize(
    ("bounds", "words"),
    [
        (Bounds(worker_memory_mb=20), r"needs more than the 20 MB of memory.*worker_memory_mb under \[room\]"),
        (Bounds(job_hours=1 / 3600), r"longer than the 0\.000277778 hours.*job_hours under \[room\]"),
    ],
)
def test_a_job_beyond_its_bounds_is_given_up_and_the_next_one_is_done(library, make_video, tmp_path, bounds, words):
    video = make_video(tmp_path / "long.mp4", frames=1500, size=(320, 180))
    intake.add_video(library, video, filename="long.mp4", owned=False)
    with Supervisor(library, workers=1, bounds=bounds):
        until(lambda: ended(library))
    with library.read() as session:
        (job,) = jobs.listed(session)
        assert job.state == "failed"
        assert re.search(words, job.problem)
        jobs_again = job.id
    with library.write() as session:
        jobs.retry(session, jobs_again)
    with Supervisor(library, workers=1, bounds=Bounds()):
        until(lambda: ended(library))
    assert state_of(library, jobs_again)[0] == "done"
