"""Manifests, folders of videos, and ids that people write in more than one way."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from toprock.errors import ManifestError, UnknownPerformance
from toprock.performance import (
    Performance,
    by_known_id,
    find_performances,
    format_intervals,
    id_matcher,
    parse_intervals,
    read_manifest,
    tell_apart,
    whole_video,
    write_manifest,
)


def test_a_manifest_round_trips_with_every_column(tmp_path: Path) -> None:
    performances = [
        Performance("a, the first", tmp_path / "x" / "a.mp4", ((12.0, 45.5), (60.0, 70.25)), "Ann", "semi"),
        Performance("-b", tmp_path / "b.mp4", (), "", "", {"date": "2024-05-01", "note": 'says "hi"'}),
    ]
    write_manifest(performances, tmp_path / "list.csv")
    one, two = read_manifest(tmp_path / "list.csv")
    assert (one.id, one.video, one.intervals) == (
        performances[0].id,
        performances[0].video,
        performances[0].intervals,
    )
    assert (one.performer, one.event, dict(one.extra)) == ("Ann", "semi", {"date": "", "note": ""})
    assert (two.id, two.intervals, dict(two.extra)) == ("-b", (), dict(performances[1].extra))


@pytest.mark.parametrize("text", ["5", "5-3", "3-3", "0-5;4-6", "a-b", "-1-4"])
def test_wrong_intervals_name_the_file_and_the_line(tmp_path: Path, text: str) -> None:
    path = tmp_path / "list.csv"
    path.write_text(f"id,video,intervals\na,a.mp4,\nb,b.mp4,{text}\n")
    with pytest.raises(ManifestError, match=r"list\.csv, line 3: .*as in 12\.0-45\.5"):
        read_manifest(path)


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("id,film\na,a.mp4\n", "has no column video"),
        ("id,video\na,a.mp4\na,b.mp4\n", "line 3: the id 'a' stands twice"),
        ("id,video\n,a.mp4\n", "line 2: id or video is empty"),
        ("id,video\na,a.mp4,extra\n", "line 2 has more fields"),
        ("id,video,\na,a.mp4,extra\n", "line 2 has more fields"),
        ("id,video,video\na,a.mp4,b.mp4\n", "has two columns video"),
        ("id,video\na,a.mp4\0\n", "line 2 holds a zero byte"),
        ("id;video\na;a.mp4\n", "has no column id, video"),
        ("", "has no column id, video"),
        ("id,video\n", "lists no performance"),
    ],
)
def test_a_malformed_manifest_says_what_and_where(tmp_path: Path, text: str, what: str) -> None:
    path = tmp_path / "list.csv"
    path.write_text(text)
    with pytest.raises(ManifestError) as caught:
        read_manifest(path)
    assert str(path) in str(caught.value)
    assert what in str(caught.value)


def test_a_manifest_from_a_spreadsheet(tmp_path: Path) -> None:
    text = "\ufeffid, video ,intervals,date,\r\n a ,a.mp4,0-5,2024-05-01,\r\n,,,,\r\nb,b.mp4\r\n"
    (tmp_path / "m.csv").write_bytes(text.encode())
    one, two = read_manifest(tmp_path / "m.csv")
    assert one == Performance("a", tmp_path / "a.mp4", ((0.0, 5.0),), extra={"date": "2024-05-01"})
    assert two == Performance("b", tmp_path / "b.mp4", extra={"date": ""})


def test_parse_intervals_takes_spaces_and_a_last_semicolon() -> None:
    assert parse_intervals(" 1 - 2.5 ; 3-4; ") == ((1.0, 2.5), (3.0, 4.0))


def test_a_folder_gives_ids_from_paths_and_keeps_endings_only_where_needed(tmp_path: Path) -> None:
    for name in ("b.MP4", "day/a.mov", "day/c.mp4", "day/c.webm", "notes.txt", "._b.mp4", ".trash/d.mp4"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    assert [p.id for p in find_performances(tmp_path)] == ["b", "day/a", "day/c.mp4", "day/c.webm"]
    assert [p.id for p in find_performances(tmp_path / "day" / "a.mov")] == ["a"]


def test_nothing_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(ManifestError, match="holds no video"):
        find_performances(tmp_path)
    with pytest.raises(ManifestError, match="no such file or folder"):
        find_performances(tmp_path / "gone.mp4")


def ids_of(*videos: str) -> list[str]:
    return [p.id for p in tell_apart([whole_video(video) for video in videos])]


def test_files_of_one_name_get_as_many_folders_as_tell_them_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    assert ids_of("a/v1.mp4", "b/v2.mp4") == ["v1", "v2"]
    assert ids_of("a/v1.mp4", "b/v1.mp4", "b/v2.mp4") == ["a/v1", "b/v1", "v2"]
    assert ids_of("x/a/v1.mp4", "y/a/v1.mp4", "b/v1.mp4") == ["x/a/v1", "y/a/v1", "b/v1"]
    assert ids_of("/v1.mp4", "/b/v1.mp4") == ["v1", "b/v1"]
    monkeypatch.chdir("/usr")
    assert ids_of("v1.mp4", "lib/v1.mp4", "./v1.mp4", "lib/../v1.mp4") == ["usr/v1", "lib/v1", "usr/v1", "usr/v1"]


def test_files_that_differ_in_their_ending_keep_it() -> None:
    assert ids_of("a/v.mp4", "a/v.mkv") == ["v.mp4", "v.mkv"]
    assert ids_of("a/v.mp4", "b/v.mkv") == ["a/v", "b/v"]
    assert ids_of("a/v.mp4", "a/v.mkv", "b/v.mp4") == ["a/v.mp4", "a/v.mkv", "b/v"]
    assert ids_of("take.1", "take.2") == ["take.1", "take.2"]


def test_ids_below_a_folder_stay_unless_they_clash() -> None:
    below = [Performance("day/v", Path("f/day/v.mp4")), Performance("w", Path("f/w.mp4"))]
    other = [Performance("day/v", Path("g/day/v.mp4")), Performance("x", Path("g/x.mp4"))]
    assert [p.id for p in tell_apart(below + other)] == ["f/day/v", "w", "g/day/v", "x"]
    assert [p.id for p in tell_apart(below, taken={"w", "f"})] == ["day/v", "f/w"]


names = st.lists(st.sampled_from("abc"), min_size=1, max_size=4).map("/".join)


@given(st.lists(st.tuples(names, st.sampled_from([".mp4", ".mkv"])).map("".join), unique=True, max_size=8))
def test_different_files_never_share_an_id(videos: list[str]) -> None:
    ids = ids_of(*("/r/" + video for video in videos))
    assert len(set(ids)) == len(videos)
    for ident, video in zip(ids, videos, strict=True):
        assert ("/r/" + video).rpartition(".")[0].endswith(ident.rpartition(".")[0] or ident)


def test_names_that_are_no_text(tmp_path: Path) -> None:
    name = os.fsdecode(b"raw-\xff.mp4")
    (tmp_path / name).touch()
    (one,) = find_performances(tmp_path)
    assert one == whole_video(tmp_path / name)
    assert (one.id, one.video) == ("raw-\\xff", tmp_path / name)


def test_values_under_known_ids() -> None:
    assert by_known_id({"a.mp4": 1, "b": 2, "c": 3}, ["a", "b.mkv"]) == {"a": 1, "b.mkv": 2}


def test_ids_match_exactly_then_by_their_stem() -> None:
    assert id_matcher(["a", "a.mp4"])("a.mp4") == "a.mp4"
    assert id_matcher(["a", "b"])("a.mp4") == "a"
    assert id_matcher(["a.mov", "b"])("a") == "a.mov"
    assert id_matcher(["a.mov"])("a.mp4") is None
    assert id_matcher(["v1"])("v1.5") is None
    with pytest.raises(UnknownPerformance, match=r"'a' fits both 'a\.mov' and 'a\.mp4'"):
        id_matcher(["a.mp4", "a.mov"])("a")


def test_a_first_box_is_read_and_kept(tmp_path):
    path = tmp_path / "m.csv"
    path.write_text("id,video,start_box\na,a.mp4,0.1 0.2 0.5 0.9\nb,b.mp4,\n")
    one, two = read_manifest(path)
    assert (one.box, two.box) == ((0.1, 0.2, 0.5, 0.9), None)
    write_manifest([one, two], tmp_path / "again.csv")
    assert [p.box for p in read_manifest(tmp_path / "again.csv")] == [one.box, None]


@pytest.mark.parametrize("box", ["left", "0.1 0.2 0.5", "0.5 0.2 0.1 0.9", "0 0 1 2", "nan 0 1 1", "-0.1 0 1 1"])
def test_a_first_box_that_cannot_be_is_named(box, tmp_path):
    path = tmp_path / "m.csv"
    path.write_text(f"id,video,start_box\na,a.mp4,{box}\n")
    with pytest.raises(ManifestError, match=r"m.csv, line 2: the box .*0.1 0.2 0.5 0.9"):
        read_manifest(path)


@pytest.mark.parametrize("spans", [((0.00001, 2.0),), ((0.0, 1716900000000.0),), ((12.0, 45.5), (60.0, 70.0))])
def test_intervals_are_read_as_they_were_written(spans):
    assert parse_intervals(format_intervals(spans)) == spans


def test_a_pipe_is_no_manifest(tmp_path):
    os.mkfifo(tmp_path / "m.csv")
    with pytest.raises(ManifestError, match="is no file"):
        find_performances(tmp_path / "m.csv")
