"""A space of settings to search, read from TOML.

::

    [training]
    learning_rate = { low = 1e-3, high = 2e-2, log = true }   # a range
    noise = [0.0, 0.1, 0.3]                                   # choices

    [loss]
    form = ["hinge", "logistic"]

    [model]
    width = [32, 64]

Fields are those of `TrainingConfig`, `LossConfig` and `RankerConfig`.
"""

from __future__ import annotations

import itertools
import math
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import BaseModel, ValidationError

from toprock.errors import UsageError
from toprock.ranker.losses import LossConfig
from toprock.ranker.model import Ranker, RankerConfig
from toprock.ranker.training import TrainingConfig

_KINDS: dict[str, type[BaseModel]] = {"training": TrainingConfig, "loss": LossConfig, "model": RankerConfig}
_NOT = {"training": {"seed", "loss"}, "loss": set(), "model": {"dimensions"}}
_GRID = 10_000


@dataclass(frozen=True)
class Settings:
    """Settings that are not as by default: of training (those of the loss as `loss.NAME`) and of the model."""

    training: Mapping[str, Any] = field(default_factory=dict)
    model: Mapping[str, Any] = field(default_factory=dict)

    @property
    def options(self) -> tuple[Mapping[str, Any], Mapping[str, Any]]:
        """What `peers.Qsd` takes first: of the model, of training."""
        return self.model, self.training

    def with_these(self, other: Settings) -> Settings:
        """Both; where they differ, the other's."""
        return Settings({**self.training, **other.training}, {**self.model, **other.model})

    def to_json(self) -> dict[str, Any]:
        """Section and name -> value.

        >>> Settings({"noise": 0.3, "loss.form": "logistic"}, {"width": 32}).to_json()
        {'training.noise': 0.3, 'loss.form': 'logistic', 'model.width': 32}
        """
        training = {name if name.startswith("loss.") else f"training.{name}": v for name, v in self.training.items()}
        return training | {f"model.{name}": value for name, value in self.model.items()}

    def config(self, seed: int) -> TrainingConfig:
        """The training options with these."""
        loss = {name.removeprefix("loss."): v for name, v in self.training.items() if name.startswith("loss.")}
        rest = {name: v for name, v in self.training.items() if not name.startswith("loss.")}
        return TrainingConfig.model_validate({**rest, "loss": loss, "seed": seed})


@dataclass(frozen=True)
class Range:
    """Numbers between two, all alike, or all alike by their logarithm; whole ones where the setting is."""

    low: float
    high: float
    log: bool = False
    whole: bool = False

    def draw(self, rng: np.random.Generator) -> float | int:
        """One of them."""
        low, high = (math.log(self.low), math.log(self.high)) if self.log else (self.low, self.high)
        value = float(rng.uniform(low, high))
        value = math.exp(value) if self.log else value
        return round(value) if self.whole else float(f"{value:.4g}")


@dataclass(frozen=True)
class Space:
    """`section.name` -> what the setting may be.

    Attributes:
        choices: values, or a range of them.
        text: the file.
    """

    choices: Mapping[str, list[Any] | Range]
    text: str = ""


def read_space(path: Path) -> Space:
    """Read a space and see that every value is one that its setting may take.

    Raises:
        UsageError: the file cannot be read, or names what there is not; says where.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
        plain = tomllib.loads(text)
    except (OSError, ValueError) as problem:
        raise UsageError(
            f"{path}: cannot be read as TOML ({problem})", advice="See docs/training-at-scale.md."
        ) from None
    choices: dict[str, list[Any] | Range] = {}
    for section, settings in plain.items():
        if section not in _KINDS or not isinstance(settings, dict):
            raise UsageError(f"{path}: there is no section '{section}'", advice=f"Allowed: {', '.join(_KINDS)}.")
        allowed = sorted(set(_KINDS[section].model_fields) - _NOT[section])
        for name, told in settings.items():
            if name not in allowed:
                raise UsageError(f"{path}: {section} has no setting '{name}'", advice=f"Allowed: {', '.join(allowed)}.")
            choices[f"{section}.{name}"] = _choices(path, section, name, told)
    if not choices:
        raise UsageError(f"{path}: names no setting", advice="See docs/training-at-scale.md.")
    return Space(choices, text)


def _choices(path: Path, section: str, name: str, told: Any) -> list[Any] | Range:
    whole = _KINDS[section].model_fields[name].annotation is int
    found: list[Any] | Range
    if isinstance(told, list) and told:
        ends, found = told, told
    elif isinstance(told, dict) and {"low", "high"} <= set(told) <= {"low", "high", "log"}:
        ends = [told["low"], told["high"]]
        numbers = all(isinstance(end, int | float) and not isinstance(end, bool) for end in ends)
        log = told.get("log", False)
        if not numbers or not ends[0] < ends[1] or not isinstance(log, bool) or (log and ends[0] <= 0):
            raise UsageError(
                f"{path}: {section}.{name} is no range", advice="Give low < high; with log = true both above 0."
            )
        found = Range(float(ends[0]), float(ends[1]), log, whole)
    else:
        raise UsageError(
            f"{path}: {section}.{name} is neither a list nor a range",
            advice="Write [1, 2, 3], or { low = 1, high = 3 }, with log = true where it spans magnitudes.",
        )
    for value in ends:
        try:
            _checked(section, name, value)
        except (ValidationError, ValueError, AssertionError) as problem:
            why = problem.errors()[0]["msg"] if isinstance(problem, ValidationError) else str(problem)
            raise UsageError(f"{path}: {section}.{name} cannot be {value} ({why})", advice="Change it.") from None
    return found


def _checked(section: str, name: str, value: Any) -> None:
    """Raises what pydantic and torch raise where a setting cannot be so."""
    kind = _KINDS[section]
    if section == "model":
        Ranker(RankerConfig.model_validate({"dimensions": {"static": 1}, name: value}))
    else:
        kind.model_validate({name: value})


def draw_trials(space: Space, count: int, *, seed: int = 0) -> list[Settings]:
    """Settings of a space, none twice: the whole grid where it is one and is no larger than `count`, else at random.

    >>> space = Space({"training.noise": [0.0, 0.3], "model.width": [32, 64]})
    >>> [found.to_json() for found in draw_trials(space, 9)][0]
    {'training.noise': 0.0, 'model.width': 32}
    >>> len(draw_trials(space, 9)), len(draw_trials(space, 3))
    (4, 3)
    """
    rng = np.random.default_rng(seed)
    lists = [choice for choice in space.choices.values() if isinstance(choice, list)]
    size = math.prod(len(choice) for choice in lists)
    if len(lists) == len(space.choices) and size <= _GRID:
        grid = list(itertools.product(*lists))
        rows = sorted(rng.permutation(len(grid))[:count].tolist())
        return [_settings(dict(zip(space.choices, grid[row], strict=True))) for row in rows]
    found: dict[str, Settings] = {}
    for _ in range(20 * count):
        if len(found) == count:
            break
        drawn = {name: _drawn(choice, rng) for name, choice in space.choices.items()}
        found[str(drawn)] = _settings(drawn)
    return list(found.values())


def _drawn(choice: list[Any] | Range, rng: np.random.Generator) -> Any:
    return choice.draw(rng) if isinstance(choice, Range) else choice[int(rng.integers(len(choice)))]


def _settings(named: Mapping[str, Any]) -> Settings:
    training, model = {}, {}
    for name, value in named.items():
        section, _, short = name.partition(".")
        if section == "model":
            model[short] = value
        else:
            training[short if section == "training" else name] = value
    return Settings(training, model)
