"""Chains of kills: a command is killed at a random moment and started again, until it gets to its end."""

from __future__ import annotations

import random
import shutil
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from safetensors import safe_open

from hardening.chapter import Table
from hardening.commands import Command, Hung, marked

MOST_KILLS = 6
"""Kills in one chain, after which it may go to its end."""
BEFORE, BETWEEN, DURING, AFTER = "before the first file", "between writes", "in a write", "after the last write"
MOMENTS = (BEFORE, BETWEEN, DURING, AFTER)


class Wrong(Exception):
    """What a reader of the report is to know."""


@dataclass(frozen=True)
class Target:
    """What is killed.

    Attributes:
        name: for people.
        start: starts the command on a folder, or goes on, with a folder for temporary files.
        whom: a process (see `Command.kill`) and what people call it; each is as likely as it is often here.
        check_left: looks at a folder after a kill, and raises `Wrong`.
        check_done: looks at a folder that is finished, and at the undisturbed one, and raises `Wrong`.
        check_ended: looks at a command that has ended by itself although one of its processes was killed.
    """

    name: str
    start: Callable[[Path, Path], Command]
    whom: Sequence[tuple[str, str]]
    check_left: Callable[[Path, Path], None]
    check_done: Callable[[Path, Path], None]
    check_ended: Callable[[Command], None] = lambda command: None


@dataclass
class Tally:
    """How many kills fell when, how often what was killed came to its end, and what went wrong."""

    moments: dict[tuple[str, str], Counter[str]] = field(default_factory=lambda: defaultdict(Counter))
    compared: Counter[str] = field(default_factory=Counter)
    lost: list[str] = field(default_factory=list)

    def table(self) -> Table:
        """A row a target and process."""
        rows = [[what, whom, sum(c.values()), *(c[m] for m in MOMENTS)] for (what, whom), c in self.moments.items()]
        return Table(("at work", "killed", "times", *MOMENTS), rows)

    def ends(self) -> Table:
        """How often each came to its end."""
        return Table(("at work", "came to its end, and was compared"), list(self.compared.items()))


def chain(target: Target, count: int, folder: Path, draw: random.Random, tally: Tally) -> None:
    """Kill `target` so often, and compare each result with that of an undisturbed run, which comes first."""
    folder.mkdir()
    whole, start = folder / "undisturbed", time.monotonic()
    command = target.start(whole, temporary_of(whole))
    if command.status() != 0:
        tally.lost.append(f"{target.name}: fails undisturbed: {last_line(command)}")
        return
    length_s = time.monotonic() - start
    kills = number = 0
    while kills < count:
        number += 1
        out, label = folder / f"{number}", f"{target.name}, chain {number}"
        try:
            kills += one_chain(target, min(MOST_KILLS, count - kills), out, whole, length_s, draw, tally)
            tally.compared[target.name] += 1
            same_files(out, whole)
            target.check_done(out, whole)
            nothing_stays(temporary_of(out), temporary_of(whole))
        except (Wrong, Hung) as problem:
            tally.lost.append(f"{label}: {problem}")
        shutil.rmtree(out, ignore_errors=True)
        shutil.rmtree(temporary_of(out), ignore_errors=True)


def one_chain(
    target: Target, most: int, out: Path, whole: Path, length_s: float, draw: random.Random, tally: Tally
) -> int:
    """Kill it until it has ended by itself, at most so often; gives how often that was.

    Raises:
        Wrong, Hung: a kill left something that it should not.
    """
    kills = 0
    while True:
        what, called = draw.choice(target.whom)
        command = target.start(out, temporary_of(out))
        if kills < most and killed(command, what, out, draw, length_s):
            kills += 1
            tally.moments[target.name, called][moment(out, whole)] += 1
            try:
                settle(target, command, what)
                target.check_left(out, whole)
            except (Wrong, Hung) as problem:
                tally.lost.append(f"{target.name}, {called} killed: {problem}")
        elif command.status() == 0:
            return kills
        else:
            raise Wrong(f"started again, it ended with status {command.status()}: {last_line(command)}")


def killed(
    command: Command,
    what: str,
    folder: Path,
    draw: random.Random,
    length_s: float,
    *,
    after: Callable[[], bool] = lambda: True,
) -> bool:
    """Kill at a moment drawn from the whole length, or at the next write after it; false where it ended before.

    The length begins `after` something, but for one kill in eight.
    """
    if draw.random() < 7 / 8:
        while not after() and not command.over():
            time.sleep(0.001)
    end = time.monotonic() + draw.uniform(0, 0.9 * length_s)
    in_a_write = draw.random() < 0.5
    while time.monotonic() < end and not command.over():
        time.sleep(0.001)
    while in_a_write and not command.over() and not parts(folder):
        pass
    while not command.over():
        if command.kill(what):
            return True
        time.sleep(0.001)  # such a process is not there yet
    return False


def settle(target: Target, command: Command, what: str) -> None:
    """Wait until what was not killed has ended.

    Raises:
        Wrong, Hung: it does not, or badly.
    """
    if what == "first":
        end = time.monotonic() + 20
        while command.others():
            if time.monotonic() > end:
                command.kill()
                raise Wrong("processes outlive it by 20 s")
            time.sleep(0.01)
    elif what:
        command.status()
        target.check_ended(command)
    if "Traceback" in command.told.read_text(errors="replace"):
        raise Wrong(f"a traceback: {last_line(command)}")


def same_files(out: Path, whole: Path) -> None:
    """Whether two folders hold files of the same names.

    Raises:
        Wrong: they do not.
    """
    here, there = listing(out), listing(whole)
    if more := sorted(here - there):
        raise Wrong(f"files stay: {', '.join(more)}")
    if fewer := sorted(there - here):
        raise Wrong(f"files are missing: {', '.join(fewer)}")


def nothing_stays(temporary: Path, undisturbed: Path) -> None:
    """Whether there are no more temporary files than undisturbed (torch makes itself a folder), and no processes.

    Raises:
        Wrong: there are.
    """
    if left := sorted(listing(temporary) - listing(undisturbed)):
        raise Wrong(f"temporary files stay: {', '.join(left)}")
    if running := marked(temporary):
        raise Wrong(f"{len(running)} processes stay")


def temporary_of(out: Path) -> Path:
    """Where what works on a folder has its temporary files."""
    return out.with_name(f"{out.name}-temporary")


def listing(folder: Path) -> set[str]:
    """Files and folders below a folder."""
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*")}


def parts(folder: Path) -> list[Path]:
    """Files that are being written, or whose writing was killed."""
    return list(folder.rglob(".*.part"))


def moment(out: Path, whole: Path) -> str:
    """When a kill fell, by what it left."""
    here = {path.name for path in out.rglob("*") if path.is_file()}
    if any(name.endswith(".part") for name in here):
        return DURING
    return BEFORE if not here else AFTER if here >= {p.name for p in whole.rglob("*") if p.is_file()} else BETWEEN


def last_line(command: Command) -> str:
    """What a command said last."""
    lines = command.told.read_text(errors="replace").strip().splitlines()
    return lines[-1][-300:] if lines else "it said nothing"


def contents(path: Path) -> tuple[dict[str, str], dict[str, bytes]]:
    """What a file of features says, whatever the order in which it says it."""
    with safe_open(path, framework="numpy") as file:
        arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        return file.metadata(), {name: f"{a.dtype}{a.shape}".encode() + a.tobytes() for name, a in arrays.items()}
