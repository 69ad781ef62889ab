"""What models said of performances, read back: one, two beside each other, and one performer's over time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from sqlalchemy import or_, select
from sqlalchemy.orm import defer

from toprock.assess.assessment import Assessment
from toprock.calibration import Scaled
from toprock.errors import NotThere, Refused
from toprock.library import models, tables
from toprock.library.library import Library

_MOST = 200
"""Performances of one performer that are looked up."""
_ADVICE = "Train a model, or wait for the job that scores."


@dataclass(frozen=True)
class Evidence:
    """A performance, and what a model says of it."""

    performance: tables.Performance
    model: tables.Model
    assessment: Assessment


def scorers(library: Library, *keys: str) -> Sequence[tables.Model]:
    """The models that scored all of these performances: the chosen one first, then the newest."""
    with library.read() as session:
        query = select(tables.Model).order_by(tables.Model.created.desc())
        for key in keys:
            scored = select(tables.Assessment.model_key).where(tables.Assessment.performance_key == key)
            query = query.where(tables.Model.key.in_(scored))
        chosen = models.chosen(session)
        return sorted(session.scalars(query), key=lambda model: chosen is None or model.key != chosen.key)


def evidence(library: Library, key: str, model_key: str = "") -> Evidence:
    """What a model says of a performance: by default the chosen one, or the newest that has scored it.

    Raises:
        NotThere: there is no such performance, or the model has not scored it.
    """
    return _of(library, [key], model_key)[0]


def evidence_of_two(library: Library, one: str, two: str, model_key: str = "") -> tuple[Evidence, Evidence]:
    """What one model says of two performances.

    Raises:
        NotThere: one of them is not there, or no model has scored both.
        Refused: they are one.
    """
    if one == two:
        raise Refused("a performance cannot be compared with itself", advice="Choose another one.")
    first, second = _of(library, [one, two], model_key)
    return first, second


def _of(library: Library, keys: Sequence[str], model_key: str) -> list[Evidence]:
    with library.read() as session:
        rows = [session.get(tables.Performance, key) for key in keys]
    if not all(rows):
        raise NotThere("there is no such performance in the library", advice="It may have been deleted.")
    found = [model for model in scorers(library, *keys) if model_key in ("", model.key)]
    if not found:
        which = "this model has not" if model_key else "no model has"
        what = "this performance" if len(keys) == 1 else "both performances"
        raise NotThere(f"{which} scored {what}", advice=_ADVICE)
    with library.read() as session:
        told = [models.assessment(session, key, found[0].key) for key in keys]
    return [Evidence(row, found[0], a) for row, a in zip(rows, told, strict=True) if row and a]


@dataclass(frozen=True)
class Career:
    """All performances of one performer (or several): each with the numbers that a model gave it, where it did.

    Attributes:
        rows: by date, those without one first.
        assessments: name of a performance -> its numbers, without segments.
        scores: key of a performance -> the row of its score.
    """

    rows: Sequence[tables.Performance]
    assessments: Mapping[str, Assessment] = field(default_factory=dict)
    scores: Mapping[str, tables.Assessment] = field(default_factory=dict)


def people_of(performer: str) -> list[str]:
    """The people in a performer's name.

    >>> people_of("Ami; Bo;")
    ['Ami', 'Bo']
    """
    return [name for name in dict.fromkeys(part.strip() for part in performer.split(";")) if name]


def career(library: Library, row: tables.Performance, model_key: str = "") -> Career:
    """The performances of those who performed here, with the scores of a model (by default the chosen one)."""
    people = set(people_of(row.performer))
    if not people:
        return Career([])
    with library.read() as session:
        chosen = models.chosen(session)
        key = model_key or (chosen.key if chosen else "")
        query = (
            select(tables.Performance, tables.Assessment)
            .outerjoin(
                tables.Assessment,
                (tables.Assessment.performance_key == tables.Performance.key) & (tables.Assessment.model_key == key),
            )
            .where(or_(*(tables.Performance.performer.contains(name, autoescape=True) for name in people)))
            .order_by(tables.Performance.date, tables.Performance.created)
            .options(defer(tables.Assessment.document))
            .limit(_MOST)
        )
        pairs = [(p, a) for p, a in session.execute(query) if people & set(people_of(p.performer))]
        scored = {p.key: a for p, a in pairs if a is not None}
        scale = _scale(session.get(tables.Assessment, (next(iter(scored)), key))) if scored else ""
    told = {p.name: _numbers(p, a, scale) for p, a in pairs if a is not None}
    return Career([p for p, _ in pairs], told, scored)


def _scale(found: tables.Assessment | None) -> str:
    """On which scale a model's values are; the same for all that it scored."""
    scaled = (found.document.get("scaled") or {}) if found is not None else {}
    return str(scaled.get("scale", ""))


def _numbers(p: tables.Performance, a: tables.Assessment, scale: str) -> Assessment:
    scaled = None
    if scale and a.value is not None and a.low is not None and a.high is not None:
        scaled = Scaled(value=a.value, low=a.low, high=a.high, scale=scale)
    return Assessment(p.name, a.score, 0.0, a.percentile, (), (), model={"name": a.model_key}, scaled=scaled)
