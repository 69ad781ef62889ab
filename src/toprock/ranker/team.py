"""Several processes that train one ranker: each encodes its part of a step's batch, and all take the same step.

Every process runs the same program. Randomness is drawn for the whole batch alike in each, so that the numbers are
those of one process but for the order of float sums. The first one alone reads and writes checkpoints and decides;
the others are told. What goes over the wire is tensors: numbers, or JSON as bytes; nothing is ever unpickled.
"""

from __future__ import annotations

import contextlib
import datetime
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from contextvars import ContextVar
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode

from toprock.errors import LostProcess, UsageError

PATIENCE = datetime.timedelta(minutes=30)
"""How long a process waits for another that says nothing; one that ends is noticed at once."""
_TORCHRUN = ("RANK", "WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT")


class Team:
    """A training by one process alone: every method is the plain thing.

    Attributes:
        rank: of this process, from 0.
        size: processes.
    """

    rank, size = 0, 1

    @property
    def first(self) -> bool:
        """Whether this process is the one that reads and writes checkpoints, tells progress, and decides."""
        return self.rank == 0

    def part(self, count: int) -> slice:
        """Which of `count` rows are this process's."""
        return slice(count * self.rank // self.size, count * (self.rank + 1) // self.size)

    def encoded(self, count: int) -> slice:
        """Which of `count` rows this process encodes: its part, and more where that is less than two.

        One row alone does not tell in what order a batch lies in memory, which is the order of dropout's draws.
        """
        part = self.part(count)
        if part.stop - part.start >= 2:
            return part
        start = max(0, min(part.start, count - 2))
        return slice(start, min(count, start + 2))

    def summed(self, tensor: Tensor) -> Tensor:
        """The sum of what each process has; zeros elsewhere make it a gathering, which is exact."""
        return tensor

    def told(self, data: bytes | None) -> bytes | None:
        """What the first process has."""
        return data

    def agreed(self, value: Any) -> Any:
        """The first process's JSON value; numbers keep every bit."""
        if self.size == 1:
            return value
        return json.loads(self.told(json.dumps(value).encode()) or b"null")

    def gathered(self, own: Tensor, count: int) -> Tensor:
        """(count, ...) from what each process has encoded (b, ...); gradients flow to this process's own part alone."""
        if self.size == 1:
            return own
        part = self.part(count)
        more = self.encoded(count)
        own = own[part.start - more.start : part.stop - more.start]
        whole = own.detach().new_zeros(count, *own.shape[1:])
        whole[part] = own.detach()
        whole = self.summed(whole)
        return torch.cat([whole[: part.start], own, whole[part.stop :]])

    def sum_gradients(self, weights: Sequence[nn.Parameter | Tensor]) -> None:
        """Add up the gradients of all processes, in place; a weight that has none anywhere keeps none."""
        if self.size == 1:
            return
        grads = [torch.zeros_like(w) if w.grad is None else w.grad for w in weights]
        there = torch.tensor([float(w.grad is not None) for w in weights])
        whole = self.summed(torch.cat([there, *(g.flatten() for g in grads)]))
        parts = whole[len(weights) :].split([w.numel() for w in weights])
        for weight, some, grad in zip(weights, whole[: len(weights)].tolist(), parts, strict=True):
            weight.grad = grad.view_as(weight).clone() if some else None

    def whole_draws(self, count: int) -> contextlib.AbstractContextManager[object]:
        """Within it, dropout draws for all `count` rows of a batch and takes those that this process encodes."""
        return contextlib.nullcontext() if self.size == 1 else _WholeDraws(self.encoded(count), count)


class Processes(Team):
    """Several processes, joined by torch.distributed's gloo.

    Raises:
        LostProcess: in every method that speaks to the others, when one of them was lost.
    """

    def __init__(self, rank: int, size: int) -> None:
        self.rank, self.size = rank, size

    def summed(self, tensor: Tensor) -> Tensor:
        """The sum of what each process has: all have the same, to the bit."""
        whole = tensor.clone()
        with _company():
            torch.distributed.all_reduce(whole)
        return whole

    def told(self, data: bytes | None) -> bytes | None:
        """What the first process has; None and b"" are told apart."""
        with _company():
            size = torch.tensor([-1 if data is None else len(data)])
            torch.distributed.broadcast(size, 0)
            if size < 0:
                return None
            whole = torch.zeros(max(1, int(size)), dtype=torch.uint8)
            if self.first and data:
                whole = torch.frombuffer(bytearray(data), dtype=torch.uint8)
            torch.distributed.broadcast(whole, 0)
        return whole.numpy().tobytes()[: int(size)]


ALONE = Team()
_current: ContextVar[Team] = ContextVar("team", default=ALONE)


def team() -> Team:
    """The processes that train together with this one."""
    return _current.get()


def by_torchrun(environment: Mapping[str, str] = os.environ) -> bool:
    """Whether torchrun, or another launcher that speaks as it does, started this process."""
    return all(environment.get(name) for name in _TORCHRUN)


@contextlib.contextmanager
def joined(store: Any = None, rank: int | None = None, size: int | None = None) -> Iterator[Team]:
    """Train with the other processes of torchrun (or of `store`, as `rank` of `size`) within the block.

    Raises:
        LostProcess: they do not all come.
        UsageError: there is nothing that says who they are.

    In a script that torchrun started; each process has the model, and the first one saves it::

        with joined() as us:
            model = toprock.train(store, pairs)
            if us.first:
                model.save("model")
    """
    import torch.distributed

    if store is None and not by_torchrun():
        raise UsageError("no other processes were started", advice="Start this with torchrun, or use --processes.")
    known = {} if store is None else {"store": store, "rank": rank, "world_size": size}
    with _company():
        torch.distributed.init_process_group("gloo", timeout=PATIENCE, **known)
    held = _current.set(Processes(torch.distributed.get_rank(), torch.distributed.get_world_size()))
    try:
        yield team()
    finally:
        _current.reset(held)
        torch.distributed.destroy_process_group()


@contextlib.contextmanager
def _company() -> Iterator[None]:
    try:
        yield
    except (RuntimeError, ValueError) as problem:
        raise LostProcess(
            "another process of this training was lost",
            advice="See what it said. The same command goes on from its checkpoint, with any number of processes.",
        ) from problem


class _WholeDraws(TorchDispatchMode):
    """Bernoulli draws of as many rows as the whole batch has, of which the part is taken: dropout's masks."""

    def __init__(self, part: slice, count: int) -> None:
        super().__init__()
        self._part, self._count = part, count

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func is not torch.ops.aten.bernoulli_.float:
            return func(*args, **(kwargs or {}))
        x, *rest = args
        if x.shape[0] != self._part.stop - self._part.start:
            raise RuntimeError(f"a draw of shape {tuple(x.shape)} is not one row a performance")
        # in the order in which x lies in memory, which is the order of the draws
        order = sorted(range(x.dim()), key=lambda axis: (-x.stride(axis), axis))
        sizes = [self._count, *x.shape[1:]]
        whole = torch.empty([sizes[axis] for axis in order]).permute([order.index(axis) for axis in range(x.dim())])
        return x.copy_(whole.bernoulli_(*rest, **(kwargs or {}))[self._part])
