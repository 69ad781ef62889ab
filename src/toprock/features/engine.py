"""Extraction of many videos on all cores: resumable, one bad video never stops the others.

Each core gets one worker process that reads jobs as lines of JSON, so that a worker that dies takes one video
with it and nothing else, and a user's script needs no guard around its main part.
"""

from __future__ import annotations

import json
import os
import queue
import subprocess
import sys
import threading
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from toprock.backbones.base import Backbone
from toprock.errors import StorageError, ToprockError
from toprock.features.extraction import describe_video, source_of
from toprock.features.recipe import Recipe
from toprock.features.store import FeatureStore
from toprock.files import tidy
from toprock.machine import cores
from toprock.performance import Performance, format_intervals, parse_intervals
from toprock.video import Limits


@dataclass(frozen=True)
class Progress:
    """How far extraction has come: videos done of all, and what has just happened to `video`."""

    done: int
    total: int
    video: Path
    time_s: float = 0.0
    error: str = ""


@dataclass(frozen=True)
class Extraction:
    """What an extraction did: ids that were written, that were there already, and that failed with why."""

    written: list[str] = field(default_factory=list)
    kept: list[str] = field(default_factory=list)
    failed: dict[str, str] = field(default_factory=dict)


def extract(
    performances: Iterable[Performance],
    store: FeatureStore,
    backbones: Sequence[Backbone],
    *,
    workers: int | None = None,
    limits: Limits | None = None,
    on_progress: Callable[[Progress], None] | None = None,
) -> Extraction:
    """Fill a store with the features of performances; what is there and unchanged is kept.

    Args:
        performances: what to look at; those of one file are read in one pass.
        store: where the features go; may be interrupted at any moment and filled on later.
        backbones: one or two, as from `toprock.backbones.build`.
        workers: processes; None is one a core.
        limits: bounds on what a decoder may use.
        on_progress: called from this thread after every video and about every second in between.

    Raises:
        StorageError: the disk is full; nothing half-written stays.
    """
    recipes = [Recipe.of(backbone) for backbone in backbones]
    tidy(store.folder)
    store.add_recipes(*recipes)
    result = Extraction()
    files: dict[Path, list[Performance]] = {}
    for performance in performances:
        if store.has(performance.id, recipes, source_of(performance, backbones)):
            result.kept.append(performance.id)
        else:
            files.setdefault(performance.video.absolute(), []).append(performance)
    known = store.failures()

    def finish(group: Sequence[Performance], failed: dict[str, str]) -> None:
        for p in group:
            known.pop(p.id, None)
        known.update(failed)
        result.failed.update(failed)
        result.written.extend(p.id for p in group if p.id not in failed)
        store.set_failures(known)

    count = min(workers or cores(), len(files))
    run = _run_here if count <= 1 else _run_workers
    run(files, store, recipes, limits or Limits(), count, finish, on_progress)
    result.written.sort()
    return result


def extract_group(
    group: Sequence[Performance],
    store: FeatureStore,
    backbones: Sequence[Backbone],
    limits: Limits,
    on_time: Callable[[float], None] | None = None,
) -> dict[str, str]:
    """Describe the performances of one file and store them; returns id -> why for those that failed."""
    try:
        for features in describe_video(group[0].video, group, backbones, limits=limits, on_time=on_time):
            store.write(features)
        return {}
    except StorageError:
        raise
    except ToprockError as problem:
        if len(group) == 1:
            return {group[0].id: str(problem)}
    failed: dict[str, str] = {}
    for performance in group:  # one with impossible intervals must not take its neighbours with it
        failed |= extract_group([performance], store, backbones, limits, on_time)
    return failed


_Finish = Callable[[Sequence[Performance], dict[str, str]], None]
_Files = dict[Path, list[Performance]]


def _run_here(
    files: _Files,
    store: FeatureStore,
    recipes: Sequence[Recipe],
    limits: Limits,
    count: int,
    finish: _Finish,
    on_progress: Callable[[Progress], None] | None,
) -> None:
    backbones = [recipe.build() for recipe in recipes]
    for done, (video, group) in enumerate(files.items()):

        def on_time(time_s: float, done: int = done, video: Path = video) -> None:
            if on_progress:
                on_progress(Progress(done, len(files), video, time_s))

        failed = extract_group(group, store, backbones, limits, on_time)
        finish(group, failed)
        if on_progress:
            on_progress(Progress(done + 1, len(files), video, error=next(iter(failed.values()), "")))


