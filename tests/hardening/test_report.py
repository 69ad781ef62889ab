"""The report on reliability: its sections, and that every test it names is there."""

from __future__ import annotations

import importlib
from pathlib import Path

import pytest

from hardening import __main__ as report
from hardening.chapter import Chapter, Scale, Table
from hardening.chapters import threats


def test_every_threat_has_tests_that_are_there():
    assert threats.missing() == []
    assert all(len(threats.named(tests)) >= 1 for _, _, tests in threats.THREATS)


def test_a_missing_test_is_told(monkeypatch):
    monkeypatch.setattr(threats, "THREATS", (("a", "b", "test_public.py: test_gone; gone.py: test_x"),))
    assert threats.run(Scale(False, Path())).lost == ["test_public.py: test_gone", "gone.py: test_x"]


@pytest.fixture
def written(tmp_path, monkeypatch):
    monkeypatch.setattr(report, "REPORT", tmp_path / "reliability.md")
    return report.REPORT


def test_a_chapter_replaces_its_own_section_and_no_other(written):
    chapter = Chapter("It was tried.", [Table(["what", "times"], [["a|b", 1200]])], ["one was lost"], ["A note."])
    report.write_down("faults", Chapter("None.").markdown("A machine that fails", "faults", 1))
    report.write_down("kills", chapter.markdown("Killed at random moments", "kills", 2))
    before = written.read_text()
    assert before.index("## Killed") < before.index("## A machine that fails")
    assert "| a\\|b | 1,200 |" in before
    assert "**1 went wrong:**\n\n- one was lost" in before
    report.write_down("kills", Chapter("Again.").markdown("Killed at random moments", "kills", 3))
    after = written.read_text()
    assert after.count("## Killed at random moments") == 1
    assert "one was lost" not in after
    assert after.partition("## A machine")[2] == before.partition("## A machine")[2]


@pytest.mark.parametrize("name", report.CHAPTERS)
def test_every_chapter_can_be_run(name):
    assert callable(importlib.import_module(f"hardening.chapters.{name}").run)


def test_chapters_that_do_not_exist_are_refused(monkeypatch, capsys):
    monkeypatch.setattr("sys.argv", ["hardening", "nonsense"])
    with pytest.raises(SystemExit):
        report.main()
    assert "no chapter nonsense; there are threats, fuzz_videos" in capsys.readouterr().err
