"""Manifests, folders of videos, and ids that people write in more than one way."""

from __future__ import annotations

from pathlib import Path

import pytest

from toprock.errors import ManifestError, UnknownPerformance
from toprock.performance import (
    Performance,
    find_performances,
    match_id,
    parse_intervals,
    read_manifest,
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


def test_parse_intervals_takes_spaces_and_a_last_semicolon() -> None:
    assert parse_intervals(" 1 - 2.5 ; 3-4; ") == ((1.0, 2.5), (3.0, 4.0))


def test_a_folder_gives_ids_from_paths_and_keeps_endings_only_where_needed(tmp_path: Path) -> None:
    for name in ("b.MP4", "day/a.mov", "day/c.mp4", "day/c.webm", "notes.txt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    assert [p.id for p in find_performances(tmp_path)] == ["b", "day/a", "day/c.mp4", "day/c.webm"]
    assert [p.id for p in find_performances(tmp_path / "day" / "a.mov")] == ["a"]


def test_nothing_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(ManifestError, match="holds no video"):
        find_performances(tmp_path)
    with pytest.raises(ManifestError, match="no such file or folder"):
        find_performances(tmp_path / "gone.mp4")


def test_ids_match_exactly_then_by_their_stem() -> None:
    assert match_id("a.mp4", ["a", "a.mp4"]) == "a.mp4"
    assert match_id("a.mp4", ["a", "b"]) == "a"
    assert match_id("a", ["a.mov", "b"]) == "a.mov"
    assert match_id("a.mp4", ["a.mov"]) is None
    assert match_id("v1.5", ["v1"]) is None
    with pytest.raises(UnknownPerformance, match=r"'a' fits both 'a\.mov' and 'a\.mp4'"):
        match_id("a", ["a.mp4", "a.mov"])
