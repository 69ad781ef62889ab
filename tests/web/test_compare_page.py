"""Two performances in step, in a real browser."""

import pytest

from .rooms import until
from .shelf import HOSTILE

TIMES = "[0, 1].map((i) => document.getElementById('video-' + i).currentTime)"
SETTLED = (
    "[0, 1].every((i) => { const v = document.getElementById('video-' + i); return !v.seeking && v.readyState >= 2; })"
)
STARTS = "JSON.parse(document.getElementById('compare-data').textContent).sides.map((s) => s.zero)"
SPANS = "JSON.parse(document.getElementById('compare-data').textContent).sides.map((s) => s.spans[0])"


@pytest.fixture
def opened(tab, room, shelf):
    def go(a, b, query=""):
        page = tab(f"{room.url}/compare?a={shelf.keys[a]}&b={shelf.keys[b]}{query}")
        until(page, SETTLED)
        return page

    return go


def test_both_begin_at_their_start_and_go_together(opened):
    page = opened("ami", "round_two", "&t=1")
    zeros = page.evaluate(STARTS)
    assert zeros[1] == pytest.approx(8.0, abs=0.3)
    assert page.evaluate(TIMES) == pytest.approx([zeros[0] + 1, zeros[1] + 1], abs=0.05)
    page.keyboard.press(" ")
    until(page, f"({TIMES})[0] > {zeros[0] + 2.2}")
    page.keyboard.press(" ")
    one, two = page.evaluate(TIMES)
    assert one - zeros[0] == pytest.approx(two - zeros[1], abs=0.2)
    page.keyboard.press("ArrowLeft")
    until(page, SETTLED)
    one, two = page.evaluate(TIMES)
    assert one - zeros[0] == pytest.approx(two - zeros[1], abs=0.1)


def test_by_share_of_the_length_both_are_half_way_at_once(opened):
    page = opened("ami", "round_two")
    (_, b), (_, d) = page.evaluate(SPANS)
    zeros = page.evaluate(STARTS)
    page.keyboard.press("s")
    assert page.locator("[data-step=share]").get_attribute("aria-pressed") == "true"
    plot = page.locator("[data-half='0'] [data-plot]")
    plot.scroll_into_view_if_needed()
    box = plot.bounding_box()
    page.mouse.click(box["x"] + box["width"] / 2, box["y"] + 5)
    until(page, SETTLED)
    one, two = page.evaluate(TIMES)
    assert (one - zeros[0]) / (b - zeros[0]) == pytest.approx((two - zeros[1]) / (d - zeros[1]), abs=0.03)
    assert (one - zeros[0]) / (b - zeros[0]) == pytest.approx(0.5, abs=0.06)


def test_the_shorter_one_waits_at_its_end(opened):
    page = opened("ami", "round_two", "&t=3.7")
    page.locator("[data-speed='2']").click()
    page.keyboard.press(" ")
    until(page, f"({TIMES})[0] > 6")
    assert page.evaluate("document.getElementById('video-1').paused")
    assert page.evaluate(TIMES)[1] == pytest.approx(12, abs=0.4)


def test_what_is_said_is_what_the_interface_says(opened, room, shelf):
    page = opened("ami", "bo")
    told = room.ask("GET", f"/api/v1/compare?a={shelf.keys['ami']}&b={shelf.keys['bo']}").json
    assert HOSTILE in page.locator("h1").inner_text()
    text = page.locator(".verdict").inner_text()
    if told["probability"] is None:
        assert "is not known" in text
    else:
        assert f"{max(told['probability'], 1 - told['probability']) * 100:.0f} %" in text.replace("\u00a0", " ")
    badge = page.locator("[data-half='1'] .badges a").first
    badge.scroll_into_view_if_needed()
    badge.click()
    until(page, SETTLED)
    assert page.locator(".moment.now").count() >= 1


def test_what_is_missing_is_looked_for(tab, room, shelf, browser):
    page = browser.new_page(viewport={"width": 375, "height": 780})
    page.goto(f"{room.url}/compare?a={shelf.keys['ami']}")
    assert page.evaluate("document.documentElement.scrollWidth") == 375
    page.get_by_label("Search for the second").fill("Dee")
    until(page, "document.querySelectorAll('.picks li').length === 1")
    page.locator(".picks a").click()
    page.wait_for_url(f"**/compare?a={shelf.keys['ami']}&b={shelf.keys['round_two']}")
    assert page.evaluate("document.documentElement.scrollWidth") == 375
    page.close()
    for query in ("", f"?a={shelf.keys['ami']}&b={shelf.keys['ami']}", "?a=nonsense"):
        assert room.ask("GET", f"/compare{query}").status == 200


def test_without_a_common_score_they_can_still_be_watched(opened):
    page = opened("ami", "new")
    assert "No model has scored both" in page.locator(".notice").inner_text()
    assert page.locator("[data-chart]").count() == 2
