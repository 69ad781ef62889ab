"""Extraction of many videos: resumable, one bad video never stops the others.

On a cluster each video is a task of its own (`elsewhere.py`). On this machine each core gets one worker process that
reads jobs as lines of JSON, so that a worker that dies takes one video with it and nothing else, and a user's script
needs no guard around its main part. Where a backbone has a network, threads of this process read in place of them, and
share it: it is loaded once, and its batches fill across videos.
"""

from __future__ import annotations

import concurrent.futures
import contextlib
import json
import os
import queue
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

from toprock.backbones.base import Backbone, Compute, NetworkBackbone
from toprock.engines import Engine
from toprock.errors import ComputeError, Lost, StorageError, ToprockError, WeightsError
from toprock.features.encoding import Encoding
from toprock.features.extraction import describe_video, source_of
from toprock.features.needs import needs_of
from toprock.features.recipe import Recipe
from toprock.features.store import FeatureStore
from toprock.files import tidy
from toprock.machine import cores
from toprock.performance import Performance, format_intervals, parse_intervals
from toprock.places import absolute, is_remote
from toprock.shortage import lacking
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
    """What an extraction did.

    Attributes:
        written: ids that were written.
        kept: ids that were there already.
        failed: id -> why it has no features.
        paces: name of a backbone with a network -> how it ran: device, precision, threads.
    """

    written: list[str] = field(default_factory=list)
    kept: list[str] = field(default_factory=list)
    failed: dict[str, str] = field(default_factory=dict)
    paces: dict[str, str] = field(default_factory=dict)


def extract(
    performances: Iterable[Performance],
    store: FeatureStore,
    backbones: Sequence[Backbone],
    *,
    workers: int | None = None,
    limits: Limits | None = None,
    compute: Compute | None = None,
    engine: Engine | None = None,
    on_progress: Callable[[Progress], None] | None = None,
) -> Extraction:
    """Fill a store with the features of performances; what is there and unchanged is kept.

    Args:
        performances: what to look at; those of one file are read in one pass.
        store: where the features go; may be interrupted at any moment and filled on later.
        backbones: one or two, as from `toprock.backbones.build`.
        workers: videos read at a time; None is one a core.
        limits: bounds on what a decoder may use.
        compute: where and how networks run.
        engine: where videos are read; None is the cores of this machine.
        on_progress: called from this thread after every video and about every second in between.

    Raises:
        StorageError: the disk is full, or another run fills a store at an address; nothing half-written stays.
        WeightsError: a network's weights cannot be used.
        ComputeError: networks cannot run as they are to, or no machine can do the work.
    """
    recipes = [Recipe.of(backbone) for backbone in backbones]
    result = Extraction()
    with store.filling():
        store.add_recipes(*recipes)
        files: dict[Path, list[Performance]] = {}
        for performance, there in _looked_up(performances, store, recipes, backbones):
            if there:
                result.kept.append(performance.id)
            else:
                files.setdefault(performance.video.absolute(), []).append(performance)
        if files:
            tidy(store.folder)

        def finish(group: Sequence[Performance], failed: dict[str, str]) -> None:
            done = [p.id for p in group if p.id not in failed]
            result.failed.update(failed)
            result.written.extend(done)
            store.note_failures(failed, succeeded=done)

        count = min(workers or cores(), len(files))
        job = _Job(files, store, backbones, limits or Limits.chosen(), count, finish, on_progress)
        if engine is not None:
            _run_elsewhere(job, engine, compute or Compute(), result.paces)
        elif any(isinstance(backbone, NetworkBackbone) for backbone in backbones):
            with Encoding(compute) as encoding:
                _run_threads(job, encoding)
                result.paces.update(encoding.paces())
        elif count <= 1:
            _run_here(job)
        else:
            _run_workers(job)
    result.written.sort()
    return result


def _looked_up(
    performances: Iterable[Performance], store: FeatureStore, recipes: list[Recipe], backbones: Sequence[Backbone]
) -> Iterator[tuple[Performance, bool]]:
    """Performances, and whether the store has them already; at an address many are asked for at a time."""

    def there(performance: Performance) -> bool:
        return store.has(performance.id, recipes, source_of(performance, backbones))

    if is_remote(store.folder):
        listed = list(performances)
        with concurrent.futures.ThreadPoolExecutor(_AT_A_TIME) as pool:
            yield from zip(listed, pool.map(there, listed), strict=True)
    else:
        yield from ((performance, there(performance)) for performance in performances)


def extract_group(
    group: Sequence[Performance],
    store: FeatureStore,
    backbones: Sequence[Backbone],
    limits: Limits,
    on_time: Callable[[float], None] | None = None,
    encoding: Encoding | None = None,
) -> dict[str, str]:
    """Describe the performances of one file and store them; returns id -> why for those that failed."""
    try:
        for features in describe_video(
            group[0].video, group, backbones, limits=limits, on_time=on_time, encoding=encoding
        ):
            store.write(features)
        return {}
    except (StorageError, WeightsError, ComputeError):  # concern every video
        raise
    except ToprockError as problem:
        if len(group) == 1:
            return {group[0].id: str(problem)}
    failed: dict[str, str] = {}
    for performance in group:  # one with impossible intervals must not take its neighbours with it
        failed |= extract_group([performance], store, backbones, limits, on_time, encoding)
    return failed


_AT_A_TIME = 32
_Finish = Callable[[Sequence[Performance], dict[str, str]], None]
_Files = dict[Path, list[Performance]]
_News = queue.SimpleQueue[tuple[Path, dict[str, Any]]]


