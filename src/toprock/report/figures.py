"""Numbers as a person reads them: rounded so that what is displayed adds up to what is displayed."""

from __future__ import annotations

import math
from collections.abc import Sequence

MINUS = "\N{MINUS SIGN}"


def decimals_for(values: Sequence[float], *, least: int = 2, most: int = 5) -> int:
    """Decimals that give the largest of the values three significant digits.

    >>> decimals_for([1.234, 0.01]), decimals_for([0.0123])
    (2, 4)
    """
    largest = max((abs(v) for v in values), default=0.0)
    if largest == 0:
        return least
    return min(most, max(least, 2 - math.floor(math.log10(largest))))


def units(value: float, decimals: int) -> int:
    """The value in units of its last displayed decimal."""
    return round(value * 10**decimals)


def apportion(values: Sequence[float], total: int, decimals: int) -> list[int]:
    """Round values to units of the last decimal so that they sum to `total` units (largest remainder).

    No value moves by more than it must; exact zeros stay zero unless all are.

    >>> apportion([0.333, 0.333, 0.333], 100, 2)
    [34, 33, 33]
    """
    exact = [v * 10**decimals for v in values]
    rounded = [math.floor(v + 0.5) for v in exact]
    movable = [i for i, v in enumerate(exact) if v != 0] or list(range(len(exact)))
    while movable and (missing := total - sum(rounded)):
        sign = 1 if missing > 0 else -1
        for i in sorted(movable, key=lambda i: sign * (rounded[i] - exact[i]))[: abs(missing)]:
            rounded[i] += sign
    return rounded


def show(value: int, decimals: int, *, signed: bool = False) -> str:
    """Units as text, with a true minus sign.

    >>> show(-140, 2), show(7, 2, signed=True), show(0, 2, signed=True)
    ('−1.40', '+0.07', '0.00')
    """
    sign = MINUS if value < 0 else "+" if signed and value > 0 else ""
    return f"{sign}{abs(value) / 10**decimals:.{decimals}f}"


def sign(value: float) -> int:
    """-1, 0 or 1."""
    return (value > 0) - (value < 0)


def percent(share: float) -> str:
    """A share (0 to 1) as whole percent; never 0 or 100 unless it is.

    >>> percent(0.826), percent(0.999), percent(0.001)
    ('83\\xa0%', '99\\xa0%', 'less than 1\\xa0%')
    """
    value = round(100 * share)
    if share > 0 and value == 0:
        return "less than 1\N{NO-BREAK SPACE}%"
    return f"{min(99, value) if share < 1 else value}\N{NO-BREAK SPACE}%"


def seconds(length_s: float) -> str:
    """A length of time in words: `1.6 s`, `48 s`, `12 min 5 s`.

    >>> seconds(1.6), seconds(48.2), seconds(725)
    ('1.6\\xa0s', '48\\xa0s', '12\\xa0min 5\\xa0s')
    """
    if length_s < 9.95:
        return f"{length_s:.1f}\N{NO-BREAK SPACE}s"
    whole = round(length_s)
    if whole < 120:
        return f"{whole}\N{NO-BREAK SPACE}s"
    rest = f" {whole % 60}\N{NO-BREAK SPACE}s" if whole % 60 else ""
    return f"{whole // 60}\N{NO-BREAK SPACE}min{rest}"
