"""Networks at work beside the reading of videos: batches fill across videos, and reading goes on meanwhile."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import numpy as np

from toprock.backbones.base import Compute, Network, NetworkBackbone, Segment
from toprock.errors import ComputeError, ToprockError
from toprock.features.recipe import Recipe
from toprock.features.spool import Spool

AHEAD = 2
"""Batches that may wait for a network; readers then pause, which bounds memory."""


@dataclass
class _Line:
    """Segments that wait for one network, in the order in which they came."""

    network: Network
    waiting: deque[tuple[Segment, Spool]] = field(default_factory=deque)


class Encoding:
    """Takes segments from any number of reading threads and puts their features into the spools they belong to.

    One thread shows them to the networks, a batch at a time, in order, and ends when nobody reads any more. A batch
    that is not full is shown when every reader waits for its last segments. Networks are loaded once, when first
    needed. On an accelerator the next batch is on its way before the features of the last one are fetched. What goes
    wrong with a network is raised by all who read at that time.

    Args:
        compute: where and how networks run.

    >>> with Encoding() as encoding, encoding.reading():
    ...     encoding.finish([])
    """

    def __init__(self, compute: Compute | None = None) -> None:
        self._compute = compute or Compute()
        self._changed = threading.Condition()
        self._loading = threading.Lock()
        self._lines: dict[Recipe, _Line] = {}
        self._pending: dict[Spool, int] = {}
        self._failed: dict[Spool, ToprockError] = {}
        self._readers = self._finishing = 0
        self._closed = False
        self._problem: BaseException | None = None
        self._thread: threading.Thread | None = None

    def __enter__(self) -> Encoding:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Stop; readers that still wait are told so."""
        with self._changed:
            self._closed, thread = True, self._thread
            self._changed.notify_all()
        if thread is not None:
            thread.join()

    def paces(self) -> dict[str, str]:
        """How the networks that are loaded run: name of the backbone -> device, precision, threads."""
        with self._changed:
            return {recipe.backbone: line.network.pace for recipe, line in self._lines.items()}

    def load(self, backbone: NetworkBackbone, network: Network | None = None) -> Network:
        """The network of a backbone, which is loaded where it is not yet.

        Args:
            backbone: whose network.
            network: to be taken as its network, in place of loading it.

        Raises:
            WeightsError, ComputeError: as `NetworkBackbone.open`.
        """
        recipe = Recipe.of(backbone)
        with self._loading:
            if recipe not in self._lines:
                line = _Line(network or backbone.open(self._compute))
                with self._changed:
                    self._lines[recipe] = line
            return self._lines[recipe].network

    @contextmanager
    def reading(self) -> Iterator[None]:
        """While a thread reads a video and may hand segments in."""
        with self._changed:
            self._readers += 1
        try:
            yield
        finally:
            with self._changed:
                self._readers -= 1
                if not self._readers:
                    self._problem = None  # all who had to do with it were told
                    for line in self._lines.values():
                        line.waiting.clear()
                    self._pending.clear()
                    self._failed.clear()
                self._changed.notify_all()

    def put(self, backbone: NetworkBackbone, segments: Iterable[Segment], spool: Spool) -> None:
        """Let the network see segments, whose features then go into the spool; waits while too many wait.

        Raises:
            ToprockError: what went wrong with the network, here or in another thread.
        """
        self.load(backbone)
        line = self._lines[Recipe.of(backbone)]
        for segment in segments:
            with self._changed:
                self._changed.wait_for(lambda: len(line.waiting) < AHEAD * line.network.batch or self._over())
                self._check()
                line.waiting.append((segment, spool))
                self._pending[spool] = self._pending.get(spool, 0) + 1
                self._start()
                if len(line.waiting) >= line.network.batch:
                    self._changed.notify_all()

    def finish(self, spools: Iterable[Spool]) -> None:
        """Wait until all features of these spools are in them.

        Raises:
            StorageError: there was no room for them.
            ToprockError: what went wrong with the network.
        """
        mine = list(spools)
        with self._changed:
            self._finishing += 1
            self._changed.notify_all()
            try:
                self._changed.wait_for(lambda: not any(spool in self._pending for spool in mine) or self._over())
            finally:
                self._finishing -= 1
            for spool in mine:
                if spool in self._failed:
                    raise self._failed.pop(spool)
            self._check()

    def forget(self, spools: Iterable[Spool]) -> None:
        """Drop what still waits for these spools: their video has failed."""
        mine = set(spools)
        with self._changed:
            for line in self._lines.values():
                line.waiting = deque(one for one in line.waiting if one[1] not in mine)
            for spool in mine:
                self._pending.pop(spool, None)
                self._failed.pop(spool, None)
            self._changed.notify_all()

    def _over(self) -> bool:
        return self._closed or self._problem is not None

    def _check(self) -> None:
        if self._problem is not None:
            raise self._problem
        if self._closed:
            raise ComputeError("extraction was stopped")

    def _start(self) -> None:
        if self._thread is None:  # it ends when nobody reads
            self._thread = threading.Thread(target=self._work, name="networks", daemon=True)
            self._thread.start()

    def _due(self) -> _Line | None:
        """The line that is to be shown to its network now."""
        lines = list(self._lines.values())
        if not lines:
            return None
        longest = max(lines, key=lambda line: len(line.waiting) / line.network.batch)
        full = len(longest.waiting) >= longest.network.batch
        last = self._finishing >= self._readers
        return longest if full or (last and longest.waiting) else None

    def _work(self) -> None:
        running: _Running | None = None
        while True:
            with self._changed:
                if running is None:  # else what it has made is to be handed on at once
                    self._changed.wait_for(lambda: self._over() or not self._readers or self._due() is not None)
                line = None if self._over() else self._due()
                if line is None and running is None:
                    self._thread = None
                    return
                count = 0 if line is None else min(line.network.batch, len(line.waiting))
                batch = [line.waiting.popleft() for _ in range(count)] if line else []
                self._changed.notify_all()
            try:
                launched = line.network.launch([segment.vector for segment, _ in batch]) if line else None
                if running is not None:
                    self._deliver(running)
            except BaseException as problem:  # readers would wait for ever: it is theirs to raise
                with self._changed:
                    self._problem = problem if self._readers else None
                    self._thread = None
                    self._changed.notify_all()
                return
            running = None if launched is None else _Running(batch, launched)

    def _deliver(self, running: _Running) -> None:
        for (segment, spool), vector in zip(running.batch, running.vectors(), strict=True):
            problem: ToprockError | None = None
            try:
                spool.extend([segment._replace(vector=vector)])
            except ToprockError as full:
                problem = full
            with self._changed:
                left = self._pending.pop(spool, 0)
                if left and problem is not None:
                    self._failed[spool] = problem
                if left > 1:
                    self._pending[spool] = left - 1
        with self._changed:
            self._changed.notify_all()


@dataclass(frozen=True)
class _Running:
    """A batch that a network has been shown."""

    batch: list[tuple[Segment, Spool]]
    vectors: Callable[[], np.ndarray]
