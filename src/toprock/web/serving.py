"""Serving a room: the web server, and beside it the workers."""

from __future__ import annotations

import contextlib
import fcntl
import resource
import shutil
import socket
from collections.abc import Callable, Iterator
from typing import IO

import uvicorn
from fastapi import FastAPI

from toprock.errors import LibraryError, UsageError
from toprock.library import Library, Supervisor
from toprock.library.sweeping import sweep_arrivals
from toprock.web.app import create_app
from toprock.web.settings import Settings


def serve(
    library: Library, settings: Settings, *, workers: int | None = None, say: Callable[[str], None] = print
) -> None:
    """Serve until interrupted.

    Raises:
        UsageError: the address is taken or is not this machine's, or the library is being served already.
        LibraryError: the database does not answer.
    """
    with alone(library) as lock:
        _serve(library, settings, workers, say, lock)


@contextlib.contextmanager
def alone(library: Library) -> Iterator[IO[str]]:
    """Be the one server of a library; what others left half way among uploads goes. Gives the file of the lock.

    Raises:
        UsageError: there is another server.
        LibraryError: the file system has no locks.
    """
    path = library.folder.root / "lock"
    with path.open("a+", encoding="utf-8") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.seek(0)
            where = lock.read().strip()
            raise UsageError(
                f"{library.folder.root}: this library is open already{f', at {where}' if where else ''}",
                advice="Use the room that is open, or close it first.",
            ) from None
        except OSError as problem:
            raise LibraryError(
                f"{library.folder.root}: cannot be locked ({problem.strerror})",
                advice="Keep the library on a disk of this machine.",
            ) from None
        lock.truncate(0)
        for left in library.folder.incoming.iterdir():
            shutil.rmtree(left) if left.is_dir() and not left.is_symlink() else left.unlink(missing_ok=True)
        sweep_arrivals(library)
        yield lock
        lock.truncate(0)


def _serve(
    library: Library, settings: Settings, workers: int | None, say: Callable[[str], None], lock: IO[str]
) -> None:
    _let_files_be_open(settings.max_connections)
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((settings.host, settings.port))
        listener.listen(128)  # who comes before the server is ready waits
    except OSError as problem:
        listener.close()
        raise UsageError(
            f"{settings.host}:{settings.port} cannot be listened at ({problem.strerror})",
            advice="Choose another --port or --host.",
        ) from None
    server = server_of(create_app(library, settings), settings.max_connections)
    with listener, Supervisor(library, workers=workers, alone=True):
        port = listener.getsockname()[1]
        shown = "localhost" if settings.local else settings.host
        lock.write(f"http://{shown}:{port}")
        lock.flush()
        say(f"the room is open at http://{shown}:{port}  (Ctrl-C closes it)")
        with contextlib.suppress(KeyboardInterrupt):  # uvicorn passes on the signal that it has answered
            server.run(sockets=[listener])
    library.close()
    say("the room is closed; jobs that were running go on when it is opened again.")


def _let_files_be_open(connections: int) -> None:
    """Allow as many open files as connections and workers need, where the system lets a process do so."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = connections + 500
    if soft != resource.RLIM_INFINITY and soft < wanted:
        most = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        with contextlib.suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))


def server_of(app: FastAPI, max_connections: int = Settings.max_connections) -> uvicorn.Server:
    """The web server of a room: it says little of itself, and does not wait long for those who do not speak."""
    return uvicorn.Server(
        uvicorn.Config(
            app,
            ws="none",
            log_level="warning",
            access_log=False,
            server_header=False,
            timeout_keep_alive=30,
            limit_concurrency=max_connections + 1,  # the one that asks counts
            h11_max_incomplete_event_size=64 << 10,
            timeout_graceful_shutdown=3,
        )
    )
