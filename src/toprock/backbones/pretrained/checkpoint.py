"""A checkpoint folder: what it must hold, what it is, and the one that a recipe means."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from toprock.backbones.pretrained.catalogue import CATALOGUE
from toprock.backbones.pretrained.families import FAMILIES, Family
from toprock.backbones.pretrained.preparing import Preparation
from toprock.backbones.weights import VARIABLE, content_hash, file_sha256, missing_places, places
from toprock.errors import WeightsError

_PREPARATIONS = ("preprocessor_config.json", "video_preprocessor_config.json", "processor_config.json")

_MOST = {
    "hidden_size": 16_384,
    "num_hidden_layers": 256,
    "num_attention_heads": 256,
    "intermediate_size": 131_072,
    "image_size": 4096,
    "patch_size": 256,
    "num_frames": 256,
    "frames_per_clip": 256,
}
"""Larger numbers in a config.json are mistakes, and would fill the memory before they were found out."""


@dataclass(frozen=True)
class Checkpoint:
    """A folder in the transformers layout, looked at but not loaded.

    Attributes:
        folder: where it lies.
        family: what kind of model.
        config: its config.json.
        preparation: how it wants its pictures.
        weights: what names its weights and config.json: their content.
    """

    folder: Path
    family: Family
    config: dict[str, Any]
    preparation: Preparation
    weights: str

    @property
    def dimension(self) -> int:
        """Length of a feature vector."""
        return self.family.dimension(self.config)

    @property
    def size_mb(self) -> float:
        """Of the weights."""
        return sum(path.stat().st_size for path in weight_files(self.folder)) / 1e6


def weight_files(folder: Path) -> list[Path]:
    """The safetensors files of a checkpoint: one, or the parts that its index names."""
    whole = folder / "model.safetensors"
    if whole.is_file():
        return [whole]
    index = folder / "model.safetensors.index.json"
    if not index.is_file():
        return []
    try:
        names = sorted(set(json.loads(index.read_text(encoding="utf-8"))["weight_map"].values()))
    except (OSError, ValueError, KeyError, AttributeError, TypeError):
        raise WeightsError(f"{index}: is damaged", advice="Copy the checkpoint again.") from None
    absent = [name for name in names if not (folder / Path(name).name).is_file()]
    if absent:
        raise WeightsError(f"{folder}: lacks {', '.join(absent)}", advice="Copy the checkpoint again, with all parts.")
    return [folder / Path(name).name for name in names]


def read_checkpoint(folder: str | Path) -> Checkpoint:
    """Look at a checkpoint folder.

    Args:
        folder: holds config.json, preprocessor_config.json (or video_preprocessor_config.json), and model.safetensors.

    Raises:
        WeightsError: it is no checkpoint, of a kind that is not known, holds its weights as a pickle only, or is
            damaged.

    >>> read_checkpoint("model")  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    toprock.errors.WeightsError: model: is no checkpoint of a known kind (its model_type is None). Known are clip, ...
    """
    folder = Path(folder)
    config = _read_json(folder, "config.json")
    kind = config.get("model_type")
    if not isinstance(kind, str) or kind not in FAMILIES:
        raise WeightsError(
            f"{folder}: is no checkpoint of a known kind (its model_type is {kind})",
            advice=f"Known are {', '.join(sorted(FAMILIES))}.",
        )
    _check_numbers(folder / "config.json", config)
    files = weight_files(folder)
    if not files:
        pickles = sorted(path.name for path in folder.glob("*.bin")) + sorted(
            path.name for path in folder.glob("*.pt*")
        )
        if pickles:
            raise WeightsError(
                f"{folder}: holds its weights as a pickle only ({pickles[0]}), which could run any code when it is "
                "loaded",
                advice="Bring the same model with model.safetensors: many hub pages have it under Files, in the main "
                "branch or in a pull request by SFconvertbot.",
            )
        raise WeightsError(f"{folder}: holds no model.safetensors", advice="Copy the weights into it.")
    for path in files:
        _check_whole(path)
    found = next((name for name in _PREPARATIONS if (folder / name).is_file()), None)
    if found is None:
        raise WeightsError(
            f"{folder}: has no {_PREPARATIONS[0]}, which says how pictures are made ready",
            advice="Copy it from where the weights come from.",
        )
    plain = _read_json(folder, found)
    try:
        preparation = Preparation.from_json(plain.get("video_processor", plain.get("image_processor", plain)))
    except WeightsError as problem:
        raise WeightsError(f"{folder / found}: {problem.message}", advice="Bring another checkpoint.") from problem
    except (TypeError, ValueError, KeyError) as problem:
        raise WeightsError(f"{folder / found}: is damaged ({problem})", advice="Copy it again.") from problem
    return Checkpoint(folder, FAMILIES[kind], config, preparation, content_hash([folder / "config.json", *files]))


def locate(name: str, *, at: str | Path | None = None, weights: str | None = None) -> Checkpoint:
    """The checkpoint of a name on this machine.

    Args:
        name: of the catalogue, or of a folder.
        at: the folder; where a recipe says what its content must be, a folder to look at first.
        weights: the content that it must have.

    Raises:
        WeightsError: none is there, with how to get it; or what is there has other weights.
    """
    if at is not None and weights is None:
        return read_checkpoint(at)
    trouble: WeightsError | None = None
    others: list[Path] = []
    for folder in _folders(name, at):
        try:
            found = read_checkpoint(folder)
        except WeightsError as problem:
            trouble = trouble or problem
            continue
        if found.weights == weights if weights is not None else _is_known(name, found):
            return found
        others.append(folder)
    if others and weights is not None:
        raise WeightsError(
            f"the weights of '{name}' in {others[0]} are not those that were used ({weights})",
            advice=f"Bring the folder that was used, and set {VARIABLE} to the folder that holds it.",
        )
    if others:
        raise WeightsError(
            f"the weights in {others[0]} are not those of '{name}'",
            advice=f"Give the folder itself in place of the name. {how_to_get(name)}",
        )
    if trouble is not None:
        raise trouble
    nor = f" (nor at {at})" if at is not None else ""
    wrong = "".join(f" {VARIABLE} names {place}, which is no folder." for place in missing_places())
    raise WeightsNotHere(f"the weights of '{name}' are not on this machine{nor}", advice=how_to_get(name) + wrong)


class WeightsNotHere(WeightsError):
    """Nothing of that name lies where weights are looked for."""


def _is_known(name: str, found: Checkpoint) -> bool:
    """Whether a folder holds what the catalogue means by a name, as far as that can be known."""
    known = CATALOGUE.get(name)
    whole = found.folder / "model.safetensors"
    if known is None or not known.sha256 or not whole.is_file():
        return True
    return file_sha256(whole) == known.sha256


def folder_name(folder: Path) -> str:
    """What a folder's checkpoint is called: by the folder, or by its repository in the hub's cache.

    >>> folder_name(Path("models--org--mine") / "snapshots" / ("0" * 40)), folder_name(Path("weights") / "flow")
    ('mine', 'folder-flow')
    """
    from toprock.backbones import REGISTRY

    folder = folder.absolute()
    if folder.parent.name == "snapshots" and folder.parents[1].name.startswith("models--"):
        name = folder.parents[1].name.split("--")[-1]
    else:
        name = folder.name
    return f"folder-{name}" if name in CATALOGUE or name in REGISTRY or name == "none" else name


def how_to_get(name: str) -> str:
    """What to do to have the weights of a name here."""
    bring = f"bring its folder and set {VARIABLE} to the folder that holds it"
    known = CATALOGUE.get(name)
    if known is None:
        return f"{bring[0].upper()}{bring[1:]}."
    if known.revision is None:
        return f"Bring a folder of {known.source} that holds model.safetensors, and set {VARIABLE} to it."
    asked = f" (after asking for access on the page of {known.source})" if known.gated else ""
    return f"Get them with: toprock backbones --download {name}{asked}; or {bring}."


def _folders(name: str, at: str | Path | None) -> Iterator[Path]:
    if at is not None and Path(at).is_dir():
        yield Path(at)
    name = name.removeprefix("folder-")
    known = CATALOGUE.get(name)
    if known is not None and (cached := cached_folder(name)) is not None:
        yield cached
    for place in places():
        if (place / "config.json").is_file() and (
            place.name == name or (known is not None and place.name == known.source.split("/")[1])
        ):
            yield place


def cached_folder(name: str) -> Path | None:
    """Where the hub's cache holds a checkpoint of the catalogue, at its pinned revision."""
    known = CATALOGUE[name]
    if known.revision is None:
        return None
    try:
        from huggingface_hub import constants
    except ImportError:
        return None
    folder = f"models--{known.source.replace('/', '--')}"
    snapshot = Path(constants.HF_HUB_CACHE) / folder / "snapshots" / known.revision
    return snapshot if (snapshot / "config.json").is_file() else None


