"""What fails beneath an open room, while its workers are at it."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import sqlite3
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from hardening.chapter import Scale
from hardening.chapters.faults import Trial, half_written
from hardening.machines import (
    Clock,
    Disk,
    Room,
    faketime,
    feed,
    held,
    idle_connections,
    mounts,
    open_files,
    open_room,
    starve,
)
from tests.conftest import Place
from tests.web.shelf import repeat_video
from toprock.library import Library, jobs, tables

SLOW_S = 10.0
"""What a page may take while something fails."""
_WORDS = "others go on"


def room_faults(place: Place, scale: Scale) -> list[Trial]:
    """All faults of an open room."""
    folder = scale.folder / "rooms"
    folder.mkdir()
    long = folder / "long.mp4"
    repeat_video(place.video(2), long, scale.of(900, 120))
    trials: list[Trial] = []
    with open_room(_library(folder / "room", place)) as room:
        steps: list[Callable[[Room, Path, Place, Scale], Iterator[Trial]]] = [lost_worker, starved_worker, locked]
        steps += [few_files, *([torn_away] if mounts() else [])]
        for step in steps:
            trials += _tried(step.__name__, lambda step=step: step(room, long, place, scale))
    if mounts():
        trials += _tried("full disk", lambda: full_disk(folder, place, scale))
    if faketime():
        trials += _tried("clock", lambda: clock(folder, long, place, scale))
    return trials


def _tried(name: str, step: Callable[[], Iterator[Trial]]) -> list[Trial]:
    done: list[Trial] = []
    try:
        for trial in step():
            done.append(trial)  # noqa: PERF402 - those before a trouble stay
    except (TimeoutError, OSError, KeyError) as trouble:
        done.append(Trial(name.replace("_", " "), "the room", f"{type(trouble).__name__}: {trouble}", ""))
    return done


def _library(folder: Path, place: Place) -> Path:
    """A library with three performances that are looked at, comparisons and a model."""
    library = Library(folder)
    library.close()
    with open_room(folder) as room:
        for number in range(3):
            room.ask("POST", f"/performances?filename=b{number}.mp4", place.video(number).read_bytes())
        room.idle()
        room.ask("POST", "/models/folder", {"path": str(place / "model")})
        room.idle()
    return folder


def _pointed_at(room: Room, long: Path, number: int, folder: Path) -> tuple[int, str]:
    """Have the room look at a long video of its own; gives the number of the job and the key."""
    folder.mkdir(parents=True, exist_ok=True)
    video = folder / f"long-{number}.mp4"
    shutil.copy(long, video)
    with video.open("ab") as file:  # another one than those before
        file.write(b"\0\0\0\x10free" + number.to_bytes(8, "big"))
    _, found = room.ask("POST", "/performances/folder", {"path": str(folder)})
    room.wait(found["job"], "done")
    listed = room.ask("GET", "/performances?count=500")[1]["performances"]
    key = next(p["key"] for p in listed if p["video"]["filename"] == video.name)
    job = next(j for j in room.ask("GET", "/jobs")[1] if j["kind"] == "extract" and j["title"].endswith(video.stem))
    return job["id"], key


def _answers(room: Room) -> str:
    """Whether pages come; empty where they do."""
    for path in ("///", "/performances", "///jobs", "/standings"):
        start = time.monotonic()
        status, _ = room.ask("GET", path.replace("///", "//"))
        if status != 200 or time.monotonic() - start > SLOW_S:
            return f"{path}: {status} after {time.monotonic() - start:.1f} s"
    return ""


def _ready(room: Room, key: str) -> str:
    """Whether a performance has been looked at; empty where it has."""
    _, p = room.ask("GET", f"/performances/{key}")
    left = half_written(room.folder)
    return "" if p["state"] == "ready" and not left else f"it is {p['state']}: {p['problem']} {left}"


def lost_worker(room: Room, long: Path, place: Place, scale: Scale) -> Iterator[Trial]:
    """Others kill the worker: once it begins again, the third time it is given up, in words."""
    for turn in range(scale.of(3, 1)):
        number, key = _pointed_at(room, long, 10 + turn, room.folder.parent / "lost")
        for attempt in range(1, jobs.ATTEMPTS + 1):
            os.kill(room.worker_of(number), signal.SIGKILL)
            job = room.wait(number, "queued" if attempt < jobs.ATTEMPTS else "failed")
            lost = _answers(room)
            if attempt == jobs.ATTEMPTS and "retry it alone" not in job["problem"]:
                lost = lost or f"not said: {job['problem']}"
            yield Trial("worker killed", f"an extraction, time {attempt}", lost, job["problem"])
        room.ask("POST", f"/jobs/{number}/retry")
        room.wait(number, "done")
        yield Trial("worker killed", "tried again by hand", _ready(room, key), "")


def starved_worker(room: Room, long: Path, place: Place, scale: Scale) -> Iterator[Trial]:
    """A worker may have no more memory than it has."""
    for turn, more in enumerate((24 << 20, 0, 1 << 20, 4 << 20, 16 << 20, 64 << 20)[: scale.of(9, 1)]):
        number, key = _pointed_at(room, long, 20 + turn, room.folder.parent / "starved")
        room.ask("POST", f"/jobs/{number}/cancel")
        room.wait(number, "cancelled")
        before = set(room.workers().values())
        for pid in before:
            os.kill(pid, signal.SIGKILL)
        while len(pids := {pid for pid in room.workers().values() if _waits(pid)} - before) < len(before):
            time.sleep(0.1)
        for pid in pids:
            starve(pid, more)
        room.ask("POST", f"/jobs/{number}/retry")
        job = room.wait(number, "failed", "done")
        lost = _answers(room)
        if job["state"] == "failed" and "memory" not in job["problem"]:
            lost = lost or f"not named: {job['problem']}"
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):
                feed(pid)
        if job["state"] == "failed":
            room.ask("POST", f"/jobs/{number}/retry")
            room.wait(number, "done")
        told = job["problem"] or f"done, by worker number {job['attempts']}"
        yield Trial("worker without memory", "an extraction", lost or _ready(room, key), told)
        room.idle()


def _waits(pid: int) -> bool:
    """Whether a worker has begun to wait for jobs: it has the database open."""
    with contextlib.suppress(OSError):
        return any(link.readlink().name == "library.db" for link in Path(f"/proc/{pid}/fd").iterdir())
    return False


def locked(room: Room, long: Path, place: Place, scale: Scale) -> Iterator[Trial]:
    """Another program holds the database, for a moment and for long; a worker is killed meanwhile."""
    keys = [p["key"] for p in room.ask("GET", "/performances")[1]["performances"]][:2]

    def say(number: int) -> tuple[int, float]:
        start = time.monotonic()
        status, told = room.ask("POST", f"/performances/{keys[0]}/comments", {"text": f"{number}", "time_s": 1.0})
        if status == 503 and "database" not in told["error"]:
            status = 0
        return status, time.monotonic() - start

    before = len(room.ask("GET", f"/performances/{keys[0]}/comments")[1])
    with held(room.folder / "library.db", 2.0), ThreadPoolExecutor(20) as many:
        found = list(many.map(say, range(20)))
    wrong = "" if {status for status, _ in found} == {201} else f"{found}"
    slowest = max(took for _, took in found)
    yield Trial("database held for 2 s", "20 who write at once", wrong, f"all are kept, after at most {slowest:.0f} s")
    number, key = _pointed_at(room, long, 30, room.folder.parent / "locked")
    with held(room.folder / "library.db", scale.of(45, 15)), ThreadPoolExecutor(20) as many:
        os.kill(room.worker_of(number), signal.SIGKILL)
        answers = [many.submit(say, n) for n in range(10)]
        wrong = _answers(room)
        yield Trial("database held for long", "who reads", wrong, "answers as ever")
        found = [answer.result() for answer in answers]
        late = list(many.map(say, range(10)))
        refused = {status for status, _ in [*found, *late]} == {503}
        quick = max(took for _, took in late)
        wrong = "" if refused and quick < 2 * SLOW_S else f"{found} {late}"
        told = f"refused (503, Retry-After) after {max(took for _, took in found):.0f} s, then within {quick:.1f} s"
        yield Trial("database held for long", "20 who write", wrong, told)
    job = room.wait(number, "done")
    after = len(room.ask("GET", f"/performances/{keys[0]}/comments")[1])
    wrong = _ready(room, key) or ("" if after == before + 20 else f"{after - before} comments instead of 20")
    yield Trial("database held for long", "a worker that is killed meanwhile", wrong, job["problem"])


def few_files(room: Room, long: Path, place: Place, scale: Scale) -> Iterator[Trial]:
    """The room may open no more files than it has."""
    count = len(list(Path(f"/proc/{room.process.pid}/fd").iterdir()))
    for more in (1, 4, 12)[-scale.of(9, 1) :]:
        open_files(room.process.pid, count + more)
        idle = idle_connections(room.port, 20)
        time.sleep(0.5)
        for connection in idle:
            connection.close()
        with contextlib.suppress(OSError):
            room.ask("GET", "/performances")
        open_files(room.process.pid, 1024)
        time.sleep(1.5)
        yield Trial("few open files", "the room, with more connections than that", _answers(room), "")


def torn_away(room: Room, long: Path, place: Place, scale: Scale) -> Iterator[Trial]:
    """The disk of a video that is pointed at is taken away while it is looked at, and comes back."""
    folder = room.folder.parent / "torn"
    with Disk(folder, "200m") as disk:
        number, key = _pointed_at(room, long, 40, folder)
        room.worker_of(number)
        time.sleep(0.5)
        kept = shutil.copy(folder / "long-40.mp4", room.folder.parent / "kept.mp4")
        disk.tear_away()
        job = room.wait(number, "failed", "done")
        lost = _answers(room)
        if job["state"] == "failed" and "long-40" not in job["problem"]:
            lost = lost or f"not named: {job['problem']}"
        status, told = room.ask("GET", f"/performances/{key}/video")
        lost = lost or ("" if status == 404 and told["advice"] else f"the video: {status}")
        yield Trial(
            "folder of videos taken away", "an extraction and the player", lost, job["problem"] or told["error"]
        )
    shutil.copy(kept, folder / "long-40.mp4")
    if job["state"] == "failed":
        room.ask("POST", f"/jobs/{number}/retry")
        room.wait(number, "done")
    status, _ = room.ask("GET", f"/performances/{key}/video")
    yield Trial(
        "folder of videos taken away", "and back", _ready(room, key) or ("" if status == 200 else f"{status}"), ""
    )
    room.idle()


def full_disk(folder: Path, place: Place, scale: Scale) -> Iterator[Trial]:
    """The library's disk has so many bytes left: for what comes in, what is judged, said, looked at and learnt."""
    at = folder / "disk"
    with Disk(at, "420m") as disk:
        library = _library(at / "room", place)
        with open_room(library) as room:
            listed = room.ask("GET", "/performances")[1]["performances"]
            keys = [p["key"] for p in listed]
            tries = [0, 4096, 16_384, 40_000, 100_000, 200_000, 400_000, 1_000_000, 3_000_000, 9_000_000]
            for left in tries[:: scale.of(1, 4)]:
                _bring(room, place)  # something to look at
                disk.leave(left)
                upload = place.video(4).read_bytes()
                asked = {
                    "an upload": ("POST", "/performances?filename=more.mp4", upload, 507),
                    "a comment": ("POST", f"/performances/{keys[0]}/comments", {"text": "x" * 900, "time_s": 1}, 507),
                    "a description": ("PATCH", f"/performances/{keys[0]}", {"event": f"{left}"}, 507),
                    "who reads": ("GET", "/performances", None, 0),
                }
                for what, (method, path, body, refusal) in asked.items():
                    status, told = room.ask(method, path, body)
                    good = status < 300 or (status == refusal and told["advice"])
                    yield Trial(
                        "full disk of the library", what, "" if good else f"{left} bytes: {status} {told}",
                        "" if status < 300 else f"{told['error']}. {told['advice']}",
                    )  # fmt: skip
                ended = [job for job in _settled(room) if job["state"] == "failed"]
                unsaid = [job["problem"] for job in ended if "disk is full" not in job["problem"]]
                yield Trial(
                    "full disk of the library", "a job", "; ".join(unsaid), ended[0]["problem"] if ended else ""
                )
                (at / ".ballast").unlink()
                for job in [*ended, *(j for j in room.idle() if j["state"] == "failed" and j not in ended)]:
                    room.ask("POST", f"/jobs/{job['id']}/retry")  # some ends could be noted only now
                again = [f"{j['title']}: {j['problem']}" for j in room.idle() if j["state"] == "failed"]
                states = {p["state"] for p in room.ask("GET", "/performances")[1]["performances"]}
                lost = "; ".join(again) or ("" if states == {"ready"} else f"{states}") or _unsound(library)
                left_behind = half_written(library) + [p.name for p in (library / "incoming").iterdir()]
                yield Trial("full disk of the library", "room made", lost or ", ".join(left_behind), "")


