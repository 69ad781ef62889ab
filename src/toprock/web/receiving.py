"""Bodies of requests as files: counted as they come, ended where they fall silent; what fails leaves nothing."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

from fastapi import Request
from starlette.concurrency import run_in_threadpool

from toprock.errors import Refused, StorageError, VideoTooLarge
from toprock.files import storage_errors
from toprock.library import intake, tables
from toprock.library.library import Library

_LOOK_AGAIN = 64 << 20
"""Bytes after which the disk is looked at again."""


async def received(
    request: Request, library: Library, *, what: str, largest: int, stall_s: float, advice: str = ""
) -> Path:
    """The body of a request as a file among uploads, which the caller moves or removes.

    Args:
        request: whose body.
        library: where to.
        what: the body for people, as "the upload".
        largest: bytes that it may have.
        stall_s: seconds that it may say nothing.
        advice: what to do with one that is larger.

    Raises:
        VideoTooLarge: it is larger than that.
        StorageError: the disk has no room for it.
        Refused: it broke off, or said nothing for so long.
    """
    too_large = VideoTooLarge(what, f"it is larger than {_told(largest)}", advice=advice)
    declared = request.headers.get("content-length", "")
    expected = int(declared) if declared.isdecimal() else 0
    if expected > largest:
        raise too_large
    _check_room(library, what, expected)
    path = library.folder.incoming / tables.new_key()
    size, looked = 0, 0
    try:
        with storage_errors(path), path.open("wb") as file:
            async for chunk in _chunks(request, what, stall_s):
                size += len(chunk)
                if size > largest:
                    raise too_large
                if size - looked > _LOOK_AGAIN:
                    looked = size
                    await run_in_threadpool(_check_room, library, what, max(0, expected - size))
                await run_in_threadpool(file.write, chunk)
        if expected and size != expected:
            raise Refused(f"{what} broke off", advice="Bring it again.")
        return path
    except BaseException:
        path.unlink(missing_ok=True)
        raise


async def _chunks(request: Request, what: str, stall_s: float) -> AsyncIterator[bytes]:
    """The body as it comes.

    Raises:
        Refused: nothing came for so long.
    """
    stream = request.stream().__aiter__()
    while True:
        try:
            chunk = await asyncio.wait_for(anext(stream), stall_s)
        except StopAsyncIteration:
            return
        except TimeoutError:
            raise Refused(f"{what} sent nothing for {stall_s:g} s", advice="Bring it again.") from None
        yield chunk


def _check_room(library: Library, what: str, size: int) -> None:
    if not intake.room_for(library, size):
        raise StorageError(
            f"the disk has no room for {what}", advice="Free some space; videos can also be pointed at where they are."
        )


def _told(size: int) -> str:
    return f"{size >> 20} MB" if size >= 1 << 20 else f"{size} bytes"
