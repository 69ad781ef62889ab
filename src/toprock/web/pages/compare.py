"""Two performances in step."""

from fastapi import APIRouter

router = APIRouter()
