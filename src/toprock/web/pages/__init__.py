"""The pages: one module each, named as people call it."""

from fastapi import APIRouter

from toprock.web.pages import compare, library, login, performance

router = APIRouter()
for part in (login, library, performance, compare):
    router.include_router(part.router)
