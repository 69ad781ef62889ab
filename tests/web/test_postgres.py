"""A library whose database is PostgreSQL: the same room, and jobs that two workers never share."""

from __future__ import annotations

import threading
from datetime import timedelta

from sqlalchemy import select

from toprock.library import Library, catalogue, jobs, tables

from .rooms import open_room


def test_a_room_on_postgresql(postgres_url, make_video, tmp_path):
    library = Library(tmp_path / "library", database=postgres_url)
    clips = [make_video(tmp_path / f"c{n}.mp4", frames=30 + n).read_bytes() for n in range(2)]
    with open_room(library) as room:
        first, second = (room.upload(clip, f"100%25_{n}.mp4").json["key"] for n, clip in enumerate(clips))
        assert room.upload(clips[0], "again.mp4").status == 409
        described = {"performer": "Ölaf", "event": "<b>final</b>", "date": "2026-05-01"}
        assert room.ask("PATCH", f"/api/v1/performances/{first}", described).json["performer"] == "Ölaf"
        refused = room.ask("PATCH", f"/api/v1/performances/{first}", {"performer": "a\0b"})
        assert refused.status == 409
        assert "cannot be kept" in refused.json["error"]
        for search, found in (("ölaf", 1), ("100%25", 2), ("_1", 1), ("nobody", 0)):
            assert (
                room.ask("GET", f"/api/v1/performances?search={search.replace('ö', '%C3%B6')}").json["total"] == found
            )
        for sort in catalogue.SORTS:
            assert len(room.ask("GET", f"/api/v1/performances?sort={sort}").json["performances"]) == 2
        for path in ("/", "/judge", "/standings", "/train", "/jobs", f"/performance/{first}"):
            assert room.ask("GET", path).status == 200, path
        assert room.ask("POST", "/api/v1/performances/delete", {"keys": [first, second]}).json == {"deleted": 2}
        with library.write() as session:
            assert session.scalars(select(tables.Video)).all() == []
            assert jobs.listed(session) == []
    claimed_once(library)
    library.close()


def claimed_once(library: Library) -> None:
    """Forty jobs, eight workers: every job is one worker's, and those of a dead worker go back."""
    with library.write() as session:
        wanted = {jobs.enqueue(session, "extract", f"job {n}", subject=str(n)) for n in range(40)}
    taken: list[int] = []

    def work(name: str) -> None:
        while True:
            with library.write() as session:
                job = jobs.claim(session, name)
            if job is None:
                return
            taken.append(job.id)

    threads = [threading.Thread(target=work, args=(f"w{n}",)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(taken) == sorted(wanted)
    with library.write() as session:
        session.get(tables.Job, taken[0]).lease = tables.now() - timedelta(seconds=1)
        session.flush()
        assert jobs.recover(session) == 1
        assert jobs.claim(session, "next").id == taken[0]
