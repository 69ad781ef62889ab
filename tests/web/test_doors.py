"""Who gets in, and with how much: names, bodies, passwords, folders, and one server for one library."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from toprock.errors import UsageError
from toprock.library import Library
from toprock.web import Settings

from .rooms import open_room


@pytest.fixture
def library(tmp_path) -> Iterator[Library]:
    made = Library(tmp_path / "library")
    yield made
    made.close()


def test_a_further_name_needs_a_password_and_is_no_longer_this_machine_alone(library, tmp_path):
    with pytest.raises(UsageError, match=r"room\.example can be reached .* no password"):
        Settings(hosts=("room.example",))
    assert Settings(hosts=("localhost", "127.0.0.2")).local
    with open_room(library, hosts=("room.example",), password="correct horse") as room:
        answer = room.ask("POST", "/api/v1/performances/folder", {"path": str(tmp_path)})
        assert (answer.status, "may not be pointed at" in answer.json["error"]) == (409, True)
