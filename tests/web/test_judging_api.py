"""What programs and judges may ask about judging, and what they are not told."""

from __future__ import annotations

import html
import http.client
import json
import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import pytest
from sqlalchemy import select, update

from toprock.library import Library, judgments, tables
from toprock.web.api import judging

from .rooms import Room, open_room
from .servers import invented

OWNER, JUDGES = "owner-of-the-room", "judges-of-the-room"


@pytest.fixture
def library(tmp_path) -> Iterator[Library]:
    made = Library(tmp_path / "library")
    invented(made, 4)
    yield made
    made.close()


@pytest.fixture
def room(library) -> Iterator[Room]:
    with open_room(library, password=OWNER, judge_password=JUDGES) as found:
        yield found


class Visitor:
    """Somebody with a browser, let in by a password."""

    def __init__(self, room: Room, password: str) -> None:
        self._room = room
        form = f"password={password}".encode()
        headers = {"content-type": "application/x-www-form-urlencoded"}
        answer = room.ask("POST", "/login", form, token=False, headers=headers)
        assert answer.status == 303
        self._cookie = answer.headers["set-cookie"].split(";")[0]
        page = room.ask("GET", "/judge", token=False, headers={"cookie": self._cookie}).text
        self._proof = page.split('name="proof" content="')[1].split('"')[0]

    def ask(self, method: str, path: str, body: Any = None) -> Any:
        return self._room.ask(method, path, body, token=False, headers={"cookie": self._cookie, "x-proof": self._proof})


def judge_once(room: Room, outcome: str = "left", annotator: str = "Anna") -> dict[str, Any]:
    pair = room.ask("GET", f"/api/v1/judge/next?annotator={annotator}").json["pair"]
    answered = room.ask("POST", "/api/v1/judgments", {"token": pair["token"], "outcome": outcome, "seconds": 2})
    assert answered.status == 200
    return pair


def test_judging_goes_from_pair_to_pair(room):
    first = room.ask("GET", "/api/v1/judge/next?annotator=Anna&criterion=").json
    assert first["progress"] == {"mine": 0, "all": 0, "performances": 4, "settled": 0.5}
    answer = {"token": first["pair"]["token"], "outcome": "left", "seconds": 2.5}
    second = room.ask("POST", "/api/v1/judgments", answer).json
    assert second["pair"] == first["ahead"] and second["progress"]["mine"] == 1
    assert room.ask("POST", "/api/v1/judgments", answer).json["progress"]["mine"] == 1
    undo = {"annotator": "Anna", "token": answer["token"]}
    again = room.ask("POST", "/api/v1/judgments/undo", undo).json
    assert again["pair"]["left"] == first["pair"]["left"] and again["pair"]["right"] == first["pair"]["right"]
    assert again["ahead"] == second["pair"] and again["progress"]["mine"] == 0


def test_spans_of_a_longer_video_are_told(room, library):
    with library.write() as session:
        session.execute(update(tables.Performance).values(intervals="2-4.5;6-7"))
    pair = room.ask("GET", "/api/v1/judge/next?annotator=Anna").json["pair"]
    assert pair["left"]["spans"] == [[2.0, 4.5], [6.0, 7.0]]
    assert pair["left"]["video"] == f"/api/v1/performances/{pair['left']['key']}/video"


def test_judges_judge_and_are_told_no_name_and_no_score(room, library):
    with library.write() as session:
        model = tables.Model(name="Secret Model")
        session.add(model)
        session.flush()
        session.merge(tables.Setting(name="model", value=model.key))
        for key in session.scalars(select(tables.Performance.key)):
            session.add(tables.Assessment(performance_key=key, model_key=model.key, score=0.123456, document={}))
    owner, judge = Visitor(room, OWNER), Visitor(room, JUDGES)
    shown = judge.ask("GET", "/api/v1/judge/next?annotator=Eva")
    assert shown.status == 200
    pair = shown.json["pair"]
    answers = [
        shown,
        judge.ask("POST", "/api/v1/judgments", {"token": pair["token"], "outcome": "tie"}),
        judge.ask("POST", "/api/v1/judgments/undo", {"annotator": "Eva"}),
        judge.ask("GET", "/api/v1/criteria"),
        judge.ask("GET", "/judge"),
    ]
    assert [answer.status for answer in answers] == [200] * 5
    for answer in answers:
        assert b"ecret" not in answer.body and b"0.123" not in answer.body and b"p00" not in answer.body
    for path in ("standings", "pairs.csv", "pairs.json", f"performances/{pair['left']['key']}", "models"):
        assert judge.ask("GET", f"/api/v1/{path}").status == 403, path
        if path != f"performances/{pair['left']['key']}":
            assert owner.ask("GET", f"/api/v1/{path}").status == 200, path
    assert judge.ask("GET", "/standings").status == 403
    assert judge.ask("POST", "/api/v1/pairs", b"a b").status == 403
    assert judge.ask("GET", f"/api/v1/performances/{pair['left']['key']}/video").status == 404  # invented, yet not 403


