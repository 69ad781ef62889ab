"""The command features import."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from toprock.cli.app import app, printable
from toprock.cli.common import StoreOutOption, bar, say
from toprock.errors import UsageError

features = typer.Typer(no_args_is_help=True, help="Bring in features made elsewhere; list, check and tidy a store.")
app.add_typer(features, name="features")


class StreamName(StrEnum):
    """The two streams."""

    dynamic = "dynamic"
    static = "static"


@features.command("import")
def import_(
    source: Annotated[Path, typer.Argument(help="A folder of .npz or .npy files, one a performance; or one file.")],
    out: StoreOutOption,
    name: Annotated[str, typer.Option(help="Of the features, such as i3d.", show_default=False)],
    stream: Annotated[StreamName, typer.Option(help="Clips are dynamic, frames static.", show_default=False)],
    key: Annotated[str, typer.Option(help="Which array of an .npz archive.")] = "arr_0",
    suffix: Annotated[str, typer.Option(help="Take only files whose names end so, such as _rgb; ids lose it.")] = "",
    rate_hz: Annotated[
        float | None,
        typer.Option(
            help="Segment t covers t/RATE to (t+1)/RATE seconds; by default segments share the time from start to end.",
            show_default=False,
        ),
    ] = None,
    segments: Annotated[
        int | None, typer.Option(min=1, help="Refuse other numbers of segments.", show_default=False)
    ] = None,
    manifest: Annotated[
        Path | None,
        typer.Option(help="CSV with id and intervals, or id, start_s, end_s: what times lie in.", show_default=False),
    ] = None,
    duration: Annotated[
        float | None, typer.Option(help="Seconds of each performance that the manifest lacks.", show_default=False)
    ] = None,
) -> None:
    """Store features that other tools made. Safe to interrupt; run it again to go on."""
    for option, value in (("--rate-hz", rate_hz), ("--duration", duration)):
        if value is not None and not 0 < value < float("inf"):
            raise UsageError(f"{option} is {value}", advice="Give a number above 0.")
    from toprock.features import FeatureStore
    from toprock.features.importing import check_name, find_arrays, import_features, read_spans
    from toprock.performance import by_known_id

    check_name(name)
    files = find_arrays(source, suffix=suffix)
    spans = read_spans(manifest) if manifest else {}
    if spans and not by_known_id(spans, files):
        say(f"note: {manifest} names none of the performances in {source} (such as {next(iter(files))}).")
    store = FeatureStore(out, create=True)
    with bar("Importing") as advance:
        result = import_features(
            source,
            store,
            stream=stream.value,
            name=name,
            key=key,
            suffix=suffix,
            segments=segments,
            rate_hz=rate_hz,
            spans=spans,
            duration_s=duration,
            on_progress=lambda done, total, ident: advance(done, total, f"Importing {printable(ident)}"),
        )
    for why in result.failed.values():
        say(f"left out: {why}")
    kept = f", {len(result.kept)} were there already" if result.kept else ""
    say(f"{len(result.written)} performances imported into {out}{kept}, {len(result.failed)} failed.")
    timed = rate_hz is not None or duration is not None
    untimed = [] if timed else [i for i in result.written if store.read(i).facts.get("duration_s") is None]
    if untimed:
        say(
            f"note: how long {len(untimed)} of them are is not known (such as {untimed[0]}): their times count "
            "segments, not seconds; --manifest or --duration tells it."
        )
    if result.failed:
        raise typer.Exit(1)
