"""A machine that fails: every fault is done for real to commands and to an open room.

A fault is survived where it ends in words that name what failed and what to do, with the status that the documents
give, nothing half-written is left, nothing good is gone, and the same thing done again comes out as if there had been
no fault.
"""

from __future__ import annotations

import contextlib
import os
import resource
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
from safetensors.numpy import load_file

from hardening.chapter import Chapter, Scale, Table
from hardening.machines import Command, Disk, Ended, children_of, faketime, fresh, mounts, ready_commands
from tests.conftest import Place, make_place
from tests.web.shelf import repeat_video
from toprock.features import FeatureStore

LEAD = """Each fault is done for real: a disk that fills up (swept, so that it is full at every moment of the work), a
folder that may not be written, a worker that is lost or has no memory left, a clock that jumps, a database that another
program holds, a video that goes away or changes while it is read, no room for temporary files, too few open files.
It is survived where it ends in words that name what failed and what to do, with the status that the documents give;
where nothing half-written is left and nothing good is gone; and where the same thing done again comes out as if there
had been no fault."""


class Trial(NamedTuple):
    """One fault that was done.

    Attributes:
        fault: its kind.
        where: to what.
        lost: what went wrong, or empty.
        told: how it ended.
    """

    fault: str
    where: str
    lost: str
    told: str


def run(scale: Scale) -> Chapter:
    """Do every fault."""
    from hardening.room_faults import room_faults

    with ready_commands() as toprock:
        place = make_place(scale.folder / "place", toprock)
        trials = list(command_faults(place, scale, toprock))
        trials += room_faults(place, scale)
    return chapter_of(trials, scale.folder)


def chapter_of(trials: Iterable[Trial], folder: Path) -> Chapter:
    """The figures of what was tried."""
    kinds: dict[tuple[str, str], list[Trial]] = {}
    for trial in trials:
        kinds.setdefault((trial.fault, trial.where), []).append(trial)
    rows = []
    for (fault, where), tried in kinds.items():
        ends = list(dict.fromkeys(plain(t.told, folder) for t in tried if t.told))
        survived = sum(not t.lost for t in tried)
        rows.append((fault, where, len(tried), survived, ends[0] if ends else "as if there were none"))
    lost = [f"{t.fault}, {t.where}: {plain(t.lost, folder)}" for tried in kinds.values() for t in tried if t.lost]
    notes = [] if faketime() else ["The clock was not made to jump: faketime is not installed here."]
    if not mounts():
        notes.append("No disks can be mounted here: what needs one was left out.")
    return Chapter(LEAD, [Table(("fault", "done to", "times", "survived", "how it ends"), rows)], lost, notes)


def plain(text: str, folder: Path) -> str:
    """One line without where this machine keeps things."""
    line = " ".join(text.replace(f"{folder}/", "").split())
    return line if len(line) <= 240 else f"{line[:237]}..."


# ---- commands


def command_faults(place: Place, scale: Scale, toprock: Command) -> Iterator[Trial]:
    """All faults of commands."""
    if mounts():
        yield from full_disk(place, scale, toprock)
        yield from read_only(place, scale, toprock)
        yield from no_temporary(place, scale)
    yield from lost_output(place, scale)
    yield from few_files(place, scale)
    yield from no_home(place, scale)
    yield from little_memory(place, scale)
    yield from changing_videos(place, scale, toprock)


def work_of(place: Place, out: Path) -> dict[str, tuple[object, ...]]:
    """Commands that write into a folder."""
    features, model = place / "features", place / "model"
    return {
        "extract": ("extract", place / "in/manifest.csv", "--out", out / "f"),
        "train": ("train", "--features", features, "--pairs", place / "pairs.txt", "--steps", 5, "--out", out / "m"),
        "score": ("score", "battle-000", "--features", features, "--model", model, "--report", out / "r.html"),
    }


def wrong_in(place: Place, out: Path, command: str) -> str:
    """What is wrong with what a command has written in the end; empty where it is as it was without a fault."""
    if left := half_written(out):
        return f"half-written: {left}"
    if command == "extract":
        return differing(FeatureStore(out / "f"), FeatureStore(place / "features"))
    if command == "train":
        made, wanted = (load_file(folder / "model.safetensors") for folder in (out / "m", place / "model"))
        return next((f"{name} differs" for name in wanted if not np.allclose(made[name], wanted[name], atol=1e-5)), "")
    return "" if "</html>" in (out / "r.html").read_text(encoding="utf-8") else "the report is not whole"


