"""Fixtures for tests of the room: a library, the room of it, a browser to walk through it, PostgreSQL."""

from __future__ import annotations

import os
import shutil
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import create_engine

from toprock.library import Library

from .rooms import Room, open_room
from .servers import postgres, postgres_programs
from .shelf import Shelf, build


@pytest.fixture(scope="session")
def shelf(place: Any, tmp_path_factory: pytest.TempPathFactory) -> Shelf:
    """The library of which rooms get a copy; see `Shelf` for what is in it."""
    return build(tmp_path_factory.mktemp("shelf") / "library", place)


@pytest.fixture(scope="session")
def room(shelf: Shelf, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Room]:
    """An open room that tests only look at."""
    yield from _room_of(shelf, tmp_path_factory.mktemp("room") / "library")


@pytest.fixture
def own_room(shelf: Shelf, tmp_path: Path) -> Iterator[Room]:
    """An open room of one's own, to change."""
    yield from _room_of(shelf, tmp_path / "library")


def _room_of(shelf: Shelf, folder: Path) -> Iterator[Room]:
    shutil.copytree(shelf.folder, folder)
    library = Library(folder)
    with open_room(library) as opened:
        yield opened
    library.close()


@pytest.fixture
def tab(browser: Any) -> Iterator[Callable[[str], Any]]:
    """A function that opens an address and waits until its scripts have run; gives the page, 1440 x 900.

    The test fails where a script of the page does, or where its policy stops something.
    """
    context = browser.new_context(viewport={"width": 1440, "height": 900})
    context.grant_permissions(["clipboard-read", "clipboard-write"])
    page = context.new_page()
    troubles: list[str] = []
    page.on("pageerror", lambda error: troubles.append(str(error)))
    page.on("console", lambda m: troubles.append(m.text) if "Security Policy" in m.text else None)

    def opened(address: str) -> Any:
        page.goto(address)
        page.locator("html[data-ready]").wait_for(state="attached")
        return page

    yield opened
    context.close()
    assert troubles == []


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[str]:
    """The URL of a PostgreSQL server that is gone afterwards."""
    programs = postgres_programs()
    if programs is None:
        if os.environ.get("CI") == "true":
            pytest.fail("PostgreSQL is not installed")
        pytest.skip("PostgreSQL is not installed")
    with postgres(programs) as url:
        yield url


@pytest.fixture
def postgres_url(postgres_server: str) -> str:
    """An empty PostgreSQL database."""
    name = f"room{uuid.uuid4().hex[:12]}"
    engine = create_engine(postgres_server, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.exec_driver_sql(f"CREATE DATABASE {name}")
    engine.dispose()
    return postgres_server.replace("/postgres?", f"/{name}?")


@pytest.fixture
def address(room, shelf):
    """A function that gives the address of a performance's page."""
    return lambda name, query="": f"{room.url}/performance/{shelf.keys[name]}{query}"
