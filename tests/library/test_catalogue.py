"""Performances: in, found, cut, described, out again with all their traces."""

from __future__ import annotations

import json
import os
import shutil
from datetime import timedelta
from pathlib import Path

import pytest

from toprock.errors import LibraryError, NotThere, Refused, UsageError, VideoError
from toprock.features.store import PerformanceFeatures
from toprock.files import write_bytes
from toprock.library import Library, catalogue, comments, intake, jobs, tables, work
from toprock.library.database import set_setting
from toprock.library.sweeping import sweep


@pytest.fixture(scope="module")
def clips(make_video, tmp_path_factory):
    """Three different short videos: 2 s each."""
    folder = tmp_path_factory.mktemp("clips")
    return [make_video(folder / f"clip{n}.mp4", frames=60 + n) for n in range(3)]


class Watch:
    """Nobody watches."""

    def progress(self, done, stage):
        """How far it is."""


def brought(library, clip, name="a.mp4"):
    path = library.folder.incoming / "upload"
    shutil.copy(clip, path)
    return intake.add_video(library, path, filename=name, owned=True)


def names(library, **options):
    return [row.performance.name for row in catalogue.listed(library, **options).rows]


def test_a_video_comes_in_once_and_waits_to_be_looked_at(library, clips):
    key = brought(library, clips[0])
    row = catalogue.get(library, key)
    assert (row.name, row.state, row.video.codec, row.video.width) == ("a", "new", "h264", 96)
    assert catalogue.file_of(library, row.video).read_bytes() == clips[0].read_bytes()
    with pytest.raises(Refused, match=r"here already, as a\.mp4"):
        brought(library, clips[0], "b.mp4")
    other = brought(library, clips[1], "a.mp4")
    assert catalogue.get(library, other).name == "a (2)"
    assert list(library.folder.incoming.iterdir()) == []
    with library.read() as session:
        assert [job.kind for job in jobs.listed(session)] == ["extract", "extract"]


def test_what_is_no_video_leaves_nothing(library, tmp_path):
    path = library.folder.incoming / "upload"
    path.write_text("no video")
    with pytest.raises(VideoError):
        intake.add_video(library, path, filename="a.mp4", owned=True)
    assert not path.exists()
    assert catalogue.listed(library).total == 0


def test_a_folder_that_is_pointed_at_stays_as_it_is(library, clips, tmp_path):
    folder = tmp_path / "videos"
    (folder / "semi").mkdir(parents=True)
    for clip, name in zip(clips, ("anna.mp4", "semi/anna.mp4", "bert.mp4"), strict=True):
        shutil.copy(clip, folder / name)
    (folder / "notes.mp4").write_text("no video")
    shutil.copy(clips[0], folder / "twin.mp4")
    taken = intake.add_folder(library, folder)
    assert sorted(names(library)) == ["anna", "bert", "semi/anna"]
    assert (set(taken.left_out), taken.known) == ({"notes"}, ["twin"])
    catalogue.remove(library, taken.keys)
    assert (folder / "anna.mp4").is_file()
    assert not list((library.folder.root / "videos").iterdir())


def test_a_manifest_says_who_performed_and_which_seconds_count(library, clips, tmp_path):
    shutil.copy(clips[0], tmp_path / "battle.mp4")
    (tmp_path / "m.csv").write_text(
        "id,video,intervals,performer,event,date\n"
        "round 1,battle.mp4,0-0.8,Ann,final,2026-01-02\nround 2,battle.mp4,1-1.8,Bo,final,\n"
    )
    assert len(intake.add_folder(library, tmp_path / "m.csv").keys) == 2
    rows = [row.performance for row in catalogue.listed(library, sort="name").rows]
    assert [(r.title, r.intervals, r.event, r.date) for r in rows] == [
        ("Ann", "0-0.8", "final", "2026-01-02"),
        ("Bo", "1-1.8", "final", ""),
    ]
    assert rows[0].video_key == rows[1].video_key
    assert intake.add_folder(library, tmp_path / "m.csv").known == ["round 1", "round 2"]
    with library.read() as session:
        assert len(jobs.listed(session, state="queued")) == 1  # one reading of the video for both


