"""Fetching a checkpoint of the catalogue: only when asked to, at its pinned revision, into the usual cache."""

from __future__ import annotations

import urllib.error
import urllib.request
from pathlib import Path

from toprock.backbones.pretrained.catalogue import CATALOGUE, Known
from toprock.backbones.pretrained.checkpoint import how_to_get, read_checkpoint
from toprock.backbones.weights import file_sha256
from toprock.errors import UsageError, WeightsError

_PATIENCE_S = 20


def download(name: str) -> Path:
    """Fetch what the catalogue names into the Hugging Face cache, with progress on standard error.

    Returns:
        The folder.

    Raises:
        UsageError: the catalogue has no such name.
        WeightsError: it cannot be had, or came with other weights than it should.
    """
    known = CATALOGUE.get(name)
    if known is None:
        raise UsageError(
            f"there is nothing to fetch for '{name}'", advice=f"Allowed are {', '.join(sorted(CATALOGUE))}."
        )
    if known.revision is None:
        raise WeightsError(
            f"'{name}' cannot be fetched: {known.source} holds its weights as a pickle", advice=how_to_get(name)
        )
    try:
        from huggingface_hub import snapshot_download
        from huggingface_hub.errors import GatedRepoError, HfHubHTTPError, LocalEntryNotFoundError
    except ImportError:
        raise WeightsError(
            "fetching weights needs the transformers library", advice="Install it: pip install 'toprock[pretrained]'."
        ) from None
    _check_connection(known)
    wanted = [*known.files, "model.safetensors", "model.safetensors.index.json", "model-*.safetensors"]
    try:
        folder = Path(snapshot_download(known.source, revision=known.revision, allow_patterns=wanted))
    except GatedRepoError as problem:
        raise WeightsError(
            f"{known.source} is given only to those who ask",
            advice=f"Ask on https://huggingface.co/{known.source}, then run: hf auth login.",
        ) from problem
    except (LocalEntryNotFoundError, HfHubHTTPError, OSError) as problem:
        raise _unreachable(known, problem) from problem
    weights = folder / "model.safetensors"
    if known.sha256 and weights.is_file() and (found := file_sha256(weights)) != known.sha256:
        weights.resolve().unlink()
        weights.unlink(missing_ok=True)
        raise WeightsError(
            f"{known.source}: came with another model.safetensors than the one that is known ({found[:12]}, not "
            f"{known.sha256[:12]})",
            advice="Fetch it again; if that does not help, bring its folder from somewhere else.",
        )
    return read_checkpoint(folder).folder


def _check_connection(known: Known) -> None:
    """Say at once that there is no connection, where the library would try again and again."""
    from huggingface_hub import constants

    try:
        urllib.request.urlopen(urllib.request.Request(constants.ENDPOINT, method="HEAD"), timeout=_PATIENCE_S).close()
    except urllib.error.HTTPError:
        return  # somebody answers
    except (OSError, ValueError) as problem:
        raise _unreachable(known, problem) from problem


def _unreachable(known: Known, problem: Exception) -> WeightsError:
    what = f"{known.source} at {str(known.revision)[:12]}"
    return WeightsError(
        f"{known.source} cannot be reached ({str(problem).splitlines()[0][:160]})",
        advice=f"Try again with a connection; or fetch {what} elsewhere, copy its folder here and give it in place of "
        "the name.",
    )
