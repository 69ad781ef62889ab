"""What several commands share: progress bars, JSON on standard output, option types."""

from __future__ import annotations

import contextlib
import json
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from toprock.cli.app import printable
from toprock.errors import UsageError
from toprock.files import finite
from toprock.places import place

if TYPE_CHECKING:
    from toprock.features import FeatureStore, Progress

ModelOption = Annotated[Path, typer.Option("--model", "-m", help="Model folder.", show_default=False)]
FeaturesOption = Annotated[
    Path,
    typer.Option("--features", "-f", parser=place, metavar="STORE", help="Feature store.", show_default=False),
]
StoreOutOption = Annotated[
    Path,
    typer.Option(
        "--out",
        "-o",
        parser=place,
        metavar="FOLDER|ADDRESS",
        help="Feature store: a new folder or address (s3://...), or one to fill on.",
        show_default=False,
    ),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON document on standard output.")]
ManifestOption = Annotated[
    Path | None, typer.Option("--manifest", help="Manifest (CSV) that names performers.", show_default=False)
]
SeedOption = Annotated[int, typer.Option(min=0, max=2**31 - 1, help="Of everything that is drawn at random.")]
SkipOption = Annotated[bool, typer.Option("--skip-missing", help="Leave out pairs without features, and say so.")]
StartOption = Annotated[
    Path | None,
    typer.Option("--start-from", help="Go on from this model (same features), and stay near it.", show_default=False),
]
DeviceOption = Annotated[
    str, typer.Option("--device", metavar="auto|cpu|cuda", help="Where networks run.", show_default=False)
]
EngineOption = Annotated[
    str, typer.Option("--engine", metavar="local|ray", help="Where it runs: on this machine, or on a Ray cluster.")
]
AddressOption = Annotated[
    str | None,
    typer.Option(
        "--address",
        metavar="HOST:PORT|auto",
        help="Of the Ray cluster; by default one is started on this machine.",
        show_default=False,
    ),
]
PrecisionOption = Annotated[
    str,
    typer.Option(
        "--precision",
        metavar="auto|float32|bfloat16",
        help="How networks compute; auto tries it out.",
        show_default=False,
    ),
]
ReportOption = Annotated[
    str | None,
    typer.Option(
        "--report",
        metavar="FILE.html|FILE.pdf|FOLDER/",
        help="Write a report: a page that holds all it shows, a PDF, or a folder of pages.",
        show_default=False,
    ),
]
PicturesOption = Annotated[
    str,
    typer.Option(
        "--pictures",
        metavar="full|none|blur",
        help="Pictures in the report: as they are, none, or blurred so that nobody is recognised.",
        show_default=False,
    ),
]
CriterionOption = Annotated[
    str | None, typer.Option("--criterion", help="Which judgements to take from a file with several kinds.")
]


def print_json(value: Any) -> None:
    """One document on standard output, in ASCII so that no locale spoils it."""
    print(json.dumps(finite(value), allow_nan=False))


def say(text: str) -> None:
    """A line for people, on standard error, so that standard output stays clean."""
    print(printable(text), file=sys.stderr)


@contextlib.contextmanager
def bar(what: str, total: float | None = None, *, shown: bool = True) -> Iterator[Callable[..., None]]:
    """A progress bar on standard error, where it is `shown`; call it with (done, total=None, what=None)."""
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        Progress,
        TaskProgressColumn,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(bar_width=None),
        TaskProgressColumn(),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(compact=True),
    )
    console = Console(stderr=True)
    if not shown or not console.is_terminal:  # a bar that is switched off ends in an empty line, before rich 15
        yield lambda done, total=None, what=None: None
        return
    with Progress(*columns, console=console, transient=True) as progress:
        task = progress.add_task(what, total=total)

        def advance(done: float, total: float | None = None, what: str | None = None) -> None:
            changed = {k: v for k, v in (("total", total), ("description", what)) if v is not None}
            progress.update(task, completed=done, **changed)  # type: ignore[arg-type]

        yield advance


@contextlib.contextmanager
def extraction_bar(total: int) -> Iterator[Callable[[Progress], None]]:
    """A bar over videos that tells failures above itself as they come."""
    with bar(f"Reading {total} videos", total) as advance:

        def on_progress(progress: Progress) -> None:
            at = f" at {progress.time_s:.0f} s" if progress.time_s else ""
            advance(progress.done, progress.total, f"Reading {printable(progress.video.name)}{at}")
            if progress.error:
                say(f"left out: {progress.error}")

        yield on_progress


def performers_of(manifest: Path | None, store: FeatureStore) -> dict[str, str]:
    """id in the store -> performer of a manifest, where one is given."""
    from toprock.performance import by_known_id, read_manifest

    if manifest is None:
        return {}
    named = {p.id: p.performer for p in read_manifest(manifest) if p.performer}
    found = by_known_id(named, store.ids())
    if not found:
        say(f"note: {manifest} names the performer of no performance in {store.folder}.")
    return found


def columns_of(manifest: Path | None, store: FeatureStore, names: Sequence[str]) -> dict[str, dict[str, str]]:
    """Column of a manifest -> id in the store -> value; by default performer and event, where they make groups.

    Raises:
        UsageError: a column that is named is not there, or there is no manifest.
    """
    from toprock.performance import by_known_id, read_manifest

    if manifest is None:
        if names:
            raise UsageError("--by is for columns of a manifest", advice="Give it with --manifest FILE.")
        return {}
    performances = read_manifest(manifest)
    found: dict[str, dict[str, str]] = {}
    for name in dict.fromkeys(names or ("performer", "event")):
        own = name in ("performer", "event")
        values = {p.id: (getattr(p, name) if own else p.extra.get(name)) or "" for p in performances}
        given = [value for value in values.values() if value]
        if given and (names or 1 < len(set(given)) < len(given)):  # else each group is one performance, or all
            found[name] = by_known_id(values, store.ids())
        elif names:
            there = sorted({"performer", "event", *(column for p in performances for column in p.extra)})
            raise UsageError(f"{manifest}: has nothing in a column '{name}'", advice=f"It has: {', '.join(there)}.")
    return found


def say_left_out(missing: Mapping[str, str], pairs: int) -> None:
    """What --skip-missing left out, and why."""
    if missing:
        names = ", ".join(f"{ident} ({why})" for ident, why in list(missing.items())[:10])
        say(f"left out {len(missing)} performances and {pairs} pairs: {names}{' ...' if len(missing) > 10 else ''}")
