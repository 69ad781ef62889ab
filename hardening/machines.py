"""Bad machines: small disks, folders that go away, a clock that jumps, too little of everything; and a real room."""

from __future__ import annotations

import contextlib
import os
import re
import resource
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from tests.conftest import _ask, _command_server
from tests.web.servers import Client

TOPROCK = (sys.executable, "-m", "toprock")
Answer = tuple[int, Any, Mapping[str, str]]


class Ended(NamedTuple):
    """How a command ended, and what it said."""

    status: int
    out: str
    told: str


Command = Callable[..., Ended]


@contextlib.contextmanager
def ready_commands() -> Iterator[Command]:
    """A function that runs a command in a process of its own that has its libraries already."""
    with _command_server() as server:
        yield lambda *words: Ended(*_ask(server, arguments=[*map(str, words)], folder="/", environment=_environment()))


def fresh(*words: object, before: Sequence[str] = (), env: Mapping[str, str] | None = None, **more: Any) -> Ended:
    """Run a command in a Python of its own; `before` stands in front of it."""
    command = [*before, *TOPROCK, *map(str, words)]
    env = _environment() if env is None else dict(env)
    done = subprocess.run(command, capture_output=True, text=True, env=env, timeout=300, check=False, **more)
    return Ended(done.returncode, done.stdout, done.stderr)


def _environment() -> dict[str, str]:
    return {**os.environ, "TOPROCK_LOG": "off", "OMP_NUM_THREADS": "1"}


class Disk:
    """A disk of its own in memory; a context manager.

    Args:
        folder: where it hangs.
        size: as in "120k".
    """

    def __init__(self, folder: Path, size: str) -> None:
        self.folder = folder
        folder.mkdir(parents=True)
        self._mount(f"size={size}")

    def __enter__(self) -> Disk:
        return self

    def __exit__(self, *_: object) -> None:
        self.tear_away()

    def change(self, options: str) -> None:
        """Give it another size (`size=3m`), or make it `ro`."""
        self._mount(f"remount,{options}")

    def tear_away(self) -> None:
        """Take it off, whoever has files of it open."""
        subprocess.run(["umount", "-l", str(self.folder)], capture_output=True, check=False)

    def leave(self, size: int) -> None:
        """Fill it up to so many bytes."""
        ballast = self.folder / ".ballast"
        ballast.unlink(missing_ok=True)
        with ballast.open("wb") as file:
            for less in range(8):  # others may write at this very moment
                free = shutil.disk_usage(self.folder).free
                with contextlib.suppress(OSError):
                    os.posix_fallocate(file.fileno(), 0, max(1, free - size - (less << 16)))
                    return
        raise OSError("the disk cannot be filled up as wanted")

    def _mount(self, options: str) -> None:
        command = ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(self.folder)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            raise OSError(f"no disk can be mounted here: {done.stderr.strip()}")


def mounts() -> bool:
    """Whether disks can be mounted here."""
    command = ["unshare", "-m", "mount", "-t", "tmpfs", "tmpfs", "/mnt"]
    return shutil.which("unshare") is not None and subprocess.run(command, capture_output=True).returncode == 0


