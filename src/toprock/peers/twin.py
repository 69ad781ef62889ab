"""Twin training as RAAN does it: epochs over batches of pairs, a fixed number of segments a performance.

Doughty et al., CVPR 2019: Adam, learning rate 1e-4, 2000 epochs, batches of 128 pairs, features with noise of spread
0.01 that a whole batch shares. Ours: each distinct performance of a batch is encoded once and all its pairs are
formed from the outputs; loss and gradient are those of the literal form, which encodes both ends of every pair.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass

import numpy as np
import torch
from torch import Tensor, nn

from toprock.backbones.base import Stream
from toprock.peers.learner import Scorer, TrainingSide, Watch
from toprock.ranker.batch import Arrays


@dataclass(frozen=True)
class TwinConfig:
    """The schedule, by default the published one.

    Attributes:
        epochs, batch, learning_rate: of Adam, over batches of pairs.
        noise: spread of the noise on standardised features.
        segments: a performance, uniform over its length; more are averaged, fewer repeated.
        watch_every: epochs between two looks of a watch.
    """

    epochs: int = 2000
    batch: int = 128
    learning_rate: float = 1e-4
    noise: float = 0.01
    segments: int = 400
    watch_every: int = 10

    def to_json(self) -> dict[str, float]:
        """JSON values."""
        return asdict(self)


PairLoss = Callable[[nn.Module, Tensor, Tensor, Tensor], Tensor]
"""(network, videos (V, T, D), rows of the better ones (N,), rows of the worse ones (N,)) -> loss."""


def fit_twin(
    side: TrainingSide,
    build: Callable[[int], nn.Module],
    loss: PairLoss,
    config: TwinConfig,
    *,
    seed: int,
    watch: Watch | None = None,
    once: bool = True,
) -> Scorer:
    """Train a network on pairs and return what scores performances with it.

    Args:
        side: what may be seen.
        build: makes the network for a feature dimension; the network maps (V, T, D) to scores (V,) first.
        loss: of one batch.
        config: the schedule.
        seed: of initial values, order and noise.
        watch: called every `config.watch_every` epochs.
        once: false encodes both ends of every pair, as published: the same gradient for more work.
    """
    ids = side.ids
    widths = {stream: array.shape[1] for ident in ids for stream, array in sorted(side.data[ident].items())}
    stacked = np.stack([joined(side.data[ident], widths, config.segments) for ident in ids])
    mean, spread = stacked.mean((0, 1)), stacked.std((0, 1))
    spread = np.where(spread > 1e-6, spread, np.inf)
    x = torch.from_numpy(((stacked - mean) / spread).astype(np.float32))
    place = {ident: row for row, ident in enumerate(ids)}
    won = [p for p in side.pairs if not p.tie]
    better = torch.tensor([place[p.better] for p in won])
    worse = torch.tensor([place[p.worse] for p in won])

    def scorer(data: Mapping[str, Arrays]) -> dict[str, float]:
        network.eval()
        arrays = np.stack([joined(data[ident], widths, config.segments) for ident in data])
        with torch.no_grad():
            parts = torch.from_numpy(((arrays - mean) / spread).astype(np.float32)).split(64)
            scores = torch.cat([network(part)[0] for part in parts])
        network.train()
        return dict(zip(data, scores.tolist(), strict=True))

    with torch.random.fork_rng():
        torch.manual_seed(seed)
        network = build(x.shape[2])
        optimiser = torch.optim.Adam(network.parameters(), lr=config.learning_rate, fused=True)
        for epoch in range(config.epochs):
            for rows in torch.randperm(len(won)).split(config.batch):
                videos, ends = batch_of(torch.stack([better[rows], worse[rows]]), once=once)
                noisy = x[videos] + config.noise * torch.randn(x.shape[1:])
                value = loss(network, noisy, ends[0], ends[1])
                optimiser.zero_grad(set_to_none=True)
                value.backward()
                optimiser.step()
            if watch and ((epoch + 1) % config.watch_every == 0 or epoch + 1 == config.epochs):
                watch(scorer)
    return scorer


def batch_of(ends: Tensor, *, once: bool) -> tuple[Tensor, Tensor]:
    """Which videos to encode (V,), and where in them the ends (2, N) of the pairs lie (2, N)."""
    if once:
        videos, places = torch.unique(ends, return_inverse=True)
        return videos, places
    return ends.flatten(), torch.arange(ends.numel()).view_as(ends)


def joined(arrays: Arrays, widths: Mapping[Stream, int], segments: int) -> np.ndarray:
    """The streams side by side on one uniform grid of segments, (segments, D); zeros for a stream that is absent.

    >>> joined({"static": np.ones((3, 1))}, {"dynamic": 2, "static": 1}, 2).round(6).tolist()
    [[0.0, 0.0, 1.0], [0.0, 0.0, 1.0]]
    """
    there = {stream: array for stream, array in arrays.items() if len(array)}
    parts = [
        uniform(there[stream], segments) if stream in there else np.zeros((segments, width))
        for stream, width in widths.items()
    ]
    return np.concatenate(parts, axis=1)


def uniform(array: np.ndarray, segments: int) -> np.ndarray:
    """(T, D) -> (segments, D): means over equal parts of the length.

    >>> uniform(np.array([[1.0], [3.0], [5.0], [7.0]]), 2).round(6).tolist()
    [[2.0], [6.0]]
    >>> uniform(np.array([[1.0], [3.0]]), 3).round(6).tolist()
    [[1.0], [2.0], [3.0]]
    """
    total = np.concatenate([np.zeros((1, array.shape[1])), np.cumsum(array.astype(np.float64), axis=0)])
    edges = np.linspace(0, len(array), segments + 1)
    at = np.minimum(edges.astype(int), len(array) - 1)
    reached = total[at] + (edges - at)[:, None] * array.astype(np.float64)[at]
    return np.diff(reached, axis=0) * segments / len(array)
