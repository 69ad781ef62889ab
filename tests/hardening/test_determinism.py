"""The same score again, on short performances; what compares scores is not blind."""

import subprocess
import sys
from pathlib import Path

import pytest

from hardening.chapter import Scale
from hardening.chapters.determinism import Bench, Differences, batches, built, extracted, run
from toprock.backbones import build
from toprock.comparisons import Pair
from toprock.performance import Performance

sys.path.insert(0, str(Path(__file__).parents[1] / "backbones"))
from checkpoints import make_checkpoint

pytestmark = pytest.mark.long


@pytest.fixture(scope="module")
def bench(place, tmp_path_factory):
    """Three seconds each of three battles."""
    folder = tmp_path_factory.mktemp("bench")
    them = []
    for number in range(3):
        video = folder / f"v{number}.mp4"
        subprocess.run(["ffmpeg", "-v", "error", "-i", place.video(number), "-t", "3", "-c", "copy", video], check=True)
        them.append(Performance(f"v{number}", video))
    whole = Bench(folder, them, [Pair("v0", "v1"), Pair("v1", "v2")], place / "features", place / "model")
    extracted(folder / "features", them, built(whole))
    return Bench(folder, them, whole.pairs, folder / "features", place / "model")


def test_scores_depend_on_nothing_beside(bench, tmp_path):
    chapter = run(Scale(False, tmp_path), bench)
    assert chapter.lost == []
    ((*rows,),) = (table.rows for table in chapter.tables)
    assert len(rows) == 7
    assert all(compared >= 2 for _, _, compared, _ in rows)
    assert len(set(bench.stored().values())) == 3


def test_scores_do_not_depend_on_the_size_of_batches(bench, tmp_path):
    found = Differences()
    backbones = [build(str(make_checkpoint(kind, tmp_path / kind))) for kind in ("videomae", "dinov2")]
    batches(bench, found, "two small networks", backbones, (8, 1))
    assert found.lost == []


def test_a_score_that_moves_is_told():
    found = Differences()
    found.add("nothing", "twice", {"a": 1.0, "b": 2.0}, {"a": 1.0, "b": 2.0 + 5e-6})
    assert found.lost == []
    for other in (2.1, float("nan")):
        found.add("something", "twice", {"a": 1.0, "b": 2.0}, {"a": 1.0, "b": 2.0}, {"a": 1.0, "b": other})
    assert len(found.lost) == 2
