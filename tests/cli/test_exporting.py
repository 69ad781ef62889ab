"""Timeline, clips and overlay by the command line, on real (small, rendered) videos."""

import csv
import ctypes
import json
import os
import shutil
import sys

import pympi
import pytest
import webvtt

import toprock
from toprock.cli import exporting, main
from toprock.cli.exporting import FormatName
from toprock.exports import EXPORTS
from toprock.features import FeatureStore
from toprock.video import probe


def bound_by_permissions():
    """For `preexec_fn`: without the two capabilities by which root reads and writes everything."""
    if os.geteuid() == 0:
        for capability in (1, 2):
            if ctypes.CDLL(None).prctl(24, capability, 0, 0, 0):
                raise OSError("root cannot be bound here")


def table(path):
    with path.open(encoding="utf-8-sig", newline="") as file:
        return list(csv.DictReader(file))


@pytest.fixture
def run(capsys, monkeypatch):
    """A function that does what `toprock` does, within this process, which has imported everything already."""

    def runs(*arguments, status=0):
        monkeypatch.setattr(sys, "argv", ["toprock", *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            main()
        out, told = capsys.readouterr()
        assert ended.value.code == status, told
        return out, told

    return runs


@pytest.fixture(scope="module")
def scored(place):
    """What the first video scores, as JSON."""
    return toprock.load(place / "model").assess(place.video(0)).to_json()


def test_the_command_knows_all_formats():
    assert [name.value for name in FormatName] == list(EXPORTS)
    assert {made.ending for made in EXPORTS.values()} == exporting._ENDINGS


def test_clips_are_the_moments_that_score_tells(run, place, scored, tmp_path):
    clips = ("clips", place.video(0), "--model", place / "model", "--out", tmp_path / "c")
    found = json.loads(run(*clips, "--padding", 0.5, "--json")[0])
    assert (found["schema"], found["id"]) == (1, "battle-000")
    told = sorted((m["start_s"], m["kind"], m["end_s"]) for m in scored["moments"])
    assert [(c["start_s"], c["kind"], c["end_s"]) for c in found["clips"]] == told
    assert len(told) > 0
    length_s = probe(place.video(0)).duration_s
    for clip in found["clips"]:
        assert set(clip) == {*scored["moments"][0], "file", "clip_start_s", "clip_end_s"}
        assert clip["clip_start_s"] == pytest.approx(max(0, clip["start_s"] - 0.5))
        assert clip["clip_end_s"] == pytest.approx(min(length_s, clip["end_s"] + 0.5))
        length = clip["clip_end_s"] - clip["clip_start_s"]
        assert probe(clip["file"]).duration_s == pytest.approx(length, abs=0.002)
    out, told = run(*clips)
    assert (out.splitlines(), told) == ([clip["file"] for clip in found["clips"]], "")
    assert sorted(map(str, (tmp_path / "c").iterdir())) == sorted(out.splitlines())


def test_an_overlay_is_as_long_as_its_performance(run, place, tmp_path):
    (tmp_path / "m.csv").write_text(f"id,video,intervals,performer\nsemi/anna,{place.video(0)},1-2;4-5.5,Änna\n")
    overlay = ("overlay", tmp_path / "m.csv", "--model", place / "model")
    out, told = run(*overlay, "--out", tmp_path / "o.mp4")
    assert out == f"{tmp_path / 'o.mp4'}\n"
    assert told.startswith("! semi/anna: ") and "It is 2 s long, shorter than the training performances" in told
    made = probe(tmp_path / "o.mp4")
    assert (made.codec, made.height, made.duration_s) == ("h264", 360, pytest.approx(2.5, abs=0.01))
    run(*overlay, "--out", tmp_path / "folder")
    assert [p.name for p in (tmp_path / "folder").iterdir()] == ["semi%2Fanna.mp4"]


def test_a_timeline_is_the_same_from_video_and_features(run, place, scored, tmp_path):
    common = ("--model", place / "model", "--format", "csv")
    run("timeline", place.video(0), *common, "--out", tmp_path / "video.csv")
    stored = ("timeline", "--features", place / "features", *common)
    run(*stored, "battle-000", "--out", tmp_path / "stored.csv")
    assert (tmp_path / "video.csv").read_bytes() == (tmp_path / "stored.csv").read_bytes()
    rows = table(tmp_path / "video.csv")
    assert [float(row["contribution"]) for row in rows] == pytest.approx(
        [s["contribution"] for s in scored["segments"]], abs=1e-8
    )
    out, _ = run(*stored, "--out", tmp_path / "all.csv")
    assert out == f"{tmp_path / 'all.csv'}\n"
    assert {row["id"] for row in table(tmp_path / "all.csv")} == set(FeatureStore(place / "features").ids())


@pytest.mark.parametrize("name", ["eaf", "vtt"])
def test_formats_of_one_performance_go_into_a_folder(run, place, scored, tmp_path, name):
    common = ("--model", place / "model", "--format", name)
    stored = ("timeline", "--features", place / "features", *common)
    out, told = run(*stored, "battle-000", "battle-001", "--out", tmp_path / "t")
    files = [tmp_path / "t" / f"battle-00{n}.{name}" for n in (0, 1)]
    assert (out.splitlines(), told) == ([str(file) for file in files], "")
    starts = sorted(m["start_s"] for m in scored["moments"])
    if name == "vtt":
        assert [cue.start_in_seconds for cue in webvtt.read(files[0])] == pytest.approx(starts, abs=1)
    else:
        read = pympi.Elan.Eaf(str(files[0]))
        assert [start / 1000 for start, *_ in read.get_annotation_data_for_tier("Moments")] == pytest.approx(starts)
        assert read.get_linked_files() == []
    _, told = run(*stored, "--out", tmp_path / f"one.{name}", status=2)
    assert told == f"error: {place.count} performances do not go into one .{name} file. Give a folder.\n"
    assert not (tmp_path / f"one.{name}").exists()


def test_label_studio_counts_the_frames_of_the_video(run, place, scored, tmp_path):
    common = ("--model", place / "model", "--format", "label-studio")
    run("timeline", place.video(0), place.video(1), *common, "--out", tmp_path / "tasks.json")
    one, two = json.loads((tmp_path / "tasks.json").read_text(encoding="utf-8"))
    assert [task["data"]["video"] for task in (one, two)] == [
        f"/data/local-files/?d={place.video(n).name}" for n in (0, 1)
    ]
    rate_hz = probe(place.video(0)).rate_hz
    assert one["data"]["fps"] == rate_hz
    first = min(m["start_s"] for m in scored["moments"])
    assert one["predictions"][0]["result"][0]["value"]["ranges"][0]["start"] == int(first * rate_hz + 1e-6) + 1


@pytest.mark.parametrize(
    ("command", "made"),
    [
        (("clips",), None),
        (("overlay",), ["battle-001.mp4"]),
        (("timeline", "--format", "eaf"), ["battle-001.eaf"]),
        (("timeline", "--format", "label-studio"), ["battle-001.json"]),
    ],
)
def test_one_bad_video_never_stops_the_others(run, place, tmp_path, command, made):
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "bad.mp4").write_bytes(b"no video")
    shutil.copy(place.video(1), tmp_path / "in")
    out, told = run(
        *command, "gone.mp4", tmp_path / "in", "--model", place / "model", "--out", tmp_path / "o", status=1
    )
    assert [line.split(":")[0] for line in told.splitlines()] == ["error", "error"]
    assert "gone.mp4: there is no such file" in told and "bad.mp4: this is a text file" in told
    names = sorted(p.name for p in (tmp_path / "o").iterdir())
    assert sorted(line.rpartition("/")[2] for line in out.splitlines()) == names
    assert names == made or (made is None and names and all(name.startswith("battle-001-") for name in names))


def test_failures_are_part_of_the_document(run, place, tmp_path):
    (tmp_path / "bad.mp4").write_bytes(b"no video")
    clips = ("clips", tmp_path / "bad.mp4", "--model", place / "model", "--out", tmp_path / "c", "--json")
    assert set(json.loads(run(*clips, status=1)[0])) == {"id", "error"}
    failed, cut = json.loads(run(*clips, place.video(0), status=1)[0])
    assert (set(failed), set(cut)) == ({"id", "error"}, {"schema", "id", "cautions", "clips"})


def test_an_id_that_is_not_there_fails_alone(run, place, tmp_path):
    stored = ("timeline", "--features", place / "features", "--model", place / "model", "--format", "csv")
    out, told = run(*stored, "ghost", "battle-002", "--out", tmp_path / "t.csv", status=1)
    assert "has no features of 'ghost'" in told
    assert out == f"{tmp_path / 't.csv'}\n"
    assert {row["id"] for row in table(tmp_path / "t.csv")} == {"battle-002"}
    out, told = run(*stored, "ghost", "--out", tmp_path / "none.csv", status=1)
    assert (out, (tmp_path / "none.csv").exists()) == ("", False)


def test_nothing_that_is_read_is_written_over(run, place, tmp_path):
    video = tmp_path / "battle.mp4"
    shutil.copy(place.video(0), video)
    manifest = tmp_path / "m.csv"
    manifest.write_text("id,video\nbattle,battle.mp4\n")
    (tmp_path / "ids.csv").write_text("battle-000\n")
    model = ("--model", place / "model")
    before = {p.name: p.read_bytes() for p in tmp_path.iterdir()}
    for command in (
        ("overlay", video, *model, "--out", video),
        ("overlay", video, *model, "--out", tmp_path),
        ("overlay", manifest, *model, "--out", video),
        ("timeline", manifest, *model, "--format", "csv", "--out", manifest),
        ("timeline", "--features", place / "features", "--ids", tmp_path / "ids.csv", *model,
         "--format", "csv", "--out", tmp_path / "ids.csv"),
    ):  # fmt: skip
        out, told = run(*command, status=2)
        assert (out, len(told.splitlines())) == ("", 1)
        assert "would be written over" in told
    assert {p.name: p.read_bytes() for p in tmp_path.iterdir()} == before


def test_a_folder_that_may_not_be_written_to_is_named_ahead_of_the_work(fresh_toprock, place, tmp_path):
    (tmp_path / "shut").mkdir(mode=0o555)
    (tmp_path / "file").touch()
    bound = {"preexec_fn": bound_by_permissions}
    for command, out in (
        (("clips", place.video(0)), "shut/deeper"),
        (("overlay", place.video(0)), "shut/o.mp4"),
    ):
        said, told = fresh_toprock(*command, "--model", place / "model", "--out", tmp_path / out, status=1, **bound)
        assert (said, len(told.splitlines())) == ("", 1)
        assert "may not be written" in told
    _, told = fresh_toprock("clips", place.video(0), "--model", place / "model", "--out", tmp_path / "file", status=1)
    assert "a file stands where a folder is needed" in told
    assert sorted(p.name for p in tmp_path.rglob("*")) == ["file", "shut"]


def test_hard_names_of_files_go_all_the_way(run, place, tmp_path):
    name = "a b'c/试合 \x1b[31m=1"
    folder = tmp_path / "a b'c"
    folder.mkdir()
    (tmp_path / f"{name}.mp4").symlink_to(place.video(0))
    out, _ = run("clips", tmp_path, "--model", place / "model", "--out", tmp_path / "c:1 %d")
    assert out and "\x1b" not in out
    names = [p.name for p in (tmp_path / "c:1 %d").iterdir()]
    assert names and all(n.startswith("a b%27c%2F试合 %1B%5B31m%3D1-") for n in names)
