"""Commands that are started quickly, one at a time, and killed: all of their processes, or some."""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
_WITHIN_S = 120.0


class Hung(Exception):
    """A command did not end in time."""


@dataclass
class Command:
    """A command that runs; its output goes to files.

    Attributes:
        pid: of its first process.
        temporary: its TMPDIR, by which its other processes are known.
    """

    pid: int
    temporary: Path
    out: Path
    told: Path
    _server: socket.socket
    _status: list[int] = field(default_factory=list)

    def over(self, within_s: float = 0.0) -> bool:
        """Whether it has ended, or does within so many seconds."""
        if not self._status and select.select([self._server], [], [], within_s)[0]:
            self._status.append(int(self._server.recv(99)))
        return bool(self._status)

    def status(self, within_s: float = _WITHIN_S) -> int:
        """Waits for its end.

        Raises:
            Hung: it does not come.
        """
        if not self.over(within_s):
            self.kill()
            raise Hung(f"it had not ended after {within_s:.0f} s")
        return self._status[0]

    def kill(self, name: str = "") -> bool:
        """SIGKILL to all its processes at once; or to the first one whose command line holds `name`, or is `first`."""
        if name == "first":
            hit = not self.over() and _killed(self.pid)
            self.over(_WITHIN_S)
            return hit
        if name:
            return any(_killed(pid) for pid in self.others() if name in command_line(pid))
        hit = not self.over() and _killed(self.pid)
        while others := self.others():
            for pid in others:
                _killed(pid)
            time.sleep(0.002)
        self.over(_WITHIN_S)
        return hit

    def others(self) -> list[int]:
        """Its living processes but the first."""
        return marked(self.temporary)


@contextlib.contextmanager
def commands(folder: Path) -> Iterator[Start]:
    """Gives what starts commands; outputs go to `folder`."""
    here, there = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    server = [sys.executable, ROOT / "tests/command_server.py", str(there.fileno())]
    with subprocess.Popen(server, pass_fds=[there.fileno()], stdin=subprocess.DEVNULL), here:
        there.close()
        start = Start(here, folder)
        start("--version", temporary=folder / "temporary").status()  # it has its libraries from here on
        yield start


@dataclass
class Start:
    """Starts `python -m MODULE ARGUMENTS`."""

    _server: socket.socket
    _folder: Path
    _count: int = 0

    def __call__(self, *arguments: object, temporary: Path, module: str = "toprock") -> Command:
        """Start it with this folder for temporary files."""
        temporary.mkdir(exist_ok=True)
        self._count += 1
        out, told = (self._folder / f"{self._count}.{name}" for name in ("out", "told"))
        request = {
            "arguments": [*map(str, arguments)],
            "folder": str(ROOT),
            "environment": os.environ | {"TMPDIR": str(temporary), "TOPROCK_LOG": "off"},
            "module": module,
        }
        with out.open("wb") as first, told.open("wb") as second:
            message = json.dumps(request).encode()
            socket.send_fds(self._server, [message], [first.fileno(), second.fileno()])
        return Command(int(self._server.recv(99)), temporary, out, told, self._server)


def marked(temporary: Path) -> list[int]:
    """Living processes that were started with this TMPDIR."""
    mark = f"TMPDIR={temporary}".encode()
    found = []
    for place in Path("/proc").iterdir():
        with contextlib.suppress(OSError):
            if place.name.isdigit() and mark in (place / "environ").read_bytes().split(b"\0"):
                found.append(int(place.name))
    return found


def command_line(pid: int) -> str:
    """What a process was started as; empty where it has ended."""
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
    return ""


def _killed(pid: int) -> bool:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)
        return True
    return False
