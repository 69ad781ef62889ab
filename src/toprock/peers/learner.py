"""What every learner under this roof is given and gives back, so that they differ in nothing else."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from toprock.comparisons import Pair
from toprock.ranker.batch import Arrays
from toprock.ranker.choosing import performer_groups

Scorer = Callable[[Mapping[str, Arrays]], dict[str, float]]
"""Features of performances by id -> their scores; higher is better."""

Watch = Callable[[Scorer], None]
"""Called now and then during a training with what has been learnt so far."""


@dataclass(frozen=True)
class TrainingSide:
    """All that a learner may see.

    Attributes:
        data: id -> features of the training performances.
        pairs: among them.
        performers: id -> who performed; those of one performer stay together in cross-validation.
    """

    data: Mapping[str, Arrays]
    pairs: Sequence[Pair]
    performers: Mapping[str, str]

    @property
    def ids(self) -> list[str]:
        """The performances that pairs name, sorted."""
        return sorted({ident for p in self.pairs for ident in (p.better, p.worse)})

    def groups(self) -> list[str]:
        """The performer of each of `ids`; those whose performer is unknown stand alone."""
        return performer_groups(self.ids, self.performers)


class Learner(Protocol):
    """Learns from one training side."""

    @property
    def settings(self) -> dict[str, Any]:
        """JSON values: all that, beside data and seed, decides what is learnt."""
        ...

    def __call__(self, side: TrainingSide, *, seed: int, watch: Watch | None = None) -> Scorer:
        """Learn, and return what scores performances.

        Args:
            side: what it may see.
            seed: of everything drawn at random.
            watch: sees what has been learnt while it learns; only the published protocol needs it.
        """
        ...
