"""Pairs shown a second time: to the same annotator, to measure self-agreement, and to another, to measure agreement."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

import numpy as np

from toprock.comparisons.pairs import Pair


def hidden_repeat(
    judged: Sequence[Pair],
    *,
    annotator: str,
    rng: np.random.Generator,
    share: float = 0.1,
    gap: int = 5,
) -> tuple[str, str] | None:
    """Whether to show an annotator an earlier pair again now, and which, with sides swapped.

    Chance decides, so that repeats cannot be foreseen, among pairs shown least often: no pair comes a third time
    before every other came twice. Call it once for each pair shown: each call is another draw. (A generator seeded by
    the annotator and the number of judgements gives the same answer when a page is loaded anew.)

    Args:
        judged: judgements in the order in which they were made; those of others are passed over. `extra["left"]`, where
            given, is the id that was shown on the left; without it chance decides the sides.
        annotator: who is asked.
        rng: decides whether, which, and sides that are not known.
        share: of the pairs shown, how many should be repeats once there are pairs to repeat; 0 to 1.
        gap: judgements that lie between the two showings, at least.

    Returns:
        Two ids, left and right, or None where a new pair is due.

    Raises:
        ValueError: `share` is not between 0 and 1, or `gap` is below 0.

    >>> judged = [Pair(f"v{n}", f"v{n + 1}", annotator="ann", extra={"left": f"v{n}"}) for n in range(6)]
    >>> hidden_repeat(judged, annotator="ann", rng=np.random.default_rng(0), share=1)
    ('v1', 'v0')
    """
    if not 0 <= share <= 1 or gap < 0:
        raise ValueError(f"share must be from 0 to 1 and gap not below 0, not {share} and {gap}")
    own = [p for p in judged if p.annotator == annotator]
    last = {_couple(p): number for number, p in enumerate(own)}
    shown = Counter(_couple(p) for p in own)
    fewest = min(shown.values(), default=0)
    due = [couple for couple, number in last.items() if shown[couple] == fewest and len(own) - number > gap]
    if rng.random() >= share or not due:
        return None
    couple = due[rng.integers(len(due))]
    left = own[last[couple]].extra.get("left")
    first, second = couple if rng.random() < 0.5 else couple[::-1]
    return (second, first) if first == left else (first, second)


def shared_pair(
    judged: Sequence[Pair],
    *,
    annotator: str,
    rng: np.random.Generator,
    share: float = 0.1,
    ids: Iterable[str] | None = None,
) -> tuple[str, str] | None:
    """Whether to show an annotator a pair that others have judged now, and which.

    Without such pairs annotators who are asked the most telling pairs hardly ever judge the same one. Chance decides,
    among pairs that the fewest annotators have judged.

    Args:
        judged: all judgements so far.
        annotator: who is asked.
        rng: decides whether, which, and sides.
        share: of the pairs shown, how many should be shared once there are pairs to share; 0 to 1.
        ids: performances that may be shown; all where it is None.

    Returns:
        Two ids, left and right, or None where another pair is due.

    Raises:
        ValueError: `share` is not between 0 and 1.

    >>> sorted(shared_pair([Pair("a", "b", annotator="ann")], annotator="bob", rng=np.random.default_rng(0), share=1))
    ['a', 'b']
    """
    if not 0 <= share <= 1:
        raise ValueError(f"share must be from 0 to 1, not {share}")
    known = None if ids is None else set(ids)
    judges: dict[tuple[str, str], set[str]] = {}
    for p in judged:
        if known is None or {p.better, p.worse} <= known:
            judges.setdefault(_couple(p), set()).add(p.annotator)
    new = {couple: len(who) for couple, who in judges.items() if annotator not in who}
    fewest = min(new.values(), default=0)
    due = [couple for couple, count in new.items() if count == fewest]
    if rng.random() >= share or not due:
        return None
    first, second = due[rng.integers(len(due))]
    return (first, second) if rng.random() < 0.5 else (second, first)


def _couple(pair: Pair) -> tuple[str, str]:
    return (min(pair.better, pair.worse), max(pair.better, pair.worse))
