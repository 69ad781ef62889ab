"""Commands that hand on what was found: timeline, clips, overlay."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer

from toprock.cli.app import app, printable
from toprock.cli.common import DeviceOption, JsonOption, ModelOption, PrecisionOption, bar, print_json, say
from toprock.cli.judging import IdsOption, StoreOption, VideosArgument, judge, log_use, named, open_model
from toprock.errors import ToprockError, UsageError
from toprock.files import name_of, spare_inputs, storage_errors
from toprock.performance import VIDEO_SUFFIXES

if TYPE_CHECKING:
    from toprock.assess.assessment import Assessment
    from toprock.assess.model import Failure
    from toprock.exports import Clip, Item
    from toprock.performance import Performance

_ENDINGS = frozenset({".csv", ".eaf", ".vtt", ".json"})
Made = TypeVar("Made")
Share = Callable[[float], None]  # is told what share of one performance's work is done
FilmsArgument = Annotated[list[str], typer.Argument(help="Videos, folders, manifests.", show_default=False)]


class FormatName(StrEnum):
    """The formats of `toprock.exports.EXPORTS`, which takes long to import."""

    csv = "csv"
    eaf = "eaf"
    vtt = "vtt"
    label_studio = "label-studio"


@app.command()
def timeline(
    model: ModelOption,
    format: Annotated[
        FormatName,
        typer.Option(help="A table, ELAN's, WebVTT chapters, or tasks of Label Studio (.json).", show_default=False),
    ],
    out: Annotated[
        Path,
        typer.Option("--out", "-o", help="A file with the format's ending; or a folder, one each.", show_default=False),
    ],
    videos: VideosArgument = None,
    features: StoreOption = None,
    ids: IdsOption = None,
    device: DeviceOption = "auto",
    precision: PrecisionOption = "auto",
) -> None:
    """Write evidence and moments for other tools."""
    if format == FormatName.label_studio and features is not None:
        raise UsageError("--format label-studio counts frames", advice="Give videos instead of --features.")
    from toprock.assess.model import Failure
    from toprock.exports import EXPORTS, write_timeline
    from toprock.video import probe

    made = EXPORTS[format]
    target = _Target(out, made.ending, joins=made.joins, inputs=[*(videos or []), *([str(ids)] if ids else [])])
    wanted = named(videos, ids, features)
    results, sources = judge(open_model(model, device, precision), wanted, features, check=target.check)
    log_use("timeline", model, results, format=format)

    def ready(item: Item, share: Share) -> Item:
        if not made.counts_frames or item.performance is None:
            return item
        return replace(item, rate_hz=probe(item.performance.video).rate_hz)

    def write(item: Item, share: Share) -> list[Path]:
        return [write_timeline([ready(item, share)], target.path(item.assessment.id), format=format)]

    if target.file is None:
        _tell(_each(results, sources, "Writing", write))
        return
    items = _each(results, sources, "Looking at videos", ready)
    good = [item for item in items if not isinstance(item, Failure)]
    files = [write_timeline(good, target.file, format=format)] if good else []
    _tell([files, *(item for item in items if isinstance(item, Failure))])


@app.command()
def clips(
    videos: FilmsArgument,
    model: ModelOption,
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder for the clips.", show_default=False)],
    padding: Annotated[float, typer.Option(help="Seconds ahead of and behind each moment, 0 to 60.")] = 1.0,
    device: DeviceOption = "auto",
    precision: PrecisionOption = "auto",
    json: JsonOption = False,
) -> None:
    """Cut best and worst moments out of videos, as MP4 of at most 720 pixels with sound in one channel."""
    if not 0 <= padding <= 60:
        raise UsageError(f"--padding is {padding:g}", advice="Give 0 to 60 seconds.")
    from toprock.assess.model import Failure
    from toprock.exports import cut_clips

    _say_encoder()
    target = _Target(out, "", inputs=videos)
    results, sources = judge(open_model(model, device, precision), videos, None, check=target.check)
    log_use("clips", model, results)

    def cut(item: Item, share: Share) -> tuple[Assessment, list[Clip]]:
        found = cut_clips(item, out, padding_s=padding, on_clip=lambda done, of: share(done / of))
        return item.assessment, found

    made = _each(results, sources, "Cutting", cut)
    if json:
        documents = [
            one.to_json()
            if isinstance(one, Failure)
            else {
                "schema": 1,
                "id": one[0].id,
                "cautions": [caution.to_json() for caution in one[0].cautions],
                "clips": [clip.to_json() for clip in one[1]],
            }
            for one in made
        ]
        print_json(documents[0] if len(documents) == 1 else documents)
        if any(isinstance(one, Failure) for one in made):
            raise typer.Exit(1)
        return
    for one in made:
        if not isinstance(one, Failure) and not one[1]:
            say(f"{one[0].id}: no moment stands out.")
    _tell([one if isinstance(one, Failure) else [clip.file for clip in one[1]] for one in made])


@app.command()
def overlay(
    videos: FilmsArgument,
    model: ModelOption,
    out: Annotated[Path, typer.Option("--out", "-o", help="An .mp4 file; or a folder, one each.", show_default=False)],
    device: DeviceOption = "auto",
    precision: PrecisionOption = "auto",
) -> None:
    """Draw score, evidence and moments into videos, as MP4 of at most 720 pixels with sound in one channel."""
    from toprock.exports import write_overlay

    _say_encoder()
    target = _Target(out, ".mp4", inputs=videos)
    results, sources = judge(open_model(model, device, precision), videos, None, check=target.check)
    log_use("overlay", model, results)

    def draw(item: Item, share: Share) -> list[Path]:
        path = target.path(item.assessment.id)
        return [write_overlay(item, path, on_time=lambda at_s, of_s: share(at_s / max(of_s, 1e-9)))]

    _tell(_each(results, sources, "Drawing", draw))


class _Target:
    """Where files go: `out` itself where it has their ending, else a folder with one a performance.

    Raises:
        UsageError: it is no folder yet, and is called as a file of another kind is.
    """

    def __init__(self, out: Path, ending: str, *, inputs: Sequence[str], joins: bool = False) -> None:
        self._out, self._ending, self._inputs, self._joins = out, ending, inputs, joins
        named = "" if out.is_dir() else out.suffix.lower()
        self.file = out if ending and named == ending else None
        if self.file is None and named in {*VIDEO_SUFFIXES, *_ENDINGS}:
            wanted = f"a file that ends in {ending}, or a folder" if ending else "a folder"
            raise UsageError(f"--out is {out}, where {wanted} is wanted", advice="Choose another name.")

    def path(self, ident: str) -> Path:
        """Of a performance's file."""
        return self.file or self._out / f"{name_of(ident)}{self._ending}"

    def check(self, found: Sequence[Performance | Failure | str]) -> None:
        """See ahead of the work that files for these performances can be written.

        Raises:
            UsageError: there are too many for one file, or one of those that are read would be overwritten.
            StorageError: the folder cannot be written to.
        """
        ids = [one if isinstance(one, str) else one.id for one in found]
        if self.file is not None and len(ids) > 1 and not self._joins:
            raise UsageError(f"{len(ids)} performances do not go into one {self._ending} file", advice="Give a folder.")
        read = [*self._inputs, *(video for one in found if (video := getattr(one, "video", None)) is not None)]
        if self._ending:
            for ident in ids:
                spare_inputs(self.path(ident), read)
        folder = self._out if self.file is None else self.file.parent
        with storage_errors(folder):
            folder.mkdir(parents=True, exist_ok=True)
            tempfile.TemporaryFile(dir=folder).close()