def test_a_manifest_goes_on_where_it_was_stopped(library, clips, tmp_path):
    """Also: rounds that are added to it later come in, and what it says beside is kept."""
    shutil.copy(clips[0], tmp_path / "battle.mp4")
    lines = ["id,video,intervals,start_box,club", "r1,battle.mp4,0-0.5,0.1 0.2 0.5 0.9,North"]
    (tmp_path / "m.csv").write_text("\n".join(lines))
    intake.add_folder(library, tmp_path / "m.csv")
    with library.write() as session:
        jobs.claim(session, "one")  # somebody looks at it already
    lines += ["r2,battle.mp4,0.5-1,,South", "twin,battle.mp4,0.5-1,,"]
    (tmp_path / "m.csv").write_text("\n".join(lines))
    taken = intake.add_folder(library, tmp_path / "m.csv")
    assert (len(taken.keys), taken.known) == (1, ["r1"])
    assert "same span as 'r2'" in taken.left_out["twin"]
    first, second = (row.performance for row in catalogue.listed(library, sort="name").rows)
    told = catalogue.performance_of(library, first)
    assert (told.box, told.extra["club"]) == ((0.1, 0.2, 0.5, 0.9), "North")
    with library.read() as session:
        assert [job.subject for job in jobs.listed(session, state="queued")] == [second.video_key]


def test_a_file_whose_name_is_no_text_is_left_out_alone(library, clips, tmp_path):
    folder = tmp_path / "videos"
    folder.mkdir()
    shutil.copy(clips[0], folder / "good.mp4")
    shutil.copy(clips[1], os.fsencode(folder) + b"/bad-\xff.mp4")
    taken = intake.add_folder(library, folder)
    assert (len(taken.keys), len(taken.left_out)) == (1, 1)
    assert "is no text" in next(iter(taken.left_out.values()))


def test_a_battle_is_cut_into_rounds(library, clips):
    key = brought(library, clips[0], "battle.mp4")
    came = catalogue.get(library, key).created
    keys = catalogue.cut(library, key, [("0-0.8", "Ann"), ("1-1.8", "Bo"), ("", "")])
    assert keys[2] == key
    catalogue.describe(library, key, event="final", date="2026-05-01")
    again = catalogue.cut(library, key, [("0-0.8", "Anna"), ("1-1.5", "Bo")])
    late = catalogue.get(library, again[1])
    assert (late.event, late.date, late.created) == ("final", "2026-05-01", came)
    assert again[0] == keys[0]
    assert catalogue.get(library, keys[0]).performer == "Anna"
    for gone in (key, keys[1]):
        with pytest.raises(NotThere):
            catalogue.get(library, gone)
    for parts, why in (
        ([], "at least one"),
        ([("0-1", ""), ("0-1", "")], "same span"),
        ([("5-9", "")], "ends at 9 s"),
        ([("soon", "")], "not a span"),
        ([("1-1.01", "")], "shorter than 0.2 s"),
    ):
        with pytest.raises(Refused, match=why):
            catalogue.cut(library, again[0], parts)
    assert sorted(names(library)) == ["battle at 0m00.0s", "battle at 0m01.0s (2)"]


def test_finding_and_sorting(library, clips):
    for clip, name in zip(clips, ("100%.mp4", "b_b.mp4", "c.mp4"), strict=True):
        brought(library, clip, name)
    rows = {row.performance.name: row.performance.key for row in catalogue.listed(library).rows}
    catalogue.describe(library, rows["c"], performer="Ölaf", event="final of May", date="2026-05-01")
    assert names(library, search="may FINAL") == ["c"]
    assert names(library, search="0%") == ["100%"]
    assert names(library, search="_") == ["b_b"]
    assert names(library, search="nobody") == []
    assert names(library, sort="name") == ["100%", "b_b", "c"]
    assert names(library, sort="length") == ["c", "b_b", "100%"]
    assert names(library, start=1, count=1, sort="name") == ["b_b"]
    assert names(library, sort="newest") == ["c", "b_b", "100%"] == names(library, sort="oldest")[::-1]
    catalogue.describe(library, rows["b_b"], performer="anna", date="2026-04-01")
    assert names(library, sort="performer") == ["b_b", "c", "100%"]
    assert names(library, sort="date") == ["c", "b_b", "100%"]
    with library.write() as session:
        session.add(tables.Model(key="f" * 16, name="m"))
        session.flush()
        for name, score in (("c", 0.5), ("100%", -1.0)):
            told = tables.Assessment(performance_key=rows[name], model_key="f" * 16, score=score, document={})
            session.add(told)
        set_setting(session, "model", "f" * 16)
    assert names(library, sort="score") == ["c", "100%", "b_b"]
    assert names(library, sort="lowest") == ["100%", "c", "b_b"]
    assert catalogue.listed(library, state="failed").total == 0
    with pytest.raises(Refused, match="no date"):
        catalogue.describe(library, rows["c"], date="May")


