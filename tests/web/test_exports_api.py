"""What a performance can be taken elsewhere as, over the API; nothing of it stays in the library."""

import csv
import io
import json
import threading
import time
import xml.etree.ElementTree as ET
import zipfile

import pytest

from toprock.library import catalogue, tables
from toprock.library.loaded import Loaded
from toprock.usage import uses
from toprock.video import probe
from toprock.web.api.exports import attachment

from .shelf import HOSTILE


@pytest.fixture
def ask(room, shelf):
    return lambda name, path: room.ask("GET", f"/api/v1/performances/{shelf.keys[name]}/{path}")


@pytest.fixture(autouse=True)
def nothing_stays(room):
    yield
    assert list(room.library.folder.incoming.iterdir()) == []


def test_a_report_is_a_page_of_its_own_with_pictures_or_without(ask):
    whole, none = ask("ami", "report"), ask("ami", "report?pictures=none")
    assert whole.headers["content-type"] == "text/html; charset=utf-8"
    assert "Ami Tanaka" in whole.text and "data:image/jpeg" in whole.text
    assert "data:image/jpeg" not in none.text
    assert whole.headers["content-security-policy"].startswith("sandbox allow-scripts")
    assert whole.headers["content-disposition"] == "inline; filename*=UTF-8''Ami%20Tanaka.html"
    assert HOSTILE not in ask("bo", "report?pictures=none").text


def test_comments_go_along_where_that_is_asked_for_and_stay_text(own_room, shelf):
    base = f"/api/v1/performances/{shelf.keys['ami']}"
    said = own_room.ask("POST", f"{base}/comments", {"text": HOSTILE, "time_s": 2.5, "author": f"Kim {HOSTILE}"}).json
    assert own_room.ask("PATCH", f"/api/v1/comments/{said['id']}", {"text": f"new {HOSTILE}"}).json == {
        **said,
        "text": f"new {HOSTILE}",
    }
    with_them = own_room.ask("GET", f"{base}/report?pictures=none&remarks=true").text
    assert "What people said" in with_them and "Kim &lt;img" in with_them and "new &lt;img" in with_them
    assert HOSTILE not in with_them
    assert said["created"][:10] in with_them
    assert "What people said" not in own_room.ask("GET", f"{base}/report?pictures=none").text
    table = own_room.ask("GET", f"{base}/comments.csv")
    assert table.headers["content-type"].startswith("text/csv")
    assert table.headers["content-disposition"].endswith("Ami%20Tanaka%20comments.csv")
    assert list(csv.reader(io.StringIO(table.text)))[1] == ["2.50", f"Kim {HOSTILE}", f"new {HOSTILE}", said["created"]]
    assert own_room.ask("PATCH", "/api/v1/comments/999", {"text": "x"}).status == 404
    assert own_room.ask("PATCH", f"/api/v1/comments/{said['id']}", {"text": ""}).status == 422
    assert own_room.ask("PATCH", f"/api/v1/comments/{said['id']}", {"text": "x"}, token=False).status in (401, 403)
    page = own_room.ask("GET", f"/performance/{shelf.keys['ami']}").text
    assert said["created"] in page


def test_a_report_works_in_a_browser_and_is_kept_to_itself(browser, room, shelf):
    page = browser.new_page(viewport={"width": 1200, "height": 900})
    troubles = []
    page.on("console", lambda m: troubles.append(m.text) if m.type == "error" else None)
    page.goto(f"{room.url}/api/v1/performances/{shelf.keys['ami']}/report")
    assert page.evaluate("getComputedStyle(document.querySelector('.hero')).backgroundImage").startswith(
        "linear-gradient"
    )
    assert page.locator(".strip img").first.evaluate("image => image.naturalWidth") > 50
    page.locator("[data-plot]").scroll_into_view_if_needed()
    page.locator("[data-plot]").hover()
    assert page.locator("#tip .when").inner_text().startswith("0:")  # its script runs
    assert page.evaluate("self.origin") == "null"
    assert troubles == []
    page.close()


