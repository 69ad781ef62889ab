"""The other processes of a training on this machine: started with the command of this one, and ended with it."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from typing import IO, Any

from toprock.errors import ComputeError, LostProcess, UsageError
from toprock.machine import cores
from toprock.ranker.team import ALONE, Team, by_torchrun, joined

_PLACE = "TOPROCK_TEAM"
"""Tells a process that was started here its port, rank and size."""
_HERE = "127.0.0.1"
_STARTS_S, _SPEAKS_S = 120.0, 5.0


@contextlib.contextmanager
def assembled(processes: int | None = None, *, words: Sequence[str] = ()) -> Iterator[Team]:
    """The team that trains within the block.

    Where torchrun started this process, its team; else this process and as many others as are asked for, which run
    the same command on this machine. Each has its share of the cores.

    Args:
        processes: of this machine, this one with them; None is one, or what torchrun says.
        words: arguments of the toprock command that the others run.

    Raises:
        UsageError: torchrun started this process, and a number is given too.
        ComputeError: one of the others ends before its time, or does not start.
    """
    if place := os.environ.get(_PLACE):
        port, rank, size = map(int, place.split(":"))
        with _threads(size), _joined(_meeting(port), rank, size) as team:
            yield team
    elif by_torchrun():
        if processes is not None:
            raise UsageError("torchrun says how many processes there are", advice="Leave out --processes.")
        with joined() as team:
            yield team
    elif processes is None or processes == 1:
        yield ALONE
    else:
        with _threads(processes), _others(processes, words) as store, _joined(store, 0, processes) as team:
            yield team


@contextlib.contextmanager
def _joined(store: Any, rank: int, size: int) -> Iterator[Team]:
    store.set(f"here{rank}", "yes")
    loopback = next((name for _, name in socket.if_nameindex() if name in ("lo", "lo0")), None)
    if loopback:
        os.environ.setdefault("GLOO_SOCKET_IFNAME", loopback)
    with joined(store, rank, size) as team:
        yield team


def _meeting(port: int | None = None) -> Any:
    """Where the processes find each other; without a port this one keeps it, for this machine alone."""
    from torch.distributed import TCPStore  # type: ignore[attr-defined]

    if port is not None:
        return TCPStore(_HERE, port, None, False, wait_for_workers=False)
    door = socket.create_server((_HERE, 0))  # one that torch opens is open to the network
    port = door.getsockname()[1]
    return TCPStore(_HERE, port, None, True, wait_for_workers=False, master_listen_fd=door.detach())


@contextlib.contextmanager
def _threads(processes: int) -> Iterator[None]:
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(max(1, min(before, cores() // processes)))
    try:
        yield
    finally:
        torch.set_num_threads(before)


@contextlib.contextmanager
def _others(processes: int, words: Sequence[str]) -> Iterator[Any]:
    """Where the others, which run within the block, meet this process."""
    store = _meeting()
    with contextlib.ExitStack() as held:
        others: dict[int, tuple[subprocess.Popen[bytes], IO[bytes]]] = {}
        for rank in range(1, processes):
            said = held.enter_context(tempfile.TemporaryFile())
            place = {**os.environ, _PLACE: f"{store.port}:{rank}:{processes}"}
            # -P: nothing in the folder that the user works in is imported in place of a library
            command = [sys.executable, "-P", "-m", "toprock", *words]
            quiet = {"stdin": subprocess.DEVNULL, "stdout": subprocess.DEVNULL, "stderr": said}
            others[rank] = subprocess.Popen(command, env=place, start_new_session=True, **quiet), said  # type: ignore[call-overload]
            held.callback(_end, others[rank][0])
        _await(store, others)
        try:
            yield store
        except LostProcess as problem:
            raise _fate(others, processes, patience_s=_SPEAKS_S) or problem from None


def _end(process: subprocess.Popen[bytes]) -> None:
    process.kill()
    process.wait()


def _await(store: Any, others: dict[int, tuple[subprocess.Popen[bytes], IO[bytes]]]) -> None:
    until = time.monotonic() + _STARTS_S
    while not store.check([f"here{rank}" for rank in others]):
        if problem := _fate(others, len(others) + 1):
            raise problem
        if time.monotonic() > until:
            raise ComputeError("the other processes of this training do not start", advice="Ask for fewer.")
        time.sleep(0.05)


def _fate(
    others: dict[int, tuple[subprocess.Popen[bytes], IO[bytes]]], processes: int, *, patience_s: float = 0.0
) -> ComputeError | None:
    """What became of the first process that ended badly."""
    until = time.monotonic() + patience_s
    while not any(process.poll() for process, _ in others.values()) and time.monotonic() < until:
        time.sleep(0.05)
    ended = {rank: other for rank, other in others.items() if other[0].poll()}
    # one that was killed, or that failed by itself, is why others lost it
    for rank, (process, said) in sorted(ended.items(), key=lambda item: item[1][0].returncode):
        said.seek(0)
        lines = said.read().decode("utf-8", "replace").strip().splitlines()
        why = f"was killed (signal {-process.returncode})" if process.returncode < 0 else "failed"
        last = f": {lines[-1].removeprefix('error: ')}" if lines and process.returncode > 0 else ""
        advice = "The same command goes on from its checkpoint, with any number of processes."
        return LostProcess(f"process {rank + 1} of {processes} of this training {why}{last}", advice=advice)
    return None
