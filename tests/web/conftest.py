"""Fixtures for tests of the room."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from .servers import postgres, postgres_programs


@pytest.fixture(scope="session")
def postgres_url() -> Iterator[str]:
    """An empty PostgreSQL database that is gone afterwards."""
    programs = postgres_programs()
    if programs is None:
        if os.environ.get("CI") == "true":
            pytest.fail("PostgreSQL is not installed")
        pytest.skip("PostgreSQL is not installed")
    with postgres(programs) as url:
        yield url
