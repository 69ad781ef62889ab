"""An index of a feature store: what lies in it, without opening a million files.

The truth stays with the files. Writers know nothing of the index; who asks refreshes it first, which looks at the time
of change of every folder (at most 65,792, and some more for very long ids), lists the folders that have changed, and
opens the heads of the files that have. Folders and files that changed within two seconds of the look are looked at
again the next time, as two changes within one tick of a clock leave the same time.

    >>> from toprock.features import FeatureStore, Index
    >>> with Index(FeatureStore("features")) as index:
    ...     _ = index.refresh()
    ...     [entry.id for entry in index.page(limit=2)]
    ['battle-000', 'battle-001']
"""

from __future__ import annotations

import functools
import heapq
import itertools
import json
import sqlite3
from collections import deque
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Concatenate, ParamSpec, TypeVar

from toprock.features import scanning
from toprock.features.indexfile import IndexFile
from toprock.features.scanning import Look, Stamp
from toprock.features.store import FeatureStore
from toprock.places import is_remote

_MARGIN_NS = 2_000_000_000
_BATCH = 5_000  # files between two commits
_COLUMNS = (
    "id, name, path, size, performances.changed_ns, performances.inode, recipes, shapes, checksum, duration_s, problem"
)
_JOINED = "performances JOIN kinds USING (kind) JOIN folders USING (folder)"
Parameters = ParamSpec("Parameters")
Result = TypeVar("Result")
Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class Entry:
    """One file of a store, as its head and the disk tell of it.

    Attributes:
        id: of the performance.
        file: where it lies, below the store.
        stamp: size, time of change (ns) and number of the file when it was looked at.
        shapes: hash of a recipe -> segments T and length D of a vector.
        check: checksum of its arrays and notes.
        duration_s: of the performance, where it is known.
        problem: why it cannot be whole; empty where it may be.
    """

    id: str
    file: str
    stamp: Stamp
    shapes: dict[str, tuple[int, int]] = field(default_factory=dict)
    check: str = ""
    duration_s: float | None = None
    problem: str = ""

    @property
    def size(self) -> int:
        """Bytes of the file."""
        return self.stamp[0]

    def to_json(self) -> dict[str, Any]:
        """JSON values: id, file, size (bytes), check, duration_s, recipes (hash -> segments), problem (or null)."""
        return {
            "id": self.id,
            "file": self.file,
            "size": self.size,
            "check": self.check,
            "duration_s": self.duration_s,
            "recipes": {recipe: rows for recipe, (rows, _) in self.shapes.items()},
            "problem": self.problem or None,
        }


@dataclass
class Refreshed:
    """What a refresh did: folders looked at, those listed anew, heads read, files that were gone."""

    folders: int = 0
    listed: int = 0
    read: int = 0
    gone: int = 0


def _safely(
    method: Callable[Concatenate[Index, Parameters], Result],
) -> Callable[Concatenate[Index, Parameters], Result]:
    """An index that turns out damaged is made again, once; other troubles of SQLite are told in words."""

    @functools.wraps(method)
    def safe(self: Index, *args: Parameters.args, **more: Parameters.kwargs) -> Result:
        try:
            return method(self, *args, **more)
        except sqlite3.Error as problem:
            self.file.begin_anew(problem)
        try:
            if method.__name__ != "refresh":
                self.refresh()
            return method(self, *args, **more)
        except sqlite3.Error as problem:
            raise self.file.told(problem) from problem

    return safe


