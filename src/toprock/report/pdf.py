"""A report as PDF: the same document, set on A4 by WeasyPrint, which an extra brings."""

from __future__ import annotations

import re
from typing import Any

from toprock.errors import UsageError
from toprock.report.layout import asset

_ADVICE = (
    "Install it with pip install 'toprock[pdf]' (and Pango, a system library), or write a file that ends in .html."
)


def require_pdf() -> Any:
    """WeasyPrint.

    Raises:
        UsageError: it, or a library of the system that it needs, is not installed.
    """
    try:
        import weasyprint
    except (ImportError, OSError) as problem:
        raise UsageError("a PDF is set by WeasyPrint, which is not installed", advice=_ADVICE) from problem
    return weasyprint


def to_pdf(html: str) -> bytes:
    """A report's document as PDF; nothing is fetched but what stands in it.

    Raises:
        UsageError: as in `require_pdf`.
    """
    weasyprint = require_pdf()

    from weasyprint.urls import URLFetcher

    styled = with_drawing_styles(html).replace("</style>", f"{asset('pdf.css')}</style>", 1)
    document = weasyprint.HTML(string=styled, url_fetcher=URLFetcher(allowed_protocols=["data"]))
    made: bytes = document.write_pdf(pdf_tags=True)
    return made


def with_drawing_styles(html: str) -> str:
    """The document with the colours of drawings inside each of them: WeasyPrint does not look for them outside.

    >>> with_drawing_styles("<svg><svg></svg></svg>").count("<style>")
    1
    """
    style, depth, parts, done = f"<style>{asset('drawings.css')}</style>", 0, [], 0
    for tag in re.finditer(r"<svg\b[^>]*>|</svg>", html):
        if tag[0] == "</svg>":
            depth -= 1
            continue
        if depth == 0:
            parts += [html[done : tag.end()], style]
            done = tag.end()
        depth += 1
    return "".join([*parts, html[done:]])
