"""A real Ray cluster of two machines: two nodes on this host, each with processes of its own."""

from __future__ import annotations

import contextlib
import importlib.util
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

RAY = (sys.executable, "-c", "import sys; from ray.scripts.scripts import main; sys.exit(main())", "start", "--block")
JOINED = """
import ray, sys, time
ray.init(address=sys.argv[1], log_to_driver=False, logging_level="ERROR")
while sys.argv[2] not in ray.cluster_resources():
    time.sleep(0.1)
"""
PATIENCE_S = 120


class Node:
    """One machine of a cluster."""

    def __init__(self, *options: str, environment: dict[str, str], first: str = "") -> None:
        alone = ("unshare", "--mount", "sh", "-ec", f'{first}; exec "$@"', "sh") if first else ()
        self._process = subprocess.Popen(
            [*alone, *RAY, "--num-cpus=1", "--object-store-memory=80000000", "--disable-usage-stats", *options],
            env=environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )

    @property
    def busy(self) -> bool:
        """Whether a task runs on it."""
        return self._runs("ray::carried")

    def _runs(self, title: str) -> bool:
        return any(_title(pid).startswith(title) for pid in _descendants(self._process.pid))

    def kill(self) -> None:
        """Take all its processes at once, as a power cut does."""
        for pid in [self._process.pid, *_descendants(self._process.pid)]:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                continue
        self._process.wait()


class Cluster:
    """A head with one core, and machines that join it.

    Attributes:
        address: where it answers.
        environment: what a program, or a machine, needs to get in.
    """

    def __init__(self) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        self._folder = tempfile.mkdtemp(prefix="ray")  # names of sockets are short
        self.address = f"127.0.0.1:{port}"
        self.environment = {
            "RAY_USAGE_STATS_ENABLED": "0",
            "RAY_AUTH_MODE": "token",
            "RAY_AUTH_TOKEN": secrets.token_hex(16),
            "RAY_health_check_initial_delay_ms": "500",
            "RAY_health_check_period_ms": "300",
            "RAY_health_check_timeout_ms": "600",
            "RAY_health_check_failure_threshold": "3",
        }
        where = (f"--port={port}", "--node-ip-address=127.0.0.1", f"--temp-dir={self._folder}")
        self.nodes = [Node("--head", "--include-dashboard=false", *where, environment=os.environ | self.environment)]
        _wait_until(lambda: _answers(port), "the head of the cluster does not answer")

    def join(self, view: str = "") -> Node:
        """One more machine with a core; `view` is done to what it sees of the disks, before it starts."""
        told, name = os.environ | self.environment, f"node{len(self.nodes)}"
        resource = f'--resources={{"{name}": 1}}'
        self.nodes.append(Node(f"--address={self.address}", resource, environment=told, first=view))
        subprocess.run([sys.executable, "-c", JOINED, self.address, name], check=True, env=told, timeout=PATIENCE_S)
        return self.nodes[-1]

    def close(self) -> None:
        """End it."""
        for node in reversed(self.nodes):
            node.kill()
        shutil.rmtree(self._folder, ignore_errors=True)


@pytest.fixture(scope="session")
def cluster() -> Iterator[Cluster]:
    """A Ray cluster whose head has one core."""
    if importlib.util.find_spec("ray") is None:
        if os.environ.get("CI") == "true":
            pytest.fail("Ray is not installed")
        pytest.skip("Ray is not installed")
    there = Cluster()
    try:
        yield there
    finally:
        there.close()


def _wait_until(what: Callable[[], bool], otherwise: str) -> None:
    until = time.monotonic() + PATIENCE_S
    while not what():
        assert time.monotonic() < until, otherwise
        time.sleep(0.1)


def _answers(port: int) -> bool:
    with socket.socket() as knock:
        return knock.connect_ex(("127.0.0.1", port)) == 0


def _descendants(pid: int) -> list[int]:
    found: list[int] = []
    with contextlib.suppress(OSError):  # it may end meanwhile
        for children in Path(f"/proc/{pid}/task").glob("*/children"):
            for child in children.read_text().split():
                found += [int(child), *_descendants(int(child))]
    return found


def _title(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_text()
    except OSError:
        return ""
