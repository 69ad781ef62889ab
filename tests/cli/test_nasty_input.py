"""Other people's files: whatever they are called and hold, each ends in a score or in one line that names it."""

import ctypes
import json
import os
import pty
import shutil
import subprocess
import sys

import pytest

from toprock.features import FeatureStore

NAMES = ("a b'c", "-dash", "ünï 試合", "new\nline", "[red] %s {x} $HOME;`id`", "\x1b[31mred", "x" * 240, "a.b", "…")
NOT_TEXT = os.fsdecode(b"raw-\xff.mp4")


@pytest.fixture(scope="module")
def named(place, tmp_path_factory):
    """One video under names that are hard, and what does not count or cannot be read."""
    folder = tmp_path_factory.mktemp("named")
    for name in NAMES:
        (folder / f"{name}.mp4").symlink_to(place.video(0))
    (folder / NOT_TEXT).symlink_to(place.video(0))
    return folder


def bound_by_permissions():
    """For `preexec_fn`: without the two capabilities by which root reads and writes everything."""
    if os.geteuid() == 0:
        drop, override, search = 24, 1, 2  # PR_CAPBSET_DROP, CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH
        for capability in (override, search):
            if ctypes.CDLL(None).prctl(drop, capability, 0, 0, 0):
                raise OSError("root cannot be bound here")


def test_hard_names_go_all_the_way(toprock, place, named, tmp_path):
    _, told = toprock("extract", named, "--out", tmp_path / "f")
    assert f"{len(NAMES) + 1} performances written" in told
    ids = {*NAMES, "raw-\\xff"}
    assert set(FeatureStore(tmp_path / "f").ids()) == ids
    _, told = toprock("extract", named, "--out", tmp_path / "f")
    assert "nothing to do" in told
    common = ("--model", place / "model")
    rows = json.loads(toprock("rank", "--features", tmp_path / "f", *common, "--json")[0])
    assert {r["id"] for r in rows} == ids
    assert len({r["score"] for r in rows}) == 1
    out, _ = toprock("rank", "--features", tmp_path / "f", *common)
    assert len(out.splitlines()) == len(ids)
    assert "\x1b" not in out
    report = tmp_path / "report.html"
    files = [named / "new\nline.mp4", named / "\x1b[31mred.mp4", named / NOT_TEXT]
    scored = json.loads(toprock("score", *files, *common, "--json", "--report", report)[0])
    assert [s["id"] for s in scored] == ["new\nline", "\x1b[31mred", "raw-\\xff"]
    assert "raw-\\xff" in report.read_text(encoding="utf-8")


def test_messages_about_hard_names_are_one_line_each(toprock, tmp_path):
    bad = ["new\nline.mp4", "\x1b[31mred.mp4", "[red].mp4", NOT_TEXT]
    (tmp_path / "v").mkdir()
    for name in bad:
        (tmp_path / "v" / name).write_bytes(b"no video")
    for _ in range(2):  # the second time it reads the failures that the first one stored
        _, told = toprock("extract", tmp_path / "v", "--out", tmp_path / "f", status=1)
        assert len(told.splitlines()) == len(bad) + 1
        assert "\x1b" not in told
        assert r"raw-\udcff.mp4: this is a text file, not a video" in told
    assert set(FeatureStore(tmp_path / "f").failures()) == {"new\nline", "\x1b[31mred", "[red]", "raw-\\xff"}


def test_names_are_no_markup_for_the_progress_bar(place, tmp_path):
    """In a terminal, where there is a bar."""
    video = tmp_path / "[red]\x1b[31m.mp4"
    video.symlink_to(place.video(0))
    command = [sys.executable, "-m", "toprock", "extract", str(video), "--out", str(tmp_path / "f")]
    leader, follower = pty.openpty()
    process = subprocess.Popen(command, stderr=follower, env={**os.environ, "TERM": "xterm", "COLUMNS": "200"})
    os.close(follower)
    shown = b""
    try:
        while part := os.read(leader, 1 << 16):
            shown += part
    except OSError:  # how Linux tells that the other end is closed
        pass
    os.close(leader)
    assert process.wait() == 0, shown
    assert b"Reading [red]\\x1b[31m.mp4" in shown
    assert b"1 performances written" in shown


