"""BRACE's annotations: the real ones, small ones by hand, and what is refused."""

import json
import re

import pytest

from toprock.datasets.battles import parts, read_battles
from toprock.errors import ManifestError
from toprock.performance import read_manifest, write_manifest

SEQUENCES = "video_id,seq_idx,start_frame,end_frame,dancer\n"


@pytest.fixture
def data(tmp_path):
    """Two turns each of `el niño` and `lil zoo`, at 25 frames a second."""
    folder = tmp_path / "brace"
    (folder / "annotations").mkdir(parents=True)
    (folder / "videos_info.csv").write_text("video_id,year,fps,duration\n-x_1,2013,25,20.0\n")
    rows = ["0,25,75,el niño", "1,100,150,lil zoo", "2,200,250,el niño", "3,300,350,lil zoo"]
    (folder / "annotations/sequences.csv").write_text(SEQUENCES + "".join(f"-x_1,{row}\n" for row in rows))
    (folder / "annotations/segments.csv").write_text(
        "video_id,seq_idx,start_frame,end_frame,dance_type\n-x_1,2,210,240,powermove\n-x_1,2,200,211,toprock\n"
    )
    (folder / "annotations/audio_beats.json").write_text(
        json.dumps({"-x_1.2": {"bpm": 120.0, "beats_sec": [0.25, 0.75, 2.0, 2.25]}})
    )
    (folder / "annotations/shot_boundaries.json").write_text(json.dumps({"-x_1": [50, 75, 90, 225, 320]}))
    return folder


def test_a_dancer_in_a_battle_is_a_performance(data):
    (battle,) = read_battles(data)
    assert battle.dancers == ("el niño", "lil zoo")
    found = parts([battle])
    assert list(found) == ["2013/-x_1/el niño", "2013/-x_1/lil zoo"]
    one = found["2013/-x_1/el niño"]
    assert one.performance(data / "a.mp4").intervals == ((1.0, 3.0), (8.0, 10.0))
    assert one.turns[1].pieces == (((8.0, 8.44), "toprock"), ((8.4, 9.6), "powermove"))
    assert one.beats_s == (8.25, 8.75)  # those past the end of the turn are another's
    assert one.cuts_s == (2.0, 9.0)
    assert found["2013/-x_1/lil zoo"].cuts_s == (12.8,)
    assert (one.dancer, one.performance(data / "a.mp4").event) == ("el niño", "2013/-x_1")


def test_each_turn_can_be_one(data):
    found = parts(read_battles(data), single_turns=True)
    spans = {ident: part.performance(data / "a.mp4").intervals for ident, part in found.items()}
    assert spans["2013/-x_1/lil zoo/3"] == ((12.0, 14.0),)
    assert len(spans) == 4


def test_what_is_not_annotated_is_optional(data):
    for name in ("segments.csv", "audio_beats.json", "shot_boundaries.json"):
        (data / "annotations" / name).unlink()
    for part in parts(read_battles(data)).values():
        assert (part.cuts_s, part.beats_s, part.turns[0].pieces) == (None, (), ())


@pytest.mark.parametrize(
    ("name", "old", "new", "said"),
    [
        ("videos_info.csv", "25,20.0", "0,20.0", "line 2: fps is '0', no number above 0"),
        ("videos_info.csv", "25,20.0", "nan,20.0", "fps is 'nan'"),
        ("videos_info.csv", "-x_1", "a/b", "'a/b' of '2013' is no name"),
        ("videos_info.csv", "25,20.0\n", "25,20.0\n-x_1,2014,25,20.0\n", "line 3: '-x_1' stands twice"),
        ("videos_info.csv", "fps", "rate", "no column fps"),
        ("annotations/sequences.csv", "1,100,150", "1,150,100", "line 3: 150 to 100 is no span of frames"),
        ("annotations/sequences.csv", "1,100,150", "1,-5,150", "-5 to 150 is no span"),
        ("annotations/sequences.csv", "1,100,150", "0,100,150", "seq_idx is '0', which is no number or stands twice"),
        ("annotations/sequences.csv", "2,200,250", "2,70,250", "'el niño' is nobody, or dances in two turns at once"),
        ("annotations/sequences.csv", "-x_1,3", "other,3", "'other' is not in videos_info.csv"),
        ("annotations/sequences.csv", "lil zoo", "el niño 2", "not two dancers"),
        ("annotations/segments.csv", "210,240", "240,210", "segments.csv, line 2: 240 to 210"),
        ("annotations/audio_beats.json", "0.25", '"soon"', "audio_beats.json: holds what is no list of numbers"),
        ("annotations/audio_beats.json", "{", "[", "audio_beats.json: cannot be read"),
        ("annotations/shot_boundaries.json", "[50", "[NaN", "shot_boundaries.json: holds what is no list"),
    ],
)
def test_what_makes_no_sense_is_named_with_its_file(data, name, old, new, said):
    path = data / name
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))
    with pytest.raises(ManifestError, match=re.escape(said)):
        read_battles(data)


def test_no_battle_at_all_is_an_error(data):
    (data / "videos_info.csv").write_text("video_id,year,fps,duration\n")
    (data / "annotations/sequences.csv").write_text(SEQUENCES)
    (data / "annotations/segments.csv").unlink()
    with pytest.raises(ManifestError, match="lists no battle"):
        read_battles(data)


def test_a_missing_file_is_named(data):
    (data / "annotations/sequences.csv").unlink()
    with pytest.raises(ManifestError, match=r"sequences\.csv: cannot be read"):
        read_battles(data)


def test_the_real_annotations(shared, tmp_path):
    battles = read_battles(shared / "data/brace")
    turns = [turn for battle in battles for turn in battle.turns]
    assert (len(battles), len(turns)) == (81, 465)
    pieces = [kind for turn in turns for _, kind in turn.pieces]
    assert {k: pieces.count(k) for k in set(pieces)} == {"toprock": 465, "powermove": 462, "footwork": 425}
    assert sum(bool(turn.beats_s) for turn in turns) == 146
    assert all(turn.span[0] <= beat <= turn.span[1] for turn in turns for beat in turn.beats_s)
    assert sum(battle.cuts_s is not None for battle in battles) == 73
    assert all(battle.turns[-1].span[1] < battle.duration_s for battle in battles)
    found = parts(battles)
    assert len(found) == 2 * 81
    assert len({part.dancer for part in found.values()}) == 64
    listed = [part.performance(tmp_path / f"{part.battle.video_id}.mp4") for part in found.values()]
    write_manifest(listed, tmp_path / "manifest.csv")
    again = read_manifest(tmp_path / "manifest.csv")
    assert [(p.id, p.video, p.performer) for p in again] == [(p.id, p.video, p.performer) for p in listed]
    for ident, p in zip(found, again, strict=True):
        year, video, dancer = ident.split("/", 2)
        assert (found[ident].battle.year, p.video.stem, p.performer) == (year, video, dancer)
        assert len(p.intervals) == len(found[ident].turns)
