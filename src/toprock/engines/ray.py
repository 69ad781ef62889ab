"""Tasks on the machines of a Ray cluster.

Every task is sent with what it needs and tried again where its machine was lost. A machine that cannot run tasks (no
toprock or another version, no weights, no access to the store) is left out and told of; its tasks run elsewhere.
"""

from __future__ import annotations

import os
import signal
import socket
import threading
import time
from collections import deque
from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from toprock._version import __version__
from toprock.engines.base import K, Needs, T
from toprock.errors import ComputeError, Lost, ToprockError, UsageError
from toprock.machine import cores

RETRIES = 3
"""How often a task is tried again whose machine, or process, was lost."""
_ANSWERS_S = 5.0
_SETTINGS = bytes((0, 0, 0, 4, 0, 0, 0, 0, 0))
"""The frame with which both sides of HTTP/2 begin (RFC 9113, 3.4)."""
_PATIENCE_S = 120.0
"""How long a run waits when every machine has gone, for one to come back."""


class RayEngine:
    """A Ray cluster.

    Args:
        address: `HOST:PORT`, `ray://HOST:PORT`, or `auto` for the one of this machine; None takes that of RAY_ADDRESS,
            else starts one on this machine alone, which ends with this engine.
        workers: tasks at a time; None is as many as there is room for.
        on_note: is told of machines that are left out.

    Raises:
        ComputeError: Ray is not installed, or nothing answers at the address.
    """

    def __init__(
        self, address: str | None = None, *, workers: int | None = None, on_note: Callable[[str], None] | None = None
    ) -> None:
        os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # nothing is told to anybody
        os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
        if _has_token():  # `ray start` asks for it wherever there is one, but a program has to be told
            os.environ.setdefault("RAY_AUTH_MODE", "token")
        try:
            import ray
        except ImportError:
            raise ComputeError("Ray is not installed", advice="pip install 'toprock[ray]'.") from None
        self._ray, self._workers, self._note = ray, workers, on_note or (lambda text: None)
        self._unfit: dict[str, ToprockError] = {}
        self._ours = not ray.is_initialized()
        if self._ours:
            self._connect(address or os.environ.get("RAY_ADDRESS"))
        self._work = ray.remote(_carrier())

    def _connect(self, address: str | None) -> None:
        here = {"num_cpus": max(cores(), self._workers or 0), "include_dashboard": False} if address is None else {}
        if address is not None and address != "auto":
            _knock(address)
        main = threading.current_thread() is threading.main_thread()
        before = signal.getsignal(signal.SIGTERM) if main else None
        try:
            self._ray.init(address=address or "local", log_to_driver=False, logging_level="ERROR", **here)
        except Exception as problem:  # Ray has a dozen kinds
            where = f"the Ray cluster at {address}" if address else "a Ray cluster on this machine"
            reason = str(problem).strip().split("\n")[0][:200]
            advice = (
                "See that it runs (ray status). One that asks for a token wants RAY_AUTH_MODE=token, RAY_AUTH_TOKEN."
            )
            raise ComputeError(f"{where} cannot be used ({reason})", advice=advice if address else "") from problem
        finally:
            if main and before is not None:  # Ray's own prints addresses of memory, and does not let work be undone
                signal.signal(signal.SIGTERM, before)

    def run(
        self, tasks: Mapping[K, Callable[[], T]], needs: Needs = Needs()
    ) -> Generator[tuple[K, T | Lost], None, None]:
        """See `Engine`.

        Raises:
            ComputeError: no machine has room for a task, or every machine has gone.
            ToprockError: what a task raises; what keeps every machine from running tasks.
        """
        waiting, running = deque(tasks), dict[Any, K]()
        needs = self._affordable(needs)
        self._room(needs, patience_s=0.0)
        try:
            while waiting or running:
                room = self._room(needs, patience_s=_PATIENCE_S)
                while waiting and len(running) < room:
                    key = waiting.popleft()
                    running[self._send(tasks[key], needs)] = key
                ready, _ = self._ray.wait(list(running), timeout=1.0)
                for answer in ready:
                    key = running.pop(answer)
                    kind, value = self._fetch(answer)
                    if kind in ("unfit", "absent"):
                        self._leave_out(*value)
                        waiting.appendleft(key)
                    else:
                        yield key, value
        finally:
            if not self._ours:  # leaving the cluster ends them too; Ray may abort where a cancelled task just ends
                for answer in running:
                    self._ray.cancel(answer)

    def close(self) -> None:
        """Leave the cluster, which ends what still runs for this program; a cluster that this engine started ends."""
        if self._ours:
            self._ray.shutdown()

    @property
    def accelerators(self) -> float:
        """How many the cluster has."""
        return float(sum(node.get("Resources", {}).get("GPU", 0) for node in self._alive()))

    def _affordable(self, needs: Needs) -> Needs:
        """Cores are what a task uses well: on small machines it takes all there are."""
        most = int(max((node.get("Resources", {}).get("CPU", 0) for node in self._alive()), default=1))
        return replace(needs, cpus=max(1, min(needs.cpus, most)))

    def _send(self, task: Callable[[], Any], needs: Needs) -> Any:
        options: dict[str, Any] = {"num_cpus": needs.cpus, "num_gpus": needs.gpus, "max_retries": RETRIES}
        if self._unfit:
            options["label_selector"] = {"ray.io/node-id": f"!in({','.join(self._unfit)})"}
        return self._work.options(**options).remote(self._ray.cloudpickle.dumps(task), __version__)

    def _fetch(self, answer: Any) -> tuple[str, Any]:
        problems = self._ray.exceptions
        try:
            found: tuple[str, Any] = self._ray.get(answer)
            return found
        except (problems.WorkerCrashedError, problems.NodeDiedError, problems.OutOfMemoryError) as problem:
            what = "memory ran out where it ran" if isinstance(problem, problems.OutOfMemoryError) else "was lost"
            return "lost", Lost(f"the process or machine that ran it {what}, {RETRIES + 1} times over")
        except problems.RayTaskError as problem:
            raise problem.cause from None
        except problems.RayError as problem:
            reason = str(problem).strip().split("\n")[0][:200]
            raise ComputeError(
                f"the Ray cluster failed ({reason})", advice="Run the same command again; what was done is kept."
            ) from problem

    def _leave_out(self, node: str, where: str, why: ToprockError | str) -> None:
        """Send no more tasks to a machine; those that were on their way there already come back one by one."""
        if node in self._unfit:
            return
        if isinstance(why, str):
            why = ComputeError(f"toprock is not installed there ({why})", advice="Install it on every machine.")
        why.message = f"on the machine {where}: {why.message}"
        self._unfit[node] = why
        if not any(other["NodeID"] not in self._unfit for other in self._alive()):
            raise why
        self._note(f"left out {why}")

    def _room(self, needs: Needs, *, patience_s: float) -> int:
        """How many tasks may be on their way: as many as fit, and as many again that wait beside them."""
        until = time.monotonic() + patience_s
        while True:
            nodes = [n.get("Resources", {}) for n in self._alive() if n["NodeID"] not in self._unfit]
            slots = sum(_fit(node, needs) for node in nodes)
            if slots:
                return min(2 * slots, self._workers or 2 * slots)
            if time.monotonic() > until:
                raise self._no_room(needs, nodes)
            time.sleep(1.0)

    def _no_room(self, needs: Needs, nodes: Sequence[Mapping[str, float]]) -> ToprockError:
        if self._unfit and not nodes:
            return next(iter(self._unfit.values()))
        there = "; ".join(f"{n.get('CPU', 0):g} cores, {n.get('GPU', 0):g} accelerators" for n in nodes) or "none"
        return ComputeError(
            f"no machine of the cluster has room for a task, which needs {needs} (machines: {there})",
            advice="Add a machine to the cluster, or ask for less (--device cpu). What was done is kept.",
        )

    def _alive(self) -> list[dict[str, Any]]:
        return [node for node in self._ray.nodes() if node["Alive"]]