def test_all_bad_videos_of_a_folder_are_named_and_the_good_one_goes_on(toprock, place, make_video, tmp_path):
    videos = tmp_path / "v"
    (videos / "folder.mp4").mkdir(parents=True)
    (videos / ".hidden").mkdir()
    for name in ("._good.mp4", ".hidden/a.mp4", "notes.txt"):
        (videos / name).write_bytes(b"passed over")
    whole = place.video(0).read_bytes()
    (videos / "good.mp4").write_bytes(whole)
    (videos / "truncated.mp4").write_bytes(whole[: len(whole) // 2])
    (videos / "empty.mp4").touch()
    (videos / "concat.mp4").write_text("ffconcat version 1.0\nfile good.mp4\n")
    (videos / "picture.mp4").write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(100))
    (videos / "flash.flv").write_bytes(b"FLV\x01\x05" + bytes(100))
    (videos / "gone.mp4").symlink_to("nowhere.mp4")
    os.mkfifo(videos / "pipe.mp4")
    subprocess.run(
        ["ffmpeg", "-v", "error", "-f", "lavfi", "-i", "sine=d=1", "-c:a", "aac", videos / "sound.mp4"], check=True
    )
    huge = ["-f", "lavfi", "-i", "color=gray:s=8192x8192:r=5:d=0.4", "-c:v", "libx264", "-preset", "ultrafast"]
    subprocess.run(["ffmpeg", "-v", "error", *huge, "-threads", "2", videos / "huge.mp4"], check=True)
    bad = {
        "truncated": "of 14.9 s declared",
        "empty": "0 bytes",
        "concat": "a list of files (ffconcat)",
        "picture": "a PNG picture",
        "flash": "a Flash video",
        "gone": "no such file",
        "pipe": "a device or pipe",
        "sound": "sound but no pictures",
        "huge": "8192 x 8192",
    }
    _, told = toprock("extract", videos, "--out", tmp_path / "f", status=1)
    assert told.splitlines()[-1] == f"1 performances written to {tmp_path / 'f'}, {len(bad)} failed."
    failures = FeatureStore(tmp_path / "f").failures()
    assert set(failures) == set(bad)
    for name, what in bad.items():
        assert what in failures[name]
        assert f"{name}." in failures[name]
        assert told.count(f"left out: {failures[name]}\n") == 1
    assert FeatureStore(tmp_path / "f").ids() == ["good"]
    scored = json.loads(toprock("score", videos, "--model", place / "model", "--json", status=1)[0])
    assert {s["id"]: what for s in scored for what in [*bad.values()] if what in s.get("error", "")} == bad


def test_a_single_picture_is_scored(toprock, place, make_video, tmp_path):
    video = make_video(tmp_path / "one.mp4", frames=1, size=(160, 120))
    found = json.loads(toprock("score", video, "--model", place / "model", "--json")[0])
    assert {(s["start_s"], s["stream"]) for s in found["segments"]} == {(0.0, "dynamic"), (0.0, "static")}
    assert found["score"] == pytest.approx(found["bias"] + sum(s["contribution"] for s in found["segments"]), abs=1e-4)


def test_manifests_as_spreadsheets_write_them(toprock, place, tmp_path):
    text = (
        f"id,video,intervals,performer,\r\na,{place.video(0)},0-4;6-9,Ann,\r\n,,,,\r\n b ,{place.video(0)},,,\r\n\r\n"
    )
    (tmp_path / "m.csv").write_bytes(b"\xef\xbb\xbf" + text.encode())
    toprock("extract", tmp_path / "m.csv", "--out", tmp_path / "f")
    store = FeatureStore(tmp_path / "f")
    assert store.ids() == ["a", "b"]
    assert store.read("a").facts["duration_s"] == pytest.approx(7.0, abs=0.11)
    scored = json.loads(toprock("score", tmp_path / "m.csv", "--model", place / "model", "--json")[0])
    for one in scored:
        stored = ("score", one["id"], "--features", tmp_path / "f", "--model", place / "model", "--json")
        assert json.loads(toprock(*stored)[0])["score"] == pytest.approx(one["score"], abs=1e-5)


@pytest.mark.parametrize("spans", ["100-110", "0-1;100-110"])
def test_an_interval_behind_the_end_is_an_error_and_its_neighbours_go_on(toprock, place, tmp_path, spans):
    (tmp_path / "m.csv").write_text(f"id,video,intervals\na,{place.video(0)},{spans}\nb,{place.video(0)},1-500\n")
    _, told = toprock("extract", tmp_path / "m.csv", "--out", tmp_path / "f", status=1)
    assert "battle-000.mp4: it holds no frame in" in told
    assert "Mend the intervals" in told
    assert FeatureStore(tmp_path / "f").ids() == ["b"]


def test_what_may_not_be_read_or_written_is_named(fresh_toprock, place, tmp_path):
    bound = {"preexec_fn": bound_by_permissions}
    copy = shutil.copytree(place.folder, tmp_path / "place")
    videos, model = copy / "in/videos", copy / "model"
    locked = videos / "battle-000.mp4"
    locked.chmod(0)
    out, _ = fresh_toprock("score", locked, videos / "battle-001.mp4", "--model", model, "--json", status=1, **bound)
    failed, _ = json.loads(out)
    assert "you may not read this file" in failed["error"]
    (tmp_path / "shut").mkdir(mode=0o555)
    _, told = fresh_toprock("extract", videos, "--out", tmp_path / "shut/f", status=1, **bound)
    assert "may not be written" in told
    train = ("train", "--features", copy / "features", "--pairs", copy / "pairs.txt", "--steps", 1)
    _, told = fresh_toprock(*train, "--out", tmp_path / "shut/m", status=1, **bound)
    assert "may not be written" in told
    score = ("score", "battle-001", "--features", copy / "features", "--model", model)
    _, told = fresh_toprock(*score, "--report", tmp_path / "shut/r.html", status=1, **bound)
    assert "may not be written" in told
    folders = (videos, model, copy / "features")
    for folder, mode in zip(folders, (0, 0o444, 0), strict=True):
        folder.chmod(mode)
    for command, status in (
        (("extract", videos, "--out", tmp_path / "f"), 2),
        (("rank", videos, "--model", place / "model"), 1),
        (("rank", place.video(0), "--model", model), 1),
        (score, 1),
    ):
        _, told = fresh_toprock(*command, status=status, **bound)
        assert "Permission denied" in told or "is not readable" in told
        assert len(told.splitlines()) == 1
    for folder in folders:
        folder.chmod(0o755)


def test_names_too_long_for_the_system(toprock, place, tmp_path):
    long = "x" * 5000
    assert "cannot be read" in toprock("extract", long, "--out", tmp_path / "f", status=1)[1]
    out, _ = toprock("score", long, place.video(0), "--model", place / "model", "--json", status=1)
    assert "cannot be read" in json.loads(out)[0]["error"]
    _, told = toprock("extract", place.video(0), "--out", tmp_path / long, status=1)
    assert "File name too long" in told


def test_nothing_in_the_working_folder_is_imported(toprock, place, tmp_path):
    for name in ("numpy", "json", "cv2", "safetensors"):
        (tmp_path / f"{name}.py").write_text("raise SystemExit('taken over')")
    command = ["-P", "-m", "toprock", "extract", str(place / "in/manifest.csv"), "--out", str(tmp_path / "f")]
    done = subprocess.run([sys.executable, *command], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert f"{place.count} performances written" in done.stderr


def test_a_report_that_cannot_be_written_keeps_the_scores(toprock, place, tmp_path):
    score = ("score", "battle-000", "--features", place / "features", "--model", place / "model", "--json", "--report")
    (tmp_path / "file").write_text("x")
    out, told = toprock(*score, tmp_path / "file/r.html", status=1)
    assert json.loads(out)["id"] == "battle-000"
    assert told.startswith(f"error: {tmp_path}/file/r.html: a file stands where a folder is needed.")
    assert len(told.splitlines()) == 1


@pytest.mark.parametrize("text", ["{", "[]", "5", '{"format": 1, "recipes": 5}', '{"format": 1, "recipes": [5]}'])
def test_a_damaged_store_is_named(toprock, tmp_path, text):
    (tmp_path / "f").mkdir()
    (tmp_path / "f/store.json").write_text(text)
    (tmp_path / "p.txt").write_text("a b\n")
    train = ("train", "--features", tmp_path / "f", "--pairs", tmp_path / "p.txt", "--out", tmp_path / "m")
    _, told = toprock(*train, status=1)
    assert len(told.splitlines()) == 1
    assert "damaged" in told or "holds no features" in told
