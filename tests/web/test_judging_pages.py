"""The judge page and the standings in a real browser."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select, update

from toprock.library import Library, catalogue, intake, judgments, tables

from .rooms import Room, open_room
from .servers import invented

WIDE, PHONE, PROJECTOR = ({"width": w, "height": h} for w, h in ((1440, 900), (375, 812), (1920, 1080)))
QUIET_MS = 330
VIDEOS = "[...document.querySelectorAll('.deck:not([hidden]) video')]"


@pytest.fixture(scope="module")
def shelf(make_video, tmp_path_factory) -> Path:
    """The folder of a library with four short videos, to be copied."""
    folder = tmp_path_factory.mktemp("shelf")
    made = Library(folder / "library")
    for number in range(4):
        video = make_video(folder / f"secret-{number}.mp4", frames=60 + number, size=(160, 96))
        intake.add_video(made, video, filename=video.name, owned=False)
    with made.write() as session:
        session.execute(update(tables.Performance).values(state="ready", performer="Secret Performer"))
    made.close()
    return folder / "library"


@pytest.fixture
def library(shelf, tmp_path) -> Iterator[Library]:
    shutil.copytree(shelf, tmp_path / "library")
    made = Library(tmp_path / "library")
    yield made
    made.close()


@pytest.fixture
def room(library) -> Iterator[Room]:
    with open_room(library) as found:
        yield found


@pytest.fixture
def opened(browser, room) -> Iterator[Callable[..., Any]]:
    """A function that opens a path of the room in a window of its own; nothing may go wrong in it but what is said."""
    contexts, wrong = [], []

    def go(path: str, *, size: dict[str, int] = WIDE) -> Any:
        context = browser.new_context(viewport=size)
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(10_000)
        page.on("pageerror", lambda error: wrong.append(str(error)))
        page.on("console", lambda m: wrong.append(m.text) if "Content Security Policy" in m.text else None)
        page.goto(room.url + path)
        return page

    yield go
    for context in contexts:
        context.close()
    assert wrong == []


def until(page: Any, true: str) -> None:
    """Wait until an expression is true; the page's own policy lets nothing be evaluated in it but from outside."""
    for _ in range(100):
        if page.evaluate(true):
            return
        page.wait_for_timeout(50)
    raise AssertionError(f"{true} has not come true")


def begin(page: Any, name: str = "Anna", criterion: str = "") -> None:
    page.fill("#annotator", name)
    page.fill("#criterion", criterion)
    page.keyboard.press("Enter")
    page.wait_for_selector(".deck:not([hidden])")
    until(page, "[...document.querySelectorAll('.deck:not([hidden]) video')].every((v) => v.readyState >= 2)")
    page.wait_for_timeout(QUIET_MS)


def shown(page: Any) -> list[str]:
    return page.eval_on_selector_all(".deck:not([hidden]) video", "all => all.map((v) => v.src.split('/').at(-2))")


def answer(page: Any, key: str) -> list[str]:
    """Press a key, and give what was shown before."""
    page.wait_for_timeout(QUIET_MS)
    before = shown(page)
    page.keyboard.press(key)
    return before


def kept(library: Library, count: int) -> list[tables.Judgment]:
    """All judgments, once there are as many as that."""
    for _ in range(100):
        with library.read() as session:
            found = list(session.scalars(select(tables.Judgment).order_by(tables.Judgment.id)))
        if len(found) >= count:
            break
        time.sleep(0.05)
    assert len(found) == count
    return found


def test_judging_by_keyboard(opened, library):
    page = opened("/judge")
    begin(page, " Anna  Judge ", "footwork")
    assert page.inner_text("#question") == "Which was better in footwork?"
    text = page.content()
    assert "secret" not in text.lower() and "performer" not in text.lower()
    page.keyboard.press("Space")
    until(page, "[...document.querySelectorAll('.deck:not([hidden]) video')].every((v) => !v.paused && v.muted)")
    page.keyboard.press("Space")
    until(page, f"{VIDEOS}.every((v) => v.paused)")
    asked = [answer(page, key) for key in ("ArrowLeft", "ArrowRight", "t", "u", "s")]
    found = kept(library, 5)
    assert [one.outcome for one in found] == ["left", "right", "tie", "unsure", "skip"]
    assert [[one.left, one.right] for one in found] == asked
    assert all(0.25 < one.seconds < 10 for one in found)
    assert {(one.annotator, one.criterion) for one in found} == {("Anna Judge", "footwork")}
    until(page, "document.querySelector('[data-mine]').textContent === '3'")
    page.keyboard.press("z")
    until(page, f"document.querySelector('.deck:not([hidden]) video').src.includes('{asked[-1][0]}')")
    assert shown(page) == asked[-1]
    assert [one.undone is None for one in kept(library, 5)] == 4 * [True] + [False]
    page.reload()  # the same pair, without being asked who judges
    page.wait_for_selector(".deck:not([hidden])")
    assert shown(page) == asked[-1]


