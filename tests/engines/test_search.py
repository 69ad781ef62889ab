"""A search over settings on a Ray cluster finds what it finds on this machine."""

import json
import os
import subprocess
import sys

import numpy as np
import pytest

from toprock.comparisons import read_pairs
from toprock.engines import LocalEngine
from toprock.evaluate.space import Settings, read_space
from toprock.evaluate.sweep import sweep
from toprock.features import FeatureStore, PerformanceFeatures, Recipe
from toprock.features.store import StreamFeatures

pytestmark = pytest.mark.long


def test_a_search_on_a_cluster_is_that_of_this_machine(cluster, tmp_path):
    store, recipe = FeatureStore(tmp_path / "features", create=True), Recipe("static", "made-up", {})
    rng, times = np.random.default_rng(0), np.stack([np.arange(10.0), np.arange(10.0) + 1], 1)
    for number in range(6):
        x = (rng.normal(size=(10, 6)) + number).astype(np.float16)
        store.write(PerformanceFeatures(f"v{number}", {recipe: StreamFeatures(x, times)}, {}))
    (tmp_path / "pairs.txt").write_text("".join(f"v{a} v{b}\n" for a in range(6) for b in range(a)))
    (tmp_path / "space.toml").write_text("[model]\nwidth = [8, 16]\n")
    words = ["--features", "features", "--pairs", "pairs.txt", "--sweep", "space.toml", "--seeds", "1"]
    words += ["--members", "1", "--steps", "2", "--out", "model", "--engine", "ray", "--address", cluster.address]
    command = [sys.executable, "-m", "toprock", "train", *words]
    environment = os.environ | cluster.environment
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=240)
    assert done.returncode == 0, done.stderr
    found = json.loads((tmp_path / "model/sweep/sweep.json").read_text())["trials"]
    here = sweep(
        store,
        read_pairs(tmp_path / "pairs.txt"),
        read_space(tmp_path / "space.toml"),
        recipes={"static": recipe},
        performers={},
        folder=tmp_path / "here",
        engine=LocalEngine(1),
        base=Settings(training={"steps": 2}),
        seeds=1,
    )
    assert found == json.loads((tmp_path / "here/sweep.json").read_text())["trials"]
    assert len(here.trials) == 3
