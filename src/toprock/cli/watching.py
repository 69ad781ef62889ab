"""The command that scores a performance while it goes on."""

from __future__ import annotations

import contextlib
import json as codec
import signal
import sys
import time
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from toprock.cli.app import app, printable
from toprock.cli.assessing import print_result, reporting, scaled_text
from toprock.cli.common import (
    DeviceOption,
    JsonOption,
    ModelOption,
    PicturesOption,
    PrecisionOption,
    ReportOption,
    print_json,
    say,
)
from toprock.cli.judging import log_use, open_model
from toprock.errors import EmptyVideo, UsageError
from toprock.files import spare_inputs

if TYPE_CHECKING:
    from rich.console import RenderableType

    from toprock.assess.assessment import Assessment, Moment
    from toprock.live import Update, Watching

_PLAIN_S = 5.0  # from one plain line to the next
Show = Callable[["Update"], None]


@app.command()
def watch(
    source: Annotated[
        str, typer.Argument(help="A file that is being written, a camera (/dev/video0), or rtsp://HOST/PATH.")
    ],
    model: ModelOption,
    quiet_s: Annotated[
        float, typer.Option("--quiet-s", help="A file has ended when nothing was written for so many seconds.")
    ] = 5.0,
    for_s: Annotated[
        float | None, typer.Option("--for", metavar="SECONDS", help="Watch so much of it.", show_default=False)
    ] = None,
    record: Annotated[
        Path | None,
        typer.Option("--record", metavar="FILE.mkv", help="Keep what a camera or rtsp:// sends.", show_default=False),
    ] = None,
    report: ReportOption = None,
    pictures: PicturesOption = "full",
    device: DeviceOption = "auto",
    precision: PrecisionOption = "auto",
    lines: Annotated[
        bool, typer.Option("--lines", help="Print a JSON object about every second, the last with all of it.")
    ] = False,
    json: JsonOption = False,
) -> None:
    """Score a performance while it goes on; Ctrl-C ends it with the score of what was seen.

    With --json the one document comes at the end: that of score, and `live`, how the watching went. With --lines
    there is a JSON object a line about every second: time_s, score, scaled, percentile, delay_s, and the segments
    that are new since the last; the last line is the document of --json with `final`: true.
    """
    from toprock.live import Watching, read_source

    if lines and json:
        raise UsageError("--lines and --json exclude each other", advice="Give one of them.")
    for option, value in (("--quiet-s", quiet_s), ("--for", for_s)):
        if value is not None and not 0 < value < float("inf"):
            raise UsageError(f"{option} is {value:g}", advice="Give a number above 0.")
    mode, _ = reporting(report, pictures, None, folders=True)
    for written in (report, record):
        if written is not None:
            spare_inputs(written, [source])
    found = read_source(source)
    opened = open_model(model, device, precision)
    told = cache(lambda: say(f"waiting for {found.shown} to begin"))
    with Watching(opened, found, quiet_s=quiet_s, for_s=for_s, record=record, on_wait=told) as watching:
        result = _watched(watching, lines=lines)
        assert watching.end is not None
        log_use("watch", model, [result])
        document = {**result.to_json(), "live": watching.to_json()}
        if lines:
            _line({"final": True, **document})
        elif json:
            print_json(document)
        else:
            print_result(result)
        for name, pace in opened.paces.items():
            say(f"{name} ran on {pace}.")
        say(f"{'error' if watching.end.broken else 'note'}: {watching.end.note}")
        if report is not None:
            from toprock.report import write_report

            shown = {result.id: watching.performance}
            say(f"report: {write_report([result], report, performances=shown, pictures=mode)}")
        if watching.end.broken:
            raise typer.Exit(1)


def _watched(watching: Watching, *, lines: bool) -> Assessment:
    """The final assessment, after all updates were shown; an interrupt ends the watching, a second one everything."""
    last = None
    with _interrupts() as interrupted, _shown(watching, lines) as show:
        stopped = False
        for update in watching:
            last = update.assessment
            if not update.final:
                show(update)
            if interrupted() and not stopped and not update.final:
                stopped = True
                watching.stop()
    if last is None:
        raise EmptyVideo(watching.source.shown, "nothing was seen of it", advice="Watch it for longer.")
    return last


