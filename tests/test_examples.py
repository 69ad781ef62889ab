"""What the documents tell a reader to type runs: the README's commands and code, and every docstring's."""

import doctest
import importlib
import pkgutil
import re
import shlex
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

import toprock as library

README = (Path(__file__).resolve().parents[1] / "README.md").read_text(encoding="utf-8")
MODULES = [
    "toprock",
    *(m.name for m in pkgutil.walk_packages(library.__path__, "toprock.") if "__main__" not in m.name),
]


def blocks(text):
    """Indented blocks of a Markdown text."""
    found = re.findall(r"(?:^ {4}.*\n|^\n(?= {4}))+", text, flags=re.MULTILINE)
    return [re.sub(r"^ {4}", "", block, flags=re.MULTILINE).strip() for block in found]


@pytest.fixture(scope="session")
def desk(place, tmp_path_factory):
    """A folder that holds what the examples name."""
    folder = tmp_path_factory.mktemp("desk")
    shutil.copytree(place / "model", folder / "model")
    (folder / "features").symlink_to(place / "features")
    for number, name in enumerate(("battle", "final/anna", "semi/anna", "new", "a", "b")):
        (folder / f"{name}.mp4").parent.mkdir(exist_ok=True)
        (folder / f"{name}.mp4").symlink_to(place.video(number))
    return folder


@pytest.mark.parametrize("name", [m for m in MODULES if ">>>" in Path(importlib.util.find_spec(m).origin).read_text()])
def test_docstrings(name, desk, monkeypatch):
    monkeypatch.chdir(desk)
    module = importlib.import_module(name)
    done = doctest.testmod(module, extraglobs={"toprock": library}, raise_on_error=False, report=True)
    assert done.attempted > 0
    assert done.failed == 0


def test_no_example_is_skipped():
    files = Path(library.__file__).parent.rglob("*.py")
    assert [str(file) for file in files if "doctest: +SKIP" in file.read_text(encoding="utf-8")] == []


def test_the_library_example_of_the_readme(desk, monkeypatch, capsys):
    monkeypatch.chdir(desk)
    (code,) = [block for block in blocks(README) if "import toprock" in block]
    exec(compile(code, "README.md", "exec"), {})
    score, *moments, verdict = capsys.readouterr().out.splitlines()
    model = library.load("model")
    assert float(score.split()[0]) == pytest.approx(model.assess("new.mp4").score)
    assert {line.split()[0] for line in moments} <= {"best", "worst"}
    assert verdict == model.compare("a.mp4", "b.mp4").verdict


def test_the_commands_of_the_readme(toprock, place, tmp_path):
    (commands,) = [block for block in blocks(README) if block.startswith("toprock extract")]
    (tmp_path / "VIDEOS").mkdir()
    for number in range(4):
        video = tmp_path / f"VIDEOS/battle-{number:03}.mp4"
        subprocess.run(["ffmpeg", "-v", "error", "-i", place.video(number), "-t", "5", "-c", "copy", video], check=True)
    for number, name in enumerate(("NEW", "A", "B")):
        (tmp_path / f"{name}.mp4").symlink_to(tmp_path / f"VIDEOS/battle-{number:03}.mp4")
    few = {f"battle-{number:03}" for number in range(4)}
    pairs = [line for line in (place / "pairs.txt").read_text().splitlines() if set(line.split()) <= few]
    for name in ("pairs.txt", "test.txt"):
        (tmp_path / name).write_text("\n".join(pairs))
    done = []
    for line in commands.splitlines():
        name, *arguments = shlex.split(line, comments=True)
        assert name == "toprock"
        toprock(*arguments, cwd=tmp_path)
        done.append(arguments[0])
    assert done == ["extract", "train", "score", "rank", "compare", "evaluate"]
    assert "<html" in (tmp_path / "report.html").read_text(encoding="utf-8")


def test_the_commands_of_the_readme_that_hand_on(desk, toprock):
    (commands,) = [block for block in blocks(README) if block.startswith("toprock overlay")]
    (desk / "NEW.mp4").symlink_to(desk / "new.mp4")
    for line in commands.splitlines():
        name, *arguments = shlex.split(line)
        assert name == "toprock"
        out, _ = toprock(*arguments, cwd=desk)
        assert all((desk / file).stat().st_size for file in out.splitlines())


def test_the_commands_on_features_of_the_readme(toprock, tmp_path):
    (commands,) = [block for block in blocks(README) if block.startswith("toprock features import")]
    (tmp_path / "I3D").mkdir()
    for number in range(4):
        np.savez(tmp_path / f"I3D/v{number}_rgb.npz", np.random.default_rng(number).normal(size=(12, 8)) + number)
    (tmp_path / "times.csv").write_text("id,start_s,end_s\n" + "".join(f"v{n},0,{24 + n}\n" for n in range(4)))
    (tmp_path / "pairs.txt").write_text("v1 v0\nv2 v1\nv3 v2\nv3 v0\n")
    for line in commands.splitlines():
        name, *arguments = shlex.split(line)
        assert name == "toprock"
        out, _ = toprock(*arguments, *(["--steps", "2"] if arguments[0] == "train" else []), cwd=tmp_path)
    assert all(f"v{number} " in out for number in range(4))


def test_the_commands_of_the_page_on_brace(toprock, championship, tmp_path):
    page = (Path(__file__).resolve().parents[1] / "docs/brace.md").read_text(encoding="utf-8")
    (commands,) = [block for block in blocks(page) if block.startswith("toprock")]
    shutil.copytree(championship.folder, tmp_path / "BRACE", ignore=shutil.ignore_patterns("videos", "prepared"))
    (tmp_path / "VIDEOS").symlink_to(championship.folder / "videos")
    for line in commands.splitlines():
        _, *arguments = shlex.split(line)
        short = ("--steps", 5) if arguments[0] == "train" else ()
        out, _ = toprock(*arguments, *short, cwd=tmp_path)
    assert [line.split()[0] for line in out.splitlines()] == [str(place) for place in range(1, 7)]
    assert all(f"{battle.year}/{battle.video_id}/" in out for battle in championship.battles)
    (code,) = [block for block in blocks(page) if "import" in block]
    assert code == 'from toprock.synthetic import render_battles\n\nrender_battles("championship", count=6, seed=1)'
    compile(code, "brace.md", "exec")


def test_the_pairs_and_the_manifest_of_the_readme(tmp_path):
    (pairs,) = [block for block in blocks(README) if "anna" in block]
    (tmp_path / "pairs.txt").write_text(pairs)
    assert [(p.better, p.worse) for p in library.read_pairs(tmp_path / "pairs.txt")] == [
        ("semi/anna", "semi/bert"),
        ("semi/bert", "semi/cleo"),
    ]
    header, spans = (
        re.search(pattern, README)[1] for pattern in (r"`(id,video,[a-z,]+)`", r"`([\d.]+-[\d.]+;[\d.-]+)`")
    )
    (tmp_path / "m.csv").write_text(f"{header}\none,one.mp4,{spans},Ann,final\n")
    (one,) = library.read_manifest(tmp_path / "m.csv")
    assert one.intervals == ((12.0, 45.5), (60.0, 70.0))
    assert (one.performer, one.event) == ("Ann", "final")
