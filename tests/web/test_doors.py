"""Who gets in, and with how much: names, bodies, passwords, folders, and one server for one library."""

from __future__ import annotations

import contextlib
import json
import os
import re
import socket
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import quote

import pytest
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

from toprock.errors import UsageError
from toprock.library import Library, catalogue, intake, jobs
from toprock.library.work import do
from toprock.web import Settings, create_app
from toprock.web.access import Access
from toprock.web.serving import alone, serve, server_of

from .rooms import Answer, Room, open_room
from .shelf import Watch


@pytest.fixture
def room(library) -> Iterator[Room]:
    with open_room(library) as found:
        yield found


def said(room: Room, head: str, body: bytes = b"") -> tuple[int, bytes]:
    """Status and body of what a room answers to bytes as they stand; it is read as far as it comes."""
    lines = f"{head}\r\nHost: localhost:{room.port}\r\nAuthorization: Bearer {room.token}\r\n"
    with socket.create_connection(("127.0.0.1", room.port), timeout=10) as line:
        line.sendall((lines + "Content-Type: application/json\r\n").encode() + body)
        answer = b""
        while part := line.recv(65536):
            answer += part
            if b"\r\n\r\n{" in answer and answer.endswith(b"}"):
                break
    return int(answer.split()[1]), answer.partition(b"\r\n\r\n")[2]


def test_a_further_name_needs_a_password_and_is_no_longer_this_machine_alone(library, tmp_path):
    with pytest.raises(UsageError, match=r"room\.example can be reached .* no password"):
        Settings(hosts=("room.example",))
    assert Settings(hosts=("localhost", "127.0.0.2")).local
    with open_room(library, hosts=("room.example",), password="correct horse") as room:
        answer = room.ask("POST", "/api/v1/performances/folder", {"path": str(tmp_path)})
        assert (answer.status, "may not be pointed at" in answer.json["error"]) == (409, True)


@pytest.mark.parametrize("path", ["/api/v1/judgments", "/api/v1/performances/delete", "/api/v1/performances/folder"])
def test_a_body_that_is_too_large_is_refused_before_it_is_read(room, path):
    status, body = said(room, f"POST {path} HTTP/1.1", f"Content-Length: {150 << 20}\r\n\r\n".encode())
    assert (status, json.loads(body)["error"]) == (413, "this is larger than 1 MB")
    parts = b"Transfer-Encoding: chunked\r\n\r\n" + (b"10000\r\n" + b" " * 65536 + b"\r\n") * 16
    status, body = said(room, f"POST {path} HTTP/1.1", parts + b"1\r\n \r\n")
    assert (status, json.loads(body)["advice"]) == (413, "Send it in several parts.")


@pytest.mark.parametrize("body", [b"\xff\xfe", b'{"retention_days": \xe9}', b'{"retention_days": true}', b"[]"])
def test_a_body_that_is_not_what_it_should_be_is_refused_in_words_and_changes_nothing(room, body):
    answer = room.ask("PUT", "/api/v1/settings", body, headers={"content-type": "application/json"})
    assert answer.status == 422
    assert all(answer.json[part] for part in ("error", "advice"))
    assert room.ask("GET", "/api/v1/settings").json == {"retention_days": 0}


def test_a_method_that_is_not_known_is_answered_with_one_that_is(room):
    answer = room.ask("DELETE", "/api/v1/settings")
    assert answer.status == 405
    assert answer.headers["allow"] in ("GET", "GET, PUT")


def test_the_document_says_how_to_be_let_in_and_what_errors_and_files_are(room):
    document = room.ask("GET", "/api/openapi.json").json
    for path, methods in document["paths"].items():
        for method, route in methods.items():
            problem = route["responses"]["409"]["content"]["application/json"]["schema"]["$ref"]
            assert (problem, route["security"]) == ("#/components/schemas/Problem", [{"token": []}]), (method, path)
    files = document["paths"]["/api/v1/performances/{key}/report"]["get"]["responses"]["200"]["content"]
    assert set(files) == {"text/html", "application/pdf"}


def test_bodies_of_undeclared_length_arrive_whole(room):
    body = json.dumps({"retention_days": 3}).encode()
    parts = b"".join(b"1\r\n%c\r\n" % byte for byte in body) + b"0\r\n\r\n"
    status, found = said(room, "PUT /api/v1/settings HTTP/1.1", b"Transfer-Encoding: chunked\r\n\r\n" + parts)
    assert (status, json.loads(found)) == (200, {"retention_days": 3})


