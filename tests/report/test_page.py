"""The document itself: well formed, adding up, and honest about what it lacks."""

from __future__ import annotations

import base64
import dataclasses
import hashlib
import re
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from strict import Document

from toprock.assess.assessment import Assessment, Moment, SegmentEvidence
from toprock.errors import UsageError
from toprock.performance import Performance
from toprock.report import render_report

Make = Callable[..., Assessment]


def number(text: str) -> float:
    return float(text.replace("−", "-").replace("+", ""))


def cell_rows(html: str, table: str) -> list[list[str]]:
    body = re.search(rf'<table class="{table}">.*?<tbody>(.*?)</tbody>', html, re.S) if table else None
    assert body
    return [re.findall(r'<td class="num[^"]*">([^<]*)</td>', row) for row in body[1].split("</tr>") if "<td" in row]


@pytest.mark.parametrize("seed", range(6))
def test_displayed_numbers_add_up(make_assessment: Make, seed: int) -> None:
    html = render_report([make_assessment(seed=seed, level=0.3 - 0.2 * seed)])
    typical, raised, lowered, score = map(number, re.findall(r"<dd>([−+\d.]+)</dd></div>\n", html)[:4])
    assert typical + raised - lowered == pytest.approx(score, abs=1e-9)
    big = re.search(r'<p class="big">([^<]+)</p>', html)
    assert big and number(big[1]) == score
    steps = [number(row[0]) for row in cell_rows(html, "waterfall")]
    assert len(steps) == 8
    assert sum(steps[:-1]) == pytest.approx(steps[-1], abs=1e-9)
    assert steps[-1] == score


def test_the_table_of_numbers_adds_up_in_rows_and_columns(make_assessment: Make) -> None:
    html = render_report([make_assessment()])
    table = html[html.index('<details class="numbers">') :]
    rows = [
        [number(v) for v in re.findall(r'<td class="num[^"]*">([^<]*)</td>', row)]
        for row in table[: table.index("</table>")].split("</tr>")
        if "<td" in row
    ]
    for *parts, net in rows:
        assert sum(parts) == pytest.approx(net, abs=1e-9)
    for column in zip(*rows, strict=True):
        assert sum(column[:-1]) == pytest.approx(column[-1], abs=1e-9)


def test_one_performance_is_well_formed_and_says_what_made_it(make_assessment: Make, jpeg: bytes) -> None:
    performance = Performance("round-1", Path("v.mp4"), (), "Ami Tanaka", "Club night 12")
    html = render_report([make_assessment()], pictures={"round-1": {7.0: jpeg}}, performances={"round-1": performance})
    words = Document(html).words()
    for wanted in (
        "Ami Tanaka", "Club night 12", "round-1", "Better than 83 % of the 75 training performances",
        "club-2026", "1,842 comparisons between 75 performances", "second opinion, not a verdict",
        "flow, 15 frames a second", "9f31c2ab77d0e145", "30 s judged",
    ):  # fmt: skip
        assert wanted.lower() in words.replace("\xa0", " ").lower(), wanted
    assert html.count("data:image/jpeg;base64,") == 1
    assert html.count('<li class="card') == 4


def test_several_performances_are_ranked_best_first(make_assessment: Make) -> None:
    several = [make_assessment(f"p-{i}", level=level, seed=i) for i, level in enumerate((-0.5, 0.9, 0.2))]
    html = render_report(several)
    document = Document(html)
    names = re.findall(r'<th scope="row"><a href="#p\d"><bdi>([^<]+)</bdi>', html)
    assert names == ["p-1", "p-2", "p-0"]
    assert re.findall(r'<td class="rank">([^<]+)</td>', html) == ["1", "2", "3"]
    assert [t for t, _ in document.elements].count("h1") == 1


def test_equal_scores_share_a_rank_and_models_are_not_mixed(make_assessment: Make) -> None:
    same = [make_assessment("a"), make_assessment("b")]
    assert re.findall(r'<td class="rank">([^<]+)</td>', render_report(same)) == ["1", "1"]
    other = [same[0], dataclasses.replace(same[1], model={"name": "another"})]
    html = render_report(other)
    assert re.findall(r'<td class="rank">([^<]+)</td>', html) == ["–", "–"]
    assert "different models" in html


def test_policy_allows_exactly_its_own_style_and_script(make_assessment: Make) -> None:
    html = render_report([make_assessment()])
    policy = re.search(r'Content-Security-Policy" content="([^"]+)"', html)
    assert policy
    text = policy[1].replace("&#39;", "'")
    style, script = (
        re.findall(r"<style>(.*?)</style>", html, re.S),
        re.findall(r"<script>(.*?)</script>", html, re.S),
    )
    assert len(style) == len(script) == 1
    for kind, content in (("style", style[0]), ("script", script[0])):
        digest = base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()
        assert f"{kind}-src 'sha256-{digest}'" in text
    assert "default-src 'none'" in text and "unsafe" not in text
    assert not re.search(r"\s(style|on\w+)=", re.sub(r"<(style|script).*?</\1>", "", html, flags=re.S))
    without = re.sub(r"sha256-[\w+/=]+", "", html.replace("//#", ""))  # which may hold two slashes
    assert not re.search(r"(https?:)?//[a-z]", without)