def faketime() -> str:
    """The library that sets a process's clock, or empty."""
    found = sorted(Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"))
    return str(found[-1]) if found else ""


class Clock:
    """The clock of the processes that have its `env`; runs on, from where it is `set`.

    Args:
        file: holds how far it is off.
    """

    def __init__(self, file: Path) -> None:
        self._file = file
        self.set(0)

    def set(self, off_s: int) -> None:
        """Let it be off by so many seconds from now on."""
        part = self._file.with_suffix(".new")
        part.write_text(f"{off_s:+d}\n")
        part.replace(self._file)

    @property
    def env(self) -> dict[str, str]:
        """For the processes that have this clock."""
        off = {"FAKETIME_TIMESTAMP_FILE": str(self._file), "FAKETIME_CACHE_DURATION": "1", "DONT_FAKE_MONOTONIC": "1"}
        return {"LD_PRELOAD": faketime(), "FAKETIME_DONT_FAKE_MONOTONIC": "1", **off}


@dataclass
class Room:
    """An open room: `toprock serve` with its workers."""

    folder: Path
    process: subprocess.Popen[str]
    port: int
    said: list[str] = field(default_factory=list)

    def ask(self, method: str, path: str, body: Any = None) -> tuple[int, Any]:
        """Status, and JSON or bytes; each on a connection of its own."""
        client = Client(self.port, (self.folder / "token").read_text().strip())
        try:
            return client.ask(method, f"/api/v1{path}" if not path.startswith("//") else path[1:], body)
        finally:
            client.close()

    def wait(self, number: int, *states: str, within_s: float = 120.0) -> dict[str, Any]:
        """The job as it is when it has one of these states."""
        end = time.monotonic() + within_s
        while True:
            _, job = self.ask("GET", f"/jobs/{number}")
            if job["state"] in states:
                return dict(job)
            if time.monotonic() > end:
                raise TimeoutError(f"job {number} is {job['state']} ({job['problem']}), not {' or '.join(states)}")
            time.sleep(0.05)

    def idle(self, within_s: float = 120.0) -> list[dict[str, Any]]:
        """All jobs, when none waits or runs."""
        end = time.monotonic() + within_s
        while self.ask("GET", "/jobs/waiting")[1]["open"]:
            if time.monotonic() > end:
                raise TimeoutError(f"jobs still wait or run: {self.ask('GET', '/jobs')[1][:2]}")
            time.sleep(0.1)
        return list(self.ask("GET", "/jobs")[1])

    def workers(self) -> dict[str, int]:
        """Name of a worker -> its process."""
        found = {}
        for place in Path("/proc").iterdir():
            with contextlib.suppress(OSError):
                words = (place / "cmdline").read_text().split("\0") if place.name.isdigit() else []
                if "toprock.library.worker" in words and str(self.folder) in words:
                    found[words[words.index(str(self.folder)) + 1]] = int(place.name)
        return found

    def worker_of(self, number: int, within_s: float = 60.0) -> int:
        """The process that does a job, when it does."""
        end = time.monotonic() + within_s
        while time.monotonic() < end:
            job = self.ask("GET", f"/jobs/{number}")[1]
            if job["state"] == "running" and job["stage"]:
                # one that looks at videos is the only one with a decoder
                for pid in self.workers().values():
                    if children_of(pid):
                        return pid
            time.sleep(0.02)
            if job["state"] in ("done", "failed"):
                raise TimeoutError(f"job {number} is {job['state']} already: {job['problem']}")
        raise TimeoutError(f"nobody does job {number}, which is {job['state']}: {job['stage']}, {self.workers()}")


@contextlib.contextmanager
def open_room(folder: Path, *, env: Mapping[str, str] | None = None) -> Iterator[Room]:
    """Open a room, and close it."""
    command = [*TOPROCK, "serve", str(folder), "--port", "0"]
    told = folder.with_name(f"{folder.name}-{time.monotonic_ns()}.log")
    with told.open("w") as log:
        process = subprocess.Popen(command, stderr=log, text=True, env={**_environment(), **(env or {})})
    try:
        end = time.monotonic() + 60
        while not (found := re.search(r"http://localhost:(\d+)", told.read_text())):
            if process.poll() is not None or time.monotonic() > end:
                raise OSError(f"the room did not open: {told.read_text()}")
            time.sleep(0.05)
        room = Room(folder, process, int(found[1]))
        while True:
            try:
                room.ask("GET", "/jobs/waiting")
                break
            except OSError:
                if time.monotonic() > end:
                    raise
            time.sleep(0.05)
        yield room
    finally:
        process.send_signal(signal.SIGINT)
        try:
            process.wait(timeout=20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def children_of(pid: int) -> list[int]:
    """Processes that this one started."""
    with contextlib.suppress(OSError):
        tasks = Path(f"/proc/{pid}/task").glob("*/children")
        return [int(child) for task in tasks for child in task.read_text().split()]
    return []


def memory_of(pid: int) -> int:
    """Bytes of address space."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[0]) * resource.getpagesize()


def starve(pid: int, more: int) -> None:
    """Let a process have only so many bytes more than it has."""
    size = memory_of(pid) + more
    resource.prlimit(pid, resource.RLIMIT_AS, (size, resource.RLIM_INFINITY))


def feed(pid: int) -> None:
    """Take that limit away."""
    resource.prlimit(pid, resource.RLIMIT_AS, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))


def open_files(pid: int, count: int) -> None:
    """Let a process open files up to this number."""
    _, most = resource.prlimit(pid, resource.RLIMIT_NOFILE)
    resource.prlimit(pid, resource.RLIMIT_NOFILE, (count, most))


_HOLD = """
import sqlite3, sys, time
held = sqlite3.connect(sys.argv[1], isolation_level=None)
held.execute("PRAGMA busy_timeout=30000")
held.execute("BEGIN IMMEDIATE")
print("held", flush=True)
time.sleep(float(sys.argv[2]))
held.execute("ROLLBACK")
"""


@contextlib.contextmanager
def held(database: Path, seconds: float) -> Iterator[subprocess.Popen[str]]:
    """Another program holds the lock of a database for so long."""
    command = [sys.executable, "-c", _HOLD, str(database), str(seconds)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout is not None
        other.stdout.readline()
        try:
            yield other
        finally:
            other.kill()


def idle_connections(port: int, count: int) -> list[socket.socket]:
    """Connections that say nothing."""
    found = []
    for _ in range(count):
        with contextlib.suppress(OSError):
            found.append(socket.create_connection(("127.0.0.1", port), timeout=2))
    return found
