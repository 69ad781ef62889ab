"""From an empty library to a report, in a real browser, as somebody does it who has a folder of videos and no code."""

from __future__ import annotations

import contextlib
import json
import os
import re
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from importlib import resources
from pathlib import Path
from typing import Any

import pytest

from toprock.synthetic import render_performances

pytestmark = pytest.mark.long

HOSTILE = "<img src=x onerror=alert(1)>"
AXE = resources.files("axe_playwright_python").joinpath("axe.min.js").read_text(encoding="utf-8")
AXE_RUN = "axe.run({rules}).then((r) => r.violations.map((v) => [v.id, v.nodes.map((n) => n.html)]))"
COLOURS = "{runOnly: ['cat.color']}"
ALL_DONE = "fetch('/api/v1/jobs').then((a) => a.json()).then((j) => j.every((x) => x.state === 'done'))"
JUMP = """() => new Promise((resolve) => {
  const video = document.querySelector("video"), begun = performance.now();
  const told = () => resolve([performance.now() - begun, video.currentTime]);
  video.addEventListener("seeked", told, { once: true });
  document.querySelector('[data-go="worst-1"]').click();
})"""
ROOM = Path(__file__).parents[2] / "docs" / "room.md"
WIDTHS = (1440, 375)


@pytest.fixture(scope="module")
def videos(tmp_path_factory) -> dict[Path, float]:
    """Six rendered battles, one under a hostile name -> their true quality."""
    folder = tmp_path_factory.mktemp("videos")
    made = render_performances(folder, count=6, seed=3, processes=1)
    found = {}
    for number, one in enumerate(made):
        video = folder / "videos" / f"{one.id}.mp4"
        if number == 0:
            video = video.rename(video.with_name(f"{HOSTILE}.mp4"))
        found[video] = one.quality
    return found


@contextlib.contextmanager
def served(folder: Path) -> Iterator[str]:
    """A room as people open it: the command, with its workers."""
    command = [sys.executable, "-m", "toprock", "serve", str(folder), "--port", "0"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=os.environ | {"TOPROCK_LOG": "off"}) as room:
        assert room.stderr is not None
        try:
            line = room.stderr.readline()
            yield re.search(r"http://\S+", line)[0]
        finally:
            room.terminate()
            room.communicate(timeout=20)


class Visit:
    """A browser's page and what went wrong in it."""

    def __init__(self, page: Any, url: str) -> None:
        self.page, self.url = page, url
        self.troubles: list[str] = []
        self.foreign: list[str] = []
        page.on("pageerror", lambda error: self.troubles.append(str(error)))
        page.on("console", lambda message: message.type == "error" and self.troubles.append(message.text))
        page.on("request", self._asked)
        page.on("dialog", lambda dialog: (self.troubles.append(f"dialog: {dialog.message}"), dialog.dismiss()))

    def _asked(self, request: Any) -> None:
        if not request.url.startswith((self.url, "data:", "blob:")):
            self.foreign.append(request.url)

    def until(self, script: str, *, seconds: float = 60.0) -> None:
        """Wait for something; the room's policy refuses the way in which Playwright waits for scripts."""
        end = time.monotonic() + seconds
        while not self.page.evaluate(script):
            assert time.monotonic() < end, script
            self.page.wait_for_timeout(50)

    def goto(self, path: str) -> None:
        self.page.goto(self.url + path)

    def ask(self, path: str) -> Any:
        with urllib.request.urlopen(f"{self.url}/api/v1{path}", timeout=30) as answer:
            return json.load(answer)

    def check(self) -> None:
        """Readable at both widths, light and dark, usable without eyes or mouse: no violation that axe-core knows."""
        self.page.evaluate(AXE)
        for width in WIDTHS:
            self.page.set_viewport_size({"width": width, "height": 900})
            assert self.page.evaluate("document.documentElement.scrollWidth") <= width, self.page.url
            for scheme, rules in (("light", ""), ("dark", COLOURS)):  # darkness changes colours alone
                self.page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
                found = self.page.evaluate(AXE_RUN.format(rules=rules))
                assert found == [], (self.page.url, width, scheme)
        self.page.set_viewport_size({"width": 1440, "height": 900})
        assert self.troubles == []
        assert self.foreign == []


def test_from_an_empty_library_to_the_report(browser, videos, tmp_path):
    with served(tmp_path / "library") as url, browser.new_context(viewport={"width": 1440, "height": 900}) as context:
        visit = Visit(context.new_page(), url)
        page = visit.page
        visit.goto("/")
        assert page.get_by_text("Drop videos here").is_visible()
        visit.check()
        bring(visit, videos)
        judge(visit, videos)
        visit.goto("/standings")
        page.get_by_role("heading", name="Standings").first.wait_for()
        visit.check()
        train(visit)
        key = watch(visit)
        report(visit, key, tmp_path)
        for path in ("/", "/jobs", "/train", f"/model/{visit.ask('/models')[0]['key']}", "/nothing"):
            visit.goto(path)
            if path == "/nothing":
                visit.troubles.clear()  # the browser logs the status 404
            visit.check()
        by_curl(visit, tmp_path)
        delete(visit, key)


def bring(visit: Visit, videos: dict[Path, float]) -> None:
    visit.page.set_input_files("#files", list(videos))
    visit.page.locator(".tile.ready").nth(5).wait_for(timeout=120_000)
    assert len(visit.ask("/performances?state=ready")["performances"]) == 6
    visit.check()


