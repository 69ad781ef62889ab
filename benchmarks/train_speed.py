"""Training by encoded videos beside training pair by pair, and how long a whole training takes.

    python benchmarks/train_speed.py [--steps 2] [--videos 75] [--pairs 2176] [--segments 400] [--width 1024] [--full]

One task of the size of BEST's largest, with random features: 75 videos, 400 dynamic and 400 static segments of 1024
numbers, 2,176 pairs. A step of either kind gives loss and gradient over all pairs: ours encodes each video once and
forms the pairs from the scores; the literature's (Doughty et al., CVPR 2018 and 2019) encodes both ends of every pair,
here in batches of 64 pairs whose gradients are added up. Dropout, noise and the drawing of segments are off, so that
both give the same numbers, which is checked to 1e-5. Prints the ratio of their times, measured in turn.

`--full` first runs `ranker.fit` with the defaults of `toprock train`, performers unknown: wall time and peak memory
(aim: 5 minutes, 4 GB).
"""

from __future__ import annotations

import argparse
import os
import platform
import resource
import statistics
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from toprock.comparisons import Pair
from toprock.ranker import losses
from toprock.ranker.batch import Arrays, Batch, collate
from toprock.ranker.fitting import MEMBERS, fit
from toprock.ranker.model import Ranker, RankerConfig
from toprock.ranker.training import PairIndex, TrainingConfig, loss_terms, start

CHUNK = 64
TOLERANCE = 1e-5


@dataclass(frozen=True)
class Made:
    """Random videos and pairs."""

    data: list[Arrays]
    ids: list[str]
    pairs: list[Pair]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--steps", type=int, default=2, help="timed steps of either kind")
    parser.add_argument("--videos", type=int, default=75)
    parser.add_argument("--pairs", type=int, default=2176)
    parser.add_argument("--segments", type=int, default=400, help="of a video and stream")
    parser.add_argument("--width", type=int, default=1024, help="numbers a segment")
    parser.add_argument("--full", action="store_true", help="also a whole training with the defaults")
    options = parser.parse_args()
    print(f"{platform.machine()}, {os.cpu_count()} cores, {torch.get_num_threads()} threads")
    made = make(options.videos, options.pairs, options.segments, options.width)
    print(f"{len(made.ids)} videos, {len(made.pairs)} pairs, 2 x {options.segments} segments of {options.width}")
    if options.full:
        whole(made)
    compare(made, options.steps)


def make(videos: int, pairs: int, segments: int, width: int) -> Made:
    """Random features, a little of them telling quality, and pairs drawn from all there are."""
    rng = np.random.default_rng(0)
    quality = rng.normal(size=videos)
    data: list[Arrays] = []
    for good in quality:
        shift = np.zeros(width, np.float32)
        shift[:8] = 0.3 * good
        dynamic, static = (rng.normal(size=(segments, width)).astype(np.float32) + shift for _ in range(2))
        data.append({"dynamic": dynamic.astype(np.float16), "static": static.astype(np.float16)})
    ids = [f"v{number:03}" for number in range(videos)]
    every = [(a, b) for a in range(videos) for b in range(videos) if quality[a] > quality[b]]
    drawn = sorted(rng.permutation(len(every))[:pairs])
    return Made(data, ids, [Pair(ids[every[n][0]], ids[every[n][1]]) for n in drawn])


