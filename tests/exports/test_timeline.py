"""The formats of a timeline, each read back by somebody else's reader."""

from __future__ import annotations

import csv
import io
import json
import math
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import unquote

import pympi
import pytest
import webvtt
from hypothesis import example, given, settings
from hypothesis import strategies as st
from lxml import etree

from toprock.assess import Moment
from toprock.errors import StorageError, UsageError
from toprock.exports import EXPORTS, Item, write_timeline
from toprock.exports.elan import elan_document
from toprock.exports.item import one_line
from toprock.exports.table import COLUMNS

SCHEMA = etree.XMLSchema(etree.parse(str(Path(__file__).with_name("eaf.xsd"))))
HOSTILE = (
    "=HYPERLINK(1)", "+1", "-rf", "@SUM", "'", 'quo"te', "a,b;c", "a/b\\c", "</x>&amp;<img onerror=1>", "new\nline",
    "a --> b", "\r\n\t", "\x00\x1b[31m", "試合 ünï 🕺", "\ufffe", "]]>", "%2F#[x]{y}", "\ud800", "",
)  # fmt: skip
names = st.one_of(st.sampled_from(HOSTILE), st.text(max_size=30))


def rows(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text.removeprefix("\ufeff"), newline="")))


def render(item: Item, name: str, folder: Path = Path()) -> str:
    return EXPORTS[name].render([item], folder)


def valid_eaf(text: str) -> etree._Element:
    root = etree.fromstring(text.encode())
    SCHEMA.assertValid(root)
    return root


def test_the_table_holds_every_segment_and_its_contributions_sum_to_the_score(make_item):
    one, two = make_item("a"), make_item("b", bias=-1.0)
    found = rows(EXPORTS["csv"].render([one, two], Path()))
    assert tuple(found[0]) == COLUMNS
    assert len(found) == len(one.assessment.segments) + len(two.assessment.segments)
    for item in (one, two):
        mine = [row for row in found if row["id"] == item.assessment.id]
        total = math.fsum(float(row["contribution"]) for row in mine)
        assert total + item.assessment.bias == pytest.approx(item.assessment.score, abs=1e-8)
        for row, segment in zip(mine, item.assessment.segments, strict=True):
            assert (float(row["start_s"]), float(row["end_s"])) == (segment.start_s, segment.end_s)
            assert float(row["high"]) + float(row["low"]) + float(row["average"]) == float(row["contribution"])
            assert (row["stream"], float(row["attention_low"])) == (segment.stream, pytest.approx(1 / 12))
    assert [row["moment"] for row in found[:10]] == ["", "", "best", "best", "", "", *["worst"] * 3, ""]


def test_the_table_is_marked_as_utf8_only_where_it_must_be(make_item):
    assert render(make_item("plain"), "csv").isascii()
    assert render(make_item("ünï"), "csv").startswith("\ufeffid,")


def test_chapters_are_the_moments_in_order_of_time(make_item):
    item = make_item(moments=[("worst", 3725.1, 3730.0, -0.125), ("best", 1.0, 2.0006, 0.25)])
    found = webvtt.from_string(render(item, "vtt"))
    assert [(c.start, c.end, c.text) for c in found] == [
        ("00:00:01.000", "00:00:02.001", "Best moment +0.250"),
        ("01:02:05.100", "01:02:10.000", "Worst moment −0.125"),
    ]
    assert render(make_item(moments=[]), "vtt") == "WEBVTT\n\nNOTE round-1\n"


