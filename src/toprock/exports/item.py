"""What is exported: an assessment with what is known of its video, and how its moments are named."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from toprock.assess import Assessment, Moment
from toprock.performance import Performance
from toprock.report.figures import decimals_for, show, units

MOMENT_NAMES: Mapping[Literal["best", "worst"], str] = {"best": "Best moment", "worst": "Worst moment"}


@dataclass(frozen=True)
class Item:
    """One performance to export.

    Attributes:
        assessment: what it scored, and why.
        performance: its video, intervals and performer; None where only its features are at hand.
        rate_hz: frames a second of the video, where they have been looked up.

    >>> Item(toprock.load("model").assess("battle.mp4")).name
    'battle'
    """

    assessment: Assessment
    performance: Performance | None = None
    rate_hz: float | None = None

    @property
    def name(self) -> str:
        """Who performed, where that is known; else the id."""
        return (self.performance.performer if self.performance else "") or self.assessment.id

    @property
    def moments(self) -> tuple[Moment, ...]:
        """Best and worst together, in order of time."""
        return tuple(sorted(self.assessment.moments, key=lambda m: (m.start_s, m.end_s)))

    def end_s(self, declared_s: float | None) -> float:
        """Second at which the video ends at the latest: as its header declares, or as evidence shows."""
        return max([declared_s or 0.0, *(s.end_s for s in self.assessment.segments)])

    def label(self, moment: Moment, decimals: int | None = None) -> str:
        """A moment in words: its kind and what it contributed, as `amount` tells it.

        >>> moment = Moment("best", 1.0, 2.5, 0.1234)
        >>> Item(Assessment("a", 0.0, 0.0, None, (), (moment,))).label(moment)
        'Best moment +0.123'
        """
        return f"{MOMENT_NAMES[moment.kind]} {self.amount(moment.contribution, decimals)}"

    def amount(self, contribution: float, decimals: int | None = None) -> str:
        """A contribution with its sign; by default all of a performance's moments are told with the same decimals."""
        if decimals is None:
            decimals = decimals_for([m.contribution for m in self.assessment.moments])
        return show(units(contribution, decimals), decimals, signed=True)


def one_line(text: str) -> str:
    r"""A name as one line of characters that can be seen: white space is a space, what cannot be seen is its escape.

    >>> one_line("new\nline \x1b[31m")
    'new line \\x1b[31m'
    """
    return "".join(
        c if c.isprintable() else " " if c.isspace() else c.encode("unicode_escape").decode("ascii") for c in text
    )
