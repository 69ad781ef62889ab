"""Backbones by name: what turns the frames of a performance into segments with features.

Importing this package is light; a backbone's own imports happen when it is built, a network's when it is opened.

>>> build("flow").spec.stream
'dynamic'
>>> backbone = build("posture")
>>> build("posture", **backbone.settings) == backbone
True
>>> build("flow:clip_s=1.2").settings["clip_s"]
1.2

To add a backbone: write its module (a class with `spec`, `reading`, `settings` and `describer()`; see
`base`), and name it in `REGISTRY`. To add a checkpoint: a line in `pretrained.catalogue`.
"""

from __future__ import annotations

import importlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from toprock.backbones.base import Backbone
from toprock.errors import UsageError

__all__ = ["REGISTRY", "BackboneFactory", "build", "from_settings", "names"]


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
    "pose": BackboneFactory("toprock.backbones.pose", "Pose"),
    "pose-motion": BackboneFactory("toprock.backbones.pose", "PoseMotion"),
    "posture": BackboneFactory("toprock.backbones.posture", "Posture"),
    "temporal": BackboneFactory("toprock.backbones.temporal", "Temporal"),
}


def names() -> list[str]:
    """All that can be chosen by name."""
    from toprock.backbones.pretrained.catalogue import CATALOGUE

    return sorted([*REGISTRY, *CATALOGUE])


def build(name: str, **settings: Any) -> Backbone:
    """Build a backbone; settings not given have their defaults.

    Args:
        name: of the registry or the catalogue of checkpoints, or a checkpoint's folder; settings may follow, as in
            `flow:clip_s=1.2,every_s=0.6`.
        settings: of the backbone.

    Raises:
        UsageError: no such backbone, no such setting, or a value that it does not allow.
        RecipeMismatch: `version` is of another release of the backbone.
        WeightsError: its weights are not here, or not usable.
    """
    from toprock.backbones.pretrained.catalogue import CATALOGUE

    if not name.strip():
        raise UsageError("no backbone is named", advice="Give a name, a folder, or none.")
    if not Path(name).is_dir() and (match := re.fullmatch(r"(.+?):([A-Za-z_]\w*=.*)", name)):
        name, settings = match[1], _written(match[2], name) | settings
    if name in REGISTRY:
        return REGISTRY[name](**settings)
    if name in CATALOGUE or "weights" in settings:
        return _from_checkpoint(name, settings)
    if Path(name).is_dir():
        from toprock.backbones.pretrained.checkpoint import folder_name

        return _from_checkpoint(folder_name(Path(name)), {"at": name} | settings)
    if "/" in name or "\\" in name:
        raise UsageError(f"{name}: there is no such folder", advice="Give a checkpoint's folder, or a backbone's name.")
    raise UsageError(f"there is no backbone '{name}'", advice=f"Allowed are {', '.join(names())}, or a folder.")


def from_settings(name: str, settings: Mapping[str, Any], *, weights_at: str = "") -> Backbone:
    """Build again the backbone whose `settings` were stored (JSON values); errors as in `build`.

    Args:
        name: of the backbone.
        settings: as stored.
        weights_at: where its weights were last seen.
    """
    where = {"at": weights_at} if weights_at else {}
    return build(name, **where, **settings)


def _from_checkpoint(name: str, settings: Mapping[str, Any]) -> Backbone:
    from toprock.backbones.pretrained.backbone import from_checkpoint

    return cast(Backbone, from_checkpoint(name, **settings))


def _written(text: str, whole: str) -> dict[str, Any]:
    """Settings as a person writes them: `clip_s=1.2,crop=performer`."""
    found: dict[str, Any] = {}
    for part in text.split(","):
        key, equals, value = part.partition("=")
        if not equals or not key.strip():
            raise UsageError(f"'{whole}': '{part}' is no setting", advice="Write NAME:key=value,key=value.")
        key, value = key.strip(), value.strip()
        try:
            found[key] = value if key in _TEXTS else json.loads(value)
        except ValueError:
            found[key] = value
    return found


_TEXTS = ("image", "at", "pose", "weights", "crop")
"""Settings that are never numbers, whatever they look like."""
