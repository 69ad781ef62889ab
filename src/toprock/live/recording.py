"""A camera or network stream on its way into a file, which is then watched as any file that is being written.

The guarded child (`toprock._decoder.relay`) talks to the source and writes nothing; its bytes are written here.
"""

from __future__ import annotations

import struct
import threading
from pathlib import Path

from toprock.errors import StorageError, ToprockError, VideoError
from toprock.files import storage_errors
from toprock.live.source import Source
from toprock.video.guarded import GuardedDecoder
from toprock.video.limits import Limits

_PLACE = struct.Struct("<Q")
_PATIENCE_S = 3.0


class Recording:
    """Copies a source into a Matroska file, in a thread, until it is lost or stopped.

    Args:
        source: a camera or network stream.
        path: a file that is not there yet.
        limits: bounds on what the child may use.

    Attributes:
        ended: stopped, lost, or failed; empty while it goes on.
        problem: why it failed.

    Raises:
        VideoError: the source cannot be opened.
        StorageError: the file cannot be written.
    """

    def __init__(self, source: Source, path: Path, limits: Limits | None = None) -> None:
        self._source = source
        self.ended, self.problem = "", None  # type: tuple[str, ToprockError | None]
        self._stopping = False
        kind = "v4l2" if source.kind == "camera" else "rtsp"
        job = {"job": "relay", "path": source.shown, "address": source.address, "format": kind}
        self._child = GuardedDecoder(Path(source.shown), job, limits or Limits.chosen())
        try:
            self._child.read()
            with storage_errors(path.parent):
                self._file = path.open("xb", buffering=0)
        except VideoError as problem:
            raise self._named(problem) from None
        except BaseException:
            self._child.close()
            raise
        self._thread = threading.Thread(target=self._run, name="recording", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End it and close the file, whole."""
        self._stopping = True
        if not self.ended:
            self._child.stop()
        self._thread.join(_PATIENCE_S)
        self._child.close()
        self._thread.join()

    def _named(self, problem: VideoError) -> VideoError:
        """By an address that may be shown; a Path takes a stroke out of it."""
        return type(problem)(self._source.shown, problem.what, advice=problem.advice)

    def _run(self) -> None:
        ended = "failed"
        try:
            ended = self._write()
        except VideoError as problem:
            if self._stopping:  # it sent nothing, and was let go of
                ended = "stopped"
            else:
                self.problem = self._named(problem)
        except StorageError as problem:
            self.problem = StorageError(problem.message, advice="Free some space, and record again.")
        except ToprockError as problem:
            self.problem = problem
        finally:
            self.ended = ended
            self._file.close()
            self._child.close()

    def _write(self) -> str:
        size = 0
        while True:
            kind, values, body = self._child.read()
            if kind == b"D":
                return str(values.get("ended", "lost"))
            at = _PLACE.unpack_from(body)[0] if kind == b"M" and len(body) > _PLACE.size else size + 1
            if at > size:
                raise self._child.nonsense()
            data = memoryview(body)[_PLACE.size :]
            with storage_errors(Path(self._file.name).parent):
                self._file.seek(at)
                while data:
                    data = data[self._file.write(data) :]
            size = max(size, at + len(body) - _PLACE.size)
