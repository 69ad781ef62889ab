"""The REST API: everything that the pages do, for programs.

Add a router here and it is under `/api/v1`, in the OpenAPI document, and under the rules of `toprock.web.guard`.
"""

from fastapi import APIRouter

from toprock.web.api import comparing, exports, jobs, judging, media, models, performances, settings, work

router = APIRouter()
for part in (performances, media, exports, comparing, work, judging, models, jobs, settings):
    router.include_router(part.router)
