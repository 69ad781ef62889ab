"""The report in a real browser: what it asks for, how it behaves, who can use it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from toprock.assess.assessment import Assessment
from toprock.assess.model import Comparison
from toprock.performance import Performance
from toprock.report import picture_times, render_comparison, render_report, write_report

Make = Callable[..., Assessment]
EVIL = "<img src=x onerror=\"document.title='owned'\"><script>document.title='owned'</script>"
CONTRAST = """() => {
  const linear = (v) => (v /= 255) <= .04045 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4;
  const light = ([r, g, b]) => .2126 * linear(r) + .7152 * linear(g) + .0722 * linear(b);
  const parse = (c) => c.match(/[\\d.]+/g).map(Number);
  const bad = [];
  for (const e of document.querySelectorAll("main *, footer *")) {
    const own = [...e.childNodes].some((n) => n.nodeType === 3 && n.textContent.trim());
    const skip = "svg, .hero, .hidden, script, details:not([open])";
    if (!own || e.closest(skip) || !e.checkVisibility()) continue;
    let at = e; while (at && parse(getComputedStyle(at).backgroundColor)[3] === 0) at = at.parentElement;
    const back = at ? parse(getComputedStyle(at).backgroundColor) : [255, 255, 255];
    const a = light(parse(getComputedStyle(e).color)), b = light(back);
    const ratio = (Math.max(a, b) + .05) / (Math.min(a, b) + .05);
    if (ratio < 4.5) bad.push(e.className + ": " + e.textContent.trim() + " " + ratio.toFixed(2));
  }
  return bad;
}"""


@contextmanager
def opened(browser: Any, file: Path, *, width: int = 1280, **context: Any) -> Iterator[Any]:
    """The page of a file; leaving checks that it asked for nothing and complained of nothing."""
    with browser.new_context(viewport={"width": width, "height": 900}, **context) as session:
        page = session.new_page()
        complaints: list[str] = []
        requests: list[str] = []
        page.on("console", lambda message: complaints.append(message.text))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("request", lambda request: requests.append(request.url))
        page.goto(file.as_uri())
        yield page
        assert complaints == []
        assert [r for r in requests if not r.startswith("data:")][1:] == []


@pytest.fixture(scope="module")
def one(tmp_path_factory: pytest.TempPathFactory, make_assessment: Make, jpeg: bytes) -> Path:
    assessment = make_assessment(moments=3)
    performance = Performance("round-1", Path("v"), (), "Ami Tanaka", "Club night 12")
    pictures = {"round-1": dict.fromkeys(picture_times(assessment), jpeg)}
    file = tmp_path_factory.mktemp("report") / "one.html"
    html = render_report([assessment], pictures=pictures, performances={"round-1": performance})
    file.write_text(html, encoding="utf-8")
    return file


@pytest.fixture(scope="module")
def many(tmp_path_factory: pytest.TempPathFactory, make_assessment: Make) -> Path:
    names = [EVIL, "x" * 90, "p-2"]
    several = [make_assessment(name, seed=i, level=0.5 - i / 2, moments=1) for i, name in enumerate(names)]
    people = {EVIL: Performance(EVIL, Path("v"), (), EVIL, EVIL)}
    file = tmp_path_factory.mktemp("report") / "many.html"
    file.write_text(render_report(several, performances=people), encoding="utf-8")
    return file


@pytest.fixture(scope="module")
def two(tmp_path_factory: pytest.TempPathFactory, club: Any, jpeg: bytes) -> Path:
    first, second = club[0][2], club[0][5]
    found = Comparison(first.id, second.id, first.score - second.score, 0.55, (0.42, 0.67), True, first, second)
    file = tmp_path_factory.mktemp("report") / "two.html"
    pictures = {a.id: dict.fromkeys(picture_times(a), jpeg) for a in (first, second)}
    file.write_text(render_comparison(found, performances=club[1], pictures=pictures), encoding="utf-8")
    return file


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, club: Any) -> Path:
    """The index of a folder."""
    return write_report(club[0], f"{tmp_path_factory.mktemp('report')}/folder/", performances=club[1])


@pytest.fixture(scope="module")
def board(tmp_path_factory: pytest.TempPathFactory, club: Any) -> Path:
    """One file with standings and progress."""
    return write_report(club[0], tmp_path_factory.mktemp("report") / "board.html", performances=club[1])


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [375, 1280, 1920])
def test_fits_every_screen_and_reads_well(
    browser: Any, one: Path, many: Path, two: Path, folder: Path, board: Path, width: int, scheme: str
) -> None:
    for file in (one, many, two, folder, board):
        with opened(browser, file, width=width, color_scheme=scheme) as page:
            assert page.evaluate("document.documentElement.scrollWidth") == width
            assert page.evaluate(CONTRAST) == []


def test_cards_badges_and_pictures(browser: Any, one: Path) -> None:
    with opened(browser, one) as page:
        assert page.locator(".card").count() == page.locator(".badges a").count() == 6
        assert page.evaluate("[...document.images].every(i => i.complete && i.naturalWidth === 320)")
        assert page.locator(".card img").count() == 18
        assert page.locator(".lane").count() == 6


def test_hostile_names_stay_text(browser: Any, many: Path) -> None:
    with opened(browser, many) as page:
        assert "owned" not in page.title()
        assert page.locator("img").count() == 0
        assert page.get_by_role("link", name=EVIL, exact=True).first.inner_text() == EVIL


def test_pointing_at_the_timeline_tells_what_is_there(browser: Any, one: Path) -> None:
    with opened(browser, one) as page:
        plot = page.locator("[data-plot]")
        plot.scroll_into_view_if_needed()
        box = plot.bounding_box()
        page.mouse.move(box["x"] + box["width"] / 2, box["y"] + 40)
        tip = page.locator("#tip")
        assert tip.is_visible()
        assert tip.locator(".when").inner_text().startswith(("0:14.9", "0:15.0"))
        rows = tip.locator("dl div").all()
        shown = {}
        for i, row in enumerate(rows):
            name, value = row.locator("dt").inner_text(), row.locator("dd").inner_text()
            shown[i, name] = float(value.replace("−", "-"))
        assert [name for _, name in shown][:2] == ["Net a second", "Motion"]
        values = list(shown.values())
        assert sum(values[2:5]) == pytest.approx(values[1]) and sum(values[6:9]) == pytest.approx(values[5])
        assert values[0] == pytest.approx(values[1] + values[5])
        inside = tip.bounding_box()
        assert inside["x"] >= 0 and inside["x"] + inside["width"] <= 1280
        page.mouse.move(5, 5)
        assert tip.is_hidden()


def test_the_keyboard_reaches_everything(browser: Any, one: Path) -> None:
    with opened(browser, one) as page:
        page.keyboard.press("Tab")
        assert page.evaluate("document.activeElement.className") == "skip"
        slider = page.get_by_role("slider")
        for _ in range(20):
            if slider.evaluate("e => e === document.activeElement"):
                break
            page.keyboard.press("Tab")
        assert slider.evaluate("e => e === document.activeElement")
        assert page.locator("#tip").is_visible()
        before = slider.get_attribute("aria-valuetext")
        page.keyboard.press("ArrowRight")
        after = slider.get_attribute("aria-valuetext")
        assert before != after and "net" in after and "Motion" in after
        page.keyboard.press("End")
        assert slider.get_attribute("aria-valuetext").startswith("0:29.9")
        page.keyboard.press("Escape")
        assert page.locator("#tip").is_hidden()
        page.keyboard.press("Tab")
        assert page.evaluate("document.activeElement.closest('.badges') !== null")
        page.keyboard.press("Enter")
        assert "-worst-" in page.evaluate("location.hash")
        page.locator(".numbers summary").focus()
        page.keyboard.press("Enter")
        assert page.get_by_role("region", name="Contribution by time").is_visible()


def test_names_and_landmarks_for_screen_readers(browser: Any, one: Path, many: Path) -> None:
    for file, title in ((one, "Ami Tanaka"), (many, "Standings")):
        with opened(browser, file) as page:
            assert page.get_by_role("heading", level=1).all_inner_texts() == [title]
            for role in ("banner", "main", "contentinfo"):
                assert page.get_by_role(role).count() == 1
            levels = page.evaluate("[...document.querySelectorAll('h1,h2,h3,h4,h5')].map(h => +h.tagName[1])")
            assert all(b - a <= 1 for a, b in pairwise(levels))
    with opened(browser, one) as page:
        assert page.get_by_role("link", name="Best moment 1:").count() == 1


def test_works_without_script(browser: Any, one: Path) -> None:
    with opened(browser, one, java_script_enabled=False) as page:
        page.locator(".badges a").first.click()
        assert page.url.endswith("#p1-best-1")
        assert page.locator("#tip").is_hidden()
        page.locator(".numbers summary").click()
        assert page.get_by_role("region", name="Contribution by time").is_visible()


def test_printing_opens_the_numbers(browser: Any, one: Path) -> None:
    with opened(browser, one) as page:
        page.evaluate("window.dispatchEvent(new Event('beforeprint'))")
        assert page.locator("details:not([open])").count() == 0
        page.evaluate("window.dispatchEvent(new Event('afterprint'))")
        assert page.locator("details[open]").count() == 0


def column(page: Any, number: int) -> list[str]:
    return page.evaluate(
        f"[...document.querySelectorAll('.index tbody tr')].map(r => r.cells[{number}].innerText.trim())"
    )


def test_the_ranking_sorts_by_every_column_with_mouse_and_keyboard(browser: Any, folder: Path) -> None:
    with opened(browser, folder) as page:
        heads = page.locator(".index thead th")
        names = [name.strip().split("\n")[0] for name in heads.all_inner_texts()]
        assert [name.removesuffix(" ▼") for name in names[1:]] == [
            "Performance", "Out of 100", "Score", "Event", "Date", "Length",
        ]  # fmt: skip
        assert heads.nth(3).get_attribute("aria-sort") == "descending"
        scores = [float(v.replace("−", "-")) for v in column(page, 3)]
        assert scores == sorted(scores, reverse=True)
        page.get_by_role("button", name="Event").click()
        assert column(page, 4) == [f"Night {i}" for i in range(1, 8)]
        assert (
            heads.nth(4).get_attribute("aria-sort") == "ascending" and heads.nth(3).get_attribute("aria-sort") is None
        )
        page.keyboard.press("Enter")
        assert column(page, 4) == [f"Night {i}" for i in range(7, 0, -1)]
        assert page.locator("#sorted").inner_text() == "Sorted by Event, descending."
        page.keyboard.press("Tab")
        page.keyboard.press("Space")
        assert column(page, 5)[:3] == ["2026-01-10", "2026-01-10", "2026-02-14"] and column(page, 5)[-1] == "spring"
        for name, number in (("Length", 6), ("Out of 100", 2)):
            page.get_by_role("button", name=name).click()
            values = [float(v.split()[0]) for v in column(page, number)]
            assert values == sorted(values, reverse=True)
        page.get_by_role("button", name="Performance").click()
        assert [name.split()[0] for name in column(page, 1)] == ["Ami"] * 4 + ["Bo"] * 2 + ["Cleo"]


def test_from_the_index_to_a_page_and_back(browser: Any, folder: Path) -> None:
    with browser.new_context() as session:
        page = session.new_page()
        page.goto(folder.as_uri())
        page.get_by_role("link", name="Bo Lindqvist").first.click()
        assert page.get_by_role("heading", level=1).inner_text() == "Bo Lindqvist"
        page.get_by_role("link", name="Next better").click()
        assert page.get_by_role("heading", level=1).inner_text() == "Ami Tanaka"
        page.get_by_role("link", name="Standings").click()
        assert page.url == folder.as_uri()


def test_the_new_pages_have_headings_in_order_and_work_without_script(browser: Any, two: Path, folder: Path) -> None:
    for file in (two, folder):
        with opened(browser, file, java_script_enabled=False) as page:
            assert page.get_by_role("heading", level=1).count() == 1
            levels = page.locator("h1,h2,h3,h4,h5").evaluate_all("all => all.map(h => +h.tagName[1])")
            assert all(b - a <= 1 for a, b in pairwise(levels))
            assert page.get_by_role("complementary").count() >= 1
    with opened(browser, two) as page:
        page.locator(".badges a").first.focus()
        page.keyboard.press("Enter")
        assert page.evaluate("document.querySelector(location.hash).closest('.card') !== null")
        assert page.get_by_role("slider").count() == 2


def test_cards_are_whole_in_print_and_controls_are_gone(browser: Any, two: Path, board: Path) -> None:
    for file in (two, board):
        with opened(browser, file) as page:
            page.emulate_media(media="print")
            assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
            kept = "e => getComputedStyle(e).breakInside"
            for name in (".card", ".hero", ".person", ".cautions"):
                assert set(page.locator(name).evaluate_all(f"all => all.map({kept})")) <= {"avoid"}
            for row in page.locator(".row").all():  # names take 8rem of a page
                assert row.evaluate("e => getComputedStyle(e).gridTemplateColumns.split(' ')[0]") == "96px"
            assert page.locator(".keys:visible, .skip:visible, .scrub:visible, .back:visible").count() == 0


def test_three_minutes_open_within_a_second(browser: Any, make_assessment: Make, tmp_path: Path) -> None:
    long = make_assessment(length_s=182.0, step_s=0.5, moments=5)
    assert len(long.segments) > 2 * 360
    file = tmp_path / "long.html"
    file.write_text(render_report([long]), encoding="utf-8")
    best_ms = float("inf")
    for _ in range(3):  # other work on the machine only ever slows it down
        with opened(browser, file, width=375) as page:
            while not page.evaluate("performance.getEntriesByName('first-contentful-paint').length"):
                page.wait_for_timeout(50)
            times = page.evaluate(
                "[performance.getEntriesByName('first-contentful-paint')[0].startTime,"
                " performance.getEntriesByType('navigation')[0].domContentLoadedEventEnd]"
            )
            best_ms = min(best_ms, max(times))
            assert page.evaluate("document.documentElement.scrollWidth") == 375
    assert best_ms < 1000
