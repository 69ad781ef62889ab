"""What every dataset becomes: features of performances, and folds of pairs to learn from and to be tested on."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import MappingProxyType

from toprock.backbones.base import Stream
from toprock.comparisons import Pair
from toprock.errors import PairsError
from toprock.features.recipe import Recipe
from toprock.features.store import PerformanceFeatures


@dataclass(frozen=True)
class Fold:
    """One split of a task: pairs to train on and pairs to be ranked; ids are those of the task's features."""

    name: str
    train: Sequence[Pair]
    test: Sequence[Pair]


@dataclass(frozen=True)
class Task:
    """One thing that performances are ranked by, as an evaluation needs it.

    Attributes:
        name: for people and tables, such as `best/origami`.
        features: id -> features; their facts feed the controls.
        recipes: one a stream; a task of published features may have one stream only.
        folds: in the published order.
        performers: id -> who performed, where known.
        scores: id -> the judges' absolute score, where a set has them.
        missing: id -> why a performance that the pairs name has no features.
        pairs_left_out: how many pairs of the folds went with them.
    """

    name: str
    features: Mapping[str, PerformanceFeatures]
    recipes: Mapping[Stream, Recipe]
    folds: Sequence[Fold]
    performers: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    scores: Mapping[str, float] = field(default_factory=lambda: MappingProxyType({}))
    missing: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    pairs_left_out: int = 0

    def without_missing(self, why: Mapping[str, str] | None = None) -> Task:
        """The task without pairs whose performances lack features of any stream; they are counted and named.

        Args:
            why: id -> what went wrong; others are "no features".
        """
        named = {i for fold in self.folds for p in (*fold.train, *fold.test) for i in (p.better, p.worse)}
        missing = {i: (why or {}).get(i) or lack for i in sorted(named) if (lack := self._lack(i))}
        folds = [Fold(f.name, _known(f.train, missing), _known(f.test, missing)) for f in self.folds]
        before = sum(len(f.train) + len(f.test) for f in self.folds)
        after = sum(len(f.train) + len(f.test) for f in folds)
        return replace(self, folds=folds, missing=missing, pairs_left_out=before - after)

    def _lack(self, ident: str) -> str:
        """What a performance lacks; empty where it has every stream."""
        if ident not in self.features:
            return "no features"
        streams = self.features[ident].streams
        lacking = [s for s, r in self.recipes.items() if r not in streams or not len(streams[r].features)]
        return f"no {lacking[0]} features" if lacking else ""

    def with_folds(self, folds: Sequence[Fold]) -> Task:
        """The same task with other folds."""
        return replace(self, folds=folds)

    def leave_one_out(self) -> Task:
        """The same pairs in folds of one performer each: tested on pairs with them, trained on all others.

        Raises:
            PairsError: performers are not known.
        """
        pairs = list({(p.better, p.worse): p for fold in self.folds for p in (*fold.train, *fold.test)}.values())
        unknown = {i for p in pairs for i in (p.better, p.worse)} - set(self.performers)
        if unknown:
            raise PairsError(
                f"{self.name}: the performers of {len(unknown)} performances are not known",
                advice="Use the official folds.",
            )

        def of(p: Pair) -> set[str]:
            return {self.performers[p.better], self.performers[p.worse]}

        folds = [
            Fold(one, [p for p in pairs if one not in of(p)], [p for p in pairs if one in of(p)])
            for one in sorted(set.union(*(of(p) for p in pairs)))
        ]
        return replace(self, name=f"{self.name}, one performer left out", folds=folds)


def _known(pairs: Iterable[Pair], missing: Mapping[str, str]) -> list[Pair]:
    return [p for p in pairs if p.better not in missing and p.worse not in missing]
