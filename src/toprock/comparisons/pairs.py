"""Pairs files: who was better than whom, as people wrote it down."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from toprock.counting import count
from toprock.errors import PairsError
from toprock.performance import id_matcher, read_table, write_table

_COLUMNS = ("better", "worse", "outcome", "annotator", "criterion", "weight")


@dataclass(frozen=True)
class Pair:
    """One comparison.

    Attributes:
        better, worse: ids of performances; their order means nothing in a tie.
        tie: whether the two were called equal.
        annotator, criterion: who judged, and what.
        weight: how much it counts in training and rating, above 0.
        extra: further columns, kept as they were.
    """

    better: str
    worse: str
    tie: bool = False
    annotator: str = ""
    criterion: str = ""
    weight: float = 1.0
    extra: Mapping[str, str] = field(default_factory=dict)


def read_pairs(path: str | Path, *, criterion: str | None = None) -> list[Pair]:
    """Read lines of `better worse`, or CSV with columns better, worse and, where wanted, more.

    Args:
        path: the file.
        criterion: which judgements to take where the file holds several kinds.

    Raises:
        PairsError: unreadable, malformed, empty, a performance compared with itself, or several criteria and
            none named.
    """
    path = Path(path)
    pairs = read_all_pairs(path)
    criteria = sorted({p.criterion for p in pairs})
    if criterion is not None:
        pairs = [p for p in pairs if p.criterion == criterion]
        if not pairs:
            raise PairsError(
                f"{path}: has no pair with the criterion '{criterion}'",
                advice=f"It has: {_listing(criteria)}.",
            )
    elif len(criteria) > 1:
        raise PairsError(
            f"{path}: mixes {len(criteria)} criteria",
            advice=f"Name one with --criterion: {_listing(criteria)}.",
        )
    return pairs


def read_all_pairs(path: str | Path) -> list[Pair]:
    """As `read_pairs`, whatever their criteria.

    Raises:
        PairsError: unreadable, malformed, empty, or a performance compared with itself.
    """
    path = Path(path)
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as problem:
        raise PairsError(f"{path}: cannot be read ({problem})", advice="Give a text or CSV file in UTF-8.") from problem
    first = next((line for line in text.splitlines() if line.strip()), "")
    names = [name.strip() for name in first.replace('"', "").split(",")]
    pairs = _from_csv(path) if {"better", "worse"} <= set(names) else _from_lines(path, text)
    if not pairs:
        raise PairsError(f"{path}: holds no pair", advice="Write one comparison a line: BETTER WORSE.")
    return pairs


def write_pairs(pairs: Iterable[Pair], path: str | Path) -> None:
    """Write a CSV that `read_pairs` reads back with every column."""
    rows = [
        ([p.better, p.worse, "tie" if p.tie else "win", p.annotator, p.criterion, f"{p.weight:.10g}"], p.extra)
        for p in pairs
    ]
    write_table(path, _COLUMNS, rows)


@dataclass(frozen=True)
class Matched:
    """Pairs whose performances are known, and what was left out: id -> why, and how many pairs."""

    pairs: list[Pair]
    missing: dict[str, str]
    pairs_left_out: int


def match_pairs(
    pairs: Sequence[Pair],
    ids: Iterable[str],
    *,
    skip_missing: bool = False,
    why: Mapping[str, str] | None = None,
) -> Matched:
    """Put the ids of `ids` in place of those in the pairs.

    Args:
        pairs: as read.
        ids: performances that have features.
        skip_missing: leave out pairs with others instead of stopping.
        why: id -> reason for ids that are missing (failed extraction).

    Raises:
        PairsError: some are missing (all are named) and `skip_missing` is false, or none is left.
        UnknownPerformance: an id fits two performances.
    """
    known, troubled = id_matcher(ids), id_matcher(why or {})
    why = why or {}
    wanted = {ident for p in pairs for ident in (p.better, p.worse)}
    found = {ident: known(ident) for ident in wanted}
    missing = {}
    for ident in sorted(ident for ident, match in found.items() if match is None):
        failed = troubled(ident)
        missing[ident] = why[failed] if failed else "never seen"
    if missing and not skip_missing:
        names = ", ".join(f"{ident} ({reason})" for ident, reason in list(missing.items())[:20])
        more = f" and {len(missing) - 20} more" if len(missing) > 20 else ""
        raise PairsError(
            f"{len(missing)} of {len(wanted)} performances in the pairs have no features: {names}{more}",
            advice="Extract them, or leave them out with --skip-missing.",
        )
    out = []
    for p in pairs:
        better, worse = found[p.better], found[p.worse]
        if better is not None and worse is not None:
            out.append(Pair(better, worse, p.tie, p.annotator, p.criterion, p.weight, p.extra))
    if not out:
        raise PairsError(
            "no pair is left: none of the performances has features",
            advice="Extract those that the pairs name.",
        )
    return Matched(out, missing, len(pairs) - len(out))


@dataclass(frozen=True)
class Consistency:
    """How far judgements agree with each other.

    Attributes:
        contradictions: unordered couples judged both ways.
        cycles: groups of three or more performances, each of which beats another of the group in a ring.
    """

    contradictions: list[tuple[str, str]]
    cycles: list[list[str]]

    def __str__(self) -> str:
        examples = []
        if self.contradictions:
            examples.append(" and ".join(self.contradictions[0]))
        if self.cycles:
            examples.append(" > ".join([*self.cycles[0][:6], self.cycles[0][0] if len(self.cycles[0]) <= 6 else "..."]))
        told = [f"{part} (such as {some})" for part, some in zip(self._counts(), examples, strict=True)]
        return "; ".join(told) or "no contradiction"

    @property
    def without_names(self) -> str:
        """The same without examples, for what is kept longer than the performances."""
        return "; ".join(self._counts()) or "no contradiction"

    def _counts(self) -> list[str]:
        parts = []
        if self.contradictions:
            parts.append(f"{count(len(self.contradictions), 'couple')} judged both ways")
        if self.cycles:
            parts.append(f"{count(len(self.cycles), 'group')} that beat each other in a ring")
        return parts


def check_consistency(pairs: Sequence[Pair]) -> Consistency:
    """Find contradictions and cycles; normal where several people judge, and worth knowing.

    >>> print(check_consistency([Pair("a", "b"), Pair("b", "c"), Pair("c", "a")]))
    1 group that beat each other in a ring (such as a > b > c > a)
    """
    wins = Counter((p.better, p.worse) for p in pairs if not p.tie)
    both = sorted({(min(a, b), max(a, b)) for a, b in wins if (b, a) in wins})
    graph: dict[str, list[str]] = {}
    for a, b in sorted(wins):
        if (b, a) not in wins:
            graph.setdefault(a, []).append(b)
            graph.setdefault(b, [])
    return Consistency(both, [_ring(graph, group) for group in _strong_groups(graph) if len(group) > 2])


def _strong_groups(graph: Mapping[str, Sequence[str]]) -> list[set[str]]:
    if not graph:
        return []
    from scipy.sparse import csr_array
    from scipy.sparse.csgraph import connected_components

    nodes = sorted(graph)
    index = {name: i for i, name in enumerate(nodes)}
    edges = [(index[a], index[b]) for a, beaten in graph.items() for b in beaten]
    matrix = csr_array(([1] * len(edges), tuple(zip(*edges, strict=True))), shape=(len(nodes), len(nodes)))
    _, labels = connected_components(matrix, directed=True, connection="strong")
    groups: dict[int, set[str]] = {}
    for name, label in zip(nodes, labels, strict=True):
        groups.setdefault(int(label), set()).add(name)
    return list(groups.values())


def _ring(graph: Mapping[str, Sequence[str]], group: set[str]) -> list[str]:
    """One shortest ring through the first name of a strongly connected group."""
    start = min(group)
    before: dict[str, str] = {}
    front = [start]
    while front:
        after = []
        for a in front:
            for b in graph[a]:
                if b == start:
                    ring = [a]
                    while ring[-1] != start:
                        ring.append(before[ring[-1]])
                    return ring[::-1]
                if b in group and b not in before:
                    before[b] = a
                    after.append(b)
        front = after
    raise AssertionError("a strongly connected group holds a ring")


def _from_lines(path: Path, text: str) -> list[Pair]:
    pairs = []
    for number, line in enumerate(text.splitlines(), 1):
        fields = line.split()
        if not fields:
            continue
        if len(fields) != 2:
            raise PairsError(
                f"{path}, line {number}: has {len(fields)} words, not BETTER WORSE",
                advice="Ids with spaces need a CSV file with columns better,worse.",
            )
        pairs.append(_checked(path, number, Pair(fields[0], fields[1])))
    return pairs


def _from_csv(path: Path) -> list[Pair]:
    pairs = []
    for number, row in read_table(path, required=("better", "worse"), error=PairsError):
        outcome = row.get("outcome", "") or "win"
        if outcome not in ("win", "tie"):
            raise PairsError(f"{path}, line {number}: outcome is '{outcome}'", advice="Allowed: win, tie.")
        try:
            weight = float(row.get("weight", "") or 1.0)
        except ValueError:
            weight = math.nan
        if not (weight > 0 and math.isfinite(weight)):
            raise PairsError(
                f"{path}, line {number}: weight is '{row['weight']}'",
                advice="Give a number above 0, or leave it out.",
            )
        extra = {k: v for k, v in row.items() if k not in _COLUMNS}
        pair = Pair(
            row["better"],
            row["worse"],
            outcome == "tie",
            row.get("annotator", ""),
            row.get("criterion", ""),
            weight,
            extra,
        )
        pairs.append(_checked(path, number, pair))
    return pairs


def _checked(path: Path, number: int, pair: Pair) -> Pair:
    if not pair.better or not pair.worse:
        raise PairsError(f"{path}, line {number}: an id is empty", advice="Fill both in, or delete the line.")
    if pair.better == pair.worse:
        raise PairsError(
            f"{path}, line {number}: compares '{pair.better}' with itself", advice="Name two performances."
        )
    return pair


def _listing(names: Sequence[str]) -> str:
    return ", ".join(repr(name) if name else "(none given)" for name in names)
