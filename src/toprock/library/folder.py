"""Where things lie in a library's folder, and the one way from a name to a path.

::

    LIBRARY/library.db               performances, judgments, jobs, ...
    LIBRARY/videos/KEY.mp4           videos that were brought in
    LIBRARY/previews/KEY.mp4         copies for the browser of videos that it does not play
    LIBRARY/thumbnails/KEY.jpg       a picture of each performance
    LIBRARY/features/                the feature store, as `toprock extract` makes it
    LIBRARY/models/KEY/              models, as `toprock train` makes them
    LIBRARY/incoming/                uploads on their way; emptied at every start
    LIBRARY/token                    what other programs show to be let in
    LIBRARY/lock                     held by the one server there may be, and where that is
"""

from __future__ import annotations

import re
from pathlib import Path

from toprock.errors import LibraryError

_KEY = re.compile(r"[0-9a-f]{16}")
PARTS = ("videos", "previews", "thumbnails", "features", "models", "incoming")


def resolve_inside(root: Path, *names: str) -> Path:
    """A path below a folder, after links have been followed; nothing outside of it is ever named.

    Raises:
        LibraryError: the names lead out of the folder, or cannot be names.

    >>> resolve_inside(Path("."), "..", "etc")
    Traceback (most recent call last):
    toprock.errors.LibraryError: '../etc' leads out of the library. Use the names that the library gives.
    """
    wanted = "/".join(names)
    outside = LibraryError(f"'{wanted}' leads out of the library", advice="Use the names that the library gives.")
    if any("\0" in name or "\\" in name or name.startswith("/") for name in names):
        raise outside
    try:
        base = root.resolve()
        path = base.joinpath(*names).resolve()
    except (OSError, ValueError, RuntimeError):
        raise outside from None
    if path == base or not path.is_relative_to(base):
        raise outside
    return path


class Folder:
    """The places in a library's folder.

    Args:
        root: made where it is absent, for this user alone.

    Raises:
        LibraryError: it is a folder with other things in it, or cannot be made.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        try:
            if root.is_dir() and not (root / "library.db").exists() and not (root / "features").exists():
                others = [path.name for path in root.iterdir() if not path.name.startswith(".")]
                if others:
                    raise LibraryError(
                        f"{root}: is a folder with other things in it ({', '.join(sorted(others)[:3])})",
                        advice="Name a new or an empty folder; the room can then be pointed at your videos.",
                    )
            if not root.exists():
                root.mkdir(parents=True, mode=0o700)  # names, judgments and videos are this user's alone
            for part in PARTS:
                (root / part).mkdir(parents=True, exist_ok=True, mode=0o700)
        except OSError as problem:
            raise LibraryError(
                f"{root}: no library can be made here ({problem.strerror})", advice="Choose another folder."
            ) from problem

    @property
    def empty(self) -> bool:
        """Whether there is neither a video nor a model that a database would have to know of."""
        return not any(any((self.root / part).iterdir()) for part in ("videos", "models"))

    def video(self, name: str) -> Path:
        """Of a video that was brought in."""
        return resolve_inside(self.root / "videos", name)

    def preview(self, name: str) -> Path:
        """Of a copy for the browser."""
        return resolve_inside(self.root / "previews", name)

    def thumbnail(self, key: str) -> Path:
        """Of a performance's picture."""
        return resolve_inside(self.root / "thumbnails", f"{checked(key)}.jpg")

    def model(self, key: str) -> Path:
        """Of a model."""
        return resolve_inside(self.root / "models", checked(key))

    @property
    def features(self) -> Path:
        """The feature store."""
        return self.root / "features"

    @property
    def incoming(self) -> Path:
        """Uploads on their way."""
        return self.root / "incoming"


def checked(key: str) -> str:
    """A key, as `tables.new_key` makes them.

    Raises:
        LibraryError: it is none.
    """
    if not _KEY.fullmatch(key):
        raise LibraryError(f"'{key}' is no key of this library", advice="Use the keys that the library gives.")
    return key
