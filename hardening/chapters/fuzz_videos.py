"""Damaged videos: each ends in pictures or in one named error, soon, and takes nothing else with it."""

from __future__ import annotations

import contextlib
import math
import multiprocessing
import os
import random
import resource
import signal
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

from hardening import films
from hardening.chapter import Chapter, Scale, Table
from hardening.damage import damaged
from toprock.backbones import build
from toprock.errors import VideoError
from toprock.features.extraction import describe_video
from toprock.performance import Performance
from toprock.video import Limits, grab_pictures, probe, read_frames, read_sound

LIMITS = Limits(stall_s=10, cpu_s=60, memory_mb=1536, threads=1)
LONGEST_S = 40.0
"""Past it a file has hung: with these limits a reading that makes no progress is ended after 10 s."""
_MEMORY = 6 << 30  # address space of a process that reads; with libraries loaded it takes less than half of it


@dataclass(frozen=True)
class Outcome:
    """What came of one file.

    Attributes:
        what: "whole", "with gaps", or the name of an error's class.
        seconds: until it was known.
        wrong: what should not have happened, or empty.
    """

    what: str
    seconds: float
    wrong: str = ""


class Hang(BaseException):
    """A reading took too long."""


def attempt(path: Path, how: str) -> Outcome:
    """Read a file in one of the `WAYS` and look at everything that must hold whatever its bytes are."""
    start, files, children = time.monotonic(), _open_files(), _children()
    what, wrong = "", ""
    before = signal.signal(signal.SIGALRM, _hang)
    signal.setitimer(signal.ITIMER_REAL, LONGEST_S)
    try:
        what, wrong = WAYS[how](path)
    except VideoError as error:
        what = type(error).__name__
        if str(path) not in str(error) or not error.advice or "nonsense" in error.what:
            wrong = f"an error without file or advice: {error}"
    except Hang:
        wrong = f"no answer within {LONGEST_S:g} s"
    except BaseException as problem:
        wrong = f"{type(problem).__name__}: {problem}"
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    seconds = time.monotonic() - start
    if not wrong and _children() - children:
        wrong = "a process was left behind"
    if not wrong and _open_files() > files:  # what others had open may be closed meanwhile
        wrong = "an open file was left behind"
    return Outcome(what, seconds, wrong)


def _frames(path: Path) -> tuple[str, str]:
    last_s, count, shape = -1.0, 0, None
    with read_frames(path, rate_hz=30, short_side=48, limits=LIMITS) as frames:
        for time_s, image in frames:
            shape = shape or image.shape
            if not (math.isfinite(time_s) and time_s > last_s and image.shape == shape and image.size):
                return "", f"frame {count} at {time_s} s after {last_s} s, {image.shape} after {shape}"
            last_s, count = time_s, count + 1
    if count == 0:
        return "", "no frame and no error"
    return "with gaps" if frames.damaged else "whole", ""


def _pictures(path: Path) -> tuple[str, str]:
    info = probe(path, limits=LIMITS)
    if min(info.width, info.height) < 1 or not (math.isfinite(info.rate_hz) and info.rate_hz > 0):
        return "", f"told {info}"
    got = grab_pictures(path, [0.0, 1e6, 0.7], short_side=48, limits=LIMITS)
    return "whole", "" if len(got) == 3 and all(image.size for image in got) else f"{len(got)} pictures of 3"


def _features(path: Path) -> tuple[str, str]:
    backbones = [build("flow-beat"), build("posture")]
    (found,) = describe_video(path, [Performance("a", path)], backbones, limits=LIMITS)
    for recipe, stream in found.streams.items():
        times = stream.times
        if not len(times) or len(times) != len(stream.features):
            return "", f"{len(times)} segments of {recipe.stream}"
        if not (times[:, 1] > times[:, 0]).all() or not (times[1:, 0] >= times[:-1, 0]).all():
            return "", f"times of {recipe.stream} do not rise"
    return "whole", ""


def _sound(path: Path) -> tuple[str, str]:
    last_s = -math.inf
    for time_s, samples in read_sound(path, rate_hz=16_000, limits=LIMITS):
        if not math.isfinite(time_s) or time_s < last_s or not samples.size:
            return "", f"sound at {time_s} s after {last_s} s"
        last_s = time_s
    return "whole", ""


WAYS = {"frames": _frames, "features": _features, "pictures": _pictures, "sound": _sound}
TURNS = ("frames", "features", "frames", "features", "pictures", "sound")


