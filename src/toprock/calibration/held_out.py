"""What calibration is fitted on: scores by rankers that had not seen part of the performances."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from toprock.comparisons import Pair

Unseen = Literal["one", "both"]
"""How many sides of a pair the ranker had not seen. A pair of two that it had seen says nothing about new ones."""


@dataclass(frozen=True)
class HeldOut:
    """One fold of a cross-validation.

    Attributes:
        scores: id -> score of every training performance, in spreads of the scores of those that the fold's ranker was
            trained on, 0 being their mean.
        unseen: ids that it was not trained on.
    """

    scores: dict[str, float]
    unseen: frozenset[str]

    def pairs(self, pairs: Sequence[Pair], unseen: Unseen) -> Iterator[tuple[Pair, float]]:
        """Pairs with a winner of which one side, or both, was not seen; and by how much the winner scored higher.

        >>> fold = HeldOut({"a": 1.0, "b": 0.5, "c": 0.0}, frozenset({"a", "b"}))
        >>> [d for _, d in fold.pairs([Pair("a", "b"), Pair("b", "c")], "both")]
        [0.5]
        """
        for pair in pairs:
            count = (pair.better in self.unseen) + (pair.worse in self.unseen)
            if not pair.tie and count == (2 if unseen == "both" else 1):
                yield pair, self.scores[pair.better] - self.scores[pair.worse]
