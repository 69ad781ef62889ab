"""Damaged files of every other kind: each is read, or refused by one error that names the file and what to do."""

from __future__ import annotations

import importlib.util
import random
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from hardening.chapter import Chapter, Scale, Table
from hardening.mangle import mangled
from hardening.readers import READERS, SLOW
from toprock.errors import RecipeMismatch, ToprockError

LONGEST_S = 10.0
LED_S = 30


def attempt(name: str, path: Path) -> tuple[str, str]:
    """What came of reading a file, and what should not have: "read" or the name of an error's class, and empty."""
    start = time.monotonic()
    try:
        READERS[name].read(path)
        what = "read"
    except ToprockError as error:
        what = type(error).__name__
        known = [
            str(path),
            str(path.parent),
            *(str(folder) for folder in path.parents[:5] if folder.name == "features"),
        ]
        of_no_file = name == "Label Studio tasks" or isinstance(error, RecipeMismatch)
        if not of_no_file and not any(part in str(error) for part in known):
            return what, f"an error that names no file: {error}"
        if not error.advice:
            return what, f"an error without advice: {error}"
    except Exception as problem:
        return "", f"{type(problem).__name__}: {str(problem)[:200]}"
    if time.monotonic() - start > LONGEST_S:
        return what, f"took {time.monotonic() - start:.0f} s"
    return what, ""


class Whole:
    """A whole file of one kind in a folder of its own, with what belongs to it.

    Attributes:
        path: the file that is to be damaged.
        data: its bytes.
    """

    def __init__(self, name: str, folder: Path) -> None:
        self.path = READERS[name].make(folder)
        self.data = self.path.read_bytes()
        files = (path for path in folder.rglob("*") if path.is_file())
        self._beside = {path: path.read_bytes() for path in files}

    def put(self, data: bytes) -> None:
        """Put these bytes in its place; what belongs to it is as it was (a training that starts afresh removes it)."""
        for path, before in self._beside.items():
            if not path.is_file():
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(before)
        self.path.write_bytes(data)


def fuzz(name: str, folder: Path, count: int, seed: int) -> Iterator[tuple[str, str]]:
    """Damage `count` copies of a file and read them: what came of each, and what should not have."""
    whole = Whole(name, folder)
    what, wrong = attempt(name, whole.path)
    if what != "read":
        yield what, f"{name}: the whole file is refused: {wrong}"
    for number in range(count):
        whole.put(mangled(whole.data, READERS[name].form, random.Random(f"{seed} {name} {number}")))
        what, wrong = attempt(name, whole.path)
        yield what, f"{name}, seed {seed}, number {number}: {wrong}" if wrong else ""


def run(scale: Scale) -> Chapter:
    """Thousands of copies of each kind; in the long run also led by what they reach in the code."""
    lost: list[str] = []
    rows = []
    guided = scale.full and importlib.util.find_spec("atheris") is not None
    for name in READERS:
        slow = name.startswith(SLOW)
        count = scale.of(500 if slow else 10_000, 40 if slow else 200)
        folder = scale.folder / name.replace(" ", "-")
        folder.mkdir()
        results = list(fuzz(name, folder, count, scale.seed))
        lost += sorted({wrong for _, wrong in results if wrong})[:20]
        counts = Counter(what for what, _ in results)
        refused = ", ".join(f"{what} {times:,}" for what, times in counts.most_common() if what not in ("read", ""))
        row: list[object] = [name, count, counts["read"], refused or "none"]
        if guided:
            tried, problem = led(name, scale.folder / f"led-{name.replace(' ', '-')}", LED_S)
            row.append(tried)
            lost += [f"{name}, led by coverage: {problem}"] if problem else []
        rows.append(row)
    head = ["file", "damaged copies", "read", "refused by", *(["more, led by coverage"] if guided else [])]
    copies = sum(int(str(row[1])) for row in rows)
    lead = (
        f"{copies:,} damaged copies of {len(READERS)} kinds of files that are read besides videos: half of them "
        "with bytes turned, lost, doubled or put in, half well-formed with values, keys and cells that are wrong. Each "
        "must be read, or be refused by one named error that says which file and what to do, within "
        f"{LONGEST_S:g} s; a training whose notes are damaged starts that stage afresh."
    )
    if guided:
        lead += f" Then atheris changed each file for {LED_S} s more, led by the code that it reached."
    return Chapter(lead, [Table(head, rows)], lost)


def led(name: str, folder: Path, seconds: int) -> tuple[int, str]:
    """Have atheris change a file for so long: how many it tried, and what should not have come of one."""
    folder.mkdir()
    command = [sys.executable, "-m", "hardening.led", name, str(folder), str(seconds)]
    done = subprocess.run(command, capture_output=True, text=True, errors="replace", timeout=seconds + 300, check=False)
    tried = [line.split()[1] for line in done.stderr.splitlines() if line.startswith("Done ")]
    problem = [line for line in done.stderr.splitlines() if line.startswith("wrong: ")]
    ended = "" if done.returncode == 0 else f"it ended with {done.returncode}: {done.stderr[-300:]}"
    return int(tried[0]) if tried else 0, problem[0] if problem else ended