def test_pairs_and_videos_count_for_themselves(room):
    head, size = "POST /api/v1/pairs?format=pairs HTTP/1.1", (1 << 20) + 10
    status, body = said(room, head, f"Content-Length: {size}\r\n\r\n".encode() + b"a b\n" + b" " * (size - 4))
    assert (status, json.loads(body)["error"][:21]) == (422, "no comparison is left")


@pytest.mark.parametrize(("path", "what"), [("performances?filename=a.mp4", "the upload"), ("pairs", "the file")])
def test_what_is_streamed_may_not_fall_silent_break_the_disk_or_be_too_large(library, monkeypatch, path, what):
    with open_room(library, stall_s=0.2, max_upload=50 << 20) as room:
        head = f"POST /api/v1/{path} HTTP/1.1"
        status, body = said(room, head, b"Content-Length: 100\r\n\r\na b\n")
        assert (status, json.loads(body)["error"]) == (409, f"{what} sent nothing for 0.2 s")
        status, body = said(room, head, f"Content-Length: {(50 << 20) + 1}\r\n\r\n".encode())
        assert (status, json.loads(body)["error"]) == (413, f"{what}: it is larger than 50 MB")
        monkeypatch.setattr(intake, "room_for", lambda *_: False)
        status, body = said(room, head, b"Content-Length: 4\r\n\r\na b\n")
        assert (status, json.loads(body)["error"]) == (507, f"the disk has no room for {what}")
    assert list(library.folder.incoming.iterdir()) == []


def test_a_library_has_one_server_and_only_that_one_clears_what_was_left_half_way(library):
    clip = library.folder.incoming / "left" / "clip.mp4"
    clip.parent.mkdir()
    clip.write_bytes(b"x")
    (library.folder.incoming / "upload").write_bytes(b"x")
    told: list[str] = []
    with alone(library) as lock:
        assert list(library.folder.incoming.iterdir()) == []
        lock.write("http://localhost:8123")
        lock.flush()
        coming = library.folder.incoming / "coming"
        coming.write_bytes(b"x")
        with pytest.raises(UsageError, match=r"is open already, at http://localhost:8123"):
            serve(library, Settings(port=0), workers=0, say=told.append)
        assert (coming.exists(), told) == (True, [])
    with alone(library):
        assert not coming.exists()


def test_a_room_beside_the_server_takes_nothing_away(library):
    coming = library.folder.incoming / "coming"
    coming.write_bytes(b"x")
    with open_room(library) as room:
        assert room.ask("GET", "/healthz").status == 200
    assert coming.exists()


def test_the_lock_says_where_the_room_is(library, monkeypatch):
    seen: list[str] = []
    monkeypatch.setattr("uvicorn.Server.run", lambda *_, **__: seen.append((library.folder.root / "lock").read_text()))
    serve(library, Settings(port=0), workers=0, say=seen.append)
    assert seen[0].split()[-4] == seen[1]
    assert (library.folder.root / "lock").read_text() == ""


def test_neither_links_nor_manifests_lead_out_of_the_folders_that_may_be_pointed_at(library, make_video, tmp_path):
    inside, private = tmp_path / "videos", tmp_path / "private"
    for folder in (inside, private):
        folder.mkdir()
    secret = make_video(private / "secret.mp4", frames=4)
    own = make_video(inside / "own.mp4", frames=5)
    (inside / "link.mp4").symlink_to(secret)
    (inside / "beside.mp4").symlink_to(own)
    rows = [("own", "own.mp4"), ("absolute", secret), ("up", "../private/secret.mp4"), ("link", "link.mp4")]
    (inside / "all.csv").write_text("id,video\n" + "".join(f"{name},{video}\n" for name, video in rows))
    with open_room(library, password="correct horse", folders=(inside,)) as room:
        for place, left_out in ((inside / "all.csv", {"absolute", "up", "link"}), (inside, {"link"})):
            assert room.ask("POST", "/api/v1/performances/folder", {"path": str(place)}).status == 202
            with library.write() as session:
                job = jobs.claim(session, "test", ["take"])
            failed = do(library, job, Watch())["failed"]
            assert set(failed) == left_out
            assert all("outside of the folders" in why for why in failed.values())
    assert [row.performance.name for row in catalogue.listed(library).rows] == ["own"]


