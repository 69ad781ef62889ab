"""From templates and assets to one HTML document that needs nothing else: no request leaves it."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import jinja2
from markupsafe import Markup

from toprock._version import __version__
from toprock.report.chart import LANE_HEIGHT, NET_HEIGHT, to_script_json
from toprock.report.progress import HEIGHT
from toprock.report.view import SPARK_HEIGHT

_STYLES = ("report.css", "trust.css", "pages.css", "print.css")


def document(template: str, *, scripts: Sequence[str] = ("report.js",), **values: Any) -> str:
    """Fill a template; style and script stand in the document, and its policy allows exactly these."""
    css, script = "\n".join(map(asset, _STYLES)), "\n".join(map(asset, scripts))
    html = (
        environment()
        .get_template(template)
        .render(css=Markup(css), script=Markup(script), policy=_policy(css, script), version=__version__, **values)
    )
    return html.encode("utf-8", "replace").decode()


def _policy(css: str, script: str) -> str:
    def digest(text: str) -> str:
        return base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()

    return (
        f"default-src 'none'; img-src data:; style-src 'sha256-{digest(css)}'; "
        f"script-src 'sha256-{digest(script)}'; base-uri 'none'; form-action 'none'"
    )


@lru_cache(maxsize=1)
def environment() -> jinja2.Environment:
    """The templates."""
    made = jinja2.Environment(
        loader=jinja2.PackageLoader("toprock.report", "templates"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.globals["sizes"] = {"net": NET_HEIGHT, "lane": LANE_HEIGHT, "spark": SPARK_HEIGHT, "progress": HEIGHT}
    made.filters["script_json"] = lambda value: Markup(to_script_json(value))
    return made


@lru_cache(maxsize=16)
def asset(name: str) -> str:
    """The text of a style sheet or script."""
    loader = environment().loader
    assert loader is not None
    return loader.get_source(environment(), name)[0]
