"""What jobs do: look at videos, train, score. Each can be done again from wherever it was stopped."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Protocol

from sqlalchemy import select
from sqlalchemy.orm import Session

from toprock.assess.model import Model
from toprock.assess.model import load as load_model
from toprock.backbones.base import Backbone
from toprock.counting import count
from toprock.errors import NotThere, Refused, ToprockError, VideoError
from toprock.exports import plays_in_browsers, write_preview
from toprock.features.engine import Progress, extract
from toprock.features.extraction import source_of
from toprock.features.recipe import Recipe
from toprock.files import write_bytes
from toprock.library import catalogue, intake, jobs, models, tables
from toprock.library.library import Library
from toprock.report.pictures import encode_jpeg
from toprock.video import grab_pictures

THUMBNAIL_SIDE = 180
_PREVIEW_SHARE = 0.3
"""Of the progress of a video that also needs a copy for the browser."""


class Watch(Protocol):
    """What work tells of itself; each call raises `Stopped` where it is to stop."""

    def progress(self, done: float, stage: str) -> None:
        """How far it is, from 0 to 1, and what it is at."""

    def log(self, entry: dict[str, Any]) -> None:
        """Something worth keeping: a loss, an accuracy, a warning."""

    def at_end(self, change: Callable[[Session], None]) -> None:
        """What else changes in the database when the job is done: both or neither, so nothing comes of it twice."""


class Stopped(BaseException):
    """Somebody cancelled the job, or it is another worker's by now."""


def do(library: Library, job: tables.Job, watch: Watch) -> dict[str, Any]:
    """Do a job; what it returns is the job's result.

    Raises:
        ToprockError: it cannot be done.
        Stopped: it was cancelled.
    """
    kinds: dict[str, Callable[[Library, tables.Job, Watch], dict[str, Any]]] = {
        "take": take,
        "extract": look_at,
        "train": models.train,
        "score": score,
    }
    return kinds[job.kind](library, job, watch)


def take(library: Library, job: tables.Job, watch: Watch) -> dict[str, Any]:
    """Take in the videos of a folder, or the performances of a manifest."""

    def on_video(done: int, total: int) -> None:
        watch.progress(done / total, f"{done} of {count(total, 'video')}")

    roots = [Path(root) for root in job.payload.get("roots", ())]
    taken = intake.add_folder(library, Path(job.payload["path"]), roots=roots, on_video=on_video)
    told = {"failed": taken.left_out, "filled": taken.filled, "kept": taken.kept}
    return {"taken": len(taken.keys), "known": len(taken.known), **told}


def look_at(library: Library, job: tables.Job, watch: Watch) -> dict[str, Any]:
    """Pictures, a copy that browsers play where one is needed, and features of all performances in a video."""
    with library.read() as session:
        video = session.get(tables.Video, job.subject)
        if video is None:
            raise NotThere("the video has been deleted", advice="There is nothing left to do.")
        rows = session.scalars(select(tables.Performance).where(tables.Performance.video_key == video.key)).all()
    try:
        failed = _look_at(library, video, rows, watch, copy=bool(job.payload.get("preview")))
    except VideoError as problem:  # people know it by the name that it came with
        told = type(problem)(video.filename, problem.what, advice=problem.advice)
        _note_failed(library, rows, {row.name: str(told) for row in rows})
        raise told from None
    except ToprockError as problem:
        _note_failed(library, rows, {row.name: str(problem) for row in rows})
        raise
    finally:
        _leave_nothing_of_deleted(library, video, rows)
    if failed and len(failed) == len(rows):
        _note_failed(library, rows, failed)
        raise Refused(next(iter(failed.values())))
    watch.at_end(lambda session: _note_states(session, rows, failed))
    return {"looked_at": len(rows) - len(failed), "failed": failed}


def _look_at(
    library: Library, video: tables.Video, rows: Sequence[tables.Performance], watch: Watch, *, copy: bool
) -> dict[str, str]:
    """Do it; returns name -> why for the performances that have no features."""
    copy = copy or not plays_in_browsers(video.container, video.codec)
    watch.progress(0.0, "taking pictures")
    _take_pictures(library, rows)
    if copy and not video.preview:
        _make_preview(library, video, watch)
    begun = _PREVIEW_SHARE if copy else 0.0
    length_s = max(video.duration_s or 0.0, 1.0)

    def on_progress(progress: Progress) -> None:
        share = 1.0 if progress.done else min(1.0, progress.time_s / length_s)
        watch.progress(begun + (1 - begun) * share, "looking at motion and posture")

    performances = [catalogue.performance_of(library, row) for row in rows]
    backbones = library.backbones()
    result = extract(performances, library.store, backbones, workers=1, limits=library.limits, on_progress=on_progress)
    known_as = str(catalogue.file_of(library, video))
    return {name: why.replace(known_as, video.filename) for name, why in result.failed.items()}


