from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from toprock.assess.assessment import SegmentEvidence
from toprock.errors import UsageError
from toprock.report.drawing import Scale, area, levels
from toprock.report.timeline import Density, Timeline, clock, ticks

spans = st.lists(
    st.tuples(st.floats(0, 500), st.floats(0.01, 60), st.floats(-5, 5), st.sampled_from(["dynamic", "static"])),
    min_size=1,
    max_size=40,
)


def segment(start: float, end: float, high: float, stream: str = "dynamic", low: float = 0.0) -> SegmentEvidence:
    return SegmentEvidence(stream, start, end, {"high": high, "low": low, "average": 0.0}, 0.5, 0.5)  # type: ignore[arg-type]


@given(spans, st.integers(1, 600))
def test_bins_conserve_the_sum_in_each_stream_and_in_the_net(rows: list, columns: int) -> None:
    timeline = Timeline.of([segment(s, s + length, value, stream) for s, length, value, stream in rows])
    edges = timeline.edges(columns)
    assert len(edges) - 1 <= columns
    assert (np.diff(edges) > 0).all()
    assert (edges[0], edges[-1]) == (timeline.start_s, timeline.end_s)
    for stream in timeline.streams:
        wanted = sum(value for *_, value, own in rows if own == stream)
        assert timeline.contributions[stream, "high"].sums(edges).sum() == pytest.approx(wanted, abs=1e-6)
    whole = sum(value for *_, value, _ in rows)
    assert (timeline.rates(timeline.net, edges) * np.diff(edges)).sum() == pytest.approx(whole, abs=1e-6)
    assert timeline.net.raised + timeline.net.lowered == pytest.approx(whole, abs=1e-6)


@given(spans, st.floats(0, 500), st.floats(0.1, 100))
def test_a_span_holds_each_segment_in_proportion_to_its_overlap(rows: list, start: float, length: float) -> None:
    timeline = Timeline.of([segment(s, s + width, value) for s, width, value, _ in rows])
    wanted = sum(v * max(0.0, min(start + length, s + w) - max(start, s)) / w for s, w, v, _ in rows)
    assert timeline.net.between(start, start + length) == pytest.approx(wanted, abs=1e-6)
    assert timeline.parts(start, start + length)["dynamic", "high"] == pytest.approx(wanted, abs=1e-6)


def test_an_instant_is_given_a_length_and_keeps_its_contribution() -> None:
    timeline = Timeline.of([segment(4.0, 4.0, 1.5, "static")])
    assert timeline.duration_s == pytest.approx(0.1)
    assert timeline.net.between(4.0, 4.1) == pytest.approx(1.5)


def test_gaps_and_judged_time() -> None:
    timeline = Timeline.of([segment(12, 20, 1), segment(15, 45.5, 1, "static"), segment(60, 70, 1)])
    assert timeline.gaps == [(45.5, 60.0)]
    assert timeline.judged_s == pytest.approx(43.5)


def test_an_average_that_is_no_part_of_the_score_is_not_shown() -> None:
    silent = [segment(0, 1, 0.5), segment(1, 2, 0.0, "static")]
    assert Timeline.of(silent).branches == ("high", "low")
    assert ("dynamic", "average") not in Timeline.of(silent).contributions
    spoken = SegmentEvidence("static", 1, 2, {"high": 0.0, "low": 0.0, "average": 0.1}, 0, 0)
    assert Timeline.of([silent[0], spoken]).branches == ("high", "low", "average")


def test_no_segments_make_an_empty_timeline() -> None:
    timeline = Timeline.of([])
    assert (timeline.duration_s, timeline.judged_s, timeline.gaps, timeline.streams) == (0.0, 0.0, [], ())


@pytest.mark.parametrize("bad", [segment(0, float("nan"), 1), segment(0, 1, float("inf")), segment(2, 1, 1)])
def test_impossible_segments_are_refused(bad: SegmentEvidence) -> None:
    with pytest.raises(UsageError):
        Timeline.of([bad])


def test_density_between_is_signed_area() -> None:
    density = Density(np.array([0.0, 1.0]), np.array([2.0, 3.0]), np.array([2.0, -4.0]))
    assert (density.raised, density.lowered) == (pytest.approx(1.0), pytest.approx(-3.0))


@given(st.floats(0, 1000), st.floats(0.5, 20000))
def test_ticks_lie_inside_and_are_few(start: float, length: float) -> None:
    marks = ticks(start, start + length)
    assert 1 <= len(marks) <= 11 or length > 140000
    assert all(start - 1e-3 <= t <= start + length + 1e-3 for t, _ in marks)
    assert sum(stays for _, stays in marks) <= 5


@pytest.mark.parametrize(
    ("time_s", "tenths", "text"),
    [
        (0, False, "0:00"),
        (59.96, True, "1:00.0"),
        (59.6, False, "1:00"),
        (3599.99, True, "1:00:00.0"),
        (605, False, "10:05"),
    ],
)
def test_clock_carries_over(time_s: float, tenths: bool, text: str) -> None:
    assert clock(time_s, tenths=tenths) == text


@given(st.lists(st.floats(-1e3, 1e3), min_size=1, max_size=30))
def test_drawn_values_stay_in_the_box(values: list[float]) -> None:
    rates = np.array(values)
    scale = Scale.over([rates], 100)
    tops = scale.zero - rates * scale.unit
    assert tops.min() >= 0 and tops.max() <= 100
    above, below = area(rates, np.linspace(0, 1000, len(values) + 1), scale)
    assert bool(above) == bool((rates > 0).any())
    assert bool(below) == bool((rates < 0).any())


def test_area_draws_each_run_as_closed_steps() -> None:
    scale = Scale.over([np.array([1.0, -1.0])], 102)
    above, below = area(np.array([1.0, 1.0, 0.0, -1.0]), np.array([0.0, 10, 20, 30, 40]), scale)
    assert above == "M0,51V1H20V51Z"
    assert below == "M30,51V101H40V51Z"


@given(st.lists(st.floats(4, 96), max_size=12))
def test_badges_in_one_row_keep_their_distance(centres: list[float]) -> None:
    rows = levels(centres, apart=8)
    for row in set(rows):
        own = sorted(c for c, r in zip(centres, rows, strict=True) if r == row)
        assert all(b - a >= 8 for a, b in pairwise(own))
