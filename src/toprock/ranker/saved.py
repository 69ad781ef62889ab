"""A model on disk: model.safetensors, config.json and a README.md card in one folder."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from toprock.backbones.base import STREAMS, Stream
from toprock.calibration import Chance, Domain, MarksScale, Ranked, Scaled, Slope, TrainingScale, Unseen
from toprock.errors import FeaturesError, ModelError
from toprock.features.recipe import Recipe
from toprock.files import as_bytes, checksum, json_text, write_together
from toprock.ranker.card import card
from toprock.ranker.learning import LearningCurve
from toprock.ranker.model import Ranker, RankerConfig
from toprock.ranker.training import TrainingConfig

FORMAT = 2
"""1 knew no calibration; it is read as a model that has none."""
_TYPICAL = "typical."


class TrainedOn(BaseModel):
    """What a model has learnt from: ids, how many pairs and performers, and what was left out and why."""

    model_config = ConfigDict(extra="forbid")

    performances: list[str]
    pairs: int
    performers: int
    left_out: dict[str, str] = Field(default_factory=dict)
    pairs_left_out: int = 0
    consistency: str = ""


class StartedFrom(BaseModel):
    """The model that a training started from.

    Attributes:
        name, created: of that model.
        performances: all that it had learnt from, with those of its own start.
    """

    model_config = ConfigDict(extra="forbid")

    name: str
    created: str
    performances: list[str]


class Swept(BaseModel):
    """The search that a model's settings are from.

    Attributes:
        tried: settings, the defaults with them.
        folds, seeds: that each was measured on, if it was not given up before.
        settings: `section.name` -> value of those chosen that are not as by default; empty where the defaults stayed.
        accuracy, interval: of those chosen, on pairs held out of the training pairs; 95 %.
        default_accuracy, best_accuracy: of the defaults, and of the best trial, which may not have been chosen.
    """

    model_config = ConfigDict(extra="forbid")

    tried: int
    folds: int
    seeds: int
    settings: dict[str, Any]
    accuracy: float
    interval: tuple[float, float] | None
    default_accuracy: float
    best_accuracy: float


class ModelConfig(BaseModel):
    """config.json.

    Attributes:
        format: number of this layout.
        toprock: version that wrote it.
        created: date.
        name: for people.
        ranker, training: what was trained and how; `training.steps` is the bound, `steps` what was chosen.
        started_from: the model that it started from, if any; with 0 steps it is that model, measured anew.
        members: how many rankers are averaged.
        steps, curve: chosen number of steps and the accuracies on held-out performances that chose it.
        recipes: stream -> recipe.
        trained_on: the training side.
        bias: the score of a typical performance.
        centre, spread: of the training performances' scores, without the bias.
        gains: stream -> how much it counts (with a start: over what the start gave it), already part of the weights.
        held_out: id -> standardised score by a ranker that had not seen it: what percentiles compare with.
        controls: name -> +1 or -1, the direction in which a control ranked more training pairs right.
        control_accuracy: name -> share of the training pairs that the control ranks right in that direction.
        tested: accuracy of held-out scores that chose nothing, with that of controls on the same pairs.
        slopes: how fast a difference of standardised scores becomes certainty, by how many sides of a pair are new.
        scale: from 0 to 100; marks: the judges' own, where training performances had marks. None where nothing, or
            too little, could be held out.
        uncalibrated: why there is no chance for two new performances, or no scale; empty where there are both.
        domain: what the training performances were like.
        learning: what more comparisons would bring.
        swept: the search for its settings, where there was one.
    """

    model_config = ConfigDict(extra="forbid")

    format: int = FORMAT
    toprock: str
    created: str
    name: str
    ranker: RankerConfig
    training: TrainingConfig
    members: int = Field(ge=1)
    steps: int
    curve: list[tuple[int, float]]
    recipes: dict[Stream, dict[str, Any]]
    trained_on: TrainedOn
    started_from: StartedFrom | None = None
    bias: float
    centre: float
    spread: float = Field(gt=0)
    gains: dict[Stream, float] = {}
    held_out: dict[str, float]
    controls: dict[str, int]
    control_accuracy: dict[str, float] = {}
    tested: Ranked | None = None
    slopes: dict[Unseen, Slope] = {}
    scale: TrainingScale | None = None
    marks: MarksScale | None = None
    uncalibrated: str = "the model was made by a version that could not tell"
    domain: Domain = Domain()
    learning: LearningCurve | None = None
    swept: Swept | None = None

    @property
    def seen(self) -> set[str]:
        """Ids of all performances that it has learnt from, in a training that it started from too."""
        return {*self.trained_on.performances, *(self.started_from.performances if self.started_from else ())}

    @property
    def seen_by_start(self) -> int:
        """How many of the training performances the start had learnt from: figures on held-out ones flatter it."""
        start = self.started_from.performances if self.started_from else []
        return len(set(start) & set(self.trained_on.performances))


def _finite(text: str) -> float:
    """A number of a configuration, which none is that is not finite."""
    value = float(text)
    if not math.isfinite(value):
        raise ValueError(f"{text} is no number")
    return value


@dataclass(frozen=True)
class SavedModel:
    """A model in memory.

    Attributes:
        members: in evaluation mode.
        config: everything in its config.json.
        typical: stream -> mean and spread (2, D) of the training segments. A model that was started from another keeps
            that one's scale of features, so these are not always the rankers' own.
    """

    members: list[Ranker]
    config: ModelConfig
    typical: dict[Stream, np.ndarray] = field(default_factory=dict)

    def typical_of(self, stream: Stream) -> np.ndarray:
        """Mean and spread (2, D) of a stream's training segments."""
        if stream in self.typical:
            return self.typical[stream]
        module = self.members[0].stream(stream)
        return np.stack([module.mean.numpy(), module.spread.numpy()])

    @property
    def recipes(self) -> dict[Stream, Recipe]:
        """Recipe of each stream."""
        return {stream: Recipe.from_json(value) for stream, value in self.config.recipes.items()}

    def standardised(self, score: float) -> float:
        """A score in spreads of the training scores, 0 being their mean."""
        return (score - self.config.bias - self.config.centre) / self.config.spread

    def scaled(self, score: float) -> Scaled | None:
        """A score on the judges' own scale, else from 0 to 100; None where nothing could be held out."""
        scale = self.config.marks or self.config.scale
        return scale.scaled(self.standardised(score)) if scale else None

    def chance(self, difference: float, spread: float, *, unseen: Unseen) -> Chance | None:
        """How likely it is that the first of two is the better one; None where it could not be calibrated.

        Args:
            difference: of their scores.
            spread: standard deviation of that difference over the members.
            unseen: how many of the two the model has not learnt from.
        """
        slope = self.config.slopes.get(unseen)
        return slope.chance(difference / self.config.spread, spread / self.config.spread) if slope else None

    def percentile(self, score: float) -> float | None:
        """Share (0 to 100) of held-out training performances below a score; ties count half. None without any."""
        others = list(self.config.held_out.values())
        if not others:
            return None
        value = self.standardised(score)
        below = sum(1.0 if other < value else 0.5 if other == value else 0.0 for other in others)
        return 100.0 * below / len(others)

    def save(self, folder: str | Path) -> None:
        """Write the folder; config.json comes last, so that a folder without one is not taken for a model.

        Raises:
            StorageError: the disk is full or refuses; a model that was there before is still there.
        """
        from safetensors.torch import save

        folder = Path(folder)
        tensors = {
            f"member{i}.{name}": value.contiguous()
            for i, member in enumerate(self.members)
            for name, value in member.state_dict().items()
        }
        for stream, rows in self.typical.items():
            tensors[f"{_TYPICAL}{stream}"] = torch.from_numpy(np.ascontiguousarray(rows, dtype=np.float32))
        files = {
            "model.safetensors": save(tensors, metadata={"format": str(FORMAT), "check": checksum(tensors)}),
            "README.md": as_bytes(card(self.config)),
            "config.json": as_bytes(json_text(self.config.model_dump(mode="json"))),
        }
        write_together([(folder / name, data) for name, data in files.items()])

    @classmethod
    def load(cls, folder: str | Path) -> SavedModel:
        """Read a model folder.

        Raises:
            ModelError: it is none, is damaged, or was written by another version.
        """
        from safetensors import SafetensorError, safe_open

        folder = Path(folder)
        path = folder / "config.json"
        if not path.is_file():
            raise ModelError(
                f"{folder}: is no model folder",
                advice="Give a folder that toprock train wrote (config.json is missing).",
            )
        try:
            plain = json.loads(path.read_text(encoding="utf-8"), parse_constant=_finite, parse_float=_finite)
            if isinstance(plain, dict) and isinstance(plain.get("format"), int) and plain["format"] > FORMAT:
                raise ModelError(
                    f"{folder}: was written by a newer version of toprock (format {plain['format']})",
                    advice="Update toprock.",
                )
            config = ModelConfig.model_validate(plain)
            with safe_open(folder / "model.safetensors", framework="pt") as file:
                tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
                check = (file.metadata() or {}).get("check")
            if check not in (None, checksum(tensors)):
                raise ValueError("a byte of its weights has changed")
            if any(bool(tensor.isnan().any()) for tensor in tensors.values()):  # a spread may be infinite
                raise ValueError("its weights hold what is no number")
            typical = {s: tensors.pop(f"{_TYPICAL}{s}").numpy() for s in STREAMS if f"{_TYPICAL}{s}" in tensors}
            held = len({name.partition(".")[0] for name in tensors})
            if held != config.members:
                raise ValueError(f"it holds {held} rankers, not {config.members}")
            members = []
            for i in range(config.members):
                ranker = Ranker(config.ranker)
                prefix = f"member{i}."
                ranker.load_state_dict({k.removeprefix(prefix): v for k, v in tensors.items() if k.startswith(prefix)})
                members.append(ranker.eval())
            model = cls(members, config, typical)
            if set(model.recipes) != set(config.ranker.dimensions):
                raise ValueError("its recipes and its streams differ")
            return model
        except RuntimeError as problem:  # names and shapes, over many lines
            raise ModelError(
                f"{folder}: its weights do not fit this version of toprock", advice="Train it again."
            ) from problem
        except (OSError, ValueError, ValidationError, SafetensorError, FeaturesError) as problem:
            first = str(problem).splitlines()[0]
            if isinstance(problem, ValidationError):
                wrong = problem.errors()[0]
                first = f"{'.'.join(map(str, wrong['loc']))}: {wrong['msg']}"
            raise ModelError(f"{folder}: is damaged ({first})", advice="Train it again.") from problem
