"""The pages: one module each, named as people call it."""

from fastapi import APIRouter

from toprock.web.pages import jobs, judging, library, login, train

router = APIRouter()
for part in (login, library, judging, train, jobs):
    router.include_router(part.router)
