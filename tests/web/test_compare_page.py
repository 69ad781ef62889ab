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


def test_two_of_one_name_are_told_apart_in_words(opened):
    page = opened("ami", "ami_again")
    names = ["Ami Tanaka, 2026-01-10", "Ami Tanaka, 2026-03-01"]
    assert page.locator("h1 .name").all_inner_texts() == names
    captions = page.locator("figcaption").all_inner_texts()
    assert all(name in caption and "Winter Jam" in caption for name, caption in zip(names, captions, strict=True))
    box, video = page.locator("figcaption").first.bounding_box(), page.locator("#video-0").bounding_box()
    assert box["y"] + box["height"] <= video["y"] + 1


def test_a_moment_is_looped_in_both_and_a_time_is_handed_on(opened, room, shelf):
    page = opened("ami", "bo")
    page.locator("[data-speed='2']").click()
    button = page.locator("[data-loop]").first
    button.click()
    assert button.get_attribute("aria-pressed") == "true"
    page.evaluate(f"window.seen = []; setInterval(() => window.seen.push({TIMES}), 30)")
    until(page, "[0, 1].every((v) => window.seen.some((t, i) => i && t[v] < window.seen[i - 1][v]))")
    page.keyboard.press("l")
    assert button.get_attribute("aria-pressed") == "false"
    page.keyboard.press(" ")
    page.keyboard.press("f")
    until(page, "document.fullscreenElement")
    bar = page.locator(".transport").bounding_box()
    assert page.locator("#video-1").bounding_box()["height"] > 0.6 * bar["y"]
    page.keyboard.press("f")
    until(page, "!document.fullscreenElement")
    page = opened("ami", "bo", "&t=2.5")
    page.get_by_role("button", name="Copy a link to this time").click()
    link = page.evaluate("navigator.clipboard.readText()")
    keys = shelf.keys
    assert link == f"{room.url}/compare?a={keys['ami']}&b={keys['bo']}&t=2.5&model={keys['model']}"


def test_steps_move_both(opened):
    page = opened("ami", "round_two", "&t=1")
    before = page.evaluate(TIMES)
    page.keyboard.press(".")
    until(page, f"{SETTLED} && !document.querySelector('.still') && ({TIMES})[1] > {before[1]}")
    assert all(0.03 < b - a < 0.08 for a, b in zip(before, page.evaluate(TIMES), strict=True))