def judge(visit: Visit, videos: dict[Path, float]) -> None:
    """Twelve comparisons by keyboard, each as it truly is; the pictures' addresses tell which is which."""
    page = visit.page
    true = {video.stem: quality for video, quality in videos.items()}
    quality = {p["key"]: true[p["name"]] for p in visit.ask("/performances")["performances"]}
    visit.goto("/judge")
    visit.check()
    page.get_by_label("Your name").fill("Kim")
    page.get_by_role("button", name="Begin").click()
    for number in range(12):
        playing = page.locator(".deck:not([hidden]) video")
        visit.until(f"document.querySelector('[data-mine]').textContent === '{number}'")
        playing.nth(1).wait_for()
        page.wait_for_timeout(400)  # a key that is held down must not answer the next pair
        sources = [playing.nth(side).evaluate("(video) => video.src") for side in (0, 1)]
        left, right = (re.search(r"performances/([0-9a-f]{16})/video", source)[1] for source in sources)
        if number == 0:
            assert not any(name in page.content() for name in true)  # blind: nobody's name
            visit.check()
        page.keyboard.press("ArrowLeft" if quality[left] > quality[right] else "ArrowRight")
    visit.until("document.querySelector('[data-mine]').textContent === '12'")
    assert sum(len(group["places"]) for group in visit.ask("/standings")["groups"]) == 6


def train(visit: Visit) -> None:
    visit.goto("/train")
    visit.page.get_by_role("button", name="Train").click()
    visit.page.locator(".training.running").wait_for()
    visit.page.get_by_text("Held-out pairs right").first.wait_for(timeout=120_000)
    visit.check()
    visit.page.get_by_text("Scores now").wait_for(timeout=240_000)
    visit.until(ALL_DONE)
    (model,) = visit.ask("/models")
    assert model["chosen"]
    assert 10 <= model["pairs"] <= 12  # one or two were asked again, to see whether Kim agrees with herself


def watch(visit: Visit) -> str:
    """The score is there; the worst moment is a click away, and its picture there within half a second."""
    keys = [p["key"] for p in visit.ask("/performances")["performances"]]
    scored = {key: visit.ask(f"/performances/{key}/assessment") for key in keys}
    assert len(scored) == 6
    key, found = next((k, a) for k, a in scored.items() if any(m["kind"] == "worst" for m in a["moments"]))
    worst = min((m for m in found["moments"] if m["kind"] == "worst"), key=lambda m: m["contribution"])
    visit.goto(f"/performance/{key}")
    page = visit.page
    visit.until("document.querySelector('video').readyState >= 2")
    visit.check()
    took_ms, at_s = page.evaluate(JUMP)
    assert worst["start_s"] - 0.1 <= at_s <= worst["end_s"]
    assert took_ms < 500
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("ArrowRight")
    hostile = next(p["key"] for p in visit.ask("/performances")["performances"] if p["name"] == HOSTILE)
    visit.goto(f"/performance/{hostile}")
    assert HOSTILE in page.locator("h1").inner_text()
    visit.check()
    others = [k for k in scored if k != hostile]
    visit.goto(f"/compare?a={hostile}&b={others[0]}")
    page.locator("video").nth(1).wait_for()
    visit.check()
    return key


def report(visit: Visit, key: str, folder: Path) -> None:
    page = visit.page
    visit.goto(f"/performance/{key}")
    page.get_by_role("button", name="Export").click()
    with page.expect_download() as waiting:
        page.get_by_role("link", name="HTML", exact=True).click()
    waiting.value.save_as(folder / "report.html")
    html = (folder / "report.html").read_text(encoding="utf-8")
    assert "Second opinion, not a verdict" in html
    assert "data:image/jpeg" in html
    with page.context.expect_page() as waiting:
        page.get_by_role("link", name="Open the page").click()
    shown = waiting.value
    shown.wait_for_load_state()
    assert shown.locator("[data-chart]").is_visible()
    assert (
        shown.evaluate("getComputedStyle(document.querySelector('.hero')).backgroundImage") != "none"
    )  # it has its style
    shown.close()
    assert visit.troubles == []


def by_curl(visit: Visit, folder: Path) -> None:
    """What the room's document tells other software to do, as it stands there."""
    (folder / "LIBRARY").symlink_to(folder / "library")
    render_performances(folder / "more", count=1, seed=99, processes=1)[0].video.rename(folder / "battle.mp4")
    lines = ROOM.read_text(encoding="utf-8").partition("## From other software")[2].splitlines()
    code = [line.strip() for line in lines if line.startswith("    ")]
    assert len(code) > 15
    wait = 'while [ "$(curl -sf -H "$AUTH" "$ROOM/jobs/waiting" | jq .open)" != 0 ]; do sleep 0.3; done'
    code = [line.replace("http://localhost:8000", visit.url) for line in code]
    at = next(number for number, line in enumerate(code) if "--data-binary" in line)
    script = "\n".join([*code[: at + 1], wait, *code[at + 1 :]])
    done = subprocess.run(
        ["bash", "-euxo", "pipefail", "-c", script], cwd=folder, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert (folder / "report.html").read_text(encoding="utf-8").startswith("<!doctype html>")
    assert (folder / "timeline.csv").read_text(encoding="utf-8-sig").startswith("id,stream,start_s")


def delete(visit: Visit, key: str) -> None:
    page = visit.page
    visit.goto("/")
    page.locator(f".pick[value='{key}']").check()
    page.get_by_role("button", name="Delete").click()
    page.locator("#ask [data-yes]").click()
    page.get_by_text("6 performances").wait_for()
    assert visit.ask("/performances")["total"] == 6
    visit.check()
