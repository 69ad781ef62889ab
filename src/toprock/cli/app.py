"""The commands' common ground: the application, its entry point, and how errors are told."""

from __future__ import annotations

import os
import sys
from typing import Annotated

import typer

from toprock._version import __version__
from toprock.errors import ToprockError, UsageError

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
    from toprock.cli import assessing, evaluating, making

    del assessing, evaluating, making  # importing them adds their commands
    try:
        status = app(standalone_mode=False)
    except UsageError as problem:
        _tell(str(problem), 2)
    except ToprockError as problem:
        _tell(str(problem), 1)
    except (KeyboardInterrupt, typer.Abort):
        _tell("interrupted; the same command goes on from here.", 130, label="")
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
    except Exception as problem:
        if not hasattr(problem, "format_message"):
            raise
        command = getattr(getattr(problem, "ctx", None), "command_path", "toprock")
        if text := problem.format_message():
            _tell(" ".join(text.split()) + f" (see {command} --help)", 2)
        sys.exit(2)
    sys.exit(status if isinstance(status, int) else 0)


def _tell(text: str, status: int, label: str = "error: ") -> None:
    print(f"{label}{text}", file=sys.stderr)
    sys.exit(status)
