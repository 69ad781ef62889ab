"""The room against hostile pages, networks, uploads and names: each threat that is known has a test here."""

from __future__ import annotations

import re
import socket
import time
from pathlib import Path
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

import toprock.web
from toprock.errors import LibraryError, UsageError
from toprock.library import Library, catalogue, intake
from toprock.library.folder import resolve_inside
from toprock.web import Settings

from .rooms import Room, open_room


@pytest.fixture(scope="module")
def clip(make_video, tmp_path_factory):
    return make_video(tmp_path_factory.mktemp("clip") / "clip.mp4", frames=20).read_bytes()


@pytest.fixture
def room(library):
    with open_room(library, max_upload=200_000, stall_s=0.5) as found:
        yield found


@pytest.fixture(scope="module")
def standing(tmp_path_factory):
    """A room that is only looked at."""
    with open_room(Library(tmp_path_factory.mktemp("standing") / "library")) as found:
        yield found


def proof_of(room: Room, **options) -> str:
    found = re.search(r'name="proof" content="([0-9a-f]+)"', room.ask("GET", "/", token=False, **options).text)
    assert found
    return found[1]


# a hostile page drives the local server


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:80", "localhost.evil.example", "127.0.0.1.evil.example", ""]
)
def test_a_room_answers_to_its_own_names_only(standing, host):
    answer = standing.ask("GET", "/", token=False, headers={"Host": host})
    assert answer.status == 403
    assert b"Library" not in answer.body


@pytest.mark.parametrize("name", ["localhost", "127.0.0.1", "[::1]", "LOCALHOST"])
def test_a_room_on_this_machine_is_open_to_it(standing, name):
    assert standing.ask("GET", "/", token=False, headers={"Host": f"{name}:{standing.port}"}).status == 200


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "http://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://localhost:1"},
        {"Origin": "https://localhost"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
    ],
)
def test_writes_that_another_sites_page_asks_for_are_refused(room, headers):
    right = {"X-Proof": proof_of(room)}
    path = "/api/v1/settings"
    assert room.ask("PUT", path, {"retention_days": 3}, token=False, headers=right | headers).status == 403
    assert room.ask("PUT", path, {"retention_days": 3}, token=True, headers=headers).status == 403
    assert catalogue.retention_days(room.library) == 0
    own = {"Origin": f"http://localhost:{room.port}", "Sec-Fetch-Site": "same-origin"}
    assert room.ask("PUT", path, {"retention_days": 3}, token=False, headers=right | own).status == 200


@pytest.mark.parametrize("proof", [{}, {"X-Proof": ""}, {"X-Proof": "0" * 64}])
def test_a_write_without_the_proof_of_a_page_is_refused(standing, proof):
    assert standing.ask("PUT", "/api/v1/settings", {"retention_days": 3}, token=False, headers=proof).status == 403
    assert standing.ask("POST", "/api/v1/performances?filename=a.mp4", b"x", token=False, headers=proof).status == 403
    assert catalogue.retention_days(standing.library) == 0


def test_no_site_may_read_what_the_room_says(standing):
    answer = standing.ask("GET", "/api/v1/performances", token=False, headers={"Origin": "http://evil.example"})
    assert "access-control-allow-origin" not in answer.headers
    assert answer.headers["cross-origin-resource-policy"] == "same-origin"
    asked = standing.ask("OPTIONS", "/api/v1/settings", token=False, headers={"Access-Control-Request-Method": "PUT"})
    assert not [name for name in asked.headers if name.startswith("access-control")]


@pytest.mark.parametrize("path", ["/", "/api/v1/jobs", "/static/room.css", "/nothing", "/healthz"])
def test_every_answer_says_what_a_browser_may_do_with_it(standing, path):
    headers = standing.ask("GET", path, token=False).headers
    assert "default-src 'self'" in headers["content-security-policy"]
    assert "unsafe" not in headers["content-security-policy"]
    assert headers["x-content-type-options"] == "nosniff"
    assert "server" not in headers