def _leave_nothing_of_deleted(library: Library, video: tables.Video, rows: Sequence[tables.Performance]) -> None:
    """Remove what was written of performances that were deleted while they were looked at."""
    with library.read() as session:
        here = set(session.scalars(select(tables.Performance.key).where(tables.Performance.video_key == video.key)))
    gone = [path for row in rows if row.key not in here for path in catalogue.traces_of(library, row)]
    if not here:
        gone.append(library.folder.preview(f"{video.key}.mp4"))
    for path in gone:
        path.unlink(missing_ok=True)


def score(library: Library, job: tables.Job, watch: Watch) -> dict[str, Any]:
    """Have a model score performances: those that the job names, else all that it has not scored."""
    key = job.subject
    with library.read() as session:
        models.get(session, key)
        query = select(tables.Performance).where(tables.Performance.state == "ready")
        if wanted := job.payload.get("performances"):
            query = query.where(tables.Performance.key.in_(wanted))
        else:
            done = select(tables.Assessment.performance_key).where(tables.Assessment.model_key == key)
            query = query.where(tables.Performance.key.not_in(done))
        rows = session.scalars(query.order_by(tables.Performance.created)).all()
    watch.progress(0.0, "loading the model")
    model = load_model(library.folder.model(key), limits=library.limits)
    recipes = list(model.saved.recipes.values())
    backbones = [] if any(recipe.imported for recipe in recipes) else [recipe.build() for recipe in recipes]
    failed: dict[str, str] = {}
    for number, row in enumerate(rows):
        watch.progress(number / len(rows), f"scoring {row.title}")
        try:
            _score_one(library, model, backbones, key, row)
        except ToprockError as problem:
            failed[row.name] = str(problem)
    if failed and len(failed) == len(rows):
        raise Refused(next(iter(failed.values())))
    return {"scored": len(rows) - len(failed), "failed": failed}


def _score_one(
    library: Library, model: Model, backbones: Sequence[Backbone], key: str, row: tables.Performance
) -> None:
    store = library.store
    performance = catalogue.performance_of(library, row)
    if backbones and not store.has(row.name, [*map(Recipe.of, backbones)], source_of(performance, backbones)):
        result = extract([performance], store, backbones, workers=1, limits=library.limits)
        if result.failed:
            raise Refused(next(iter(result.failed.values())))
    found = model.assess(model.features_of(store, row.name))
    scaled = found.scaled
    with library.write() as session:
        if session.get(tables.Performance, row.key) is None or session.get(tables.Model, key) is None:
            return  # deleted in the meantime
        session.merge(
            tables.Assessment(
                performance_key=row.key,
                model_key=key,
                score=found.score,
                value=scaled.value if scaled else None,
                low=scaled.low if scaled else None,
                high=scaled.high if scaled else None,
                percentile=found.percentile,
                document=found.to_json(),
                created=tables.now(),
            )
        )
    models.log_use(library, key, [found], "score")


def _take_pictures(library: Library, rows: Sequence[tables.Performance]) -> None:
    """A picture from a quarter into each performance, where people are likely at it."""
    for row in rows:
        performance = catalogue.performance_of(library, row)
        end_s = performance.intervals[-1][1] if performance.intervals else row.video.duration_s or 0.0
        start_s = performance.intervals[0][0] if performance.intervals else 0.0
        at_s = start_s + 0.25 * (end_s - start_s)
        images = grab_pictures(performance.video, [at_s], short_side=THUMBNAIL_SIDE, limits=library.limits)
        write_bytes(library.folder.thumbnail(row.key), encode_jpeg(images)[0])


def _make_preview(library: Library, video: tables.Video, watch: Watch) -> None:
    name = f"{video.key}.mp4"

    def on_time(time_s: float, length_s: float) -> None:
        share = min(1.0, time_s / length_s) if length_s else 0.5
        watch.progress(_PREVIEW_SHARE * share, "making a copy that browsers play")

    write_preview(
        catalogue.file_of(library, video), library.folder.preview(name), limits=library.limits, on_time=on_time
    )
    with library.write() as session:
        row = session.get(tables.Video, video.key)
        if row is not None:
            row.preview = name


def _note_failed(library: Library, rows: Sequence[tables.Performance], failed: dict[str, str]) -> None:
    with library.write() as session:
        _note_states(session, rows, failed)


def _note_states(session: Session, rows: Sequence[tables.Performance], failed: dict[str, str]) -> None:
    """What became of each performance; those that are ready are scored by the chosen model."""
    ready = []
    for row in rows:
        there = session.get(tables.Performance, row.key)
        if there is None:  # deleted in the meantime
            continue
        there.state = "failed" if row.name in failed else "ready"
        there.problem = failed.get(row.name, "")
        if there.state == "ready":
            ready.append(there.key)
    _have_scored(session, ready)


def _have_scored(session: Session, keys: Sequence[str]) -> None:
    chosen = models.chosen(session)
    if chosen is not None and keys:
        title = f"Score {count(len(keys), 'performance')} with {chosen.name}"
        jobs.enqueue(session, "score", title, subject=chosen.key, payload={"performances": list(keys)})
