"""Have a performance looked at, or scored, once more."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import BaseModel

from toprock.errors import NotThere, Refused
from toprock.library import catalogue, jobs, models
from toprock.web.depends import OWNER, TheLibrary

router = APIRouter(tags=["performances"], dependencies=OWNER)


class Begun(BaseModel):
    """A job that waits now: its number."""

    job: int


@router.post("/performances/{key}/look", status_code=202)
def look(
    library: TheLibrary,
    key: str,
    preview: Annotated[bool, Query(description="Also make a copy of the video that browsers play.")] = False,
) -> Begun:
    """Look at the performance's video: pictures, features, and where asked for a copy that browsers play."""
    row = catalogue.get(library, key)
    if preview and row.video.preview:
        raise Refused(
            "what is shown is a copy for browsers already", advice="Try another browser; this one may lack H.264."
        )
    title = f"Make a copy of {row.video.filename} that browsers play" if preview else f"Look at {row.name}"
    with library.write() as session:
        payload = {"preview": True} if preview else {}
        return Begun(job=jobs.enqueue(session, "extract", title, subject=row.video_key, payload=payload))


@router.post("/performances/{key}/score", status_code=202)
def score(library: TheLibrary, key: str, model: Annotated[str, Query(max_length=16)] = "") -> Begun:
    """Have the chosen model, or another one, score the performance."""
    row = catalogue.get(library, key)
    if row.state != "ready":
        raise Refused("this performance has not been looked at", advice="Wait for the job that looks at it.")
    with library.write() as session:
        found = models.get(session, model) if model else models.chosen(session)
        if found is None:
            raise NotThere("there is no model yet", advice="Judge some pairs, then train one.")
        title = f"Score {row.title} with {found.name}"
        return Begun(job=jobs.enqueue(session, "score", title, subject=found.key, payload={"performances": [row.key]}))
