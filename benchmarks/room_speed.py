"""How fast the judging room is, in a real browser on a real server.

    python benchmarks/room_speed.py [--repeats 5] [--rows 2000] [--json]

Renders a performance of three minutes, has it looked at and scored by a model learnt from eight short ones, and opens
the room in a process of its own with Chromium in front of it. Measures, as a person meets it:

- page: from the request for the page of that performance until its scripts have run (target: within 1 s);
- picture: from a click on a moment until the video shows it, moments far apart (target: within 0.5 s);
- library: from the request until the list of so many performances is laid out (target: within 1 s);
- search: from the last key until the list holds what was searched for.

Prints median and largest of each; `--json` as one document. The first visit, with nothing loaded, is told apart.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from itertools import chain
from pathlib import Path
from typing import Any

from toprock.comparisons import Pair
from toprock.features import extract
from toprock.library import Library, catalogue, intake, models, tables
from toprock.library.database import set_setting
from toprock.performance import read_manifest
from toprock.ranker import Plan, TrainingConfig, train_from_store
from toprock.synthetic import choreograph, draw_performance, quality_pairs, render_performances, write_video

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from tests.web.shelf import work

SEED, LONG_S, LEARNT = 31, 180.0, 8
_SERVE = """
import sys, uvicorn
from toprock.library import Library
from toprock.web import Settings, create_app
uvicorn.run(create_app(Library(sys.argv[1]), Settings()), port=int(sys.argv[2]), log_level="warning", access_log=False)
"""
_CLICK = """async (id) => {
  const video = document.getElementById("video");
  const seen = new Promise((resolve) => video.addEventListener("seeked", resolve, { once: true }));
  const before = performance.now();
  document.querySelector('[data-go="' + id + '"]').click();
  await seen;
  return (performance.now() - before) / 1000;
}"""
_LAID_OUT = """() => new Promise((resolve) =>
  requestAnimationFrame(() => setTimeout(() => resolve(performance.now() / 1000))))"""


def three_minutes(path: Path) -> Path:
    """Rendered battles one after the other, as one video of at least three minutes."""
    count, length_s = 0, 0.0
    while length_s < LONG_S:
        length_s += choreograph(SEED, count).duration_s
        count += 1
    write_video(chain.from_iterable(draw_performance(SEED, i)[1] for i in range(count)), path)
    return path


def small_model(library: Library, folder: Path) -> str:
    """A model learnt from a few short performances."""
    rendered = render_performances(folder, count=LEARNT, seed=SEED + 1)
    pairs = [Pair(better, worse) for better, worse in quality_pairs(rendered)]
    backbones = library.backbones()
    extract(read_manifest(folder / "manifest.csv"), library.store, backbones)
    model = train_from_store(
        library.store,
        pairs,
        name="small",
        plan=Plan(training=TrainingConfig(steps=20)),
    )
    key = tables.new_key()
    model.save(library.folder.model(key))
    with library.write() as session:
        session.add(tables.Model(key=key, name="small", summary=models.summary_of(model.config)))
        set_setting(session, "model", key)
    return key


def invent(library: Library, rows: int, model: str, picture: Path) -> None:
    """So many performances that are rows of the tables, each with a picture and a score, and no file."""
    with library.write() as session:
        for n in range(rows):
            video = tables.Video(
                key=tables.new_key(), filename=f"round-{n:05}.mp4", path=f"/nowhere/{n}.mp4", owned=False, size=1,
                digest=str(n), duration_s=40.0 + n % 50, width=1920, height=1080, rate_hz=30.0,
                codec="h264", container="mov",
            )  # fmt: skip
            session.add(video)
            session.flush()
            row = tables.Performance(
                name=f"round-{n:05}", video_key=video.key, performer=f"Performer {n % 311}", event=f"Jam {n % 23}",
                date=f"2026-{1 + n % 12:02}-{1 + n % 28:02}", state="ready",
            )  # fmt: skip
            session.add(row)
            session.flush()
            value = float(n * 37 % 101)
            session.add(
                tables.Assessment(
                    performance_key=row.key, model_key=model, score=value / 10, value=value,
                    low=max(0.0, value - 20), high=min(100.0, value + 20), document={},
                )
            )  # fmt: skip
            shutil.copyfile(picture, library.folder.thumbnail(row.key))


@contextlib.contextmanager
def serving(folder: Path) -> Iterator[str]:
    """The room in a process of its own, without workers; gives its address."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    process = subprocess.Popen([sys.executable, "-c", _SERVE, str(folder), str(port)])
    try:
        for _ in range(600):
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
                break
            time.sleep(0.05)
        yield f"http://localhost:{port}"
    finally:
        process.terminate()
        process.wait(20)


