"""The commands' common ground: the application, its entry point, and how errors are told."""

from __future__ import annotations

import io
import os
import re
import signal
import sys
from importlib import import_module
from pathlib import Path
from typing import Annotated

import typer

from toprock._version import __version__
from toprock.errors import ToprockError, UsageError
from toprock.shortage import lacking

_COMMANDS = (
    *("assessing", "benchmarking", "datasets", "evaluating", "exporting", "importing", "making", "serving"),
    *("settings", "stores", "usage", "versions", "watching"),
)
_INTERRUPTED = 130
_STARVED = b"error: there is not enough memory for this. Close other programs, and try again.\n"

app = typer.Typer(
    name="toprock",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="Scores long performances from video, learns from comparisons, and shows which seconds made the score.",
)


def _version(wanted: bool) -> None:
    if wanted:
        print(f"toprock {__version__}")
        raise typer.Exit


@app.callback()
def _common(
    version: Annotated[bool, typer.Option("--version", callback=_version, is_eager=True, help="Show it.")] = False,
) -> None:
    pass


def main() -> None:
    """Run the command line; exit 2 on wrong use, 1 where something failed, 130 on an interrupt."""
    try:
        _main()
    except MemoryError:  # there was none left to say so in the usual way
        os.write(2, _STARVED)
        os._exit(1)


def _main() -> None:
    _ready_streams()
    try:
        signal.signal(signal.SIGTERM, signal.default_int_handler)
        for name in _COMMANDS:  # importing them adds their commands
            import_module(f"toprock.cli.{name}")
        status = app(standalone_mode=False)
        sys.stdout.flush()
        if status == _INTERRUPTED:  # what typer makes of an interrupt within a command
            raise KeyboardInterrupt
    except UsageError as problem:
        _tell(str(problem), 2)
    except ToprockError as problem:
        _tell(str(problem), 1)
    except (KeyboardInterrupt, typer.Abort):
        _tell("interrupted; extract, train, benchmark and demo go on from here when run again.", _INTERRUPTED, label="")
    except OSError as problem:
        _let_go_of_output()
        if isinstance(problem, BrokenPipeError):
            sys.exit(1)
        what = f"{problem.filename or 'standard output'}: {problem.strerror or problem}."
        told = lacking(problem) or f"{what} See to it that it is there, may be used and has room; then try again."
        _tell(str(told), 1)
    except Exception as problem:
        if short := lacking(problem):
            _tell(str(short), 1)
        if not hasattr(problem, "format_message"):
            raise
        command = getattr(getattr(problem, "ctx", None), "command_path", "toprock")
        if text := problem.format_message():
            _tell(f"{' '.join(text.split())} (see {command} --help)", 2)
        sys.exit(2)
    sys.exit(status if isinstance(status, int) else 0)


def _ready_streams() -> None:
    """Streams that take any text, and none that is closed: the next file opened would be in its place."""
    for name in ("stdin", "stdout", "stderr"):
        if getattr(sys, name) is None:
            setattr(sys, name, Path(os.devnull).open("r+"))  # noqa: SIM115 - until the end
        if isinstance(stream := getattr(sys, name), io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # names of files need not be text


def _let_go_of_output() -> None:
    """Where standard output is broken, keep Python from trying again at its end."""
    try:
        sys.stdout.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _tell(text: str, status: int, label: str = "error: ") -> None:
    print(f"{label}{printable(text)}", file=sys.stderr)
    sys.exit(status)


def printable(text: str) -> str:
    """One line that changes nothing in a terminal: names of files may hold line ends and control characters.

    Addresses lose the name and password that they may hold.
    """
    text = re.sub(r"(\w:/{1,2})(?!NAME:PASSWORD@)[^/\s]*@", r"\1...@", text)
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)
