"""Pages of the room at the keyboard and while jobs run, in a real browser."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from toprock.library import Library, catalogue, jobs, tables
from toprock.library.database import set_setting
from toprock.library.work import do

from .rooms import Room, open_room, until
from .servers import invented
from .shelf import Watch

ROWS = 48


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


def test_the_second_page_stays_the_second_one_while_a_job_is_open(page, room, library):
    invented(library, ROWS + 2)
    queued(library)
    page.clock.install()
    page.goto(f"{room.url}/?start={ROWS}")
    with page.expect_response(lambda answer: "state=" in answer.url):
        page.clock.run_for(4100)
    page.clock.run_for(200)
    assert page.locator(".tile").count() == 2


def test_a_judges_keys_can_be_switched_off_and_stay_off(page, room, library):
    invented(library, 4)
    page.goto(f"{room.url}/judge")
    page.locator("#annotator").fill("Kim")
    page.locator("#annotator").press("Enter")
    page.locator("#bout").wait_for()
    page.get_by_label("Listen to keys").uncheck()
    asked = sent(page, "POST")
    page.reload()
    page.locator(".deck:not([hidden])").wait_for()
    page.wait_for_timeout(330)
    for key in ("t", "u", "s", "ArrowLeft", "z"):
        page.keyboard.press(key)
    page.get_by_label("Listen to keys").focus()
    assert asked == []
    page.keyboard.press("Space")
    assert page.evaluate("localStorage.getItem('toprock.keys')") == "on"
    page.get_by_label("Listen to keys").blur()
    with page.expect_response("**/judgments"):
        page.keyboard.press("t")


def test_what_the_first_folder_left_out_is_said(page, room, library, make_video, tmp_path):
    (tmp_path / "videos").mkdir()
    make_video(tmp_path / "videos" / "good.mp4", frames=4)
    (tmp_path / "videos" / "bad.mp4").write_bytes(b"no video")
    page.goto(room.url)
    page.locator("[data-open=folder]").click()
    page.locator("#place").fill(str(tmp_path / "videos"))
    with page.expect_response("**/jobs/*"):
        page.locator("#place").press("Enter")
    with library.write() as session:
        job = jobs.claim(session, "test", ["take"])
    result = do(library, job, Watch())
    with library.write() as session:
        jobs.finish(session, job.id, "test", "done", result=result)
    page.get_by_text("1 left out, such as bad: ").wait_for()
    assert page.locator(".finder").count() == 1
    page.reload()
    assert page.evaluate("sessionStorage.getItem('toprock.taking')") is None
    assert page.locator(".toast").count() == 0


def test_what_a_manifest_could_not_change_is_said_with_what_to_do(library):
    def told(**kept):
        with library.write() as session:
            number = jobs.enqueue(session, "take", "Take in", payload={"path": str(kept)})
            jobs.get(session, number).state, jobs.get(session, number).result = "done", {"known": 9, "kept": kept}
        with open_room(library) as room:
            return room.ask("GET", "/jobs").text

    page = told(r1=["performer"])
    assert "what people had said stays: <bdi>r1</bdi> (performer).</p>" in page
    page = told(r1=["intervals", "event"], r2=["start_box"], **{f"s{n}": ["date"] for n in range(4)})
    assert "stays: <bdi>r1</bdi> (event), <bdi>s0</bdi> (date), <bdi>s1</bdi> (date) and others; spans" in page
    assert "<bdi>r1</bdi> (intervals), <bdi>r2</bdi> (start_box). To change one, cut it on its page, or delete" in page


FOCUS = "document.activeElement.id"


def poll(page: Any, part: str, after_s: float) -> int:
    """Let time pass until a part of the page has been asked for again, and settle; gives the status of the answer."""
    with page.expect_response(lambda answer: answer.url.partition("?")[0].endswith(part)) as answer:
        page.clock.run_for(int(1000 * after_s) + 100)
    page.wait_for_timeout(50)
    page.clock.run_for(200)
    return answer.value.status


def polled(page: Any, part: str, after_s: float, status: int) -> bool:
    """Whether such an answer comes within four: one may have been asked for just before what changed."""
    return status in (poll(page, part, after_s) for _ in range(4))


def change(library: Library, number: int, **changes: Any) -> None:
    with library.write() as session:
        for name, value in changes.items():
            setattr(jobs.get(session, number), name, value)


def test_jobs_that_go_on_leave_the_keyboard_where_it_is(page, room, library):
    number = queued(library)
    page.clock.install()
    page.goto(f"{room.url}/jobs")
    page.evaluate("window.first = document.querySelector('.job')")
    page.locator(f"#job-{number}-do").focus()
    assert polled(page, "/jobs", 1, 204)
    assert page.evaluate("window.first.isConnected")
    for changes in ({"state": "running", "progress": 0.25}, {"cancel": True}, {"state": "cancelled"}):
        change(library, number, **changes)
        assert polled(page, "/jobs", 1, 200)
        assert page.evaluate(FOCUS) == f"job-{number}-do"
        assert polled(page, "/jobs", 1, 204)
    assert page.locator(f"#job-{number}-do").inner_text() == "Try again"


def test_a_button_that_is_pressed_keeps_the_keyboard(page, room, library):
    number = queued(library)
    page.clock.install()
    page.goto(f"{room.url}/jobs")
    with page.expect_response("**/cancel"):
        page.locator(f"#job-{number}-do").press("Enter")
    assert polled(page, "/jobs", 1, 200)
    assert page.evaluate(FOCUS) == f"job-{number}-do"


def test_a_training_that_goes_on_leaves_the_keyboard_and_says_only_what_is_new(page, room, library):
    number = queued(library, "train")
    page.clock.install()
    page.goto(f"{room.url}/train")
    page.locator("#training-do").focus()
    assert polled(page, "/train/now", 1, 204)
    assert page.locator("#training [role=status]").count() == 0
    page.evaluate("""() => { window.said = 0;
        const told = document.getElementById("training-said");
        new MutationObserver(() => { window.said += 1; }).observe(told, { childList: true });
        window.told = told; }""")
    for step in (1, 2, 3):
        change(library, number, state="running", progress=0.1 * step, stage=f"group 1: step {step} of 9")
        assert polled(page, "/train/now", 1, 200)
        assert page.evaluate(FOCUS) == "training-do"
    assert page.evaluate("window.told.isConnected && window.said") == 1
    assert page.locator("#training-said").inner_text() == "Something long: train runs: group 1"


def test_the_list_of_performances_leaves_the_keyboard_where_it_is(page, room, library):
    first, second = invented(library, 2)
    queued(library)
    page.clock.install()
    page.goto(room.url)
    page.locator(f"#pick-{first}").check()
    page.evaluate("window.first = document.querySelector('.tile')")
    assert polled(page, "/", 4, 204)
    assert page.evaluate("window.first.isConnected")
    for name, key in (("pick", first), ("to", second)):
        page.locator(f"#{name}-{key}").focus()
        room.ask("PATCH", f"/api/v1/performances/{second}", {"event": f"Jam {name}"})
        assert polled(page, "/", 4, 200)
        assert page.evaluate(FOCUS) == f"{name}-{key}"
    assert page.locator(f"#pick-{first}").is_checked()


def test_all_that_are_shown_are_chosen_at_once(page, room, library):
    invented(library, 3)
    page.goto(room.url)
    page.locator("#choose-all").click()
    assert page.locator(".pick:checked").count() == 3
    assert page.locator("#selection [data-count]").inner_text() == "3"
    page.locator("#selection [data-delete]").click()
    page.locator("#ask [data-yes]").click()
    until(page, "!document.querySelector('.tile')")
    assert catalogue.listed(library).total == 0


def test_intervals_stand_beside_scores_on_a_phone_too(page, room, library):
    (key,) = invented(library, 1)
    with library.write() as session:
        session.add(tables.Model(key="1" * 16, name="May"))
        session.flush()
        session.add(
            tables.Assessment(
                performance_key=key, model_key="1" * 16, score=0.5, value=56.1, low=31.2, high=80.4, document={}
            )
        )
        set_setting(session, "model", "1" * 16)
    page.set_viewport_size({"width": 375, "height": 780})
    for path, interval in (("/", ".bug small"), ("/compare", ".picks small")):
        page.goto(room.url + path)
        found = page.locator(interval).first
        assert found.is_visible() and found.inner_text() == "31–80"
        assert page.evaluate("document.documentElement.scrollWidth") == 375
