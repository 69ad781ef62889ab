"""Training that was interrupted goes on where it stopped: a folder of finished stages and the running one."""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from toprock.files import checksum, storage_errors, write_bytes
from toprock.ranker.team import team
from toprock.ranker.training import TrainingState


class Checkpoint:
    """The state of a training that runs in named stages (folds, members).

    Of several processes the first one reads and writes it, and tells the others what it has read.

    Args:
        folder: where it lies; None keeps nothing.
        digest: names the inputs; a folder of other inputs is started afresh.
        ids: of the performances that are learnt from, for `ids_of`.
    """

    def __init__(self, folder: Path | None, digest: str, ids: Sequence[str] = ()) -> None:
        self._team = team()
        self.folder = folder = folder if self._team.first else None
        if folder is not None and folder.is_dir() and self._read("inputs") != digest:
            self.clear()
        if folder is not None and not folder.is_dir():
            self._write("inputs", digest)
        if folder is not None and ids and self._read("ids") is None:
            self._write("ids", list(ids))

    def result(self, stage: str) -> Any:
        """What a finished stage left, or None."""
        return self._team.agreed(self._read(f"{stage}.done"))

    def finish(self, stage: str, result: Any) -> None:
        """Note the result (JSON values) of a stage."""
        self._write(f"{stage}.done", result)

    def save(self, stage: str, state: TrainingState, notes: Any = None) -> None:
        """Keep a running stage, with notes (JSON values) of the caller's."""
        if self.folder is None:
            return
        from safetensors.torch import save

        tensors = {f"mean.{k}": v for k, v in state.ranker.state_dict().items()}
        tensors |= {f"weight.{k}": v for k, v in state.learner.state_dict().items()}
        for index, values in state.optimiser.state_dict()["state"].items():
            tensors |= {f"optimiser.{index}.{k}": v for k, v in values.items()}
        tensors["random"] = state.generator.get_state()
        head = {"step": state.step, "losses": state.losses, "notes": notes}
        text = json.dumps(head)
        metadata = {"head": text, "check": checksum(tensors, text)}
        write_bytes(self.folder / f"{stage}.safetensors", save(tensors, metadata=metadata))

    def load(self, stage: str, state: TrainingState) -> Any:
        """Bring a fresh state to where the stage had come; returns the notes, or None if there is nothing.

        What was damaged since it was written is as good as nothing.
        """
        from safetensors import SafetensorError
        from safetensors.torch import load

        data = self._team.told(self._bytes(f"{stage}.safetensors"))
        if data is None:
            return None
        try:
            tensors = load(data)
            metadata = json.loads(data[8 : 8 + int.from_bytes(data[:8], "little")]).get("__metadata__", {})
        except (SafetensorError, ValueError):
            return None
        if metadata.get("check") != checksum(tensors, metadata.get("head", "")):
            return None
        head = json.loads(metadata["head"])
        for ranker, prefix in ((state.ranker, "mean."), (state.learner, "weight.")):
            ranker.load_state_dict({k.removeprefix(prefix): v for k, v in tensors.items() if k.startswith(prefix)})
        moments: dict[int, dict[str, torch.Tensor]] = {}
        for name, value in tensors.items():
            if name.startswith("optimiser."):
                _, index, key = name.split(".", 2)
                moments.setdefault(int(index), {})[key] = value
        groups = state.optimiser.state_dict()["param_groups"]
        state.optimiser.load_state_dict({"state": moments, "param_groups": groups})
        state.generator.set_state(tensors["random"])
        state.step, state.losses = head["step"], head["losses"]
        return head["notes"]

    def clear(self) -> None:
        """Remove it all."""
        if self.folder is not None and self.folder.is_dir():
            with storage_errors(self.folder):
                shutil.rmtree(self.folder)

    def _bytes(self, name: str) -> bytes | None:
        try:
            return (self.folder / name).read_bytes() if self.folder else None
        except OSError:
            return None

    def _read(self, name: str) -> Any:
        return _value_in(self.folder / f"{name}.json") if self.folder else None

    def _write(self, name: str, value: Any) -> None:
        if self.folder is not None:
            kept = {"value": value, "check": checksum({}, json.dumps(value))}
            write_bytes(self.folder / f"{name}.json", json.dumps(kept).encode())


def ids_of(folder: Path) -> list[str] | None:
    """The performances that a training learns from whose checkpoint lies here; None where it does not say."""
    found = _value_in(folder / "ids.json")
    return found if isinstance(found, list) else None


def _value_in(path: Path) -> Any:
    if not path.is_file():
        return None
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        return found["value"] if found["check"] == checksum({}, json.dumps(found["value"])) else None
    except (ValueError, KeyError, TypeError, RecursionError):
        return None
