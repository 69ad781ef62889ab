"""The command that shows what is set on this machine: settings."""

from __future__ import annotations

import inspect
import json as json_module
import re
from dataclasses import MISSING, asdict, fields
from typing import Any

from toprock.cli.app import app
from toprock.cli.common import JsonOption, print_json


@app.command()
def settings(json: JsonOption = False) -> None:
    """Show the bounds on what videos and the room may cost, as a settings file: save it, and change a line.

    A line behind # is a default. Commands and jobs read [limits] when they begin, a room reads [room] when it opens.
    """
    from toprock.settings import section, settings_file

    path = settings_file()
    found = {name: section(name, kind) for name, kind in _kinds().items()}
    if json:
        values = {name: asdict(value) for name, value in found.items()}
        print_json({"schema": 1, "file": None if path is None else str(path), **values})
        return
    here = "" if path is not None and path.is_file() else " (not there: all are defaults)"
    print(f"# {path or 'nobody has a home here; name a file with TOPROCK_SETTINGS'}{here}")
    for name, value in found.items():
        told = _told(type(value))
        print(f"\n[{name}]")
        for field in fields(value):
            at = getattr(value, field.name)
            default = field.default is not MISSING and at == field.default
            print(f"{'# ' * default}{field.name} = {json_module.dumps(at)}".ljust(32) + f" # {told[field.name]}")


def _kinds() -> dict[str, type[Any]]:
    from toprock.video import Limits

    try:
        from toprock.library import Bounds
    except ImportError:  # the room is not installed
        return {"limits": Limits}
    return {"limits": Limits, "room": Bounds}


def _told(kind: type[Any]) -> dict[str, str]:
    """What a dataclass says of its attributes."""
    text = inspect.getdoc(kind) or ""
    lines = re.findall(r"^ {4}(\w+): (.*(?:\n {8}.*)*)", text, re.MULTILINE)
    return {name: " ".join(words.split()) for name, words in lines}
