"""What an engine is."""

from __future__ import annotations

from collections.abc import Callable, Generator, Hashable, Mapping
from dataclasses import dataclass
from typing import Protocol, TypeVar

from toprock.errors import Lost

ENGINES = ("local", "ray")
K = TypeVar("K", bound=Hashable)
T = TypeVar("T")


@dataclass(frozen=True)
class Needs:
    """What one task takes of a machine while it runs: cores (fewer where there are not so many), and a share of an
    accelerator.
    """

    cpus: int = 1
    gpus: float = 0.0

    def __str__(self) -> str:
        cores = f"{self.cpus} core{'s' if self.cpus > 1 else ''}"
        return f"{cores} and {self.gpus:g} of an accelerator" if self.gpus else cores


class Engine(Protocol):
    """Runs tasks somewhere."""

    @property
    def accelerators(self) -> float:
        """How many there are of which a task can be given a share."""
        ...

    def run(
        self, tasks: Mapping[K, Callable[[], T]], needs: Needs = Needs()
    ) -> Generator[tuple[K, T | Lost], None, None]:
        """Results as they come, by key, in no fixed order; tasks are begun in the order given.

        In place of a result that could not be had, as whatever ran its task was lost again and again, comes `Lost`.
        What a task raises is raised here and ends the run. What still runs when the generator is closed ends, at the
        latest when the engine is closed.

        Args:
            tasks: functions of no argument that can be sent to another process (of a module's top level, or `partial`
                of such), whose results can be sent back.
            needs: of each of them.
        """
        ...

    def close(self) -> None:
        """Let go of processes and connections."""
        ...