def test_hostile_names_stay_text(make_assessment: Make) -> None:
    evil = "<img src=x onerror=alert(1)></script><script>alert(2)</script>\"'&\ud800"
    assessment = make_assessment(evil, model={"name": evil, "note": evil}, recipes={"dynamic": {"backbone": evil}})
    performance = Performance(evil, Path("v"), (), evil, evil)
    document = Document(render_report([assessment], performances={evil: performance}, no_pictures={evil: evil}))
    assert [t for t, _ in document.elements].count("script") == 2
    assert not any(t == "img" for t, _ in document.elements)
    assert not any(name.startswith("on") for _, attributes in document.elements for name in attributes)
    assert "<img src=x onerror=alert(1)>" in document.words()


@pytest.mark.parametrize(
    ("percentile", "wanted"),
    [
        (None, "No percentile"),
        (0.0, "Not above any of the 75"),
        (0.1, "Among the lowest 1 %"),
        (100.0, "Better than all of the 75"),
    ],
)
def test_percentile_in_words(make_assessment: Make, percentile: float | None, wanted: str) -> None:
    words = Document(render_report([make_assessment(percentile=percentile)])).words()
    assert wanted in words.replace("\xa0", " ")


def odd_ones(make: Make) -> dict[str, Assessment]:
    instant = SegmentEvidence("static", 3.0, 3.0, {"high": 0.1, "low": 0.0, "average": 0.0}, 1.0, 1.0)
    flat = [dataclasses.replace(s, contributions=dict.fromkeys(s.contributions, 0.0)) for s in make().segments]
    outside = Moment("best", 900.0, 901.0, 0.1)
    return {
        "nothing": Assessment("nothing", 0.5, 0.5, None, (), ()),
        "one stream": make(streams=("static",)),
        "no moments": make(moments=0),
        "an instant": Assessment("i", 0.6, 0.5, 50.0, (instant,), (Moment("best", 3.0, 3.0, 0.1),)),
        "all zero": make(segments=tuple(flat), score=0.63),
        "a moment after the end": dataclasses.replace(make(), moments=(outside,)),
        "tiny numbers": make(bias=0.0, score=0.0, segments=()),
        "worst that raises": dataclasses.replace(make(), moments=(Moment("worst", 2.0, 3.0, 0.2),)),
        "partial model": make(model={"pairs": 12}, recipes={"static": "posture"}),
    }


def test_odd_assessments_are_reported(make_assessment: Make) -> None:
    for which, assessment in odd_ones(make_assessment).items():
        html = render_report([assessment])
        shown = Document(html).words().lower()
        assert not re.search(
            r"\b(nan|inf|none)\b", shown.partition("how the score is made up")[2].partition("how to read")[0]
        ), which


def test_what_is_missing_is_said(make_assessment: Make) -> None:
    assert "made from features, without the video" in render_report([make_assessment()])
    assert "No moments are named" in render_report([make_assessment(moments=0)])
    assert "holds no segments" in render_report([Assessment("nothing", 0.5, 0.5, None, (), ())])


@pytest.mark.parametrize(
    "changes",
    [
        {"score": float("nan")},
        {"bias": float("inf")},
        {"percentile": float("nan")},
        {"moments": (Moment("best", 0.0, float("nan"), 1.0),)},
        {"score": 99.0},
    ],
)
def test_numbers_that_cannot_be_shown_are_refused(make_assessment: Make, changes: dict) -> None:
    with pytest.raises(UsageError, match="round-1"):
        render_report([dataclasses.replace(make_assessment(), **changes)])


def test_nothing_to_report_and_foreign_pictures_are_refused(make_assessment: Make) -> None:
    with pytest.raises(UsageError):
        render_report([])
    with pytest.raises(UsageError, match="JPEG"):
        render_report([make_assessment()], pictures={"round-1": {7.0: b"<svg onload=alert(1)>"}})


def test_forty_minutes_stay_small_and_quick(make_assessment: Make, jpeg: bytes) -> None:
    long = make_assessment(length_s=2400, step_s=0.4, moments=5)
    assert len(long.segments) > 11_900
    began = time.perf_counter()
    html = render_report([long], pictures={"round-1": {m.start_s + 0.5: jpeg for m in long.moments}})
    assert time.perf_counter() - began < 5
    assert len(html) < 1_500_000
    assert max(len(re.findall(r"H", d)) for d in re.findall(r' d="([^"]*)"', html)) <= 1300


def test_rendering_is_pure(make_assessment: Make, jpeg: bytes) -> None:
    pictures = {"round-1": {7.0: jpeg}}
    assert render_report([make_assessment()], pictures=pictures) == render_report(
        [make_assessment()], pictures=pictures
    )


def test_importing_the_report_is_light() -> None:
    code = "import sys, toprock.report; sys.exit(any(m in sys.modules for m in ('torch', 'cv2', 'av')))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