@dataclass(frozen=True)
class _Job:
    """What there is to do, and whom to tell."""

    files: _Files
    store: FeatureStore
    backbones: Sequence[Backbone]
    limits: Limits
    count: int
    finish: _Finish
    on_progress: Callable[[Progress], None] | None

    @property
    def shared_limits(self) -> Limits:
        """Limits for one of `count` readings that share the cores."""
        return replace(self.limits, threads=self.limits.threads or max(1, cores() // max(1, self.count)))

    def by_size(self) -> queue.SimpleQueue[Path]:
        """Files, long ones first, so that no core waits at the end."""
        jobs: queue.SimpleQueue[Path] = queue.SimpleQueue()
        for video in sorted(self.files, key=_size, reverse=True):
            jobs.put(video)
        return jobs

    def follow(self, news: _News) -> None:
        """Take messages of readers until every file is done with.

        Raises:
            StorageError: there is no room for what they have read.
            WeightsError, ComputeError: a network cannot be used.
        """
        done = 0
        while done < len(self.files):
            video, message = news.get()
            if "full" in message:
                raise StorageError(message["full"], advice=message.get("advice", ""))
            if "raise" in message:
                raise message["raise"]
            if "weights" in message:
                raise WeightsError(message["weights"], advice=message.get("advice", ""))
            if "failed" in message:
                done += 1
                self.finish(self.files[video], message["failed"])
            if self.on_progress:
                error = next(iter(message.get("failed", {}).values()), "")
                self.on_progress(Progress(done, len(self.files), video, message.get("time_s", 0.0), error))


def _run_elsewhere(job: _Job, engine: Engine, compute: Compute, paces: dict[str, str]) -> None:
    from toprock.features.elsewhere import read_there, setup_of

    needs = needs_of(job.backbones, compute, accelerators=engine.accelerators > 0)
    limits = replace(job.limits, threads=job.limits.threads or needs.cpus)
    setup = setup_of(job.store, job.backbones, limits, compute)
    order = sorted(job.files, key=_size, reverse=True)
    tasks = {video: partial(read_there, setup, [_plain(p) for p in job.files[video]]) for video in order}
    with contextlib.closing(engine.run(tasks, needs)) as found:
        for done, (video, result) in enumerate(found, 1):
            if isinstance(result, Lost):
                failed = {p.id: f"{video}: {result}. Run the command again to try once more." for p in job.files[video]}
            else:
                failed, its_paces = result
                paces.update(its_paces)
            job.finish(job.files[video], failed)
            if job.on_progress:
                job.on_progress(Progress(done, len(job.files), video, error=next(iter(failed.values()), "")))


def _run_here(job: _Job) -> None:
    for done, (video, group) in enumerate(job.files.items()):

        def on_time(time_s: float, done: int = done, video: Path = video) -> None:
            if job.on_progress:
                job.on_progress(Progress(done, len(job.files), video, time_s))

        failed = extract_group(group, job.store, job.backbones, job.limits, on_time)
        job.finish(group, failed)
        if job.on_progress:
            job.on_progress(Progress(done + 1, len(job.files), video, error=next(iter(failed.values()), "")))


def _run_threads(job: _Job, encoding: Encoding) -> None:
    """Read on threads of this process, which share the networks; decoders are processes of their own."""
    jobs, news = job.by_size(), _News()
    limits = job.shared_limits

    def serve() -> None:
        while True:
            try:
                video = jobs.get_nowait()
            except queue.Empty:
                return
            last = time.monotonic()

            def on_time(time_s: float, video: Path = video) -> None:
                nonlocal last
                if time.monotonic() - last > 1.0:
                    last = time.monotonic()
                    news.put((video, {"time_s": time_s}))

            try:
                failed = extract_group(job.files[video], job.store, job.backbones, limits, on_time, encoding)
            except BaseException as problem:  # this one's to raise
                news.put((video, {"raise": problem}))
                return
            news.put((video, {"failed": failed}))

    threads = [threading.Thread(target=serve, daemon=True) for _ in range(job.count)]
    try:
        for thread in threads:
            thread.start()
        job.follow(news)
    except BaseException:
        with contextlib.suppress(queue.Empty):
            while True:
                jobs.get_nowait()
        encoding.close()
        raise
    finally:
        for thread in threads:
            thread.join()


def _run_workers(job: _Job) -> None:
    jobs, news = job.by_size(), _News()
    setup: dict[str, Any] = {
        "store": str(absolute(job.store.folder)),
        "recipes": [Recipe.of(backbone).to_json() for backbone in job.backbones],
        "limits": asdict(job.shared_limits),
    }
    workers = [_Worker(setup) for _ in range(job.count)]
    threads = [threading.Thread(target=w.serve, args=(jobs, job.files, news), daemon=True) for w in workers]
    try:
        for thread in threads:
            thread.start()
        job.follow(news)
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
        news: _News,
    ) -> None:
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})  # the process inherits it, from its first moment on
        while not self._stopped:
            try:
                video = jobs.get_nowait()
            except queue.Empty:
                break
            group = files[video]
            try:
                for message in self._ask({"performances": [_plain(p) for p in group]}):
                    news.put((video, message))
                    if message.keys() & {"failed", "full", "weights"}:
                        break
                else:
                    raise BrokenPipeError
            except OSError as problem:
                self.kill()
                short = lacking(problem)
                again = "Run the command again to try once more."
                lost = f"{video}: " + (str(short) if short else f"the process that read it was lost. {again}")
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
        "box": performance.box,
    }


def performance_of(plain: dict[str, Any]) -> Performance:
    """What a worker makes of a job's line."""
    beats = None if plain["beats"] is None else tuple(plain["beats"])
    box = None if plain["box"] is None else tuple(plain["box"])
    return Performance(plain["id"], Path(plain["video"]), parse_intervals(plain["intervals"]), beats=beats, box=box)


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0
