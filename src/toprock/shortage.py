"""What the machine lacks, in words: memory, open files, a folder for temporary files."""

from __future__ import annotations

import errno

from toprock.errors import ComputeError, StorageError, ToprockError

_NO_MEMORY = (
    *("allocate memory", "failed to map segment", "insufficient memory", "bad_alloc", "start new thread"),
    "error return without exception set",
)
"""How libraries say so: PyTorch, the loader of libraries, OpenCV, C++, threads, Python while it loads one."""
_ADVICE = {
    errno.EMFILE: "Let more files be open at a time (ulimit -n 4096), and try again.",
    errno.ENFILE: "Close other programs, and try again.",
    errno.EAGAIN: "Close other programs, or allow more processes (ulimit -u), and try again.",
    errno.ENOMEM: "Close other programs, or raise the limit on memory (ulimit -v), and try again.",
}


def lacking(problem: BaseException) -> ToprockError | None:
    """What this machine lacks, where that is what an error of Python or of a library says; else None.

    >>> lacking(MemoryError()).message
    'there is not enough memory for this'
    """
    if isinstance(problem, OSError) and problem.errno in _ADVICE:
        return ComputeError(f"this machine gives no more ({problem.strerror})", advice=advice_on(problem))
    if isinstance(problem, OSError) and "temporary directory" in str(problem):
        return StorageError("there is no folder for temporary files that may be written", advice=advice_on(problem))
    if isinstance(problem, MemoryError) or any(sign in str(problem).lower() for sign in _NO_MEMORY):
        return ComputeError("there is not enough memory for this", advice=_ADVICE[errno.ENOMEM])
    return None


def advice_on(problem: OSError) -> str:
    """What to do where something could not be started or opened."""
    if "temporary directory" in str(problem):
        return "Set TMPDIR to a folder on a disk that has room and may be written, and try again."
    return _ADVICE.get(problem.errno or 0, "Close programs, see to it that the disk has room, and try again.")
