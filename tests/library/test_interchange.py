"""Judgments from and to pairs files and Label Studio's JSON."""

from __future__ import annotations

import json

import pytest
from sqlalchemy import select

from toprock.comparisons import Pair, read_all_pairs
from toprock.errors import PairsError, UnknownPerformance
from toprock.library import Library, interchange, judgments, label_studio, tables

from ..web.servers import invented


@pytest.fixture
def library(tmp_path):
    made = Library(tmp_path / "library")
    invented(made, 4)
    yield made
    made.close()


@pytest.fixture
def other(tmp_path):
    made = Library(tmp_path / "other")
    invented(made, 4)
    yield made
    made.close()


def kept(library: Library) -> list[tables.Judgment]:
    with library.read() as session:
        return list(session.scalars(select(tables.Judgment).order_by(tables.Judgment.id)))


def judged(library: Library) -> list[str]:
    """Some answers of all kinds; gives what is expected of each comparison: better or left, worse or right, outcome."""
    with library.read() as session:
        names = {row.key: row.name for row in session.scalars(select(tables.Performance))}
    said = []
    for outcome, seconds in (("left", 2.5), ("right", None), ("tie", 4.0), ("skip", 1.0), ("unsure", 1.0)):
        (offer,) = judgments.offers(library, 'Anna, "A"', "foot\nwork")
        judgments.answer(library, offer.token, outcome, seconds)
        left, right = names[offer.left], names[offer.right]
        if outcome in judgments.DECIDED:
            said.append(" ".join([outcome, *((right, left) if outcome == "right" else (left, right))]))
    return said


FILE = """better,worse,outcome,annotator,criterion,weight,round,note
p000,p001,win,Anna,,1,1,"close, but clear"
p001.mp4,p002,tie,Bert,,0.5,2,
p001.mp4,p002,tie,Bert,,0.5,2,
p002,p003,win,,power,2,,
"""


def test_a_pairs_file_comes_back_with_all_its_columns(library, tmp_path):
    (tmp_path / "pairs.csv").write_text(FILE)
    brought = interchange.import_pairs(library, read_all_pairs(tmp_path / "pairs.csv"))
    assert (brought.added, brought.known, brought.left_out) == (4, 0, {})
    assert interchange.export_pairs(library, tmp_path / "out.csv") == 4
    first, second, third, fourth = read_all_pairs(tmp_path / "out.csv")
    assert (first.better, first.worse, first.extra["note"], first.extra["round"]) == (
        "p000",
        "p001",
        "close, but clear",
        "1",
    )
    assert second.tie and third.tie and second.weight == 0.5 and second.better == "p001"
    assert (fourth.criterion, fourth.weight, fourth.annotator) == ("power", 2.0, "")
    assert first.extra["side"] == ""  # a pairs file does not say which stood where


def test_what_is_here_already_changes_nothing(library, tmp_path):
    (tmp_path / "pairs.csv").write_text(FILE)
    pairs = read_all_pairs(tmp_path / "pairs.csv")
    interchange.import_pairs(library, pairs)
    again = interchange.import_pairs(library, pairs)
    assert (again.added, again.known) == (0, 4)
    judged(library)
    interchange.export_pairs(library, tmp_path / "own.csv")
    own = interchange.import_pairs(library, read_all_pairs(tmp_path / "own.csv"))
    assert (own.added, own.known) == (0, 7)
    more = interchange.import_pairs(library, [*pairs, Pair("p000", "p001", annotator="Cleo")])
    assert (more.added, more.known) == (1, 4)


def test_unknown_performances_are_named_and_left_out(library):
    brought = interchange.import_pairs(library, [Pair("p000", "p001"), Pair("p000", "nobody"), Pair("who", "nobody")])
    assert brought.added == 1 and set(brought.left_out) == {"nobody", "who"} and brought.pairs_left_out == 2
    with pytest.raises(PairsError, match="no comparison is left"):
        interchange.import_pairs(library, [Pair("who", "nobody")])


def test_ambiguous_names_and_endless_ones_are_refused(library):
    with library.write() as session:
        rows = session.scalars(select(tables.Performance)).all()
        rows[0].name, rows[1].name = "a.mp4", "a.mov"
    with pytest.raises(UnknownPerformance):
        interchange.import_pairs(library, [Pair("a", "p002")])
    with pytest.raises(PairsError, match="too long"):
        interchange.import_pairs(library, [Pair("p002", "p003", annotator="x" * 201)])
    assert kept(library) == []


