"""What tests of judging share: libraries with invented performances, servers in processes of their own, PostgreSQL."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import pwd
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from sqlalchemy import func, select

from toprock.library import Library, tables


def invented(library: Library, count: int, *, state: str = "ready") -> list[str]:
    """Add performances whose videos exist in name only; gives their keys."""
    with library.write() as session:
        keys = []
        here = session.scalar(select(func.count()).select_from(tables.Performance)) or 0
        for number in range(here, here + count):
            video = tables.Video(
                key=tables.new_key(),
                filename=f"secret-name-{number:03}.mp4",
                path=f"/nowhere/{tables.new_key()}.mp4",
                owned=False,
                size=1000,
                digest=tables.new_key(),
                duration_s=30.0,
                width=320,
                height=180,
                rate_hz=25.0,
                codec="h264",
                container="mov",
            )
            session.add(video)
            session.flush()
            row = tables.Performance(
                name=f"p{number:03}", video_key=video.key, performer=f"Secret Performer {number}", state=state
            )
            session.add(row)
            session.flush()
            keys.append(row.key)
    return keys


class Client:
    """One connection to a room, as a program holds it."""

    def __init__(self, port: int, token: str) -> None:
        self._last = time.monotonic()
        self._headers = {"authorization": f"Bearer {token}"}
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)

    def ask(self, method: str, path: str, body: Any = None, *, kind: str = "application/json") -> tuple[int, Any]:
        """Status and JSON (or bytes) of an answer."""
        if time.monotonic() - self._last > 3:
            self._connection.close()  # the room may have; the next request opens it anew
        sent = body if isinstance(body, bytes) or body is None else json.dumps(body).encode()
        self._connection.request(method, path, sent, {**self._headers, "content-type": kind})
        answer = self._connection.getresponse()
        found = answer.read()
        self._last = time.monotonic()
        is_json = (answer.getheader("content-type") or "").startswith("application/json")
        return answer.status, json.loads(found) if is_json else found

    def close(self) -> None:
        self._connection.close()


_SERVE = """
import sys, uvicorn
from toprock.library import Library
from toprock.web import Settings, create_app
root, database, port = sys.argv[1:]
app = create_app(Library(root, database=database), Settings())
uvicorn.run(app, host="127.0.0.1", port=int(port), log_level="warning", access_log=False)
"""


@contextlib.contextmanager
def serving(root: Path, *, database: str = "") -> Iterator[int]:
    """A room in a process of its own, without workers; gives the port."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-c", _SERVE, str(root), database, str(port)]
    process = subprocess.Popen(command, env={**os.environ, "OMP_NUM_THREADS": "1"})
    try:
        for _ in range(400):
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
                break
            assert process.poll() is None, "the room did not open"
            time.sleep(0.05)
        yield port
    finally:
        process.terminate()
        process.wait(timeout=20)


def postgres_programs() -> Path | None:
    """Where PostgreSQL's own programs are; None where it is not installed."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: int(path.parts[-3]))
    if found:
        return found[-1].parent
    on_path = shutil.which("initdb")
    return Path(on_path).resolve().parent if on_path else None


@contextlib.contextmanager
def postgres(programs: Path) -> Iterator[str]:
    """A throw-away cluster that only a socket in its folder leads to; gives its URL for SQLAlchemy."""
    root = os.geteuid() == 0
    person = "nobody" if root else pwd.getpwuid(os.geteuid()).pw_name
    folder = Path(tempfile.mkdtemp(prefix="pg", dir="/tmp"))  # a socket's path may not be long
    me: dict[str, Any] = {"cwd": folder, "env": {"PATH": os.environ["PATH"], "HOME": str(folder), "LC_ALL": "C.UTF-8"}}
    if root:
        shutil.chown(folder, "nobody")
        me |= {"user": "nobody", "group": pwd.getpwnam("nobody").pw_gid, "extra_groups": []}
    command = [programs / "initdb", "-D", folder / "data", "-U", "toprock", "-A", "trust", "-N", "-E", "UTF8"]
    subprocess.run(command, check=True, capture_output=True, **me)
    options = ["-c", "listen_addresses=", "-c", f"unix_socket_directories={folder}", "-c", "fsync=off"]
    server = subprocess.Popen(
        [programs / "postgres", "-D", folder / "data", *options],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        **me,
    )
    try:
        ready = [programs / "pg_isready", "-h", folder, "-U", "toprock", "-d", "postgres"]
        for _ in range(200):
            if subprocess.run(ready, capture_output=True).returncode == 0:
                break
            assert server.poll() is None, f"PostgreSQL did not start as {person}"
            time.sleep(0.05)
        yield f"postgresql+psycopg://toprock@/postgres?host={folder}"
    finally:
        server.send_signal(signal.SIGINT)  # it does not wait for those that are connected
        server.wait(timeout=20)
        shutil.rmtree(folder, ignore_errors=True)
