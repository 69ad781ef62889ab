"""A library: a folder of performances with what people said of them, and what models make of them."""

from __future__ import annotations

import contextlib
from pathlib import Path

from sqlalchemy import select
from sqlalchemy.orm import Session

from toprock.backbones.base import Backbone
from toprock.errors import UsageError
from toprock.features.store import FeatureStore
from toprock.library.database import Database, set_setting, setting
from toprock.library.folder import Folder
from toprock.library.jobs import enqueue
from toprock.library.tables import Video
from toprock.video import Limits

BACKBONES = ("flow", "posture")
DATABASE = "TOPROCK_LIBRARY_DATABASE"
"""The variable that tells workers the URL: others can read what stands on a command line, passwords too."""


class Library:
    """What all parts of the room share: the folder, the database, and how videos are looked at.

    Args:
        root: the folder; made where it is absent.
        database: an SQLAlchemy URL; by default a file in the folder.
        limits: bounds on what reading a video may use; None takes this machine's.
        patience_s: how long changes wait while another program holds the database (SQLite).

    Raises:
        LibraryError: the folder or the database cannot be used.

    >>> import tempfile
    >>> library = Library(tempfile.mkdtemp())
    >>> with library.read() as session:
    ...     print(setting(session, "schema"))
    1
    """

    def __init__(
        self, root: str | Path, *, database: str = "", limits: Limits | None = None, patience_s: float = 10.0
    ) -> None:
        self.folder = Folder(Path(root).absolute())
        where = database or self.folder.root / "library.db"
        self.database = Database(where, new=self.folder.empty, patience_s=patience_s)
        self.database_url = database
        self.limits = limits

    def read(self) -> contextlib.AbstractContextManager[Session]:
        """A session to look things up."""
        return self.database.read()

    def write(self) -> contextlib.AbstractContextManager[Session]:
        """A session whose changes are kept together when its block ends well."""
        return self.database.write()

    @property
    def store(self) -> FeatureStore:
        """The feature store."""
        return FeatureStore(self.folder.features, create=True)

    def backbones(self) -> list[Backbone]:
        """What looks at videos, one or two."""
        from toprock.backbones import build

        with self.read() as session:
            names = [setting(session, f"backbone.{at}", name) for at, name in enumerate(BACKBONES)]
        return [build(name) for name in names if name != "none"]

    def set_backbones(self, dynamic: str | None = None, static: str | None = None) -> None:
        """Choose what looks at videos, those that are here too: a backbone, or none; None leaves a stream as it is.

        Raises:
            UsageError, WeightsError: one cannot be used here, or none is left.
        """
        from toprock.backbones import build

        with self.read() as session:
            before = [setting(session, f"backbone.{at}", name) for at, name in enumerate(BACKBONES)]
        names = [new or old for new, old in zip((dynamic, static), before, strict=True)]
        if names == ["none", "none"]:
            raise UsageError("there is nothing left that looks at videos", advice="Leave one stream.")
        for name in names:
            if name != "none":
                build(name)
        with self.write() as session:
            for at, name in enumerate(names):
                set_setting(session, f"backbone.{at}", name)
            if before != names:
                for video in session.scalars(select(Video)):
                    enqueue(session, "extract", f"Look at {video.filename}", subject=video.key)

    def close(self) -> None:
        """Let go of the database."""
        self.database.close()
