from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import pytest
import torch

from toprock.comparisons import Pair, pairwise_accuracy
from toprock.peers import TrainingSide


@dataclass(frozen=True)
class Planted:
    """Performances, and how good each is; see `planted`."""

    data: dict[str, dict[str, np.ndarray]]
    quality: dict[str, float]

    def pairs(self, ids: Iterable[str]) -> list[Pair]:
        ids = list(ids)
        return [Pair(a, b) for a in ids for b in ids if self.quality[a] > self.quality[b]]

    def side(self, count: int) -> TrainingSide:
        """The first `count` of them to learn from."""
        ids = list(self.data)[:count]
        return TrainingSide({i: self.data[i] for i in ids}, self.pairs(ids), {})

    def accuracy(self, scorer, count: int) -> float:
        """On pairs among all but the first `count`."""
        rest = list(self.data)[count:]
        return pairwise_accuracy(scorer({i: self.data[i] for i in rest}), self.pairs(rest))


@pytest.fixture(autouse=True)
def _one_thread():
    """Small tensors are no work for several threads."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="session")
def planted() -> Planted:
    """64 performances of two streams, as good as the first static feature says in the mean over the segments."""
    rng = np.random.default_rng(0)
    data, quality = {}, {}
    for number in range(64):
        length, good = int(rng.integers(10, 20)), 2 * float(rng.normal())
        static, dynamic = rng.normal(size=(length, 5)), rng.normal(size=(length // 2, 4))
        static[:, 0] += good
        data[f"v{number:02}"] = {"dynamic": dynamic.astype(np.float16), "static": static.astype(np.float16)}
        quality[f"v{number:02}"] = good
    return Planted(data, quality)
