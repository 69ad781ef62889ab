"""Two performances beside each other: how likely the one is the better one."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

from fastapi import APIRouter, Query
from fastapi.responses import Response

from toprock.library import catalogue
from toprock.library.evidence import evidence_of_two
from toprock.report import write_comparison
from toprock.report.pictures import Pictures
from toprock.web.api.document import file_of
from toprock.web.api.exports import REPORTS, ModelKey, ReportFormat, report_answer
from toprock.web.depends import OWNER, TheLibrary, TheModels

router = APIRouter(tags=["comparing"], dependencies=OWNER)
Key = Annotated[str, Query(max_length=16, description="A performance's key.")]


@router.get("/compare")
def compare(library: TheLibrary, models: TheModels, a: Key, b: Key, model: ModelKey = "") -> dict[str, Any]:
    """Which of two scored higher, and how sure that is, as `toprock compare --json` prints it."""
    one, two = evidence_of_two(library, a, b, model)
    return models.compared(one, two).to_json()


@router.get("/compare/report", response_class=Response, responses=file_of(*REPORTS))
def report(
    library: TheLibrary,
    models: TheModels,
    a: Key,
    b: Key,
    format: ReportFormat = "html",
    pictures: Pictures = "full",
    model: ModelKey = "",
) -> Response:
    """The page that `toprock compare --report` writes: one file that holds all it shows."""
    one, two = evidence_of_two(library, a, b, model)
    comparison = models.compared(one, two)
    told = {e.assessment.id: catalogue.performance_of(library, e.performance) for e in (one, two)}

    def write(path: Path) -> None:
        write_comparison(comparison, path, performances=told, pictures=pictures)

    title = f"{one.performance.title[:60]} against {two.performance.title[:60]}"
    return report_answer(library, write, format, title)
