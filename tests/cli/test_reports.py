"""Reports by the command line: a page, a PDF, a folder; of one, of many, of two; and wrong use in one line."""

import json
import re

import pytest


def test_a_folder_of_reports_with_dates_from_a_manifest(toprock, place, tmp_path):
    lines = (place / "in/manifest.csv").read_text().splitlines()
    dated = [lines[0] + ",date", *(f"{line},2026-0{i + 1}-15" for i, line in enumerate(lines[1:]))]
    names = [re.sub(r"performer[^,]*", "Ami" if i % 2 else "Bo", line) for i, line in enumerate(dated)]
    manifest = place / "in/dated.csv"
    manifest.write_text("\n".join([dated[0], *names[1:]]) + "\n")
    common = ("--features", place / "features", "--model", place / "model", "--manifest", manifest, "--json")
    out, told = toprock("score", *common, "--report", f"{tmp_path}/all/", "--pictures", "blur")
    assert len(json.loads(out)) == place.count
    assert told == f"report: {tmp_path}/all/index.html\n"
    index = (tmp_path / "all/index.html").read_text()
    assert "Progress over time" in index and index.count('<figure class="person">') == 2
    pages = [page for page in (tmp_path / "all").iterdir() if page.name != "index.html"]
    assert len(pages) == place.count
    assert all("data:image/jpeg" in page.read_text() and "pictures are blurred" in page.read_text() for page in pages)


def test_two_on_one_page_from_videos(toprock, place, tmp_path):
    files = (place.video(0), place.video(3))
    out, told = toprock("compare", *files, "--model", place / "model", "--json", "--report", tmp_path / "c.html")
    found = json.loads(out)
    html = (tmp_path / "c.html").read_text()
    assert "c.html" in told and "data:image/jpeg" in html
    assert all(f"<bdi>{found[side]}</bdi>" in html for side in "ab")
    shown = re.search(r"Where the difference of ([−+\d.]+) comes", html)
    assert float(shown[1].replace("−", "-")) == pytest.approx(found["difference"], abs=0.02)
    toprock("compare", *files, "--model", place / "model", "--report", tmp_path / "n.html", "--pictures", "none")
    assert "data:image" not in (tmp_path / "n.html").read_text()


def test_wrong_use_is_told_before_anything_is_judged(toprock, place, tmp_path):
    one = ("score", "battle-000", "--features", place / "features", "--model", place / "model")
    two = ("compare", "battle-000", "battle-001", *one[2:])
    for command, allowed in (
        ((*one, "--report", tmp_path / "r.txt"), ".html or .pdf, or a folder (ending in /)"),
        ((*two, "--report", f"{tmp_path}/r/"), ".html or .pdf."),
        ((*two, "--report", tmp_path), ".html or .pdf."),
        ((*one, "--pictures", "some"), "full, none, blur"),
        ((*two, "--pictures", "Blur"), "full, none, blur"),
    ):
        out, told = toprock(*command, status=2)
        assert out == "" and allowed in told and len(told.splitlines()) == 1
    assert list(tmp_path.iterdir()) == []


def test_a_pdf_from_the_command_line(toprock, place, tmp_path):
    pypdf = pytest.importorskip("pypdf")
    pytest.importorskip("weasyprint")
    toprock("score", place.video(0), "--model", place / "model", "--report", tmp_path / "r.pdf")
    text = " ".join(page.extract_text() for page in pypdf.PdfReader(tmp_path / "r.pdf").pages)
    assert "battle-000" in text and "How the score is made up" in text
