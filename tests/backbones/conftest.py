"""Fixtures for the tests here, which also import `backbone_figures` and `checkpoints`, standing beside them."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))


@pytest.fixture(scope="session")
def checkpoints(tmp_path_factory):
    """A function: kind -> folder of a small checkpoint, made once."""
    made = {}

    def folder(kind):
        from checkpoints import make_checkpoint

        if kind not in made:
            made[kind] = make_checkpoint(kind, tmp_path_factory.mktemp("checkpoints") / kind.replace("_", "-"))
        return made[kind]

    return folder
