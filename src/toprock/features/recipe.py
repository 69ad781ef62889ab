"""A recipe: how the features of one stream were made, so that a new video can be treated the same way."""

from __future__ import annotations

import functools
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast

from toprock.backbones import REGISTRY, from_settings
from toprock.backbones.base import STREAMS, Backbone, Stream
from toprock.errors import FeaturesError, RecipeMismatch, UsageError


@dataclass(frozen=True, eq=False)
class Recipe:
    """The making of one stream. Two recipes are equal when their hashes are.

    Attributes:
        stream: dynamic or static.
        backbone: registry name.
        settings: all that changes a number in the features (JSON values); of weights, what names their content.
        weights_at: where weights were when the features were made; where they lie changes nothing.
    """

    stream: Stream
    backbone: str
    settings: Mapping[str, Any]
    weights_at: str = ""

    @classmethod
    def of(cls, backbone: Backbone) -> Recipe:
        """The recipe that makes this backbone's features."""
        where = str(getattr(backbone, "weights_at", ""))
        return cls(backbone.spec.stream, backbone.spec.name, dict(backbone.settings), where)

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Recipe:
        """Read what `to_json` wrote.

        Raises:
            FeaturesError: it is not a recipe.
        """
        try:
            stream, backbone, settings = value["stream"], value["backbone"], dict(value["settings"])
            where = str(value.get("weights_at", ""))
        except (KeyError, TypeError, ValueError, AttributeError):
            raise FeaturesError("the recipe is damaged", advice="Extract the features again.") from None
        if settings.get("imported") and not _is_shape(settings.get("shape")):
            raise FeaturesError("the recipe is damaged", advice="Import the features again.")
        if stream not in STREAMS or not isinstance(backbone, str):
            raise FeaturesError(
                f"the recipe names an unknown stream '{stream}'", advice=f"Allowed: {', '.join(STREAMS)}."
            )
        return cls(cast(Stream, stream), backbone, settings, where)

    @functools.cached_property
    def hash(self) -> str:
        """16 hexadecimal digits that name this recipe; of a checkpoint its content counts, not what it is called."""
        name = self.backbone if self.backbone in REGISTRY or "weights" not in self.settings else "checkpoint"
        text = json.dumps([self.stream, name, self.settings], sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    @property
    def imported(self) -> bool:
        """Whether the features were made elsewhere, so that no video can be turned into them here."""
        return bool(self.settings.get("imported"))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Recipe) and self.hash == other.hash

    def __hash__(self) -> int:
        return hash(self.hash)

    def build(self) -> Backbone:
        """The backbone that replays this recipe.

        Raises:
            RecipeMismatch: the features were imported, the backbone is not known here, or the installed one makes
                other features.
            WeightsError: its weights are not here, or are others.
        """
        if self.imported:
            raise RecipeMismatch(
                f"this needs the {self.stream} features '{self.backbone}' of shape {self.shape} (times: "
                f"{self.settings.get('time_rule')}), which were imported; toprock cannot make them from a video",
                advice="Make them as those were made, store them with toprock features import, and give --features.",
            )
        settings = {k: v for k, v in self.settings.items() if k != "version"}
        try:
            backbone = from_settings(self.backbone, settings, weights_at=self.weights_at)
        except (UsageError, TypeError) as problem:
            raise RecipeMismatch(
                f"this version of toprock cannot make the {self.stream} features '{self.backbone}' ({problem})",
                advice="Use the version that made them, or extract the features again and train again.",
            ) from problem
        if (now := Recipe.of(backbone)) != self:
            raise RecipeMismatch(
                f"this version of toprock makes other '{self.backbone}' features ({'; '.join(self.differences(now))})",
                advice="Extract the features again and train again, or use the version that made them.",
            )
        return backbone

    @property
    def shape(self) -> str:
        """Segments and numbers of each, of imported features: `(any, 1024)`."""
        return "(" + ", ".join("any" if n is None else str(n) for n in self.settings.get("shape", ())) + ")"

    def differences(self, other: Recipe) -> list[str]:
        """What differs, in words: `stride_s is 0.4, not 0.5`.

        >>> Recipe("static", "posture", {"rate_hz": 6}).differences(Recipe("static", "posture", {"rate_hz": 5}))
        ['rate_hz is 5, not 6']
        """
        if self.backbone != other.backbone:
            return [f"{self.stream} is {other.backbone}, not {self.backbone}"]
        names = sorted({*self.settings, *other.settings})
        return [
            f"{name} is {other.settings.get(name)}, not {self.settings.get(name)}"
            for name in names
            if self.settings.get(name) != other.settings.get(name)
        ]

    def to_json(self) -> dict[str, Any]:
        """JSON values, with the hash for people."""
        plain = {
            "stream": self.stream,
            "backbone": self.backbone,
            "settings": dict(self.settings),
            "hash": self.hash,
        }
        return plain | ({"weights_at": self.weights_at} if self.weights_at else {})


def _is_shape(value: object) -> bool:
    """Segments, or None for any number, and numbers of each."""
    return isinstance(value, list | tuple) and len(value) == 2 and all(n is None or isinstance(n, int) for n in value)
