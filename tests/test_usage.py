"""Every use is noted on this machine, whole, and can be taken out or deleted."""

import csv
import io
import json
import threading

import pytest

from toprock import usage
from toprock.errors import StorageError


@pytest.fixture
def log(tmp_path, monkeypatch):
    path = tmp_path / "state/uses.jsonl"
    monkeypatch.setenv("TOPROCK_LOG", str(path))
    return path


def test_a_use_is_kept_with_what_when_which_model_and_result(log, tmp_path):
    model = tmp_path / "model"
    model.mkdir()
    (model / "model.safetensors").write_bytes(b"weights")
    results = [{"id": "a", "score": 1.5, "scaled": 70.0}, {"id": "b", "error": "no such video"}]
    assert usage.note("score", model, results)
    (use,) = usage.uses(log)
    assert (use["command"], use["model"], len(use["model_hash"])) == ("score", str(model), 16)
    assert use["results"] == results
    assert use["when"].endswith("+00:00")
    assert log.stat().st_mode & 0o077 == 0  # what was judged is nobody else's business


def test_uses_at_the_same_time_do_not_mix(log, tmp_path):
    def work(number):
        for _ in range(20):
            usage.note("score", tmp_path, [{"id": f"v{number}" * 50, "score": float(number)}])

    threads = [threading.Thread(target=work, args=(n,)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(list(usage.uses(log))) == 160


def test_a_line_that_a_crash_cut_short_loses_no_other(log, tmp_path):
    usage.note("score", tmp_path, [{"id": "a", "score": 1.0}])
    with log.open("a") as file:
        file.write('{"when": "2026-')
        file.write("\n")
    usage.note("score", tmp_path, [{"id": "b", "score": 2.0}])
    assert [use["results"][0]["id"] for use in usage.uses(log)] == ["a", "b"]


def test_lines_of_another_shape_are_passed_over_and_odd_ids_are_kept(log, tmp_path):
    log.parent.mkdir()
    log.write_text('{}\n[]\n{"results": null}\n{"results": [1, {"id": "x"}], "command": "score"}\n')
    usage.note("score", tmp_path, [{"id": "a\u2028b", "score": 1.0}])
    assert [use["results"] for use in usage.uses(log)] == [[{"id": "x"}], [{"id": "a\u2028b", "score": 1.0}]]
    assert len(usage.as_csv(usage.uses(log)).split("\n")) == 4


def test_without_a_home_nothing_is_noted_and_nobody_is_stopped(monkeypatch, tmp_path):
    def homeless():
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.delenv("TOPROCK_LOG")
    monkeypatch.delenv("XDG_STATE_HOME", raising=False)
    monkeypatch.setattr("pathlib.Path.home", homeless)
    assert usage.log_file() is None
    assert usage.note("score", tmp_path, [])


def test_what_is_no_log_is_not_deleted(tmp_path):
    (tmp_path / "manifest.csv").write_text("id,video\na,a.mp4\n")
    with pytest.raises(StorageError, match="is no log of uses"):
        usage.clear(tmp_path / "manifest.csv")
    assert (tmp_path / "manifest.csv").is_file()


def test_a_table_has_a_line_a_performance_and_no_formula(log, tmp_path):
    usage.note("compare", tmp_path, [{"id": "=cmd()", "score": -1.0}, {"id": "b", "error": "gone"}], verdict="close")
    rows = list(csv.DictReader(io.StringIO(usage.as_csv(usage.uses(log)))))
    assert [row["id"] for row in rows] == ["'=cmd()", "b"]
    assert [row["result"] for row in rows] == ["close", "gone"]
    assert rows[0]["score"] == "-1.0"


def test_a_log_that_cannot_be_written_stops_nobody(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("TOPROCK_LOG", str(tmp_path / "file/uses.jsonl"))
    assert not usage.note("score", tmp_path, [])
    assert list(usage.uses(tmp_path / "absent.jsonl")) == []
    monkeypatch.setenv("TOPROCK_LOG", "off")
    assert usage.log_file() is None
    assert usage.note("score", tmp_path, [])


def test_the_place_follows_the_desktop_rules(monkeypatch, tmp_path):
    monkeypatch.delenv("TOPROCK_LOG")
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    assert usage.log_file() == tmp_path / "toprock/uses.jsonl"
    monkeypatch.delenv("XDG_STATE_HOME")
    assert usage.log_file().parts[-4:] == (".local", "state", "toprock", "uses.jsonl")


def test_scores_are_noted_and_come_out_by_the_command(toprock, place, tmp_path):
    import os

    env = {**os.environ, "TOPROCK_LOG": str(tmp_path / "uses.jsonl")}
    common = ("--features", place / "features", "--model", place / "model")
    toprock("score", *common, "battle-001", "ghost", status=1, env=env)
    toprock("compare", "battle-001", "battle-002", *common, env=env)
    found = json.loads(toprock("log", "--json", env=env)[0])["uses"]
    assert [use["command"] for use in found] == ["score", "compare"]
    assert [set(r) >= {"id"} for r in found[0]["results"]] == [True, True]
    assert "error" in found[0]["results"][1]
    assert "battle-001" in toprock("log", env=env)[0]
    toprock("log", "--export", tmp_path / "log.csv", env=env)
    assert len((tmp_path / "log.csv").read_text().splitlines()) == 5
    assert "neither .csv nor .json" in toprock("log", "--export", tmp_path / "log.txt", status=2, env=env)[1]
    toprock("log", "--clear", env=env)
    assert not (tmp_path / "uses.jsonl").exists()
