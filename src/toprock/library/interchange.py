"""Judgments from and to files: pairs files with all their columns, and Label Studio's JSON.

What is exported carries a name of its own for each judgment (`judgment`), and what comes without one is given a name
made of what it says. So a file that is brought in again, or that comes from this library, changes nothing.
"""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy import select
from sqlalchemy.orm import Session

from toprock.comparisons import Pair, match_pairs, write_pairs
from toprock.errors import PairsError
from toprock.library import tables
from toprock.library.judgments import LONGEST_NAME, judged_pairs
from toprock.library.library import Library

_TOKEN = re.compile(r"[0-9a-f]{16,64}")
_AT_ONCE = 400
_HEAVIEST = 1e6
_OURS = ("seconds", "judged", "side", "judgment")


@dataclass(frozen=True)
class Brought:
    """What became of a file: comparisons that are new, that were here already, and those left out and why.

    Attributes:
        added, known: how many.
        left_out: name of a performance -> why pairs with it are left out.
        pairs_left_out: how many pairs that concerns.
    """

    added: int
    known: int
    left_out: dict[str, str]
    pairs_left_out: int


def export_pairs(library: Library, path: Path, *, criterion: str | None = None) -> int:
    """Write the comparisons as a pairs file that `toprock train` reads; returns how many.

    Beside what came in with them stand `seconds` that were looked, when it was `judged`, on which `side` the better one
    stood, and the name of the `judgment`. Hidden repeats are left out: they would count an opinion twice.

    Args:
        library: whose.
        path: where to.
        criterion: only of this one; None is all.

    Raises:
        StorageError: the file cannot be written.
    """
    pairs = exported(library, criterion=criterion)
    write_pairs(pairs, path)
    return len(pairs)


def exported(library: Library, *, criterion: str | None = None) -> list[Pair]:
    """The comparisons with what is known of each in further columns."""
    with library.read() as session:
        found = judged_pairs(session, criterion=criterion)
    return [replace(pair, extra={**pair.extra, **_told(judgment)}) for judgment, pair in found]


def _told(judgment: tables.Judgment) -> dict[str, str]:
    return {
        "seconds": "" if judgment.seconds is None else f"{judgment.seconds:.10g}",
        "judged": judgment.created.isoformat(timespec="seconds") + "Z",
        "side": "" if judgment.outcome == "tie" or judgment.source == "pairs" else judgment.outcome,
        "judgment": judgment.token,
    }


def import_pairs(library: Library, pairs: Sequence[Pair]) -> Brought:
    """Take in comparisons, as read from a pairs file. Those that are here already change nothing.

    Args:
        library: where to.
        pairs: names of performances with or without ending; further columns are kept.
    Raises:
        PairsError: none of the performances is here, or a name or a criterion is too long.
        UnknownPerformance: a name fits two performances.
    """
    with library.read() as session:
        keys = {name: key for key, name in session.execute(select(tables.Performance.key, tables.Performance.name))}
    for pair in pairs:
        if not 1e-6 <= pair.weight <= _HEAVIEST:
            raise PairsError(f"a weight is {pair.weight:g}", advice=f"Give weights from 0.000001 to {_HEAVIEST:g}.")
        if max(len(pair.annotator), len(pair.criterion)) > LONGEST_NAME:
            raise PairsError(
                f"'{(pair.annotator if len(pair.annotator) > LONGEST_NAME else pair.criterion)[:40]}...' is too long",
                advice=f"Names of annotators and criteria have at most {LONGEST_NAME} characters.",
            )
    try:
        matched = match_pairs(pairs, keys, skip_missing=True)
    except PairsError:
        raise PairsError(
            "no comparison is left: none of the performances is in the library",
            advice="Names are those that the library shows, with or without ending. Bring the videos in first.",
        ) from None
    left_out = dict.fromkeys(matched.missing, "not in the library")
    added = 0
    tokens = _tokens(matched.pairs)
    for at in range(0, len(tokens), _AT_ONCE):  # others write in between
        with library.write() as session:
            added += _add(session, tokens[at : at + _AT_ONCE], matched.pairs[at : at + _AT_ONCE], keys)
    return Brought(added, len(matched.pairs) - added, left_out, matched.pairs_left_out)


def _add(session: Session, tokens: Sequence[str], pairs: Sequence[Pair], keys: Mapping[str, str]) -> int:
    known: set[str] = set()
    for table in (tables.Judgment, tables.Offer):
        known |= set(session.scalars(select(table.token).where(table.token.in_(tokens))))
    here = set(session.scalars(select(tables.Performance.key)))
    added = 0
    for token, pair in zip(tokens, pairs, strict=True):
        if token in known or not {keys[pair.better], keys[pair.worse]} <= here:
            continue
        known.add(token)
        flipped = pair.extra.get("side") == "right"
        left, right = (pair.worse, pair.better) if flipped else (pair.better, pair.worse)
        session.add(
            tables.Judgment(
                token=token,
                annotator=pair.annotator,
                criterion=pair.criterion,
                left=keys[left],
                right=keys[right],
                outcome="tie" if pair.tie else "right" if flipped else "left",
                seconds=_seconds(pair.extra.get("seconds", "")),
                weight=pair.weight,
                source="import" if pair.extra.get("side") in ("left", "right") else "pairs",
                extra={name: value for name, value in pair.extra.items() if name not in _OURS},
                created=_time(pair.extra.get("judged", "")),
            )
        )
        added += 1
    return added


def _tokens(pairs: Iterable[Pair]) -> list[str]:
    """A name for each: its own, else one made of what it says and how often the same was said before it."""
    said: Counter[tuple[str, ...]] = Counter()
    tokens = []
    for pair in pairs:
        own = pair.extra.get("judgment", "")
        if _TOKEN.fullmatch(own):
            tokens.append(own)
            continue
        sides = sorted((pair.better, pair.worse)) if pair.tie else [pair.better, pair.worse]
        extra = [f"{name}={value}" for name, value in sorted(pair.extra.items()) if value]
        what = (*sides, str(pair.tie), pair.annotator, pair.criterion, f"{pair.weight:.10g}", *extra)
        said[what] += 1
        text = "\x1f".join((*what, str(said[what])))
        tokens.append(hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:40])
    return tokens


def _seconds(text: str) -> float | None:
    try:
        seconds = float(text)
    except ValueError:
        return None
    return seconds if 0 <= seconds < 1e7 else None


def _time(text: str) -> datetime:
    """When it was judged, where that can be read; else now."""
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        return tables.now()
    try:
        return found.astimezone(UTC).replace(tzinfo=None) if found.tzinfo else found
    except OverflowError:  # the first or the last day that there is
        return tables.now()
