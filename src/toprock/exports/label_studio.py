"""The moments as predictions of Label Studio: JSON tasks to import, one a performance.

The format: labelstud.io/guide/predictions and labelstud.io/tags/timelinelabels. Frames are whole numbers from 1 on,
first and last inclusive, at the frame rate that the task names.
"""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

from toprock.assess import Moment
from toprock.errors import UsageError
from toprock.exports.item import MOMENT_NAMES, Item, one_line
from toprock.files import json_text
from toprock.report.figures import show, units

LABELING_INTERFACE = """<View>
  <Header value="$title"/>
  <Video name="video" value="$video" frameRate="$fps"/>
  <TimelineLabels name="moments" toName="video">
    <Label value="Best moment" background="#0e9070"/>
    <Label value="Worst moment" background="#d9531e"/>
  </TimelineLabels>
</View>"""
"""The labelling interface of a project that these tasks fit."""


def label_studio_tasks(items: Sequence[Item]) -> str:
    """A JSON array of tasks with their moments as predictions of `<TimelineLabels>`.

    A task's `video` is its place for local file serving: with `LABEL_STUDIO_LOCAL_FILES_SERVING_ENABLED=true` and the
    folder that holds all of these videos as `LABEL_STUDIO_LOCAL_FILES_DOCUMENT_ROOT`.

    Args:
        items: performances whose video and frame rate are known.

    Raises:
        UsageError: a video or its frame rate is not known.

    >>> label_studio_tasks([])
    '[]\\n'
    """
    unknown = [item.assessment.id for item in items if item.performance is None or not item.rate_hz]
    if unknown:
        raise UsageError(
            f"Label Studio counts frames, and the video of '{unknown[0]}' is not known", advice="Give videos."
        )
    videos = [os.path.abspath(item.performance.video) for item in items if item.performance]  # noqa: PTH100
    root = os.path.commonpath([os.path.dirname(video) for video in videos]) if videos else ""  # noqa: PTH120
    return json_text([_task(item, Path(video).relative_to(root)) for item, video in zip(items, videos, strict=True)])


def _task(item: Item, video: Path) -> dict[str, Any]:
    assessment, rate_hz = item.assessment, item.rate_hz or 0.0
    regions = [_region(item, moment, f"{moment.kind}{number}") for number, moment in enumerate(item.moments, 1)]
    return {
        "data": {
            "video": "/data/local-files/?d=" + quote(os.fsencode(video.as_posix())),
            "fps": round(rate_hz, 3),
            "title": f"{one_line(item.name)} {show(units(assessment.score, 2), 2, signed=True)}",
            "id": assessment.id,
            "score": assessment.score,
            "percentile": assessment.percentile,
            "cautions": [caution.text for caution in assessment.cautions],
        },
        "predictions": [{"model_version": str(assessment.model.get("name") or "toprock"), "result": regions}],
    }


def _region(item: Item, moment: Moment, ident: str) -> dict[str, Any]:
    amount = item.amount(moment.contribution)
    return {
        "id": ident,
        "from_name": "moments",
        "to_name": "video",
        "type": "timelinelabels",
        "value": {
            "ranges": [_frames(moment.start_s, moment.end_s, item.rate_hz or 0.0)],
            "timelinelabels": [MOMENT_NAMES[moment.kind]],
        },
        "meta": {"text": [amount, moment.sentence] if moment.sentence else [amount]},
    }


def _frames(start_s: float, end_s: float, rate_hz: float) -> dict[str, int]:
    """The frames that show a span: frame n shows from (n - 1) / rate on."""
    first = math.floor(start_s * rate_hz + 1e-6) + 1
    return {"start": first, "end": max(first, math.ceil(end_s * rate_hz - 1e-6))}
