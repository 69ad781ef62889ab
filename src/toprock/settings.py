"""What this machine's owner has set: bounds on what a video and the room may cost, in a TOML file.

The file is `$TOPROCK_SETTINGS`; by default `toprock/settings.toml` in the user's folder for settings
(`$XDG_CONFIG_HOME`, else `~/.config`). Its sections are dataclasses of the modules that obey them::

    [limits]                # toprock.video.Limits
    memory_mb = 2048
    stall_s = 60

    [room]                  # toprock.library.Bounds
    max_upload_mb = 4096

A command and a job of the room read [limits] when they begin, a room reads [room] when it is opened.
"""

from __future__ import annotations

import os
import tomllib
from dataclasses import fields
from pathlib import Path
from typing import Any, TypeVar

from toprock.errors import UsageError

SECTIONS = ("limits", "room")
T = TypeVar("T")


def settings_file() -> Path | None:
    """Where settings are read from, whether or not it is there; None where nobody's home is known."""
    if chosen := os.environ.get("TOPROCK_SETTINGS"):
        return Path(chosen).expanduser()
    config = os.environ.get("XDG_CONFIG_HOME")
    try:
        return (Path(config) if config else Path.home() / ".config") / "toprock" / "settings.toml"
    except RuntimeError:
        return None


def section(name: str, kind: type[T]) -> T:
    """One section of the settings as an object of its dataclass; what is not set has the default there.

    Raises:
        UsageError: the file cannot be read, or a name or value in it cannot be; says which and what is allowed.

    >>> from toprock.video import Limits
    >>> section("limits", Limits).max_streams
    64
    """
    from pydantic import TypeAdapter, ValidationError

    path = settings_file()
    given = _read(path).get(name, {}) if path is not None else {}
    allowed = [field.name for field in fields(kind)]  # type: ignore[arg-type]
    if not isinstance(given, dict):
        raise UsageError(f"{path}: '{name}' is no section", advice=f"Write [{name}] on a line of its own.")
    if unknown := sorted(given.keys() - set(allowed)):
        raise UsageError(f"{path}: [{name}] has no '{unknown[0]}'", advice=f"Allowed are {', '.join(allowed)}.")
    for key, value in given.items():
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            raise UsageError(f"{path}: [{name}] {key} is no number", advice=f"Write: {key} = NUMBER.")
    try:
        return TypeAdapter(kind).validate_python(given)
    except ValidationError as problem:
        error = problem.errors()[0]
        where = ".".join(map(str, error["loc"]))
        raise UsageError(
            f"{path}: [{name}] {where} = {error['input']!r}: {error['msg']}",
            advice="Write such a number, or leave it out.",
        ) from None
    except UsageError as problem:
        raise UsageError(f"{path}: [{name}] {problem.message}", advice=problem.advice) from None


def _read(path: Path) -> dict[str, Any]:
    try:
        found = tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except (FileNotFoundError, NotADirectoryError):
        if os.environ.get("TOPROCK_SETTINGS"):
            raise UsageError(f"{path}: there is no such file", advice="Check TOPROCK_SETTINGS.") from None
        return {}
    except (OSError, ValueError, RecursionError) as problem:
        reason = getattr(problem, "strerror", None) or problem
        raise UsageError(f"{path}: cannot be read ({reason})", advice="Mend it, or move it away.") from None
    if unknown := sorted(found.keys() - set(SECTIONS)):
        raise UsageError(f"{path}: there is no section [{unknown[0]}]", advice=f"Allowed are {', '.join(SECTIONS)}.")
    return found
