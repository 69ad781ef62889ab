"""Requests that nobody would send, drawn from the room's own OpenAPI document, to a room with real performances.

Schemathesis draws them: what the document allows and what it forbids, one at a time and in sequences that use what
earlier answers named. No answer may be an error of the server, or one that the document does not know, and the library
must be whole afterwards: as the database sees it, and each file with a row of its own.
"""

from __future__ import annotations

import re
import shutil
import sqlite3
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import schemathesis
from schemathesis.engine import events, from_schema

from hardening.chapter import Chapter, Scale, Table
from tests.conftest import make_place
from tests.web import shelf
from tests.web.rooms import Room, open_room
from toprock.library import Library, judgments

CHECKS = (
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_schema_conformance",
    "negative_data_rejection",
    "positive_data_acceptance",
    "unsupported_method",
    "ignored_auth",
)
PASSWORDS = {"password": "the owner of it all", "judge_password": "those who judge"}
FOR_JUDGES = {
    "GET /api/v1/judge/next",
    "POST /api/v1/judgments",
    "POST /api/v1/judgments/undo",
    "GET /api/v1/criteria",
    "GET /api/v1/performances/{key}/video",
    "GET /api/v1/performances/{key}/thumbnail",
}
"""All that those may do who have the judges' password."""
_CRITERIA = ("", "musicality")


@dataclass
class Storm:
    """What came of many requests.

    Attributes:
        cases: requests that were answered.
        answers: how many had which status.
        routes: which routes were asked, with the statuses that they gave.
        wrong: what was wrong, with the requests that showed it.
    """

    cases: int = 0
    answers: Counter[int] = field(default_factory=Counter)
    routes: dict[str, set[int]] = field(default_factory=dict)
    wrong: dict[str, list[str]] = field(default_factory=dict)


def run(scale: Scale) -> Chapter:
    """Build a library, open it, and ask."""
    place = make_place(scale.folder / "place", _toprock)
    built = shelf.build(scale.folder / "shelf" / "library", place)
    return storms(built, scale)


def storms(built: shelf.Shelf, scale: Scale) -> Chapter:
    """As the owner's program, and as a judge, to a copy of a library each."""
    rows: list[tuple[object, ...]] = []
    lost: list[str] = []
    for who in ("owner", "judge"):
        folder = scale.folder / who
        with opened(built, folder, scale.seed) as room:
            found = storm(room, built, scale, who)
        wrong = [f"{what}, {len(by)} times: {by[0]}" for what, by in found.wrong.items()]
        lost += [f"{who}: {line}" for line in [*wrong, *troubles(folder)]]
        kinds = Counter({f"{code}xx": 0 for code in range(2, 6)})
        for status, count in found.answers.items():
            kinds[f"{status // 100}xx"] += count
        rows.append((who, found.cases, len(found.routes), kinds["2xx"], kinds["4xx"], kinds["5xx"]))
    lead = (
        "Requests drawn from the room's OpenAPI document, allowed and forbidden ones, singly and in sequences, to "
        "rooms with rendered performances, a model, scores and judgments. Every answer must be one that the document "
        "names (status, kind of content, form), none a 5xx, none without the token; with the judges' password, none "
        "of the owner's routes may do anything. Afterwards SQLite's `integrity_check` and `foreign_key_check` must "
        "find nothing, and every file must belong to a row."
    )
    head = ("asked by", "requests", "routes", "2xx", "4xx", "5xx")
    return Chapter(lead, [Table(head, rows)], lost)


@contextmanager
def opened(built: shelf.Shelf, folder: Path, seed: int) -> Iterator[Room]:
    """A room with passwords, of a copy of a library in which somebody has judged."""
    shutil.copytree(built.folder, folder)
    library = Library(folder)
    judge(library, seed)
    (folder.parent / "allowed").mkdir(exist_ok=True)
    limits = {"folders": (folder.parent / "allowed",), "max_upload": 1 << 22, "stall_s": 2.0}
    try:
        with open_room(library, **PASSWORDS, **limits) as room:
            yield room
    finally:
        library.close()