def _each(
    results: Sequence[Assessment | Failure],
    sources: Mapping[str, Performance],
    what: str,
    work: Callable[[Item, Share], Made],
) -> list[Made | Failure]:
    """Do some work for each assessment, in order; what fails does so alone."""
    from toprock.assess.model import Failure
    from toprock.exports import Item

    made: list[Made | Failure] = []
    with bar(what, len(results)) as advance:
        for number, result in enumerate(results):
            if isinstance(result, Failure):
                made.append(result)
                continue

            def share(done: float, number: int = number) -> None:
                advance(number + done)

            for caution in result.cautions:
                say(f"! {result.id}: {caution.text}")
            advance(number, what=f"{what} {printable(result.id)}")
            try:
                made.append(work(Item(result, sources.get(result.id)), share))
            except ToprockError as problem:
                made.append(Failure(result.id, str(problem)))
    return made


def _tell(made: Sequence[list[Path] | Failure]) -> None:
    """Print the files that were written; exit 1 where something failed."""
    from toprock.assess.model import Failure

    for one in made:
        if isinstance(one, Failure):
            say(f"error: {one.error}")
            continue
        for file in one:
            print(printable(str(file)))
    if any(isinstance(one, Failure) for one in made):
        raise typer.Exit(1)


def _say_encoder() -> None:
    from toprock.exports.film import PLAYED_EVERYWHERE, find_encoder

    if (encoder := find_encoder()) not in PLAYED_EVERYWHERE:
        say(f"note: this PyAV has no H.264 encoder; videos are written as {encoder}, which browsers do not play.")
