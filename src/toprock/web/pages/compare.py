"""Two performances in step: two players, one transport bar, both timelines on one scale, and who is likely better."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated, Any
from urllib.parse import urlencode

from fastapi import APIRouter, Query, Request
from fastapi.responses import Response

from toprock.errors import NotThere, ToprockError
from toprock.library import catalogue, tables
from toprock.library.evidence import evidence_of_two, scorers
from toprock.library.library import Library
from toprock.library.loaded import Loaded
from toprock.report.cards import numbered
from toprock.report.comparison import view_comparison
from toprock.report.view import PerformanceView
from toprock.web.depends import OWNER, TheLibrary, TheModels
from toprock.web.evidence import bare_chart, facts_of, source_of, spans_of
from toprock.web.rendering import page

router = APIRouter(dependencies=OWNER)
Key = Annotated[str, Query(max_length=16)]
Search = Annotated[str, Query(max_length=200)]
_PICKS = 12
SIDES = ("a", "b")


@router.get("/compare")
def compare(
    request: Request, library: TheLibrary, models: TheModels, a: Key = "", b: Key = "", model: Key = ""
) -> Response:
    """The page; where one of the two is missing, it is looked for here."""
    rows = {side: _there(library, key) for side, key in zip(SIDES, (a, b), strict=True)}
    one, two = rows["a"], rows["b"]
    if one is None or two is None or one.key == two.key:
        if one is not None and two is not None:
            rows["b"] = None
        picks = [_picks(library, side, rows, "") for side in SIDES if rows[side] is None]
        return page(request, "compare_pick.html.j2", title="Compare", picks=picks, rows=rows)
    return page(request, "compare_page.html.j2", **_view(library, models, one, two, model))


@router.get("/compare/find")
def find(
    request: Request, library: TheLibrary, side: str = "b", a: Key = "", b: Key = "", search: Search = ""
) -> Response:
    """Performances that fit a search, to choose one: a part of the page."""
    side = side if side in SIDES else "b"
    rows = {"a": _there(library, a), "b": _there(library, b)}
    return page(request, "_picks.html.j2", pick=_picks(library, side, rows, search))


def _there(library: Library, key: str) -> tables.Performance | None:
    try:
        return catalogue.get(library, key) if key else None
    except NotThere:
        return None


def _picks(library: Library, side: str, rows: dict[str, tables.Performance | None], search: str) -> dict[str, Any]:
    """What can be chosen for a side, the latest first."""
    other = rows["b" if side == "a" else "a"]
    found = catalogue.listed(library, search=search, count=_PICKS + 1)
    shown = [row for row in found.rows if other is None or row.performance.key != other.key][:_PICKS]

    def link(key: str) -> str:
        keys = {s: row.key for s, row in rows.items() if row is not None and s != side} | {side: key}
        return "/compare?" + urlencode({s: keys[s] for s in SIDES if s in keys})

    return {
        "side": side,
        "other": other,
        "search": search,
        "given": {s: row.key for s, row in rows.items() if row is not None},
        "rows": [
            {
                "p": r.performance,
                "a": r.assessment,
                "length_s": catalogue.length_s(r.performance),
                "href": link(r.performance.key),
            }
            for r in shown
        ],
    }


def _view(
    library: Library, loaded: Loaded, one: tables.Performance, two: tables.Performance, model: str
) -> dict[str, Any]:
    known = scorers(library, one.key, two.key)
    used = next((m for m in known if m.key == model), known[0] if known else None)
    found: dict[str, Any] = {}
    why = "No model has scored both. They can be watched in step all the same." if used is None else ""
    if used is not None:
        try:
            found = _compared(library, loaded, one, two, used.key)
        except ToprockError as problem:
            why = str(problem)
    views: list[PerformanceView | None] = found.get("views") or [None, None]
    names = found.get("names") or names_of(one, two)
    longest = max((s[-1][1] - s[0][0] for s in map(spans_of, (one, two)) if s), default=0.0)
    sides = [_side(row, name, view, longest) for row, name, view in zip((one, two), names, views, strict=True)]
    for side, moments in zip(sides, found.get("moments", ()), strict=False):
        side["script"]["moments"] = moments
    return {
        "title": f"{names[0]} against {names[1]}",
        "names": names,
        "sides": sides,
        "found": found,
        "views": found.get("views"),
        "known": known,
        "used": used,
        "why": why,
        "swapped": "/compare?" + urlencode({"a": two.key, "b": one.key} | ({"model": model} if model else {})),
        "asked": urlencode({"a": one.key, "b": two.key} | ({"model": used.key} if used else {})),
        "script": {"sides": [side["script"] for side in sides], "model": used.key if used else ""},
    }


def _compared(
    library: Library, loaded: Loaded, one: tables.Performance, two: tables.Performance, key: str
) -> dict[str, Any]:
    first, second = evidence_of_two(library, one.key, two.key, key)
    comparison = loaded.compared(first, second)
    named = zip((one, two), names_of(one, two), strict=True)
    told = {row.name: replace(catalogue.performance_of(library, row), performer=name) for row, name in named}
    found = view_comparison(comparison, performances=told)
    moments = [
        [
            {"id": f"{view.anchor}-{m.kind}-{number}", "start_s": m.start_s, "end_s": m.end_s}
            for m, number in numbered(assessment)
        ]
        for view, assessment in zip(found["views"], (first.assessment, second.assessment), strict=True)
    ]
    return {**found, "moments": moments}


def _side(row: tables.Performance, name: str, view: PerformanceView | None, longest: float) -> dict[str, Any]:
    """One of the two: its player, and a timeline as long as the longer one."""
    spans = spans_of(row)
    chart = view.chart if view else None
    zero = float(chart.data["edges"][0]) if chart else spans[0][0] if spans else 0.0
    bare = None
    if chart is None and spans:
        bare = bare_chart(spans, until_s=spans[0][0] + longest)
    return {
        "row": row,
        "name": name,
        "facts": [fact for fact in facts_of(row) if fact not in name],
        "view": view,
        "bare": bare,
        "script": {**source_of(row), "zero": zero, "moments": []},
    }


def names_of(one: tables.Performance, two: tables.Performance) -> tuple[str, str]:
    """What two are called so that they are told apart: with the date, event or name in which they differ, where they
    are called alike.

    >>> first = tables.Performance(name="a", performer="Anna", event="Jam", date="2026-01-10")
    >>> names_of(first, tables.Performance(name="b", performer="Anna", event="Jam", date="2026-03-01"))
    ('Anna, 2026-01-10', 'Anna, 2026-03-01')
    """
    if one.title != two.title:
        return one.title, two.title
    pairs = ((one.date, two.date), (one.event, two.event), (one.name, two.name))
    first, second = next((a, b) for a, b in pairs if a and b and a != b)
    return f"{one.title}, {first}", f"{two.title}, {second}"
