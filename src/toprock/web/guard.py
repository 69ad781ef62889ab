"""What stands before every request: known hosts, visitors who are let in, writes from the room's own pages only,
and bodies that are not too large."""

from __future__ import annotations

import json
from collections.abc import Mapping
from http.cookies import CookieError, SimpleCookie
from urllib.parse import quote

from starlette.concurrency import run_in_threadpool
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from toprock.web.access import COOKIE, Access, Visitor, same_proof
from toprock.web.settings import Settings

_READS = ("GET", "HEAD", "OPTIONS")
_OPEN, _OPEN_BELOW = ("/login", "/healthz", "/static-report.css"), "/static/"
"""What those see who are not let in: these very addresses, and what lies below that one."""
LARGEST_BODY = 1 << 20
_STREAMED = {("POST", "/api/v1/performances"), ("POST", "/api/v1/pairs")}
"""Routes that write bodies to disk as they come, and count for themselves."""
_POLICY = (
    "default-src 'self'; img-src 'self' data:; media-src 'self'; object-src 'none'; base-uri 'none'; "
    "form-action 'self'; frame-ancestors 'none'"
)
_HEADERS: Mapping[str, str] = {
    "content-security-policy": _POLICY,
    "x-content-type-options": "nosniff",
    "referrer-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), microphone=(), geolocation=()",
}


class Guard:
    """ASGI middleware; puts the visitor into the request's state."""

    def __init__(self, app: ASGIApp, access: Access, settings: Settings) -> None:
        self._app, self._access = app, access
        self._names = settings.names

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let a request through, or answer why not."""
        if scope["type"] != "http":
            if scope["type"] == "lifespan":
                await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        send = _with_headers(send)
        host = headers.get("host", "")
        if _name(host) not in self._names:
            await _refuse(scope, send, 403, f"this room is not called '{host[:100]}'", "Open it by its own address.")
            return
        authorization = headers.get("authorization", "")
        visitor = await run_in_threadpool(self._access.visitor, _cookie(headers.get("cookie", "")), authorization)
        scope.setdefault("state", {})["visitor"] = visitor
        path, write = scope["path"], scope["method"] not in _READS
        if not visitor.role and path not in _OPEN and not path.startswith(_OPEN_BELOW):
            if write or path.startswith("/api/") or visitor.by_token:
                await _refuse(scope, send, 401, "you are not let in", "Enter the password, or send the token.")
            else:
                query = scope["query_string"].decode("latin-1")
                await _send_to_login(send, path + (f"?{query}" if query else ""))
            return
        if write and (why := _foreign(headers, scope["scheme"], host, visitor, path)):
            await _refuse(scope, send, 403, why, "Load the page again and repeat what you did.")
            return
        if (scope["method"], path) not in _STREAMED:
            bounded = await _bounded(headers, receive)
            if bounded is None:
                await _refuse(
                    scope, send, 413, f"this is larger than {LARGEST_BODY >> 20} MB", "Send it in several parts."
                )
                return
            receive = bounded
        await self._app(scope, receive, send)


async def _bounded(headers: Headers, receive: Receive) -> Receive | None:
    """The way to a body that is not too large; None where it is. One of undeclared length is read here."""
    if "transfer-encoding" not in headers:  # the server reads no more than is declared
        declared = headers.get("content-length", "0")
        return receive if declared.isdecimal() and int(declared) <= LARGEST_BODY else None
    body, more = bytearray(), True
    while more:
        message = await receive()
        if message["type"] != "http.request":
            break  # whoever sent it is gone
        body += message.get("body", b"")
        more = message.get("more_body", False)
        if len(body) > LARGEST_BODY:
            return None
    waiting: list[Message] = [{"type": "http.request", "body": bytes(body), "more_body": False}]

    async def again() -> Message:
        return waiting.pop() if waiting else await receive()

    return again


def _foreign(headers: Headers, scheme: str, host: str, visitor: Visitor, path: str) -> str:
    """Why a write does not come from the room's own pages; empty where it does."""
    origin, site = headers.get("origin"), headers.get("sec-fetch-site")
    forwarded = headers.get("x-forwarded-proto", scheme)
    if origin is not None and origin not in (f"{scheme}://{host}", f"{forwarded}://{host}"):
        return "this was asked for by another site's page"
    if site is not None and site not in ("same-origin", "none"):
        return "this was asked for by another site's page"
    if path == "/login" or visitor.by_token:
        return ""
    if not same_proof(headers.get("x-proof", ""), visitor.proof):
        return "this was not asked for by a page of this room"
    return ""


def _name(host: str) -> str:
    """A host without its port."""
    host = host.strip().lower()
    if host.startswith("["):
        return host[1:].partition("]")[0]
    return host.partition(":")[0]


def _cookie(header: str) -> str:
    try:
        found = SimpleCookie(header).get(COOKIE)
    except CookieError:
        return ""
    return found.value if found else ""


def _with_headers(send: Send) -> Send:
    async def sending(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            for name, value in _HEADERS.items():
                headers.setdefault(name, value)
            headers.setdefault("cache-control", "no-store")
        await send(message)

    return sending


async def _refuse(scope: Scope, send: Send, status: int, what: str, advice: str) -> None:
    if scope["path"].startswith("/api/"):
        body, kind = json.dumps({"error": what, "advice": advice}).encode(), b"application/json"
    else:
        body, kind = f"{what[:1].upper()}{what[1:]}. {advice}\n".encode(), b"text/plain; charset=utf-8"
    headers = [(b"content-type", kind)]
    if status == 413:
        headers.append((b"connection", b"close"))  # what else was sent is not waited for
    await _answer(send, status, body, headers)


async def _send_to_login(send: Send, then: str) -> None:
    await _answer(send, 303, b"", [(b"location", f"/login?then={quote(then, safe='')}".encode())])


async def _answer(send: Send, status: int, body: bytes, headers: list[tuple[bytes, bytes]]) -> None:
    headers = [*headers, (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
