"""Whether a group of performances is judged as its comparisons say: accuracy, mean score, and wins against the rest."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from toprock.comparisons import Pair, bootstrap_interval, pair_outcomes

FEWEST = 5
"""Performances in a group, and in the rest, below which nothing is said of it."""


@dataclass(frozen=True)
class Group:
    """The performances with one value in one column of the manifest.

    Attributes:
        column, value: which.
        performances: how many.
        mean_score: of them.
        accuracy: share of the pairs with one of them that are ranked right; None where there is none.
        pairs: how many those are.
        against: pairs of one of them with one of the rest.
        won: share of those that they won by the comparisons; None without any.
        given: share of those that the model gives them.
        difference: `given` less `won`, with the 95 % interval over performances.
        beyond: the same, less what would be lost if each pair were ranked wrong as often as pairs are on the whole:
            noise alone takes wins from those who win much. Its interval allows for how many groups are looked at.
    """

    column: str
    value: str
    performances: int
    mean_score: float
    accuracy: float | None
    pairs: int
    against: int
    won: float | None
    given: float | None
    difference: tuple[float, float, float] | None
    beyond: tuple[float, float, float] | None

    @property
    def judged_worse(self) -> bool:
        """Whether the model gives them less than their comparisons do, beyond chance and beyond its noise."""
        return self.beyond is not None and self.beyond[2] < 0

    def to_json(self) -> dict[str, Any]:
        """The documented JSON object."""
        return {**vars(self), "judged_worse": self.judged_worse}


def groups(scores: Mapping[str, float], pairs: Sequence[Pair], column: str, values: Mapping[str, str]) -> list[Group]:
    """One line a value of a column, the one with most performances first.

    Args:
        scores: id -> score.
        pairs: comparisons among them.
        column: its name.
        values: id -> value, or several separated by `;`; performances without one are in no group.

    >>> found = groups({"a": 2.0, "b": 1.0}, [Pair("b", "a")], "event", {"a": "x", "b": "y"})
    >>> [(g.value, g.accuracy, g.won, g.given) for g in found]
    [('x', 0.0, 0.0, 1.0), ('y', 0.0, 1.0, 0.0)]
    """
    members: dict[str, set[str]] = {}
    for ident in scores:
        for value in {part.strip() for part in values.get(ident, "").split(";")} - {""}:
            members.setdefault(value, set()).add(ident)
    won = [pair for pair in pairs if not pair.tie]
    ordered = sorted(members.items(), key=lambda item: (-len(item[1]), item[0]))
    enough = [inside for _, inside in ordered if FEWEST <= len(inside) <= len(scores) - FEWEST]
    level = 1 - 0.05 / max(1, len(enough))
    return [
        _group(scores, won, column, value, inside, level if inside in enough else None) for value, inside in ordered
    ]


def _group(
    scores: Mapping[str, float],
    pairs: Sequence[Pair],
    column: str,
    value: str,
    inside: set[str],
    level: float | None,
) -> Group:
    """A group's figures; where there is a level, also whether it is judged worse."""
    touching = [pair for pair in pairs if pair.better in inside or pair.worse in inside]
    across = [pair for pair in touching if (pair.better in inside) != (pair.worse in inside)]
    accuracy = won = given = difference = beyond = None
    if touching:
        weights = [pair.weight for pair in touching]
        accuracy = float(np.average(pair_outcomes(scores, touching), weights=weights))
    if across:
        weights = [pair.weight for pair in across]
        theirs = np.array([float(pair.better in inside) for pair in across])
        right = pair_outcomes(scores, across)
        told = np.where(theirs == 1, right, 1 - right)
        won, given = float(np.average(theirs, weights=weights)), float(np.average(told, weights=weights))
        difference = (given - won, *bootstrap_interval(told - theirs, across))
        if level is not None:
            wrong = 1 - float(np.average(pair_outcomes(scores, pairs), weights=[pair.weight for pair in pairs]))
            noise = wrong * (1 - 2 * theirs)  # what ranking pairs wrong so often gives or takes
            less = told - theirs - noise
            beyond = (float(np.average(less, weights=weights)), *bootstrap_interval(less, across, level=level))
    return Group(
        column,
        value,
        len(inside),
        float(np.mean([scores[ident] for ident in inside])),
        accuracy,
        len(touching),
        len(across),
        won,
        given,
        difference,
        beyond,
    )
