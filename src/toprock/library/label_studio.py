"""Judgments as Label Studio's JSON: tasks of two videos with the annotations of `<Pairwise>`.

The format: labelstud.io/tags/pairwise and labelstud.io/guide/export. A result of `<Pairwise>` has its own name as
`from_name` and `to_name`, and `{"selected": "left"}` (or right) as value. It knows no tie; a tie is a choice beside it.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import PurePosixPath
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from sqlalchemy import select

from toprock.comparisons import Pair
from toprock.counting import count
from toprock.errors import PairsError
from toprock.files import json_text
from toprock.library import catalogue, tables
from toprock.library.interchange import exported
from toprock.library.library import Library
from toprock.performance import id_matcher

LABELING_INTERFACE = """<View>
  <Header value="Which was better?"/>
  <Pairwise name="better" toName="left,right"/>
  <View style="display: grid; grid-template-columns: 1fr 1fr; gap: 1em">
    <Video name="left" value="$left"/>
    <Video name="right" value="$right"/>
  </View>
  <Choices name="otherwise" toName="left" choice="single">
    <Choice value="equal"/>
    <Choice value="cannot tell"/>
  </Choices>
</View>"""
"""The labelling interface of a project that these tasks fit."""
_EQUAL = ("equal", "tie", "same", "neither", "both", "equally good")


def tasks(library: Library, *, criterion: str | None = None) -> str:
    """A JSON array of tasks, one a pair of performances and criterion, each with an annotation a judgment.

    A video is named by its file. To see it in Label Studio, replace that by where it is served from.

    Args:
        library: whose judgments.
        criterion: only of this one; None is all.
    """
    with library.read() as session:
        rows = session.scalars(select(tables.Performance)).all()
    places = {row.name: catalogue.file_of(library, row.video).name for row in rows}
    found: dict[tuple[str, ...], dict[str, Any]] = {}
    for pair in exported(library, criterion=criterion):
        left, right = (pair.worse, pair.better) if pair.extra.get("side") == "right" else (pair.better, pair.worse)
        key = (left, right, pair.criterion)
        task = found.get(key)
        if task is None:
            task = found[key] = {
                "data": {
                    "left": places[left],
                    "right": places[right],
                    "left_id": left,
                    "right_id": right,
                    "criterion": pair.criterion,
                },
                "annotations": [],
            }
        task["annotations"].append(_annotation(pair, left))
    return json_text(list(found.values()))


def _annotation(pair: Pair, left: str) -> dict[str, Any]:
    result: dict[str, Any] = {
        "id": pair.extra["judgment"],
        "from_name": "better",
        "to_name": "better",
        "type": "pairwise",
        "value": {"selected": "left" if pair.better == left else "right"},
        "origin": "manual",
    }
    if pair.tie:
        result |= {"from_name": "otherwise", "to_name": "left", "type": "choices", "value": {"choices": ["equal"]}}
    kept = {name: value for name, value in pair.extra.items() if name != "seconds" and value}
    result["meta"] = {"text": [pair.annotator] if pair.annotator else [], "weight": pair.weight, "extra": kept}
    annotation: dict[str, Any] = {"result": [result], "was_cancelled": False, "ground_truth": False}
    if pair.extra["seconds"]:
        annotation["lead_time"] = float(pair.extra["seconds"])
    return annotation


def pairs_of_tasks(text: str | bytes, library: Library) -> list[Pair]:
    """The comparisons in what a Label Studio project with `<Pairwise>` exports as JSON.

    The two performances of a task are named by `left_id` and `right_id`, else by those two values of its data that name
    performances of the library: by id, or by file, as in `/data/upload/1/ab12-battle.mp4`. Annotations that were
    skipped, or that choose neither side, are none.

    Args:
        text: the JSON.
        library: whose performances are meant.

    Raises:
        PairsError: it is no such JSON, or names no performance in some task.
    """
    try:
        found = json.loads(text)
    except (ValueError, RecursionError) as problem:
        raise PairsError(f"this is no JSON ({problem})", advice="Export the project as JSON.") from None
    if not isinstance(found, list):
        raise PairsError("this JSON is no list of tasks", advice="Export the project as JSON, not JSON-MIN or CSV.")
    with library.read() as session:
        find = id_matcher(session.scalars(select(tables.Performance.name)).all())
    pairs = []
    for number, task in enumerate(found, 1):
        data = task.get("data") if isinstance(task, dict) else None
        if not isinstance(data, dict):
            raise PairsError(f"task {number} has no data", advice="Export the project as JSON, not JSON-MIN.")
        annotations = task.get("annotations", task.get("completions", []))
        for annotation in annotations if isinstance(annotations, list) else []:
            pair = _pair(annotation, data, find, number)
            if pair is not None:
                pairs.append(pair)
    if not pairs:
        raise PairsError("no task has an annotation that says which was better", advice="It needs a <Pairwise> tag.")
    return pairs


def _pair(annotation: Any, data: Mapping[str, Any], find: Callable[[str], str | None], number: int) -> Pair | None:
    if not isinstance(annotation, dict) or annotation.get("was_cancelled"):
        return None
    selected, meta = _selected(annotation.get("result"))
    if not selected:
        return None
    left, right = _sides(data, find, number)
    better, worse = (right, left) if selected == "right" else (left, right)
    extra = {str(name): str(value) for name, value in _dict(meta.get("extra")).items()}
    if isinstance(lead := annotation.get("lead_time"), int | float) and 0 <= lead < 1e7:
        extra["seconds"] = f"{lead:.10g}"
    if "judged" not in extra and isinstance(annotation.get("created_at"), str):
        extra["judged"] = annotation["created_at"]
    if selected != "tie":
        extra.setdefault("side", selected)
    weight = meta.get("weight", 1.0)
    weight = float(weight) if isinstance(weight, int | float) and 1e-6 <= weight <= 1e6 else 1.0
    criterion = data.get("criterion", "")
    return Pair(
        better,
        worse,
        selected == "tie",
        _annotator(annotation, meta),
        criterion.strip() if isinstance(criterion, str) else "",
        weight,
        extra,
    )


def _selected(results: Any) -> tuple[str, Mapping[str, Any]]:
    """left, right or tie, and what stands beside it; empty where nothing was chosen."""
    tie: tuple[str, Mapping[str, Any]] = ("", {})
    for result in results if isinstance(results, list) else []:
        value, meta = _dict(_dict(result).get("value")), _dict(_dict(result).get("meta"))
        if value.get("selected") in ("left", "right"):
            return value["selected"], meta
        choices = value.get("choices")
        if isinstance(choices, list) and any(str(choice).strip().lower() in _EQUAL for choice in choices):
            tie = ("tie", meta)
    return tie


def _annotator(annotation: Mapping[str, Any], meta: Mapping[str, Any]) -> str:
    text = meta.get("text")
    if "extra" in meta and isinstance(text, list):
        return str(text[0]) if text else ""
    by = annotation.get("completed_by")
    if isinstance(by, dict):
        return str(by.get("email") or by.get("id") or "")
    return "" if by is None else str(by)


def _sides(data: Mapping[str, Any], find: Callable[[str], str | None], number: int) -> tuple[str, str]:
    if isinstance(data.get("left_id"), str) and isinstance(data.get("right_id"), str):
        return data["left_id"], data["right_id"]
    texts = [value for value in data.values() if isinstance(value, str)]
    if isinstance(data.get("left"), str) and isinstance(data.get("right"), str):
        texts = [data["left"], data["right"]]
    named = list(dict.fromkeys(name for text in texts if (name := _named(text, find)) is not None))
    if len(named) == 2:
        return named[0], named[1]
    if len(texts) == 2:
        return _stem(texts[0]), _stem(texts[1])
    raise PairsError(
        f"task {number} names {count(len(named), 'performance')} of the library, not 2",
        advice="Give its data left_id and right_id.",
    )


def _named(text: str, find: Callable[[str], str | None]) -> str | None:
    """The performance that a value means: itself, or the end of its path; uploads have some letters before the name."""
    for name in (text, *_ends(text)):
        if name and (found := find(name)) is not None:
            return found
    return None


def _ends(text: str) -> Sequence[str]:
    parts = _path(text).parts
    ends = ["/".join(parts[at:]) for at in range(len(parts))]
    _, dash, after = parts[-1].partition("-") if parts else ("", "", "")
    return [*ends, after] if dash else ends


def _stem(text: str) -> str:
    return _path(text).name or text


def _path(text: str) -> PurePosixPath:
    try:
        url = urlsplit(text)
    except ValueError:
        return PurePosixPath(text)
    inner = parse_qs(url.query).get("d", [""])[0]
    return PurePosixPath(inner or unquote(url.path))


def _dict(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}
