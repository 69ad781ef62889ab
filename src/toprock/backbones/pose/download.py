"""Fetching the weights of the pose network: only when asked to, and only the very file that is known."""

from __future__ import annotations

import hashlib
import urllib.request
from pathlib import Path

from toprock.backbones.weights import VARIABLE, cache_folder
from toprock.errors import WeightsError
from toprock.files import write_bytes

_NAME = "movenet_single_pose_lightning_ptq.tflite"
_ADDRESS = f"https://raw.githubusercontent.com/google-coral/test_data/master/{_NAME}"
_SHA256 = "cd7cc22fa946e5d146a7b98d496853e1923e22828d3972d579973f27f91bb105"
_BYTES = 2_894_840
_PATIENCE_S = 60


def download_movenet() -> Path:
    """Fetch MoveNet Lightning (Apache-2.0, 2.9 MB) into the cache.

    Returns:
        The file.

    Raises:
        WeightsError: it cannot be reached, or is not the file that is known.
    """
    bring = f"Fetch it elsewhere from {_ADDRESS}, and set {VARIABLE} to the folder that holds it."
    try:
        with urllib.request.urlopen(_ADDRESS, timeout=_PATIENCE_S) as answer:
            data = answer.read(_BYTES + 1)
    except OSError as problem:
        raise WeightsError(f"{_ADDRESS} cannot be reached ({problem})", advice=bring) from problem
    if hashlib.sha256(data).hexdigest() != _SHA256:
        raise WeightsError(f"{_ADDRESS}: is another file than the one that is known", advice=bring)
    path = cache_folder() / "movenet" / _NAME
    path.parent.mkdir(parents=True, exist_ok=True)
    write_bytes(path, data)
    return path