def test_judgments_go_to_another_library_as_they_are(library, other, tmp_path):
    said = judged(library)
    interchange.export_pairs(library, tmp_path / "pairs.csv")
    brought = interchange.import_pairs(other, read_all_pairs(tmp_path / "pairs.csv"))
    assert brought.added == len(said) == 3
    for mine, theirs in zip(
        (one for one in kept(library) if one.outcome in judgments.DECIDED), kept(other), strict=True
    ):
        for name in ("token", "annotator", "criterion", "outcome", "seconds", "weight"):
            assert getattr(mine, name) == getattr(theirs, name), name
        assert abs((mine.created - theirs.created).total_seconds()) < 1
    assert judgments.undo(other, 'Anna, "A"', "foot\nwork") is None  # not what came from elsewhere


def test_label_studio_gets_what_it_imports_and_gives_it_back(library, other):
    said = judged(library)
    tasks = json.loads(label_studio.tasks(library))
    assert len(tasks) == 3
    for task, expected in zip(tasks, said, strict=True):
        (annotation,) = task["annotations"]
        (result,) = annotation["result"]
        outcome, better, worse = expected.split()
        assert {task["data"]["left_id"], task["data"]["right_id"]} == {better, worse}
        if outcome == "tie":
            assert (result["type"], result["value"]) == ("choices", {"choices": ["equal"]})
        else:
            assert (result["type"], result["from_name"], result["to_name"]) == ("pairwise", "better", "better")
            assert task["data"][f"{result['value']['selected']}_id"] == better
        assert "completed_by" not in annotation  # it must name an account of that project
    assert f'name="{tasks[0]["annotations"][0]["result"][0]["from_name"]}"' in label_studio.LABELING_INTERFACE
    pairs = label_studio.pairs_of_tasks(json.dumps(tasks), other)
    assert interchange.import_pairs(other, pairs).added == 3
    assert [one.outcome for one in kept(other)] == ["left", "right", "tie"]
    assert [one.seconds for one in kept(other)] == [2.5, None, 4.0]
    assert {one.annotator for one in kept(other)} == {'Anna, "A"'}
    assert interchange.import_pairs(library, label_studio.pairs_of_tasks(json.dumps(tasks), library)).added == 0


def _task(left: str, right: str, *annotations: dict, **data: str) -> dict:
    return {"id": 7, "data": {"video1": left, "video2": right, **data}, "annotations": list(annotations)}


def _chose(side: str, **more: object) -> dict:
    result = {"id": "x", "from_name": "pw", "to_name": "pw", "type": "pairwise", "value": {"selected": side}}
    return {"result": [result], "completed_by": {"id": 3, "email": "eva@example.org"}, "lead_time": 12.25, **more}


def test_a_project_that_others_set_up_is_read(library):
    tasks = [
        _task("/data/upload/1/ab12cd-p000.mp4", "/data/local-files/?d=battles/p001.mp4", _chose("right")),
        _task("p002", "https://example.org/p003.mp4?x=1", _chose("left", created_at="2031-05-01T10:00:00.5Z")),
        _task("p000.mp4", "p003.mp4", _chose("left", was_cancelled=True), {"result": [], "completed_by": 4}),
    ]
    interchange.import_pairs(library, label_studio.pairs_of_tasks(json.dumps(tasks), library))
    with library.read() as session:
        pairs = judgments.pairs_of(session)
    assert [(p.better, p.worse, p.annotator) for p in pairs] == [
        ("p001", "p000", "eva@example.org"),
        ("p002", "p003", "eva@example.org"),
    ]
    assert [one.outcome for one in kept(library)] == ["right", "left"]
    assert kept(library)[0].seconds == 12.25 and kept(library)[1].created.isoformat() == "2031-05-01T10:00:00.500000"


@pytest.mark.parametrize(
    "text",
    ["", "{}", "[1]", '[{"left": "p000"}]', "[" * 100_000, '[{"data": {}, "annotations": 5}]',
     json.dumps([_task("p000", "p001")]), json.dumps([_task("a", "b", _chose("left"), c="d")])],
)  # fmt: skip
def test_other_json_is_refused_in_words(library, text):
    with pytest.raises(PairsError):
        interchange.import_pairs(library, label_studio.pairs_of_tasks(text, library))


@pytest.mark.parametrize("weight", [1e200, 1e-300])
def test_weights_that_no_rating_could_take_are_refused(library, weight):
    with pytest.raises(PairsError, match="weight"):
        interchange.import_pairs(library, [Pair("p000", "p001", weight=weight)])
    assert kept(library) == []


def test_times_at_the_ends_of_the_calendar_are_no_trouble(library):
    pair = Pair("p000", "p001", extra={"judged": "0001-01-01T00:00:00+14:00"})
    assert interchange.import_pairs(library, [pair]).added == 1
