"""Many readers at once: a real room with two extractions at work, and people who look at its pages.

`python -m hardening.chapters.load` is the readers' own process; the chapter starts it.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import statistics
import subprocess
import sys
import time
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hardening.chapter import Chapter, Scale, Table

AIM_S = 1.0
"""What 99 of 100 answers of every kind are to take at most."""
READERS = 50
INVENTED = 300
_RANGE = 256 << 10
_PAUSE_S = (1.0, 4.0)
LEAD = f"""{READERS} people read in a room (`toprock serve`, loopback) with {INVENTED} performances besides real ones,
while its two workers look at two long videos all the time. Each opens the library, a performance with its picture,
its JSON and parts of its video, and the standings, and thinks {_PAUSE_S[0]:g} to {_PAUSE_S[1]:g} s in between; then the
same without a pause, as fast as answers come. The aim: 99 of 100 answers of every kind of request within
{AIM_S:g} s where people think."""


def run(scale: Scale) -> Chapter:
    """Open a room, have it work, read, and say how long answers took."""
    from hardening.chapters.faults import make_place
    from hardening.machines import open_room, ready_commands

    with ready_commands() as toprock:
        place = make_place(scale.folder / "place", toprock)
    folder, keys = make_room(scale.folder, place)
    tables, lost, notes = [], [], []
    with open_room(folder) as room:
        busy = keep_busy(room, scale, place)
        for think in (True, False) if scale.full else (True,):
            before = {pid: cpu_of(pid) for pid in (room.process.pid, *room.workers().values())}
            found = read(room, keys, scale.of(120, 8), think=think, seed=scale.seed)
            spent = {pid: cpu_of(pid) - was for pid, was in before.items()}
            tables.append(table_of(found))
            told = "thinking" if think else "no pause"
            lost += [f"{told}: {trouble}" for trouble in found["troubles"]]
            if think:
                lost += [
                    f"{kind}: 99 of 100 within {cut(times, 99):.2f} s"
                    for kind, times in found["times"].items()
                    if cut(times, 99) > AIM_S and scale.full
                ]
            lost += [f"{told}: job {n} did not run all the time" for n in busy if not running(room, n)]
            notes.append(share_note(told, found, spent, room.process.pid))
    return Chapter(LEAD, tables, lost, notes)


def make_room(folder: Path, place: Any, count: int = 6) -> tuple[Path, list[str]]:
    """A library of real and of invented performances, all scored; gives the keys of the real ones."""
    from sqlalchemy import select

    from hardening.machines import open_room
    from tests.web.servers import invented
    from toprock.library import Library, tables

    root = folder / "room"
    Library(root).close()
    with open_room(root) as room:
        for number in range(count):
            room.ask("POST", f"/performances?filename=b{number}.mp4", place.video(number).read_bytes())
        room.idle()
        room.ask("POST", "/models/folder", {"path": str(place / "model")})
        room.idle()
        keys = [p["key"] for p in room.ask("GET", "/performances")[1]["performances"]]
    library = Library(root)
    more = invented(library, INVENTED)
    with library.write() as session:
        said = session.scalars(select(tables.Assessment)).all()
        for number, key in enumerate(more):
            like = said[number % len(said)]
            document = {**like.document, "id": key}
            row = tables.Assessment(
                performance_key=key, model_key=like.model_key, score=like.score + number / 100, document=document
            )
            session.add(row)
        draw = random.Random(0)
        for number in range(5 * len(more)):
            left, right = draw.sample(more, 2)
            outcome = draw.choice(["left", "right", "tie"])
            who = {"token": f"invented-{number}", "annotator": f"Judge {number % 9}"}
            session.add(tables.Judgment(left=left, right=right, outcome=outcome, **who))
    library.close()
    return root, keys


def keep_busy(room: Any, scale: Scale, place: Any) -> list[int]:
    """Two extractions that run all through; gives the numbers of their jobs."""
    from tests.web.shelf import repeat_video

    folder = scale.folder / "long"
    folder.mkdir()
    for number in range(2):
        repeat_video(place.video(number), folder / f"long{number}.mp4", scale.of(5 * 3600, 1200))
    _, job = room.ask("POST", "/performances/folder", {"path": str(folder)})
    room.wait(job["job"], "done")
    end = time.monotonic() + 60
    while len(found := [j["id"] for j in room.ask("GET", "/jobs?state=running")[1] if j["kind"] == "extract"]) < 2:
        if time.monotonic() > end:
            raise TimeoutError("two extractions do not run at a time")
        time.sleep(0.1)
    return found


def running(room: Any, number: int) -> bool:
    """Whether a job still runs."""
    return bool(room.ask("GET", f"/jobs/{number}")[1]["state"] == "running")


def read(room: Any, keys: list[str], seconds: float, *, think: bool, seed: int) -> dict[str, Any]:
    """Have the readers read, in a process of their own; gives what it prints."""
    token = (room.folder / "token").read_text().strip()
    asked = {"port": room.port, "token": token, "keys": keys, "seconds": seconds, "think": think, "seed": seed}
    command = [sys.executable, "-m", "hardening.chapters.load"]
    root = str(Path(__file__).resolve().parents[2])
    env = {**os.environ, "PYTHONPATH": os.pathsep.join([root, os.environ.get("PYTHONPATH", "")])}
    done = subprocess.run(
        command, input=json.dumps(asked), capture_output=True, text=True, timeout=seconds + 120, check=True, env=env
    )
    return dict(json.loads(done.stdout))


def table_of(found: dict[str, Any]) -> Table:
    """The figures by kind of request."""
    rows = []
    for kind, times in sorted(found["times"].items()):
        told = (statistics.median(times), cut(times, 95), cut(times, 99), max(times))
        rows.append((kind, len(times), *(round(1000 * value) for value in told)))
    return Table(("request", "answers", "median ms", "95 % ms", "99 % ms", "most ms"), rows)


def cut(times: list[float], at: int) -> float:
    """A percentile."""
    return statistics.quantiles(times, n=100, method="inclusive")[at - 1] if len(times) > 1 else times[0]


def share_note(told: str, found: dict[str, Any], spent: dict[int, float], server: int) -> str:
    """Who had the processor."""
    took_s = found["seconds"]
    count = sum(map(len, found["times"].values()))
    workers = sum(value for pid, value in spent.items() if pid != server)
    return (
        f"{told}: {count / took_s:.0f} answers a second over {took_s:.0f} s; of one core the room had "
        f"{spent[server] / took_s:.0%}, its workers {workers / took_s:.0%} (their decoders not counted), the readers "
        f"{found['cpu_s'] / took_s:.0%}; load of the machine {os.getloadavg()[0]:.1f}."
    )


def cpu_of(pid: int) -> float:
    """Seconds of processor time so far; 0 where the process is gone."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


