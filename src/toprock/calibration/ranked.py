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

    Where all are right, drawing anew tells nothing: the lower end is then the exact one of Clopper and Pearson
    (Biometrika 26, 1934), with as many trials as there are performances. The same holds where none is.

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
        interval=_interval(pair_outcomes(scores, here), here, count) if count >= _FEWEST else None,
        pairs=len(here),
        performances=count,
        controls={name: pairwise_accuracy(values, here) for name, values in (controls or {}).items()},
    )


def _interval(right: np.ndarray, pairs: Sequence[Pair], performances: int) -> tuple[float, float]:
    reach = 1 - 0.025 ** (1 / performances)
    if right.min() == 1:
        return (1 - reach, 1.0)
    if right.max() == 0:
        return (0.0, reach)
    return bootstrap_interval(right, pairs)
