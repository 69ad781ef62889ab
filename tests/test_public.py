"""The public face: names, light imports, and what no line of the tree may hold."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

import toprock

ROOT = Path(__file__).resolve().parents[1]
SOURCES = sorted((ROOT / "src").rglob("*.py"))
HEAVY = ("torch", "cv2", "av", "scipy", "numpy")


def test_all_is_sorted_and_every_name_resolves() -> None:
    assert toprock.__all__ == sorted(toprock.__all__)
    assert set(toprock._HOMES) <= set(toprock.__all__)
    for name in toprock.__all__:
        assert getattr(toprock, name) is not None


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = toprock.nothing


def test_importing_it_is_light() -> None:
    code = f"import sys, toprock\nprint(*set({HEAVY}) & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == []


def test_nothing_is_ever_unpickled() -> None:
    forbidden = re.compile(
        r"^\s*(import|from)\s+(pickle|dill|joblib|cloudpickle)\b|allow_pickle\s*=\s*True|weights_only\s*=\s*False"
        r"|\btorch\.(load|save)\("
    )
    assert SOURCES
    found = [
        f"{path}:{number}"
        for path in SOURCES
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
        if forbidden.search(line)
    ]
    assert found == []


def test_no_file_names_a_path_of_the_machine_it_was_made_on() -> None:
    texts = [
        *SOURCES,
        *(ROOT / "tests").rglob("*.py"),
        *(ROOT / "benchmarks").rglob("*.py"),
        *(ROOT / "docs").rglob("*.md"),
        *ROOT.glob("*.md"),
        *ROOT.glob("*.toml"),
    ]
    path = re.compile(r"""(?<![\w.])/(work|home|root|Users)/\w""")
    assert [str(t) for t in texts if path.search(t.read_text(encoding="utf-8"))] == []


@pytest.mark.parametrize("page", [*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")], ids=lambda page: page.name)
def test_links_between_the_documents_lead_somewhere(page) -> None:
    links = re.findall(r"\]\((?!https?:|#)([^)#\s]+)", page.read_text(encoding="utf-8"))
    assert [link for link in links if not (page.parent / link).exists()] == []
