"""Steps from picture to picture through a video whose pictures are not even in time, in a real browser."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest
from sqlalchemy import update

from toprock.library import Library, catalogue, intake, tables

from .rooms import Room, open_room, until

PICTURES = 14
GAPS_S = (0.02, 0.04, 0.1, 0.35, 0.033)
SHOWN = """() => {
  const video = document.getElementById("video"), canvas = document.createElement("canvas");
  [canvas.width, canvas.height] = [120, 10];
  const pen = canvas.getContext("2d");
  pen.drawImage(video, 0, 0, 120, 10);
  let number = 0;
  for (let bit = 0; bit < 12; bit += 1) if (pen.getImageData(10 * bit + 5, 5, 1, 1).data[0] > 125) number += 1 << bit;
  return number;
}"""
SILENT = """(() => {
  const videos = HTMLVideoElement.prototype, tell = videos.requestVideoFrameCallback;
  videos.requestVideoFrameCallback = function (told) {
    window.speak = () => {
      videos.requestVideoFrameCallback = tell;
      this.requestVideoFrameCallback((now, picture) => { window.spoken = true; told(now, picture); });
    };
  };
})()"""
STILL = "!document.querySelector('.still') && !document.getElementById('video').seeking"


@pytest.fixture(scope="module")
def key_and_room(make_video, tmp_path_factory) -> Iterator[tuple[str, str, Room]]:
    """A room with a video of uneven pictures: all of it, and two spans of another one like it."""
    folder = tmp_path_factory.mktemp("steps")
    times_s, now_s = [], 0.0
    for number in range(PICTURES):
        times_s.append(now_s)
        now_s += GAPS_S[number % len(GAPS_S)] if number < 11 else 1 / 60
    library = Library(folder / "library")
    for number, name in enumerate(("whole", "spans")):
        video = make_video(folder / f"{name}.mp4", times_s=times_s[: PICTURES - number], gop=250, size=(240, 96))
        intake.add_video(library, video, filename=video.name, owned=False)
    with library.write() as session:
        session.execute(update(tables.Performance).values(state="ready"))
        rows = {row.name: row.key for row in session.query(tables.Performance)}
    # pictures 5 to 7 (0.543, 0.563, 0.603 s), and those from 10 (1.086 s) on
    (spans,) = catalogue.cut(library, rows["spans"], [("0.55-0.65;1.1-2", "")])
    with open_room(library) as room:
        yield rows["whole"], spans, room
    library.close()


def stepped(page, key: str) -> int:
    """The number of the picture after a step."""
    page.keyboard.press(key)
    until(page, STILL)
    return page.evaluate(SHOWN)


def test_every_step_shows_the_next_picture_and_none_is_skipped(tab, key_and_room):
    whole, _, room = key_and_room
    page = tab(f"{room.url}/performance/{whole}")
    until(page, "document.getElementById('video').readyState >= 2")
    assert page.evaluate(SHOWN) == 0
    assert [stepped(page, ".") for _ in range(PICTURES)] == [*range(1, PICTURES), PICTURES - 1]
    assert [stepped(page, ",") for _ in range(PICTURES)] == [*range(PICTURES - 2, -1, -1), 0]


def test_steps_keep_to_the_spans_of_a_performance(tab, key_and_room):
    _, spans, room = key_and_room
    page = tab(f"{room.url}/performance/{spans}")
    until(page, f"document.getElementById('video').readyState >= 2 && {STILL}")
    assert page.evaluate(SHOWN) == 5
    assert [stepped(page, key) for key in ".....,,,,,,"] == [6, 7, 10, 11, 12, 11, 10, 7, 6, 5, 5]


def test_steps_that_are_asked_for_faster_than_they_come_are_all_made_and_a_jump_ends_them(tab, key_and_room):
    whole, _, room = key_and_room
    page = tab(f"{room.url}/performance/{whole}?t=1")
    until(page, f"document.getElementById('video').readyState >= 2 && {STILL}")
    first = page.evaluate(SHOWN)
    for _ in range(3):
        page.keyboard.press(".")
    until(page, STILL)
    assert page.evaluate(SHOWN) == first + 3
    page.keyboard.press(".")
    page.evaluate("document.querySelector('[data-plot] [role=slider]').focus()")
    page.keyboard.press("Home")
    until(page, STILL)
    assert page.evaluate("document.getElementById('video').currentTime") == pytest.approx(0, abs=0.01)


def test_where_pictures_are_not_told_of_steps_go_by_an_even_distance_at_once(tab, key_and_room):
    _, spans, room = key_and_room
    page = tab(f"{room.url}/performance/{spans}")
    page.add_init_script(SILENT)
    tab(page.url)
    until(page, f"document.getElementById('video').readyState >= 2 && {STILL}")
    times_s, began_s = [], time.monotonic()
    for key in ",...,":
        stepped(page, key)
        times_s.append(page.evaluate("document.getElementById('video').currentTime"))
    assert time.monotonic() - began_s < 3  # five of them, the first of which waited in vain
    assert times_s == pytest.approx([0.551, 0.551 + 1 / 30, 0.551 + 2 / 30, 1.101, 0.649], abs=0.002)
    page.evaluate("speak()")
    assert stepped(page, ".") == 10
    until(page, "window.spoken")
    assert [stepped(page, key) for key in "..,"] == [11, 12, 11]
