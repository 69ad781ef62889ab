"""This package's own ranker (quality score decoupling) as a learner beside its peers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import torch

from toprock.backbones.base import Stream
from toprock.peers.learner import Scorer, TrainingSide, Watch
from toprock.ranker.batch import Arrays
from toprock.ranker.fitting import fit
from toprock.ranker.model import Ranker, RankerConfig
from toprock.ranker.training import PairIndex, TrainingConfig, TrainingState, branch_scores, start, train


@dataclass(frozen=True)
class Qsd:
    """The ranker with options over its defaults, which are those of `toprock train`.

    Attributes:
        model, training: options by name; an option of the loss as `loss.NAME`.
        streams: what it may look at; None is all there are.
        watch_every: steps between two looks of a watch.
    """

    model: Mapping[str, object] = field(default_factory=dict)
    training: Mapping[str, object] = field(default_factory=dict)
    streams: tuple[Stream, ...] | None = None
    watch_every: int = 10

    @property
    def settings(self) -> dict[str, Any]:
        """Every option of the model and of training."""
        model = RankerConfig.model_validate({**self.model, "dimensions": {"static": 1}}).model_dump()
        training = self._config(0).model_dump()
        del model["dimensions"], training["seed"]
        return {"model": model, "training": training, "streams": self.streams}

    def __call__(self, side: TrainingSide, *, seed: int, watch: Watch | None = None) -> Scorer:
        """Choose the steps by cross-validation inside the training side, then train on all of it."""
        ids = side.ids
        data = [self._seen(side.data[ident]) for ident in ids]
        dimensions = {stream: array.shape[1] for arrays in data for stream, array in arrays.items()}
        model = RankerConfig.model_validate({**self.model, "dimensions": dimensions})
        config = self._config(seed)
        fitted = fit(data, ids, side.groups(), side.pairs, model, config)
        if watch:
            state = start(data, model, config)

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
        return {stream: array for stream, array in arrays.items() if self.streams is None or stream in self.streams}

    def _scorer(self, *members: Ranker) -> Scorer:
        def scores(data: Mapping[str, Arrays]) -> dict[str, float]:
            seen = [self._seen(arrays) for arrays in data.values()]
            each = torch.stack([member.final(branch_scores(member, seen)) for member in members]).mean(0)
            return dict(zip(data, each.tolist(), strict=True))

        return scores
