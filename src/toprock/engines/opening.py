"""The engine that a command names."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from toprock.engines.base import ENGINES, Engine
from toprock.engines.local import LocalEngine
from toprock.errors import UsageError


@contextmanager
def open_engine(
    name: str = "local",
    *,
    address: str | None = None,
    workers: int | None = None,
    on_note: Callable[[str], None] | None = None,
) -> Iterator[Engine]:
    """An engine by its name, closed when the block ends.

    Args:
        name: local, or ray.
        address: of a Ray cluster that runs (`HOST:PORT`, or `auto` for the one of this machine); None starts one on
            this machine alone.
        workers: tasks at a time; None is as many as there is room for.
        on_note: is told what a person should know and no error is, such as a machine that is left out.

    Raises:
        UsageError: there is no such engine, or it takes no address.
        ComputeError: Ray is not installed, or nothing answers at the address.

    >>> with open_engine("local", workers=1) as engine:
    ...     list(engine.run({}))
    []
    """
    if name not in ENGINES:
        raise UsageError(f"there is no engine '{name}'", advice=f"Allowed: {', '.join(ENGINES)}.")
    if address is not None and name != "ray":
        raise UsageError("--address is for --engine ray", advice="Add --engine ray, or leave it out.")
    engine: Engine
    if name == "ray":
        from toprock.engines.ray import RayEngine

        engine = RayEngine(address, workers=workers, on_note=on_note)
    else:
        engine = LocalEngine(workers)
    try:
        yield engine
    finally:
        engine.close()