def _bring(room: Room, place: Place) -> None:
    """Delete and bring in again a video, which then is to be looked at."""
    listed = room.ask("GET", "/performances")[1]["performances"]
    for p in listed:
        if p["name"] in ("again", "more"):
            room.ask("DELETE", f"/performances/{p['key']}")
    room.ask("POST", "/performances?filename=again.mp4", place.video(3).read_bytes())


def _settled(room: Room, within_s: float = 60.0) -> list[dict[str, object]]:
    """Jobs when none is open, or when nothing moves any more for want of room."""
    end = time.monotonic() + within_s
    while time.monotonic() < end:
        if not room.ask("GET", "/jobs/waiting")[1]["open"]:
            break
        time.sleep(0.1)
        if end - time.monotonic() < within_s - 8.0:  # the end of a job cannot be noted while there is no room
            break
    return list(room.ask("GET", "/jobs")[1])


def _unsound(library: Path) -> str:
    """What SQLite finds wrong with the database; empty where nothing."""
    with contextlib.closing(sqlite3.connect(library / "library.db")) as found:
        told = found.execute("PRAGMA integrity_check").fetchone()[0]
    return "" if told == "ok" else str(told)


def clock(folder: Path, long: Path, place: Place, scale: Scale) -> Iterator[Trial]:
    """The machine's clock goes a day forward and back while jobs run, leases are held and sessions last."""
    library = folder / "clock"
    shutil.copytree(folder / "room", library)
    fake = Clock(folder / "clock.txt")
    env = {**fake.env, "TOPROCK_PASSWORD": "correct horse"}
    with open_room(library, env=env) as room:
        room.ask("PUT", "/settings", {"retention_days": 30})
        count = room.ask("GET", "/performances")[1]["total"]
        for turn, off_s in enumerate((86_400, -86_400, 40 * 86_400, 0)[: scale.of(4, 2)]):
            number, key = _pointed_at(room, long, 50 + turn, folder / "clocked")
            count += 1
            room.worker_of(number)
            fake.set(off_s)
            job = room.wait(number, "done", "failed", "cancelled")
            lost = "" if (job["state"], job["attempts"]) == ("done", 1) else f"{job['state']}, {job['attempts']} times"
            lost = lost or _ready(room, key) or _answers(room)
            total = room.ask("GET", "/performances")[1]["total"]
            lost = lost or ("" if total == count else f"{count - total} performances are gone")
            way = f"{off_s // 86_400:+d} days" if off_s else "right again"
            yield Trial("clock set", f"an extraction: {way}", lost, "")
        number, key = _pointed_at(room, long, 60, folder / "clocked")
        room.worker_of(number)
        room.process.kill()
    fake.set(-3 * 86_400)
    with open_room(library, env=env) as room:
        job = room.wait(number, "done", "failed")
        lost = _ready(room, key) if job["state"] == "done" else job["problem"]
        yield Trial("clock set", "a job of a server that was killed before", lost, "")
    with contextlib.closing(Library(library)) as closed, closed.read() as session:
        left = session.query(tables.Job).filter(tables.Job.state == "running").count()
    if left:
        yield Trial("clock set", "leases", f"{left} jobs run for ever", "")
