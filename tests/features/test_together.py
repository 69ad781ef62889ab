"""Several runs that fill one store at a time: nothing is lost, nothing is doubled."""

import subprocess
import sys

import numpy as np
import pytest

from toprock.backbones import build
from toprock.features import FeatureStore, extract
from toprock.performance import find_performances


@pytest.fixture(scope="module")
def videos(make_video, tmp_path_factory):
    folder = tmp_path_factory.mktemp("videos")
    for number in range(6):
        make_video(folder / f"v{number}.mp4", frames=60 + 15 * number, rate_hz=15)
    for name in ("bad1", "bad2"):
        (folder / f"{name}.mp4").write_bytes(b"\0" * 3000)
    return folder


def run_together(videos, out, *runs):
    commands = [[sys.executable, "-m", "toprock", "extract", str(videos), "--out", str(out), *run] for run in runs]
    running = [subprocess.Popen(c, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True) for c in commands]
    for process in running:
        _, told = process.communicate(timeout=200)
        assert process.returncode == 1, told  # two videos are bad
        assert "Traceback" not in told


def assert_same(one, other):
    assert one.ids() == other.ids()
    for ident in one.ids():
        a, b = one.read(ident), other.read(ident)
        assert a.facts == b.facts and a.source == b.source and a.streams.keys() == b.streams.keys()
        for recipe, stream in a.streams.items():
            np.testing.assert_array_equal(stream.features, b.streams[recipe].features)


def test_runs_of_other_streams_and_of_the_same_leave_what_one_run_leaves(videos, tmp_path):
    apart = FeatureStore(tmp_path / "apart", create=True)
    extract(find_performances(videos), apart, [build("flow"), build("posture")])
    run_together(videos, tmp_path / "together", ("--static", "none"), *[("--dynamic", "none")] * 2)
    together = FeatureStore(tmp_path / "together")
    assert {recipe.backbone for recipe in together.recipes} == {"flow", "posture"}
    assert_same(apart, together)
    assert together.failures() == apart.failures()
    assert together.failures().keys() == {"bad1", "bad2"}
    files = [
        sorted(path.relative_to(store.folder) for path in store.folder.rglob("*") if path.is_file())
        for store in (apart, together)
    ]
    assert files[0] == files[1]