def test_elan_reads_moments_and_seconds_of_each_stream(make_item, tmp_path):
    item = make_item("semi/anna", tmp_path / "videos" / "a b.mp4", spans=[(0.0, 2.5), (10.0, 12.5)], performer="Anna")
    path = write_timeline([item], tmp_path / "out" / "anna.eaf", format="eaf")
    root = valid_eaf(path.read_text(encoding="utf-8"))
    (media,) = root.iter("MEDIA_DESCRIPTOR")
    assert media.get("MEDIA_URL") == f"file://{tmp_path}/videos/a b.mp4"  # ELAN does not decode it
    assert (media.get("RELATIVE_MEDIA_URL"), media.get("MIME_TYPE")) == ("../videos/a b.mp4", "video/mp4")
    times = [int(slot.get("TIME_VALUE")) for slot in root.iter("TIME_SLOT")]
    assert times == sorted(times)
    read = pympi.Elan.Eaf(str(path))
    assert list(read.get_tier_names()) == [
        "Moments", "Motion in moments", "Motion per second", "Posture in moments", "Posture per second",
    ]  # fmt: skip
    assert read.get_parameters_for_tier("Moments")["PARTICIPANT"] == "Anna"
    assert read.get_annotation_data_for_tier("Moments") == [
        (1000, 2000, "Best moment +0.200"),
        (3000, 4500, "Worst moment -0.300"),
    ]
    assert read.get_annotation_data_for_tier("Motion in moments")[0] == (1000, 2000, "+0.200")
    seconds = read.get_annotation_data_for_tier("Motion per second")
    assert [span[:2] for span in seconds] == [
        (0, 1000), (1000, 2000), (2000, 3000), (10000, 11000), (11000, 12000), (12000, 12500),
    ]  # fmt: skip
    assert math.fsum(float(value) for *_, value in seconds) == pytest.approx(-0.5)
    read.to_file(str(tmp_path / "again.eaf"))
    again = pympi.Elan.Eaf(str(tmp_path / "again.eaf"))
    assert again.get_annotation_data_for_tier("Moments") == read.get_annotation_data_for_tier("Moments")


def test_sentences_on_moments_go_along(make_item, tmp_path):
    moment = Moment("best", 1.0, 2.0, 0.25, "dynamic", ("slower (1.2 spreads)",), "5 % of the time & 40 % of the gain.")
    made = make_item(video=tmp_path / "v.mp4")
    item = Item(replace(made.assessment, moments=(moment,)), made.performance, 30.0)
    root = valid_eaf(render(item, "eaf"))
    assert root.findtext("TIER/ANNOTATION//ANNOTATION_VALUE") == f"Best moment +0.250. {moment.sentence}"
    (task,) = json.loads(render(item, "label-studio"))
    assert task["predictions"][0]["result"][0]["meta"]["text"] == ["+0.250", moment.sentence]


def test_an_elan_document_without_a_video_names_none(make_item):
    root = valid_eaf(elan_document(make_item(), date=datetime(2026, 5, 14, 9, tzinfo=UTC)))
    assert root.get("DATE") == "2026-05-14T09:00:00+00:00"
    assert list(root.iter("MEDIA_DESCRIPTOR")) == []


@pytest.mark.parametrize("start_s", [-1.0, 5e6, float("nan")])
def test_times_that_elan_cannot_hold_are_refused(make_item, start_s):
    item = make_item(moments=[("best", start_s, start_s + 1, 0.1)])
    with pytest.raises(UsageError, match="cannot be written in an ELAN file"):
        elan_document(item)


def test_label_studio_gets_frames_and_finds_videos_below_one_folder(make_item, tmp_path):
    items = [
        Item(made.assessment, made.performance, rate_hz)
        for made, rate_hz in (
            (make_item("a", tmp_path / "semi" / "a b.mp4"), 30.0),
            (make_item("b", tmp_path / "final" / "b.mp4"), 29.97),
        )
    ]
    path = write_timeline(items, tmp_path / "tasks.json", format="label-studio")
    one, two = json.loads(path.read_text(encoding="utf-8"))
    assert [task["data"]["video"] for task in (one, two)] == [
        "/data/local-files/?d=semi/a%20b.mp4",
        "/data/local-files/?d=final/b.mp4",
    ]
    assert (one["data"]["fps"], two["data"]["fps"], one["data"]["title"]) == (30.0, 29.97, "a −0.10")
    (prediction,) = one["predictions"]
    assert prediction["model_version"] == "club"
    best, worst = prediction["result"]
    assert {k: best[k] for k in ("type", "from_name", "to_name")} == {
        "type": "timelinelabels", "from_name": "moments", "to_name": "video",
    }  # fmt: skip
    # Frames count from 1: the one that shows from 1.0 s on is the 31st, the last one before 2.0 s the 60th.
    assert best["value"] == {"ranges": [{"start": 31, "end": 60}], "timelinelabels": ["Best moment"]}
    assert worst["value"] == {"ranges": [{"start": 91, "end": 135}], "timelinelabels": ["Worst moment"]}
    assert worst["meta"]["text"] == ["−0.300"]
    with pytest.raises(UsageError, match="the video of 'round-1' is not known"):
        write_timeline([make_item()], tmp_path / "none.json", format="label-studio")