def test_nobody_else_judges(room):
    for method, path in (
        ("GET", "judge/next?annotator=x"),
        ("POST", "judgments"),
        ("GET", "criteria"),
        ("POST", "pairs"),
    ):
        body = {} if method == "POST" else None
        assert room.ask(method, f"/api/v1/{path}", body, token=False).status == 401
    assert room.ask("GET", "/judge", token=False).headers["location"] == "/login?then=%2Fjudge"


def test_answers_are_checked(room):
    pair = room.ask("GET", "/api/v1/judge/next?annotator=Anna").json["pair"]
    for more in ({"outcome": "better"}, {"outcome": "left", "seconds": -1}, {"outcome": "left", "seconds": "x"}, {}):
        assert room.ask("POST", "/api/v1/judgments", {"token": pair["token"], **more}).status == 422, more
    nan = json.dumps({"token": pair["token"], "outcome": "left", "seconds": float("nan")}).encode()
    assert room.ask("POST", "/api/v1/judgments", nan, headers={"content-type": "application/json"}).status == 422
    assert room.ask("POST", "/api/v1/judgments", {"token": "0" * 16, "outcome": "left"}).status == 404
    assert room.ask("GET", "/api/v1/judge/next").status == 422
    assert room.ask("GET", "/api/v1/judge/next?annotator=" + 201 * "x").status == 422
    assert room.ask("GET", "/api/v1/judge/next?annotator=%20%00").status in (409, 422)


def test_pairs_go_in_and_out(room):
    sent = b"better,worse,outcome,annotator,round\np000,p001,win,Anna,1\np001,p002,tie,Bert,2\np000,nobody,win,,\n"
    brought = room.ask("POST", "/api/v1/pairs", sent, headers={"content-type": "text/csv"})
    assert brought.json == {"added": 2, "known": 0, "left_out": {"nobody": "not in the library"}, "pairs_left_out": 1}
    out = room.ask("GET", "/api/v1/pairs.csv")
    assert out.headers["content-disposition"] == 'attachment; filename="pairs.csv"'
    assert (
        out.text.splitlines()[0] == "better,worse,outcome,annotator,criterion,weight,judged,judgment,round,seconds,side"
    )
    assert len(out.text.splitlines()) == 3
    assert room.ask("POST", "/api/v1/pairs", out.body).json["known"] == 2
    tasks = room.ask("GET", "/api/v1/pairs.json")
    assert room.ask("POST", "/api/v1/pairs", tasks.body).json == {
        "added": 0,
        "known": 2,
        "left_out": {},
        "pairs_left_out": 0,
    }
    assert room.ask("POST", "/api/v1/pairs?format=pairs", b"p002 p003\n").json["added"] == 1
    assert list(room.library.folder.incoming.iterdir()) == []


@pytest.mark.parametrize(
    ("body", "kind", "status"),
    [
        (b"", "text/csv", 409),
        (b"one two three\n", "text/plain", 422),
        (b"\xff\xfe\x00", "text/csv", 422),
        (b"a a\n", "", 422),
        (b"who nobody\n", "", 422),
        (b"{}", "application/json", 422),
        (b"p000 p001\n", "application/json", 422),
    ],
)
def test_files_that_are_none_are_refused_in_words(room, body, kind, status):
    answer = room.ask("POST", "/api/v1/pairs", body, headers={"content-type": kind})
    assert answer.status == status and answer.json["error"]
    assert str(room.library.folder.root) not in answer.text and "incoming" not in answer.text
    assert list(room.library.folder.incoming.iterdir()) == []


def test_a_file_may_not_be_endless(room, monkeypatch):
    monkeypatch.setattr(judging, "LARGEST", 1000)
    connection = http.client.HTTPConnection("127.0.0.1", room.port, timeout=10)
    connection.request("POST", "/api/v1/pairs", 200 * b"p000 p001\n", {"Authorization": f"Bearer {room.token}"})
    assert connection.getresponse().status == 413
    connection.close()
    assert list(room.library.folder.incoming.iterdir()) == []


