"""Twenty people judge at once: nothing is lost, nothing is doubled, nobody looks at another one's pair."""

from __future__ import annotations

import random
from collections import Counter, defaultdict
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlencode

import pytest
from sqlalchemy import select

from toprock.library import Library, judgments, tables

from .servers import Client, invented, serving

pytestmark = pytest.mark.long

JUDGES, ANSWERS = 20, {"sqlite": 12, "postgres": 6}


@dataclass
class Seen:
    """What one judge was shown and answered."""

    answers: dict[str, str] = field(default_factory=dict)
    pairs: list[tuple[str, str, str]] = field(default_factory=list)


def _judge(port: int, token: str, number: int, answers: int) -> Seen:
    """One judge; some send every answer twice, some load the page again before each answer, some undo now and then."""
    client, draw, seen, undo = Client(port, token), random.Random(number), Seen(), number % 5 == 2
    asked = "/api/v1/judge/next?" + urlencode({"annotator": f"Judge {number}"})
    status, found = client.ask("GET", asked)
    assert status == 200, found
    while len(seen.answers) < answers:
        pair = found["pair"]
        if number % 4 == 1:
            assert client.ask("GET", asked)[1]["pair"] == pair
        answer = {"token": pair["token"], "outcome": draw.choice(["left", "right", "tie"]), "seconds": 1.5}
        seen.answers[pair["token"]] = answer["outcome"]
        seen.pairs.append((pair["token"], *sorted((pair["left"]["key"], pair["right"]["key"]))))
        status, found = client.ask("POST", "/api/v1/judgments", answer)
        assert status == 200, found
        if number % 3 == 0:
            again = client.ask("POST", "/api/v1/judgments", {**answer, "outcome": "tie"})
            assert again[0] == 200 and again[1]["pair"] == found["pair"]
        if undo and len(seen.answers) == 4:
            undo = False
            del seen.answers[pair["token"]]
            status, found = client.ask("POST", "/api/v1/judgments/undo", {"annotator": f"Judge {number}"})
            assert status == 200 and found["pair"]["token"] != pair["token"]
    client.close()
    return seen


@pytest.mark.parametrize("kind", ANSWERS)
def test_twenty_judges_at_once_lose_and_double_nothing(tmp_path: Path, kind: str, request):
    database, answers = request.getfixturevalue("postgres_url") if kind == "postgres" else "", ANSWERS[kind]
    library = Library(tmp_path / "room", database=database)
    invented(library, 60)
    with serving(library.folder.root, database=database) as port, ThreadPoolExecutor(JUDGES) as threads:
        token = (library.folder.root / "token").read_text().strip()
        seen = list(threads.map(lambda number: _judge(port, token, number, answers), range(JUDGES)))

    with library.read() as session:
        kept = session.scalars(select(tables.Judgment).where(tables.Judgment.undone.is_(None))).all()
        undone = session.scalars(select(tables.Judgment).where(tables.Judgment.undone.is_not(None))).all()
        offers = session.scalars(select(tables.Offer)).all()
    given = {token: outcome for one in seen for token, outcome in one.answers.items()}
    assert len(given) == JUDGES * answers
    assert {judgment.token: judgment.outcome for judgment in kept} == given
    assert len(undone) == len([n for n in range(JUDGES) if n % 5 == 2])
    assert all(judgment.seconds == 1.5 for judgment in kept)

    # of 1770 pairs, none is before two people at once, and none was twice before one person but to ask again
    repeats = {judgment.token for judgment in kept if judgment.repeat_of is not None}
    assert len(repeats) < len(kept) / 4
    by = defaultdict(Counter)
    for judgment in kept:
        if judgment.token not in repeats:
            by[judgment.annotator][judgments.couple(judgment.left, judgment.right)] += 1
    assert all(max(pairs.values()) == 1 for pairs in by.values())
    waiting = Counter(judgments.couple(o.left, o.right) for o in offers if not o.answered and o.repeat_of is None)
    assert len(waiting) >= JUDGES and max(waiting.values()) == 1
    library.close()