def test_the_next_pair_is_there_at_once(opened):
    page = opened("/judge")
    begin(page)
    until(page, "[...document.querySelectorAll('.deck[hidden] video')].every((v) => v.readyState >= 2)")
    took_ms = page.evaluate("""() => new Promise((resolve) => {
      const start = performance.now(), before = document.querySelector('.deck:not([hidden]) video').src;
      const look = () => {
        const now = document.querySelector('.deck:not([hidden]) video');
        if (now && now.src !== before && now.readyState >= 2) resolve(performance.now() - start);
        else requestAnimationFrame(look);
      };
      document.body.dispatchEvent(new KeyboardEvent('keydown', { key: 'ArrowLeft', bubbles: true }));
      look();
    })""")
    assert took_ms < 500


def test_answers_outlive_a_room_that_does_not_answer(opened, library):
    page = opened("/judge")
    begin(page)
    page.route("**/api/v1/judgments", lambda route: route.abort())
    first = answer(page, "ArrowRight")
    until(page, "document.querySelector('[data-sending]').textContent.includes('1 answer is kept')")
    second = answer(page, "ArrowLeft")
    page.reload()  # even this loses nothing
    page.wait_for_timeout(200)
    assert kept(library, 0) == []
    page.unroute("**/api/v1/judgments")
    page.reload()
    found = kept(library, 2)
    assert [[one.left, one.right, one.outcome] for one in found] == [[*first, "right"], [*second, "left"]]
    page.wait_for_selector(".deck:not([hidden])")
    assert shown(page) not in (first, second)
    assert page.evaluate("localStorage.getItem('toprock.answers')") == "[]"


def test_time_counts_while_the_page_can_be_seen(opened, library):
    page = opened("/judge")
    begin(page)
    hide = (
        "(hidden) => { Object.defineProperty(document, 'hidden', { configurable: true, get: () => hidden }); "
        "document.dispatchEvent(new Event('visibilitychange')); }"
    )
    page.evaluate(hide, True)
    page.wait_for_timeout(1500)
    page.evaluate(hide, False)
    begun = time.monotonic()
    answer(page, "ArrowLeft")
    assert kept(library, 1)[0].seconds < 1.2 + time.monotonic() - begun


def test_only_the_spans_that_count_are_played(opened, library):
    with library.write() as session:
        session.execute(update(tables.Performance).values(intervals="0.4-0.8;1.4-1.7"))
    page = opened("/judge")
    begin(page)
    assert page.eval_on_selector(".deck:not([hidden]) video", "(v) => v.currentTime") == pytest.approx(0.4, abs=0.05)
    assert page.inner_text(".deck:not([hidden]) .clock").endswith("/ 0:00")  # 0.7 s
    page.evaluate("""() => {
      window.seen = [];
      const video = document.querySelector('.deck:not([hidden]) video');
      const look = () => { if (!video.seeking) window.seen.push(video.currentTime); requestAnimationFrame(look); };
      look();
    }""")
    page.click(".deck:not([hidden]) [data-play]")
    page.wait_for_selector(".deck:not([hidden]) .seat.left .ended:not([hidden])")
    seen = page.evaluate("window.seen")
    assert max(seen) < 1.95 and any(at >= 1.4 for at in seen)
    assert [at for at in seen if 1.05 < at < 1.35] == []  # a few frames late, and no more


def test_one_video_can_be_looked_at_large(opened):
    page = opened("/judge")
    begin(page)
    page.keyboard.press("2")
    assert page.is_hidden(".deck:not([hidden]) .seat.left")
    wide = page.eval_on_selector(".deck:not([hidden]) .seat.right", "(e) => e.getBoundingClientRect().width")
    assert wide > 1000
    page.keyboard.press("Space")
    until(page, "!document.querySelector('.deck:not([hidden]) .right video').paused")
    assert page.evaluate("document.querySelector('.deck:not([hidden]) .left video').paused")
    page.keyboard.press("Escape")
    assert page.is_visible(".deck:not([hidden]) .seat.left")


def test_sound_slow_motion_and_single_pictures_by_keys_that_are_listed(opened, library):
    page = opened("/judge", size=PROJECTOR)
    begin(page)
    until(page, f"{VIDEOS}.length === 2 && {VIDEOS}.every((v) => v.readyState >= 2 && !v.seeking)")
    assert page.locator(".deck:not([hidden]) .screen").first.bounding_box()["width"] > 850
    heard = f"{VIDEOS}.map((v) => !v.muted)"
    for loud in ([True, False], [False, True], [False, False]):
        page.keyboard.press("m")
        assert page.evaluate(heard) == loud
    page.keyboard.press("[")
    assert page.evaluate(f"{VIDEOS}.map((v) => v.playbackRate)") == [0.5, 0.5]
    until(page, "document.querySelector('.deck:not([hidden]) [data-clock]').textContent.includes('½×')")
    for rate, key, then in ((1.5, "]", 2), (0.6, "[", 0.25)):  # a browser's own menu knows speeds between
        page.evaluate(f"{VIDEOS}.forEach((v) => {{ v.playbackRate = {rate}; }})")
        page.keyboard.press(key)
        assert page.evaluate(f"{VIDEOS}.map((v) => v.playbackRate)") == [then, then]
    still = f"!document.querySelector('.still') && {VIDEOS}.every((v) => !v.seeking)"
    for keys, shown in (("...", 3), (",", 2)):
        for key in keys:
            page.keyboard.press(key)
        until(page, still)
        assert page.evaluate(f"{VIDEOS}.map((v) => Math.floor(v.currentTime * 30 + 0.01))") == [shown, shown]
    page.keyboard.press("2")
    page.keyboard.press(".")
    until(page, still)
    assert page.evaluate(f"{VIDEOS}.map((v) => Math.floor(v.currentTime * 30 + 0.01))") == [2, 3]
    page.keyboard.press("?")
    assert page.locator("#keys dt").all_inner_texts()[-6:] == [",\n.", "[\n]", "m", "1\n2", "esc", "?"]
    page.keyboard.press("t")
    page.keyboard.press("Escape")
    with library.read() as session:
        assert session.scalars(select(tables.Judgment)).all() == []