@contextlib.contextmanager
def _interrupts() -> Iterator[Callable[[], bool]]:
    """Whether there was an interrupt; a second one is raised."""
    asked: list[int] = []

    def ask(*_: Any) -> None:
        asked.append(1)
        if len(asked) > 1:
            raise KeyboardInterrupt

    before = {number: signal.signal(number, ask) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield lambda: bool(asked)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextlib.contextmanager
def _shown(watching: Watching, lines: bool) -> Iterator[Show]:
    """How updates are shown: JSON lines, else a panel in a terminal, else a plain line every few seconds."""
    if lines:
        yield lambda update: _line(_row(update))
        return
    from rich.console import Console

    console = Console(stderr=True)
    if not console.is_terminal:
        yield _Plain()
        return
    from rich.live import Live

    with Live(console=console, transient=True, auto_refresh=False) as live:
        yield lambda update: live.update(panel(watching.source.shown, update), refresh=True)


class _Plain:
    def __init__(self) -> None:
        self._next_s = 0.0

    def __call__(self, update: Update) -> None:
        if update.assessment is not None and time.monotonic() >= self._next_s:
            self._next_s = time.monotonic() + _PLAIN_S
            say(" ".join([_clock(update.time_s), _standing(update.assessment), _delay(update)]).strip())


def panel(name: str, update: Update) -> RenderableType:
    """What stands in the corner of the picture in a broadcast: time, score, and the last strong moment.

    What raised the score is green, what lowered it red.
    """
    from rich.panel import Panel
    from rich.text import Text

    text = Text()
    if update.assessment is None:
        text.append("waiting for the first evidence", "dim")
    else:
        text.append(_standing(update.assessment), "bold")
        text.append("  score so far", "dim")
        if (moment := _latest(update.assessment)) is not None:
            good = moment.kind == "best"
            words = ", ".join(filter(None, [moment.stream, *moment.differs[:2]]))
            span = f"{_clock(moment.start_s)} to {_clock(moment.end_s)}"
            text.append(f"\n{'+' if good else '-'} {span}  {moment.contribution:+.3f}  ", "green" if good else "red")
            text.append(printable(words), "green" if good else "red")
        text.append(f"\n{_delay(update)}", "dim")
    title = Text.assemble((" LIVE ", "bold white on red"), f" {printable(name)}  {_clock(update.time_s)} ")
    return Panel(text, title=title, title_align="left", padding=(0, 2))


def _latest(assessment: Assessment) -> Moment | None:
    return max(assessment.moments, key=lambda moment: moment.end_s, default=None)


def _standing(assessment: Assessment) -> str:
    """The score so far, on the scale and among the training performances where the model knows them."""
    above = "" if assessment.percentile is None else f"   above {assessment.percentile:.0f} % of those learnt from"
    return f"{scaled_text(assessment)}{assessment.score:+.3f}{above}"


def _delay(update: Update) -> str:
    return "" if update.delay_s is None else f"(evidence {update.delay_s:.1f} s behind)"


def _clock(time_s: float) -> str:
    from toprock.assess.explain import clock

    return clock(time_s)


def _row(update: Update) -> dict[str, Any]:
    found = update.assessment
    row: dict[str, Any] = {"schema": 1, "final": False, "time_s": update.time_s, "delay_s": update.delay_s}
    row |= {"score": None, "scaled": None, "percentile": None, "segments": []}
    if found is not None:
        document = found.to_json()
        row |= {key: document[key] for key in ("score", "scaled", "percentile")}
        new = {(s.stream, s.start_s) for s in update.segments}
        row["segments"] = [s for s in document["segments"] if (s["stream"], s["start_s"]) in new]
    return row


def _line(value: dict[str, Any]) -> None:
    from toprock.files import finite

    print(codec.dumps(finite(value), allow_nan=False))
    sys.stdout.flush()
