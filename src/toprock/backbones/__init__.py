"""Backbones by name: what turns the frames of a performance into segments with features.

Importing this package is light; a backbone's own imports happen when it is built.

>>> build("flow").spec.stream
'dynamic'
>>> backbone = build("posture")
>>> build("posture", **backbone.settings) == backbone
True

To add a backbone: write its module (a class with `spec`, `reading`, `settings` and `describer()`; see
`base`), and name it in `REGISTRY`.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast

from toprock.backbones.base import Backbone, BackboneSpec
from toprock.errors import UsageError

__all__ = ["REGISTRY", "BackboneFactory", "build", "from_settings", "specs"]


@dataclass(frozen=True)
class BackboneFactory:
    """Where a backbone's class is; calling it imports the module and builds one.

    Attributes:
        module: dotted name.
        attribute: the class in it.
    """

    module: str
    attribute: str

    def __call__(self, **settings: Any) -> Backbone:
        cls = getattr(importlib.import_module(self.module), self.attribute)
        return cast(Backbone, cls(**settings))


REGISTRY: dict[str, BackboneFactory] = {
    "flow": BackboneFactory("toprock.backbones.flow", "Flow"),
    "flow-beat": BackboneFactory("toprock.backbones.flow_beat", "FlowBeat"),
    "posture": BackboneFactory("toprock.backbones.posture", "Posture"),
}


def build(name: str, **settings: Any) -> Backbone:
    """Build a backbone; settings not given have their defaults.

    Raises:
        UsageError: no such backbone, no such setting, or a value that it does not allow.
        RecipeMismatch: `version` is of another release of the backbone.
    """
    if name not in REGISTRY:
        raise UsageError(f"there is no backbone '{name}'", advice=f"Allowed are {', '.join(sorted(REGISTRY))}.")
    return REGISTRY[name](**settings)


def from_settings(name: str, settings: Mapping[str, Any]) -> Backbone:
    """Build again the backbone whose `settings` were stored (JSON values); errors as in `build`."""
    return build(name, **settings)


def specs() -> list[BackboneSpec]:
    """What can be chosen, by name."""
    return [build(name).spec for name in sorted(REGISTRY)]