def test_a_report_as_pdf(ask):
    pytest.importorskip("weasyprint")
    found = ask("ami", "report?format=pdf&pictures=none")
    assert found.headers["content-type"] == "application/pdf" and found.body.startswith(b"%PDF-")


def test_clips_come_as_a_zip_that_plays(ask, tmp_path):
    found = ask("round_one", "clips?padding_s=0.5")
    moments = ask("round_one", "assessment").json["moments"]
    assert found.headers["content-type"] == "application/zip" and int(found.headers["content-length"]) == len(
        found.body
    )
    with zipfile.ZipFile(io.BytesIO(found.body)) as archive:
        names = archive.namelist()
        archive.extractall(tmp_path)
    assert len(names) == len(moments) > 0 and all(name.startswith("Cleo ") for name in names)
    lengths = sorted(probe(tmp_path / name).duration_s for name in names)
    assert lengths == pytest.approx(sorted(m["end_s"] - m["start_s"] + 1.0 for m in moments), abs=0.6)


def test_one_moment_comes_as_a_clip_that_plays(ask, tmp_path):
    moment = next(m for m in ask("ami", "assessment").json["moments"] if m["kind"] == "worst")
    found = ask("ami", "clips/worst-1?padding_s=0.5")
    assert found.headers["content-type"] == "video/mp4"
    assert found.headers["content-disposition"].endswith(f"worst%20at%200m{moment['start_s']:04.1f}s.mp4")
    (tmp_path / "clip.mp4").write_bytes(found.body)
    assert probe(tmp_path / "clip.mp4").duration_s == pytest.approx(moment["end_s"] - moment["start_s"] + 1, abs=0.6)
    for path in ("clips/worst-99", "clips/nonsense", "clips/worst-1?model=" + "f" * 16):
        assert ask("ami", path).status == 404


@pytest.mark.parametrize("what", ["clips", "clips/worst-1", "report"])
def test_where_the_disk_refuses_that_is_said_in_words(own_room, shelf, what):
    place = own_room.library.folder.incoming
    place.rmdir()
    place.write_bytes(b"no folder")
    found = own_room.ask("GET", f"/api/v1/performances/{shelf.keys['ami']}/{what}")
    assert (found.status, found.json["error"]) == (507, "incoming: a file stands where a folder is needed")
    place.unlink()
    place.mkdir()


def test_a_moment_on_its_page_offers_its_clip(tab, room, shelf):
    page = tab(f"{room.url}/performance/{shelf.keys['ami']}")
    with page.expect_download() as download:
        page.locator("[data-id=worst-1] a[download]").click()
    assert download.value.suggested_filename.endswith(".mp4") and download.value.path().stat().st_size > 1000
    page.get_by_text("The clip is being cut.").wait_for()


def test_a_download_that_breaks_off_leaves_nothing(room, shelf):
    import http.client

    connection = http.client.HTTPConnection("127.0.0.1", room.port, timeout=30)
    headers = {"Host": f"localhost:{room.port}", "Authorization": f"Bearer {room.token}"}
    connection.request("GET", f"/api/v1/performances/{shelf.keys['ami']}/clips", headers=headers)
    connection.getresponse().read(10)
    connection.close()
    end = time.monotonic() + 5
    while (left := list(room.library.folder.incoming.iterdir())) and time.monotonic() < end:
        time.sleep(0.05)
    assert left == []


