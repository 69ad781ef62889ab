"""What is left of performances that were deleted: nothing but what is said to be."""

from __future__ import annotations

import json
import shutil
import time
from contextlib import ExitStack

import pytest
from sqlalchemy import select

from toprock.errors import Busy, Refused
from toprock.files import write_bytes
from toprock.library import Supervisor, catalogue, intake, jobs, supervisor, tables, worker
from toprock.library.forgetting import Names, clear_away
from toprock.library.sweeping import note_gone, sweep
from toprock.ranker.checkpoint import Checkpoint

from ..web.servers import invented

OLD = "1 couple judged both ways (such as p000 and b)"


def told_by_a_model(library, key, *, config=None, card=OLD, left_out=None):
    """A model as an earlier version kept it."""
    folder = library.folder.model(key)
    told = json.dumps({"trained_on": {"consistency": OLD}}) if config is None else config
    write_bytes(folder / "config.json", told.encode())
    if card:
        write_bytes(folder / "README.md", f"- Judgements among the pairs: {card}.\n".encode())
    with library.write() as session:
        session.add(tables.Model(key=key, name=key[:1], summary={"consistency": OLD, "left_out": left_out or {}}))
    return folder


def test_a_damaged_model_stops_no_deletion_and_the_others_forget(library):
    keys = invented(library, 3)
    damaged = ["", "{", "[]", '{"trained_on": 5, "x": "(such as "}', '"(such as "', "[" * 9000 + "(such as "]
    for number, config in enumerate(damaged):
        told_by_a_model(library, f"{number:x}" * 16, config=config)
    binary = library.folder.model("b" * 16)
    told_by_a_model(library, "b" * 16)
    (binary / "README.md").write_bytes(b"\xff(such as p000")
    without = told_by_a_model(library, "c" * 16, card="")
    whole = told_by_a_model(library, "d" * 16)
    assert catalogue.remove(library, keys[:1]) == 1
    for folder in (without, whole, binary):
        assert json.loads((folder / "config.json").read_text())["trained_on"] == {
            "consistency": "1 couple judged both ways"
        }
    assert "p000" not in (whole / "README.md").read_text()
    assert not (without / "README.md").exists()
    assert (library.folder.model("1" * 16) / "config.json").read_text() == "{"


def test_a_deletion_that_comes_to_nothing_leaves_files_as_they_were(library, monkeypatch):
    keys = invented(library, 2)
    library.store.note_failures({"p000": "dark", "p001": "dark"})
    folder = told_by_a_model(library, "d" * 16)

    def refuse(*_, **more):
        raise Refused("something else was changed at the same moment")

    with monkeypatch.context() as patch, pytest.raises(Refused):
        patch.setattr(jobs, "forget", refuse)
        catalogue.remove(library, keys[:1])
    with pytest.raises(RuntimeError), library.write() as session:
        catalogue.forget(library, session, Names.of(["p000"]))
        raise RuntimeError
    assert library.store.failures().keys() == {"p000", "p001"}
    assert OLD in (folder / "README.md").read_text()
    assert catalogue.remove(library, keys[:1]) == 1
    assert library.store.failures().keys() == {"p001"}


def test_a_list_of_failures_that_cannot_be_written_stops_no_deletion(library):
    keys = invented(library, 2)
    library.store.note_failures({"p000": "dark"})
    path = library.store.folder / "failures.json"
    path.unlink()
    path.mkdir()
    write_bytes(library.folder.thumbnail(keys[0]), b"x")
    (library.store.folder / "failures.json" / "x").touch()
    assert catalogue.remove(library, keys[:1]) == 1
    assert not library.folder.thumbnail(keys[0]).exists()


def test_the_supervisor_outlives_whatever_goes_wrong_in_tidying(library, monkeypatch, capfd):
    monkeypatch.setattr(supervisor, "_LOOK_S", 0.02)
    monkeypatch.setattr(supervisor.catalogue, "expire", lambda library: {}["nobody thought of this"])
    with library.write() as session:
        number = jobs.enqueue(session, "extract", "a", subject="a")
        job = jobs.claim(session, "of another server")
        job.lease = tables.now().replace(year=2000)
    with Supervisor(library, workers=0):
        with library.write() as session:  # as a server that dies while this one runs
            job = jobs.get(session, number)
            job.state, job.worker, job.lease = "running", "another", tables.now().replace(year=2000)
        end = time.monotonic() + 5
        while time.monotonic() < end:
            with library.read() as session:
                if jobs.get(session, number).state == "queued":
                    break
            time.sleep(0.02)
        else:
            pytest.fail("nobody has given the job back")
    assert "nobody thought of this" in capfd.readouterr().err


def a_job(library, kind="score", state="failed", **said):
    with library.write() as session:
        number = jobs.enqueue(session, kind, "A job", subject=said.pop("subject", ""), payload=said.pop("payload", {}))
        job = jobs.get(session, number)
        job.state = state
        for name, value in said.items():
            setattr(job, name, value)
    return number


def the_job(library, number):
    with library.read() as session:
        return session.get(tables.Job, number)