def test_deleting_removes_every_trace(library, clips):
    key, other = brought(library, clips[0]), brought(library, clips[1], "b.mp4")
    name = catalogue.get(library, key).name
    write_bytes(library.folder.thumbnail(key), b"x")
    library.store.write(PerformanceFeatures(name, {}, {}, {}))
    comments.add(library, key, author="K", time_s=1.0, text="well")
    with library.write() as session:
        session.add(tables.Model(key="f" * 16, name="m"))
        session.flush()
        session.add(tables.Assessment(performance_key=key, model_key="f" * 16, score=1.0, document={}))
        session.add(tables.Judgment(token="t", annotator="K", left=other, right=key, outcome="left"))
        session.add(tables.Offer(annotator="K", left=key, right=other))
    assert catalogue.remove(library, [key, key, "nobody"]) == 1
    traces = [path for path in library.folder.root.rglob("*") if path.is_file() and "library.db" not in path.name]
    assert not [path for path in traces if key in path.name or path.stem == name]
    with library.read() as session:
        for table in (tables.Judgment, tables.Offer, tables.Comment, tables.Assessment):
            assert session.query(table).count() == 0, table
        assert session.query(tables.Video).count() == 1
        assert [job.title for job in jobs.listed(session)] == ["Look at b"]


OLD = (
    "1 couple judged both ways (such as quokka (2) and b); 2 groups that beat each other in a ring (such as b > c > b)"
)


def told_by_a_model(library, key, **config):
    """A model as an earlier version kept it, and the job that trained it."""
    folder = library.folder.model(key)
    summary = {"consistency": OLD, "left_out": {"quokka": "quokka.mp4: no features", "b": "none"}}
    write_bytes(folder / "README.md", f"- Judgements among the pairs: {OLD}.\n".encode())
    write_bytes(folder / "config.json", json.dumps({"trained_on": {"consistency": OLD, **config}}).encode())
    with library.write() as session:
        session.add(tables.Model(key=key, name="m", summary=summary))
        number = jobs.enqueue(session, "train", "Train m", subject=key)
        jobs.get(session, number).state, jobs.get(session, number).result = "done", {"model": key, **summary}


def test_after_a_deletion_no_file_holds_the_name_while_the_library_is_open(library, clips):
    """The name, the performer and a comment are gone from the database and its log, too, not only from its tables."""
    key = brought(library, clips[0], "quokka.mp4")
    brought(library, clips[1], "b.mp4")
    catalogue.describe(library, key, performer="Quokka Jones")
    comments.add(library, key, author="K", time_s=1.0, text="quokkas are well")
    library.store.note_failures({"quokka": "quokka.mp4: dark", "b": "dark"})
    told_by_a_model(library, "f" * 16, performances=["quokka"])
    write_bytes(library.folder.model("e" * 16) / "checkpoint" / "fold1of2.done", b'{"quokka": 1}')
    with library.write() as session:
        broken = jobs.get(session, jobs.enqueue(session, "train", "Train n", subject="e" * 16))
        broken.state = "failed"
    holding = lambda: {  # noqa: E731
        path.relative_to(library.folder.root).as_posix()
        for path in library.folder.root.rglob("*")
        if path.is_file() and b"quokka" in path.read_bytes().lower()
    }
    assert "library.db-wal" in holding()
    catalogue.remove(library, [key])
    assert holding() == {f"models/{'f' * 16}/config.json"}  # what it has learnt from
    with library.read() as session:
        told = session.get(tables.Model, "f" * 16).summary
    assert told["consistency"] == "1 couple judged both ways; 2 groups that beat each other in a ring"
    assert (told["left_out"], told["left_out_gone"]) == ({"b": "none"}, 1)
    assert told["consistency"] in (library.folder.model("f" * 16) / "README.md").read_text()
    assert "such as" not in (library.folder.model("f" * 16) / "config.json").read_text()
    assert library.store.failures() == {"b": "dark"}


