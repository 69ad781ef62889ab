"""The parent's side of the guarded decoder: starts, times and ends it, reads its messages, names its end."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import select
import signal
import struct
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from toprock import errors
from toprock.errors import DecoderFailed, VideoError
from toprock.shortage import advice_on
from toprock.video.limits import Limits

# -P: nothing in the folder that the user works in is imported in place of a library.
DECODER = (sys.executable, "-P", "-m", "toprock._decoder")
HEADER = struct.Struct("<cI")  # kind of message, bytes that follow
_PIPE_BYTES = 1 << 20
_MAX_TEXT = 1 << 20
_KINDS: Mapping[str, type[VideoError]] = {
    name: getattr(errors, name)
    for name in ("UnreadableVideo", "EmptyVideo", "TruncatedVideo", "VideoTooLarge", "DecoderFailed")
}


class Message(NamedTuple):
    """One message: its kind (I info, F frame, S sound, M media, D done), its JSON values; its bytes (F, S, M)."""

    kind: bytes
    values: dict[str, Any]
    body: bytearray


class GuardedDecoder:
    """A child process that decodes one video and ends with this object, whatever happens to either.

    Args:
        path: the video, for error messages.
        job: JSON values for the child.
        limits: bounds; memory and processor are enforced by the child's kernel limits, time here.
        max_body: bytes that one message may hold; a child that says more is not believed.
        command: what to run; tests put misbehaving programs here.

    Attributes:
        on_wait: called now and then, from `read`, while the child is at work and has nothing to give.
    """

    on_wait: Callable[[], None] | None = None

    def __init__(
        self,
        path: Path,
        job: Mapping[str, Any],
        limits: Limits,
        *,
        max_body: int = _MAX_TEXT,
        command: Sequence[str] = DECODER,
    ) -> None:
        self._path, self._limits = path, limits
        self._max_body = max(max_body, _MAX_TEXT)
        complaints = None
        try:
            # lives as long as the child
            self._complaints = complaints = tempfile.TemporaryFile()  # noqa: SIM115
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=self._complaints,
                bufsize=0,
                process_group=0,  # an interrupt at the keyboard reaches the parent only
                env={**os.environ, "MALLOC_ARENA_MAX": "2", "PYTHONUNBUFFERED": ""},
            )
        except OSError as problem:
            if complaints is not None:
                complaints.close()
            raise DecoderFailed(
                path,
                f"the decoder could not be started ({problem.strerror})",
                advice=advice_on(problem),
            ) from problem
        assert self._process.stdin and self._process.stdout
        self._leash, self._pipe = self._process.stdin, self._process.stdout
        self._poll = select.poll()
        self._poll.register(self._pipe, select.POLLIN)
        if hasattr(fcntl, "F_SETPIPE_SZ"):
            with contextlib.suppress(OSError):
                fcntl.fcntl(self._pipe, fcntl.F_SETPIPE_SZ, _PIPE_BYTES)
        try:
            # The leash stays open: the kernel tells the child when the parent lets go of it, however it ends.
            self._leash.write(json.dumps({**job, "limits": limits.to_json()}).encode() + b"\n")
        except OSError:
            pass  # it has ended already; the first read says why
        except BaseException:
            self.close()
            raise

    def read(self) -> Message:
        """The next message; waits for it at most `stall_s`.

        Raises:
            VideoError: what the child reports, or how it ended.
        """
        try:
            while True:
                kind, size = HEADER.unpack(self._exactly(HEADER.size))
                if kind not in b"IFSMPDE" or size > self._max_body:
                    raise self.nonsense()
                body = self._exactly(size)
                if kind in b"FSM":
                    return Message(kind, {}, body)
                if kind == b"P":
                    if self.on_wait is not None:
                        self.on_wait()
                else:
                    values = self._values(body)
                    if kind == b"E":
                        raise self._reported(values)
                    return Message(kind, values, body)
        except BaseException:
            self.close()
            raise

    def stop(self) -> None:
        """Ask a child that follows a source, and has said what it is, to end here and tell what it has read."""
        self._process.send_signal(signal.SIGUSR1)

    def close(self) -> None:
        """End the child at once and wait for it; may be called twice."""
        if self._process.poll() is None:
            self._process.kill()
        with contextlib.suppress(OSError):
            self._leash.close()
        self._pipe.close()
        self._process.wait()
        self._complaints.close()

    @property
    def pid(self) -> int:
        """Process id of the child."""
        return self._process.pid

    def nonsense(self) -> DecoderFailed:
        """The error for a child that does not keep to the protocol."""
        return self._failed("the decoder sent nonsense")

    def _values(self, body: bytearray) -> dict[str, Any]:
        try:
            values = json.loads(body)
        except ValueError:
            raise self.nonsense() from None
        if not isinstance(values, dict):
            raise self.nonsense()
        return values

    def _exactly(self, size: int) -> bytearray:
        data = bytearray(size)
        view = memoryview(data)
        while view:
            deadline = time.monotonic() + self._limits.stall_s
            while not self._poll.poll(min(3600.0, max(0.0, deadline - time.monotonic())) * 1000):
                if time.monotonic() >= deadline:
                    raise self._failed(f"decoding hung: nothing for {self._limits.stall_s:g} s")
            got = self._pipe.readinto(view)  # type: ignore[attr-defined]
            if not got:
                raise self._lost()
            view = view[got:]
        return data

    def _reported(self, report: Mapping[str, str]) -> VideoError:
        error = _KINDS.get(report.get("kind", ""), DecoderFailed)
        return error(self._path, str(report.get("what", "")), advice=str(report.get("advice", "")))

    def _lost(self) -> VideoError:
        """The child closed its pipe without a word: say how it ended."""
        try:
            status = self._process.wait(timeout=self._limits.stall_s)
        except subprocess.TimeoutExpired:
            return self._failed("the decoder fell silent and was stopped")
        if status == -signal.SIGXCPU:
            return self._failed(f"decoding took more than {self._limits.cpu_s:g} s of processor time")
        if status < 0:
            with contextlib.suppress(ValueError):
                return self._failed(f"the decoder crashed ({signal.Signals(-status).name})")
            return self._failed(f"the decoder crashed (signal {-status})")
        self._complaints.seek(0)
        lines = self._complaints.read(1 << 16).decode("utf-8", "replace").strip().splitlines()
        because = f": {lines[-1][:300]}" if lines else ""
        return self._failed(f"the decoder ended early (exit status {status}){because}")

    def _failed(self, what: str) -> DecoderFailed:
        return DecoderFailed(self._path, what, advice=reencode(self._path))


def reencode(path: Path) -> str:
    """Advice that mends most videos."""
    return f"Re-encode it: ffmpeg -i '{path.name}' -c:v libx264 -an '{path.stem}-mended.mp4'."