def differing(made: FeatureStore, wanted: FeatureStore) -> str:
    """How features differ from those that there should be."""
    if made.ids() != wanted.ids():
        return f"there are {made.ids()}"
    for ident in wanted.ids():
        theirs, ours = (store.read(ident).streams for store in (wanted, made))
        if any(not np.array_equal(ours[recipe].features, s.features) for recipe, s in theirs.items()):
            return f"the features of {ident} differ"
    return ""


def half_written(folder: Path) -> list[str]:
    """Temporary files that were left."""
    return [path.name for path in folder.rglob("*.part")]


def unsaid(ended: Ended, *names: str, statuses: tuple[int, ...] = (1,)) -> str:
    """What a failure lacks: a name, a status, words; empty where it says all."""
    last = ended.told.strip().splitlines()[-1:] or [""]
    if "Traceback" in ended.told:
        return f"a traceback: {last[0]}"
    if ended.status not in statuses:
        return f"status {ended.status}: {last[0]}"
    if ended.status and not any(name in ended.told for name in names):
        return f"nothing is named: {last[0]}"
    if ended.status and ". " not in ended.told:
        return f"no advice: {last[0]}"
    return ""


def told_by(ended: Ended) -> str:
    """The line that says what failed."""
    lines = [line for line in ended.told.splitlines() if line.startswith(("error: ", "left out: "))]
    return lines[0].partition(": ")[2] if ended.status and lines else ""


def full_disk(place: Place, scale: Scale, toprock: Command) -> Iterator[Trial]:
    """The disk is full after so many kB; then it is enlarged, and the same command is run again."""
    sizes = {
        "extract": scale.of(25, 2),
        "train": scale.of(25, 1),
        "score": scale.of(12, 1),
    }
    most = {"extract": 760, "train": 11_000, "score": 120}
    for command, steps in sizes.items():
        for step in range(steps):
            size = 4 + 4 * round(most[command] * (step / steps) ** 2 / 4)  # many small ones
            folder = scale.folder / f"full-{command}-{step}"
            with Disk(folder, f"{size}k") as disk:
                words = work_of(place, folder)[command]
                ended = toprock(*words)
                lost = unsaid(ended, "the disk is full", statuses=(0, 1)) or ", ".join(half_written(folder))
                if not lost and ended.status:
                    disk.change("size=60m")
                    again = toprock(*words)
                    lost = f"again: {again.told}" if again.status else ""
                lost = lost or wrong_in(place, folder, command)
                yield Trial("full disk", f"`{command}`", lost, told_by(ended))


def read_only(place: Place, scale: Scale, toprock: Command) -> Iterator[Trial]:
    """The folder's disk may not be written."""
    folder = scale.folder / "read-only"
    with Disk(folder, "1m") as disk:
        disk.change("ro")
        other = {"serve": ("serve", folder / "library", "--port", 0), "demo": ("demo", "--out", folder / "demo")}
        for command, words in (work_of(place, folder) | other).items():
            ended = toprock(*words)
            yield Trial("read-only disk", f"`{command}`", unsaid(ended, f"{folder}"), told_by(ended))


_NO_TEMPORARY = """
set -e
mount --make-rprivate /
mount --bind "$1" /mnt
for folder in /tmp /var/tmp; do mount -t tmpfs -o ro tmpfs $folder; done
cd /proc
shift
exec "$@"
"""


def no_temporary(place: Place, scale: Scale) -> Iterator[Trial]:
    """No folder for temporary files may be written; TMPDIR leads nowhere."""
    everything = scale.folder / "everything"
    shutil.copytree(place.folder, everything / "place")
    here = Path(__file__).resolve().parents[2]
    (everything / "src").symlink_to(here / "src")
    if here.is_relative_to("/tmp"):  # it would be hidden
        (everything / "src").unlink()
        shutil.copytree(here / "src", everything / "src")
    seen = Place(Path("/mnt/place"))
    env = {k: v for k, v in os.environ.items() if k not in ("TMPDIR", "TEMP", "TMP")}
    env |= {"PYTHONPATH": "/mnt/src", "TOPROCK_LOG": "off", "TMPDIR": "/proc/nowhere"}
    for command, words in list(work_of(seen, Path("/mnt")).items())[: scale.of(3, 1)]:
        before = ("unshare", "-m", "sh", "-c", _NO_TEMPORARY, "sh", str(everything))
        ended = fresh(*words, before=before, env=env)
        lost = unsaid(ended, "temporary", statuses=(0, 1)) or ", ".join(half_written(everything))
        if ended.status and "TMPDIR" not in ended.told:
            lost = lost or f"not said what to do: {ended.told}"
        yield Trial("nowhere for temporary files", f"`{command}`", lost, told_by(ended))


