"""How a room is opened: to whom, with what limits."""

from __future__ import annotations

import contextlib
import ipaddress
import socket
from dataclasses import dataclass
from pathlib import Path

from toprock.errors import UsageError

_SHORTEST_PASSWORD = 8


@dataclass(frozen=True, kw_only=True)
class Settings:
    """How a room is opened.

    Attributes:
        host, port: where it listens.
        password: of the owner; empty lets everybody in who reaches it, which only this machine may.
        judge_password: of those who may watch and judge, and nothing else; empty lets none in.
        hosts: further names by which browsers may call it, as behind a proxy; other machines reach it then.
        folders: where videos may be pointed at when the room is open to a network; on this machine alone, anywhere.
        max_upload: bytes of one video.
        stall_s: seconds after which an upload that sends nothing is ended.
        max_connections: at once; further ones are refused (503).

    Raises:
        UsageError: it would be open to a network without a password, or a password is too short or both are one.

    >>> Settings(host="0.0.0.0")  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    toprock.errors.UsageError: 0.0.0.0 can be reached from other machines, and there is no password. Set ...
    """

    host: str = "127.0.0.1"
    port: int = 8000
    password: str = ""
    judge_password: str = ""
    hosts: tuple[str, ...] = ()
    folders: tuple[Path, ...] = ()
    max_upload: int = 16 << 30
    stall_s: float = 30.0
    max_connections: int = 1000

    def __post_init__(self) -> None:
        if (away := self._away) and not self.password:
            raise UsageError(
                f"{away} can be reached from other machines, and there is no password",
                advice="Set TOPROCK_PASSWORD, or leave --host and --allow-host out to serve this machine alone.",
            )
        for name, value in (("TOPROCK_PASSWORD", self.password), ("TOPROCK_JUDGE_PASSWORD", self.judge_password)):
            if value and len(value) < _SHORTEST_PASSWORD:
                raise UsageError(f"{name} has {len(value)} characters", advice=f"Take {_SHORTEST_PASSWORD} or more.")
        if self.judge_password and self.judge_password == self.password:
            raise UsageError("judges and owner have one password", advice="Give judges another one.")
        if self.judge_password and not self.password:
            raise UsageError("there is a password for judges, and none for the owner", advice="Set TOPROCK_PASSWORD.")

    @property
    def local(self) -> bool:
        """Whether only this machine can reach it: it listens here alone, and goes by no other name."""
        return not self._away

    @property
    def _away(self) -> str:
        """A name by which other machines reach it, or empty."""
        return next((name for name in (self.host, *self.hosts) if not _is_this_machine(name)), "")

    @property
    def names(self) -> frozenset[str]:
        """What may stand as host in a request, without the port, in small letters."""
        found = {"localhost", "127.0.0.1", "::1", self.host.lower(), *(name.lower() for name in self.hosts)}
        if self.host in ("0.0.0.0", "::"):
            found |= _names_of_this_machine()
        return frozenset(found)


def _is_this_machine(name: str) -> bool:
    if name.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False


def _names_of_this_machine() -> set[str]:
    name = socket.gethostname().lower()
    found = {name, f"{name}.local"}
    # the address that other machines most likely use; no packet is sent, and no name server is asked
    with contextlib.suppress(OSError), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.connect(("192.0.2.1", 9))
        found.add(probe.getsockname()[0])
    return found