def test_timelines_for_other_tools_do_not_say_where_the_library_lies(ask, room, shelf):
    rows = list(csv.DictReader(io.StringIO(ask("ami", "timeline?format=csv").text.removeprefix("\ufeff"))))
    document = ask("ami", "assessment").json
    assert len(rows) == len(document["segments"])
    assert ask("ami", "timeline?format=vtt").text.startswith("WEBVTT\n")
    elan = ask("ami", "timeline?format=eaf")
    assert ET.fromstring(elan.body).tag == "ANNOTATION_DOCUMENT"
    tasks = json.loads(ask("ami", "timeline?format=label-studio").text)
    video = catalogue.get(room.library, shelf.keys["ami"]).video
    assert str(catalogue.file_of(room.library, video).parent) not in elan.text + json.dumps(tasks)
    assert f"./{video.filename}" in elan.text
    assert ask("ami", "timeline?format=doc").status == 422


def test_what_was_not_scored_cannot_be_taken(ask):
    for path in ("report", "clips", "timeline?format=csv", "report?model=" + "f" * 16):
        assert ask("new" if "model" not in path else "ami", path).status == 404
        assert "error" in ask("new", path).json


def test_two_are_compared_as_the_command_does(room, shelf):
    keys = shelf.keys
    found = room.ask("GET", f"/api/v1/compare?a={keys['ami']}&b={keys['bo']}").json
    back = room.ask("GET", f"/api/v1/compare?a={keys['bo']}&b={keys['ami']}").json
    assert set(found) == {
        "schema",
        "a",
        "b",
        "difference",
        "probability",
        "interval",
        "too_close",
        "verdict",
        "cautions",
    }
    assert found["difference"] == pytest.approx(-back["difference"]) and found["difference"] != 0
    if found["probability"] is not None:
        assert found["probability"] == pytest.approx(1 - back["probability"])
    assert room.ask("GET", f"/api/v1/compare?a={keys['ami']}&b={keys['new']}").status == 404
    assert room.ask("GET", f"/api/v1/compare?a={keys['ami']}&b={keys['ami']}").status == 409
    report = room.ask("GET", f"/api/v1/compare/report?a={keys['ami']}&b={keys['bo']}&pictures=none")
    assert report.status == 200 and "Ami Tanaka" in report.text and HOSTILE not in report.text


def test_names_of_files_are_harmless():
    assert attachment('a/b\r\nX: "1".csv') == "attachment; filename*=UTF-8''a_b__X_%20_1_.csv"


def test_models_are_read_once_however_many_ask_at_once(room, shelf, monkeypatch):
    import toprock.assess.model as module

    loads = []
    load = module.load

    def slow(*arguments, **options):
        loads.append(arguments)
        time.sleep(0.1)
        return load(*arguments, **options)

    monkeypatch.setattr(module, "load", slow)
    loaded = Loaded(room.library)
    found = []
    threads = [threading.Thread(target=lambda: found.append(loaded.get(shelf.keys["model"]))) for _ in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(loads) == 1 and len({id(model) for model in found}) == 1 and len(found) == 5


def test_no_more_models_than_wanted_are_kept(own_room, shelf, monkeypatch):
    import toprock.assess.model as module

    loads = []
    monkeypatch.setattr(module, "load", lambda folder, limits: loads.append(folder) or object())
    with own_room.library.write() as session:
        for digit in "123":
            session.add(tables.Model(key=digit * 16, name=digit))
    loaded = Loaded(own_room.library, most=2)
    for digit in "12131":
        loaded.get(digit * 16)
    assert [folder.name[0] for folder in loads] == ["1", "2", "3"]
    loaded.get("2" * 16)
    assert len(loads) == 4


def test_comparing_two_is_a_use_that_is_noted(room, shelf, monkeypatch, tmp_path):
    monkeypatch.setenv("TOPROCK_LOG", str(tmp_path / "uses.jsonl"))
    asked = f"a={shelf.keys['ami']}&b={shelf.keys['bo']}"
    verdict = room.ask("GET", f"/api/v1/compare?{asked}").json["verdict"]
    assert room.ask("GET", f"/compare?{asked}").status == 200
    noted = list(uses(tmp_path / "uses.jsonl"))
    assert [(use["command"], use["verdict"], len(use["results"])) for use in noted] == [
        ("serve: compare", verdict, 2)
    ] * 2
