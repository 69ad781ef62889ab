"""Models: train, choose which one scores, look into, take along, delete."""

from __future__ import annotations

import zipfile
from tempfile import SpooledTemporaryFile
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import PlainTextResponse, Response, StreamingResponse
from pydantic import BaseModel, Field

from toprock.files import name_of
from toprock.library import models, tables
from toprock.library.database import setting
from toprock.library.library import Library
from toprock.web.api.document import file_of
from toprock.web.api.performances import Place, allowed
from toprock.web.depends import OWNER, TheLibrary

router = APIRouter(tags=["models"], dependencies=OWNER)
FILES = ("model.safetensors", "config.json", "README.md")


class Wanted(BaseModel):
    """A training on the comparisons that have been collected."""

    criterion: str = Field("", max_length=200, description="Which comparisons to learn from.")
    name: str = Field("", max_length=200, description="Of the model, for people.")
    start_from: str = Field("", max_length=16, description="Key of a model to go on from, and to stay near.")


@router.get("/models")
def listed(library: TheLibrary) -> list[dict[str, Any]]:
    """All models, the newest first."""
    with library.read() as session:
        chosen, found = setting(session, "model"), models.listed(session)
    return [_model(library, model, chosen) for model in found]


@router.post("/models", status_code=202)
def train(library: TheLibrary, wanted: Wanted) -> dict[str, int]:
    """Train on the comparisons of a criterion; the answer names the job."""
    number = models.begin_training(library, criterion=wanted.criterion, name=wanted.name, start_from=wanted.start_from)
    return {"job": number}


@router.post("/models/folder", status_code=201)
def bring(request: Request, library: TheLibrary, place: Place) -> dict[str, Any]:
    """Take in a model folder that `toprock train` made elsewhere, on the machine that serves the room."""
    source = allowed(place.path, request.app.state.settings)
    return one(library, models.bring(library, source))


@router.get("/models/{key}")
def one(library: TheLibrary, key: str) -> dict[str, Any]:
    """One model and what is told of it."""
    with library.read() as session:
        found, chosen = models.get(session, key), setting(session, "model")
    return _model(library, found, chosen)


@router.post("/models/{key}/choose")
def choose(library: TheLibrary, key: str) -> dict[str, Any]:
    """Have this model score from now on, and all that it has not scored."""
    models.choose(library, key)
    return one(library, key)


@router.delete("/models/{key}")
def delete(library: TheLibrary, key: str) -> dict[str, int]:
    """Delete a model and all that it said."""
    models.remove(library, key)
    return {"deleted": 1}


@router.get("/models/{key}/card", response_class=Response, responses=file_of("text/markdown"))
def card(library: TheLibrary, key: str) -> PlainTextResponse:
    """The model card, as Markdown."""
    return PlainTextResponse(models.card_of(library, key), media_type="text/markdown; charset=utf-8")


@router.get("/models/{key}/folder", response_class=Response, responses=file_of("application/zip"))
def folder(library: TheLibrary, key: str) -> Response:
    """The model folder as a zip file, for `toprock score --model` elsewhere."""
    with library.read() as session:
        name = name_of(models.get(session, key).name)
    place = library.folder.model(key)
    packed = SpooledTemporaryFile(max_size=64 << 20)  # noqa: SIM115 - closed when the answer has been sent
    with zipfile.ZipFile(packed, "w") as archive:
        for file in FILES:
            if (place / file).is_file():
                archive.write(place / file, f"{name}/{file}")
    packed.seek(0)
    headers = {"content-disposition": f'attachment; filename="model-{key}.zip"'}

    def parts() -> Any:
        with packed:
            yield from iter(lambda: packed.read(1 << 20), b"")

    return StreamingResponse(parts(), media_type="application/zip", headers=headers)


def _model(library: Library, model: tables.Model, chosen: str) -> dict[str, Any]:
    return {
        "key": model.key,
        "name": model.name,
        "criterion": model.criterion,
        "chosen": model.key == chosen,
        "created": model.created.isoformat(timespec="seconds") + "Z",
        **models.told_of(library, model),
    }
