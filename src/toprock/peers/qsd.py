"""This package's own ranker (quality score decoupling) as a learner beside its peers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch

from toprock.backbones.base import Stream
from toprock.peers.free_head import FreeHeadRanker
from toprock.peers.learner import Scorer, TrainingSide, Watch
from toprock.peers.twin import uniform
from toprock.ranker.batch import Arrays
from toprock.ranker.fitting import MEMBERS, fit
from toprock.ranker.model import Ranker, RankerConfig
from toprock.ranker.training import PairIndex, TrainingConfig, TrainingState, branch_scores, start, train


@dataclass(frozen=True)
class Qsd:
    """The ranker with options over its defaults, which are those of `toprock train`.

    Attributes:
        model, training: options by name; an option of the loss as `loss.NAME`.
        streams: what it may look at; None is all there are.
        early: put the streams side by side into one before the ranker sees them, in place of late fusion.
        free_head: without exact evidence; see `free_head`.
        members: rankers in the ensemble.
        watch_every: steps between two looks of a watch.
    """

    model: Mapping[str, object] = field(default_factory=dict)
    training: Mapping[str, object] = field(default_factory=dict)
    streams: tuple[Stream, ...] | None = None
    early: bool = False
    free_head: bool = False
    members: int = MEMBERS
    watch_every: int = 10

    @property
    def settings(self) -> dict[str, Any]:
        """Every option of the model and of training."""
        model = RankerConfig.model_validate({**self.model, "dimensions": {"static": 1}}).model_dump()
        training = self._config(0).model_dump()
        del model["dimensions"], training["seed"]
        rest = {"streams": self.streams, "early": self.early, "free_head": self.free_head, "members": self.members}
        rest["watch_every"] = self.watch_every
        return {"model": model, "training": training, **rest}

    def __call__(self, side: TrainingSide, *, seed: int, watch: Watch | None = None) -> Scorer:
        """Choose the steps by cross-validation inside the training side, then train on all of it."""
        ids = side.ids
        data = [self._seen(side.data[ident]) for ident in ids]
        found = {stream: array.shape[1] for arrays in data for stream, array in arrays.items()}
        dimensions = {stream: found[stream] for stream in sorted(found)}
        model = RankerConfig.model_validate({**self.model, "dimensions": dimensions})
        config = self._config(seed)
        build = FreeHeadRanker if self.free_head else Ranker
        fitted = fit(data, ids, side.groups(), side.pairs, model, config, members=self.members, build=build)
        if watch:
            state = start(data, model, config, build=build)

            def look(state: TrainingState) -> None:
                if state.step % self.watch_every == 0:
                    watch(self._scorer(state.ranker))

            train(state, data, PairIndex.of(side.pairs, ids), config, on_step=look)
        return self._scorer(*fitted.members)

    def _config(self, seed: int) -> TrainingConfig:
        loss = {name.removeprefix("loss."): v for name, v in self.training.items() if name.startswith("loss.")}
        rest = {name: v for name, v in self.training.items() if not name.startswith("loss.")}
        return TrainingConfig.model_validate({**rest, "loss": loss, "seed": seed})

    def _seen(self, arrays: Arrays) -> Arrays:
        seen = {stream: array for stream, array in arrays.items() if self.streams is None or stream in self.streams}
        if not self.early or len(seen) < 2:
            return seen
        dynamic, static = seen["dynamic"], seen["static"]
        return {"dynamic": np.concatenate([dynamic, uniform(static, len(dynamic))], axis=1).astype(np.float32)}

    def _scorer(self, *members: Ranker) -> Scorer:
        def scores(data: Mapping[str, Arrays]) -> dict[str, float]:
            seen = [self._seen(arrays) for arrays in data.values()]
            each = torch.stack([member.final(branch_scores(member, seen)) for member in members]).mean(0)
            return dict(zip(data, each.tolist(), strict=True))

        return scores