def _fit(resources: Mapping[str, float], needs: Needs) -> int:
    count = resources.get("CPU", 0.0) / needs.cpus
    if needs.gpus:
        count = min(count, resources.get("GPU", 0.0) / needs.gpus)
    return int(count + 1e-9)


def _has_token() -> bool:
    """Whether Ray would find a token, in its own places."""
    given = os.environ.get("RAY_AUTH_TOKEN") or os.environ.get("RAY_AUTH_TOKEN_PATH")
    return bool(given) or Path.home().joinpath(".ray", "auth_token").is_file()


def _knock(address: str) -> None:
    """See that a server of Ray's protocol answers, which Ray itself takes minutes to doubt."""
    host, _, port = address.removeprefix("ray://").rpartition(":")
    if not host or not port.isdigit():
        raise UsageError(f"'{address}' is no address of a Ray cluster", advice="Give HOST:PORT, or auto.")
    try:
        with socket.create_connection((host.strip("[]"), int(port)), _ANSWERS_S) as knock:
            speaks = os.environ.get("RAY_USE_TLS") == "1" or _greeted(knock)
    except (OSError, OverflowError) as problem:
        raise ComputeError(
            f"nothing answers at {address} ({getattr(problem, 'strerror', None) or problem})",
            advice="Check the address; ray status, on the head of the cluster, tells whether it runs.",
        ) from None
    if not speaks:
        raise ComputeError(
            f"what answers at {address} is no Ray cluster",
            advice="Check the port; ray start tells it (6379 by default).",
        )


def _greeted(knock: socket.socket) -> bool:
    """Whether a server greets as HTTP/2 has it, which gRPC, and so Ray, speaks."""
    knock.sendall(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + _SETTINGS)
    answer = b""
    while len(answer) < len(_SETTINGS) and (more := knock.recv(len(_SETTINGS) - len(answer))):
        answer += more
    return len(answer) == len(_SETTINGS) and answer[3] == _SETTINGS[3]


def _carrier() -> Callable[[bytes, str], tuple[str, Any]]:
    """What is sent: a function that goes whole, not by name, so that a machine without toprock can say so."""

    def carried(task: bytes, version: str) -> tuple[str, Any]:
        try:
            from toprock.engines.there import perform
        except ImportError as problem:
            import ray

            node, where = ray.get_runtime_context().get_node_id(), ray.util.get_node_ip_address()
            return "absent", (node, where, str(problem))
        return perform(task, version)

    return carried
