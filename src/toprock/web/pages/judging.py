"""Judging pairs, blind to names, scores and models; and the standings that come of it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from fastapi.responses import Response

from toprock.library import judgments, standings
from toprock.web.depends import OWNER, TheLibrary
from toprock.web.rendering import page

router = APIRouter()
_STEPS = (0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0)
_TICKS = 7


@router.get("/judge")
def judge(request: Request) -> Response:
    """Two videos beside each other: which was better?"""
    return page(request, "judge.html.j2", title="Judge", longest=judgments.LONGEST_NAME)


@router.get("/standings", dependencies=OWNER)
def standing(
    request: Request,
    library: TheLibrary,
    criterion: Annotated[str, Query(max_length=judgments.LONGEST_NAME)] = "",
) -> Response:
    """Who stands where, how sure that is, and how far judges agree."""
    criterion = " ".join(criterion.split())
    with library.read() as session:
        used = judgments.criteria(session)
    if criterion not in used and used:
        criterion = criterion or used[0]
    found = standings.standings(library, criterion)
    groups = [
        {"places": group.places, "lead": group.lead, "axis": Axis.over(group.places), "name": chr(ord("A") + at % 26)}
        for at, group in enumerate(found.groups)
    ]
    return page(
        request,
        "standings.html.j2",
        title="Standings",
        criteria=sorted({*used, criterion}, key=lambda name: (name != "", name.lower())),
        criterion=criterion,
        s=found,
        groups=groups,
        verdict=_verdict(found),
    )


@dataclass(frozen=True)
class Axis:
    """Ratings as percent from left to right, one scale for a group.

    >>> axis = Axis(-1.0, 1.0)
    >>> axis.at(0.0), axis.ticks
    (50.0, [-1.0, -0.5, 0.0, 0.5, 1.0])
    """

    low: float
    high: float

    @classmethod
    def over(cls, places: Sequence[standings.Place]) -> Axis:
        """An axis that holds all intervals, with some room."""
        low, high = min(place.low for place in places), max(place.high for place in places)
        room = 0.03 * max(high - low, 1e-6)
        return cls(low - room, high + room)

    def at(self, rating: float) -> float:
        """Where a rating is."""
        return round(100 * (rating - self.low) / (self.high - self.low), 2)

    @property
    def ticks(self) -> list[float]:
        """Round numbers within it."""
        step = next((step for step in _STEPS if (self.high - self.low) / step < _TICKS), _STEPS[-1])
        first, last = math.ceil(self.low / step - 1e-9), math.floor(self.high / step + 1e-9)
        return [round(number * step, 3) for number in range(first, last + 1)]


def _verdict(found: standings.Standings) -> dict[str, Any]:
    """What the standings say of the first place, in words."""
    if not found.groups:
        return {}
    group = found.groups[0]
    leaders = [place for place in group.places if place.first == 1]
    if len(leaders) == 1:
        return {"name": leaders[0].title, "sure": group.lead, "second": group.places[1].title, "close": 0}
    return {"name": group.places[0].title, "sure": group.lead, "second": group.places[1].title, "close": len(leaders)}