def fuzz(
    folder: Path,
    names: Sequence[str],
    count: int,
    seed: int,
    ways: Sequence[str] = tuple(WAYS),
    turns: Sequence[str] = TURNS,
) -> Iterator[tuple[str, str, Outcome]]:
    """Damage `count` copies of the films `names` and read them, in `turns`: film, damage and way, what came of it.

    Before that, each film is read undamaged in all `ways`, and must come out whole.
    """
    whole = {name: films.make(name, folder) for name in names}
    bytes_of = {name: path.read_bytes() for name, path in whole.items()}
    for name, path in whole.items():
        for way in ways:
            found = attempt(path, way)
            yield name, f"none, {way}", Outcome(found.what, found.seconds, found.wrong or _unless_whole(found))
    for number in range(count):
        name = names[number % len(names)]
        draw = random.Random(f"{seed} {name} {number}")
        data, kinds = damaged(bytes_of[name], list(bytes_of.values()), draw)
        way = turns[number // len(names) % len(turns)]
        path = folder / f"damaged-{number}{whole[name].suffix}"
        path.write_bytes(data)
        found = attempt(path, way)
        if not found.wrong:
            path.unlink()
        yield name, f"{kinds}, {way} (seed {seed}, number {number})", found


def _unless_whole(found: Outcome) -> str:
    return "" if found.what == "whole" else f"an undamaged film came out as {found.what}"


def run(scale: Scale) -> Chapter:
    """5,000 damaged files in the long run, on all cores."""
    count = scale.of(5016, 114)
    results, lost = [], []
    shares = [list(films.FILMS)[start::4] for start in range(4)]
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(min(4, os.cpu_count() or 1), context, _bounded) as pool:
        jobs = {}
        for number, names in enumerate(shares):
            folder = scale.folder / str(number)
            folder.mkdir()
            jobs[pool.submit(_share, folder, names, count * len(names) // len(films.FILMS), scale.seed)] = names
        for job in as_completed(jobs):
            try:
                results += job.result()
            except BrokenProcessPool:
                lost.append(f"the process that read {', '.join(jobs[job])} died")
    lost += [f"{name}: {damage}: {found.wrong}" for name, damage, found in results if found.wrong]
    return Chapter(
        f"{sum('none, ' not in damage for _, damage, _ in results):,} damaged copies of {len(films.FILMS)} films "
        "(bits turned, extreme numbers in headers, pieces lost, doubled, swapped or taken from another film, ends cut "
        "off; one to four of these a copy, half of them aimed at headers and indexes), each read by one of the ways in "
        "which the product reads: its pictures, its features of both streams with the beats of the music, single "
        "pictures, its sound. Each must end in rising, finite times and at least one picture, or in one named error "
        f"that says which file and what to do; within {LONGEST_S:g} s; with no process and no open file left behind.",
        [_table(results)],
        lost,
        [_slowest(results)],
    )


def _share(folder: Path, names: Sequence[str], count: int, seed: int) -> list[tuple[str, str, Outcome]]:
    return list(fuzz(folder, names, count, seed))


def _bounded() -> None:
    with contextlib.suppress(OSError, ValueError):
        resource.setrlimit(resource.RLIMIT_AS, (_MEMORY, _MEMORY))


def _table(results: Sequence[tuple[str, str, Outcome]]) -> Table:
    tried = [(name, found) for name, damage, found in results if "none, " not in damage]
    kinds = [what for what, _ in Counter(found.what for _, found in tried).most_common() if what]
    rows = []
    for name in films.FILMS:
        counts = Counter(found.what for other, found in tried if other == name)
        rows.append([name, sum(counts.values()), *(counts[kind] for kind in kinds)])
    rows.append(["all", len(tried), *(sum(row[2 + i] for row in rows) for i in range(len(kinds)))])
    return Table(["film", "damaged copies", *kinds], rows)


def _slowest(results: Sequence[tuple[str, str, Outcome]]) -> str:
    seconds = sorted(found.seconds for _, _, found in results)
    return f"Median {seconds[len(seconds) // 2]:.2f} s a file, the slowest {seconds[-1]:.1f} s."


def _hang(signum: int, frame: FrameType | None) -> None:
    raise Hang


def _open_files() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def _children() -> set[str]:
    found: set[str] = set()
    for listing in Path("/proc/self/task").glob("*/children"):
        with contextlib.suppress(OSError):
            found |= set(listing.read_text().split())
    return found