def test_ended_jobs_tell_nothing_of_what_is_gone_however_they_named_it(library):
    keys = invented(library, 3)
    gone = "It concerned a performance that has been deleted."
    problems = {
        "secret-name-000.mp4: has no picture": gone,
        "p000: nothing is known of it": gone,
        "features/p000.safetensors: is damaged": gone,
        "'p000' has the same span": gone,
        "x-p000: stays, p000 or not": "x-p000: stays, p000 or not",
        "secret-name-001.mp4: has no picture": "secret-name-001.mp4: has no picture",
    }
    told = {a_job(library, problem=problem, payload={"n": problem}): problem for problem in problems}
    lost = a_job(library, stage="scoring Secret Performer 0")
    results = {"failed": {"p000": "dark", "new": "'new' has the same span as 'p000'", "p001": "p001: dark"}, "taken": 1}
    ended = a_job(library, "take", "done", result=results, payload={"path": "/folder"})
    alone = a_job(library, "take", "done", payload={"path": "/folder/secret-name-000.mp4"})
    other = a_job(library, "take", "done", payload={"path": "/folder/secret-name-001.mp4"})
    catalogue.remove(library, keys[:1])
    assert {problem: the_job(library, number).problem for number, problem in told.items()} == problems
    assert the_job(library, lost).stage == ""
    assert the_job(library, ended).result == {"failed": {"new": gone, "p001": "p001: dark"}, "taken": 1}
    assert the_job(library, alone) is None
    assert the_job(library, other) is not None


def test_a_job_that_was_lost_three_times_says_no_stage(library):
    number = a_job(library, state="queued")
    for _ in range(jobs.ATTEMPTS):
        with library.write() as session:
            jobs.claim(session, "one").stage = "scoring Secret Performer 0"
            session.flush()
            jobs.recover(session, worker="one")
        assert the_job(library, number).stage == ""
    assert the_job(library, number).state == "failed"


@pytest.mark.parametrize("fails", [False, True])
def test_a_job_that_ends_after_a_deletion_tells_nothing_of_it(library, monkeypatch, fails):
    keys = invented(library, 2)
    number = a_job(library, state="queued")

    def do(library, job, watch):
        catalogue.remove(library, keys[:1])
        library.store.note_failures({"p000": "dark"})  # as extraction does, which had it before it
        if fails:
            raise Refused("secret-name-000.mp4: has no picture")
        return {"failed": {"p000": "p000: dark", "p001": "dark"}}

    monkeypatch.setattr(worker, "do", do)
    with library.write() as session:
        job = jobs.claim(session, "one")
    worker._do(library, job, "one")
    ended = the_job(library, number)
    assert ended.state == ("failed" if fails else "done")
    assert ended.result == ({} if fails else {"failed": {"p001": "dark"}})
    assert "secret" not in ended.problem
    assert library.store.failures() == {}


def test_a_job_about_a_video_that_goes_while_it_runs_leaves_nothing(library, monkeypatch, make_video, tmp_path):
    video = make_video(tmp_path / "quokka.mp4", frames=4)
    shutil.copy(video, library.folder.incoming / "up")
    key = intake.add_video(library, library.folder.incoming / "up", filename="quokka.mp4", owned=True)
    monkeypatch.setattr(worker, "do", lambda library, job, watch: {"n": catalogue.remove(library, [key])})
    with library.write() as session:
        job = jobs.claim(session, "one")
    worker._do(library, job, "one")
    assert the_job(library, job.id) is None


def test_a_deletion_that_worked_is_none_that_failed_where_nobody_is_free_to_tidy_up(library, monkeypatch):
    keys = invented(library, 2)
    engine = library.database._engine
    monkeypatch.setattr(engine.pool, "_timeout", 0.05)
    with ExitStack() as readers:
        taken = [readers.enter_context(engine.connect()) for _ in range(60)]
        library.database.settle()
        assert not library.database.settled
        with pytest.raises(Busy), library.read() as session:
            session.get(tables.Performance, keys[0])
        taken[0].close()
        assert catalogue.remove(library, keys[:1]) == 1
    library.database.settle()
    assert library.database.settled


def checkpoint(library, key, ids, state="failed"):
    """What a training has left that has not ended well."""
    folder = library.folder.model(key) / "checkpoint"
    Checkpoint(folder, "inputs", ids).finish("fold1of2", dict.fromkeys(ids, 1))
    a_job(library, "train", state, subject=key)
    return folder


def test_only_checkpoints_of_what_is_gone_go_and_none_of_a_training_that_waits(library):
    keys = invented(library, 3)
    learnt = {"a": ["p000", "p001"], "b": ["p001", "p002"], "c": ["p000"], "d": []}
    states = {"c": "queued"}
    folders = {n: checkpoint(library, n * 16, ids, states.get(n, "cancelled")) for n, ids in learnt.items()}
    catalogue.remove(library, keys[:1])
    assert {n for n, folder in folders.items() if folder.is_dir()} == {"b", "c"}  # d does not say of what it is
    with library.write() as session:
        for job in jobs.listed(session, state="queued"):
            jobs.cancel(session, job.id)
    clear_away(library)
    assert {n for n, folder in folders.items() if folder.is_dir()} == {"b"}


def test_a_training_that_is_tried_again_before_the_sweep_keeps_what_it_has(library):
    folder = checkpoint(library, "a" * 16, ["p000"])
    with library.write() as session:
        note_gone(library, session, [folder, folder.parent])
        jobs.retry(session, session.scalars(select(tables.Job.id)).one())
    sweep(library)
    assert folder.is_dir()


def test_what_is_gone_of_what_was_left_out_is_counted_and_told_apart_by_no_name(library):
    """A performance may be called as a deleted one would be."""
    keys = invented(library, 2)
    told_by_a_model(library, "d" * 16, left_out={"deleted scenes": "dark", "p000": "dark", "p001": "dark"})
    for key, gone in zip(keys, (1, 2), strict=True):
        catalogue.remove(library, [key])
        with library.read() as session:
            summary = session.get(tables.Model, "d" * 16).summary
        assert summary["left_out_gone"] == gone
    assert summary["left_out"] == {"deleted scenes": "dark"}