def test_a_reader_delays_that_and_stops_nothing(library, clips):
    key = brought(library, clips[0], "quokka.mp4")
    with library.read() as session:
        session.get(tables.Performance, key)
        catalogue.remove(library, [key])
        assert not library.database.settled
    library.database.settle()
    assert library.database.settled
    assert b"quokka" not in (library.folder.root / "library.db").read_bytes()


def test_what_has_been_kept_for_long_enough_goes(library, clips):
    old, new = brought(library, clips[0]), brought(library, clips[1], "b.mp4")
    with library.write() as session:
        session.get(tables.Performance, old).created = tables.now() - timedelta(days=31)
    assert catalogue.expire(library) == 0  # nothing was said: kept for ever
    catalogue.set_retention(library, 30)
    assert catalogue.expire(library) == 1
    assert [row.performance.key for row in catalogue.listed(library).rows] == [new]
    with pytest.raises(Refused):
        catalogue.set_retention(library, -1)


def test_a_folder_with_other_things_in_it_is_no_library(tmp_path):
    (tmp_path / "holiday.mp4").write_text("x")
    with pytest.raises(LibraryError, match=r"other things in it \(holiday.mp4\)"):
        Library(tmp_path)


def test_a_newer_library_is_not_touched(library):
    with library.write() as session:
        set_setting(session, "schema", "99")
    with pytest.raises(LibraryError, match="newer version"):
        Library(library.folder.root)


def test_a_damaged_database_is_said_to_be(tmp_path):
    (tmp_path / "library.db").write_bytes(b"no database at all" * 100)
    with pytest.raises(LibraryError, match="cannot be used"):
        Library(tmp_path)


def test_what_cannot_be_deleted_now_is_deleted_later(library, clips, monkeypatch):
    key = brought(library, clips[0])
    path = catalogue.file_of(library, catalogue.get(library, key).video)

    def refuse(self, missing_ok=False):
        raise PermissionError

    with monkeypatch.context() as patch:
        patch.setattr(Path, "unlink", refuse)
        catalogue.remove(library, [key])
    assert path.is_file()
    assert sweep(library) >= 1
    assert not path.exists()
    assert sweep(library) == 0


def test_a_filled_folder_is_not_opened_with_another_database(library, clips):
    key = brought(library, clips[0])
    path = catalogue.file_of(library, catalogue.get(library, key).video)
    library.close()
    for part in library.folder.root.glob("library.db*"):
        part.rename(part.with_name("kept" + part.name))
    for _ in range(2):
        with pytest.raises(LibraryError, match="the database is empty"):
            Library(library.folder.root)
    assert path.is_file()
    for part in library.folder.root.glob("library.db*"):
        part.unlink()
    for part in library.folder.root.glob("keptlibrary.db*"):
        part.rename(part.with_name(part.name.removeprefix("kept")))
    assert catalogue.get(Library(library.folder.root), key).name == "a"


def test_a_folder_that_was_moved_is_found_again(library, clips, tmp_path):
    (tmp_path / "one").mkdir()
    shutil.copy(clips[0], tmp_path / "one" / "v.mp4")
    (key,) = intake.add_folder(library, tmp_path / "one").keys
    (tmp_path / "one").rename(tmp_path / "two")
    assert intake.add_folder(library, tmp_path / "two").keys == [key]
    assert catalogue.file_of(library, catalogue.get(library, key).video) == tmp_path / "two" / "v.mp4"
    (tmp_path / "two" / "v.mp4").unlink()
    assert brought(library, clips[0]) == key  # brought in, it is the library's own from now on
    assert catalogue.get(library, key).video.owned


def test_cameras_give_the_same_names(library, clips, tmp_path):
    for clip, folder in zip(clips, ("a", "b"), strict=False):
        (tmp_path / folder).mkdir()
        shutil.copy(clip, tmp_path / folder / "GOPR001.mp4")
        assert len(intake.add_folder(library, tmp_path / folder).keys) == 1
    assert sorted(names(library)) == ["GOPR001", "GOPR001 (2)"]