def test_a_new_library_is_for_its_user_alone_and_so_is_the_token_from_the_start(tmp_path, monkeypatch):
    before = os.umask(0o022)
    modes: list[int] = []
    replace = Path.replace

    def watched(self: Path, target: Path) -> Path:
        modes.append(self.stat().st_mode & 0o777)
        return replace(self, target)

    monkeypatch.setattr(Path, "replace", watched)
    try:
        with contextlib.closing(Library(tmp_path / "new" / "library")) as made:
            token = Access(made, Settings()).token
            assert made.folder.root.stat().st_mode & 0o777 == 0o700
            assert (made.folder.root / "token").read_text() == f"{token}\n"
        assert modes == [0o600]
        assert (tmp_path / "new").stat().st_mode & 0o777 == 0o755
    finally:
        os.umask(before)


@pytest.mark.parametrize("path", ["~nosuchuser/videos", "/nul\0l", "videos"])
@pytest.mark.parametrize("what", ["performances", "models"])
def test_a_path_that_cannot_be_is_refused_in_words(room, what, path):
    answer = room.ask("POST", f"/api/v1/{what}/folder", {"path": path})
    assert (answer.status, bool(answer.json["advice"])) == (422, True)


def test_the_door_is_open_with_its_styles_and_nothing_else_is(library):
    with open_room(library, password="correct horse") as room:
        page = room.ask("GET", "/login", token=False).text
        styles = re.findall(r'href="([^"]+\.css)"', page)
        assert "/static-report.css" in styles
        for path in ("/login", "/healthz", *styles):
            assert room.ask("GET", path, token=False).status == 200, path
        for path in ("/loginx", "/login/x", "/healthz/x", "/static", "/static-report.cssx"):
            assert room.ask("GET", path, token=False).status == 303, path


def test_who_came_in_by_a_password_that_has_changed_is_out(library):
    first, second = {"password": "correct horse", "judge_password": "battery staple"}, {"password": "another horse"}
    with open_room(library, **first) as room:
        owner, judge = cookie_of(enter(room, "correct horse")), cookie_of(enter(room, "battery staple"))
        assert room.ask("GET", "/jobs", token=False, headers=owner).status == 200
    with open_room(library, **first) as room:  # opened again: as it was
        assert room.ask("GET", "/jobs", token=False, headers=owner).status == 200
        assert room.ask("GET", "/judge", token=False, headers=judge).status == 200
    with open_room(library, **first | second) as room:
        assert room.ask("GET", "/jobs", token=False, headers=owner).status == 303
        assert room.ask("GET", "/judge", token=False, headers=judge).status == 200
    with open_room(library, **second) as room:  # judges have no password any more
        assert room.ask("GET", "/judge", token=False, headers=judge).status == 303
    with open_room(library, **first) as room:  # nor does the old password bring old visitors back
        assert room.ask("GET", "/jobs", token=False, headers=owner).status == 303


def test_a_password_that_has_changed_counts_even_beside_a_room_that_has_the_old_one(library):
    with open_room(library, password="correct horse") as old, open_room(library, password="another horse") as new:
        cookie = cookie_of(enter(old, "correct horse"))
        assert old.ask("GET", "/jobs", token=False, headers=cookie).status == 200
        assert new.ask("GET", "/jobs", token=False, headers=cookie).status == 303


def test_passwords_that_are_tried_at_once_are_counted_by_the_address_that_the_proxy_names(library):
    with open_room(library, password="correct horse") as room, ThreadPoolExecutor(40) as many:
        for _ in range(12):  # right ones do not count
            assert enter(room, "correct horse", "192.0.2.1").status == 303
        tried = Counter(many.map(lambda n: enter(room, f"wrong guess {n}", "192.0.2.1").status, range(40)))
        assert tried == {403: 10, 429: 30}
        assert enter(room, "correct horse", "192.0.2.1").status == 429
        assert enter(room, "correct horse", "192.0.2.2").status == 303


def test_only_a_proxy_on_this_machine_is_believed(library, monkeypatch):
    monkeypatch.delenv("FORWARDED_ALLOW_IPS", raising=False)
    trusted = server_of(create_app(library)).config
    trusted.load()
    assert trusted.proxy_headers
    assert isinstance(trusted.loaded_app, ProxyHeadersMiddleware)
    assert "127.0.0.1" in trusted.loaded_app.trusted_hosts
    assert "192.0.2.1" not in trusted.loaded_app.trusted_hosts


def enter(room: Room, password: str, address: str = "") -> Answer:
    form = {"Content-Type": "application/x-www-form-urlencoded"} | ({"X-Forwarded-For": address} if address else {})
    return room.ask("POST", "/login", f"password={quote(password)}".encode(), token=False, headers=form)


def cookie_of(answer: Answer) -> dict[str, str]:
    return {"Cookie": answer.headers["set-cookie"].split(";")[0]}