def test_cautions_go_along(make_item, tmp_path):
    item = make_item(video=tmp_path / "v.mp4", cautions=["It is 5 s long, shorter than <others>.", "12% is black."])
    assert render(item, "vtt").split("\n\n")[1] == (
        "NOTE round-1\n! It is 5 s long, shorter than &lt;others&gt;.\n! 12% is black."
    )
    told = [caution.text for caution in item.assessment.cautions]
    root = valid_eaf(render(item, "eaf"))
    assert [p.text for p in root.iter("PROPERTY") if p.get("NAME") == "caution"] == told
    (task,) = json.loads(render(Item(item.assessment, item.performance, 30.0), "label-studio"))
    assert task["data"]["cautions"] == told


def test_what_the_page_says_label_studio_needs_is_what_the_tasks_fit():
    from toprock.exports.label_studio import LABELING_INTERFACE

    page = (Path(__file__).resolve().parents[2] / "docs" / "exports.md").read_text(encoding="utf-8")
    assert "\n".join(f"    {line}" for line in LABELING_INTERFACE.splitlines()) in page
    tree = etree.fromstring(LABELING_INTERFACE)
    assert {tag.get("name") for tag in tree.iter("Video", "TimelineLabels")} == {"video", "moments"}
    assert {tag.get("value") for tag in tree.iter("Label")} == {"Best moment", "Worst moment"}


@settings(max_examples=60)
@example(ident="\ud800", performer="", label="best", at=0.0, long=0.0)
@given(
    ident=names, performer=names, label=st.sampled_from(["best", "worst"]), at=st.floats(0, 1e5), long=st.floats(0, 9)
)
def test_hostile_names_and_odd_times_are_escaped_in_every_format(make_item, ident, performer, label, at, long):
    video = Path("/videos") / f"{one_line(performer).replace('/', '_')[:50] or 'x'}.mp4"
    made = make_item(ident, video, performer=performer, moments=[(label, at, at + long, 0.1)])
    item = Item(made.assessment, made.performance, 25.0)
    found = rows(render(item, "csv"))
    guarded = ident[:1] in tuple("=+-@\t\r\n＝＋－＠'")
    assert {row["id"] for row in found} == {f"'{ident}" if guarded else ident}
    assert not any(row["id"].startswith(("=", "+", "-", "@", "\t", "\r", "\n")) for row in found)
    cues = list(webvtt.from_string(render(item, "vtt")))
    assert [cue.text.split(" ")[0] for cue in cues] == [label.title()] * (round(at * 1000) < round((at + long) * 1000))
    root = valid_eaf(render(item, "eaf"))
    who = root.find("TIER").get("PARTICIPANT")
    if (performer or ident).isprintable():  # others are written as their escapes
        assert who == (performer or ident)
    (task,) = json.loads(render(item, "label-studio"))
    assert task["data"]["id"] == ident
    assert unquote(task["data"]["video"]).endswith(video.name)
    (span,) = task["predictions"][0]["result"][0]["value"]["ranges"]
    assert 1 <= span["start"] <= span["end"]
    assert (span["start"] - 1) / 25 <= at + 1e-6


def test_what_cannot_be_written_is_said(make_item, tmp_path):
    with pytest.raises(UsageError, match="Use one of csv, eaf, vtt, label-studio"):
        write_timeline([make_item()], tmp_path / "x", format="srt")
    with pytest.raises(UsageError, match="holds one performance, not 2"):
        write_timeline([make_item()] * 2, tmp_path / "x.vtt", format="vtt")
    (tmp_path / "file").touch()
    with pytest.raises(StorageError, match="a file stands where a folder is needed"):
        write_timeline([make_item()], tmp_path / "file" / "x.vtt", format="vtt")


def test_moments_are_told_with_three_digits_of_the_largest(make_item):
    item = make_item(moments=[("best", 0, 1, 12.5), ("worst", 2, 3, -0.001)])
    assert [item.label(moment) for moment in item.moments] == ["Best moment +12.50", "Worst moment 0.00"]
    assert item.label(Moment("best", 0, 1, 0.5), decimals=1) == "Best moment +0.5"
