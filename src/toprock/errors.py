"""Every error that toprock raises on purpose.

::

    ToprockError                    what happened, to which file, and what to do about it
    ├── UsageError                  a wrong argument or option (exit status 2)
    ├── VideoError                  one video cannot be used; the others go on
    │   ├── UnreadableVideo         not a video, damaged, a refused format, no picture stream
    │   ├── EmptyVideo              opens, yet holds no frame in the wanted time
    │   ├── TruncatedVideo          ends before the time its header declares
    │   ├── VideoTooLarge           beyond the limits on size, length or streams
    │   └── DecoderFailed           the guarded decoder crashed, hung or ran out of memory
    ├── ManifestError               a manifest, moments, segments or beats file
    ├── PairsError                  a pairs file, or pairs that cannot be trained on
    ├── UnknownPerformance          an id that is not there, or that fits two performances
    ├── FeaturesError               a feature store, or a file in it
    │   └── RecipeMismatch          features were made by another recipe than the model's
    ├── WeightsError                weights of a backbone: absent, damaged, of the wrong kind
    ├── ComputeError                it cannot run here: no such device, no memory left, too few open files, stopped
    │   └── LostProcess             another process of a training was lost
    ├── Lost                        a task whose process or machine was lost, again and again
    ├── ModelError                  a model folder
    ├── LibraryError                a library: its folder, its database, or what is asked of it
    │   ├── NotThere                what is asked for is not, or no more, in the library
    │   ├── Refused                 what is asked for cannot be done as things stand
    │   └── Busy                    another program holds the database
    └── StorageError                the disk is full, or a folder cannot be written

Each carries `message` (what happened) and `advice` (what to do next); `str(error)` is both.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any


class ToprockError(Exception):
    """Base of all errors raised on purpose.

    Args:
        message: what happened and to which file, as one sentence without a final full stop.
        advice: what the reader can do about it.
    """

    def __init__(self, message: str, *, advice: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.advice = advice

    def __str__(self) -> str:
        return f"{self.message}. {self.advice}".strip() if self.advice else self.message

    def __reduce__(self) -> tuple[Any, ...]:
        """Between processes it travels with all that it says, whatever its kind is made from."""
        return _again, (type(self), self.args, self.__dict__)


def _again(kind: type[ToprockError], args: tuple[Any, ...], said: dict[str, Any]) -> ToprockError:
    error = kind.__new__(kind, *args)
    error.args = args
    error.__dict__.update(said)
    return error


class UsageError(ToprockError):
    """A wrong argument or option."""


class VideoError(ToprockError):
    """One video cannot be used.

    Args:
        path: the video.
        what: what is wrong with it, continuing "path: ".
        advice: what to do.
    """

    def __init__(self, path: str | Path, what: str, *, advice: str = "") -> None:
        super().__init__(f"{path}: {what}", advice=advice)
        self.path = Path(path)
        self.what = what


class UnreadableVideo(VideoError):
    """Not a video, damaged, of a refused format, or without a picture stream."""


class EmptyVideo(VideoError):
    """Opens, yet holds no frame in the wanted time."""


class TruncatedVideo(VideoError):
    """Ends well before the time that its header declares."""


class VideoTooLarge(VideoError):
    """Beyond the limits on picture size, length or number of streams."""


class DecoderFailed(VideoError):
    """The guarded decoder crashed, hung, or reached its memory or time limit."""


class ManifestError(ToprockError):
    """A manifest, moments, segments or beats file that cannot be used."""


class PairsError(ToprockError):
    """A pairs file that cannot be used, or pairs that cannot be trained on."""


class UnknownPerformance(ToprockError):
    """An id that is not there, or that fits two performances."""


class FeaturesError(ToprockError):
    """A feature store, or a file in it, that cannot be used."""


class FeaturesChanged(FeaturesError):
    """A file of features was written or removed while it was being learnt from."""


class RecipeMismatch(FeaturesError):
    """Features were made by another recipe than the one asked for."""


class WeightsError(ToprockError):
    """Weights of a backbone that are absent, damaged, of the wrong kind, or need a part that is not installed."""


class ComputeError(ToprockError):
    """It cannot run here: there is no such device, no memory is left, too few files may be open, or it was stopped."""


class LostProcess(ComputeError):
    """Another process of a training was lost."""


class Lost(ToprockError):
    """The process or machine that ran a task was lost, and so were those that tried again."""


class ModelError(ToprockError):
    """A model folder that cannot be used."""


class LibraryError(ToprockError):
    """A library: its folder, its database, or what is asked of it."""


class NotThere(LibraryError):
    """What is asked for is not, or no more, in the library."""


class Refused(LibraryError):
    """What is asked for cannot be done as things stand."""


class Busy(LibraryError):
    """Another program holds the database of a library."""


class StorageError(ToprockError):
    """The disk is full, or a folder cannot be written."""
