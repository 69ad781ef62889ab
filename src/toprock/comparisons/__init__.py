"""Comparisons between performances: reading and checking pairs, ratings from them, which pair to ask
next, agreement of scores and of judges with them."""

from toprock.comparisons.agreement import bootstrap_interval, pair_outcomes, pairwise_accuracy
from toprock.comparisons.judges import Agreement, Judge, Share, judges_agreement
from toprock.comparisons.marks import read_marks
from toprock.comparisons.pairing import next_pair, rank_gain
from toprock.comparisons.pairs import (
    Consistency,
    Matched,
    Pair,
    check_consistency,
    match_pairs,
    read_pairs,
    write_pairs,
)
from toprock.comparisons.rating import Rating, Ratings, bradley_terry, parts, rate
from toprock.comparisons.repeats import hidden_repeat, shared_pair

__all__ = [
    "Agreement",
    "Consistency",
    "Judge",
    "Matched",
    "Pair",
    "Rating",
    "Ratings",
    "Share",
    "bootstrap_interval",
    "bradley_terry",
    "check_consistency",
    "hidden_repeat",
    "judges_agreement",
    "match_pairs",
    "next_pair",
    "pair_outcomes",
    "pairwise_accuracy",
    "parts",
    "rank_gain",
    "rate",
    "read_marks",
    "read_pairs",
    "shared_pair",
    "write_pairs",
]
