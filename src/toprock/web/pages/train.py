"""Train: from the comparisons to a model, and its versions."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import Response

from toprock.library import catalogue, jobs, judgments, models, tables
from toprock.library.database import setting
from toprock.library.library import Library
from toprock.web.curves import HEIGHT, WIDTH, accuracy_curves, choice_curve, loss_curves
from toprock.web.depends import OWNER, TheLibrary
from toprock.web.rendering import page

router = APIRouter(dependencies=OWNER)
GOOD_START = 10
"""Comparisons a performance that make a good start."""


@router.get("/train")
def train(request: Request, library: TheLibrary, criterion: str = "") -> Response:
    """What there is to learn from, the training that runs, and the models so far."""
    return page(request, "train.html.j2", title="Train", **_view(library, criterion))


@router.get("/train/now")
def now(request: Request, library: TheLibrary) -> Response:
    """The training that runs or ended last, alone."""
    return page(request, "_training.html.j2", **_training(library))


@router.get("/model/{key}")
def model(request: Request, library: TheLibrary, key: str) -> Response:
    """One model: how far to trust it, and its card."""
    with library.read() as session:
        found = models.get(session, key)
        chosen = setting(session, "model") == key
        scored = models.scored(session, key)
    return page(
        request,
        "model.html.j2",
        title=found.name,
        box=(WIDTH, HEIGHT),
        model=_told(library, found, chosen),
        scored=scored,
        drawn=choice_curve(found.summary.get("curve", []), found.summary.get("steps", 0)),
        card=models.card_of(library, key),
    )


def wanted_pairs(judged: int, total: int, judges: int) -> tuple[int, bool]:
    """Comparisons that make a good start, and whether there are fewer for so many judges, each judging a pair once.

    >>> wanted_pairs(8, 8, 1), wanted_pairs(8, 8, 2), wanted_pairs(12, 12, 1)
    ((28, True), (40, False), (60, False))
    """
    good, there = GOOD_START * judged // 2, max(1, judges) * total * (total - 1) // 2
    return min(good, there), there < good


def _view(library: Library, criterion: str) -> dict[str, Any]:
    with library.read() as session:
        criteria = judgments.criteria(session)
        if criterion not in criteria and criteria:
            criterion = criteria[0]
        pairs = judgments.pairs_of(session, criterion=criterion)
        judged = {name for pair in pairs for name in (pair.better, pair.worse)}
        total = catalogue.total(session)
        chosen = setting(session, "model")
        found = models.listed(session)
    decided = sum(not pair.tie for pair in pairs)
    wanted, capped = wanted_pairs(len(judged), total, len({pair.annotator for pair in pairs}))
    return {
        "criteria": criteria,
        "criterion": criterion,
        "pairs": len(pairs),
        "decided": decided,
        "judged": len(judged),
        "total": total,
        "enough": decided >= models.FEWEST_PAIRS,
        "missing": max(0, wanted - len(pairs)),
        "all_of_them": capped,
        "models": [_told(library, one, one.key == chosen) for one in found],
        **_training(library),
    }


def _training(library: Library) -> dict[str, Any]:
    with library.read() as session:
        job = jobs.last(session, "train")
    if job is None:
        return {"job": None}
    with library.read() as session:
        chosen = models.chosen(session)
    made = job.result.get("model", "")
    return {
        "job": job,
        "idle": chosen if made and chosen is not None and chosen.key != made else None,
        "running": job.state in jobs.OPEN,
        "accuracy": accuracy_curves(job.log, over=job.state not in jobs.OPEN),
        "loss": loss_curves(job.log),
        "box": (WIDTH, HEIGHT),
    }


def _told(library: Library, model: tables.Model, chosen: bool) -> dict[str, Any]:
    """A model as the pages show it."""
    summary = models.told_of(library, model)
    held_out = summary.get("held_out")
    rules = (held_out or summary).get("controls") or {}
    controls = [{"name": models.RULES.get(name, name), "share": share} for name, share in rules.items()]
    return {
        **summary,
        "row": model,
        "chosen": chosen,
        "accuracy": summary.get("accuracy"),
        "held_out": held_out,
        "controls": controls,
        "weak": models.outdone_by(summary),
    }