def lost_output(place: Place, scale: Scale) -> Iterator[Trial]:
    """Nobody reads standard output any more, or its disk is full."""
    rank = ("rank", "--features", place / "features", "--model", place / "model")
    for words in (rank, (*rank, "--json"))[: scale.of(2, 1)]:
        reader, writer = os.pipe()
        os.close(reader)
        ended = _with_output(writer, *words)
        yield Trial("`| head`: nobody reads", "`rank`", "" if not ended.told.strip() else ended.told, "")
        ended = _with_output(os.open("/dev/full", os.O_WRONLY), *words)
        yield Trial("standard output on a full disk", "`rank`", unsaid(ended, "standard output"), told_by(ended))


def _with_output(output: int, *words: object) -> Ended:
    command = [sys.executable, "-m", "toprock", *map(str, words)]
    try:
        done = subprocess.run(command, stdout=output, stderr=subprocess.PIPE, text=True, timeout=300, check=False)
    finally:
        os.close(output)
    if done.returncode < 0:
        return Ended(done.returncode, "", f"ended by signal {-done.returncode}")
    return Ended(done.returncode, "", done.stderr)


def few_files(place: Place, scale: Scale) -> Iterator[Trial]:
    """Few files may be open at a time."""
    out = scale.folder / "few"
    words = work_of(place, out) | {"score": ("score", place.video(0), "--model", place / "model")}
    limits = (("extract", (6, 5, 8, 10, 12)), ("score", (6, 5, 8)), ("train", (6, 5)))
    for command, counts in limits[: scale.of(3, 1)]:
        for count in counts[: scale.of(9, 1)]:
            limit = (count, count)
            limited = {"preexec_fn": lambda limit=limit: resource.setrlimit(resource.RLIMIT_NOFILE, limit)}
            ended = fresh(*words[command], **limited)
            named = ("ulimit", "was lost", "Too many open files", "too many files")
            lost = unsaid(ended, *named, statuses=(0, 1)) or ", ".join(half_written(out))
            yield Trial("few open files", f"`{command}`", lost, told_by(ended))
            shutil.rmtree(out, ignore_errors=True)


def no_home(place: Place, scale: Scale) -> Iterator[Trial]:
    """There is no HOME, or it may not be written; the log of uses is on."""
    words = ("score", "battle-000", "--features", place / "features", "--model", place / "model", "--json")
    for home in (None, "/proc/nowhere", "/proc")[: scale.of(3, 1)]:
        env = {k: v for k, v in os.environ.items() if k not in ("HOME", "TOPROCK_LOG") and not k.startswith("XDG")}
        ended = fresh(*words, env=env | ({"HOME": home} if home else {"TOPROCK_LOG": str(scale.folder / "log.jsonl")}))
        lost = "" if (ended.status, '"score"' in ended.out) == (0, True) else ended.told
        yield Trial("no HOME", "`score`", lost, "")


def little_memory(place: Place, scale: Scale) -> Iterator[Trial]:
    """Address space is bounded, by `ulimit -v`, and the decoder's by its own limit."""
    out = scale.folder / "little"
    commands = (("score", (420, 700)), ("train", (420, 700, 800)), ("extract", (330, 360)))
    for command, sizes in commands[: scale.of(3, 1)]:
        for size in sizes[: scale.of(9, 1)]:
            limit = (size << 20, size << 20)
            limited = {"preexec_fn": lambda limit=limit: resource.setrlimit(resource.RLIMIT_AS, limit)}
            ended = fresh(*work_of(place, out)[command], **limited)
            lost = unsaid(ended, "memory", statuses=(0, 1)) or ", ".join(half_written(out))
            yield Trial("little memory (`ulimit -v`)", f"`{command}`", lost, told_by(ended))
            shutil.rmtree(out, ignore_errors=True)
    from toprock.backbones import build
    from toprock.features import extract
    from toprock.performance import find_performances
    from toprock.video import Limits

    store = FeatureStore(out / "f", create=True)
    for size in range(40, 330, scale.of(30, 150)):
        found = find_performances(place.video(0))
        result = extract(found, store, [build("flow")], workers=1, limits=Limits(memory_mb=size))
        why = result.failed.get("battle-000", "")
        named = f"{place.video(0)}" in why and ". " in why
        lost = "" if result.written or result.kept or named else f"{size} MB: {why or 'nothing was said'}"
        yield Trial("little memory for the decoder", "`extract`", lost, why)
        shutil.rmtree(out / "f")
        store = FeatureStore(out / "f", create=True)


