"""toprock dataset brace: what it writes, and what it says of videos that are not there."""

import csv
import json
import shutil

import pytest

from toprock.comparisons import read_pairs
from toprock.performance import read_manifest


@pytest.fixture
def data(championship, tmp_path):
    """Annotations to be changed, and an empty folder for videos."""
    folder = tmp_path / "data"
    shutil.copytree(championship.folder / "annotations", folder / "annotations")
    for name in ("videos_info.csv", "outcomes.csv"):
        shutil.copy(championship.folder / name, folder / name)
    (folder / "videos").mkdir()
    return folder


def prepare(toprock, data, *more, **options):
    return toprock(
        "dataset", "brace", "--data", data, "--videos", data / "videos", "--out", data / "out", *more, **options
    )


def test_every_file_is_there_for_every_performance(championship):
    prepared = championship.folder / "prepared"
    listed = read_manifest(prepared / "manifest.csv")
    ids = [p.id for p in listed]
    assert ids == [f"{b.year}/{b.video_id}/{name}" for b in championship.battles for name in b.dancers]
    assert all(p.video.is_file() and len(p.intervals) == 2 for p in listed)
    for b, pair in zip(championship.battles, read_pairs(prepared / "pairs.csv"), strict=True):
        assert (pair.better, pair.worse) == tuple(f"{b.year}/{b.video_id}/{name}" for name in b.ranked)
    with (prepared / "segments.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert {row["id"] for row in rows} == set(ids)
    assert {row["type"] for row in rows} == {"toprock", "powermove", "footwork"}
    spans = {p.id: p.intervals for p in listed}
    for row in rows:
        assert any(a <= float(row["start_s"]) < float(row["end_s"]) <= b for a, b in spans[row["id"]])
    for name in ("beats.json", "cuts.json"):
        times = json.loads((prepared / name).read_text())
        assert list(times) == ids
        assert all(any(a <= t <= b for a, b in spans[ident]) for ident in ids for t in times[ident])
    assert {len(cuts) for cuts in json.loads((prepared / "cuts.json").read_text()).values()} == {4}


def test_missing_videos_are_counted_and_named_and_the_others_go_on(toprock, championship, data):
    (data / "videos/deep/er").mkdir(parents=True)
    one = championship.battles[1]
    shutil.copy(one.video, data / f"videos/deep/er/Some battle [{one.video_id}].mp4")
    (data / "videos/other.mp4").write_bytes(b"not of the set")
    _, told = prepare(toprock, data)
    gone = [championship.battles[n].video_id for n in (0, 2)]
    assert f"2 of 3 videos are not below {data / 'videos'}: {', '.join(gone)}" in told
    assert [p.event for p in read_manifest(data / "out/manifest.csv")] == [f"2032/{one.video_id}"] * 2
    assert len(read_pairs(data / "out/pairs.csv")) == 1


def test_no_video_at_all_is_an_error(toprock, championship, data):
    (data / "videos/other.mp4").write_bytes(b"not of the set")
    _, told = prepare(toprock, data, status=1)
    assert f"holds none of the 3 videos. Call each by its id, such as {championship.battles[0].video_id}.mp4" in told
    assert not (data / "out").exists()


def test_a_video_that_is_there_twice_is_an_error(toprock, championship, data):
    video = championship.battles[0].video
    for name in (f"{video.stem}.mp4", f"copy/{video.stem}.mkv"):
        (data / "videos" / name).parent.mkdir(exist_ok=True)
        (data / "videos" / name).symlink_to(video)
    _, told = prepare(toprock, data, status=1)
    assert "are one video. Keep one of them there." in told


def test_single_turns_have_no_pairs(toprock, championship, data):
    video = championship.battles[0].video
    (data / "videos" / video.name).symlink_to(video)
    prepare(toprock, data, "--single-turns")
    listed = read_manifest(data / "out/manifest.csv")
    assert [p.id.rpartition("/")[2] for p in listed] == ["0", "2", "1", "3"]
    assert all(len(p.intervals) == 1 for p in listed)
    assert not (data / "out/pairs.csv").exists()


def test_winners_that_are_only_likely_are_taken_when_asked_for(toprock, championship, data):
    for battle in championship.battles:
        (data / "videos" / battle.video.name).symlink_to(battle.video)
    text = (data / "outcomes.csv").read_text()
    (data / "outcomes.csv").write_text(text.replace(",yes,2032", ",no,2032"))
    _, told = prepare(toprock, data)
    assert "1 pairs; who won the other 2 is not known for certain" in told
    assert len(read_pairs(data / "out/pairs.csv")) == 1
    prepare(toprock, data, "--uncertain")
    assert len(read_pairs(data / "out/pairs.csv")) == 3


def test_a_video_of_another_length_is_told(toprock, championship, data):
    battle = championship.battles[0]
    (data / "videos" / battle.video.name).symlink_to(battle.video)
    length = f"{battle.frames / 20:.6f}"
    text = (data / "videos_info.csv").read_text()
    assert length in text
    (data / "videos_info.csv").write_text(text.replace(length, "300.0"))
    _, told = prepare(toprock, data)
    assert "the annotated video 300.0 s" in told
    (data / "videos_info.csv").write_text(text)
    _, told = prepare(toprock, data)
    assert "note:" not in told
