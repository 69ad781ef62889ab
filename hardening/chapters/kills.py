"""SIGKILL at random moments: extraction, training, a room, and writes; what is started again ends as if undisturbed."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from pathlib import Path

import numpy as np
from safetensors.torch import load_file

from hardening import writers
from hardening.chains import (
    BEFORE,
    BETWEEN,
    DURING,
    Tally,
    Target,
    Wrong,
    chain,
    contents,
    killed,
    last_line,
    nothing_stays,
    parts,
)
from hardening.chapter import Chapter, Scale, Table
from hardening.commands import Command, Hung, Start, commands
from hardening.killed_room import Work, rooms
from toprock.errors import ModelError, ToprockError
from toprock.features import FeatureStore
from toprock.ranker import SavedModel

VIDEOS = 4
_FRAMES = 60
PAIRS = ((0, 1), (1, 2), (2, 3), (0, 2), (1, 3))
_LAST = 2000  # float16 counts no further than 2048
_ROUND = 10
"""Kills of writers in one folder, after which one writes to the end."""
LEAD = """SIGKILL, at moments drawn from the whole length of the work, half of them at the next write after that moment.
What was killed is started again, and killed again, until it comes to its end; then all that it made is compared with
what an undisturbed run made: names of files, arrays and weights byte for byte, scores within 1e-5, rows of the
database; and that no temporary file and no process stays."""


def run(scale: Scale) -> Chapter:
    """All of it."""
    tally, notes = Tally(), []
    videos, pairs = make_videos(scale.folder / "videos"), scale.folder / "pairs.txt"
    pairs.write_text("".join(f"v{better} v{worse}\n" for better, worse in PAIRS))
    with commands(scale.folder) as start:
        extracting(start, scale, videos, tally)
        training(start, scale, pairs, tally)
        writing_features(start, scale, tally)
        notes.append(writing_models(start, scale, tally))
        at_work = using_rooms(start, scale, videos, pairs, tally)
    return Chapter(LEAD, (tally.table(), at_work, tally.ends()), tally.lost, notes)


def make_videos(folder: Path) -> Path:
    """Small videos, each another one."""
    folder.mkdir()
    for number in range(VIDEOS):
        make_video(folder / f"v{number}.mp4", number)
    return folder


def make_video(path: Path, number: int) -> Path:
    """A small video in which a disc moves in its own way."""
    from tests.conftest import _encode

    y, x = np.mgrid[:64, :96]

    def picture(frame: int) -> np.ndarray:
        at_x, at_y = 48 + 30 * np.sin(frame / (3 + number)), 32 + (5 + 3 * number) * np.cos(frame / 4)
        inside = (x - at_x) ** 2 + (y - at_y) ** 2 < 100
        return np.repeat(np.where(inside, 220, 30).astype(np.uint8)[:, :, None], 3, axis=2)

    return _encode(path, pictures=[picture(i) for i in range(_FRAMES)], frames=_FRAMES)


def extracting(start: Start, scale: Scale, videos: Path, tally: Tally) -> None:
    """`toprock extract` of several videos, in two workers."""
    whom = 3 * [("", "all at once")] + [
        ("first", "the command alone"),
        *2 * [("toprock.features._worker", "a worker"), ("toprock._decoder", "a decoder")],
    ]

    def begin(out: Path, temporary: Path) -> Command:
        return start("extract", videos, "--out", out, "--workers", 2, temporary=temporary)

    target = Target("`toprock extract`", begin, whom, features_left, features_done, told_what_was_lost)
    chain(target, scale.of(100, 2), scale.folder / "extract", random.Random(f"extract {scale.seed}"), tally)


def features_left(out: Path, whole: Path) -> None:
    """Every file that there is is whole, and what it is to be."""
    ids = FeatureStore(out).ids() if (out / "store.json").exists() else []
    for ident in ids:
        try:
            FeatureStore(out).read(ident)
        except ToprockError as problem:
            raise Wrong(str(problem)) from None
        here, there = (contents(FeatureStore(folder).path(ident)) for folder in (out, whole))
        if here != there:
            raise Wrong(f"the features of {ident} differ from those of an undisturbed run")


def _head(store: Path) -> dict[str, object]:
    """What a store says of itself, but for the sign that tells it from every other one."""
    return {name: value for name, value in json.loads((store / "store.json").read_bytes()).items() if name != "sign"}


def features_done(out: Path, whole: Path) -> None:
    """All features are there, each once."""
    features_left(out, whole)
    if FeatureStore(out).ids() != FeatureStore(whole).ids():
        raise Wrong("the store holds other ids")
    if _head(out) != _head(whole):
        raise Wrong("store.json differs")


def told_what_was_lost(command: Command) -> None:
    """A command that lost a process says so, and ends with status 1, unless that had done its work."""
    told = command.told.read_text(errors="replace")
    if command.status() not in (0, 1) or (command.status() == 1 and " failed." not in told):
        raise Wrong(f"it ended with status {command.status()}: {last_line(command)}")


def training(start: Start, scale: Scale, pairs: Path, tally: Tally) -> None:
    """`toprock train`."""
    features = scale.folder / "extract/undisturbed"

    def begin(out: Path, temporary: Path) -> Command:
        common = ("train", "--features", features, "--pairs", pairs, "--name", "m", "--members", 2, "--steps", 55)
        return start(*common, "--out", out, temporary=temporary)

    target = Target("`toprock train`", begin, [("", "the command")], model_left, model_done)
    chain(target, scale.of(100, 2), scale.folder / "train", random.Random(f"train {scale.seed}"), tally)


def model_left(out: Path, whole: Path) -> None:
    """A whole model, or plainly none."""
    try:
        SavedModel.load(out)
    except ModelError as problem:
        if "is no model folder" not in str(problem):
            raise Wrong(str(problem)) from None
    else:
        model_done(out, whole)


def model_done(out: Path, whole: Path) -> None:
    """The same model, but for the date."""
    configs = [json.loads((folder / "config.json").read_text()) | {"created": ""} for folder in (out, whole)]
    if configs[0] != configs[1]:
        raise Wrong("config.json differs")
    here, there = (load_file(folder / "model.safetensors") for folder in (out, whole))
    if here.keys() != there.keys() or any(here[k].numpy().tobytes() != there[k].numpy().tobytes() for k in here):
        raise Wrong("the weights differ from those of an undisturbed run")


def using_rooms(start: Start, scale: Scale, videos: Path, pairs: Path, tally: Tally) -> Table:
    """A judging room: videos are taken in and looked at, a model is trained (or brought, if short), all is scored."""
    upload = make_video(scale.folder / "upload.mp4", VIDEOS)
    work = Work(videos, upload, pairs, None if scale.full else scale.folder / "train/undisturbed")
    draw, count = random.Random(f"room {scale.seed}"), scale.of(100, 2)
    return rooms(start, scale.folder / "rooms", work, count, draw, tally, workers=scale.of(2, 1))


def writing_features(start: Start, scale: Scale, tally: Tally) -> None:
    """Performances that are overwritten in a loop."""
    name, folder = "overwriting features", scale.folder / "features"
    writing(start, name, folder, scale.of(100, 6), (), versions_of_features, random.Random(f"f {scale.seed}"), tally)


def versions_of_features(folder: Path) -> dict[str, int]:
    """Id -> the version that is stored, whole."""
    found = {}
    if not (folder / "store.json").exists():
        return found
    store = FeatureStore(folder)
    for ident in store.ids():
        here = store.read(ident)
        version = int(here.facts["version"] or 0)
        made = writers.performance(ident, version)
        same = here.source == made.source and here.streams.keys() == made.streams.keys()
        for recipe in made.streams if same else ():
            one, other = here.streams[recipe], made.streams[recipe]
            same &= np.array_equal(one.features, other.features) and np.array_equal(one.times, other.times)
        if not same:
            raise Wrong(f"the features of {ident} mix versions")
        found[ident] = version
    return found


def writing_models(start: Start, scale: Scale, tally: Tally) -> str:
    """A model folder that is overwritten in a loop; gives in words how often there was none after a kill."""
    like, absent = scale.folder / "train/undisturbed", [0]

    def versions(folder: Path) -> dict[str, int]:
        try:
            model = SavedModel.load(folder)
        except ModelError as problem:
            absent[0] += 1
            if "is no model folder" not in str(problem):
                raise
            return {}
        version = int(model.config.name.removeprefix("version "))
        card = (folder / "README.md").read_text(encoding="utf-8")
        weights = [value for member in model.members for value in member.state_dict().values()]
        if f"# version {version}\n" not in card or any((value != version).any() for value in weights):
            raise Wrong("the model folder mixes versions")
        return {"model": version}

    name, count = "overwriting a model folder", scale.of(100, 4)
    writing(start, name, scale.folder / "models", count, (like,), versions, random.Random(f"m {scale.seed}"), tally)
    return (
        f"After {absent[0]} of the {count} kills of what overwrote a model folder there was none, for config.json "
        "goes first and comes last: it was refused by name, and writing again made it."
    )


def writing(
    start: Start,
    name: str,
    folder: Path,
    count: int,
    more: tuple[object, ...],
    versions: Callable[[Path], dict[str, int]],
    draw: random.Random,
    tally: Tally,
) -> None:
    """Kill what overwrites, again and again; what it has told to be finished is there, or a later version is."""
    folder.mkdir()
    temporary, version, kept = folder / "temporary", 1, dict[str, int]()
    for number in range(count):
        out = folder / f"{number // _ROUND}"
        command = start(out, version, _LAST, *more, temporary=temporary, module=writers.__name__)
        if not killed(command, "", out, draw, 0.3, after=lambda command=command: command.out.stat().st_size > 0):
            tally.lost.append(f"{name}: it ended by itself: {last_line(command)}")
            return
        here = parts(out)
        tally.moments[name, "the process"][DURING if here else BETWEEN if out.exists() else BEFORE] += 1
        kept |= finished(command)
        try:
            found = versions(out)
            for ident, last in found.items():
                if not kept.get(ident, 0) <= last <= max(kept.get(ident, 0), version - 1) + 1:
                    raise Wrong(f"version {last} of {ident} is not the last one, {kept.get(ident, 0)}")
            if not more and (gone := kept.keys() - found.keys()):
                raise Wrong(f"{', '.join(sorted(gone))} were written, and are gone")
            version = max([version, *found.values(), *kept.values()]) + 1
            if number % _ROUND == _ROUND - 1 or number == count - 1:
                again = start(out, version, version + 1, *more, temporary=temporary, module=writers.__name__)
                again.status()
                if finished(again) != versions(out) or set(versions(out).values()) != {version}:
                    raise Wrong(f"writing again ends with {versions(out)}: {last_line(again)}")
                if parts(out):
                    raise Wrong(f"{len(parts(out))} files that were not finished stay")
                nothing_stays(temporary, folder / "no temporary files")
                tally.compared[name] += 1
                version, kept = 1, {}
        except (ToprockError, Wrong, Hung) as problem:
            tally.lost.append(f"{name}: {problem}")


def finished(command: Command) -> dict[str, int]:
    """Id -> the last version that a writer has told to be written."""
    *lines, _ = command.out.read_text().split("\n")
    return {ident: int(version) for ident, version in map(str.split, lines)}
