"""Pages of the room at the keyboard and while jobs run, in a real browser."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from toprock.library import Library, jobs, tables

from .rooms import Room, open_room
from .servers import invented

ROWS = 48


@pytest.fixture
def library(tmp_path) -> Iterator[Library]:
    made = Library(tmp_path / "library")
    yield made
    made.close()


@pytest.fixture
def room(library) -> Iterator[Room]:
    with open_room(library) as found:
        yield found


@pytest.fixture
def page(browser) -> Iterator[Any]:
    """A page in whose scripts nothing may go wrong."""
    context = browser.new_context(viewport={"width": 1440, "height": 900})
    made, troubles = context.new_page(), []
    made.on("pageerror", lambda error: troubles.append(str(error)))
    yield made
    context.close()
    assert troubles == []


def queued(library: Library, kind: str = "extract", **changes: Any) -> int:
    """A job that nobody does."""
    with library.write() as session:
        number = jobs.enqueue(session, kind, f"Something long: {kind}", payload={"mark": tables.new_key()})
        for name, value in changes.items():
            setattr(jobs.get(session, number), name, value)
        return number


def sent(page: Any, method: str) -> list[str]:
    """Addresses that the page asks from now on."""
    found: list[str] = []
    page.on("request", lambda request: found.append(request.url) if request.method == method else None)
    return found


@pytest.mark.parametrize(
    ("path", "dialog", "field", "method"),
    [
        ("/", "folder", "place", "POST"),
        ("/", "keeping", "days", "PUT"),
        ("/train", "folder", "place", "POST"),
        ("/performance/KEY", "describe", "event", "PATCH"),
    ],
)
def test_enter_in_a_dialog_does_what_it_offers_and_cancel_does_not(page, room, library, path, dialog, field, method):
    (key,) = invented(library, 1)
    page.goto(room.url + path.replace("KEY", key))
    asked = sent(page, method)
    page.locator(f"[data-open={dialog}]").first.click()
    page.locator(f"#{dialog} #{field}").press("Escape")
    page.locator(f"[data-open={dialog}]").first.click()
    page.locator(f"#{dialog}").get_by_role("button", name="Cancel").click()
    assert (page.locator(f"#{dialog}").is_visible(), asked) == (False, [])
    page.locator(f"[data-open={dialog}]").first.click()
    page.locator(f"#{dialog} #{field}").fill("0" if field == "days" else "/nowhere")
    page.locator(f"#{dialog} #{field}").press("Enter")
    for _ in range(100):
        if asked:
            break
        page.wait_for_timeout(20)
    assert len(asked) == 1


def polled(page: Any, after_s: float) -> None:
    """Let so much time pass for a page whose clock stands still, and what it asks for then arrive."""
    page.clock.run_for(int(1000 * after_s))
    page.wait_for_load_state("networkidle")


def test_the_second_page_stays_the_second_one_while_a_job_is_open(page, room, library):
    invented(library, ROWS + 2)
    queued(library)
    page.clock.install()
    page.goto(f"{room.url}/?start={ROWS}")
    with page.expect_response(lambda answer: "state=" in answer.url):
        page.clock.run_for(4100)
    page.clock.run_for(200)
    assert page.locator(".tile").count() == 2
