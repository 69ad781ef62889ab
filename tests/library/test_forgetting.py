"""What is left of performances that were deleted: nothing but what is said to be."""

from __future__ import annotations

import json
import time

import pytest

from toprock.errors import Refused
from toprock.files import write_bytes
from toprock.library import Library, Supervisor, catalogue, jobs, supervisor, tables

from ..web.servers import invented

OLD = "1 couple judged both ways (such as p000 and b)"


@pytest.fixture
def library(tmp_path):
    made = Library(tmp_path / "library")
    yield made
    made.close()


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

    def refuse(*_):
        raise Refused("something else was changed at the same moment")

    with monkeypatch.context() as patch, pytest.raises(Refused):
        patch.setattr(jobs, "forget", refuse)
        catalogue.remove(library, keys[:1])
    with pytest.raises(RuntimeError), library.write() as session:
        catalogue.forget(library, session, {"p000"})
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
