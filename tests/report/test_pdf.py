"""The report as PDF: a real one, opened and read."""

from __future__ import annotations

import builtins
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from toprock.assess.assessment import Assessment
from toprock.errors import UsageError
from toprock.performance import Performance
from toprock.report import render_report, write_report

Make = Callable[..., Assessment]
Club = tuple[list[Assessment], dict[str, Performance]]


@pytest.fixture(scope="module")
def read() -> Callable[[Path], tuple[list[str], Any]]:
    """A function: the text of each page, and the open document."""
    try:
        import pypdf
        import weasyprint  # noqa: F401 - it, or a library that it needs, may be absent
    except (ImportError, OSError):
        if os.environ.get("CI") == "true":
            pytest.fail("there is no WeasyPrint or no pypdf")
        pytest.skip("there is no WeasyPrint or no pypdf")

    def opened(file: Path) -> tuple[list[str], Any]:
        document = pypdf.PdfReader(file)
        return [" ".join(page.extract_text().split()) for page in document.pages], document

    return opened


def test_a_pdf_says_what_the_page_says(read: Callable, club: Club, jpeg: bytes, tmp_path: Path) -> None:
    one = club[0][2]
    out = write_report([one], tmp_path / "r.pdf", performances=club[1], pictures="none")
    pages, document = read(out)
    text = " ".join(pages).replace("\xa0", " ")
    for wanted in ("Ami Tanaka", "38% of its pictures are black.", "/100", "90 % interval: 23 to 50", "How the score"):
        assert wanted.lower() in text.lower(), wanted
    assert text.lower().index("38% of its pictures") < text.lower().index("/100")
    assert "Point at the timeline" not in text and "Skip to" not in text
    width, height = (float(v) for v in document.pages[0].mediabox[2:])
    assert (width, height) == pytest.approx((595.3, 841.9), abs=0.5)
    assert f"1 / {len(pages)}" in pages[0]


def test_pictures_are_in_it_and_cards_are_whole(
    read: Callable, make_assessment: Make, jpeg: bytes, tmp_path: Path
) -> None:
    from toprock.report import picture_times
    from toprock.report.pdf import to_pdf

    one = make_assessment(moments=5)
    html = render_report([one], pictures={one.id: dict.fromkeys(picture_times(one), jpeg)})
    (tmp_path / "r.pdf").write_bytes(to_pdf(html))
    pages, document = read(tmp_path / "r.pdf")
    assert sum(len(page.images) for page in document.pages) >= 1
    for page in pages:  # a card ends with what both streams said, on the page where its sentence begins
        assert page.count("of the time brought") == page.count("spoke most")


def test_without_weasyprint_the_extra_is_named(
    monkeypatch: pytest.MonkeyPatch, make_assessment: Make, tmp_path: Path
) -> None:
    real = builtins.__import__

    def without(name: str, *rest: Any, **more: Any) -> Any:
        if name.partition(".")[0] == "weasyprint":
            raise ImportError(name)
        return real(name, *rest, **more)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(UsageError, match=r"toprock\[pdf\]"):
        write_report([make_assessment()], tmp_path / "r.pdf")
    assert list(tmp_path.iterdir()) == []
