from dataclasses import dataclass

import numpy as np
import pytest
import torch

from toprock.comparisons import Pair
from toprock.ranker.model import Ranker, RankerConfig
from toprock.ranker.saved import ModelConfig, SavedModel, TrainedOn
from toprock.ranker.training import TrainingConfig


@dataclass(frozen=True)
class Toy:
    """Performances whose quality is the number of good segments less that of bad ones."""

    data: list[dict[str, np.ndarray]]
    ids: list[str]
    quality: list[int]
    good: list[np.ndarray]
    bad: list[np.ndarray]

    def pairs(self, rows=None):
        rows = range(len(self.ids)) if rows is None else rows
        return [Pair(self.ids[i], self.ids[j]) for i in rows for j in rows if self.quality[i] > self.quality[j]]


@pytest.fixture(autouse=True)
def _one_thread():
    """Small tensors are no work for several threads."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="session")
def toy():
    rng = np.random.default_rng(0)
    data, quality, goods, bads = [], [], [], []
    for _ in range(80):
        length = int(rng.integers(20, 40))
        static, dynamic = rng.normal(size=(length, 6)), rng.normal(size=(length // 2, 5))
        good, bad = (int(n) for n in rng.integers(0, 6, 2))
        places = rng.permutation(length)
        static[places[:good], 0] += 5
        static[places[good : good + bad], 1] += 5
        data.append({"static": static.astype(np.float16), "dynamic": dynamic.astype(np.float16)})
        quality.append(good - bad)
        goods.append(places[:good])
        bads.append(places[good : good + bad])
    return Toy(data, [f"v{i:02}" for i in range(80)], quality, goods, bads)


@pytest.fixture
def saved():
    ranker = Ranker(RankerConfig(dimensions={"static": 4}, width=8, heads=2)).eval()
    config = ModelConfig(
        toprock="0",
        created="2026-01-01",
        name="m",
        ranker=ranker.config,
        training=TrainingConfig(),
        members=1,
        steps=3,
        curve=[(3, 0.75)],
        recipes={},
        trained_on=TrainedOn(performances=["a", "b"], pairs=1, performers=2),
        bias=2.0,
        centre=0.5,
        spread=4.0,
        gains={"static": 1.0},
        held_out={"a": -1.0, "b": 0.0, "c": 1.0, "d": 1.0},
        controls={},
    )
    return SavedModel([ranker], config)
