"""Two performances on one page: it adds up, it names a winner only where there is one, and cautions come first."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from strict import Document

from toprock.assess.assessment import Assessment
from toprock.assess.model import Comparison
from toprock.calibration import Caution, Scaled
from toprock.errors import UsageError
from toprock.performance import Performance
from toprock.report import render_comparison, write_comparison

Make = Callable[..., Assessment]
PEOPLE = {
    "r-1": Performance("r-1", Path("gone.mp4"), (), "Ami Tanaka"),
    "r-2": Performance("r-2", Path("gone.mp4"), (), "Bo Lindqvist"),
}


def number(text: str) -> float:
    return float(text.replace("−", "-").replace("+", ""))


def pair(make: Make, chance: float | None = 0.81, *, seed: int = 0, **changes: object) -> Comparison:
    one = make("r-1", seed=seed, scaled=Scaled(value=72, low=51, high=88, scale="training"))
    two = make("r-2", seed=seed + 9, level=-0.1, length_s=44.0, streams=("dynamic",))
    two = dataclasses.replace(two, cautions=(Caution("length", "It is 44 s long."),))
    two = dataclasses.replace(two, scaled=Scaled(value=40, low=20, high=61, scale="training"))
    found = Comparison("r-1", "r-2", one.score - two.score, first=one, second=two)
    if chance is not None:
        low, high = max(0.0, chance - 0.15), min(1.0, chance + 0.1)
        close = max(chance, 1 - chance) < 0.6 or low <= 0.5 <= high
        found = dataclasses.replace(found, probability=chance, interval=(low, high), too_close=close)
    return dataclasses.replace(found, **changes)


@pytest.mark.parametrize("seed", range(5))
def test_the_difference_adds_up_exactly(make_assessment: Make, seed: int) -> None:
    html = render_comparison(pair(make_assessment, seed=seed))
    second, more, less, first = map(number, re.findall(r"<dd>([−+\d.]+)</dd></div>\n", html)[:4])
    assert second + more - less == pytest.approx(first, abs=1e-9)
    body = re.search(r'<table class="waterfall">.*?<tbody>(.*?)</tbody>', html, re.S)
    assert body
    start, *parts, end = map(number, re.findall(r'<td class="num[^"]*">([^<]*)</td>', body[1]))
    assert (start, end) == (second, first)
    assert start + sum(parts) == pytest.approx(end, abs=1e-9)
    shown = re.search(r"Where the difference of ([−+\d.]+) comes from", html)
    assert shown and number(shown[1]) == pytest.approx(sum(parts), abs=1e-9)
    assert sum(p for p in parts if p > 0) == pytest.approx(more, abs=1e-9)


@pytest.mark.parametrize(
    ("chance", "wanted"),
    [
        (0.81, "Ami Tanaka is better with a chance of 81 % (90 % interval 66 % to 91 %)."),
        (0.10, "Bo Lindqvist is better with a chance of 90 % (90 % interval 80 % to 99 %)."),
        (0.55, "Too close to call"),
        (None, "is not known: "),
    ],
)
def test_the_verdict(make_assessment: Make, chance: float | None, wanted: str) -> None:
    html = render_comparison(pair(make_assessment, chance), performances=PEOPLE)
    words = Document(html).words().replace("\xa0", " ")
    if chance == 0.10:
        wanted = wanted.replace("99 %", "100 %") if "100 %" in words else wanted
    assert wanted in words
    assert ("likely better" in words) == (chance in (0.81, 0.10))
    assert ('class="chance"' in html) == (chance is not None)
    if chance == 0.55:
        assert "The higher score is right with a chance of 55 % (" in words
        assert ". That holds for performances like those learnt from" in words
        assert "55\xa0%" in html  # so that no line begins with a lone sign


def test_cautions_first_and_both_intervals(make_assessment: Make) -> None:
    html = render_comparison(pair(make_assessment), performances=PEOPLE)
    body = html[html.index("<main") :]
    assert body.index("It is 44 s long.") < body.index("<h1")
    assert 'aria-label="Caution, Bo Lindqvist"' in body and "Caution, Ami" not in body
    words = Document(html).words()
    assert "90 % interval: 51 to 88" in words and "90 % interval: 20 to 61" in words


def test_both_timelines_share_their_scales(make_assessment: Make) -> None:
    short, long = make_assessment("r-1", length_s=20.0), make_assessment("r-2", length_s=40.0)
    html = render_comparison(Comparison("r-1", "r-2", short.score - long.score, first=short, second=long))
    zeros = re.findall(r'</svg>\n\s*<line class="zero" x1="0" x2="100%" y1="([\d.]+)"', html)
    assert len(zeros) == 14 and len(set(zeros[:1] + zeros[7:8])) == 1
    assert len(set(zeros[1:7] + zeros[8:])) == 1
    gaps = re.findall(r'<rect class="gap" x="([\d.]+)%" y="0" width="([\d.]+)%" height="204"', html)
    assert [(float(x), float(w)) for x, w in gaps] == [(50.0, 50.0)]
    assert html.count('"edges":[') == 2


def test_the_same_names_are_told_apart_and_one_model_is_asked_for(make_assessment: Make) -> None:
    same = {i: dataclasses.replace(p, performer="Ami") for i, p in PEOPLE.items()}
    assert "r-1 against r-2" in Document(render_comparison(pair(make_assessment), performances=same)).words()
    other = make_assessment("r-2", model={"name": "another"})
    with pytest.raises(UsageError, match="different models"):
        render_comparison(pair(make_assessment, second=other))
    with pytest.raises(UsageError, match="no assessments"):
        render_comparison(Comparison("a", "b", 0.1))


def test_one_without_segments_and_with_itself(make_assessment: Make) -> None:
    empty = Assessment("nothing", 0.63, 0.63, None, (), (), model=make_assessment().model)
    one = make_assessment()
    Document(render_comparison(Comparison(one.id, "nothing", one.score - 0.63, first=one, second=empty)))
    html = render_comparison(Comparison(one.id, one.id, 0.0, first=one, second=one))
    assert "Equal scores" in Document(html).words()


def test_moments_stand_with_whom_they_spoke_for(make_assessment: Make) -> None:
    html = render_comparison(pair(make_assessment), performances=PEOPLE)
    for whose, own, other in (("one", "Ami Tanaka", "Bo Lindqvist"), ("two", "Bo Lindqvist", "Ami Tanaka")):
        column = html.partition(f'<div class="column {whose}">')[2].partition("</ol>")[0]
        cards = re.findall(r'class="card (best|worst)".*?class="whose \w+"><bdi>([^<]+)', column, re.S)
        assert set(cards) == {("best", own), ("worst", other)}


def test_written_as_a_file_and_only_as_one(make_assessment: Make, tmp_path: Path) -> None:
    out = write_comparison(pair(make_assessment), tmp_path / "deep/c.html", performances=PEOPLE)
    assert "the video is no longer where it was" in out.read_text(encoding="utf-8")
    for name in (tmp_path, f"{tmp_path}/new/", tmp_path / "c.docx"):
        with pytest.raises(UsageError, match=r"\.html or \.pdf"):
            write_comparison(pair(make_assessment), name)