def _read_json(folder: Path, name: str) -> dict[str, Any]:
    path = folder / name
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise WeightsError(f"{folder}: is no checkpoint (it has no {name})", advice="Give its folder.") from None
    except (OSError, ValueError) as problem:
        raise WeightsError(f"{path}: is damaged ({problem})", advice="Copy the checkpoint again.") from problem
    if not isinstance(found, dict):
        raise WeightsError(f"{path}: is damaged (no JSON object)", advice="Copy the checkpoint again.")
    return found


def _check_numbers(path: Path, config: dict[str, Any]) -> None:
    """Refuse numbers that no model has: building it would fill the memory."""
    vision = config.get("vision_config", config)
    if not isinstance(vision, dict):
        raise WeightsError(f"{path}: is damaged (vision_config is no object)", advice="Copy the checkpoint again.")
    for name, most in _MOST.items():
        value = vision.get(name)
        if value is None or isinstance(value, list):  # the model's own default; height and width
            continue
        if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= most:
            raise WeightsError(
                f"{path}: {name} is {str(value)[:40]}, not a whole number from 1 to {most}",
                advice="Copy the checkpoint again.",
            )


def _check_whole(path: Path) -> None:
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, "np") as file:
            file.keys()
    except (SafetensorError, OSError, ValueError) as problem:
        raise WeightsError(f"{path}: is damaged or cut off ({problem})", advice="Copy it again.") from problem