# ---- videos that change while they are read


def _removed(video: Path, _: Path) -> None:
    video.unlink()


def _renamed(video: Path, _: Path) -> None:
    video.rename(video.with_name("other.mp4"))


def _truncated(video: Path, _: Path) -> None:
    os.truncate(video, video.stat().st_size // 3)


def _replaced(video: Path, other: Path) -> None:
    copy = video.with_name(".copy")
    shutil.copy(other, copy)
    copy.replace(video)


def _overwritten(video: Path, other: Path) -> None:
    with video.open("r+b") as file, other.open("rb") as new:
        shutil.copyfileobj(new, file)
        file.truncate()


_CHANGES: dict[str, Callable[[Path, Path], None]] = {
    "overwritten": _overwritten,
    "truncated": _truncated,
    "replaced": _replaced,
    "removed": _removed,
    "renamed": _renamed,
}


def changing_videos(place: Place, scale: Scale, toprock: Command) -> Iterator[Trial]:
    """A long video is removed, renamed, truncated, replaced, overwritten, or its disk is taken away, in the middle."""
    long, other = scale.folder / "long.mp4", scale.folder / "other.mp4"
    repeat_video(place.video(0), long, scale.of(300, 40))
    repeat_video(place.video(1), other, scale.of(300, 40))
    wanted = {}
    for video in (long, other):
        toprock("extract", video, "--out", scale.folder / f"{video.stem}-f")
        wanted[video] = FeatureStore(scale.folder / f"{video.stem}-f").read(video.stem).streams
    changes = list(_CHANGES.items())[: scale.of(9, 1)]
    for name, change in [*changes, *([("taken away", None)] if mounts() and scale.full else [])]:
        for turn in range(scale.of(4, 1)):
            folder = scale.folder / f"{name}-{turn}"
            videos = folder / "videos"
            disk = Disk(videos, "200m") if change is None else None
            videos.mkdir(parents=True, exist_ok=True)
            video = shutil.copy(long, videos / "v.mp4")
            process = _started("extract", video, "--out", folder / "f")
            _wait_until_read(process, Path(video))
            time.sleep(0.3 + 0.4 * turn)
            if change is not None:
                change(video, other)
            elif disk is not None:
                disk.tear_away()
            _, told = process.communicate(timeout=300)
            ended = Ended(process.returncode, "", told)
            lost = unsaid(ended, "v.mp4", statuses=(0, 1)) or ", ".join(half_written(folder))
            if not lost:
                expected = other if name in ("replaced", "overwritten") else long
                if expected is long:
                    videos.mkdir(exist_ok=True)
                    shutil.copy(long, videos / "v.mp4")
                again = toprock("extract", videos / "v.mp4", "--out", folder / "f")
                found = FeatureStore(folder / "f").read("v").streams if not again.status else {}
                if again.status:
                    lost = f"again: {again.told}"
                elif any(not np.array_equal(found[r].features, s.features) for r, s in wanted[expected].items()):
                    lost = "what it wrote passes for features of what is there now"
            yield Trial(f"a video that is {name} while it is read", "`extract`", lost, told_by(ended))


def _started(*words: object) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "toprock", *map(str, words)]
    return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)


def _wait_until_read(process: subprocess.Popen[str], video: Path) -> None:
    """Until a decoder has the video open."""
    end = time.monotonic() + 60
    while time.monotonic() < end and process.poll() is None:
        for child in children_of(process.pid):
            with contextlib.suppress(OSError):
                if any(link.readlink() == video for link in Path(f"/proc/{child}/fd").iterdir()):
                    return
        time.sleep(0.005)
