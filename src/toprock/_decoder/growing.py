"""A file that is still being written, read in order; at its end there is a wait for more."""

from __future__ import annotations

import contextlib
import fcntl
import os
import signal
import time
from collections.abc import Callable
from typing import Any

_LOOK_S = 0.05  # from one look at a file that does not grow to the next
_CLOSED_S = 1.0  # a writer may close a file and open it again


class Stop:
    """Whether the parent has asked for an end (SIGUSR1): what was read by then is worked through and told."""

    def __init__(self) -> None:
        self.wanted = False
        signal.signal(signal.SIGUSR1, self._want)

    def _want(self, *_: Any) -> None:
        self.wanted = True


class Growing:
    """What PyAV reads from in place of a file: has no `seek`, so that nothing is looked for at an end that moves.

    Args:
        path: the file.
        quiet_s: it has ended when nothing has come for so long.
        on_wait: called again and again while nothing comes.

    Attributes:
        ended: why there is no more: closed (by its writer), quiet, stopped (by the parent), cut (it became shorter);
            empty while it goes on.
    """

    def __init__(self, path: str, quiet_s: float, on_wait: Callable[[], None]) -> None:
        self._file = os.open(os.fsencode(path), os.O_RDONLY)
        self._quiet_s, self._on_wait, self._stop = quiet_s, on_wait, Stop()
        self._at = 0
        self._since_s: float | None = None  # when it was found not to have grown
        self._written = self._has_writer()
        self.ended = ""

    def read(self, size: int) -> bytes:
        """The next bytes, `size` at most; none at the end."""
        while not self._over():
            if data := os.read(self._file, size):
                self._at, self._since_s = self._at + len(data), None
                return data
            self._wait()
        return b""

    def _over(self) -> bool:
        if self._stop.wanted and not self.ended:
            self.ended = "stopped"
        return bool(self.ended)

    def _wait(self) -> None:
        now_s = time.monotonic()
        self._since_s = now_s if self._since_s is None else self._since_s
        quiet_s = now_s - self._since_s
        writer = self._has_writer()
        self._written |= writer
        if os.fstat(self._file).st_size < self._at:
            self.ended = "cut"
        elif quiet_s > _CLOSED_S and self._written and not writer:
            self.ended = "closed"
        elif quiet_s > self._quiet_s:
            self.ended = "quiet"
        else:
            self._on_wait()
            time.sleep(_LOOK_S)

    def _has_writer(self) -> bool:
        """Whether the file is open for writing: then the kernel grants no lease. False where it cannot tell.

        It can tell of writers on this machine only, so that no writer means something only where one was seen before.
        """
        if not hasattr(fcntl, "F_SETLEASE"):
            return False
        try:
            # who opens the file just now sends a signal, by default the one by which the parent ends this process
            fcntl.fcntl(self._file, fcntl.F_SETSIG, signal.SIGURG)
            fcntl.fcntl(self._file, fcntl.F_SETLEASE, fcntl.F_RDLCK)
        except BlockingIOError:
            return True
        except OSError:  # another's file, or a file system without leases
            return False
        with contextlib.suppress(OSError):
            fcntl.fcntl(self._file, fcntl.F_SETLEASE, fcntl.F_UNLCK)
        return False
