"""One performance: the player with its evidence, moments, comments, and what can be done with it."""

from __future__ import annotations

import importlib.util
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from fastapi.responses import Response

from toprock.library import catalogue, jobs, models, tables
from toprock.library.evidence import Career, career, evidence, people_of, scorers
from toprock.library.library import Library
from toprock.report.figures import show, units
from toprock.report.gauge import texts
from toprock.report.progress import Progress, progress
from toprock.report.timeline import clock
from toprock.web.depends import OWNER, TheLibrary
from toprock.web.evidence import Shown, bare_chart, facts_of, said, shown, source_of, spans_of
from toprock.web.rendering import page

router = APIRouter(dependencies=OWNER)
ModelKey = Annotated[str, Query(max_length=16)]
SCORED = "scored"


@router.get("/performance/{key}")
def performance(
    request: Request,
    library: TheLibrary,
    key: str,
    model: ModelKey = "",
    moment: Annotated[str, Query(max_length=32)] = "",
) -> Response:
    """The page; `?t=12.3` or `?moment=worst-1` says where it opens: at the time where the moment is not there."""
    row = catalogue.get(library, key)
    known = scorers(library, key)
    used = next((m for m in known if m.key == model), known[0] if known else None)
    found = evidence(library, key, used.key) if used else None
    seen = shown(library, row, found.assessment if found else None)
    source, spans = source_of(row), spans_of(row)
    them = career(library, row, used.key if used else "")
    parts = _parts(library, row)
    stated = _state(library, row, seen, bool(found))
    script = {
        **source,
        "model": used.key if used else "",
        "title": row.title,
        "job": stated["looking"].id if stated["looking"] else None,
        "moments": [{k: m[k] for k in ("id", "start_s", "end_s")} for m in seen.moments],
        "comments": said(library, key),
        "parts": [{k: p[k] for k in ("key", "intervals", "performer", "start_s", "end_s")} for p in parts],
    }
    return page(
        request,
        "performance_page.html.j2",
        title=row.title,
        row=row,
        facts=facts_of(row),
        source=source,
        seen=seen,
        view=seen.view,
        bare=bare_chart(spans),
        known=known,
        used=used,
        notice=_notice(library, used, seen, model=model, moment=moment),
        parts=parts,
        weak=models.outdone_by(models.told_of(library, used)) if used else "",
        career=_career_rows(them, row),
        progress=_progress(library, them, row),
        script=script,
        pdf=importlib.util.find_spec("weasyprint") is not None,
        **stated,
    )


@router.get("/performance/{key}/state")
def state(request: Request, library: TheLibrary, key: str) -> Response:
    """How far its jobs are: a part of the page, which asks for it until there is a score."""
    row = catalogue.get(library, key)
    found = bool(scorers(library, key))
    answer = page(request, "_state.html.j2", row=row, **_state(library, row, Shown(), found))
    if found:
        answer.headers["hx-trigger"] = "scored"
    return answer


def _notice(library: Library, used: tables.Model | None, seen: Shown, *, model: str, moment: str) -> str:
    """What an address asks for that is not there, in words: a model, a moment."""
    known = {m["id"] for m in seen.moments}
    if not model or (used is not None and used.key == model):
        return "The link leads to a moment that is no longer named here." if moment and moment not in known else ""
    with library.read() as session:
        asked = session.get(tables.Model, model)
    told = [
        f"{asked.name} has not scored this performance" if asked else "The model that was asked for is no longer here"
    ]
    if used is not None:
        told.append(f"; this is what {used.name} says")
    told.append(". ")
    if moment:
        told.append("The link led to a moment that it had named" + (", which is not one of these." if known else "."))
    return "".join(told)


def _state(library: Library, row: tables.Performance, seen: Shown, scored: bool) -> dict[str, Any]:
    """Where a performance is on its way to a score, in one word, and the job that takes it on."""
    with library.read() as session:
        chosen = models.chosen(session)
        look = jobs.last(session, "extract", subject=row.video_key)
        open_scores = jobs.open_ones(session, "score", subject=chosen.key) if chosen else []
    looking = look if look is not None and look.state in jobs.OPEN else None
    scoring = next((j for j in open_scores if row.key in j.payload.get("performances", [row.key])), None)
    if scored:
        word = "trouble" if seen.trouble else SCORED
    elif row.state != "ready" and looking:
        word = "looking"
    elif row.state == "failed":
        word = "failed"
    elif row.state == "new":
        word = "stopped"
    elif chosen is None:
        word = "no model"
    else:
        word = "waiting" if scoring else "unscored"
    return {"state": word, "job": scoring if word == "waiting" else looking, "looking": looking, "chosen": chosen}


def _parts(library: Library, row: tables.Performance) -> list[dict[str, Any]]:
    """All performances in this one's video, in order of time."""
    with library.read() as session:
        rows = catalogue.beside(session, row.video_key)
    found = []
    for each, said_of in ((r.performance, r.assessment) for r in rows):
        spans = spans_of(each)
        start_s, end_s = (spans[0][0], spans[-1][1]) if spans else (0.0, 0.0)
        found.append(
            {
                "key": each.key,
                "title": each.title,
                "performer": each.performer,
                "intervals": each.intervals,
                "start_s": start_s,
                "end_s": end_s,
                "told": f"{clock(start_s)}–{clock(end_s)}" if each.intervals else "whole video",
                "score": _number(said_of.value, said_of.score) if said_of else "",
                "here": each.key == row.key,
            }
        )
    return sorted(found, key=lambda p: (p["start_s"], p["end_s"]))


def _career_rows(them: Career, row: tables.Performance) -> list[dict[str, Any]]:
    """The performer's performances as a list, the newest first."""
    found = []
    for each in reversed(them.rows):
        a = them.scores.get(each.key)
        scaled = them.assessments[each.name].scaled if a else None
        value, low, high = texts(scaled) if scaled else (_number(None, a.score) if a else "", "", "")
        found.append(
            {
                "key": each.key,
                "date": each.date or "no date",
                "told": each.event or each.name,
                "score": value,
                "interval": f"{low} to {high}" if low else "",
                "here": each.key == row.key,
            }
        )
    return found if len(found) > 1 else []


def _progress(library: Library, them: Career, row: tables.Performance) -> Progress | None:
    """The report's drawing, of those who performed here alone."""
    told = {p.name: catalogue.performance_of(library, p) for p in them.rows}
    drawn = progress(list(them.assessments.values()), told)
    if drawn is None:
        return None
    wanted = set(people_of(row.performer))
    people = [person for person in drawn.people if person.name in wanted]
    return Progress(people, drawn.measure, []) if people else None


def _number(value: float | None, score: float) -> str:
    return f"{value:.0f}" if value is not None else show(units(score, 2), 2, signed=True)
