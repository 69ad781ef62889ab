import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from toprock.assess import EvidenceCurve, SegmentEvidence, find_moments


def segment(start_s, end_s, value, stream="static"):
    return SegmentEvidence(stream, start_s, end_s, {"high": value, "low": 0.0, "average": 0.0}, 0.0, 0.0)


def test_the_curve_spreads_contributions_evenly():
    curve = EvidenceCurve.of([segment(0, 2, 1.0), segment(1, 3, 4.0, "dynamic")])
    assert curve.between(0, 1) == pytest.approx(0.5)
    assert curve.between(1, 2) == pytest.approx(0.5 + 2.0)
    assert curve.between(-5, 50) == pytest.approx(5.0)
    borders, cells = curve.grid()
    assert len(borders) == len(cells) + 1 == 31
    assert cells.sum() == pytest.approx(5.0)
    assert cells[:10] == pytest.approx(np.full(10, 0.05))


spans = st.lists(st.tuples(st.floats(0, 50), st.floats(0.0, 3), st.floats(-2, 2)), min_size=1, max_size=60)


@given(spans)
def test_the_grid_conserves_the_sum_and_moments_never_overlap(spans):
    segments = [segment(a, a + length, value) for a, length, value in spans]
    _, cells = EvidenceCurve.of(segments).grid()
    assert cells.sum() == pytest.approx(sum(v for *_, v in spans), abs=1e-6)
    moments = sorted(find_moments(segments), key=lambda m: m.start_s)
    for a, b in itertools.pairwise(moments):
        assert a.end_s <= b.start_s + 1e-9
    for m in moments:
        assert (m.contribution > 0) == (m.kind == "best")
        assert m.end_s - m.start_s >= 0.4 - 1e-9


def test_moments_are_where_the_evidence_is():
    quiet = [segment(t / 2, t / 2 + 0.5, 0.01) for t in range(80)]
    segments = [*quiet, segment(10, 11, 2.0), segment(25, 26, -3.0), segment(30, 30.5, 1.0)]
    moments = find_moments(segments)
    first = next(m for m in moments if m.kind == "best")
    worst = next(m for m in moments if m.kind == "worst")
    assert first.start_s == pytest.approx(10, abs=0.3)
    assert first.end_s == pytest.approx(11, abs=0.3)
    assert worst.start_s == pytest.approx(25, abs=0.3)
    assert worst.contribution == pytest.approx(-3, abs=0.4)


def test_neighbours_are_merged():
    segments = [segment(5, 6, 1.0), segment(6.3, 7.3, 1.0), segment(20, 21, 1.0), segment(0, 30, 0.001)]
    best = sorted((m for m in find_moments(segments) if m.kind == "best"), key=lambda m: m.start_s)
    assert len(best) == 2
    assert best[0].start_s == pytest.approx(5, abs=0.3)
    assert best[0].end_s == pytest.approx(7.3, abs=0.3)


def test_nothing_to_show():
    assert find_moments([]) == ()
    assert find_moments([segment(0, 5, 0.0)]) == ()


@pytest.mark.parametrize("length_s", [1.0, 0.533])
@pytest.mark.parametrize("value", [-1.0, -0.7])
@pytest.mark.parametrize("noise", [0.0, 1e-6, 0.02])
def test_where_all_of_it_was_bad_moments_are_what_was_worse_than_the_rest(length_s, value, noise):
    rng = np.random.default_rng(0)
    dull = [segment(t * length_s, (t + 1) * length_s, value * (1 + noise * rng.normal())) for t in range(40)]
    assert find_moments(dull) == ()
    moments = find_moments([*dull, segment(8, 9, -3.0), segment(20, 21, -2.5)])
    assert {m.kind for m in moments} == {"worst"}
    assert [round(m.start_s) for m in moments] == [8, 20]
    assert sum(m.end_s - m.start_s for m in moments) < 4
