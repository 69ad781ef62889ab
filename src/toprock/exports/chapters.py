"""The moments as chapters of a video (WebVTT), which web players list and jump to."""

from __future__ import annotations

import re

from toprock.exports.item import Item, one_line


def chapters(item: Item) -> str:
    """A WebVTT file: a cue for each best and worst moment, in order of time, in seconds of the video file.

    What makes the score less worth than it looks stands in a note ahead of them.

    Use it as `<track kind="chapters" src="...">`.

    >>> from toprock.assess import Assessment, Moment
    >>> moment = Moment("worst", 61.25, 63.0, -0.125)
    >>> print(chapters(Item(Assessment("anna", 0.0, 0.0, None, (), (moment,)))), end="")
    WEBVTT
    <BLANKLINE>
    NOTE anna
    <BLANKLINE>
    00:01:01.250 --> 00:01:03.000
    Worst moment −0.125
    """
    cautions = [f"\n! {_text(caution.text)}" for caution in item.assessment.cautions]
    blocks = ["WEBVTT", f"NOTE {_text(item.name)}{''.join(cautions)}"]
    for moment in item.moments:
        start, end = round(moment.start_s * 1000), round(moment.end_s * 1000)
        if 0 <= start < end:
            blocks.append(f"{_time(start)} --> {_time(end)}\n{_text(item.label(moment))}")
    return "\n\n".join(blocks) + "\n"


def _text(text: str) -> str:
    """One line that holds no tag and no arrow."""
    return re.sub(r"[&<>]", lambda m: {"&": "&amp;", "<": "&lt;", ">": "&gt;"}[m[0]], one_line(text))


def _time(milliseconds: int) -> str:
    seconds, rest = divmod(milliseconds, 1000)
    return f"{seconds // 3600:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d}.{rest:03d}"
