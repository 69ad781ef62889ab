"""What backbones there are, whether each can be used here, and what to do where it cannot."""

from __future__ import annotations

import importlib.util
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from toprock.backbones import REGISTRY, build
from toprock.backbones.base import BackboneSpec
from toprock.backbones.pretrained.catalogue import CATALOGUE
from toprock.backbones.pretrained.checkpoint import WeightsNotHere, how_to_get, locate
from toprock.backbones.weights import places
from toprock.errors import ToprockError, UsageError

READY, EXTRA, DOWNLOADABLE, BRING = "ready", "needs an extra", "downloadable", "bring a folder"


@dataclass(frozen=True, kw_only=True)
class Listed(BackboneSpec):
    """A backbone that can be chosen; its dimension is 0 where that depends on a choice.

    Attributes:
        state: ready, needs an extra, downloadable, or bring a folder.
        advice: what to do where it is not ready.
    """

    state: str
    advice: str = ""

    @classmethod
    def of(cls, spec: BackboneSpec, *, state: str = READY, advice: str = "") -> Listed:
        """What is known of a backbone, with whether it can be used here."""
        return cls(
            **{field.name: getattr(spec, field.name) for field in fields(BackboneSpec)}, state=state, advice=advice
        )

    def to_json(self) -> dict[str, Any]:
        """JSON values."""
        return asdict(self)


def listed() -> list[Listed]:
    """Every backbone by name, those that need nothing first."""
    return [*(_own(name) for name in sorted(REGISTRY)), *(_known(name) for name in CATALOGUE)]


def fetch(name: str) -> Path:
    """Fetch the weights of a backbone; see `pretrained.download` and `pose.download`.

    Raises:
        UsageError: it has none to be fetched.
        WeightsError: they cannot be had.
    """
    if name in ("pose", "pose-motion"):
        from toprock.backbones.pose.download import download_movenet

        return download_movenet()
    if name in REGISTRY:
        raise UsageError(f"'{name}' has no weights to fetch", advice="Use it as it is: see toprock backbones.")
    from toprock.backbones.pretrained.download import download

    return download(name)


def _own(name: str) -> Listed:
    if name == "temporal":
        ready = _has("transformers")
        return Listed(
            name=name,
            stream="dynamic",
            dimension=0,
            description="clips through an image model, as in temporal:image=dinov2-small",
            licence="of the image model",
            size_mb=0.0,
            source="any static checkpoint",
            state=READY if ready else EXTRA,
            advice="" if ready else _extra("pretrained"),
        )
    if name in ("pose", "pose-motion"):
        return _pose(name)
    return Listed.of(build(name).spec)


def _pose(name: str) -> Listed:
    from toprock.backbones.pose import SPECS

    state, advice = READY, ""
    if not _has("ai_edge_litert"):
        state, advice = EXTRA, _extra("pose")
    else:
        try:
            build(name)
        except ToprockError as problem:
            state, advice = DOWNLOADABLE, problem.advice
    return Listed.of(SPECS[name], state=state, advice=advice)


def _known(name: str) -> Listed:
    known = CATALOGUE[name]
    state, advice = READY, ""
    try:
        locate(name)
    except ToprockError as problem:
        state = BRING if known.revision is None else DOWNLOADABLE
        advice = how_to_get(name) if isinstance(problem, WeightsNotHere) else str(problem)
    if not _has("transformers"):
        state, advice = EXTRA, _extra("pretrained")
    return Listed.of(known, state=state, advice=advice)


def licence_of(name: str, settings: Mapping[str, Any]) -> str:
    """Licence of a backbone's weights, or of its code where it has none; of a folder, where to look.

    >>> licence_of("flow", {}), licence_of("temporal", {"image": "videomae-base"})
    ('Apache-2.0', 'CC-BY-NC-4.0')
    """
    name = str(settings.get("image", name))
    if name in CATALOGUE:
        return CATALOGUE[name].licence
    return "Apache-2.0" if name in REGISTRY else "of its checkpoint's folder"


def folders() -> list[Path]:
    """Checkpoint folders that lie where weights are looked for."""
    return sorted({place for place in places() if (place / "config.json").is_file()})


def _extra(name: str) -> str:
    return f"Install it: pip install 'toprock[{name}]'."


def _has(module: str) -> bool:
    return importlib.util.find_spec(module) is not None
