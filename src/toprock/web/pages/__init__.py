"""The pages: one module each, named as people call it."""

from fastapi import APIRouter

from toprock.web.pages import compare, jobs, judging, library, login, performance, train

router = APIRouter()
for part in (login, library, performance, compare, judging, train, jobs):
    router.include_router(part.router)
