"""`toprock watch` as people and programs run it."""

import io
import json
import os
import re
import shlex
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from rich.console import Console

from toprock.assess.assessment import Assessment, Moment
from toprock.cli.watching import panel
from toprock.live import Update


@pytest.fixture(scope="module")
def finished(place, tmp_path_factory):
    """Two seconds, recorded."""
    path = tmp_path_factory.mktemp("finished") / "battle.ts"
    command = ["ffmpeg", "-v", "error", "-i", str(place.video(0)), "-t", "2", "-c", "copy", "-f", "mpegts", str(path)]
    subprocess.run(command, check=True)
    return path


@pytest.fixture
def recording(place, tmp_path):
    """A performance that ffmpeg is just recording in real time, and its recorder."""
    path = tmp_path / "battle.ts"
    command = ["ffmpeg", "-v", "error", "-re", "-i", str(place.video(0)), "-c", "copy", "-f", "mpegts"]
    with subprocess.Popen([*command, "-flush_packets", "1", str(path)]) as writer:
        yield path, writer
        writer.kill()


def start(path, place, *options):
    command = [sys.executable, "-m", "toprock", "watch", str(path), "--model", str(place / "model"), *options]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def test_lines_come_while_it_runs_and_an_interrupt_gives_the_score_of_what_was_seen(recording, place):
    path, writer = recording
    rows = []
    with start(path, place, "--lines") as watch:
        while not rows or not rows[-1]["segments"] or rows[-1]["time_s"] < 4:
            rows.append(json.loads(watch.stdout.readline()))
        assert writer.poll() is None
        watch.send_signal(signal.SIGINT)
        rows += [json.loads(line) for line in watch.stdout]
        told = watch.stderr.read()
    assert watch.returncode == 0, told
    assert "Traceback" not in told
    *lines, last = rows
    for row in lines:
        assert {"time_s", "score", "delay_s", "segments"} <= set(row)
        assert not row["final"]
    assert last["final"]
    assert last["live"]["ended"] == "stopped"
    assert last["live"]["delay_s"]["median"] > 0
    assert last["id"] == "battle"
    assert last["score"] == pytest.approx(last["bias"] + sum(s["contribution"] for s in last["segments"]), abs=1e-4)
    shown = {(s["stream"], s["start_s"]) for row in lines for s in row["segments"]}
    assert shown < {(s["stream"], s["start_s"]) for s in last["segments"]}


def test_one_document_comes_at_the_end_and_a_report(finished, place, toprock, tmp_path):
    path, shown = finished, ("--json", "--report", tmp_path / "r.html")
    out, told = toprock("watch", path, "--model", place / "model", "--quiet-s", 0.5, *shown)
    assert "note: Nothing more was written to it for 0.5 s." in told
    document = json.loads(out)
    live = document.pop("live")
    assert live["source"] == str(path)
    assert live["ended"] == "quiet"
    assert document == json.loads(toprock("score", path, "--model", place / "model", "--json")[0])
    assert "<html" in (tmp_path / "r.html").read_text()


def test_people_read_plain_lines_where_there_is_no_terminal(finished, place, toprock):
    out, told = toprock("watch", finished, "--model", place / "model", "--quiet-s", 1)
    assert "behind)" in told
    assert out == toprock("score", finished, "--model", place / "model")[0]


def test_the_commands_of_the_page(place, fresh_toprock, tmp_path):
    page = (Path(__file__).resolve().parents[2] / "docs/live.md").read_text(encoding="utf-8")
    record, watch = re.findall(r"^ {4}(.+)", page, flags=re.MULTILINE)[:2]
    (tmp_path / "BATTLE.mp4").symlink_to(place.video(0))
    (tmp_path / "model").symlink_to(place / "model")
    with subprocess.Popen(["bash", "-c", record.replace("-re", "-readrate 8").rstrip("& ")], cwd=tmp_path):
        name, *arguments = shlex.split(watch)
        assert name == "toprock"
        out, _ = fresh_toprock(*arguments, cwd=tmp_path)
    assert out.startswith("stage ")
    assert "data:image/jpeg" in (tmp_path / "stage.html").read_text()
    for form in ("mpegts stage.ts", "200 stage.mkv", "200000 stage.mp4"):
        (command,) = [
            line.strip() for line in page.splitlines() if line.startswith("    ffmpeg") and line.endswith(form)
        ]
        subprocess.run(
            shlex.split(command.replace("ffmpeg", "ffmpeg -y -v error").replace("INPUT", "BATTLE.mp4")),
            cwd=tmp_path,
            check=True,
        )


def test_wrong_use(place, toprock, tmp_path):
    model = ("--model", place / "model")
    assert "exclude each other" in toprock("watch", "x.ts", *model, "--json", "--lines", status=2)[1]
    told = toprock("watch", "rtsp://a:geheim@h", "rtsp://b:geheim@h", *model, status=2)[1]
    assert "geheim" not in told
    told = toprock("watch", tmp_path / "none.ts", *model, "--quiet-s", 0.2, status=1)[1]
    assert "none.ts: there is no such file" in told
    for option, value in (("--for", 0), ("--quiet-s", "nan")):
        assert (
            f"{option} is {value}. Give a number above 0"
            in toprock("watch", "x.ts", *model, option, value, status=2)[1]
        )
    (tmp_path / "x.html").write_bytes(b"a recording")
    told = toprock("watch", tmp_path / "x.html", *model, "--report", tmp_path / "x.html", status=2)[1]
    assert "would be written over" in told
    assert (tmp_path / "x.html").read_bytes() == b"a recording"
    log = toprock("watch", tmp_path / "x.ts", *model, "--record", tmp_path / "r.mkv", status=2, env={**os.environ})[1]
    assert "Leave --record out" in log


def test_the_panel_shows_good_in_green_and_concern_in_red():
    moments = (Moment("best", 3.0, 4.0, 0.2, "dynamic", ("faster",)), Moment("worst", 6.0, 7.0, -0.1, "static"))
    texts = []
    for shown in (moments[:1], moments):
        update = Update(75.25, 1.2, Assessment("a", 0.5, 0.0, 63.0, (), shown), ())
        console = Console(
            file=io.StringIO(), force_terminal=True, width=80, color_system="standard", legacy_windows=False
        )
        console.print(panel("battle\x1b.ts", update))
        texts.append(console.file.getvalue())
    assert "\x1b[32m+ 0:03.0 to 0:04.0" in texts[0]
    assert "\x1b[31m- 0:06.0 to 0:07.0" in texts[1]
    for text in texts:
        assert "LIVE" in text
        assert "1:15.2" in text
        assert "+0.500" in text
        assert "above 63 %" in text
        assert "\x1b." not in text
