"""Train and the pages of models: the figure that they lead with did not choose anything."""

import itertools
import json
from datetime import timedelta

import pytest

from toprock.library import Library, jobs, models, tables

from .rooms import open_room
from .servers import invented


def told(room, key, **summary):
    """Have a model's summary say this."""
    with room.library.write() as session:
        row = session.get(tables.Model, key)
        row.summary = {**row.summary, **summary}


def test_an_honest_figure_leads_with_its_interval_and_the_one_that_chose_is_small(own_room, shelf):
    key = shelf.keys["model"]
    held_out = {
        "accuracy": 0.72,
        "interval": [0.6, 0.81],
        "pairs": 66,
        "performances": 12,
        "controls": {"duration": 0.75},
        "sides": {"one": {"accuracy": 0.7, "pairs": 60, "performances": 12}},
    }
    curve = [[10, 0.9], [20, 0.95], [30, 0.85]]
    told(own_room, key, held_out=held_out, accuracy=0.95, steps=20, curve=curve, controls={"duration": 0.6})
    page = own_room.ask("GET", f"/model/{key}").text
    assert '<p class="big-figure">72<small>' in page
    assert "66 pairs of 12 performances" in page
    assert "60 to 81 % (95 % interval" in page
    assert "one that it learnt from, 70 % (60 tests)" in page
    assert page.index("While choosing how long to train: 95 %") > page.index("big-figure")
    assert "Longer or shorter alone ranks as well" in page  # 75 % of the same pairs, though 60 % of others
    assert "95% at 20 steps, which were chosen; 85% after all 30." in page
    assert "so far" not in page
    listed = own_room.ask("GET", "/train").text
    assert '<p class="big-figure">72<small>% of 66 held-out pairs right<br>95 % interval 60 to 81 %' in listed
    assert own_room.ask("GET", f"/api/v1/models/{key}").json["held_out"] == held_out


def test_what_was_left_out_and_is_gone_is_counted(own_room, shelf):
    left = {"deleted scenes": "dark"}
    told(own_room, shelf.keys["model"], left_out=left, left_out_gone=2, pairs_left_out=4)
    page = own_room.ask("GET", f"/model/{shelf.keys['model']}").text
    words = "3 performances and 4 comparisons were left out: <bdi>deleted scenes</bdi> (dark), 2 deleted since</p>"
    assert words in page


def as_kept_before(library, key):
    """A row from before there was such a figure."""
    with library.write() as session:
        model = session.get(tables.Model, key)
        model.summary = {name: value for name, value in model.summary.items() if name != "held_out"}


@pytest.fixture
def earlier(own_room, shelf):
    """The model as an earlier version kept it: its row knows no honest figure, and its folder has held-out scores."""
    library, key = own_room.library, shelf.keys["model"]
    path = library.folder.model(key) / "config.json"
    config = json.loads(path.read_text())
    config.pop("tested")
    with library.read() as session:
        names = [session.get(tables.Performance, shelf.keys[who]).name for who in ("ami", "bo", "ami_again")]
    config["held_out"] = dict(zip(names, (2.0, 1.0, 0.0), strict=True))
    config["control_accuracy"] = {"duration": 0.9}
    path.write_text(json.dumps(config))
    told(own_room, key, accuracy=0.9, curve=[[5, 0.9]])
    as_kept_before(library, key)
    text = f"{names[0]} {names[1]}\n{names[2]} {names[1]}\n{names[0]} {names[2]}\n{names[1]} {names[2]}\n".encode()
    assert own_room.ask("POST", "/api/v1/pairs", text).status == 200
    return path


def trained_here(room, key):
    with room.library.write() as session:
        jobs.enqueue(session, "train", "Train", subject=key)


def test_of_a_model_of_an_earlier_version_its_held_out_scores_tell(own_room, shelf, earlier):
    library, key = own_room.library, shelf.keys["model"]
    trained_here(own_room, key)
    kept = earlier.read_bytes()
    earlier.write_bytes(b"\xff")
    page = own_room.ask("GET", f"/model/{key}").text
    assert "That figure made the choice, so it flatters, and there is no other" in page
    earlier.write_bytes(kept)
    page = own_room.ask("GET", f"/model/{key}").text
    assert '<p class="big-figure">75<small>' in page
    assert "4 pairs of 3 performances" in page
    assert "too few performances for an interval" in page
    assert "Longer or shorter alone ranks as well, if over other pairs" in page
    assert "counted them over all comparisons that it learnt from" in page and "rank the same pairs" not in page
    earlier.unlink()  # it was measured once, and is not again
    with library.read() as session:
        found = models.get(session, key)
    assert models.told_of(library, found)["held_out"]["accuracy"] == 0.75


@pytest.mark.parametrize("days_ago", [0, 40])
def test_a_model_that_was_brought_is_not_measured_on_names_that_mean_others(own_room, shelf, earlier, days_ago):
    """One that was trained here is known by its job, or where that is forgotten by now, by its date."""
    library, key = own_room.library, shelf.keys["model"]
    config = json.loads(earlier.read_text())
    then = tables.now() - timedelta(days=days_ago)
    with library.write() as session:
        models.get(session, key).created = then
    for created, own in ((then - timedelta(days=60), False), (then, days_ago > 30)):
        earlier.write_text(json.dumps({**config, "created": created.date().isoformat()}))
        as_kept_before(library, key)
        with library.read() as session:
            found = models.get(session, key)
        assert bool(models.told_of(library, found)["held_out"]) == own


def test_pages_hold_no_connection_while_a_model_is_measured(own_room, shelf, monkeypatch):
    """Else very many that come at once hold all that there are, and wait for each other's."""
    real, held = models.told_of, []

    def told_of(library, model):
        held.append(library.database._engine.pool.checkedout())
        return real(library, model)

    monkeypatch.setattr(models, "told_of", told_of)
    for path in ("/train", "/api/v1/models", "/model/{}", "/api/v1/models/{}", "/performance/{}"):
        key = shelf.keys["ami" if "performance" in path else "model"]
        assert own_room.ask("GET", path.format(key)).status == 200
    assert held == [0] * 5


@pytest.mark.parametrize(
    ("count", "judges", "told"),
    [
        (20, ["K"], "1 comparison more, and every pair has been judged"),
        (21, ["K"], "Every pair has been judged. A second judge, or more videos"),
        (16, ["K", "L"], "3 comparisons more would make a good start"),
    ],
)
def test_no_judge_is_asked_for_more_pairs_than_there_are(tmp_path, count, judges, told):
    """Seven performances have 21 pairs, and ten comparisons a performance would be 35."""
    library = Library(tmp_path / "library")
    keys = invented(library, 7)
    couples = list(itertools.combinations(keys, 2))[:count]
    with library.write() as session:
        session.add_all(
            tables.Judgment(token=f"{who}{a}{b}", annotator=who, left=a, right=b, outcome="left")
            for who in judges
            for a, b in couples
        )
    with open_room(library) as room:
        assert told in room.ask("GET", "/train").text
    library.close()