def test_a_manifest_names_videos_that_are_here_and_overwrites_nobody(library, clips, tmp_path):
    """One was uploaded and somebody has said who it is; the manifest itself names the other one."""
    uploaded = brought(library, clips[0], "IMG_1.mp4")
    catalogue.describe(library, uploaded, performer="Anna", event="")
    known = brought(library, clips[1], "final.mp4")
    for n, clip in enumerate(clips):
        shutil.copy(clip, tmp_path / f"clip{n}.mp4")
    (tmp_path / "m.csv").write_text(
        "id,video,performer,event,date\nr1,clip0.mp4,Bert,Jam,2026-01-02\nfinal,clip1.mp4,Cleo,,\n"
    )
    taken = intake.add_folder(library, tmp_path / "m.csv")
    assert (taken.keys, taken.known) == ([], ["r1", "final"])
    assert taken.filled == {"IMG_1": ["event", "date"], "final": ["performer"]}
    assert taken.kept == {"IMG_1": ["performer"]}
    rows = [catalogue.get(library, key) for key in (uploaded, known)]
    assert [(r.performer, r.event, r.date) for r in rows] == [("Anna", "Jam", "2026-01-02"), ("Cleo", "", "")]
    again = intake.add_folder(library, tmp_path / "m.csv")
    assert (again.filled, again.known) == ({}, taken.known)
    (tmp_path / "n.csv").write_text("id,video,performer\nfinal,clip2.mp4,Dee\n")
    assert "in another video" in intake.add_folder(library, tmp_path / "n.csv").left_out["final"]


def test_a_manifest_with_other_spans_or_another_box_changes_none_and_says_so(library, clips, tmp_path):
    shutil.copy(clips[0], tmp_path / "v.mp4")

    def taken(intervals, box):
        (tmp_path / "m.csv").write_text(f"id,video,intervals,start_box\nr1,v.mp4,{intervals},{box}\n")
        return intake.add_folder(library, tmp_path / "m.csv")

    (key,) = taken("0-1", "0.1 0.1 0.5 0.5").keys
    assert taken("0.0-1.0", "0.1;0.1;0.5;0.50").kept == {}
    assert taken("0-1", "").kept == {}
    assert taken("0-1.5", "0.1 0.1 0.5 0.5").kept == {"r1": ["intervals"]}
    assert taken("", "0.2 0.1 0.5 0.5").kept == {"r1": ["intervals", "start_box"]}
    assert catalogue.get(library, key).intervals == "0-1"


def test_the_job_tells_what_a_manifest_filled_until_that_is_deleted(library, clips, tmp_path):
    key = brought(library, clips[0], "quokka.mp4")
    (tmp_path / "m.csv").write_text(f"id,video,performer\nquokka,{clips[0]},Ann\n")
    with library.write() as session:
        job = jobs.get(session, jobs.enqueue(session, "take", "Take in", payload={"path": str(tmp_path / "m.csv")}))
        job.state = "done"
    job.result = work.take(library, job, Watch())
    assert job.result == {"taken": 0, "known": 1, "failed": {}, "filled": {"quokka": ["performer"]}, "kept": {}}
    with library.write() as session:
        jobs.get(session, job.id).result = job.result
    catalogue.remove(library, [key])
    with library.read() as session:
        assert jobs.get(session, job.id).result["filled"] == {}


def test_spans_of_a_manifest_lie_in_the_video(library, clips, tmp_path):
    shutil.copy(clips[0], tmp_path / "v.mp4")
    (tmp_path / "m.csv").write_text(
        "id,video,intervals\nepoch,v.mp4,0-1716900000000\nlate,v.mp4,100-200\nok,v.mp4,0-1\n"
    )
    taken = intake.add_folder(library, tmp_path / "m.csv")
    assert (len(taken.keys), set(taken.left_out)) == (1, {"epoch", "late"})


def test_other_jobs_keep_why_they_failed(library, clips):
    key, other = brought(library, clips[0], "it.mp4"), brought(library, clips[1], "b.mp4")
    with library.write() as session:
        for job in jobs.listed(session):
            job.state, job.problem = "failed", "it ends early, and 'it' is short"
    with library.write() as session:
        session.get(tables.Job, 2).problem = "it ends early"
    catalogue.remove(library, [key])
    with library.read() as session:
        assert [job.problem for job in jobs.listed(session)] == ["it ends early"]
    assert catalogue.get(library, other).name == "b"


def test_streams_are_looked_at_as_was_last_said(library, clips):
    brought(library, clips[0])
    library.set_backbones(static="none")
    library.set_backbones(dynamic="flow-beat")
    assert [b.spec.name for b in library.backbones()] == ["flow-beat"]
    with pytest.raises(UsageError, match="nothing left"):
        library.set_backbones(dynamic="none")
