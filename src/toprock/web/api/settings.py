"""How the library as a whole is kept."""

from __future__ import annotations

from fastapi import APIRouter
from pydantic import BaseModel, Field

from toprock.library import catalogue
from toprock.web.depends import OWNER, TheLibrary

router = APIRouter(tags=["settings"], dependencies=OWNER)


class Kept(BaseModel):
    """After how many days performances are deleted with all their traces; 0 keeps them."""

    retention_days: int = Field(ge=0, le=36_500, strict=True)


@router.get("/settings")
def settings(library: TheLibrary) -> Kept:
    """How long performances are kept."""
    return Kept(retention_days=catalogue.retention_days(library))


@router.put("/settings")
def change(library: TheLibrary, kept: Kept) -> Kept:
    """Change how long performances are kept; what is older already goes at once."""
    catalogue.set_retention(library, kept.retention_days)
    catalogue.expire(library)
    return settings(library)
