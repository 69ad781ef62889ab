"""The door: a password where the room is open to others."""

from __future__ import annotations

import asyncio
from typing import Annotated

from fastapi import APIRouter, Form, Request
from fastapi.responses import RedirectResponse, Response
from starlette.concurrency import run_in_threadpool

from toprock.web.access import COOKIE, Access, TooManyTries
from toprock.web.rendering import page, visitor_of

router = APIRouter()
_STAYS_S = 14 * 86_400


@router.get("/login")
def door(request: Request, then: str = "/") -> Response:
    """Ask for the password; who is let in already goes on."""
    if visitor_of(request).role:
        return RedirectResponse(_inside(then), 303)
    return page(request, "login.html.j2", title="Come in", then=_inside(then), wrong="")


@router.post("/login")
async def enter(
    request: Request, password: Annotated[str, Form(max_length=1000)] = "", then: Annotated[str, Form()] = "/"
) -> Response:
    """Let somebody in."""
    access: Access = request.app.state.access
    address = request.client.host if request.client else ""
    try:
        role, cookie = await run_in_threadpool(access.enter, password, address)
    except TooManyTries:
        wrong = "Too many wrong passwords. Wait a minute."
        return page(request, "login.html.j2", status=429, title="Come in", then=_inside(then), wrong=wrong)
    if not role:
        await asyncio.sleep(0.5)
        return page(
            request, "login.html.j2", status=403, title="Come in", then=_inside(then), wrong="That is not the password."
        )
    answer = RedirectResponse(_inside(then) if role == "owner" else "/judge", 303)
    secure = request.url.scheme == "https" or request.headers.get("x-forwarded-proto") == "https"
    answer.set_cookie(COOKIE, cookie, max_age=_STAYS_S, httponly=True, samesite="strict", secure=secure)
    return answer


@router.post("/logout")
async def leave(request: Request) -> Response:
    """Forget who it was."""
    await run_in_threadpool(request.app.state.access.leave, request.cookies.get(COOKIE, ""))
    answer = Response(status_code=204)
    answer.delete_cookie(COOKIE)
    return answer


def _inside(then: str) -> str:
    """An address of this room, and of no other site."""
    return then if then.startswith("/") and not then.startswith(("//", "/\\")) and "\\" not in then else "/"