class Index:
    """What lies in a store, by id. Use it in a `with`, and `refresh` it before asking.

    Args:
        store: is never changed. The index lies in it as index.sqlite, or where it may not be written, in the cache.
        on_note: told where an index could not be used and is made again.

    Raises:
        FeaturesError: another program holds the index.
    """

    def __init__(self, store: FeatureStore, *, on_note: Callable[[str], None] = lambda note: None) -> None:
        self.store = store
        self._root = str(store.folder)
        self.file = IndexFile(store.folder, on_note=on_note)

    def __enter__(self) -> Index:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the file."""
        self.file.close()

    @_safely
    def refresh(self, *, thorough: bool = False, on_progress: Progress | None = None) -> Refreshed:
        """Bring the index up to what lies on the disk now. May be interrupted or killed; the next one goes on.

        Args:
            thorough: look at every file, and so find those that were changed in place, as toprock never does.
            on_progress: called with folders done, of how many.

        Raises:
            FeaturesError: a folder cannot be read, or another program holds the index.
            StorageError: the disk is full.
        """
        now = self.file.clock_ns()
        known = self.file.database.execute("SELECT path, changed_ns, own_ns, inode, settled FROM folders").fetchall()
        if is_remote(self.store.folder):
            listing = scanning.remote_listing(self.store.folder)
            waiting = deque(sorted({*listing, *(path for path, *_ in known)}))
            look = functools.partial(_listed, listing)
        else:
            waiting = deque([""] if not any(row[0] == "" for row in known) else [])
            for path, *stamp, settled in known:
                if thorough or not path or not settled or _folder(self._root, path) != tuple(stamp):
                    waiting.append(path)
            look = functools.partial(scanning.look, self._root)
        done = Refreshed(folders=len(known))
        while waiting:
            with self.file.writing() as database:
                batch = _Batch(database, self, look, now, done)
                while waiting and batch.read < _BATCH and batch.listed < _BATCH:
                    waiting.extend(batch.take(waiting.popleft()))
                    if on_progress:
                        on_progress(done.listed, done.listed + len(waiting))
        self._refresh_failures(now)
        # where there are many at once, sorting them at the end is much quicker than putting each in its place
        self.file.database.execute("CREATE INDEX IF NOT EXISTS by_kind ON performances(kind, id)")
        return done

    def _refresh_failures(self, now: int) -> None:
        found = scanning.file_stamp(f"{self._root}/failures.json")
        settled = not is_remote(self.store.folder) and (not found or found[1] < now - _MARGIN_NS)
        stamp = json.dumps(found) if settled else "unsettled"
        if self._noted("failures") != stamp or stamp == "unsettled":
            failures = self.store.failures()
            if dict(self.file.database.execute("SELECT id, why FROM failures")) != failures or not self._noted(
                "failures"
            ):
                with self.file.writing() as database:
                    database.execute("DELETE FROM failures")
                    database.executemany(
                        "INSERT INTO failures VALUES (?, ?)", ((i, str(w)) for i, w in failures.items())
                    )
            self._note("failures", stamp)

    @_safely
    def page(
        self, *, after: str = "", limit: int = 50, prefix: str = "", recipes: Collection[str] | None = None
    ) -> list[Entry]:
        """So many entries in the order of their ids.

        Args:
            after: the last id of the page before this one.
            limit: at most so many.
            prefix: only ids that begin so.
            recipes: only files that hold one of these recipes (hashes).
        """
        return list(itertools.islice(self._entries(after=after, prefix=prefix, recipes=recipes, at_once=limit), limit))

    def entries(
        self, *, after: str = "", prefix: str = "", recipes: Collection[str] | None = None, at_once: int = 1000
    ) -> Iterator[Entry]:
        """All entries in the order of their ids; see `page`. The index may be changed meanwhile.

        Raises:
            FeaturesError: the index turns out damaged on the way; the next one to ask makes it again.
        """
        try:
            yield from self._entries(after=after, prefix=prefix, recipes=recipes, at_once=at_once)
        except sqlite3.Error as problem:
            raise self.file.told(problem) from problem

    def _entries(self, *, after: str, prefix: str, recipes: Collection[str] | None, at_once: int) -> Iterator[Entry]:
        rows = [self._rows(kind, after, prefix, at_once) for kind in self._kinds(recipes)]
        return map(_entry, heapq.merge(*rows, key=lambda row: row[0]))

    def _rows(self, kind: int, after: str, prefix: str, at_once: int) -> Iterator[tuple[Any, ...]]:
        """Rows of one kind, some at a time, so that no reading lasts."""
        # ids may stand twice, where a file lies in a wrong place
        place: tuple[Any, ...] = (after, 2**62, "") if after >= prefix else (prefix, -1, "")
        bound, values = _end(prefix)
        while True:
            rows = self.file.database.execute(
                f"SELECT {_COLUMNS}, folder FROM {_JOINED} WHERE kind = ? AND id >= ? "
                f"AND (id, folder, name) > (?, ?, ?) {bound} ORDER BY kind, id, folder, name LIMIT ?",
                (kind, place[0], *place, *values, at_once),
            ).fetchall()
            yield from rows
            if len(rows) < at_once:
                return
            place = (rows[-1][0], rows[-1][-1], rows[-1][1])

    @_safely
    def failures(self, *, after: str = "", limit: int = 50, prefix: str = "") -> dict[str, str]:
        """Id -> why it has no features: so many, in the order of their ids."""
        bound, values = _end(prefix)
        start = ("id > ?", after) if after >= prefix else ("id >= ?", prefix)
        return dict(
            self.file.database.execute(
                f"SELECT id, why FROM failures WHERE {start[0]} {bound} ORDER BY id LIMIT ?", (start[1], *values, limit)
            )
        )

    @_safely
    def count(self, *, prefix: str = "", recipes: Collection[str] | None = None, failed: bool = False) -> int:
        """How many entries (or failures) there are."""
        bound, values = _end(prefix)
        values = (prefix, *values)
        if failed:
            found = self.file.database.execute(f"SELECT count(*) FROM failures WHERE id >= ? {bound}", values)
            return int(found.fetchone()[0])
        kinds = self._kinds(recipes)
        if not prefix:
            rows = self.file.database.execute("SELECT kind, performances FROM kinds")
            return sum(number for kind, number in rows if kind in kinds)
        of_kind = f"SELECT count(*) FROM performances WHERE kind = ? AND id >= ? {bound}"
        return sum(self.file.database.execute(of_kind, (kind, *values)).fetchone()[0] for kind in kinds)

    @_safely
    def totals(self) -> dict[str, int]:
        """Hash of a recipe -> how many performances hold it."""
        found: dict[str, int] = {}
        for recipes, number in self.file.database.execute("SELECT recipes, performances FROM kinds WHERE performances"):
            for recipe in filter(None, recipes.split(",")):
                found[recipe] = found.get(recipe, 0) + number
        return found

    def _kinds(self, recipes: Collection[str] | None) -> list[int]:
        """Kinds of files: those that hold the same recipes are of one."""
        rows = self.file.database.execute("SELECT kind, recipes FROM kinds WHERE performances").fetchall()
        return [kind for kind, held in rows if recipes is None or set(recipes) & set(held.split(","))]

    def _noted(self, name: str) -> str | None:
        row = self.file.database.execute("SELECT value FROM notes WHERE name = ?", (name,)).fetchone()
        return row[0] if row else None

    def _note(self, name: str, value: str) -> None:
        self.file.database.execute("INSERT OR REPLACE INTO notes VALUES (?, ?)", (name, value))

    @_safely
    def begin_check(self, *, anew: bool) -> bool:
        """Begin reading every file, or go on with a reading that did not come to its end; whether it goes on."""
        with self.file.writing() as database:
            goes_on = not anew and self._noted("checking") is not None
            if not goes_on:
                database.execute("DELETE FROM verified")
                self._note("checking", "begun")
        return goes_on

    @_safely
    def checked(self) -> dict[str, str]:
        """File -> what the reading that goes on has found wrong with it; empty where nothing is."""
        rows = self.file.database.execute("SELECT path || '/' || name, wrong FROM verified JOIN folders USING (folder)")
        return dict(rows)

    @_safely
    def check_off(self, found: Iterable[tuple[str, str]]) -> None:
        """Note files that were read: each with what is wrong, or ''."""
        with self.file.writing() as database:
            database.executemany(
                "INSERT OR REPLACE INTO verified SELECT folder, ?, ? FROM folders WHERE path = ?",
                [(name, wrong, folder) for file, wrong in found for folder, _, name in (file.rpartition("/"),)],
            )

    @_safely
    def end_check(self) -> None:
        """The reading has come to its end: the next one begins anew."""
        with self.file.writing() as database:
            database.execute("DELETE FROM verified")
            database.execute("DELETE FROM notes WHERE name = 'checking'")

    @_safely
    def verify(self) -> list[str]:
        """What is wrong with the index or with what it names: pages, sums, names, places, sizes, unknown recipes."""
        database, wrong = self.file.database, self.faults()
        known = {recipe.hash for recipe in self.store.recipes}
        for recipes, number in database.execute("SELECT recipes, performances FROM kinds WHERE performances"):
            unknown = set(filter(None, recipes.split(","))) - known
            wrong += [f"{number} files hold the recipe {r}, which store.json does not name" for r in sorted(unknown)]
        folders = dict(database.execute("SELECT folder, path FROM folders"))
        for folder, name, ident, size in database.execute("SELECT folder, name, id, size FROM performances"):
            file = f"{folders.get(folder, '?/?')}/{name}"
            if self.place(ident) != file:
                wrong.append(f"{file}: lies where '{ident}' is not looked for")
            if size < 0:
                wrong.append(f"{file}: has {size} bytes")
        return wrong

    @_safely
    def faults(self) -> list[str]:
        """What is wrong with the index itself, whatever lies on the disk: then it has to be made again."""
        database = self.file.database
        wrong = [str(row[0]) for row in database.execute("PRAGMA integrity_check(10)") if row[0] != "ok"]
        counted = "SELECT kind, count(*), coalesce(sum(size), 0) FROM performances GROUP BY kind"
        sums = "SELECT kind, performances, bytes FROM kinds WHERE performances OR bytes"
        if set(database.execute(counted)) != set(database.execute(sums)):
            wrong.append("its sums are not those of its rows")
        folders = dict(database.execute("SELECT folder, path FROM folders"))
        for folder, name, ident in database.execute("SELECT folder, name, id FROM performances"):
            if folder not in folders or scanning.id_of(f"{folders[folder]}/{name}") != ident:
                wrong.append(f"{name}: is noted as '{ident}'")
        return wrong

    def rebuild(self) -> None:
        """Throw the index away, and make it again.

        Raises:
            FeaturesError: another program has it open.
        """
        self.file.begin_anew(None)
        self.refresh()

    def place(self, ident: str) -> str:
        """Where the file of a performance belongs, below the store."""
        return str(self.store.path(ident))[len(self._root) + 1 :]


class _Batch:
    """Folders that are listed anew within one transaction."""

    def __init__(
        self,
        database: sqlite3.Connection,
        index: Index,
        look: Callable[[str], Look | None],
        now: int,
        done: Refreshed,
    ) -> None:
        self._database, self._look, self._place = database, look, index.place
        self._root = index.store.folder if is_remote(index.store.folder) else None
        self._at = str(index.store.folder)
        self._settled_before, self._done = now - _MARGIN_NS, done
        self._kinds: dict[str, int] = {}
        self.read = self.listed = 0

    def take(self, path: str) -> Sequence[str]:
        """List a folder and note what has changed in it; gives folders in it that are not known yet."""
        row = self._database.execute("SELECT folder FROM folders WHERE path = ?", (path,)).fetchone()
        found = self._look(path)
        self._done.listed += 1
        self.listed += 1
        if found is None:
            if row:
                self._remove(row[0], None)
                self._database.execute("DELETE FROM folders WHERE folder = ?", row)
            return []
        settled = max(found.stamp[:2]) < self._settled_before
        noted = (*found.stamp, settled)
        if row is None:
            cursor = self._database.execute(
                "INSERT INTO folders(path, changed_ns, own_ns, inode, settled) VALUES (?, ?, ?, ?, ?)", (path, *noted)
            )
            folder = int(cursor.lastrowid or 0)
        else:
            folder = row[0]
            self._database.execute(
                "UPDATE folders SET changed_ns = ?, own_ns = ?, inode = ?, settled = ? WHERE folder = ?",
                (*noted, folder),
            )
        self._take_files(folder, path, found.files)
        # noted at once: where this refresh is killed, the next one has to come to them
        noting = "INSERT OR IGNORE INTO folders(path, changed_ns, own_ns, inode, settled) VALUES (?, 0, 0, 0, false)"
        return [f for f in found.folders if self._database.execute(noting, (f,)).rowcount]

    def _take_files(self, folder: int, path: str, files: dict[str, Stamp]) -> None:
        there = "SELECT name, size, changed_ns, inode FROM performances WHERE folder = ? AND settled"
        settled = {name: tuple(stamp) for name, *stamp in self._database.execute(there, (folder,))}
        same = {name for name, stamp in files.items() if settled.get(name) == stamp}
        self._remove(folder, same, len(files))
        rows = []
        for name in sorted(files.keys() - same):
            size, changed, inode = files[name]
            file = f"{path}/{name}"
            ident = scanning.id_of(file)
            head = scanning.read_head(self._root / file if self._root else f"{self._at}/{file}", ident)
            self.read += 1
            self._done.read += 1
            if self._place(ident) != file:
                head = scanning.Head(problem=f"lies where '{ident}' is not looked for")
            if head is not None:
                held = sorted(head.shapes)
                rows.append((
                    folder, name, ident, size, changed, inode, changed < self._settled_before, self._kind(held),
                    json.dumps([head.shapes[r] for r in held]), head.check, head.duration_s, head.problem,
                ))  # fmt: skip
        self._database.executemany(f"INSERT INTO performances VALUES ({', '.join('?' * 12)})", rows)

    def _remove(self, folder: int, but: Collection[str] | None, still: int = 0) -> None:
        names = self._database.execute("SELECT name FROM performances WHERE folder = ?", (folder,)).fetchall()
        go = [(folder, name) for (name,) in names if not but or name not in but]
        self._done.gone += max(0, len(names) - still)
        self._database.executemany("DELETE FROM performances WHERE folder = ? AND name = ?", go)

    def _kind(self, recipes: Sequence[str]) -> int:
        text = ",".join(recipes)
        if text not in self._kinds:
            self._database.execute("INSERT OR IGNORE INTO kinds(recipes) VALUES (?)", (text,))
            row = self._database.execute("SELECT kind FROM kinds WHERE recipes = ?", (text,)).fetchone()
            self._kinds[text] = row[0]
        return self._kinds[text]


def _listed(listing: dict[str, dict[str, Stamp]], folder: str) -> Look | None:
    return Look((0, 0, 0), listing[folder], []) if folder in listing else None


def _folder(root: str, path: str) -> Stamp | None:
    return scanning.folder_stamp(f"{root}/{path}")


def _entry(row: tuple[Any, ...]) -> Entry:
    ident, name, path, size, changed, inode, recipes, shapes, check, duration_s, problem = row[:11]
    held = [r for r in recipes.split(",") if r]
    known = {r: (int(t), int(d)) for r, (t, d) in zip(held, json.loads(shapes), strict=True)}
    return Entry(ident, f"{path}/{name}", (size, changed, inode), known, check, duration_s, problem)


def _end(prefix: str) -> tuple[str, tuple[str, ...]]:
    """SQL, and its value, for ids that come before all that follow those that begin so."""
    head = prefix.rstrip("\U0010ffff")
    if not head:
        return "", ()
    following = ord(head[-1]) + 1
    return "AND id < ?", (head[:-1] + chr(0xE000 if 0xD800 <= following < 0xE000 else following),)
