"""Set the bounds, do one job, report."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import resource
import signal
import sys
from typing import Any

from toprock._decoder.output import Output, Refusal


def main() -> int:
    """Do the job on standard input; status 0 when all, errors of the video included, was reported."""
    pipe = os.dup(1)
    os.dup2(2, 1)  # whatever a library prints must not end up among the messages
    job = json.loads(_line())
    _hold_leash()
    limits = job["limits"]
    _bound(limits)
    output = Output(pipe)
    try:
        import av  # noqa: F401 - inside the bounds, and a missing library is reported

        from toprock._decoder import jobs

        jobs.JOBS[job["job"]](job, output)
    except Refusal as refusal:
        output.error(refusal.kind, refusal.what, refusal.advice)
    except BrokenPipeError:
        return 1
    except MemoryError:
        output.error(
            "DecoderFailed",
            f"decoding needs more than the limit of {limits['memory_mb']} MB of memory",
            "It may be damaged: copy it again; if it is large, scale it down: " + scaled_down(job),
        )
    except ImportError as problem:
        output.error(
            "DecoderFailed",
            f"the decoder cannot start ({str(problem)[:200]})",
            "Raise memory_mb (toprock settings shows where) if it is below 1024; else pip install av again.",
        )
    except Exception as problem:
        output.error(
            "UnreadableVideo",
            f"it is damaged and cannot be decoded ({type(problem).__name__}: {str(problem)[:200]})",
            mended(job),
        )
    # The interpreter's own tidying would wait for threads of a decoder that is no longer wanted.
    os._exit(0)


def scaled_down(job: dict[str, Any]) -> str:
    """An ffmpeg command that makes a smaller copy."""
    stem, ending = os.path.splitext(os.path.basename(job["path"]))  # noqa: PTH119, PTH122 - pathlib is 10 ms
    return f"ffmpeg -i '{stem}{ending}' -vf scale=-2:720 -c:v libx264 '{stem}-720.mp4'."


def mended(job: dict[str, Any]) -> str:
    """An ffmpeg command that makes a whole copy of what can be read."""
    stem, ending = os.path.splitext(os.path.basename(job["path"]))  # noqa: PTH119, PTH122
    return f"Re-encode it: ffmpeg -i '{stem}{ending}' -c:v libx264 -an '{stem}-mended.mp4'."


def _line() -> bytes:
    """Standard input up to the end of the first line; nothing is read ahead of it that blocks."""
    data = b""
    while not data.endswith(b"\n"):
        part = os.read(0, 1 << 16)
        if not part:
            sys.exit(1)
        data += part
    return data


def _hold_leash() -> None:
    """Let the kernel send SIGIO, which ends this process, when the other end of standard input is closed.

    Works while C code holds the interpreter, and, unlike PR_SET_PDEATHSIG, does not fire when merely the
    thread that started this process ends. Where a system lacks it, writing to the closed pipe ends it.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGIO, signal.SIG_DFL)
    with contextlib.suppress(OSError, AttributeError):
        fcntl.fcntl(0, fcntl.F_SETOWN, os.getpid())
        fcntl.fcntl(0, fcntl.F_SETFL, fcntl.fcntl(0, fcntl.F_GETFL) | os.O_ASYNC | os.O_NONBLOCK)
        with contextlib.suppress(BlockingIOError):
            if os.read(0, 1) == b"":  # let go of before the signal was armed
                os._exit(1)


def _bound(limits: dict[str, Any]) -> None:
    memory = int(limits["memory_mb"]) << 20
    cpu = max(1, round(limits["cpu_s"]))
    for name, soft, hard in (
        ("RLIMIT_CORE", 0, 0),
        ("RLIMIT_FSIZE", 1 << 20, 1 << 20),  # of the file that standard error goes to; pipes do not count
        ("RLIMIT_CPU", cpu, cpu + 5),
        ("RLIMIT_AS", memory, memory),
    ):
        kind = getattr(resource, name, None)
        if kind is None:
            continue
        above = resource.getrlimit(kind)[1]
        if above != resource.RLIM_INFINITY:
            soft, hard = min(soft, above), min(hard, above)
        with contextlib.suppress(OSError, ValueError):  # macOS refuses RLIMIT_AS
            resource.setrlimit(kind, (soft, hard))


if __name__ == "__main__":
    sys.exit(main())
