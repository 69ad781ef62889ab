"""What routes are given: the library, the owner or anybody who is let in."""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends, HTTPException, Request

from toprock.library import Library
from toprock.library.loaded import Loaded
from toprock.web.rendering import library_of, visitor_of


def _owner(request: Request) -> None:
    if visitor_of(request).role != "owner":
        raise HTTPException(403, "this is the owner's; judges may watch and judge")


def _models(request: Request) -> Loaded:
    found: Loaded = request.app.state.models
    return found


TheLibrary = Annotated[Library, Depends(library_of)]
TheModels = Annotated[Loaded, Depends(_models)]
OWNER = [Depends(_owner)]
"""Dependencies of routes that are the owner's alone."""
