"""From assessments to one HTML file that needs nothing else: no request leaves it."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from typing import Any

import jinja2
from markupsafe import Markup

from toprock._version import __version__
from toprock.assess.assessment import Assessment
from toprock.errors import UsageError
from toprock.files import write_text
from toprock.performance import Performance
from toprock.report import words
from toprock.report.chart import LANE_HEIGHT, NET_HEIGHT, to_script_json
from toprock.report.figures import decimals_for
from toprock.report.pictures import grab_moments
from toprock.report.standings import Standing, standings
from toprock.report.view import SPARK_HEIGHT, PerformanceView, checked_timeline, view_performance

MAX_COLUMNS = 600
_ALL_COLUMNS = 4800  # of all performances of one file together
_FEATURES_ONLY = "No pictures: this report was made from features, without the video."
_KNOWN = {"name", "created", "performances", "pairs", "toprock"}


@dataclass(frozen=True)
class ModelView:
    """What made a score: facts of the model, and of the features a stream."""

    name: str
    learnt: str
    facts: Sequence[tuple[str, str]]
    recipes: Sequence[tuple[str, str, str, Sequence[tuple[str, str]]]]  # stream, backbone, hash, settings
    scored: Sequence[str]


def render_report(
    assessments: Sequence[Assessment],
    *,
    pictures: Mapping[str, Mapping[float, bytes]] | None = None,
    performances: Mapping[str, Performance] | None = None,
    no_pictures: Mapping[str, str] | None = None,
    title: str = "",
    made: str = "",
) -> str:
    """One HTML document about one performance, or about several with their standings first.

    Pure: the same arguments give the same text.

    Args:
        assessments: in the order wanted; several are sorted by score.
        pictures: id -> time in the video in seconds -> JPEG (or PNG) bytes. A moment shows those in its span.
        performances: id -> performance, for performer, event and date where known.
        no_pictures: id -> why there are none, as a sentence.
        title: of the document; by default the name, or "Standings".
        made: when the report was made, as text.

    Raises:
        UsageError: no assessment, a number that is not finite, contributions that do not add up to the
            score, or a picture that is neither JPEG nor PNG.
    """
    if not assessments:
        raise UsageError("there is no assessment to report", advice="Score at least one performance.")
    timelines = {id(a): checked_timeline(a) for a in assessments}
    ordered = sorted(assessments, key=lambda a: -a.score) if len(assessments) > 1 else list(assessments)
    decimals = decimals_for([n for a in ordered for n in (a.score, a.bias)])
    views = [
        view_performance(
            assessment,
            timelines[id(assessment)],
            number=number,
            decimals=decimals,
            columns=max(120, min(MAX_COLUMNS, _ALL_COLUMNS // len(ordered))),
            pictures=(pictures or {}).get(assessment.id, {}),
            pictures_note=(no_pictures or {}).get(assessment.id) or _FEATURES_ONLY,
            performance=(performances or {}).get(assessment.id),
        )
        for number, assessment in enumerate(ordered, start=1)
    ]
    table: list[Standing] = standings(ordered, views, decimals) if len(views) > 1 else []
    css, script = _asset("report.css"), _asset("report.js")
    html = _environment().get_template("report.html.j2").render(
        title=title or (views[0].name if len(views) == 1 else "Standings"),
        views=views,
        standings=table,
        ranked=not table or bool(table[0].rank),
        models=_models(ordered, views),
        made=made,
        version=__version__,
        css=Markup(css),
        script=Markup(script),
        policy=_policy(css, script),
    )  # fmt: skip
    return html.encode("utf-8", "replace").decode()


def write_report(
    assessments: Sequence[Assessment],
    path: str | Path,
    *,
    videos: Mapping[str, str | Path] | None = None,
    performances: Mapping[str, Performance] | None = None,
    title: str = "",
) -> Path:
    """Grab pictures of the moments where there is a video, render the report and write it atomically.

    Args:
        assessments, performances, title: as in `render_report`.
        path: the HTML file; its folder is made where needed.
        videos: id -> video file; by default those that `performances` name. An id without a video, or with
            one that cannot be read, gets no pictures and the report says so.

    Returns:
        `path`.

    Raises:
        UsageError: as in `render_report`.
        StorageError: the file cannot be written.
    """
    videos = {name: p.video for name, p in (performances or {}).items()} if videos is None else videos
    pictures: dict[str, dict[float, bytes]] = {}
    reasons: dict[str, str] = {}
    for assessment in assessments:
        if assessment.id in videos:
            pictures[assessment.id], reasons[assessment.id] = grab_moments(assessment, videos[assessment.id])
    html = render_report(
        assessments,
        pictures=pictures,
        performances=performances,
        no_pictures=reasons,
        title=title,
        made=datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
    )
    write_text(path, html)
    return Path(path)


def _models(assessments: Sequence[Assessment], views: Sequence[PerformanceView]) -> list[ModelView]:
    """Each way in which a score was made, once, with the performances that it made."""
    found: dict[str, tuple[Assessment, list[str]]] = {}
    for assessment, view in zip(assessments, views, strict=True):
        key = repr((sorted(assessment.model.items(), key=str), sorted(assessment.recipes.items(), key=str)))
        found.setdefault(key, (assessment, []))[1].append(view.name)
    return [_model(assessment, names if len(found) > 1 else []) for assessment, names in found.values()]


def _model(assessment: Assessment, names: Sequence[str]) -> ModelView:
    model = assessment.model
    facts = [(k, str(model[k])) for k in ("created", "performances", "pairs") if model.get(k) not in (None, "")]
    facts = [({"performances": "training performances", "pairs": "training pairs"}.get(k, k), v) for k, v in facts]
    if model.get("toprock"):
        facts.append(("trained with toprock", str(model["toprock"])))
    facts += [(k.replace("_", " "), _plain(v)) for k, v in model.items() if k not in _KNOWN and v not in (None, "")]
    recipes = []
    for stream, recipe in assessment.recipes.items():
        recipe = recipe if isinstance(recipe, Mapping) else {"backbone": str(recipe)}
        settings = recipe.get("settings")
        settings = settings if isinstance(settings, Mapping) else {}
        name = next((n for s, n in words.STREAM_NAMES.items() if s == stream), stream)
        rate = [("sampling", f"{settings['rate_hz']:g} frames a second")] if _number(settings.get("rate_hz")) else []
        rest = [(k.replace("_", " "), _plain(v)) for k, v in settings.items() if k != "rate_hz" or not rate]
        recipes.append((name, str(recipe.get("backbone", "not recorded")), str(recipe.get("hash", "")), rate + rest))
    return ModelView(str(model.get("name") or "unnamed model"), words.learnt_from(model), facts, recipes, names)


def _plain(value: Any) -> str:
    """A JSON value as text for people, cut where it is long."""
    if isinstance(value, Mapping):
        text = ", ".join(f"{k}: {_plain(v)}" for k, v in value.items())
    elif isinstance(value, (list, tuple)):
        text = ", ".join(_plain(v) for v in value)
    elif isinstance(value, bool):
        text = "yes" if value else "no"
    else:
        text = f"{value:g}" if isinstance(value, float) else str(value)
    return text if len(text) <= 300 else text[:299] + "…"


def _number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _policy(css: str, script: str) -> str:
    def digest(text: str) -> str:
        return base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()

    return (
        f"default-src 'none'; img-src data:; style-src 'sha256-{digest(css)}'; "
        f"script-src 'sha256-{digest(script)}'; base-uri 'none'; form-action 'none'"
    )


@lru_cache(maxsize=1)
def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("toprock.report", "templates"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals["sizes"] = {"net": NET_HEIGHT, "lane": LANE_HEIGHT, "spark": SPARK_HEIGHT}
    environment.filters["script_json"] = lambda value: Markup(to_script_json(value))
    return environment


@lru_cache(maxsize=4)
def _asset(name: str) -> str:
    loader = _environment().loader
    assert loader is not None
    return loader.get_source(_environment(), name)[0]
