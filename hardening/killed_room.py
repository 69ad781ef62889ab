"""A judging room whose server and workers are killed while somebody uses it, and started again."""

from __future__ import annotations

import contextlib
import http.client
import os
import random
import re
import shutil
import signal
import sqlite3
import threading
import time
from collections import Counter, defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from safetensors.torch import load_file
from sqlalchemy import select

from hardening.chains import Tally, Wrong, contents, last_line, listing, nothing_stays, parts, temporary_of
from hardening.chapter import Table
from hardening.commands import Command, Hung, Start
from tests.web.servers import Client
from toprock.errors import ToprockError
from toprock.library import Library, tables

WHOM = (
    *2 * [("toprock.library.worker", "a worker")],
    ("first", "the server alone"),
    ("", "the server and all its processes"),
)
JUDGE = "/api/v1/judge/next?annotator=Judge&criterion=style"
ANSWERS = 3
NO_JOB, WRITE = "no job", "in a write"
_AT = ("take", "extract", "train", "score", NO_JOB, WRITE)
_MOST_KILLS = 8
_ENDED_S = 240.0


@dataclass(frozen=True)
class Work:
    """What is done in a room.

    Attributes:
        videos: a folder that is pointed at.
        upload: a video that is brought in.
        pairs: a pairs file.
        model: a model folder that is brought in; None trains one there.
    """

    videos: Path
    upload: Path
    pairs: Path
    model: Path | None


class Room:
    """A library that is served, and somebody who uses it until all is done, whatever comes in between."""

    def __init__(self, start: Start, root: Path, work: Work, *, workers: int) -> None:
        self.root, self.temporary = root, temporary_of(root)
        self._start, self._work, self._workers = start, work, workers
        self._done: set[str] = set()
        self._answers, self._token = 0, ""
        self.command: Command
        self._client: Client | None = None

    def open(self) -> None:
        """Start the server, and wait until it answers."""
        self.command = self._start(
            "serve", self.root, "--port", 0, "--workers", self._workers, temporary=self.temporary
        )
        end = time.monotonic() + 120
        while not (said := re.search(r"http://localhost:(\d+)", self.command.told.read_text())):
            if self.command.over(0.01) or time.monotonic() > end:
                raise Wrong(f"the room does not open: {last_line(self.command)}")
        if self._client is not None:
            self._client.close()
        self._client = Client(int(said[1]), (self.root / "token").read_text().strip())

    def close(self) -> None:
        """End the server as a person does."""
        if self._client is not None:
            self._client.close()
        os.kill(self.command.pid, signal.SIGINT)
        if self.command.status() != 0:
            raise Wrong(f"the room closes with status {self.command.status()}: {last_line(self.command)}")

    def finished(self) -> bool:
        """Do what is next to be done; whether all is.

        Raises:
            Wrong: something came to nothing.
            OSError, http.client.HTTPException: the server is gone.
        """
        found = self._ask("GET", "/api/v1/jobs?count=500")
        for job in found:
            if job["state"] == "failed":
                if "was lost 3 times" not in job["problem"]:
                    raise Wrong(f"{job['title']}: {job['problem']}")
                self._ask("POST", f"/api/v1/jobs/{job['id']}/retry")
        if any(job["state"] in ("queued", "running", "failed") for job in found):
            return False
        kinds, models = {job["kind"] for job in found}, self._ask("GET", "/api/v1/models")
        if "take" not in kinds:
            self._ask("POST", "/api/v1/performances/folder", {"path": str(self._work.videos)})
        elif "pairs" not in self._done:
            self._ask("POST", "/api/v1/pairs", self._work.pairs.read_bytes(), kind="text/plain")
            self._done.add("pairs")
        elif self._answers < ANSWERS:
            self._token = self._token or self._ask("GET", JUDGE)["pair"]["token"]  # sent again until it is heard
            self._ask("POST", "/api/v1/judgments", {"token": self._token, "outcome": "left", "seconds": 1})
            self._answers, self._token = self._answers + 1, ""
        elif not models and self._work.model is not None:
            self._ask("POST", "/api/v1/models/folder", {"path": str(self._work.model)})
        elif not models:
            self._ask("POST", "/api/v1/models", {})
        elif "upload" not in self._done:
            place = f"/api/v1/performances?filename={self._work.upload.name}"
            self._ask("POST", place, self._work.upload.read_bytes(), kind="video/mp4", known=True)
            self._done.add("upload")
        else:
            return True
        return False

    def _ask(
        self, method: str, path: str, body: Any = None, *, kind: str = "application/json", known: bool = False
    ) -> Any:
        assert self._client is not None
        try:
            status, found = self._client.ask(method, path, body, kind=kind)
        except (OSError, http.client.HTTPException):
            self._client.close()
            raise
        if status >= 400 and not (known and status == 409):
            raise Wrong(f"{method} {path}: {status} {found}")
        return found


