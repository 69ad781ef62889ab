"""Numbers with their nouns."""

from __future__ import annotations


def count(number: int, one: str, many: str = "") -> str:
    """A number with its noun.

    >>> count(1, "comparison"), count(1200, "comparison"), count(2, "person", "people")
    ('1 comparison', '1,200 comparisons', '2 people')
    """
    return f"{number:,} {one if number == 1 else many or one + 's'}"