def measure_page(page: Any, address: str) -> float:
    """Seconds from the request until the scripts have run."""
    page.goto(address)
    page.locator("html[data-ready]").wait_for(state="attached")
    found: float = page.evaluate("performance.getEntriesByName('ready')[0].startTime / 1000")
    return found


def measure_library(page: Any, address: str) -> float:
    """Seconds from the request until the list is laid out."""
    page.goto(address, wait_until="domcontentloaded")
    found: float = page.evaluate(_LAID_OUT)
    return found


def measure_search(page: Any, address: str, word: str) -> float:
    """Seconds from the last key until the list holds what was searched for, the pause after typing included."""
    page.goto(address)
    page.locator("#search").fill(word[:-1])
    page.wait_for_timeout(800)
    page.locator("#search").press("End")
    before = time.monotonic()
    page.keyboard.type(word[-1])
    page.locator(f".tile:first-child:has-text('{word}')").wait_for()
    return time.monotonic() - before


def measure(page: Any, at: str, key: str, repeats: int) -> dict[str, list[float]]:
    """Every figure, in seconds."""
    address = f"{at}/performance/{key}"
    found: dict[str, list[float]] = {"first visit": [measure_page(page, address)]}
    found["page"] = [measure_page(page, address) for _ in range(repeats)]
    ids = page.evaluate("[...document.querySelectorAll('.moment [data-go]')].map((b) => b.dataset.go)")
    far = [name for pair in zip(ids, reversed(ids), strict=True) for name in pair][: len(ids)]
    found["picture"] = [page.evaluate(_CLICK, name) for _ in range(repeats) for name in far]
    found["library"] = [measure_library(page, at) for _ in range(repeats)]
    found["search"] = [measure_search(page, at, f"round-000{10 + n}") for n in range(repeats)]
    return found


def main() -> None:
    """Make, serve, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--rows", type=int, default=2000)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    from playwright.sync_api import sync_playwright

    os.environ["TOPROCK_LOG"] = "off"
    with tempfile.TemporaryDirectory() as place, sync_playwright() as playwright:
        folder = Path(place)
        library = Library(folder / "library")
        model = small_model(library, folder / "learnt")
        video = three_minutes(folder / "three-minutes.mp4")
        key = intake.add_video(library, video, filename=video.name, owned=False)
        work(library)
        invent(library, options.rows, model, library.folder.thumbnail(key))
        length_s = catalogue.get(library, key).video.duration_s
        library.close()
        chromium = shutil.which("chromium") or shutil.which("google-chrome")
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox", "--disable-gpu"])
        with serving(folder / "library") as at:
            page = browser.new_page(viewport={"width": 1440, "height": 900})
            found = measure(page, at, key, options.repeats)
        browser.close()
    if options.json:
        print(json.dumps({"video_s": length_s, "rows": options.rows, "seconds": found}))
        return
    print(f"a video of {length_s:.0f} s; {options.rows} performances")
    show: Callable[[list[float]], str] = lambda times: (  # noqa: E731
        f"median {1000 * statistics.median(times):5.0f} ms   most {1000 * max(times):5.0f} ms   of {len(times)}"
    )
    for name, times in found.items():
        print(f"{name:<12} {show(times)}")


if __name__ == "__main__":
    main()