# ---- the readers


@dataclass
class Reader:
    """One person with one connection.

    Attributes:
        asked: what the chapter hands over.
        times: kind of request -> seconds that answers took.
        troubles: what was not answered as it should be.
    """

    asked: dict[str, Any]
    draw: random.Random
    times: dict[str, list[float]]
    troubles: list[str]
    _way: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def read(self, until: float) -> None:
        """Look around, and think in between."""
        if self.asked["think"]:
            await asyncio.sleep(self.draw.uniform(0, _PAUSE_S[1]))
        steps = [self.library, self.performance, self.watch, self.standings]
        begin = self.draw.randrange(len(steps))
        self.key = self.draw.choice(self.asked["keys"])
        while time.monotonic() < until:
            for step in (*steps[begin:], *steps[:begin]):
                await step()
                if self.asked["think"]:
                    await asyncio.sleep(self.draw.uniform(*_PAUSE_S))
                if time.monotonic() > until:
                    return

    async def library(self) -> None:
        """The list, another part of it, and pictures in it."""
        await self.get("library page", f"/?start={48 * self.draw.randrange(6)}")
        for key in self.draw.sample(self.asked["keys"], 3):
            await self.get("picture", f"/api/v1/performances/{key}/thumbnail")

    async def performance(self) -> None:
        """A performance's page, what else it needs, and its JSON."""
        self.key = self.draw.choice(self.asked["keys"])
        await self.get("performance page", f"/performance/{self.key}")
        await self.get("picture", f"/api/v1/performances/{self.key}/thumbnail")
        await self.get("assessment JSON", f"/api/v1/performances/{self.key}/assessment")

    async def watch(self) -> None:
        """Parts of the video."""
        for part in range(2):
            span = f"bytes={part * _RANGE}-{(part + 1) * _RANGE - 1}"
            await self.get("part of a video", f"/api/v1/performances/{self.key}/video", 206, f"Range: {span}\r\n")

    async def standings(self) -> None:
        """Who stands where."""
        await self.get("standings page", "/standings")

    async def get(self, kind: str, path: str, status: int = 200, head: str = "") -> None:
        """Ask, and note how long the whole answer took."""
        port = self.asked["port"]
        start = time.perf_counter()
        try:
            for fresh in (self._way is None, True):
                if self._way is None:
                    self._way = await asyncio.open_connection("127.0.0.1", port, limit=1 << 20)
                reader, writer = self._way
                lines = (
                    f"GET {path} HTTP/1.1\r\nHost: localhost:{port}\r\nAuthorization: Bearer {self.asked['token']}\r\n"
                )
                writer.write(f"{lines}{head}\r\n".encode())
                try:
                    found = await asyncio.wait_for(self._answer(reader), 30)
                    break
                except (ConnectionError, asyncio.IncompleteReadError):
                    self._way = None  # an idle connection is closed after a while, as it may be
                    if fresh:
                        raise
            if found != status:
                self.troubles.append(f"{kind}: {found}")
        except (OSError, asyncio.IncompleteReadError, TimeoutError) as trouble:
            self._way = None
            self.troubles.append(f"{kind}: {type(trouble).__name__}")
        self.times[kind].append(time.perf_counter() - start)

    async def _answer(self, reader: asyncio.StreamReader) -> int:
        text = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").lower()
        length = text.partition("content-length:")[2].partition("\r\n")[0]
        await reader.readexactly(int(length))
        return int(text.split()[1])


async def _all_read(asked: dict[str, Any]) -> dict[str, Any]:
    times: dict[str, list[float]] = defaultdict(list)
    troubles: list[str] = []
    start = time.monotonic()
    until = start + asked["seconds"]
    readers = [Reader(asked, random.Random(asked["seed"] * 1000 + n), times, troubles) for n in range(READERS)]
    await asyncio.gather(*(reader.read(until) for reader in readers))
    took_s = time.monotonic() - start
    return {"times": times, "troubles": troubles, "seconds": took_s, "cpu_s": time.process_time()}


if __name__ == "__main__":
    print(json.dumps(asyncio.run(_all_read(json.load(sys.stdin)))))
