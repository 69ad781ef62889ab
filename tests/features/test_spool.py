import os
import resource
import subprocess
import sys

import numpy as np
import pytest

from toprock.features import spool as module
from toprock.features.spool import Spool


def filled(count, dimension=300):
    spool = Spool(dimension)
    spool.extend((i * 0.5, i * 0.5 + 1, np.full(dimension, i % 1000 + 0.5)) for i in range(count))
    return spool


@pytest.mark.parametrize("count", [0, 3, 5000])
def test_what_goes_in_comes_out_from_memory_and_from_disk(count):
    found = filled(count).stack()
    assert found.features.shape == (count, 300)
    assert found.features.dtype == np.float16
    assert isinstance(found.features, np.memmap) == (count == 5000)
    assert (found.features == (np.arange(count) % 1000 + 0.5)[:, None]).all()
    assert np.array_equal(found.times, np.stack([np.arange(count) * 0.5, np.arange(count) * 0.5 + 1], 1))


@pytest.mark.parametrize("dimension", [2, 3000])
def test_too_many_are_thinned_evenly_over_the_whole_length(dimension, monkeypatch):
    monkeypatch.setattr(module, "MAX_SEGMENTS", 300)
    found = filled(999, dimension).stack()
    assert np.array_equal(found.times[:, 0], np.arange(0, 999, 4) * 0.5)
    assert (found.features == (np.arange(0, 999, 4) + 0.5)[:, None]).all()


def test_nothing_is_left_on_disk(tmp_path, monkeypatch):
    monkeypatch.setattr(module.tempfile, "tempdir", str(tmp_path))
    kept = filled(5000).stack()
    assert isinstance(kept.features, np.memmap)
    assert list(tmp_path.iterdir()) == []


def test_a_temporary_folder_without_space_is_said(tmp_path):
    code = (
        "import numpy as np; from toprock.errors import StorageError; from toprock.features.spool import Spool\n"
        "spool = Spool(1000)\n"
        "try:\n    spool.extend((i, i + 1, np.ones(1000)) for i in range(5000))\n    spool.stack()\n"
        "except StorageError as problem: print(problem)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        env=os.environ | {"TMPDIR": str(tmp_path)},
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (2_000_000, 2_000_000)),
        capture_output=True,
        text=True,
        check=True,
    )
    assert str(tmp_path) in done.stdout
    assert "larger than a file may be" in done.stdout
