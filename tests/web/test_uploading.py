"""Bringing videos by the browser: dropped files and folders, what is cancelled, what fails, and leaving meanwhile."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from toprock.library import Library, catalogue
from toprock.web.api import performances

from .rooms import Room, open_room, until

# `content` is the bytes, or how many of them
DROP = """([names, content]) => {
  const carried = new DataTransfer();
  for (const name of names) carried.items.add(new File([new Uint8Array(content)], name));
  document.body.dispatchEvent(new DragEvent("drop", { dataTransfer: carried, bubbles: true, cancelable: true }));
}"""
SLOW = {"offline": False, "latency": 0, "downloadThroughput": -1, "uploadThroughput": 50_000}
FAST = {**SLOW, "uploadThroughput": -1}
LARGE = 3_000_000


@pytest.fixture(scope="module")
def library(tmp_path_factory) -> Iterator[Library]:
    made = Library(tmp_path_factory.mktemp("uploading") / "library")
    yield made
    made.close()


@pytest.fixture(scope="module")
def room(library) -> Iterator[Room]:
    with open_room(library) as found:
        yield found


@pytest.fixture
def page(browser, room, library) -> Iterator[Any]:
    """The page of an empty library, in whose scripts nothing may go wrong; what was brought goes again."""
    context = browser.new_context(viewport={"width": 1440, "height": 900})
    made, troubles = context.new_page(), []
    made.on("pageerror", lambda error: troubles.append(str(error)))
    made.goto(room.url)
    yield made
    context.close()
    assert troubles == []
    catalogue.remove(library, [row.performance.key for row in catalogue.listed(library).rows])


@pytest.fixture(scope="module")
def videos(make_video, tmp_path_factory) -> Path:
    """A folder with a video, a text, and a folder with another video."""
    folder = tmp_path_factory.mktemp("brought") / "battles"
    (folder / "finals").mkdir(parents=True)
    make_video(folder / "one.mp4", frames=4)
    make_video(folder / "finals" / "two.MOV", frames=5)
    (folder / "notes.txt").write_text("no video")
    return folder


def network(page: Any, conditions: dict[str, Any]) -> None:
    page.context.new_cdp_session(page).send("Network.emulateNetworkConditions", conditions)


def brought(library: Library) -> list[str]:
    return sorted(row.performance.video.filename for row in catalogue.listed(library).rows)


def nothing_lies_around(library: Library) -> bool:
    return not [*library.folder.incoming.iterdir(), *library.folder.root.glob("videos/*")]


def test_a_file_that_is_dropped_is_brought(page, library, videos):
    page.evaluate(DROP, [["jam.mp4"], [*(videos / "one.mp4").read_bytes()]])
    page.locator(".tile").wait_for()
    assert brought(library) == ["jam.mp4"]


def test_a_folder_that_is_dropped_brings_the_videos_in_it(page, library, videos):
    devtools = page.context.new_cdp_session(page)
    for kind in ("dragEnter", "dragOver", "drop"):
        data = {"items": [], "files": [str(videos)], "dragOperationsMask": 1}
        devtools.send("Input.dispatchDragEvent", {"type": kind, "x": 700, "y": 400, "data": data})
    page.locator(".tile").nth(1).wait_for()
    assert brought(library) == ["one.mp4", "two.MOV"]


def test_leaving_is_asked_about_only_while_something_is_on_its_way(page, room):
    asked = []
    page.on("dialog", lambda dialog: (asked.append(dialog.type), dialog.dismiss()))
    page.locator("h1").click()  # browsers ask only where somebody has done something
    network(page, SLOW)
    page.evaluate(DROP, [["large.mp4"], LARGE])
    until(page, "/ %/.test(document.querySelector('.upload span').textContent)")
    page.evaluate("setTimeout(() => location.assign('/jobs'))")
    until(page, "document.querySelector('.upload span')")
    for _ in range(100):
        if asked:
            break
        page.wait_for_timeout(20)
    assert asked == ["beforeunload"] and page.url == f"{room.url}/"
    page.get_by_role("button", name="Cancel the upload of large.mp4").click()
    until(page, "!document.querySelector('.upload')")
    page.goto(f"{room.url}/jobs")
    assert asked == ["beforeunload"]


def test_what_is_cancelled_leaves_nothing_and_the_next_one_goes_on(page, library, videos):
    network(page, SLOW)
    page.evaluate(DROP, [["a.mp4", "b.mp4", "c.mp4", "d.mp4"], LARGE])
    until(page, "document.querySelectorAll('.upload').length === 4")
    until(page, "/ %/.test(document.querySelector('.upload span').textContent)")
    for name in ("d", "a", "b", "c"):
        page.get_by_role("button", name=f"Cancel the upload of {name}.mp4").click()
    until(page, "!document.querySelector('.upload')")
    network(page, FAST)
    page.evaluate(DROP, [["e.mp4"], [*(videos / "one.mp4").read_bytes()]])
    page.locator(".tile").wait_for()
    assert brought(library) == ["e.mp4"] and not [*library.folder.incoming.iterdir()]


def test_what_is_cancelled_when_all_of_it_was_sent_is_taken_away_again(page, library, videos, monkeypatch):
    begun, add, page_may_cancel = [], performances.intake.add_video, threading.Event()

    def slow(*arguments: Any, **options: Any) -> str:
        begun.append(options["filename"])
        page_may_cancel.wait(10)
        return add(*arguments, **options)

    monkeypatch.setattr(performances.intake, "add_video", slow)
    page.evaluate(DROP, [["late.mp4"], [*(videos / "one.mp4").read_bytes()]])
    page.get_by_text("is looked at").wait_for()
    page.get_by_role("button", name="Cancel the upload of late.mp4").click()
    page_may_cancel.set()
    until(page, "!document.querySelector('.upload')")
    assert begun == ["late.mp4"] and brought(library) == [] and nothing_lies_around(library)


def test_only_that_an_upload_begins_ends_or_fails_is_said_aloud(page):
    page.evaluate("""() => {
      window.said = [];
      const watch = new MutationObserver((changes) => {
        const text = changes[0].target.closest("[aria-live], [role=status]").textContent;
        if (text && text !== said.at(-1)) said.push(text);
      });
      for (const live of document.querySelectorAll("[aria-live], [role=status]"))
        watch.observe(live, { childList: true, characterData: true, subtree: true });
    }""")
    network(page, SLOW)
    page.evaluate(DROP, [["large.mp4"], LARGE])
    until(page, "/^[1-9].* %/.test(document.querySelector('.upload span').textContent)")
    assert page.evaluate("said") == ["large.mp4 is being uploaded."]
    page.get_by_role("button", name="Cancel the upload of large.mp4").click()
    network(page, FAST)
    page.evaluate(DROP, [["broken.mp4"], [1, 2, 3]])
    page.locator(".upload.bad").wait_for()
    _, began, failed = page.evaluate("said")
    assert began == "broken.mp4 is being uploaded." and failed.startswith("broken.mp4: ") and len(failed) > 30


def test_what_failed_says_why_until_it_is_closed(page, library):
    page.evaluate(DROP, [["broken.mp4"], [1, 2, 3]])
    page.locator(".upload.bad").wait_for()
    page.get_by_role("button", name="Close what is said of broken.mp4").click()
    assert page.locator(".upload").count() == 0 and brought(library) == [] and nothing_lies_around(library)


def test_of_many_that_failed_all_are_closed_at_once_and_what_was_here_is_no_failure(page, library, videos):
    content = [*(videos / "one.mp4").read_bytes()]
    page.evaluate(DROP, [["jam.mp4"], content])
    page.locator(".tile").wait_for()
    page.evaluate(DROP, [["again.mp4"], content])
    page.locator(".toast", has_text="again.mp4: this video is here already").wait_for()
    close = page.locator("#uploads-close")
    for number in range(4):
        assert not close.is_visible()
        page.evaluate(DROP, [[f"broken{number}.mp4"], [1, 2, number]])
        page.locator(".upload.bad").nth(number).wait_for()
    assert close.inner_text() == "Close all 4 that were left out"
    close.click()
    assert page.locator(".upload").count() == 0 and not close.is_visible()
    assert brought(library) == ["jam.mp4"]
