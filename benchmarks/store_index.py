"""How long it takes to list and check a feature store of a million performances, and to read a manifest of them.

    python benchmarks/store_index.py [--entries 1000000] [--on-disk 10000] [--json]

Three parts, each with the most memory that its process took:

- index: a store with all its 65,792 folders, and an index that holds so many entries which have no files (so that a
  disk of any size does): pages from everywhere, a refresh with nothing changed and after 100 files were written, a
  check of every row;
- disk: about so many real files, in folders as full as a million makes them: the first index, refreshes,
  `features verify --quick`, `features verify`, and `ids()` beside the recursive glob that it was before. What a million
  would take is that times a million over their number, and marked as extrapolated;
- manifest: as many rows with six columns, by `read_manifest`.

The files of the disk lie in the system's cache. Targets: a page within 50 ms, the check of a million rows within 60 s.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import platform
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

MILLION = 1_000_000
CHANGES = 100
PAGES = 20
_COMMAND = """
import sys
from pathlib import Path
from toprock.cli import main
try:
    main()
finally:
    print(Path("/proc/self/status").read_text().split("VmHWM:")[1].split()[0], file=sys.stderr)
"""


def ident(number: int) -> str:
    """Some with a folder in front, some with spaces."""
    return f"event-{number % 97:02}/round {number:07}" if number % 2 else f"dancer-{number:07}"


def features(number: int) -> Any:
    """Two streams of an ordinary performance of 40 s."""
    from toprock.features import PerformanceFeatures, Recipe, StreamFeatures

    draw = np.random.default_rng(number)
    streams = {}
    for recipe, length, dimension in (
        (Recipe("dynamic", "moves", {"clip_s": 0.8}), 100, 98),
        (Recipe("static", "stills", {"rate_hz": 6}), 240, 60),
    ):
        times = np.stack([np.arange(length), np.arange(length) + 1.0], 1)
        streams[recipe] = StreamFeatures(draw.normal(size=(length, dimension)).astype(np.float16), times)
    source = {"video": "x.mp4", "size": 1_000_000 + number, "mtime": 1.7e9, "intervals": ""}
    return PerformanceFeatures(ident(number), streams, {"duration_s": 40.0, "cuts": 0.0, "mean_motion": 0.5}, source)


def timed(work: Callable[[], Any]) -> float:
    """Seconds."""
    before = time.perf_counter()
    work()
    return time.perf_counter() - before


def rows_of(entries: int, folders: dict[str, int], kinds: tuple[int, int]) -> Iterator[tuple[Any, ...]]:
    """Rows of the index, in the order of their folders as a refresh writes them."""
    from toprock.features import FeatureStore

    store = FeatureStore.__new__(FeatureStore)
    store.folder = Path()
    places = sorted((str(store.path(ident(n))), n) for n in range(entries))
    for place, n in places:
        folder, _, name = place.rpartition("/")
        shapes = "[[100, 98], [240, 60]]" if n % 10 else "[[100, 98]]"
        check = f"{n:08x}"
        kind = kinds[0 if n % 10 else 1]
        yield (folders[folder], name, ident(n), 58_000, 10**18 + n, n, True, kind, shapes, check, 40.0, "")


def measure_index(entries: int, place: Path) -> dict[str, float]:
    """Part one."""
    from toprock.features import FeatureStore, Index

    store = FeatureStore(place / "store", create=True)
    store.write(features(0))
    store.note_failures({ident(n): "v.mp4: there is no such file" for n in range(entries, entries + entries // 100)})
    dynamic, static = sorted(recipe.hash for recipe in store.recipes)
    root = str(store.folder)
    for a in range(256):
        for b in range(256):
            Path(root, f"{a:02x}", f"{b:02x}").mkdir(parents=True, exist_ok=True)
    time.sleep(2.5)  # what has changed just now is looked at again
    found = {}
    with Index(store) as index:
        index.refresh()
        with index.file.writing() as database:
            database.execute("DROP INDEX by_kind")
            database.execute("DELETE FROM performances")
            database.executemany(
                "INSERT INTO kinds(recipes) VALUES (?) ON CONFLICT DO NOTHING", [(f"{dynamic},{static}",), (dynamic,)]
            )
            kinds = tuple(
                row[0]
                for row in database.execute("SELECT kind FROM kinds WHERE recipes != '' ORDER BY length(recipes) DESC")
            )
            folders = dict(database.execute("SELECT path, folder FROM folders"))
            marks = ", ".join("?" * 12)
            database.executemany(f"INSERT INTO performances VALUES ({marks})", rows_of(entries, folders, kinds[:2]))
        found["index: sorting by id, s"] = timed(index.refresh)
        found["index: size, MB"] = index.file.path.stat().st_size / 1e6 if index.file.path else 0.0
        middle, last = ident(entries // 2 + 1), max(ident(entries - 1), ident(entries - 2))
        one = [store.recipes[0].hash]
        pages: dict[str, Callable[[], Any]] = {
            "first": lambda: index.page(),
            "middle": lambda: index.page(after=middle),
            "last": lambda: index.page(after=last[:-2]),
            "prefix": lambda: index.page(prefix="event-50/"),
            "prefix, middle": lambda: index.page(prefix="event-", after="event-48"),
            "recipe": lambda: index.page(recipes=one, after=middle),
            "failed": lambda: index.failures(after=ident(entries + entries // 200)),
            "totals by recipe": lambda: index.totals(),
            "count of a prefix": lambda: index.count(prefix="event-"),
        }
        for name, work in pages.items():
            assert work()
            times = [timed(work) for _ in range(PAGES)]
            found[f"page, {name}: median, ms"] = 1000 * statistics.median(times)
            found[f"page, {name}: most, ms"] = 1000 * max(times)
        found["refresh, nothing changed, s"] = min(timed(index.refresh) for _ in range(3))
        found["check of every row, s"] = timed(lambda: check_rows(index))
        fill(store, range(CHANGES))
        found["refresh after 100 files were written, s"] = timed(index.refresh)
    command = [sys.executable, "-c", _COMMAND, "features", "list", root, "--after", middle, "--json"]
    before = time.perf_counter()
    done = subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, check=True)
    found["the command features list, s"] = time.perf_counter() - before
    found["the command features list, MB"] = int(done.stderr) / 1024
    return found


def check_rows(index: Any) -> None:
    """The whole check of the index, which must find nothing."""
    assert index.verify() == []


def check_files(store: Any, *, quick: bool) -> None:
    """A check of all files, which must find nothing."""
    from toprock.features import verify

    assert not verify(store, quick=quick).damaged


def fill(store: Any, numbers: Iterable[int]) -> None:
    """Real files, each with a head of its own, written without waiting for the disk, as no crash is to be outlived."""
    from toprock.features import store as module

    synced, module.write_bytes = module.write_bytes, _write_quickly  # type: ignore[assignment]
    try:
        for number in numbers:
            store.write(features(number))
    finally:
        module.write_bytes = synced


def _write_quickly(path: Path, data: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.new")
    part.write_bytes(data)
    part.replace(path)


def sample(count: int) -> list[int]:
    """So many of a million performances: those of some folders, which are as full as a million makes them."""
    last = f"{65536 * count // MILLION:04x}"
    return [n for n in range(MILLION) if hashlib.sha256(ident(n).encode()).hexdigest()[:4] < last]


def measure_disk(count: int, place: Path) -> dict[str, float]:
    """Part two."""
    from toprock.features import FeatureStore, Index

    store = FeatureStore(place / "store", create=True)
    numbers = sample(count)
    fill(store, numbers)
    time.sleep(2.5)
    found: dict[str, float] = {"files": len(numbers)}
    times = MILLION / len(numbers)

    def note(name: str, seconds: float) -> None:
        found[f"{name}, s"] = seconds
        found[f"{name}: a million, extrapolated, s"] = seconds * times

    with Index(store) as index:
        note("first index", timed(index.refresh))
        found["refresh, nothing changed, s"] = timed(index.refresh)
        note("refresh, thorough", timed(lambda: index.refresh(thorough=True)))
    note("verify --quick", timed(lambda: check_files(store, quick=True)))
    note("verify", timed(lambda: check_files(store, quick=False)))
    note("ids()", timed(store.ids))
    note("ids() as it was", timed(lambda: sorted(str(p) for p in store.folder.glob("??/??/**/*.safetensors"))))
    return found


def measure_manifest(rows: int, place: Path) -> dict[str, float]:
    """Part three."""
    from toprock.performance import read_manifest

    path = place / "manifest.csv"
    with path.open("w") as file:
        file.write("id,video,intervals,performer,event,date\n")
        for n in range(rows):
            file.write(
                f"{ident(n)},videos/{n % 1000:03}/{n:07}.mp4,12-45.5,Performer {n % 5000},Jam {n % 97},2026-01-02\n"
            )
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    found = {"read_manifest, s": timed(lambda: read_manifest(path))}
    found["read_manifest, MB"] = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
    return found


PARTS: dict[str, Callable[[int, Path], dict[str, float]]] = {
    "index": measure_index,
    "disk": measure_disk,
    "manifest": measure_manifest,
}


def main() -> None:
    """Each part in a process of its own."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--entries", type=int, default=MILLION)
    parser.add_argument("--on-disk", type=int, default=10_000)
    parser.add_argument("--only", choices=sorted(PARTS))
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--here", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.here:
        count = options.on_disk if options.only == "disk" else options.entries
        with tempfile.TemporaryDirectory() as place:
            found = PARTS[options.only](count, Path(place))
        found["peak memory of the process, MB"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        print(json.dumps(found))
        return
    told: dict[str, Any] = {
        "machine": f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}"
    }
    for part in [options.only] if options.only else PARTS:
        sizes = ["--entries", str(options.entries), "--on-disk", str(options.on_disk)]
        command = [sys.executable, __file__, "--here", "--only", part, *sizes]
        done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
        told[part] = json.loads(done.stdout)
    if options.json:
        print(json.dumps(told))
        return
    print(told.pop("machine"))
    for part, found in told.items():
        print(f"\n{part} ({options.on_disk if part == 'disk' else options.entries})")
        for name, value in found.items():
            print(f"  {name:<60} {value:10.3f}" if value < 10 else f"  {name:<60} {value:10.1f}")


if __name__ == "__main__":
    main()
