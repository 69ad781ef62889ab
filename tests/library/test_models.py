"""Models of a library: brought, chosen, deleted; and what is left of what is deleted while it is looked at."""

from __future__ import annotations

import shutil

import pytest

from toprock import ranker
from toprock.comparisons import Pair
from toprock.errors import ModelError, NotThere
from toprock.features import FeatureStore
from toprock.library import catalogue, intake, interchange, jobs, models, tables, work


class Watch:
    """Nobody watches; `then` is done once the work has begun."""

    def __init__(self, then=lambda: None):
        self._then = then
        self.changes = []

    def progress(self, done, stage):
        self._then()

    def log(self, entry):
        pass

    def at_end(self, change):
        self.changes.append(change)


def done(library, job):
    """Do a job to its end; gives its result."""
    watch = Watch()
    result = work.do(library, job, watch)
    with library.write() as session:
        for change in watch.changes:
            change(session)
    return result


def waiting(library, kind):
    with library.read() as session:
        return [job for job in jobs.listed(session, state="queued") if job.kind == kind]


def test_models_are_brought_chosen_and_deleted(library, place, tmp_path):
    first, second = (models.bring(library, place / "model", name=name) for name in ("first", ""))
    with library.read() as session:
        assert models.chosen(session).key == first
        assert models.get(session, second).name == "model"
    with pytest.raises(ModelError):
        models.bring(library, tmp_path)
    models.choose(library, second)
    assert {job.subject for job in waiting(library, "score")} == {first, second}
    models.remove(library, second)
    assert not library.folder.model(second).exists()
    with library.read() as session:
        assert models.chosen(session).key == first
    assert [job.subject for job in waiting(library, "score")] == [first]  # it has not scored what came meanwhile
    with pytest.raises(NotThere):
        models.choose(library, second)
    models.remove(library, first)
    with library.read() as session:
        assert models.chosen(session) is None


def test_what_is_looked_at_is_scored_by_the_chosen_model(library, place):
    key = models.bring(library, place / "model")
    performance = intake.add_video(library, place.video(0), filename="v.mp4", owned=False)
    (job,) = waiting(library, "extract")
    assert done(library, job) == {"looked_at": 1, "failed": {}}
    job = next(job for job in waiting(library, "score") if job.payload)
    assert done(library, job)["scored"] == 1
    with library.read() as session:
        assert models.assessment(session, performance).id == catalogue.get(library, performance).name
        assert session.get(tables.Assessment, (performance, key)).score is not None


def test_nothing_stays_of_what_is_deleted_while_it_is_looked_at(library, place, tmp_path):
    video = shutil.copy(place.video(0), tmp_path / "v.mp4")
    performance = intake.add_video(library, video, filename="v.mp4", owned=False)
    (job,) = waiting(library, "extract")
    work.do(library, job, Watch(lambda: catalogue.remove(library, [performance])))
    assert library.store.ids() == []
    assert not library.folder.thumbnail(performance).exists()
    with library.read() as session:
        assert session.get(tables.Performance, performance) is None


def test_a_training_begins_again_where_a_performance_goes_meanwhile(library, place, monkeypatch):
    names = [f"battle-{number:03}" for number in range(5)]
    extracted = FeatureStore(place / "features")
    library.store.add_recipes(*extracted.recipes)
    with library.write() as session:
        known = {
            "size": 1,
            "duration_s": 9.0,
            "width": 9,
            "height": 9,
            "rate_hz": 9.0,
            "codec": "h264",
            "container": "mp4",
        }
        session.add(tables.Video(key="v", path="v.mp4", filename="v.mp4", owned=False, **known))
        session.flush()
        for number, name in enumerate(names):
            library.store.write(extracted.read(name))
            session.add(
                tables.Performance(key=f"{number:016}", name=name, video_key="v", intervals=f"{number}-{number + 1}")
            )
    interchange.import_pairs(library, [Pair(a, b) for number, a in enumerate(names) for b in names[number + 1 :]])
    short = ranker.TrainingConfig(steps=6)
    monkeypatch.setattr(ranker, "TrainingConfig", lambda: short)
    gone = []

    class Impatient(Watch):
        def log(self, entry):
            if not gone:
                gone.append(catalogue.remove(library, [f"{0:016}"]))

    models.begin_training(library, name="May")
    (job,) = waiting(library, "train")
    result = models.train(library, job, Impatient())
    assert gone == [1]
    assert result["performances"] == 4
    assert result["left_out"] == {}
