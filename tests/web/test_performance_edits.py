"""What is said, changed, cut and deleted on the performance page, in a real browser."""

import pytest

from toprock.library import catalogue, comments, tables

from .rooms import until
from .shelf import HOSTILE

NOW = "document.getElementById('video').currentTime"
SETTLED = "!document.getElementById('video').seeking && document.getElementById('video').readyState >= 2"


def test_comments_stand_at_their_second_and_are_text(tab, own_room, shelf):
    page = tab(f"{own_room.url}/performance/{shelf.keys['bo']}?t=2.5")
    until(page, SETTLED)
    assert page.locator("h1").inner_text() == HOSTILE
    page.keyboard.press("c")
    page.locator("#text").fill(HOSTILE)
    page.locator("#author").fill("<b>Rae</b>")
    page.locator("#say button").click()
    page.locator("#said li").wait_for()
    (kept,) = comments.of(own_room.library, shelf.keys["bo"])
    assert (kept.text, kept.author, kept.time_s) == (HOSTILE, "<b>Rae</b>", pytest.approx(2.5, abs=0.05))
    page.evaluate("document.getElementById('video').currentTime = 0")
    page.reload()
    page.locator("#said li").wait_for()
    assert page.locator("#said .words").inner_text() == HOSTILE and page.title() != "broken into"
    assert page.locator("#author").input_value() == "<b>Rae</b>"
    page.locator(".said-mark").click()
    assert page.evaluate(NOW) == pytest.approx(2.5, abs=0.05)
    assert page.locator("#said time").get_attribute("datetime") == f"{kept.created.isoformat(timespec='seconds')}Z"
    page.locator("#said [aria-label^=Change]").click()
    page.locator("#said textarea").fill(f"{HOSTILE} late")
    page.locator("#said textarea").press("Control+Enter")
    until(page, "document.activeElement.getAttribute('aria-label') === 'Change the comment at 0:02.5'")
    assert page.locator("#said .words").inner_text() == f"{HOSTILE} late" and page.title() != "broken into"
    assert comments.of(own_room.library, shelf.keys["bo"])[0].text == f"{HOSTILE} late"
    page.locator("#said [aria-label^=Delete]").click()
    page.locator("#ask [data-yes]").click()
    page.locator("#said-none").wait_for()
    assert not comments.of(own_room.library, shelf.keys["bo"])


def test_a_video_is_cut_into_rounds_at_the_playhead(tab, own_room, shelf):
    page = tab(f"{own_room.url}/performance/{shelf.keys['ami_again']}")
    until(page, SETTLED)
    page.locator(".scorebug [data-cut]").click()
    for second, key in ((1, "i"), (4, "o"), (5, "i"), (9.5, "o")):
        page.evaluate(f"document.getElementById('video').currentTime = {second}")
        until(page, SETTLED)
        page.keyboard.press(key)
    assert page.locator("[data-spans] li").count() == 2
    page.get_by_label("Performer of round 2").fill("Gus")
    page.locator("[data-save]").click()
    page.locator("#ask [data-yes]").click()
    page.wait_for_url(lambda url: shelf.keys["ami_again"] not in url)
    key = page.url.rpartition("/")[2]
    with own_room.library.read() as session:
        video = session.get(tables.Performance, key).video
        parts = sorted((p.intervals, p.performer) for p in video.performances)
    assert parts == [("1-4", ""), ("5-9.5", "Gus")]


def test_who_and_when_is_edited(tab, own_room, shelf):
    page = tab(f"{own_room.url}/performance/{shelf.keys['ami']}")
    page.locator(".scorebug [data-open=describe]").click()
    page.locator("#performer").fill("Ami T.")
    page.locator("#date").fill("2026-02-02")
    with page.expect_navigation():
        page.locator("#describe [data-go]").click()
    row = catalogue.get(own_room.library, shelf.keys["ami"])
    assert (row.performer, row.date, row.event) == ("Ami T.", "2026-02-02", "Winter Jam")


def test_a_performance_is_deleted_from_its_page_when_that_is_meant(tab, own_room, shelf):
    page = tab(f"{own_room.url}/performance/{shelf.keys['ami']}")
    page.locator("[data-delete]").click()
    page.locator("#ask [data-no]").click()
    assert catalogue.get(own_room.library, shelf.keys["ami"]).performer == "Ami Tanaka"
    page.locator("[data-delete]").click()
    assert "Ami Tanaka" in page.locator("#ask h2").inner_text()
    page.locator("#ask [data-yes]").click()
    page.wait_for_url(f"{own_room.url}/")
    assert own_room.ask("GET", f"/api/v1/performances/{shelf.keys['ami']}").status == 404


def test_leaving_with_a_comment_half_written_asks(tab, address):
    page = tab(address("ami"))
    until(page, SETTLED)
    asked = []
    page.on("dialog", lambda dialog: (asked.append(dialog.type), dialog.accept()))
    page.locator("#text").press_sequentially("Late")
    page.reload()
    assert asked == ["beforeunload"]
    page.locator("#text").fill("")
    page.reload()
    assert asked == ["beforeunload"]


def test_who_performed_is_changed_without_what_another_window_said(tab, own_room, shelf):
    url = f"{own_room.url}/performance/{shelf.keys['ami_again']}"
    first, second = tab(url), tab(url)
    first.locator("[data-open=describe]").click()
    first.locator("#event").fill("From the first")
    first.locator("#describe [data-go]").click()
    first.locator(".facts", has_text="From the first").wait_for()
    second.locator("[data-open=describe]").click()
    second.locator("#performer").fill("Ami the second")
    second.locator("#describe [data-go]").click()
    second.locator("h1", has_text="Ami the second").wait_for()
    assert "From the first" in second.locator(".facts").inner_text()