def _run_workers(
    files: _Files,
    store: FeatureStore,
    recipes: Sequence[Recipe],
    limits: Limits,
    count: int,
    finish: _Finish,
    on_progress: Callable[[Progress], None] | None,
) -> None:
    jobs: queue.SimpleQueue[Path] = queue.SimpleQueue()
    news: queue.SimpleQueue[tuple[Path, dict[str, Any]]] = queue.SimpleQueue()
    for video in sorted(files, key=_size, reverse=True):  # long ones first, so that no core waits at the end
        jobs.put(video)
    setup: dict[str, Any] = {"store": str(store.folder.absolute()), "recipes": [r.to_json() for r in recipes]}
    setup["limits"] = asdict(replace(limits, threads=limits.threads or max(1, cores() // count)))
    workers = [_Worker(setup) for _ in range(count)]
    threads = [threading.Thread(target=w.serve, args=(jobs, files, news), daemon=True) for w in workers]
    try:
        for thread in threads:
            thread.start()
        done = 0
        while done < len(files):
            video, message = news.get()
            if "full" in message:
                raise StorageError(message["full"], advice=message.get("advice", ""))
            if "failed" in message:
                done += 1
                finish(files[video], message["failed"])
            if on_progress:
                error = next(iter(message.get("failed", {}).values()), "")
                on_progress(Progress(done, len(files), video, message.get("time_s", 0.0), error))
    finally:
        for worker in workers:
            worker.stop()
        for thread in threads:
            thread.join()
        for worker in workers:
            worker.close()


class _Worker:
    """One process and the thread that feeds it. A process that dies is replaced for the next video."""

    def __init__(self, setup: dict[str, Any]) -> None:
        self._setup = setup
        self._process: subprocess.Popen[str] | None = None
        self._stopped = False
        self._lock = threading.Lock()

    def serve(
        self,
        jobs: queue.SimpleQueue[Path],
        files: _Files,
        news: queue.SimpleQueue[tuple[Path, dict[str, Any]]],
    ) -> None:
        while not self._stopped:
            try:
                video = jobs.get_nowait()
            except queue.Empty:
                break
            group = files[video]
            try:
                for message in self._ask({"performances": [_plain(p) for p in group]}):
                    news.put((video, message))
                    if "failed" in message or "full" in message:
                        break
                else:
                    raise BrokenPipeError
            except OSError:
                self.kill()
                lost = f"{video}: the process that read it was lost. Run the command again to try once more."
                news.put((video, {"failed": {p.id: lost for p in group}}))

    def _ask(self, job: dict[str, Any]) -> Iterable[dict[str, Any]]:
        process = self._start()
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(json.dumps(job) + "\n")
        process.stdin.flush()
        while line := process.stdout.readline():
            yield json.loads(line)

    def _start(self) -> subprocess.Popen[str]:
        with self._lock:
            if self._stopped:
                raise BrokenPipeError
            if self._process is None:
                self._process = subprocess.Popen(
                    # -P: nothing in the folder that the user works in is imported in place of a library
                    [sys.executable, "-P", "-m", "toprock.features._worker"],
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    text=True,
                    encoding="utf-8",
                    # the videos share the cores among themselves; a worker's small arrays are no work for threads
                    env=os.environ | {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"},
                )
                assert self._process.stdin is not None
                self._process.stdin.write(json.dumps(self._setup) + "\n")
            return self._process

    def kill(self) -> None:
        with self._lock:
            if self._process is not None:
                self._process.kill()
        self.close()

    def close(self) -> None:
        """Wait for the end of the process, which somebody has asked for."""
        with self._lock:
            if self._process is not None:
                self._process.communicate()
                self._process = None

    def stop(self) -> None:
        self._stopped = True
        with self._lock:
            if self._process is not None:
                self._process.terminate()


def _plain(performance: Performance) -> dict[str, Any]:
    return {
        "id": performance.id,
        "video": str(performance.video.absolute()),
        "intervals": format_intervals(performance.intervals),
        "beats": performance.beats,
    }


def performance_of(plain: dict[str, Any]) -> Performance:
    """What a worker makes of a job's line."""
    beats = None if plain["beats"] is None else tuple(plain["beats"])
    return Performance(plain["id"], Path(plain["video"]), parse_intervals(plain["intervals"]), beats=beats)


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0
