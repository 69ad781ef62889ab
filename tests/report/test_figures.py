from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from toprock.report.figures import apportion, decimals_for, percent, seconds, show, units


@given(st.lists(st.floats(-100, 100), min_size=1, max_size=20), st.integers(0, 4))
def test_displayed_parts_sum_to_the_displayed_total(values: list[float], decimals: int) -> None:
    total = units(sum(values), decimals)
    parts = apportion(values, total, decimals)
    assert sum(parts) == total
    for value, part in zip(values, parts, strict=True):
        assert abs(part - value * 10**decimals) <= 1.5
        if value == 0 and any(values):
            assert part == 0


def test_the_total_may_differ_by_rounding_elsewhere() -> None:
    assert apportion([0.004, 0.004], 1, 2) == [1, 0]
    assert apportion([], 0, 2) == []


def test_show_has_true_signs_and_no_negative_zero() -> None:
    assert show(units(-0.001, 2), 2, signed=True) == "0.00"
    assert show(-5, 2) == "−0.05"
    assert show(12345, 2, signed=True) == "+123.45"


def test_decimals_give_three_digits_within_bounds() -> None:
    assert [decimals_for([v]) for v in (123.0, 1.2, 0.12, 0.0012, 1e-9, 0.0)] == [2, 2, 3, 5, 5, 2]


def test_percent_never_claims_all_or_nothing() -> None:
    assert [percent(v).replace("\xa0", " ") for v in (0, 0.004, 0.83, 0.999, 1)] == [
        "0 %", "less than 1 %", "83 %", "99 %", "100 %",
    ]  # fmt: skip


def test_seconds_in_words() -> None:
    assert [seconds(v).replace("\xa0", " ") for v in (0.25, 9.96, 119.6, 2400)] == [
        "0.2 s",
        "10 s",
        "2 min",
        "40 min",
    ]