def judged(room, who, seconds, criterion=""):
    """Have somebody answer three pairs, each within so many seconds."""
    keys = [p["key"] for p in room.ask("GET", "/api/v1/performances").json["performances"]]
    with room.library.write() as session:
        session.add_all(
            tables.Judgment(
                token=f"{who}{n}{criterion}", annotator=who, criterion=criterion, left=keys[0], right=keys[n + 1],
                outcome="left", seconds=seconds,
            )
            for n in range(3)
        )  # fmt: skip


def test_judges_who_answer_faster_than_the_videos_play_are_marked(room):
    """Performances are 30 s long: less than 3 s shows little of them."""
    for who, seconds in (("Quick", 0.42), ("Brisk", 2.9), ("Calm", 12.3), ("Unknown", None)):
        judged(room, who, seconds)
    assert room.ask("GET", "/api/v1/standings").json["hasty"] == ["Brisk", "Quick"]
    page = room.ask("GET", "/standings").text
    rows = {row.partition("</bdi>")[0]: row for row in page.split('<tr><th scope="row"><bdi>')[1:]}
    assert ["faster than the videos play" in rows[who] for who in ("Quick", "Brisk", "Calm", "Unknown")] == [
        True,
        True,
        False,
        False,
    ]
    assert "0.4 s" in rows["Quick"] and "12 s" in rows["Calm"]


def test_exports_are_of_the_criterion_that_is_shown(room):
    judged(room, "Anna", 9.0)
    judged(room, "Bert", 9.0, "foot work & more")
    for shown, who, other in (("", "Anna", "Bert"), ("foot work & more", "Bert", "Anna")):
        page = room.ask("GET", f"/standings?criterion={quote(shown)}").text
        links = [html.unescape(link) for link in re.findall(r'href="(/api/v1/pairs\.(?:csv|json)[^"]*)"', page)]
        assert len(links) == 2
        for link in links:
            sent = room.ask("GET", link).text
            assert who in sent and other not in sent, link


def test_standings_tell_what_the_page_tells(room):
    room.ask(
        "POST", "/api/v1/pairs", b"p000 p001\np000 p001\np001 p000\np002 p003\n", headers={"content-type": "text/csv"}
    )
    found = room.ask("GET", "/api/v1/standings").json
    assert found["comparisons"] == 4 and len(found["groups"]) == 2 and found["unjudged"] == []
    first = found["groups"][0]["places"][0]
    assert (first["name"], first["wins"], first["losses"], first["rank"]) == ("p000", 2, 1, "1–2")
    assert first["score"] is None and first["low"] < first["rating"] < first["high"]
    assert found["contradictions"] == [["Secret Performer 0", "Secret Performer 1"]]
    assert room.ask("GET", "/api/v1/standings?criterion=none").json["groups"] == []


def test_the_routes_are_described(room):
    described = room.ask("GET", "/api/openapi.json").json["paths"]
    for path in (
        "judge/next",
        "judgments",
        "judgments/undo",
        "criteria",
        "standings",
        "pairs.csv",
        "pairs.json",
        "pairs",
    ):
        for route in described[f"/api/v1/{path}"].values():
            assert route["summary"] and route["description"], path


def test_names_are_text(room):
    hostile = "<img src=x onerror=alert(1)>"
    judge_once(room, annotator="%3Cimg%20src=x%20onerror=alert(1)%3E")
    with room.library.write() as session:
        session.execute(update(tables.Performance).values(performer=hostile))
    page = room.ask("GET", "/standings").text
    assert hostile not in page and "&lt;img" in page
    assert judgments.progress(room.library, hostile).mine == 1


def test_the_first_answer_counts_and_a_contrary_one_hears_of_it(room):
    token = room.ask("GET", "/api/v1/judge/next?annotator=Anna").json["pair"]["token"]
    for outcome in ("left", "right"):
        assert room.ask("POST", "/api/v1/judgments", {"token": token, "outcome": outcome}).json["kept"] == "left"


def test_standings_with_a_clear_leader(room):
    judged = "better,worse,annotator\n" + "".join(f"p000,p00{n},judge{j}\n" for n in (1, 2) for j in range(12))
    room.ask("POST", "/api/v1/pairs", judged.encode(), headers={"content-type": "text/csv"})
    page = room.ask("GET", "/standings")
    assert page.status == 200
    assert "leads. It is" in page.text