def judge(library: Library, seed: int) -> None:
    """A few answers of two people, by two criteria."""
    outcomes = ("left", "right", "tie", "unsure")
    for number in range(12):
        (offer,) = judgments.offers(library, f"Judge {number % 2}", _CRITERIA[number // 2 % 2], count=1)
        judgments.answer(library, offer.token, outcomes[(number + seed) % 4], 1.0 + number)


def storm(room: Room, built: shelf.Shelf, scale: Scale, who: str) -> Storm:
    """Ask a room as `who`, the owner's program or a judge."""
    checks = {name: {"enabled": True} for name in CHECKS}
    if who == "judge":
        for name in ("ignored_auth", "positive_data_acceptance", "negative_data_rejection"):
            checks[name] = {"enabled": False}  # judged here, by what may not happen
    # what is sent on purpose may be refused for more than its form: as things stand, as too large, as no video
    checks["positive_data_acceptance"]["expected-statuses"] = ["2xx", "401", "403", "404", "409", "413", "422"]
    keys = [key for name, key in built.keys.items() if name != "model"]
    examples = scale.of(60, 3) if who == "owner" else scale.of(20, 1)
    phases: dict[str, Any] = {name: {"enabled": True} for name in ("coverage", "fuzzing", "stateful")}
    phases["coverage"]["enabled"] = scale.full
    phases["stateful"]["enabled"] = who == "owner"
    phases["stateful"]["generation"] = {"max-examples": scale.of(60, 4)}
    config = schemathesis.Config.from_dict(
        {
            "base-url": room.url,
            "seed": scale.seed,
            "headers": _credentials(room, who),
            "request-timeout": 60,
            "continue-on-failure": True,
            "cache": {"enabled": False},
            "generation": {
                "max-examples": examples,
                "database": ":memory:",
                "no-shrink": True,
                "with-security-parameters": False,
            },
            "checks": {"enabled": False, **checks},
            "phases": {"examples": {"enabled": False}, **phases},
            "dictionaries": {
                "performances": {"values": keys},
                "models": {"values": [built.keys["model"]]},
                "criteria": {"values": list(_CRITERIA)},
            },
            "parameters": {
                "path.key": {"dictionary": "performances", "probability": 0.6},
                "query.a": {"dictionary": "performances", "probability": 0.7},
                "query.b": {"dictionary": "performances", "probability": 0.7},
                "query.model": {"dictionary": "models", "probability": 0.3},
                "query.criterion": {"dictionary": "criteria", "probability": 0.5},
            },
            "operations": [
                {"include-path-regex": "/models/[{]key", "parameters": {"path.key": {"dictionary": "models"}}}
            ],
        }
    )
    document = room.ask("GET", "/api/openapi.json").json
    found = Storm()
    for event in from_schema(schemathesis.openapi.from_dict(document, config=config)).execute():
        _take_down(event, found, who)
    return found


def _credentials(room: Room, who: str) -> Mapping[str, str]:
    """The token; or what a judge's page sends, who came in by the password."""
    if who == "owner":
        return {"Authorization": f"Bearer {room.token}"}
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    body = f"password={PASSWORDS['judge_password'].replace(' ', '+')}".encode()
    let_in = room.ask("POST", "/login", body, token=False, headers=form)
    cookie = let_in.headers["set-cookie"].partition(";")[0]
    page = room.ask("GET", "/judge", token=False, headers={"Cookie": cookie}).text
    proof = re.search(r'name="proof" content="([0-9a-f]+)"', page)
    assert proof, "the judge was not let in"
    return {"Cookie": cookie, "X-Proof": proof[1]}


def _take_down(event: Any, found: Storm, who: str) -> None:
    if isinstance(event, (events.NonFatalError, events.FatalError)):
        info = getattr(event, "value", None) or event.exception
        found.wrong.setdefault(f"Schemathesis: {type(info).__name__}", []).append(" ".join(f"{info}".split())[:300])
    if not isinstance(event, events.ScenarioFinished):
        return
    for number, sent in event.recorder.interactions.items():
        if sent.response is None:
            continue
        case = event.recorder.cases[number].value
        route, status = case.operation.label, sent.response.status_code
        found.cases += 1
        found.answers[status] += 1
        found.routes.setdefault(route, set()).add(status)
        if who == "judge" and status < 400 and route not in FOR_JUDGES and case.method == case.operation.method.upper():
            found.wrong.setdefault(f"{route}: open to judges", []).append(f"status {status}")
    for check in (check for checks in event.recorder.checks.values() for check in checks):
        if check.failure_info is not None:
            failure, sample = check.failure_info.failure, check.failure_info.code_sample
            what = f"{failure.operation}: {check.name}: {failure.title}"
            told = " ".join(f"{failure.message} `{sample[:300]}`".split())
            found.wrong.setdefault(what, []).append(told[:500])


def troubles(root: Path) -> list[str]:
    """What is not whole in a closed library: as SQLite finds, and files that belong to nothing, or the other way."""
    with sqlite3.connect(root / "library.db") as database:
        said = [row[0] for row in database.execute("PRAGMA integrity_check")]
        loose = [
            f"{row[0]} {row[1]} names a {row[2]} that is gone" for row in database.execute("PRAGMA foreign_key_check")
        ]
        rows = {part: _column(database, query) for part, query in _FILES.items()}
    found = [line for line in said if line != "ok"] + loose
    for part, names in rows.items():
        here = {path.name for path in (root / part).iterdir()} - _BESIDE
        found += [f"{part}/{name} belongs to nothing" for name in sorted(here - names)]
        found += [f"{part}/{name} is missing" for name in sorted(names - here) if part != "thumbnails"]
    found += [f"{path.name} was left in incoming" for path in (root / "incoming").iterdir()]
    return found


_FILES = {
    "videos": "SELECT substr(path, 8) FROM video WHERE owned",
    "previews": "SELECT preview FROM video WHERE preview != ''",
    "thumbnails": "SELECT key || '.jpg' FROM performance ",
    "models": "SELECT key FROM model",
}
_BESIDE = {".lock"}


def _column(database: sqlite3.Connection, query: str) -> set[str]:
    return {row[0] for row in database.execute(query)}


def _toprock(*words: object) -> None:
    subprocess.run([sys.executable, "-m", "toprock", *map(str, words)], check=True, capture_output=True)