def test_judging_ends_when_all_pairs_are_judged(opened, library):
    page = opened("/judge", size=PHONE)
    begin(page)
    left, right = (page.locator(f".deck:not([hidden]) .seat.{side}").bounding_box() for side in ("left", "right"))
    assert right["y"] >= left["y"] + left["height"] - 1 and left["width"] == right["width"] == 375
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    for _ in range(40):
        if page.is_visible("#done"):
            break
        page.wait_for_timeout(QUIET_MS)
        if page.is_visible(".deck:not([hidden])"):
            page.click("[data-outcome=left]", timeout=2000)
            page.wait_for_timeout(60)
    page.wait_for_selector("#done:not([hidden])")
    with library.read() as session:
        assert len(judgments.pairs_of(session)) == 6
    page.click("#done [data-undo]")
    page.wait_for_selector(".deck:not([hidden])")


def test_there_is_nothing_to_judge_with_one_performance(opened, library):
    with library.read() as session:
        keys = session.scalars(select(tables.Performance.key)).all()
    catalogue.remove(library, keys[1:])
    page = opened("/judge")
    page.fill("#annotator", "Anna")
    page.keyboard.press("Enter")
    page.wait_for_selector("#few:not([hidden])")
    assert page.is_hidden("#bout")


def test_standings_show_who_stands_where(opened, library, room, tmp_path):
    page = opened("/standings")
    assert page.inner_text("h2") == "No comparisons yet"
    with library.write() as session:
        for row, name in zip(session.scalars(select(tables.Performance)), ("Ann", "Bob", "Cleo", "Dan"), strict=True):
            row.performer, row.name = name, name.lower()
    invented(library, 2)
    lines = ["better,worse,outcome,annotator,seconds"]
    for judge in ("eva", "finn"):
        lines += [f"ann,bob,win,{judge},5", f"bob,cleo,win,{judge},15", f"ann,cleo,tie,{judge},10"]
    lines += ["cleo,ann,win,finn,1", "p004,p005,win,eva,9", "dan,nobody,win,eva,9"]
    (tmp_path / "pairs.csv").write_text("\n".join(lines) + "\n")
    page.set_input_files("#pairs-file", tmp_path / "pairs.csv")
    page.wait_for_selector(".toast:has-text('8 comparisons are new. 1 left out: nobody is not in the library.')")
    rows = page.locator(".ranking >> nth=0").locator("tbody tr")
    assert [row.split()[1] for row in rows.all_inner_texts()] == ["Ann", "Bob", "Cleo"]
    assert "1–3" in rows.nth(0).inner_text()
    text = " ".join(page.inner_text("main").split())
    assert "2 groups that no comparison connects: A with Ann and Bob and 1 more; B with" in text
    assert "1 not judged yet: Dan" in text
    rings = (
        "Ann beat Bob beat Cleo beat Ann.",
        "Bob beat Cleo beat Ann beat Bob.",
        "Cleo beat Ann beat Bob beat Cleo.",
    )
    assert any(ring in text for ring in rings) and "each judged better" not in text
    assert [t.split("\t")[:3] for t in page.locator(".judges tbody tr").all_inner_texts()] == [
        ["eva", "4", "10 s"],
        ["finn", "4", "8 s"],
    ]
    first = rows.nth(0)
    assert first.locator("th a").get_attribute("href").startswith("/performance/")
    assert first.locator(".compare a").get_attribute("href").startswith("/compare?a=")
    page.set_input_files("#pairs-file", tmp_path / "pairs.csv")
    page.wait_for_selector(".toast:has-text('8 were here already.')")
    (tmp_path / "no.json").write_text(json.dumps({"a": 1}))
    page.set_input_files("#pairs-file", tmp_path / "no.json")
    page.wait_for_selector(".toast.bad:has-text('no list of tasks')")
    page.set_viewport_size(PHONE)
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    with page.expect_download() as download:
        page.click("text=Pairs CSV")
    assert len(Path(download.value.path()).read_text().splitlines()) == 9
