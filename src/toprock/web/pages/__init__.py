"""The pages: one module each, named as people call it."""

from fastapi import APIRouter

from toprock.web.pages import compare, jobs, library, login, performance, train

router = APIRouter()
for part in (login, library, performance, compare, train, jobs):
    router.include_router(part.router)