def rooms(
    start: Start, folder: Path, work: Work, count: int, draw: random.Random, tally: Tally, *, workers: int
) -> Table:
    """Kill rooms so often while they are used, and compare each with one that nobody killed; says at what they were."""
    folder.mkdir()
    at_work: dict[str, Counter[str]] = defaultdict(Counter)
    whole, begun = Room(start, folder / "undisturbed", work, workers=workers), time.monotonic()
    use(whole, 0, 0.0, draw, at_work)
    length_s, there = time.monotonic() - begun, State(whole.root)
    kills = number = 0
    while kills < count:
        number += 1
        room = Room(start, folder / f"{number}", work, workers=workers)
        try:
            kills += use(room, min(_MOST_KILLS, count - kills), length_s, draw, at_work)
            State(room.root).check(there)
            nothing_stays(room.temporary, whole.temporary)
            tally.compared["a judging room"] += 1
        except (Wrong, Hung, ToprockError) as problem:
            kills += 1  # so that it ends
            tally.lost.append(f"a judging room, life {number}: {problem}")
            room.command.kill()
        shutil.rmtree(room.root)
    rows = [[called, sum(c.values()) - c[WRITE], *(c[k] for k in _AT)] for called, c in at_work.items()]
    return Table(("killed in a judging room", "times", *_AT), rows)


def use(room: Room, most: int, length_s: float, draw: random.Random, at_work: dict[str, Counter[str]]) -> int:
    """Use a room until all is done, and close it; gives how often it or a worker was killed meanwhile, at most `most`.

    Raises:
        Wrong, Hung: something else went wrong than that it was killed.
    """
    kills, end = 0, time.monotonic() + _ENDED_S
    room.open()
    while True:
        what, called = draw.choice(WHOM)
        after_s = draw.random() ** 3 * 0.25 * length_s  # else nearly all would fall into the training
        in_a_write = draw.random() < 0.5
        killer = Killer(room, what, after_s, at_work=draw.random() < 0.9, in_a_write=in_a_write)
        if kills < most:
            killer.start()
        try:
            while not killer.hit and not (done := room.finished()):
                time.sleep(0.02)
                if time.monotonic() > end:
                    raise Hung(f"it was not done after {_ENDED_S:.0f} s")
        except (OSError, http.client.HTTPException) as problem:
            if not killer.hit and not killer.waited():
                raise Wrong(f"the server is gone by itself ({problem}): {last_line(room.command)}") from None
        killer.end()
        if killer.hit:
            kills += 1
            at_work[called].update(killer.hit)
            if "worker" not in what:
                room.open()
        elif done:
            room.close()
            return kills


class Killer(threading.Thread):
    """Kills after a time, which begins with work where it is to be `at_work`; or at the next write after that.

    Attributes:
        hit: what was going on then; empty while nothing was killed.
    """

    def __init__(self, room: Room, what: str, after_s: float, *, at_work: bool, in_a_write: bool) -> None:
        super().__init__(daemon=True)
        self.hit: list[str] = []
        self._room, self._what, self._after_s = room, what, after_s
        self._at_work, self._in_a_write = at_work, in_a_write
        self._over = threading.Event()

    def run(self) -> None:
        """Wait for the moment."""
        while self._at_work and not self._over.is_set() and job_of(self._room.root) == NO_JOB:
            time.sleep(0.01)
        if self._over.wait(self._after_s):
            return
        while self._in_a_write and not self._over.is_set() and not parts(self._room.root):
            time.sleep(0.0005)
        while not self._over.is_set():
            if self._room.command.kill(self._what):
                self.hit += [job_of(self._room.root), *([WRITE] if parts(self._room.root) else [])]
                return
            time.sleep(0.001)  # there is none just now

    def waited(self) -> bool:
        """Whether a kill that is going on comes to be noted."""
        end = time.monotonic() + 10
        while self.is_alive() and not self.hit and time.monotonic() < end:
            time.sleep(0.01)
        return bool(self.hit)

    def end(self) -> None:
        """No kill after this."""
        self._over.set()
        if self.ident is not None:
            self.join()