def compare(made: Made, steps: int) -> float:
    """Time steps of both kinds in turn, check that they say the same, print and return the ratio."""
    model = RankerConfig(dimensions={stream: x.shape[1] for stream, x in made.data[0].items()})
    config = TrainingConfig()
    ranker = start(made.data, model, config).ranker.eval()  # evaluation mode: no dropout
    for stream in model.dimensions:  # attention that is not even, as after some training: every term has a gradient
        torch.nn.init.normal_(ranker.stream(stream).evidence.query.weight, std=0.1)
    batch, index = collate(made.data, model.dimensions), PairIndex.of(made.pairs, made.ids)
    kinds: list[Callable[..., float]] = [by_video, by_pair]
    times: list[list[float]] = [[], []]
    found: list[tuple[float, list[Tensor]]] = []
    for _ in range(steps):
        found = []
        for kind, taken in zip(kinds, times, strict=True):
            ranker.zero_grad(set_to_none=True)
            begun = time.perf_counter()
            loss = kind(ranker, batch, index, config)
            taken.append(time.perf_counter() - begun)
            found.append((loss, [p.grad.clone() for p in ranker.parameters() if p.grad is not None]))
    (ours, first), (theirs, second) = found
    apart = largest([a - b for a, b in zip(first, second, strict=True)])
    print(f"loss {ours:.6f} and {theirs:.6f}; gradients up to {largest(first):.2g} differ by {apart:.1e} at most")
    if abs(ours - theirs) > TOLERANCE or apart > TOLERANCE:
        raise SystemExit("the two kinds of step do not give the same loss and gradient")
    quick, slow = (statistics.median(taken) for taken in times)
    ratio = statistics.median(b / a for a, b in zip(*times, strict=True))
    print(f"a step over all pairs: {quick:.2f} s by videos, {slow:.2f} s pair by pair; ratio {ratio:.1f}")
    ends = 2 * len(made.pairs)
    print(f"videos encoded in it: {len(made.ids)} and {ends}, {ends / len(made.ids):.1f} times as many")
    return ratio


def by_video(ranker: Ranker, batch: Batch, pairs: PairIndex, config: TrainingConfig) -> float:
    """Our step: the loss; gradients are left in the ranker."""
    loss = torch.stack(list(loss_terms(ranker(batch), pairs, batch.masks, config.loss).values())).sum()
    loss.backward()
    return float(loss.detach())


def by_pair(ranker: Ranker, batch: Batch, pairs: PairIndex, config: TrainingConfig) -> float:
    """The literature's step: both ends of every pair are encoded.

    The terms of a pair are means over all pairs. Those of a video alone (overlap, entropy) are means over the videos,
    so each video counts where it is met first.
    """
    met: set[int] = set()
    total = 0.0
    between = config.loss.model_copy(update={"overlap": 0.0, "entropy": 0.0})
    videos = len({*pairs.better.tolist(), *pairs.worse.tolist()})
    for chunk in torch.arange(len(pairs)).split(CHUNK):
        rows = torch.cat([pairs.better[chunk], pairs.worse[chunk]])
        both = Batch(*({s: x[rows] for s, x in part.items()} for part in (batch.features, batch.masks, batch.places)))
        out = ranker(both)
        count = len(chunk)
        ends = PairIndex(torch.arange(count), torch.arange(count) + count, pairs.weight[chunk], pairs.tie[chunk])
        terms = [term * count / len(pairs) for term in loss_terms(out, ends, both.masks, between).values()]
        new = sorted({row: place for place, row in reversed(list(enumerate(rows.tolist()))) if row not in met}.values())
        met.update(rows.tolist())
        if new:
            attention = [stream.attention[new] for stream in out.streams.values()]
            masks = [both.masks[stream][new] for stream in out.streams]
            share = len(new) / videos
            fallen = losses.collapse(attention, masks, floor=config.loss.entropy_floor)
            terms += [config.loss.overlap * losses.overlap(attention) * share, config.loss.entropy * fallen * share]
        loss = torch.stack(terms).sum()
        loss.backward()
        total += float(loss.detach())
    return total


def largest(gradients: list[Tensor]) -> float:
    """The largest number in them."""
    return max(float(g.abs().max()) for g in gradients)


def whole(made: Made) -> None:
    """A whole training with the defaults; prints wall time and the peak memory of the process."""
    model = RankerConfig(dimensions={stream: x.shape[1] for stream, x in made.data[0].items()})
    begun = time.perf_counter()
    fitted = fit(made.data, made.ids, made.ids, made.pairs, model, TrainingConfig(), members=MEMBERS)
    seconds = time.perf_counter() - begun
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
    print(f"fit with the defaults: {seconds:.0f} s, {fitted.choice.steps} steps chosen; peak {peak / 2**30:.2f} GiB")


if __name__ == "__main__":
    main()
