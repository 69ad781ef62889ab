"""A room on a free port of this machine, and how to ask it."""

from __future__ import annotations

import contextlib
import http.client
import json
import socket
import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from toprock.library import Library
from toprock.web import Settings, create_app
from toprock.web.serving import server_of


@dataclass(frozen=True)
class Answer:
    """What a room answered."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def text(self) -> str:
        return self.body.decode()


@dataclass(frozen=True)
class Room:
    """An open room."""

    library: Library
    port: int
    token: str

    @property
    def url(self) -> str:
        return f"http://localhost:{self.port}"

    def ask(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        token: bool = True,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """One request; a body that is no bytes is sent as JSON."""
        sent = {"Host": f"localhost:{self.port}"}
        if token:
            sent["Authorization"] = f"Bearer {self.token}"
        if body is not None and not isinstance(body, bytes):
            body = json.dumps(body).encode()
            sent["Content-Type"] = "application/json"
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        try:
            connection.request(method, path, body, sent | dict(headers or {}))
            found = connection.getresponse()
            return Answer(found.status, {k.lower(): v for k, v in found.getheaders()}, found.read())
        finally:
            connection.close()

    def upload(self, content: bytes, filename: str = "a.mp4", **options: Any) -> Answer:
        """Bring in a video."""
        return self.ask("POST", f"/api/v1/performances?filename={filename}", content, **options)


@contextlib.contextmanager
def open_room(library: Library, **options: Any) -> Iterator[Room]:
    """A room without workers, on a thread of this process."""
    app = create_app(library, Settings(**options))
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        server = server_of(app)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
        thread.start()
        while not server.started:
            thread.join(0.02)
            assert thread.is_alive(), "the room did not open"
        try:
            yield Room(library, listener.getsockname()[1], app.state.access.token)
        finally:
            server.should_exit = True
            thread.join(10)


def until(page: Any, expression: str, *, within_s: float = 20.0) -> None:
    """Wait until JavaScript says so in a page whose policy lets Playwright's own waiting do nothing."""
    end = time.monotonic() + within_s
    while not _says(page, expression):
        assert time.monotonic() < end, f"not within {within_s:g} s: {expression}"
        page.wait_for_timeout(15)


def _says(page: Any, expression: str) -> bool:
    from playwright.sync_api import Error

    try:
        return bool(page.evaluate(expression))
    except Error as trouble:
        if "Execution context was destroyed" in str(trouble):  # another page is on its way
            return False
        raise
