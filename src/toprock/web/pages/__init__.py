"""The pages: one module each, named as people call it."""

from fastapi import APIRouter

from toprock.web.pages import library, login

router = APIRouter()
for part in (login, library):
    router.include_router(part.router)
