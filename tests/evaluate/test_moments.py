import math

import numpy as np
import pytest

from toprock.assess import EvidenceCurve, SegmentEvidence
from toprock.errors import ManifestError
from toprock.evaluate import LabelledMoment, moment_scores, read_moments
from toprock.evaluate.moments import auc, unlabelled


def curve(values):
    return EvidenceCurve.of(
        [SegmentEvidence("static", t, t + 1.0, {"high": v, "low": 0, "average": 0}, 0, 0) for t, v in enumerate(values)]
    )


def test_auc_by_loops():
    rng = np.random.default_rng(0)
    a, b = rng.integers(0, 5, 9), rng.integers(0, 5, 7)
    loop = np.mean([1.0 if x > y else 0.5 if x == y else 0.0 for x in a for y in b])
    assert auc(a, b) == pytest.approx(loop)


def test_within_a_video_and_averaged_over_videos():
    curves = {"a": curve([5, 0, -5, 0]), "b": curve([0, 9, 0, 0])}
    spans = {"a": (0.0, 4.0), "b": (0.0, 4.0)}
    moments = [
        LabelledMoment("a", 0, 1, "good"),
        LabelledMoment("a", 2, 3, "bad"),
        LabelledMoment("b", 0, 1, "good"),
    ]
    good = moment_scores(curves, spans, moments, "good")
    # in b one neutral gap (1 to 4) lies above the good moment
    assert good.auc == pytest.approx((1.0 + 0.0) / 2)
    assert good.performances == 2
    assert not good.tiled
    bad = moment_scores(curves, spans, moments, "bad")
    assert (bad.auc, bad.performances) == (1.0, 1)
    assert good.interval[0] <= good.auc <= good.interval[1]


def test_good_and_bad_that_tile_are_one_figure():
    moments = [LabelledMoment("a", i, i + 1, "good" if i % 2 else "bad") for i in range(4)]
    curves, spans = {"a": curve([0, 3, 5, 4])}, {"a": (0.0, 4.0)}
    good, bad = (moment_scores(curves, spans, moments, label) for label in ("good", "bad"))
    assert good.auc == bad.auc == pytest.approx(0.5)
    assert good.tiled


def test_a_video_of_one_kind_only_does_not_count():
    scores = moment_scores({"a": curve([1])}, {"a": (0.0, 1.0)}, [LabelledMoment("a", 0, 1, "good")], "good")
    assert math.isnan(scores.auc)
    assert scores.performances == 0


def test_gaps_are_neutral():
    moments = [LabelledMoment("a", 1, 2, "good"), LabelledMoment("a", 2.05, 3, "bad")]
    assert unlabelled(moments, 0, 5) == [(0, 1), (3, 5)]


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("id,start_s,label\na,1,good\n", "no column end_s"),
        ("id,start_s,end_s,label\na,1,2,fine\n", "label is 'fine'"),
        ("id,start_s,end_s,label\na,3,2,good\n", "3 to 2 is no span"),
        ("id,start_s,end_s,label\na,x,2,good\n", "x to 2 is no span"),
        ("id,start_s,end_s,label\n,1,2,good\n", "names no performance"),
    ],
)
def test_malformed_moments(tmp_path, text, what):
    path = tmp_path / "m.csv"
    path.write_text(text)
    with pytest.raises(ManifestError, match=what):
        read_moments(path)


def test_reading_by_video_column(tmp_path):
    path = tmp_path / "m.csv"
    path.write_text("video,start_s,end_s,label,person\nv01.mp4,0,2.5,bad,vp1\n")
    assert read_moments(path) == [LabelledMoment("v01.mp4", 0.0, 2.5, "bad", {"video": "v01.mp4", "person": "vp1"})]
