"""Comparisons between performances: reading and checking pairs, ratings from them, agreement of scores with them."""

from toprock.comparisons.agreement import bootstrap_interval, pair_outcomes, pairwise_accuracy
from toprock.comparisons.marks import read_marks
from toprock.comparisons.pairs import (
    Consistency,
    Matched,
    Pair,
    check_consistency,
    match_pairs,
    read_all_pairs,
    read_pairs,
    write_pairs,
)
from toprock.comparisons.rating import bradley_terry, parts

__all__ = [
    "Consistency",
    "Matched",
    "Pair",
    "bootstrap_interval",
    "bradley_terry",
    "check_consistency",
    "match_pairs",
    "pair_outcomes",
    "pairwise_accuracy",
    "parts",
    "read_all_pairs",
    "read_marks",
    "read_pairs",
    "write_pairs",
]
