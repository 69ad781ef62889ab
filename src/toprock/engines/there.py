"""A task where it has been sent: runs in a process of a machine of the cluster."""

from __future__ import annotations

from typing import Any

from toprock._version import __version__
from toprock.errors import ComputeError, StorageError, WeightsError


def perform(task: bytes, version: str) -> tuple[str, Any]:
    """Run a task that was sent.

    Returns:
        `("done", result)`, or `("unfit", (node, its address, why))` where this machine cannot run such tasks.
    """
    import ray

    try:
        if version != __version__:
            raise ComputeError(
                f"toprock is {__version__} there, not {version}", advice="Install one version everywhere."
            )
        return "done", ray.cloudpickle.loads(task)()
    except (WeightsError, ComputeError, StorageError) as problem:
        node, where = ray.get_runtime_context().get_node_id(), ray.util.get_node_ip_address()
        return "unfit", (node, where, problem)
