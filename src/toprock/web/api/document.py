"""What the OpenAPI document says of all routes: how to be let in, how errors look, and which kinds files are of."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fastapi import Security
from fastapi.security import HTTPBearer
from pydantic import BaseModel

_TOKEN = HTTPBearer(
    scheme_name="token", description="The token of the library: the file `token` in its folder.", auto_error=False
)
TOKEN = [Security(_TOKEN)]
"""Dependencies that put the token into the document; `toprock.web.guard` is who looks at it."""


class Problem(BaseModel):
    """What went wrong, and what to do about it."""

    error: str
    advice: str


PROBLEMS: Mapping[int | str, dict[str, Any]] = {
    status: {"model": Problem, "description": text}
    for status, text in {
        401: "Not let in: the token, or a password, is missing or wrong.",
        403: "The owner's alone, or asked for by the page of another site.",
        404: "Not there, or no more.",
        409: "Cannot be done as things stand.",
        413: "Too large.",
        422: "Not as it should be.",
        507: "The disk is full.",
    }.items()
}


def file_of(*kinds: str) -> dict[int | str, dict[str, Any]]:
    """Responses of a route that answers with a file of these kinds.

    >>> list(file_of("text/csv")[200]["content"])
    ['text/csv']
    """
    return {200: {"description": "The file.", "content": _binary(kinds)}}


def body_of(*kinds: str) -> dict[str, Any]:
    """What a route that reads its body as a file says of that.

    >>> body_of("text/csv")["requestBody"]["required"]
    True
    """
    return {"requestBody": {"required": True, "content": _binary(kinds)}}


def _binary(kinds: tuple[str, ...]) -> dict[str, Any]:
    is_file = {"schema": {"type": "string", "format": "binary"}}
    return {kind: {} if kind == "application/json" else is_file for kind in kinds}
