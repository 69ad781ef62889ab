"""Serving a room: the web server, and beside it the workers."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Callable

import uvicorn
from fastapi import FastAPI

from toprock.errors import UsageError
from toprock.library import Library, Supervisor
from toprock.web.app import create_app
from toprock.web.settings import Settings


def serve(
    library: Library, settings: Settings, *, workers: int | None = None, say: Callable[[str], None] = print
) -> None:
    """Serve until interrupted.

    Raises:
        UsageError: the address is taken or is not this machine's.
        LibraryError: the database does not answer.
    """
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
    server = server_of(create_app(library, settings))
    with listener, Supervisor(library, workers=workers):
        port = listener.getsockname()[1]
        shown = "localhost" if settings.local else settings.host
        say(f"the room is open at http://{shown}:{port}  (Ctrl-C closes it)")
        with contextlib.suppress(KeyboardInterrupt):  # uvicorn passes on the signal that it has answered
            server.run(sockets=[listener])
    library.close()
    say("the room is closed; jobs that were running go on when it is opened again.")


def server_of(app: FastAPI) -> uvicorn.Server:
    """The web server of a room: it says little of itself, and does not wait long for those who do not speak."""
    return uvicorn.Server(
        uvicorn.Config(
            app,
            ws="none",
            log_level="warning",
            access_log=False,
            server_header=False,
            timeout_keep_alive=30,
            h11_max_incomplete_event_size=64 << 10,
            timeout_graceful_shutdown=3,
        )
    )
