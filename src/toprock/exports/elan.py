"""The timeline as an ELAN annotation document (EAF 3.0), to go on annotating beside the evidence.

The format: ELAN Annotation Format 3.0, http://www.mpi.nl/tools/elan/EAFv3.0.xsd. ELAN takes the URL of a video as it
stands, without decoding it, so only what a URI cannot hold at all is encoded.
"""

from __future__ import annotations

import math
import os
import re
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from itertools import compress, count, pairwise
from pathlib import Path
from urllib.parse import quote
from xml.etree import ElementTree as ET

import numpy as np

from toprock._version import __version__
from toprock.errors import UsageError
from toprock.exports.item import Item
from toprock.report.figures import MINUS, decimals_for, show, units
from toprock.report.timeline import Timeline
from toprock.report.words import STREAM_NAMES

_XSI = "http://www.w3.org/2001/XMLSchema-instance"
_SCHEMA = "http://www.mpi.nl/tools/elan/EAFv3.0.xsd"
_TYPE = "evidence"
_LATEST_MS = 2**32 - 1  # the schema's unsignedInt
_NO_XML = re.compile("[^\t\n\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")  # and no \r, which XML reads as \n
_NO_URI = re.compile(r"[%#\[\]{}|^`<>\"\\\x00-\x1f\x7f]")
_MIME = {
    ".mp4": "video/mp4",
    ".m4v": "video/mp4",
    ".mov": "video/quicktime",
    ".webm": "video/webm",
    ".mkv": "video/x-matroska",
    ".avi": "video/x-msvideo",
    ".3gp": "video/3gpp",
    ".ts": "video/mp2t",
    ".mts": "video/mp2t",
    ".m2ts": "video/mp2t",
}

Span = tuple[int, int, str]  # start and end in milliseconds, and what is written there


def elan_document(item: Item, folder: str | Path = ".", *, date: datetime | None = None) -> str:
    """An EAF document: best and worst moments, and the evidence of each stream by moment and by second.

    Args:
        item: of a performance; its video is linked where it is known.
        folder: where the document will lie; the video is also named relative to it.
        date: of the document, with its time zone; now, where none is given.

    Raises:
        UsageError: a number is not finite, or a time lies before 0 or beyond what the format holds (49 days).

    >>> document = elan_document(Item(toprock.load("model").assess("battle.mp4")))
    >>> [tier.get("TIER_ID") for tier in ET.fromstring(document).iter("TIER")][:2]
    ['Moments', 'Motion in moments']
    """
    made = (date or datetime.now(UTC)).isoformat(timespec="seconds")
    root = ET.Element(
        "ANNOTATION_DOCUMENT",
        {"AUTHOR": f"toprock {__version__}", "DATE": made, "FORMAT": "3.0", "VERSION": "3.0"}
        | {"xmlns:xsi": _XSI, "xsi:noNamespaceSchemaLocation": _SCHEMA},
    )
    header = ET.SubElement(root, "HEADER", {"MEDIA_FILE": "", "TIME_UNITS": "milliseconds"})
    if item.performance is not None:
        ET.SubElement(header, "MEDIA_DESCRIPTOR", _media(item.performance.video, Path(folder)))
    tiers = dict(_tiers(item))
    score = item.assessment
    facts = [("performance", score.id), ("score", f"{score.score:.6g}"), ("typical score", f"{score.bias:.6g}")]
    facts += [("caution", caution.text) for caution in score.cautions]
    for name, value in [*facts, ("lastUsedAnnotationId", str(sum(map(len, tiers.values()))))]:
        ET.SubElement(header, "PROPERTY", {"NAME": name}).text = _text(value)
    _add_tiers(root, tiers, _text(item.name))
    kind = {"LINGUISTIC_TYPE_ID": _TYPE, "TIME_ALIGNABLE": "true", "GRAPHIC_REFERENCES": "false"}
    ET.SubElement(root, "LINGUISTIC_TYPE", kind)
    ET.indent(root)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + ET.tostring(root, encoding="unicode") + "\n"


