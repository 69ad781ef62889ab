"""The room as an ASGI application."""

from __future__ import annotations

import traceback
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from threading import Thread

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import HTMLResponse, JSONResponse, PlainTextResponse, Response
from fastapi.staticfiles import StaticFiles
from starlette.exceptions import HTTPException

from toprock._version import __version__
from toprock.errors import StorageError, ToprockError
from toprock.library import Library
from toprock.library.loaded import Loaded
from toprock.shortage import lacking
from toprock.web import api, pages
from toprock.web.access import Access
from toprock.web.api.document import PROBLEMS, TOKEN
from toprock.web.guard import Guard
from toprock.web.rendering import page, problem, warm
from toprock.web.settings import Settings

_HERE = Path(__file__).parent
_REPORT = ("report.css", "trust.css", "pages.css")
_ABOUT = """Everything that the pages do. Reads need what the pages need; writes need the token of the library
(`Authorization: Bearer ...`, the file `token` in its folder). Errors are `{"error": ..., "advice": ...}`."""


def create_app(library: Library, settings: Settings | None = None) -> FastAPI:
    """The room of a library, without workers and without what only one server may do: see `toprock.web.serving`.

    Args:
        library: what it shows.
        settings: to whom it is open.

    >>> import tempfile
    >>> create_app(Library(tempfile.mkdtemp())).title
    'Toprock'
    """
    settings = settings or Settings()

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        Thread(target=warm, daemon=True).start()
        yield

    app = FastAPI(
        title="Toprock",
        version=__version__,
        description=_ABOUT,
        lifespan=lifespan,
        docs_url=None,
        redoc_url=None,
        openapi_url="/api/openapi.json",
    )
    app.state.library, app.state.settings = library, settings
    app.state.models = Loaded(library)
    access = app.state.access = Access(library, settings)
    app.include_router(api.router, prefix="/api/v1", dependencies=TOKEN, responses={**PROBLEMS})
    app.include_router(pages.router, include_in_schema=False)
    app.mount("/static", StaticFiles(directory=_HERE / "static"), name="static")
    _styles_of_the_report(app)
    _errors(app)

    @app.get("/healthz", include_in_schema=False)
    def health() -> PlainTextResponse:
        return PlainTextResponse("ok\n")

    app.add_middleware(Guard, access=access, settings=settings)
    return app


def _styles_of_the_report(app: FastAPI) -> None:
    """The room looks like the reports that it writes."""
    from toprock.report.layout import asset

    css = "\n".join(map(asset, _REPORT))

    @app.get("/static-report.css", include_in_schema=False)
    def styles() -> Response:
        return Response(css, media_type="text/css", headers={"cache-control": "max-age=3600"})


def _errors(app: FastAPI) -> None:
    @app.exception_handler(ToprockError)
    def known(request: Request, trouble: ToprockError) -> Response:
        return problem(request, trouble)

    @app.exception_handler(OSError)
    @app.exception_handler(MemoryError)
    def short(request: Request, trouble: OSError | MemoryError) -> Response:
        if (known := lacking(trouble)) is not None:
            return problem(request, known)
        traceback.print_exception(trouble)  # a disk, or a mistake of ours
        name = Path(str(getattr(trouble, "filename", None) or "a file")).name  # where it lies is nobody's business
        what = f"{name}: {getattr(trouble, 'strerror', None) or 'cannot be used'}"
        advice = "See to it that the disk of the library is there, has room and may be written."
        return problem(request, StorageError(what, advice=advice))

    @app.exception_handler(RequestValidationError)
    def malformed(request: Request, trouble: RequestValidationError) -> Response:
        first = trouble.errors()[0]
        where = " ".join(str(part) for part in first.get("loc", ()) if part not in ("body", "query", "path"))
        text = f"{where}: {first.get('msg', 'is not as it should be')}".lstrip(": ")
        if request.url.path.startswith("/api/"):
            return JSONResponse({"error": text, "advice": "See /api/openapi.json for what is allowed."}, 422)
        return page(
            request, "error.html.j2", status=422, title="That did not work", error=text, advice="Go back and mend it."
        )

    @app.exception_handler(HTTPException)
    def http(request: Request, trouble: HTTPException) -> Response:
        status, text, advice = trouble.status_code, str(trouble.detail), ""
        if status == 400:  # FastAPI's word for bodies that it cannot take apart
            status, text, advice = 422, "the body cannot be read", "Send what /api/openapi.json says, in UTF-8."
        elif status == 404:
            text, advice = "there is no such page", "It may have been deleted, or the address is wrong."
        if request.url.path.startswith("/api/"):
            return JSONResponse({"error": text, "advice": advice}, status, trouble.headers)
        title = {403: "The owner’s alone", 422: "That did not work"}.get(status, "Nothing here")
        found: HTMLResponse = page(request, "error.html.j2", status=status, title=title, error=text, advice=advice)
        return found
