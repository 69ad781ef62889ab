"""Where a report goes: a page, a PDF, or a folder of pages; told by how the name ends."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from toprock.errors import UsageError
from toprock.report.pictures import PICTURES, Pictures


@dataclass(frozen=True)
class Destination:
    """A file or folder to write, and what it is to be."""

    path: Path
    kind: Literal["page", "pdf", "folder"]


def destination(text: str | Path, *, folders: bool = True) -> Destination:
    """What a name asks for.

    Args:
        text: ends in .html or .pdf, or in / where it is a folder that need not be there yet.
        folders: whether a folder may be asked for.

    Raises:
        UsageError: it ends otherwise, or a PDF is asked for and cannot be set here.

    >>> destination("out/").kind, destination("report.html").kind
    ('folder', 'page')
    """
    path, name = Path(text), str(text)
    allowed = "Give a name that ends in .html or .pdf" + (", or a folder (ending in /)." if folders else ".")
    if name.endswith(("/", "\\")) or path.is_dir():
        if not folders:
            raise UsageError(f"the report '{name}' is a folder", advice=allowed)
        return Destination(path, "folder")
    ending = path.suffix.lower()
    if ending == ".pdf":
        from toprock.report.pdf import require_pdf

        require_pdf()
        return Destination(path, "pdf")
    if ending in (".html", ".htm"):
        return Destination(path, "page")
    raise UsageError(f"the report '{name}' cannot be written in that form", advice=allowed)


def pictures_mode(text: str) -> Pictures:
    """One of full, none and blur.

    Raises:
        UsageError: it is another word.
    """
    for mode in PICTURES:
        if text == mode:
            return mode
    raise UsageError(f"pictures cannot be '{text}'", advice=f"Choose from {', '.join(PICTURES)}.")
