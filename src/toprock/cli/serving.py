"""The command that opens the judging room: serve."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from toprock.cli.app import app
from toprock.cli.common import say
from toprock.errors import UsageError


@app.command()
def serve(
    library: Annotated[Path, typer.Argument(help="Folder of the library: a new one, or one that was made before.")],
    host: Annotated[
        str, typer.Option(help="Address to listen at; any but this machine's own needs a password.")
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port to listen at; 0 takes a free one.")] = 8000,
    database: Annotated[
        str,
        typer.Option(help="SQLAlchemy URL, as postgresql+psycopg://user@host/name; by default a file in the folder."),
    ] = "",
    allow_host: Annotated[
        list[str] | None,
        typer.Option("--allow-host", help="A further name by which browsers call the room; needs a password."),
    ] = None,
    videos: Annotated[
        list[Path] | None,
        typer.Option("--videos", help="A folder that may be pointed at when the room is open to a network."),
    ] = None,
    dynamic: Annotated[
        str | None, typer.Option(help="Backbone of the dynamic stream, or none; kept.", show_default=False)
    ] = None,
    static: Annotated[
        str | None, typer.Option(help="Backbone of the static stream, or none; kept.", show_default=False)
    ] = None,
    workers: Annotated[
        int | None, typer.Option(min=1, max=64, help="Processes that look, train and score.", show_default=False)
    ] = None,
) -> None:
    """Open the judging room: bring videos, compare pairs, train, score, see why. Stop it with Ctrl-C.

    Passwords are read from TOPROCK_PASSWORD (owner) and TOPROCK_JUDGE_PASSWORD (those who only judge).
    """
    try:
        import uvicorn  # noqa: F401

        from toprock.web.serving import serve as run
    except ImportError as problem:
        raise UsageError(
            f"the room needs a part that is not installed ({problem.name})",
            advice="Install it: pip install 'toprock[web]'.",
        ) from None
    from toprock.library import Bounds, Library
    from toprock.video import Limits
    from toprock.web import Settings

    bounds = Bounds.chosen()
    Limits.chosen()  # a mistake in them is told here, not by every job
    settings = Settings(
        host=host,
        port=port,
        password=os.environ.get("TOPROCK_PASSWORD", ""),
        judge_password=os.environ.get("TOPROCK_JUDGE_PASSWORD", ""),
        hosts=tuple(allow_host or ()),
        folders=tuple(videos or ()),
        max_upload=bounds.max_upload_mb << 20,
        stall_s=bounds.upload_stall_s,
        max_connections=bounds.max_connections,
    )
    shown = Library(library, database=database)
    if dynamic is not None or static is not None:
        shown.set_backbones(dynamic, static)
    run(shown, settings, workers=workers, say=say)