def job_of(root: Path) -> str:
    """What a library's workers are at."""
    with contextlib.closing(sqlite3.connect(root / "library.db")) as database, contextlib.suppress(sqlite3.Error):
        found = database.execute("SELECT kind FROM job WHERE state = 'running' ORDER BY id LIMIT 1").fetchone()
        return found[0] if found else NO_JOB
    return NO_JOB


class State:
    """All that there is in a library, by names that people give."""

    def __init__(self, root: Path) -> None:
        library = Library(root)
        with contextlib.closing(library), library.read() as session:
            videos = session.scalars(select(tables.Video)).all()
            rows = session.scalars(select(tables.Performance)).all()
            models = session.scalars(select(tables.Model)).all()
            named = {row.key: row.name for row in rows} | {model.key: model.name for model in models}
            self._names = named | {v.key: v.filename for v in videos}
            self.parts: dict[str, Any] = {
                "videos": Counter((v.filename, v.owned, v.digest) for v in videos),
                "performances": Counter((p.name, p.state, p.problem) for p in rows),
                "models": Counter(model.name for model in models),
                "jobs": Counter((job.kind, job.title, job.state) for job in session.scalars(select(tables.Job))),
                "judgments": Counter(_judged(j, named) for j in session.scalars(select(tables.Judgment))),
                "offers": Counter(offer.answered for offer in session.scalars(select(tables.Offer))),
                "settings": sorted(session.scalars(select(tables.Setting.name))),
                "files to be deleted": len(session.scalars(select(tables.Gone)).all()),
                "files on their way": len(session.scalars(select(tables.Coming)).all()),
            }
            found = session.scalars(select(tables.Assessment)).all()
            self.scores = {(named[a.performance_key], named[a.model_key]): a.score for a in found}
            pointed_at = {p.name for p in rows if not p.video.owned}
            for ident in library.store.ids():
                told, arrays = contents(library.store.path(ident))
                told = told | (
                    {} if ident in pointed_at else {"source": "", "check": ""}
                )  # when it was brought in is part of that
                self.parts[f"the features of {ident}"] = (told, arrays)
            for model in models:
                weights = load_file(library.folder.model(model.key) / "model.safetensors")
                self.parts[f"the weights of {model.name}"] = {k: v.numpy().tobytes() for k, v in weights.items()}
        for path in sorted(root.glob("thumbnails/*")):
            self.parts[f"the picture {self._named(path.name)}"] = path.read_bytes()
        self.parts["files"] = sorted(self._named(name) for name in listing(root) if not name.startswith("library.db-"))

    def check(self, other: State) -> None:
        """Whether it is the same.

        Raises:
            Wrong: it is not; says what.
        """
        for what in sorted(self.parts.keys() | other.parts.keys()):
            here, there = self.parts.get(what), other.parts.get(what)
            if here != there:
                told = f": {here} in place of {there}" if len(f"{here}{there}") < 2000 else ""
                raise Wrong(f"{what} differ from those of an undisturbed room{told}")
        if self.scores.keys() != other.scores.keys():
            raise Wrong("other performances have scores than in an undisturbed room")
        worst = max((abs(score - other.scores[who]) for who, score in self.scores.items()), default=0.0)
        if not worst <= 1e-5:
            raise Wrong(f"a score differs by {worst}")

    def _named(self, name: str) -> str:
        return re.sub("[0-9a-f]{16}", lambda found: self._names.get(found[0], found[0]), name)


def _judged(judgment: tables.Judgment, named: dict[str, str]) -> tuple[str, ...]:
    """What was judged; of pairs that the room chose not which they were."""
    sides = (named[judgment.left], named[judgment.right]) if judgment.source != "room" else ()
    return (judgment.annotator, judgment.criterion, judgment.outcome, *sides)
