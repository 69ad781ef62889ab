"""Tasks in processes of this machine."""

from __future__ import annotations

import concurrent.futures.process
import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Generator, Mapping
from multiprocessing.connection import Connection

from toprock.engines.base import K, Needs, T
from toprock.errors import Lost
from toprock.machine import cores


class LocalEngine:
    """A process a core; they end at once with this one, or with an interrupt.

    Args:
        workers: processes; None is one a core.

    >>> import operator
    >>> from functools import partial
    >>> dict(LocalEngine(1).run({"a": partial(operator.add, 1, 2)}))
    {'a': 3}
    """

    def __init__(self, workers: int | None = None) -> None:
        self._workers = workers or cores()

    @property
    def accelerators(self) -> float:
        """None is shared out: tasks see those of this machine as they are."""
        return 0.0

    def run(
        self, tasks: Mapping[K, Callable[[], T]], needs: Needs = Needs()
    ) -> Generator[tuple[K, T | Lost], None, None]:
        """See `Engine`; where one process suffices, it is this one."""
        count = min(max(1, self._workers // needs.cpus), len(tasks))
        if count <= 1:
            for key, task in tasks.items():
                yield key, task()
            return
        spawn = multiprocessing.get_context("spawn")
        theirs, ours = spawn.Pipe(duplex=False)
        pool = concurrent.futures.ProcessPoolExecutor(count, spawn, _follow, (theirs,))
        left = set(tasks)
        try:
            # processes keep the mask they are started under: an interrupt is this one's to answer
            before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
            try:
                running = {pool.submit(task): key for key, task in tasks.items()}
            finally:
                signal.pthread_sigmask(signal.SIG_SETMASK, before)
            for future in concurrent.futures.as_completed(running):
                result = future.result()
                left.discard(running[future])
                yield running[future], result
        except concurrent.futures.process.BrokenProcessPool:
            lost = Lost(
                "a process was lost, most likely for want of memory", advice="Leave it more memory, and try again."
            )
            for key in [key for key in tasks if key in left]:
                yield key, lost
        finally:
            ours.close()
            pool.shutdown(cancel_futures=True)

    def close(self) -> None:
        """Nothing is kept between runs."""


def _follow(parent: Connection) -> None:
    """End when the other end of the pipe is closed, in the middle of a task too."""

    def wait() -> None:
        parent.poll(None)
        os._exit(1)

    threading.Thread(target=wait, daemon=True).start()
