"""What test_team.py runs by itself and by several processes: `python team_script.py OUT.json CHECKPOINT`."""

import contextlib
import json
import sys
from pathlib import Path

import numpy as np
import torch

from toprock.comparisons import Pair
from toprock.ranker.fitting import fit
from toprock.ranker.model import RankerConfig
from toprock.ranker.team import by_torchrun, joined, team
from toprock.ranker.training import PairIndex, TrainingConfig, branch_scores, start, train

SIZES = {"width": 16, "heads": 2, "hidden": 16, "layers": 2, "encoder_layers": 1, "prototypes": 2, "positions": True}
MODEL = RankerConfig(dimensions={"static": 6, "dynamic": 5}, **SIZES)


def made() -> tuple[list[dict[str, np.ndarray]], list[str], list[Pair]]:
    """Twelve performances, their ids, and all pairs."""
    rng = np.random.default_rng(0)
    quality = rng.normal(size=12)
    data = []
    for good in quality:
        length = int(rng.integers(20, 40))
        static = rng.normal(size=(length, 6)) + np.eye(6)[0] * good
        data.append({"static": static.astype(np.float16), "dynamic": rng.normal(size=(9, 5)).astype(np.float16)})
    ids = [f"v{number:02}" for number in range(len(data))]
    pairs = [Pair(a, b) for a, x in zip(ids, quality, strict=True) for b, y in zip(ids, quality, strict=True) if x > y]
    return data, ids, pairs


def gradient(batch: int) -> list[float]:
    """Of the first step on so many performances."""
    data, ids, pairs = made()
    config = TrainingConfig(steps=1, batch=batch)
    state = start(data, MODEL, config)
    train(state, data, PairIndex.of(pairs, ids), config)
    return torch.cat([w.grad.flatten() for w in state.weights]).tolist()


def found(checkpoint: Path | None = None, on_advance=None) -> dict:
    """What a training gives: choices, scores and weights; and the gradients of steps on few performances."""
    data, ids, pairs = made()
    groups = ["ann", "bob"] * 6  # two folds
    config = TrainingConfig(steps=8)
    fitted = fit(data, ids, groups, pairs, MODEL, config, members=2, checkpoint=checkpoint, on_advance=on_advance)
    each = torch.stack([member.final(branch_scores(member, data)) for member in fitted.members])
    weights = {name: value.flatten().tolist() for name, value in fitted.members[0].state_dict().items()}
    choice = {"steps": fitted.choice.steps, "curve": [list(at) for at in fitted.choice.curve]}
    gradients = [gradient(batch) for batch in (2, 3, 5)]
    return {"choice": choice, "scores": each.tolist(), "weights": weights, "gradients": gradients}


if __name__ == "__main__":
    torch.set_num_threads(1)
    with joined() if by_torchrun() else contextlib.nullcontext():
        results = found(Path(sys.argv[2]))
        if team().first:
            Path(sys.argv[1]).write_text(json.dumps(results))
