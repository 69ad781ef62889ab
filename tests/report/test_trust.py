"""Cautions before the score, the scaled value with its interval as the headline, and nothing that contradicts it."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from strict import Document

from toprock.assess.assessment import Assessment
from toprock.calibration import Caution, Scaled
from toprock.errors import UsageError
from toprock.report import render_report
from toprock.report.gauge import round_axis

Make = Callable[..., Assessment]
CAUTIONS = (
    Caution("unlike", "Its motion is unlike the training performances: 1.42 times as far."),
    Caution("black", "38% of its pictures are black.", 0.38),
)


def training(value: float, low: float, high: float) -> Scaled:
    return Scaled(value=value, low=low, high=high, scale="training")


def test_cautions_stand_before_the_score_with_their_share(make_assessment: Make) -> None:
    html = render_report([make_assessment(cautions=CAUTIONS, scaled=training(72, 51, 88))])
    Document(html)
    body = html[html.index("<main") :]
    places = [body.index(text) for text in ("1.42 times", "38% of its pictures", 'class="name"', 'class="big"')]
    assert places == sorted(places)
    assert re.findall(r'<b class="share">([^<]+)</b>', body) == ["38\N{NO-BREAK SPACE}%"]
    assert "cautions" not in re.sub(r"<style>.*?</style>", "", render_report([make_assessment()]), flags=re.S)


def test_the_scaled_value_is_the_headline_and_the_score_stays_beneath(make_assessment: Make) -> None:
    html = render_report([make_assessment(scaled=training(72.3, 51.2, 88.1))])
    words = Document(html).words().replace("\xa0", " ")
    assert '<p class="big">72<small>/100</small></p>' in html
    assert "Likely better than 72 % of the 75 training performances. 90 % interval: 51 to 88." in words
    score = re.search(r"Score <b>([^<]+)</b>", html)
    assert score and f"<dd>{score[1]}</dd></div>\n    </dl>" in html
    band = re.search(r'<rect class="span" x="([\d.]+)%" y="4" width="([\d.]+)%"', html)
    tick = re.search(r'<line class="value" x1="([\d.]+)%"', html)
    assert band and tick
    assert (float(band[1]), float(tick[1])) == (51.2, 72.3)
    assert float(band[1]) + float(band[2]) == pytest.approx(88.1)


def test_no_percentile_beside_a_scaled_value(make_assessment: Make) -> None:
    with_value, without = (
        render_report([make_assessment(scaled=scaled)]).replace("\xa0", " ") for scaled in (training(40, 20, 60), None)
    )
    assert "Better than" not in with_value and "No percentile" not in with_value
    assert "Better than 83 %" in without


def test_judges_marks_are_shown_on_their_own_scale(make_assessment: Make) -> None:
    html = render_report([make_assessment(scaled=Scaled(value=7.42, low=6.1, high=8.7, scale="marks"))])
    assert '<p class="big">7.4</p>' in html
    assert "On the scale of the judges’ marks. 90\xa0% interval: 6.1 to 8.7." in html
    assert "/100" not in html.partition("<main")[2]


def test_an_interval_that_holds_everything_says_so(make_assessment: Make) -> None:
    assert "the number tells nothing here" in render_report([make_assessment(scaled=training(50, 0, 100))])


def test_standings_show_value_and_interval(make_assessment: Make) -> None:
    several = [
        make_assessment(f"p-{i}", level=level, seed=i, scaled=training(v, v - 10, v + 9), cautions=CAUTIONS[i:])
        for i, (level, v) in enumerate(((0.9, 80), (0.2, 50), (-0.5, 20)))
    ]
    html = render_report(several)
    words = Document(html).words().replace("\xa0", " ")
    assert "Out of 100, 90 % interval" in words and "70 to 89" in words and "10 to 29" in words
    assert "2 of 3 come with cautions: p-0 , p-1 ." in words
    assert words.index("come with cautions") < words.index("Rank")
    assert html.count('class="flag"') == 2


def test_marks_lie_on_round_axes() -> None:
    assert [text for _, text in round_axis(-3.0, 11.0).marks] == ["−5", "0", "5", "10", "15"]
    same = round_axis(4.0, 4.0)
    assert same.low < 4.0 < same.high or same.low <= 4.0 <= same.high


def test_a_scaled_value_that_is_no_number_is_refused(make_assessment: Make) -> None:
    with pytest.raises(UsageError, match="not finite"):
        render_report([make_assessment(scaled=training(float("nan"), 0, 1))])
