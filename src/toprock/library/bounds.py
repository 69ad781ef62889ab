"""What the room may cost the machine: the section [room] of its settings."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass

from toprock.errors import UsageError
from toprock.machine import memory_mb
from toprock.settings import section

_MOST = {"workers": 64, "max_connections": 100_000}


@dataclass(frozen=True, kw_only=True)
class Bounds:
    """Bounds on a room and its jobs.

    Attributes:
        max_upload_mb: of one video.
        upload_stall_s: seconds after which an upload that sends nothing is ended.
        max_connections: at once, those that wait included; further ones are refused (503).
        workers: processes that look, train and score; 0 is one a core, two at most.
        worker_memory_mb: of one (Linux); a job that needs more is given up. 0: they share three quarters of all.
        job_hours: that a job may take; one that needs longer is given up, and may be tried again from where it was.

    Raises:
        UsageError: a value is not a number above 0.

    >>> Bounds(job_hours=12).job_hours
    12
    """

    max_upload_mb: int = 16384
    upload_stall_s: float = 30.0
    max_connections: int = 1000
    workers: int = 0
    worker_memory_mb: int = 0
    job_hours: float = 48.0

    def __post_init__(self) -> None:
        for name, value in asdict(self).items():
            least_is_none, most = name in ("workers", "worker_memory_mb"), _MOST.get(name, 1_000_000_000)
            if not math.isfinite(value) or not 0 <= value <= most or (value == 0 and not least_is_none):
                advice = f"Give a number {'from 0 on' if least_is_none else 'above 0'}, {most:,} at most."
                raise UsageError(f"{name} is {value!r}", advice=advice)

    @classmethod
    def chosen(cls) -> Bounds:
        """Those in this machine's settings; see `toprock.settings`.

        Raises:
            UsageError: the settings cannot be read.
        """
        return section("room", cls)

    def share_mb(self, workers: int) -> int:
        """Memory that one of so many workers may take."""
        return self.worker_memory_mb or memory_mb() * 3 // 4 // max(1, workers)
