"""Train and the pages of models: the figure that they lead with did not choose anything."""

import itertools
import json

import pytest

from toprock.library import Library, models, tables

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


def test_of_a_model_of_an_earlier_version_its_held_out_scores_tell(own_room, shelf):
    """Its row knows no honest figure; its folder has the scores, and the library comparisons."""
    library, key = own_room.library, shelf.keys["model"]
    path = library.folder.model(key) / "config.json"
    config = json.loads(path.read_text())
    config.pop("tested")
    with library.read() as session:
        names = [session.get(tables.Performance, shelf.keys[who]).name for who in ("ami", "bo", "ami_again")]
    config["held_out"] = dict(zip(names, (2.0, 1.0, 0.0), strict=True))
    path.write_text(json.dumps(config))
    told(own_room, key, held_out=None, accuracy=0.9, curve=[[5, 0.9]])
    text = f"{names[0]} {names[1]}\n{names[2]} {names[1]}\n{names[0]} {names[2]}\n{names[1]} {names[2]}\n".encode()
    assert own_room.ask("POST", "/api/v1/pairs", text).status == 200
    page = own_room.ask("GET", f"/model/{key}").text
    assert '<p class="big-figure">75<small>' in page
    assert "4 pairs of 3 performances" in page
    assert "too few performances for an interval" in page
    path.unlink()
    page = own_room.ask("GET", f"/model/{key}").text
    assert "That figure made the choice, so it flatters, and there is no other" in page
    with library.read() as session:
        assert not models.told_of(library, models.get(session, key))["held_out"]


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
