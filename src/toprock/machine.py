"""What this machine has."""

import os
from pathlib import Path

_PAGE_KB = os.sysconf("SC_PAGE_SIZE") >> 10


def cores() -> int:
    """Processor cores that this process may use.

    >>> cores() >= 1
    True
    """
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def memory_mb() -> int:
    """Memory that this machine, or the container that this is, has.

    >>> memory_mb() > 100
    True
    """
    there = os.sysconf("SC_PHYS_PAGES") * _PAGE_KB >> 10
    for limit in ("memory.max", "memory/memory.limit_in_bytes"):
        try:
            there = min(there, int(Path("/sys/fs/cgroup", limit).read_text()) >> 20)
        except (OSError, ValueError):  # no such limit, or "max"
            continue
    return there


def memory_of(pid: int) -> int:
    """Memory in MB that a process has in use; 0 where that cannot be known.

    >>> 0 < memory_of(os.getpid()) < memory_mb()
    True
    """
    try:
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * _PAGE_KB >> 10
    except OSError:
        return 0
