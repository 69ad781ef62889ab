"""A log of every use, kept on this machine alone: what was judged, when, by which model, with what result.

One JSON object a line in `$TOPROCK_LOG`; by default `toprock/uses.jsonl` in the user's folder for state
(`$XDG_STATE_HOME`, else `~/.local/state`). `TOPROCK_LOG=off` keeps none.
"""

from __future__ import annotations

import csv
import hashlib
import io
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from toprock._version import __version__
from toprock.errors import StorageError
from toprock.files import harmless, storage_errors

COLUMNS = ("when", "command", "id", "score", "scaled", "low", "high", "result", "model", "model_hash", "toprock")


def log_file() -> Path | None:
    """Where uses are noted; None where that is off, or nobody's home is known."""
    chosen = os.environ.get("TOPROCK_LOG", "")
    if chosen.lower() == "off":
        return None
    if chosen:
        return Path(chosen)
    state = os.environ.get("XDG_STATE_HOME")
    try:
        return (Path(state) if state else Path.home() / ".local" / "state") / "toprock" / "uses.jsonl"
    except RuntimeError:
        return None


def note(command: str, model: Path, results: Sequence[Mapping[str, Any]], **more: Any) -> bool:
    """Add a line to the log; false where it could not be written, which stops nobody's work.

    Args:
        command: as people call it.
        model: folder.
        results: of each performance: id, and score or error, and what else is worth keeping.
        more: of the use as a whole.
    """
    path = log_file()
    if path is None:
        return True
    line = {
        "when": datetime.now(UTC).isoformat(timespec="seconds"),
        "command": command,
        "model": str(model.absolute()),
        "model_hash": _digest(model),
        "toprock": __version__,
        **more,
        "results": list(results),
    }
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        # one write of a line in append mode: uses that end at the same time do not mix
        handle = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        try:
            os.write(handle, (json.dumps(line, ensure_ascii=False) + "\n").encode("utf-8", "surrogateescape"))
        finally:
            os.close(handle)
    except OSError:
        return False
    return True


def uses(path: Path) -> Iterator[dict[str, Any]]:
    """The lines of a log, the oldest first; one that a crash cut short is left out.

    Raises:
        StorageError: it cannot be read.
    """
    try:
        text = path.read_text(encoding="utf-8", errors="surrogateescape")
    except FileNotFoundError:
        return
    except OSError as problem:
        raise StorageError(f"{path}: cannot be read ({problem.strerror})", advice="Check who may read it.") from problem
    for line in text.split("\n"):
        try:
            found = json.loads(line)
        except ValueError:
            continue
        if isinstance(found, dict) and isinstance(found.get("results"), list):
            yield {**found, "results": [result for result in found["results"] if isinstance(result, dict)]}


def as_csv(found: Iterator[dict[str, Any]]) -> str:
    """A line a performance, with the columns `COLUMNS`.

    Text that a spreadsheet would take for a formula gets an apostrophe in front.
    """
    out = io.StringIO()
    writer = csv.DictWriter(out, COLUMNS, extrasaction="ignore", lineterminator="\n")
    writer.writeheader()
    for use in found:
        for result in use["results"]:
            row = {**use, **result, "result": result.get("error") or use.get("verdict", "")}
            writer.writerow({name: _plain(row.get(name)) for name in COLUMNS})
    return out.getvalue()


def clear(path: Path) -> None:
    """Delete the log.

    Raises:
        StorageError: it holds something else, or cannot be deleted.
    """
    with storage_errors(path):
        if path.is_file() and path.stat().st_size and next(uses(path), None) is None:
            raise StorageError(f"{path}: is no log of uses", advice="See what TOPROCK_LOG says; nothing was deleted.")
        path.unlink(missing_ok=True)


def _plain(value: Any) -> Any:
    return harmless(value) if isinstance(value, str) else value


def _digest(model: Path) -> str:
    try:
        return hashlib.sha256((model / "model.safetensors").read_bytes()).hexdigest()[:16]
    except OSError:
        return ""
