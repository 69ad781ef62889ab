"""A folder of reports: an index and a page a performance, linked both ways; and progress over dates."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from strict import Document

from toprock.assess.assessment import Assessment
from toprock.errors import UsageError
from toprock.performance import Performance
from toprock.report import render_report, write_report
from toprock.report.progress import progress

Make = Callable[..., Assessment]
Club = tuple[list[Assessment], dict[str, Performance]]


def links(file: Path) -> list[str]:
    html = file.read_text(encoding="utf-8")
    return [a["href"] for tag, a in Document(html).elements if tag == "a" and not a["href"].startswith("#")]


def test_every_page_is_there_and_linked_both_ways(club: Club, tmp_path: Path) -> None:
    index = write_report(club[0], f"{tmp_path}/new/", performances=club[1])
    assert index == tmp_path / "new/index.html"
    pages = sorted(p.name for p in index.parent.iterdir())
    assert len(pages) == len(club[0]) + 1 and set(links(index)) == set(pages) - {"index.html"}
    ranking = re.findall(r'<th scope="row" data-value="[^"]*"><a href="([^"]+)"', index.read_text(encoding="utf-8"))
    for i, name in enumerate(ranking):
        around = [ranking[j] for j in (i - 1, i + 1) if 0 <= j < len(ranking)]
        assert links(index.parent / name) == ["index.html", *around]


def test_a_folder_that_is_there_is_written_into(club: Club, tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("x")
    write_report(club[0][:2], tmp_path, performances=club[1])
    assert (tmp_path / "index.html").exists() and (tmp_path / "mine.txt").read_text() == "x"


def test_hostile_ids_make_safe_files(make_assessment: Make, tmp_path: Path) -> None:
    ids = ["../../up", "a/b", "a b", "A B", "x" * 300, "<img src=x>", "\ud800"]
    index = write_report([make_assessment(name, seed=i) for i, name in enumerate(ids)], f"{tmp_path}/r/")
    found = [p.name for p in index.parent.iterdir()]
    assert len(found) == len(ids) + 1 and all(re.fullmatch(r"[a-z0-9-]+\.html", name) for name in found)
    assert [p.name for p in tmp_path.iterdir()] == ["r"]


def test_pages_share_scales_and_numbers_with_the_index(club: Club, tmp_path: Path) -> None:
    index = write_report(club[0], f"{tmp_path}/r/", performances=club[1])
    scores = re.findall(r'<td class="num score"[^>]*>([^<]+)<', index.read_text(encoding="utf-8"))
    for score, page in zip(scores, dict.fromkeys(links(index)[1:]), strict=True):
        assert f"Score <b>{score}</b>" in (index.parent / page).read_text(encoding="utf-8")


def test_numbers_that_cannot_be_shown_leave_no_folder(make_assessment: Make, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="not finite"):
        write_report([make_assessment(), make_assessment("b", bias=float("inf"))], f"{tmp_path}/r/")
    assert list(tmp_path.iterdir()) == []


def test_other_endings_are_refused(club: Club, tmp_path: Path) -> None:
    for name in ("report", "report.txt", "report.docx"):
        with pytest.raises(UsageError, match=r"\.html or \.pdf, or a folder"):
            write_report(club[0], tmp_path / name)
    with pytest.raises(UsageError, match="full, none, blur"):
        write_report(club[0], tmp_path / "r.html", pictures="some")  # type: ignore[arg-type]


def test_progress_is_drawn_by_date_with_intervals(club: Club) -> None:
    found = progress(*club)
    assert found and [person.name for person in found.people] == ["Ami Tanaka", "Bo Lindqvist"]
    assert found.undated == ["night/6"]
    ami = found.people[0]
    assert [p.date for p in ami.points] == ["2026-01-10", "2026-02-14", "2026-03-01"]
    assert [p.value for p in ami.points] == ["20", "56", "38"]
    assert all(p.high < p.y < p.low for p in ami.points)
    days = [(p.x - ami.points[0].x) / (ami.points[-1].x - ami.points[0].x) for p in ami.points]
    assert days[1] == pytest.approx(35 / 50, abs=1e-3)
    assert ami.sentence == (
        "3 performances: from 20 (5 to 32) on 2026-01-10 to 38 (23 to 50) on 2026-03-01."
        " The first and the last interval overlap."
    )


def test_progress_stands_in_one_file_and_in_words(club: Club) -> None:
    html = render_report(club[0], performances=club[1])
    words = Document(html).words()
    assert "1 performance has no date like 2026-03-01 and is not drawn: night/6." in words
    assert html.count('<figure class="person">') == 2 and "Ami Tanaka over time" in words
    assert "Progress over time" not in render_report(club[0])


def test_progress_without_a_scale_of_many_on_a_day_and_of_several_performers(make_assessment: Make) -> None:
    them = [make_assessment(f"p-{i}", seed=i) for i in range(9)]
    known = {a.id: Performance(a.id, Path("v"), (), "Ami; Bo", extra={"date": "2026-03-01T20:00"}) for a in them}
    found = progress(them, known)
    assert found and [p.name for p in found.people] == ["Ami", "Bo"] and found.measure == "Score"
    places = [p.x for p in found.people[0].points]
    assert places == sorted(set(places)) and places[-1] <= 92.01
    assert found.people[0].sentence.endswith("This model gives no intervals.")
    assert progress([them[0], make_assessment("p-1", model={"name": "other"})], known) is None
