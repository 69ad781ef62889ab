"""Models of a library: trained from its comparisons, kept as versions, one of them chosen to score."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from toprock import usage
from toprock.assess.assessment import Assessment
from toprock.comparisons import Pair, pairwise_accuracy
from toprock.errors import FeaturesChanged, ModelError, NotThere, Refused, ToprockError
from toprock.features.recipe import Recipe
from toprock.library import jobs, tables
from toprock.library.database import set_setting, setting
from toprock.library.judgments import pairs_of
from toprock.library.library import Library
from toprock.library.sweeping import TOLD, arriving, note_gone, sweep

if TYPE_CHECKING:
    from toprock.library.work import Watch
    from toprock.ranker import Advance
    from toprock.ranker.saved import ModelConfig, SavedModel

_STAGES = 10
"""Folds and members; with folds on parts of the comparisons, about twice as many."""
_POINTS = 60
"""Of a loss curve, a stage."""
RULES = {"duration": "longer or shorter", "mean_motion": "more or less motion", "cut_rate": "more or fewer cuts"}
"""What models are held against, in words."""
FEWEST_PAIRS = 3
"""Comparisons with a winner below which nothing can be learnt."""


def begin_training(library: Library, *, criterion: str = "", name: str = "", start_from: str = "") -> int:
    """Put a training on the comparisons of a criterion into the queue; returns the job's number.

    Raises:
        Refused: there are too few comparisons, or the same training waits or runs.
        NotThere: there is no such model to start from.
    """
    with library.write() as session:
        decided = [p for p in pairs_of(session, criterion=criterion) if not p.tie]
        if len(decided) < FEWEST_PAIRS:
            raise Refused(
                f"too few comparisons have a winner to learn from them: {len(decided)}",
                advice=f"Judge at least {FEWEST_PAIRS} pairs; some 10 a performance make a good start.",
            )
        busy = select(tables.Job.id).where(tables.Job.kind == "train", tables.Job.state.in_(jobs.OPEN))
        if session.scalars(busy).first() is not None:
            raise Refused("a training waits or runs already", advice="Wait for it, or cancel it under Jobs.")
        if start_from:
            get(session, start_from)
        count = session.scalar(select(func.count()).select_from(tables.Model)) or 0
        key = tables.new_key()
        name = name.strip()[:200] or f"Model {count + 1}"
        payload = {"name": name, "criterion": criterion, "start_from": start_from}
        return jobs.enqueue(session, "train", f"Train {name}", subject=key, payload=payload)


def train(library: Library, job: tables.Job, watch: Watch) -> dict[str, Any]:
    """The job of a training: learn, keep the model, have it score everything, choose it if it is the first one."""
    key, name, criterion = job.subject, job.payload["name"], job.payload["criterion"]
    folder = library.folder.model(key)
    model = _learnt(library, job, watch)
    model.save(folder)
    summary = summary_of(model.config)

    def keep(session: Session) -> None:
        session.merge(tables.Model(key=key, name=name, criterion=criterion, summary=summary))
        session.flush()
        if not setting(session, "model"):
            set_setting(session, "model", key)
        jobs.enqueue(session, "score", f"Score all with {name}", subject=key)
        note_gone(library, session, [folder / "checkpoint"])  # until this is known, it is what is gone on from

    watch.at_end(keep)
    return {"model": key, **summary}


def _learnt(library: Library, job: tables.Job, watch: Watch, *, tries: int = 3) -> SavedModel:
    """Learn from what is here; where people cut or delete performances meanwhile, begin again with what is left."""
    from toprock.ranker import Plan, SavedModel, TrainingConfig, train_from_store
    from toprock.ranker.learning import FEWEST

    name, criterion = job.payload["name"], job.payload["criterion"]
    with library.read() as session:
        pairs = pairs_of(session, criterion=criterion)
        people = {p.name: p.performer for p in session.scalars(select(tables.Performance)) if p.performer}
    store = library.store
    backbones = library.backbones()
    recipes = {recipe.stream: recipe for recipe in map(Recipe.of, backbones)}
    start = job.payload.get("start_from")
    started = SavedModel.load(library.folder.model(start)) if start else None
    if started is not None:
        recipes = started.recipes
    watch.progress(0.0, "reading features")
    stages = Stages(watch, _STAGES if len(pairs) < FEWEST else 2 * _STAGES)
    try:
        return train_from_store(
            store,
            pairs,
            name=name,
            recipes=recipes,
            performers=people,
            plan=Plan(training=TrainingConfig(), learning=True),
            start_from=started,
            skip_missing=True,
            checkpoint=library.folder.model(job.subject) / "checkpoint",
            on_advance=stages.advance,
        )
    except FeaturesChanged:
        if tries > 1:
            return _learnt(library, job, watch, tries=tries - 1)
        raise Refused(
            "performances were cut or deleted again and again while it learnt", advice="Try again when that is done."
        ) from None


class Stages:
    """Tells how far a training is, over stages whose number is known only roughly, and keeps its curves.

    What it logs: `{"stage", "step", "total", "loss"}` some 60 times a stage, and at every measurement
    `{"stage", "step", "total", "accuracy"}`.
    """

    def __init__(self, watch: Watch, expected: int) -> None:
        self._watch, self._expected = watch, expected
        self._seen: list[str] = []

    def advance(self, at: Advance) -> None:
        """After every step."""
        if at.stage not in self._seen:
            self._seen.append(at.stage)
        expected = max(self._expected, len(self._seen))
        share = (len(self._seen) - 1 + at.done / max(at.total, 1)) / expected
        where = {"stage": at.stage, "step": at.done, "total": at.total}
        if at.accuracy is not None:
            self._watch.log({**where, "accuracy": round(at.accuracy, 4)})
        if at.loss is not None and at.done % max(1, at.total // _POINTS) == 0:
            self._watch.log({**where, "loss": round(at.loss, 5)})
        self._watch.progress(min(0.99, share), f"{stage_name(at.stage)}: step {at.done} of {at.total}")


def stage_name(stage: str) -> str:
    """A stage of a training in words.

    >>> stage_name("fold2of5"), stage_name("fold1of5steps120share0.25"), stage_name("member3of5")
    ('held-out group 2 of 5', 'held-out group 1 of 5, with 25 % of the comparisons', 'ranker 3 of 5')
    """
    found = re.fullmatch(r"(fold|member)(\d+)of(\d+)(?:steps\d+)?(?:share([\d.]+))?", stage)
    if not found:
        return stage
    kind, number, of, share = found.groups()
    words = f"{'ranker' if kind == 'member' else 'held-out group'} {number} of {of}"
    return words + (f", with {100 * float(share):.0f} % of the comparisons" if share else "")


def summary_of(config: ModelConfig) -> dict[str, Any]:
    """What the pages tell of a model."""
    curve = dict(config.curve)
    return {
        "performances": len(config.trained_on.performances),
        "pairs": config.trained_on.pairs,
        "performers": config.trained_on.performers,
        "steps": config.steps,
        "held_out": _held_out(config),
        "accuracy": curve.get(config.steps),
        "curve": [list(point) for point in config.curve],
        "controls": dict(config.control_accuracy),
        "learning": config.learning.model_dump(mode="json") if config.learning else None,
        "told": str(config.learning) if config.learning else "",
        "uncalibrated": config.uncalibrated,
        "left_out": dict(config.trained_on.left_out),
        "pairs_left_out": config.trained_on.pairs_left_out,
        "consistency": config.trained_on.consistency,
        "recipes": {str(stream): recipe.get("backbone", "") for stream, recipe in config.recipes.items()},
        "toprock": config.toprock,
        "started_from": config.started_from.name if config.started_from else "",
    }


def _held_out(config: ModelConfig) -> dict[str, Any] | None:
    """How many pairs of performances that rankers had not seen they put right; None where nobody has measured it."""
    return {**config.tested.model_dump(mode="json"), "sides": _sides(config)} if config.tested is not None else None


def _sides(config: ModelConfig) -> dict[str, Any]:
    return {
        kind: {"accuracy": slope.accuracy, "pairs": slope.pairs, "performances": slope.performances}
        for kind, slope in config.slopes.items()
    }


def told_of(library: Library, model: tables.Model) -> dict[str, Any]:
    """A model's summary. One that an earlier version trained here is measured once, on the comparisons that are here.

    It is `earlier` then: there is no interval, and its simple rules are over all pairs that it learnt from. No session
    may be open: this begins its own.
    """
    if "held_out" in model.summary or not model.summary.get("curve"):
        return model.summary
    from pydantic import ValidationError

    from toprock.ranker.saved import ModelConfig

    try:
        text = (library.folder.model(model.key) / "config.json").read_text(encoding="utf-8")
        config = ModelConfig.model_validate_json(text)
    except (OSError, ValueError, ValidationError):
        return model.summary
    with library.read() as session:
        own = _is_own(session, model, config)
        found = _measured(config, pairs_of(session, criterion=model.criterion)) if own else None
    with contextlib.suppress(ToprockError), library.write() as session:
        row = session.get(tables.Model, model.key)
        if row is not None:
            row.summary = {**row.summary, "held_out": found}
    return {**model.summary, "held_out": found}


def _measured(config: ModelConfig, pairs: Sequence[Pair]) -> dict[str, Any] | None:
    """How many pairs the scores of a model of an earlier version put right that were held out; None without any."""
    here = [pair for pair in pairs if not pair.tie and pair.better in config.held_out and pair.worse in config.held_out]
    if not here:
        return None
    return {
        "accuracy": pairwise_accuracy(config.held_out, here),
        "interval": None,
        "pairs": len(here),
        "performances": len({name for pair in here for name in (pair.better, pair.worse)}),
        "controls": dict(config.control_accuracy),
        "sides": _sides(config),
        "earlier": True,
    }


def _is_own(session: Session, model: tables.Model, config: ModelConfig) -> bool:
    """Whether a model was trained here: names mean nothing to one that was brought.

    Its job says so; where that may be forgotten by now, its own date, which one that was brought has from elsewhere.
    """
    job = select(tables.Job.id).where(tables.Job.kind == "train", tables.Job.subject == model.key)
    if session.scalars(job).first() is not None:
        return True
    try:
        off = abs(model.created.date() - date.fromisoformat(config.created))
    except ValueError:
        return False
    return model.created < tables.now() - TOLD and off <= timedelta(days=1)  # its own is local time


def outdone_by(summary: Mapping[str, Any]) -> str:
    """The simple rule, in words, that alone ranks as many comparisons right as a model does; empty where none does.

    Both are measured on the same held-out comparisons, where the model knows them; else the rule is on all that it
    learnt from. The rule's direction was fitted to
    them, and the model was not: it is to beat it all the same.

    >>> outdone_by({"held_out": {"accuracy": 0.67, "controls": {"duration": 0.79, "cut_rate": 0.5}}})
    'longer or shorter'
    """
    measured = summary.get("held_out") or summary
    accuracy, controls = measured.get("accuracy"), measured.get("controls") or {}
    best = max(controls, key=lambda name: controls[name], default="")
    outdone = accuracy is not None and best and controls[best] >= accuracy
    return RULES.get(best, best) if outdone else ""


def get(session: Session, key: str) -> tables.Model:
    """One model.

    Raises:
        NotThere: there is none with this key.
    """
    found = session.get(tables.Model, key)
    if found is None:
        raise NotThere("there is no such model in the library", advice="Look at the list under Train.")
    return found


def card_of(library: Library, key: str) -> str:
    """A model's card.

    Raises:
        NotThere: there is no such model, or its folder is gone.
    """
    with library.read() as session:
        get(session, key)
    try:
        return (library.folder.model(key) / "README.md").read_text(encoding="utf-8")
    except OSError:
        raise NotThere("the folder of this model is gone", advice="Delete the model and train again.") from None


def scored(session: Session, key: str) -> int:
    """How many performances a model has scored."""
    query = select(func.count()).select_from(tables.Assessment).where(tables.Assessment.model_key == key)
    return session.scalar(query) or 0


def listed(session: Session) -> Sequence[tables.Model]:
    """All models, the newest first."""
    return session.scalars(select(tables.Model).order_by(tables.Model.created.desc())).all()


def chosen(session: Session) -> tables.Model | None:
    """The model that scores; None where there is none yet."""
    key = setting(session, "model")
    return session.get(tables.Model, key) if key else None


def bring(library: Library, source: Path, *, name: str = "") -> str:
    """Take in a model folder that `toprock train` made elsewhere; the folder itself stays as it is.

    Returns:
        The key of the model.

    Raises:
        ModelError: it is no model folder, or a damaged one.
        StorageError: there is no room for it.
    """
    from toprock.ranker.saved import SavedModel

    try:
        model, key = SavedModel.load(source), tables.new_key()
    except OSError as problem:
        raise ModelError(f"{source}: cannot be read ({problem.strerror})", advice="Check the path.") from None
    name, folder = name.strip()[:200] or model.config.name[:200], library.folder.model(key)
    with arriving(library, folder) as arrived:
        model.save(folder)
        with library.write() as session:
            arrived(session)
            session.add(tables.Model(key=key, name=name, summary=summary_of(model.config)))
            session.flush()
            if not setting(session, "model"):
                set_setting(session, "model", key)
            jobs.enqueue(session, "score", f"Score all with {name}", subject=key)
    return key


def choose(library: Library, key: str) -> None:
    """Have this model score from now on, and all that it has not scored.

    Raises:
        NotThere: there is none with this key.
    """
    with library.write() as session:
        model = get(session, key)
        set_setting(session, "model", key)
        jobs.enqueue(session, "score", f"Score all with {model.name}", subject=key)


def remove(library: Library, key: str) -> None:
    """Delete a model and all that it said. If it was the chosen one, the newest of the others is.

    Raises:
        NotThere: there is none with this key.
    """
    with library.write() as session:
        session.delete(get(session, key))
        note_gone(library, session, [library.folder.model(key)])
        jobs.cancel_all(session, subject=key)
        session.flush()
        if setting(session, "model") == key:
            other = next(iter(listed(session)), None)
            set_setting(session, "model", other.key if other else "")
            if other is not None:
                jobs.enqueue(session, "score", f"Score all with {other.name}", subject=other.key)
    sweep(library)


def assessment(session: Session, performance_key: str, model_key: str = "") -> Assessment | None:
    """What a model (by default the chosen one) says of a performance; None where it has not scored it."""
    model_key = model_key or setting(session, "model")
    found = session.get(tables.Assessment, (performance_key, model_key))
    return Assessment.from_json(found.document) if found is not None else None


def log_use(library: Library, key: str, found: Sequence[Assessment], command: str, **more: Any) -> None:
    """Note a use, see `toprock log`."""
    usage.note(f"serve: {command}", library.folder.model(key), [one.noted() for one in found], **more)
