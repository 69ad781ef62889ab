"""Figures by type of segment against evidence whose answer is known, and read from files."""

import json

import numpy as np
import pytest

from toprock.assess import SegmentEvidence
from toprock.errors import ManifestError
from toprock.evaluate import TypedSpan, read_segments, segment_types


def clips(high, low, contributions=None, stream="dynamic", length_s=1.0, every_s=1.0):
    """Segments with attention as given; `contributions` are of high, low is half of it, average a tenth."""
    contributions = contributions or [0.0] * len(high)
    return [
        SegmentEvidence(
            stream, i * every_s, i * every_s + length_s, {"high": c, "low": c / 2, "average": c / 10}, at_high, at_low
        )
        for i, (at_high, at_low, c) in enumerate(zip(high, low, contributions, strict=True))
    ]


def by_branch(rows):
    return {(r.type, r.stream, r.branch): r for r in rows}


def test_planted_attention_and_contribution():
    evidence = {
        "a": clips([0.4, 0.4, 0.1, 0.1], [0.0, 0.0, 0.5, 0.5], [2.0, 4.0, -1.0, -1.0]),
        "b": clips([0.5, 0.5], [1.0, 0.0], [0.0, 6.0]),
    }
    spans = [TypedSpan("a", 0, 2, "power move"), TypedSpan("b", 1, 2, "power move"), TypedSpan("a", 2.5, 4, "freeze")]
    found = by_branch(segment_types(evidence, spans))
    assert {key[:2] for key in found} == {("power move", "dynamic"), ("freeze", "dynamic")}
    high, low, average = (found["power move", "dynamic", b] for b in ("high", "low", "average"))
    assert high.attention == pytest.approx((0.8 + 0.5) / (0.5 + 0.5))
    assert low.attention == pytest.approx(0.0)
    assert average.attention == 1.0
    assert average.attention_interval == (1.0, 1.0)
    assert high.contribution_per_s == pytest.approx((2 + 4 + 6) / 3)
    assert low.contribution_per_s == pytest.approx(high.contribution_per_s / 2)
    assert average.contribution_per_s == pytest.approx(high.contribution_per_s / 10)
    assert (high.spans, high.performances, high.seconds) == (2, 2, 3.0)
    # a resample is a twice, b twice, or both
    assert high.attention_interval == pytest.approx((0.5 / 0.5, 0.8 / 0.5))
    assert high.contribution_interval == pytest.approx((3.0, 6.0))
    freeze = found["freeze", "dynamic", "low"]
    assert freeze.attention == pytest.approx(0.75 / 0.375)  # half of one segment and the whole of another
    assert freeze.contribution_per_s == pytest.approx(-0.5)
    assert freeze.attention_interval is None  # of one performance there is nothing to draw from
    assert freeze.seconds == 1.5


def test_no_time_counts_twice_and_none_outside():
    evidence = {"a": clips([0.7, 0.1, 0.1, 0.1], [0.25] * 4, [4.0, 0, 0, 0])}
    plain = by_branch(segment_types(evidence, [TypedSpan("a", 0, 2, "x")]))
    doubled = [TypedSpan("a", 0, 1.5, "x"), TypedSpan("a", 0.5, 2, "x"), TypedSpan("a", 50, 60, "x")]
    again = by_branch(segment_types(evidence, doubled))
    for key, row in plain.items():
        assert again[key].attention == pytest.approx(row.attention)
        assert again[key].contribution_per_s == pytest.approx(row.contribution_per_s)
        assert (again[key].seconds, again[key].spans) == (2.0, 2)
    assert segment_types(evidence, [TypedSpan("a", 50, 60, "x")]) == []


def test_streams_keep_apart_and_overlapping_clips_are_even():
    even = [0.1] * 10
    evidence = {
        "a": clips(even, even, length_s=0.8, every_s=0.4) + clips([0.9, 0.1], [0.5, 0.5], stream="static", length_s=2)
    }
    found = by_branch(segment_types(evidence, [TypedSpan("a", 0, 1, "toprock")]))
    assert found["toprock", "dynamic", "high"].attention == pytest.approx(1.0)
    assert found["toprock", "static", "high"].attention == pytest.approx(0.9 / 0.5)


def test_the_interval_holds_the_truth_about_as_often_as_it_says():
    rng = np.random.default_rng(0)
    held = 0
    for _ in range(60):
        shares = np.clip(0.6 + 0.1 * rng.normal(size=25), 0, 1)
        evidence = {f"p{i}": clips([s, 1 - s], [0.5, 0.5]) for i, s in enumerate(shares)}
        (high, *_) = segment_types(evidence, [TypedSpan(ident, 0, 1, "x") for ident in evidence])
        low_end, high_end = high.attention_interval
        held += low_end <= 1.2 <= high_end
    assert held >= 50


def test_reading(tmp_path):
    path = tmp_path / "s.csv"
    path.write_text("video,start_s,end_s,type,dancer\nv01.mp4,0,2.5,power move,Ann\nv01.mp4,2.5,4,fußarbeit,Ann\n")
    assert read_segments(path) == [
        TypedSpan("v01.mp4", 0.0, 2.5, "power move"),
        TypedSpan("v01.mp4", 2.5, 4.0, "fußarbeit"),
    ]


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("id,start_s,end_s\na,1,2\n", "no column type"),
        ("id,start_s,end_s,type\na,3,2,x\n", "3 to 2 is no span"),
        ("id,start_s,end_s,type\na,nan,2,x\n", "nan to 2 is no span"),
        ("id,start_s,end_s,type\na,1,2,\n", "has no type"),
        ("id,start_s,end_s,type\n,1,2,x\n", "names no performance"),
        ("id,start_s,end_s,type\n", "holds no segment"),
    ],
)
def test_malformed_segments(tmp_path, text, what):
    path = tmp_path / "s.csv"
    path.write_text(text)
    with pytest.raises(ManifestError, match=what):
        read_segments(path)


def test_by_command(toprock, place, tmp_path):
    path = tmp_path / "segments.csv"
    rows = "".join(f"battle-{i:03}.mp4,0,6,[red]toprock\nbattle-{i:03}.mp4,6,12,freeze\n" for i in range(place.count))
    path.write_text("id,start_s,end_s,type\n" + rows)
    given = ("--model", place / "model", "--features", place / "features", "--pairs", place / "pairs.txt")
    out, _ = toprock("evaluate", *given, "--segments", path, "--json")
    found = json.loads(out)["segment_types"]
    assert [(r["type"], r["stream"], r["branch"]) for r in found] == [
        (name, stream, branch)
        for name in ("[red]toprock", "freeze")
        for stream in ("dynamic", "static")
        for branch in ("high", "low", "average")
    ]
    for row in found:
        assert row["performances"] == place.count == row["spans"]
        assert row["seconds"] == pytest.approx(6.0 * place.count, abs=0.2)
        low, high = row["contribution_per_s_interval"]
        assert low <= row["contribution_per_s"] <= high
        assert row["branch"] != "average" or row["attention"] == pytest.approx(1.0)
    out, _ = toprock("evaluate", *given, "--segments", path)
    assert "[red]toprock" in out
    assert "footwork" not in out