def _add_tiers(root: ET.Element, tiers: Mapping[str, list[Span]], participant: str) -> None:
    """Every annotation has ends of its own, in order of time: moving one in ELAN must not move another."""
    spans = [span for them in tiers.values() for span in them]
    ends = sorted((ms, number, end) for number, span in enumerate(spans) for end, ms in enumerate(span[:2]))
    order = ET.SubElement(root, "TIME_ORDER")
    slots: dict[tuple[int, int], str] = {}
    for ms, number, end in ends:
        slots[number, end] = slot = f"ts{len(slots) + 1}"
        ET.SubElement(order, "TIME_SLOT", {"TIME_SLOT_ID": slot, "TIME_VALUE": str(ms)})
    numbers = count()
    for name, them in tiers.items():
        attributes = {"TIER_ID": name, "PARTICIPANT": participant, "LINGUISTIC_TYPE_REF": _TYPE}
        tier = ET.SubElement(root, "TIER", attributes)
        for (_, _, text), number in zip(them, numbers, strict=False):
            at = {"TIME_SLOT_REF1": slots[number, 0], "TIME_SLOT_REF2": slots[number, 1]}
            annotation = ET.SubElement(ET.SubElement(tier, "ANNOTATION"), "ALIGNABLE_ANNOTATION", at)
            annotation.set("ANNOTATION_ID", f"a{number + 1}")
            ET.SubElement(annotation, "ANNOTATION_VALUE").text = text.replace(MINUS, "-")  # which scripts can read


def _tiers(item: Item) -> Iterator[tuple[str, list[Span]]]:
    """Names of tiers and what stands on them; spans of one tier never overlap."""
    timeline = Timeline.of(item.assessment.segments)
    moments = [(m.start_s, m.end_s) for m in item.moments]
    told = [f"{item.label(m)}. {_text(m.sentence)}" if m.sentence else item.label(m) for m in item.moments]
    yield "Moments", _spans(moments, told)
    edges = _seconds(timeline)
    seconds = list(pairwise(edges.tolist()))
    for stream in timeline.streams:
        densities = [timeline.contributions[stream, branch] for branch in timeline.branches]
        parts = [item.amount(sum(d.between(*moment) for d in densities)) for moment in moments]
        yield f"{STREAM_NAMES[stream]} in moments", _spans(moments, parts)
        sums = sum((d.sums(edges) for d in densities), start=np.zeros(len(seconds))).tolist()
        decimals = decimals_for(sums)
        judged = [((timeline.covered[:, 0] < b) & (timeline.covered[:, 1] > a)).any() for a, b in seconds]
        texts = [show(units(value, decimals), decimals, signed=True) for value in sums]
        yield f"{STREAM_NAMES[stream]} per second", _spans(compress(seconds, judged), compress(texts, judged))


def _spans(times_s: Iterable[tuple[float, float]], texts: Iterable[str]) -> list[Span]:
    """Spans in milliseconds; what has no length there is left out."""
    spans = [(_milliseconds(a), _milliseconds(b), text) for (a, b), text in zip(times_s, texts, strict=True)]
    return [span for span in spans if span[0] < span[1]]


def _seconds(timeline: Timeline) -> np.ndarray:
    """(n + 1,) whole seconds, from the first second judged to the last."""
    inner = np.arange(math.floor(timeline.start_s) + 1, math.ceil(timeline.end_s))
    return np.concatenate([[timeline.start_s], inner, [timeline.end_s]])


def _milliseconds(time_s: float) -> int:
    if not (math.isfinite(time_s) and 0 <= time_s * 1000 <= _LATEST_MS):
        raise UsageError(
            f"a time of {time_s:g} s cannot be written in an ELAN file, which holds 0 to {_LATEST_MS // 1000} s",
            advice="Give the times of the features in seconds of their video.",
        )
    return round(time_s * 1000)


def _media(video: Path, folder: Path) -> dict[str, str]:
    path, beside = (Path(os.path.abspath(p)) for p in (video, folder))  # noqa: PTH100 - links stay as they are named
    relative = Path(os.path.relpath(path, beside)).as_posix()
    return {
        "MEDIA_URL": "file://" + _uri(path.as_posix()),
        "MIME_TYPE": _MIME.get(video.suffix.lower(), "video/*"),
        "RELATIVE_MEDIA_URL": _uri(relative if relative.startswith("../") else f"./{relative}"),
    }


def _uri(path: str) -> str:
    text = os.fsencode(path).decode("utf-8", "backslashreplace")
    return _text(_NO_URI.sub(lambda m: quote(m[0]), text))


def _text(text: str) -> str:
    """What XML can hold of a text; the rest as its escape."""
    return _NO_XML.sub(lambda m: m[0].encode("unicode_escape").decode("ascii"), text)
