"""The timeline as a table (CSV) for spreadsheets and scripts: one row a segment and stream."""

from __future__ import annotations

from collections.abc import Sequence

from toprock.assess import BRANCHES, SegmentEvidence
from toprock.exports.item import Item
from toprock.files import harmless, table_text

COLUMNS = ("id", "stream", "start_s", "end_s", "contribution", *BRANCHES, "attention_high", "attention_low", "moment")


def table(items: Sequence[Item]) -> str:
    """All segments of all performances, under one header.

    `moment` is best or worst where the middle of a segment lies in such a moment. A performance's contributions sum to
    its score less the bias of the model. An id that a spreadsheet would run as a formula has an apostrophe in front of
    it, and so has one that begins with an apostrophe: to read ids back, take one away. Excel takes text for UTF-8 by
    the mark at its beginning, which is there where something is not ASCII.

    >>> print(table([]).strip())
    id,stream,start_s,end_s,contribution,high,low,average,attention_high,attention_low,moment
    """
    return table_text(COLUMNS, (_row(item, segment) for item in items for segment in item.assessment.segments))


def _row(item: Item, segment: SegmentEvidence) -> list[str]:
    middle_s = (segment.start_s + segment.end_s) / 2
    kinds: list[str] = [m.kind for m in item.assessment.moments if m.start_s <= middle_s < m.end_s]
    numbers = [
        segment.start_s,
        segment.end_s,
        segment.contribution,
        *(segment.contributions.get(branch, 0.0) for branch in BRANCHES),
        segment.attention_high,
        segment.attention_low,
    ]
    return [harmless(item.assessment.id), segment.stream, *(f"{n + 0.0:.10g}" for n in numbers), *(kinds[:1] or [""])]
