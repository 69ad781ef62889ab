"""Strange requests to a room with real performances; see hardening/chapters/fuzz_api.py for what must hold."""

from __future__ import annotations

import shutil
import sqlite3

import pytest

from hardening.chapter import Scale
from hardening.chapters import fuzz_api
from tests.web import shelf

pytestmark = pytest.mark.long


@pytest.fixture(scope="module")
def built(place, tmp_path_factory):
    return shelf.build(tmp_path_factory.mktemp("shelf") / "library", place)


def test_strange_requests_end_as_the_document_says_and_leave_the_library_whole(built, tmp_path):
    chapter = fuzz_api.storms(built, Scale(False, tmp_path, seed=1))
    assert chapter.lost == []
    (table,) = chapter.tables
    for _, requests, routes, done, refused, failed in table.rows:
        assert (routes, failed) == (47, 0)
        assert requests >= 47
        assert done > 0
        assert refused > 0


def test_what_is_not_whole_in_a_library_is_found(built, tmp_path):
    folder = tmp_path / "library"
    shutil.copytree(built.folder, folder)
    assert fuzz_api.troubles(folder) == []
    (folder / "videos" / "left.mp4").touch()
    (folder / "incoming" / "left").touch()
    shutil.rmtree(folder / "models" / built.keys["model"])
    with sqlite3.connect(folder / "library.db") as database:
        database.execute("INSERT INTO comment VALUES (1, 'Kim', 1.0, 'high', 'gone', '2026-01-01')")
    database.close()
    said = fuzz_api.troubles(folder)
    assert len(said) == 4
    assert all(any(word in line for line in said) for word in ("comment", "videos/left.mp4", "left was", "is missing"))