# exposure on a network by accident


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.7", "example.org"])
def test_a_room_is_not_opened_to_a_network_without_a_password(host):
    with pytest.raises(UsageError, match="password"):
        Settings(host=host)
    with pytest.raises(UsageError, match="characters"):
        Settings(host=host, password="short")
    assert not Settings(host=host, password="long enough").local


def test_nothing_is_seen_or_done_without_the_password(library, clip):
    with open_room(library, password="correct horse", judge_password="battery staple") as room:
        assert room.upload(clip).status == 201
        for path in ("/", "/train", "/jobs", "/judge", "/nothing"):
            answer = room.ask("GET", path, token=False)
            assert (answer.status, answer.headers["location"]) == (303, f"/login?then={quote(path, safe='')}")
        for path in ("/api/v1/performances", "/api/v1/jobs", "/api/openapi.json"):
            assert room.ask("GET", path, token=False).status == 401
            assert room.ask("GET", path, token=False, headers={"Authorization": "Bearer wrong"}).status == 401
            assert room.ask("GET", path, token=False, headers={"Cookie": "toprock=guessed"}).status == 401
        assert room.ask("PUT", "/api/v1/settings", {"retention_days": 1}, token=False).status == 401


def enter(room: Room, password: str):
    form = {"Content-Type": "application/x-www-form-urlencoded", "Origin": f"http://localhost:{room.port}"}
    return room.ask("POST", "/login", f"password={quote(password)}&then=/".encode(), token=False, headers=form)


def test_a_password_lets_in_and_leaving_ends_it(library):
    with open_room(library, password="correct horse", judge_password="battery staple") as room:
        answer = enter(room, "correct horse")
        assert answer.status == 303
        kept = answer.headers["set-cookie"]
        assert "HttpOnly" in kept
        assert "samesite=strict" in kept.lower()
        cookie = {"Cookie": kept.split(";")[0]}
        proof = {"X-Proof": proof_of(room, headers=cookie)}
        assert room.ask("PUT", "/api/v1/settings", {"retention_days": 2}, token=False, headers=cookie).status == 403
        changed = room.ask("PUT", "/api/v1/settings", {"retention_days": 2}, token=False, headers=cookie | proof)
        assert changed.status == 200
        assert room.ask("POST", "/logout", token=False, headers=cookie | proof).status == 204
        assert room.ask("GET", "/", token=False, headers=cookie).status == 303


def test_judges_watch_and_judge_and_nothing_else(library, clip):
    with open_room(library, password="correct horse", judge_password="battery staple") as room:
        key = room.upload(clip).json["key"]
        answer = enter(room, "battery staple")
        assert answer.headers["location"] == "/judge"
        cookie = {"Cookie": answer.headers["set-cookie"].split(";")[0]}
        assert room.ask("GET", f"/api/v1/performances/{key}/video", token=False, headers=cookie).status == 200
        assert room.ask("GET", "/", token=False, headers=cookie).headers["location"] == "/judge"
        for path in (
            "/jobs",
            "/train",
            "/standings",
            f"/performance/{key}",
            "/api/v1/performances",
            "/api/v1/jobs",
            f"/api/v1/performances/{key}/assessment",
        ):
            answer = room.ask("GET", path, token=False, headers=cookie)
            assert answer.status == 403, path
            assert path.startswith("/api/") or 'class="button" href="/judge"' in answer.text
        assert room.ask("DELETE", f"/api/v1/performances/{key}", token=False, headers=cookie).status == 403


@pytest.mark.parametrize("then", ["//evil.example", "https://evil.example", "/\\evil.example", "javascript:alert(1)"])
def test_the_door_leads_into_the_room_only(library, then):
    with open_room(library, password="correct horse") as room:
        form = {"Content-Type": "application/x-www-form-urlencoded"}
        body = f"password=correct%20horse&then={quote(then, safe='')}".encode()
        assert room.ask("POST", "/login", body, token=False, headers=form).headers["location"] == "/"


def test_the_token_is_the_owners_alone(library):
    with open_room(library):
        assert (library.folder.root / "token").stat().st_mode & 0o077 == 0


# path traversal


ODD = ["..", ".", "/", "a/../..", "~", "\\..", "%2e%2e", "\0"]


