"""What a chapter of the report on reliability is, and how it is written down."""

from __future__ import annotations

import os
import platform
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True)
class Scale:
    """How much to try.

    Attributes:
        full: the long run of `make hardening`, or a short one.
        folder: for files that may go afterwards; it is empty at first.
        seed: of all that is drawn.
    """

    full: bool
    folder: Path
    seed: int = 0

    def of(self, full: int, short: int) -> int:
        """The first number in the long run, else the second."""
        return full if self.full else short


@dataclass(frozen=True)
class Table:
    """Rows under a head; cells are texts or numbers."""

    head: Sequence[str]
    rows: Sequence[Sequence[object]]

    def markdown(self) -> str:
        """The table in Markdown, numbers to the right."""
        numbers = [all(isinstance(row[i], (int, float)) for row in self.rows) for i in range(len(self.head))]
        lines = [self.head, ["---:" if number else "---" for number in numbers], *self.rows]
        return "\n".join("| " + " | ".join(_cell(cell) for cell in line) + " |" for line in lines)


@dataclass(frozen=True)
class Chapter:
    """What was tried and what came of it.

    Attributes:
        lead: what was done, in plain words; Markdown.
        tables: the figures.
        lost: what went wrong, a line each: a result lost or doubled, a crash, a hang, an error without a name.
        notes: what a reader should know besides; Markdown.
    """

    lead: str
    tables: Sequence[Table] = ()
    lost: Sequence[str] = ()
    notes: Sequence[str] = field(default_factory=tuple)

    def markdown(self, title: str, name: str, seconds: float) -> str:
        """The chapter as it stands in the report."""
        parts = [f"## {title}", self.lead, *(table.markdown() for table in self.tables)]
        if self.lost:
            parts.append(f"**{len(self.lost)} went wrong:**\n\n" + "\n".join(f"- {line}" for line in self.lost))
        else:
            parts.append("**Nothing was lost.**")
        parts += self.notes
        parts.append(
            f"<sub>`python -m hardening {name}`, {time.strftime('%Y-%m-%d')}, {seconds:.0f} s, {machine()}</sub>"
        )
        return "\n\n".join(parts) + "\n"


def machine() -> str:
    """The machine in words."""
    return f"{os.cpu_count()} cores, {platform.system()}, Python {platform.python_version()}"


def _cell(value: object) -> str:
    if isinstance(value, float):
        return f"{value:.3g}"
    return f"{value:,}" if isinstance(value, int) else str(value).replace("|", "\\|")
