"""Judging pairs: what judges see, blind to names, scores and models."""

from __future__ import annotations

from fastapi import APIRouter, Request
from fastapi.responses import Response

from toprock.library import judgments
from toprock.web.rendering import page

router = APIRouter()


@router.get("/judge")
def judge(request: Request) -> Response:
    """Two videos beside each other: which was better?"""
    return page(request, "judge.html.j2", title="Judge", longest=judgments.LONGEST_NAME)
