"""How many comparisons are ranked right by scores of performances that the rankers had not seen, and how surely.

Pairs of a new performance with one of the training flatter: even of pure noise more than half are right, as the ranker
knows how good the other one is. So each performance is scored by the ranker that had not seen it. The script
benchmarks/held_out.py sets both against the truth.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from toprock.comparisons import Pair, bootstrap_interval, pair_outcomes, pairwise_accuracy

_FEWEST = 6
"""Performances below which no interval is named."""


class Ranked(BaseModel):
    """Accuracy on comparisons of performances that were both new to the rankers that scored them.

    Attributes:
        accuracy: share ranked right.
        interval: 95 %, by bootstrap over performances; None where they are too few to tell.
        pairs, performances: comparisons with a winner, and performances among them.
        controls: name of a simple rule -> share of the same comparisons that it ranks right.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    accuracy: float
    interval: tuple[float, float] | None = None
    pairs: int
    performances: int
    controls: dict[str, float] = Field(default_factory=dict)


def ranked_right(
    scores: Mapping[str, float], pairs: Sequence[Pair], controls: Mapping[str, Mapping[str, float]] | None = None
) -> Ranked | None:
    """Measure held-out scores; None where no comparison is between two of them.

    Where all are right, drawing anew tells nothing: the lower end is then what it would be had the closest one been
    wrong. The same holds where none is. The interval holds what the draw of performances changes, not what another
    draw would have taught the rankers: of a model that has learnt nothing it is too narrow.

    Args:
        scores: id -> score by a ranker that had not seen it, and that it had no say in choosing.
        pairs: of the training side; those with a side that has no such score do not count, nor do ties.
        controls: name -> id -> value; the higher one is ranked first.

    >>> found = ranked_right({"a": 2.0, "b": 1.0, "c": 3.0}, [Pair("a", "b"), Pair("b", "c"), Pair("d", "c")])
    >>> found.accuracy, found.pairs, found.interval
    (0.5, 2, None)
    """
    here = [pair for pair in pairs if not pair.tie and pair.better in scores and pair.worse in scores]
    if not here:
        return None
    count = len({ident for pair in here for ident in (pair.better, pair.worse)})
    return Ranked(
        accuracy=pairwise_accuracy(scores, here),
        interval=_interval(scores, here) if count >= _FEWEST else None,
        pairs=len(here),
        performances=count,
        controls={name: pairwise_accuracy(values, here) for name, values in (controls or {}).items()},
    )


def _interval(scores: Mapping[str, float], pairs: Sequence[Pair]) -> tuple[float, float]:
    right = pair_outcomes(scores, pairs)
    same = right[0] if right.min() == right.max() and right[0] in (0, 1) else None
    if same is not None:
        closest = int(np.argmin([abs(scores[pair.better] - scores[pair.worse]) for pair in pairs]))
        right[closest] = 1 - same
    low, high = bootstrap_interval(right, pairs)
    return (0.0 if same == 0 else low, 1.0 if same == 1 else high)