@given(st.lists(st.text(max_size=30) | st.sampled_from(ODD), min_size=1, max_size=5))
def test_no_name_leads_out_of_a_folder(names):
    root = Path("/tmp/some/library")
    try:
        path = resolve_inside(root, *names)
    except LibraryError:
        return
    assert path.is_relative_to(root.resolve())
    assert path != root.resolve()


def test_links_do_not_lead_out_either(tmp_path):
    (tmp_path / "inside").mkdir()
    (tmp_path / "secret").write_text("x")
    (tmp_path / "inside" / "link").symlink_to(tmp_path / "secret")
    (tmp_path / "inside" / "loop").symlink_to("loop")
    for name in ("link", "loop", "../secret"):
        with pytest.raises(LibraryError):
            resolve_inside(tmp_path / "inside", name)


@pytest.mark.parametrize(
    "key", ["..", "../../token", "%2e%2e%2ftoken", "..%2f..%2fetc%2fpasswd", "a" * 16, "0" * 16, "A" * 3000]
)
def test_keys_open_what_they_name_and_nothing_else(standing, key):
    for part in ("", "/video", "/thumbnail", "/assessment", "/comments"):
        assert standing.ask("GET", f"/api/v1/performances/{key}{part}").status in (404, 414, 400)
    assert standing.ask("GET", f"/static/{key}").status == 404
    assert standing.ask("GET", f"/static/..%2f{key}").status == 404


def test_folders_may_be_pointed_at_only_where_that_was_allowed(library, tmp_path, clip):
    (tmp_path / "videos").mkdir()
    (tmp_path / "videos" / "one.mp4").write_bytes(clip)
    (tmp_path / "private").mkdir()
    (tmp_path / "private" / "two.mp4").write_bytes(clip)
    (tmp_path / "videos" / "out").symlink_to(tmp_path / "private")
    with open_room(library, password="correct horse", folders=(tmp_path / "videos",)) as room:
        for path in (
            tmp_path / "private",
            tmp_path / "videos" / "out",
            tmp_path / "videos" / ".." / "private",
            Path("/etc"),
        ):
            answer = room.ask("POST", "/api/v1/performances/folder", {"path": str(path)})
            assert answer.status == 409
            assert "may not be pointed at" in answer.json["error"]
        assert room.ask("POST", "/api/v1/performances/folder", {"path": str(tmp_path / "videos")}).status == 202


# oversize and slow uploads


def left_in(library: Library) -> list[Path]:
    return [*library.folder.incoming.iterdir(), *(library.folder.root / "videos").iterdir()]


def test_one_byte_too_many_is_refused_and_leaves_nothing(room, library, clip):
    padded = clip + bytes(200_001 - len(clip))
    answer = room.upload(padded)
    assert answer.status == 413
    assert "larger than" in answer.json["error"]
    parts = (
        b"".join(b"%x\r\n%b\r\n" % (len(part), part) for part in (padded[:100_000], padded[100_000:])) + b"0\r\n\r\n"
    )
    undeclared = head(room, 0).replace(b"Content-Length: 0", b"Transfer-Encoding: chunked")
    assert b" 413 " in raw(room, undeclared + parts).splitlines()[0]
    assert left_in(library) == []
    assert room.upload(padded[:-1]).status == 201


def raw(room: Room, request: bytes, wait_s: float = 0.0) -> bytes:
    with socket.create_connection(("127.0.0.1", room.port), timeout=10) as line:
        line.sendall(request)
        if wait_s:
            time.sleep(wait_s)
            return b""
        return line.recv(65536)


def head(room: Room, length: int) -> bytes:
    return (
        f"POST /api/v1/performances?filename=a.mp4 HTTP/1.1\r\nHost: localhost:{room.port}\r\n"
        f"Authorization: Bearer {room.token}\r\nContent-Length: {length}\r\n\r\n"
    ).encode()


def test_an_upload_that_falls_silent_is_ended(room, library, clip):
    assert b" 409 " in raw(room, head(room, len(clip)) + clip[:1000]).splitlines()[0]
    assert left_in(library) == []


