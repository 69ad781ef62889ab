"""The log of every use: log."""

from __future__ import annotations

from collections import deque
from pathlib import Path
from typing import Annotated

import typer

from toprock.cli.app import app, printable
from toprock.cli.common import JsonOption, print_json, say

_SHOWN = 20


@app.command("log")
def log(
    export: Annotated[
        Path | None, typer.Option(help="Write all of it: FILE.csv or FILE.json.", show_default=False)
    ] = None,
    clear: Annotated[bool, typer.Option("--clear", help="Delete the log.")] = False,
    json: JsonOption = False,
) -> None:
    """Show what was judged here, when, by which model, with what result. It stays on this machine."""
    from toprock import usage
    from toprock.errors import UsageError
    from toprock.files import write_json, write_text

    path = usage.log_file()
    if path is None:
        raise UsageError("no log is kept: TOPROCK_LOG is off", advice="Unset it to keep one.")
    if not path.is_file() and not json:
        say(f"nothing has been noted yet; uses will be in {path}.")
        return
    if export is not None and export.suffix.lower() not in (".csv", ".json"):
        raise UsageError(f"{export}: is neither .csv nor .json", advice="Name a file that ends in one of them.")
    if export is not None:
        if export.suffix.lower() == ".csv":
            write_text(export, usage.as_csv(usage.uses(path)))
        else:
            write_json(export, {"schema": 1, "uses": list(usage.uses(path))})
        say(f"log: {export}")
    elif json:
        print_json({"schema": 1, "file": str(path), "uses": list(usage.uses(path))})
    elif not clear:
        for use in deque(usage.uses(path), _SHOWN):
            results = use["results"]
            names = ", ".join(printable(str(r.get("id"))) for r in results[:3])
            more = f" and {len(results) - 3} more" if len(results) > 3 else ""
            print(f"{use.get('when')}  {use.get('command'):<8} {names}{more}   {printable(str(use.get('model')))}")
        say(f"{path} has all of it; --export FILE.csv writes a line a performance.")
    if clear:
        usage.clear(path)
        say(f"{path}: deleted.")
