"""Who is let in, as whom, and how a request shows that it comes from the room's own pages."""

from __future__ import annotations

import hashlib
import hmac
import secrets
import time
from dataclasses import dataclass
from datetime import timedelta
from threading import Lock
from typing import Literal

from sqlalchemy import delete

from toprock.files import write_bytes
from toprock.library import Library, tables
from toprock.web.settings import Settings

Role = Literal["owner", "judge", ""]
COOKIE = "toprock"
_STAYS = timedelta(days=14)
_TRIES, _WITHIN_S, _ADDRESSES = 10, 60.0, 10_000


class TooManyTries(Exception):
    """Passwords are being guessed."""


@dataclass(frozen=True)
class Visitor:
    """Who asks: `role` is empty for one who is not let in; `proof` is what writes of this visitor's pages carry."""

    role: Role
    proof: str
    by_token: bool = False


class Access:
    """Passwords, sessions and the token for programs.

    Args:
        library: keeps sessions, and the token in its folder.
        settings: the passwords.
    """

    def __init__(self, library: Library, settings: Settings) -> None:
        self._library, self._settings = library, settings
        self._tries: dict[str, list[float]] = {}
        self._counting = Lock()
        path = library.folder.root / "token"
        if not path.is_file() or not path.read_text().strip():
            write_bytes(path, secrets.token_urlsafe(32).encode() + b"\n", private=True)
        self.token = path.read_text().strip()
        passwords = {"owner": settings.password, "judge": settings.judge_password}
        self._marks = {role: self._mark(password) for role, password in passwords.items() if password}
        with library.write() as session:  # who came in by a password that is no more
            session.execute(delete(tables.Session).where(tables.Session.password.not_in(self._marks.values())))

    def visitor(self, cookie: str, authorization: str) -> Visitor:
        """Who asks, by the cookie or the header of the request."""
        if authorization:
            kind, _, given = authorization.partition(" ")
            right = kind.lower() == "bearer" and _same(given.strip(), self.token)
            return Visitor("owner" if right else "", "", by_token=True)
        if not self._settings.password:
            return Visitor("owner", self._proof("owner"))
        digest = _digest(cookie)
        with self._library.read() as session:
            found = session.get(tables.Session, digest) if cookie else None
        if found is None or found.expires < tables.now() or found.password != self._marks.get(found.role):
            return Visitor("", "")
        return Visitor(found.role, self._proof(digest))  # type: ignore[arg-type]

    def enter(self, password: str, address: str) -> tuple[Role, str]:
        """The role that a password opens, and the cookie to keep; both empty where it opens none.

        Raises:
            TooManyTries: somebody has tried wrong passwords too often in the last minute.
        """
        tried = self._try(address)
        right = {"owner": self._settings.password, "judge": self._settings.judge_password}
        fits: Role = ""
        for role, wanted in right.items():
            if _same(password, wanted) and wanted:
                fits = role  # type: ignore[assignment]
        if not fits:
            return "", ""
        with self._counting:
            if tried in self._tries.get(address, ()):
                self._tries[address].remove(tried)
        cookie = secrets.token_urlsafe(32)
        with self._library.write() as session:
            session.execute(delete(tables.Session).where(tables.Session.expires < tables.now()))
            until, mark = tables.now() + _STAYS, self._marks[fits]
            session.add(tables.Session(digest=_digest(cookie), role=fits, password=mark, expires=until))
        return fits, cookie

    def _try(self, address: str) -> float:
        """Count a try, before it is known whether it is right: those that come at once are counted too."""
        now = time.monotonic()
        with self._counting:
            if len(self._tries) > _ADDRESSES:
                self._tries = {who: at for who, at in self._tries.items() if at and at[-1] > now - _WITHIN_S}
            recent = self._tries[address] = [at for at in self._tries.get(address, []) if at > now - _WITHIN_S]
            if len(recent) >= _TRIES:
                raise TooManyTries
            recent.append(now)
        return now

    def leave(self, cookie: str) -> None:
        """Forget a session."""
        with self._library.write() as session:
            session.execute(delete(tables.Session).where(tables.Session.digest == _digest(cookie)))

    def _mark(self, password: str) -> str:
        """What is kept of a password: of no use to those who have not the token too."""
        text = b"password " + password.encode("utf-8", "surrogatepass")
        return hmac.new(self.token.encode(), text, hashlib.sha256).hexdigest()

    def _proof(self, whose: str) -> str:
        return hmac.new(self.token.encode(), whose.encode(), hashlib.sha256).hexdigest()


def same_proof(given: str, wanted: str) -> bool:
    """Whether a request carries the proof of its visitor's pages."""
    return bool(wanted) and _same(given, wanted)


def _same(given: str, wanted: str) -> bool:
    return hmac.compare_digest(given.encode("utf-8", "surrogatepass"), wanted.encode())


def _digest(cookie: str) -> str:
    return hashlib.sha256(cookie.encode("utf-8", "surrogatepass")).hexdigest()