def test_a_connection_that_drops_leaves_nothing(room, library, clip):
    raw(room, head(room, len(clip)) + clip[:1000], wait_s=0.05)
    for _ in range(100):
        if not left_in(library):
            break
        time.sleep(0.05)
    assert left_in(library) == []
    assert catalogue.listed(library).total == 0


def test_an_upload_waits_for_room_on_the_disk(room, library, monkeypatch, clip):
    monkeypatch.setattr(intake, "room_for", lambda library, size: False)
    answer = room.upload(clip)
    assert answer.status == 507
    assert "no room" in answer.json["error"]
    assert left_in(library) == []


@pytest.mark.parametrize(
    ("content", "name"),
    [
        (b"ffconcat version 1.0\nfile /etc/passwd\n", "evil.mp4"),
        (b"#EXTM3U\nhttp://evil.example/x.ts\n", "evil.mp4"),
        (b"<html><script>alert(1)</script>", "page.mp4"),
        (b"", "empty.mp4"),
        (b"\x00" * 5000, "zeros.mkv"),
    ],
)
def test_what_is_no_video_is_refused_in_words_and_leaves_nothing(room, library, content, name):
    answer = room.upload(content, name)
    assert answer.status == 422
    assert answer.json["error"]
    assert str(library.folder.root) not in answer.text
    assert left_in(library) == []


def test_only_what_is_called_like_a_video_is_taken(room, clip):
    for name in ("page.html", "x.svg", "..", "", "a.mp4.exe"):
        assert room.upload(clip, quote(name)).status == 422
    assert room.upload(clip, quote("../../x/évil name.mp4")).json["name"] == "évil name"


def test_what_is_no_video_by_its_name_is_said_before_it_is_sent(room, clip):
    notes, flash = room.upload(clip, "notes.txt"), room.upload(clip, "old.flv")
    assert (notes.status, flash.status) == (422, 422)
    assert notes.json["error"] == "'notes.txt' is not a video file"
    assert notes.json["advice"].startswith("Files that are read end in .mp4, ")
    assert flash.json["error"] == "'old.flv' is a video of a kind that is not read here"
    assert ".flv" not in flash.json["advice"] and "Convert it" in flash.json["advice"]


# script injection by names and comments: what the server sends; a real browser looks in test_journey.py

HOSTILE = "<img src=x onerror=alert(1)>\"'--><script>alert(2)</script>"


def test_names_and_comments_are_text(room, clip):
    key = room.upload(clip, quote(f"{HOSTILE}.mp4".replace("/", ":"))).json["key"]
    described = {"performer": HOSTILE, "event": HOSTILE}
    assert room.ask("PATCH", f"/api/v1/performances/{key}", described).json["performer"] == HOSTILE
    assert room.ask("POST", f"/api/v1/performances/{key}/comments", {"text": HOSTILE, "time_s": 0.1}).status == 201
    for path in ("/", "/jobs", f"/?search={quote(HOSTILE)}", "/nothing%3Cscript%3E"):
        page = room.ask("GET", path, token=False).text
        assert "<img src=x" not in page
        assert "<script>alert" not in page


def test_a_video_is_served_as_a_video_and_in_parts(room, clip):
    key = room.upload(clip).json["key"]
    whole = room.ask("GET", f"/api/v1/performances/{key}/video")
    assert whole.headers["content-type"] == "video/mp4"
    assert whole.body == clip
    part = room.ask("GET", f"/api/v1/performances/{key}/video", headers={"Range": "bytes=10-19"})
    assert (part.status, part.body) == (206, clip[10:20])


def test_the_room_asks_nothing_of_any_network():
    """Every address in what it sends is its own: pages, styles and scripts name no other machine."""
    here = Path(toprock.web.__file__).parent
    texts = [path for kind in ("templates", "static") for path in (here / kind).rglob("*") if path.is_file()]
    assert len(texts) > 8
    for path in texts:
        found = re.findall(r"(?:https?:)?//[a-z0-9.-]+\.[a-z]{2,}", path.read_text(encoding="utf-8"))
        allowed = {"http://www.w3.org"} if path.name != "htmx.min.js" else set(found)
        assert set(found) <= allowed, path
