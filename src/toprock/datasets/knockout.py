"""Who won the battles of a knock-out, told from who danced again.

Draw an edge from every loser to the one who beat them: a knock-out of 2^k dancers is a binomial tree. The
champion has beaten k others, and whoever fell in round r has beaten r - 1 before. Known battles are some of its
edges, without direction. A winner is *certain* where every way to lay all known battles into the tree agrees.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

Battle = tuple[str, str]
Way = tuple[int, tuple[str, ...]]  # places taken, as bits; who won each battle


@dataclass(frozen=True)
class Outcome:
    """Who won a battle; `certain` where nothing else fits the knock-out, else it is only likely."""

    winner: str
    loser: str
    certain: bool


def knockout_outcomes(battles: Mapping[str, Battle], *, rounds: int = 4) -> dict[str, Outcome]:
    """Winners of the known battles of one knock-out; those of which nothing follows are left out.

    Where the winner is not certain, it is whoever danced more battles; with as many each, nothing follows (the
    final, most often).

    Args:
        battles: name -> the two dancers; battles of the same knock-out may be missing.
        rounds: 4 are those of 16 dancers.

    Raises:
        ValueError: the battles are no part of a knock-out of so many rounds.

    >>> one_side = {"first": ("ann", "bob"), "second": ("ann", "cat"), "third": ("ann", "dan")}
    >>> other_side = {"fourth": ("eve", "fay"), "fifth": ("gus", "hal"), "sixth": ("eve", "gus")}
    >>> found = knockout_outcomes({**one_side, **other_side, "final": ("ann", "eve")}, rounds=4)
    >>> found["fourth"]
    Outcome(winner='eve', loser='fay', certain=True)
    """
    groups = _connected(battles)
    ways = [set(_ways([battles[name] for name in group], 1 << rounds)) for group in groups]
    danced = Counter(dancer for pair in battles.values() for dancer in pair)
    found = {}
    for i, group in enumerate(groups):
        taken = _packings([w for j, w in enumerate(ways) if j != i])
        fits = {winners for mask, winners in ways[i] if any(not mask & other for other in taken)}
        if not fits:
            raise ValueError(f"battles do not fit a knock-out of {1 << rounds} dancers")
        for name, *winners in zip(group, *fits, strict=True):
            one, other = battles[name]
            if len(set(winners)) == 1:
                winner = winners[0]
            elif danced[one] == danced[other]:
                continue
            else:
                winner = one if danced[one] > danced[other] else other
            found[name] = Outcome(winner, other if winner == one else one, len(set(winners)) == 1)
    return {name: found[name] for name in battles if name in found}


def _connected(battles: Mapping[str, Battle]) -> list[list[str]]:
    """Names in groups that share dancers, each battle after one that it shares a dancer with."""
    left, groups = dict(battles), []
    while left:
        first = next(iter(left))
        group, dancers = [first], set(left.pop(first))
        while more := next((name for name, pair in left.items() if dancers & set(pair)), None):
            dancers |= set(left.pop(more))
            group.append(more)
        groups.append(group)
    return groups


def _ways(battles: Sequence[Battle], size: int) -> Iterator[Way]:
    """Ways to lay connected battles into the tree.

    Place i > 0 lost to place i & (i - 1), its number without the lowest bit; the champion is place 0.
    """

    def neighbours(place: int) -> list[int]:
        above = [place & (place - 1)] if place else []
        lowest = place & -place or size
        return above + [place | 1 << bit for bit in range(lowest.bit_length() - 1)]

    def lay(at: dict[str, int], left: Sequence[Battle], winners: tuple[str, ...]) -> Iterator[Way]:
        if not left:
            yield sum(1 << place for place in at.values()), winners
            return
        one, other = left[0]
        if one not in at:
            one, other = other, one
        for place in neighbours(at[one]):
            if at.get(other, place) == place and (other in at or place not in at.values()):
                winner = one if place & (place - 1) == at[one] and place else other
                yield from lay({**at, other: place}, left[1:], (*winners, winner))

    for place in range(size):
        yield from lay({battles[0][0]: place}, battles, ())


def _packings(ways: Sequence[set[Way]]) -> set[int]:
    """Places taken, as bits, by every way to lay all groups side by side."""
    taken = {0}
    for group in ways:
        masks = {mask for mask, _ in group}
        taken = {old | mask for old in taken for mask in masks if not old & mask}
    return taken
