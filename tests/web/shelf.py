"""A library to walk through: rendered performances, a small model, spans of one video, one of three minutes."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import av
from sqlalchemy.orm import Session

from toprock.assess.assessment import Assessment
from toprock.library import Library, catalogue, intake, jobs, models, tables
from toprock.library.database import set_setting
from toprock.library.work import do
from toprock.ranker import SavedModel

HOSTILE = """<img src=x onerror="document.title='broken into'">"""
LONG_S = 180.0


@dataclass(frozen=True)
class Shelf:
    """A closed library, for copying.

    `keys`: ami and ami_again (one performer, two dates), bo (a hostile name), round_one (of two spans) and round_two
    (spans of one video), long (three minutes), new (not looked at); and the model's.
    """

    folder: Path
    keys: dict[str, str]


class Watch:
    """Work that is never cancelled, and tells nobody."""

    def __init__(self) -> None:
        self.changes: list[Callable[[Session], None]] = []

    def progress(self, done: float, stage: str) -> None:
        """Nobody asks."""

    def log(self, entry: dict[str, Any]) -> None:
        """Nobody reads it."""

    def at_end(self, change: Callable[[Session], None]) -> None:
        """What else changes when the job is done."""
        self.changes.append(change)


def work(library: Library) -> list[tables.Job]:
    """Do all jobs that wait, as a worker does; returns them as they ended."""
    done: list[tables.Job] = []
    while True:
        with library.write() as session:
            job = jobs.claim(session, "test")
        if job is None:
            return done
        watch = Watch()
        result = do(library, job, watch)
        with library.write() as session:
            jobs.finish(session, job.id, "test", "done", result=result)
            for change in watch.changes:
                change(session)
        with library.read() as session:
            done.append(jobs.get(session, job.id))


def build(folder: Path, place: Any) -> Shelf:
    """Make it of what the commands made."""
    library = Library(folder)
    keys = {"model": _model(library, place / "model")}
    shutil.copytree(place / "features", library.folder.features, dirs_exist_ok=True)
    people = [("ami", "Ami Tanaka", "2026-01-10"), ("ami_again", "Ami Tanaka", "2026-03-01"), ("bo", HOSTILE, "")]
    for number, (name, performer, date) in enumerate(people):
        keys[name] = _point_at(library, place.video(number))
        catalogue.describe(library, keys[name], performer=performer, event="Winter Jam", date=date)
    whole = _point_at(library, place.video(3))
    keys["round_one"], keys["round_two"] = catalogue.cut(library, whole, [("1-4;6-8", "Cleo"), ("8-12", "Dee")])
    work(library)
    keys["long"] = _three_minutes(library, place.video(4), folder.parent / "three-minutes.mp4", keys)
    keys["new"] = _point_at(library, place.video(5))
    library.close()
    return Shelf(folder, keys)


def _model(library: Library, folder: Path) -> str:
    key = tables.new_key()
    shutil.copytree(folder, library.folder.model(key))
    with library.write() as session:
        summary = models.summary_of(SavedModel.load(folder).config)
        session.add(tables.Model(key=key, name="Season 2026", summary=summary))
        set_setting(session, "model", key)
    return key


def _point_at(library: Library, video: Path) -> str:
    return intake.add_video(library, video, filename=video.name, owned=False)


def _three_minutes(library: Library, video: Path, path: Path, keys: dict[str, str]) -> str:
    """A battle over and over, as long as finals are, with evidence all along."""
    every_s = repeat_video(video, path, LONG_S)
    key = intake.add_video(library, path, filename="final.mp4", owned=False)
    with library.write() as session:
        found = session.get(tables.Assessment, (keys["ami"], keys["model"]))
        row = session.get(tables.Performance, key)
        assert found is not None and row is not None
        told = repeat_evidence(Assessment.from_json(found.document), every_s)
        document = replace(told, id=row.name).to_json()
        row.state, row.performer = "ready", "Mira Sol"
        for job in jobs.listed(session, state="queued"):
            jobs.cancel(session, job.id)
        model = keys["model"]
        session.add(tables.Assessment(performance_key=key, model_key=model, score=told.score, document=document))
    return key


def repeat_video(video: Path, path: Path, length_s: float) -> float:
    """Copy the same pictures again and again, for at least so long; returns how many seconds they take once."""
    with av.open(str(video)) as source, av.open(str(path), "w") as out:
        stream = source.streams.video[0]
        packets = [p for p in source.demux(stream) if p.dts is not None]
        one = max(p.pts + p.duration for p in packets) - min(p.pts for p in packets)
        every_s = float(one * stream.time_base)
        made = out.add_stream_from_template(stream)
        for number in range(int(length_s // every_s) + 1):
            for packet in packets:
                again = av.Packet(bytes(packet))
                again.pts, again.dts = packet.pts + number * one, packet.dts + number * one
                again.duration, again.time_base, again.stream = packet.duration, stream.time_base, made
                again.is_keyframe = packet.is_keyframe
                out.mux(again)
    return every_s


def repeat_evidence(found: Assessment, every_s: float) -> Assessment:
    """The same segments again and again; moments stand in the first and in the last repetition."""
    times = int(LONG_S // every_s) + 1
    segments = [
        replace(s, start_s=s.start_s + n * every_s, end_s=s.end_s + n * every_s,
                attention_high=s.attention_high / times, attention_low=s.attention_low / times)
        for stream in ("dynamic", "static") for n in range(times) for s in found.segments if s.stream == stream
    ]  # fmt: skip
    later = (times - 1) * every_s
    moved = [replace(m, start_s=m.start_s + later, end_s=m.end_s + later) for m in found.moments]
    score = found.bias + sum(s.contribution for s in segments)
    moments = tuple(sorted([*found.moments, *moved], key=lambda m: m.kind))
    return replace(found, segments=tuple(segments), moments=moments, score=score)
