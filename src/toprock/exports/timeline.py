"""The formats in which a timeline can be taken elsewhere, by name."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from toprock.errors import UsageError
from toprock.exports.chapters import chapters
from toprock.exports.elan import elan_document
from toprock.exports.item import Item
from toprock.exports.label_studio import label_studio_tasks
from toprock.exports.table import table
from toprock.files import write_text


@dataclass(frozen=True)
class TimelineFormat:
    """A format of files.

    Attributes:
        name: as it is asked for.
        ending: of its files, with the dot.
        render: performances, and the folder where the file will lie, to its text.
        joins: whether one file may hold several performances.
        counts_frames: whether videos and their frame rates must be known.
    """

    name: str
    ending: str
    render: Callable[[Sequence[Item], Path], str]
    joins: bool = False
    counts_frames: bool = False


EXPORTS: Mapping[str, TimelineFormat] = {
    made.name: made
    for made in (
        TimelineFormat("csv", ".csv", lambda items, _: table(items), joins=True),
        TimelineFormat("eaf", ".eaf", lambda items, folder: elan_document(items[0], folder)),
        TimelineFormat("vtt", ".vtt", lambda items, _: chapters(items[0])),
        TimelineFormat(
            "label-studio", ".json", lambda items, _: label_studio_tasks(items), joins=True, counts_frames=True
        ),
    )
}


def write_timeline(items: Sequence[Item], path: str | Path, *, format: str) -> Path:
    """Write the timelines of performances to one file, whole or not at all.

    Args:
        items: one, or several where the format holds several.
        path: the file; its folder is made where needed.
        format: a name in `EXPORTS`.

    Returns:
        `path`.

    Raises:
        UsageError: there is no such format, it holds one performance only, or cannot hold this one.
        StorageError: the file cannot be written.

    >>> write_timeline([Item(toprock.load("model").assess("battle.mp4"))], "battle.vtt", format="vtt").name
    'battle.vtt'
    """
    if format not in EXPORTS:
        raise UsageError(f"the format '{format}' is not known", advice=f"Use one of {', '.join(EXPORTS)}.")
    made = EXPORTS[format]
    if not items or (len(items) > 1 and not made.joins):
        raise UsageError(f"a file of the format {format} holds one performance, not {len(items)}", advice="Give one.")
    path = Path(path)
    write_text(path, made.render(items, path.parent))
    return path
