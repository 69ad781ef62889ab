"""What the command line promises to programs that call it: documents, ids, exit statuses, one line for wrong use."""

import inspect
import json
import os
import shlex
import shutil
import subprocess
import sys
from dataclasses import fields, replace
from pathlib import Path

import pytest

from toprock.backbones.base import BackboneSpec
from toprock.cli.evaluating import evaluate
from toprock.cli.making import train
from toprock.features import FeatureStore
from toprock.ranker import Plan

SEGMENT = {"stream", "start_s", "end_s", "contribution", "contributions", "attention_high", "attention_low"}
SCORE = {
    "cautions",
    "members",
    "scaled",
    "schema",
    "id",
    "score",
    "bias",
    "percentile",
    "segments",
    "moments",
    "model",
    "recipes",
}

IMPORT = ("features", "import", "x", "--out", "y", "--name", "n", "--stream", "static")


def same_performances(place, folder):
    """Two files of one name in two folders."""
    for number, name in enumerate(("semi", "final")):
        (folder / name).mkdir()
        shutil.copy(place.video(number), folder / name / "anna.mp4")
    return folder / "semi/anna.mp4", folder / "final/anna.mp4"


def test_score_has_the_documented_keys(toprock, place):
    out, told = toprock("score", "--features", place / "features", "--model", place / "model", "--json")
    assert told == ""
    several = json.loads(out)
    assert [one["id"] for one in several] == FeatureStore(place / "features").ids()
    for one in several:
        assert set(one) == SCORE
        assert one["schema"] == 1
        assert one["score"] == pytest.approx(one["bias"] + sum(s["contribution"] for s in one["segments"]), abs=1e-4)
        assert set(one["recipes"]) == {"dynamic", "static"}
        for segment in one["segments"]:
            assert set(segment) == SEGMENT
            assert set(segment["contributions"]) == {"high", "low", "average"}
        for branch in ("attention_high", "attention_low"):
            for stream in ("dynamic", "static"):
                shares = [s[branch] for s in one["segments"] if s["stream"] == stream]
                assert sum(shares) == pytest.approx(1.0, abs=1e-4)
        for moment in one["moments"]:
            assert set(moment) == {"kind", "start_s", "end_s", "contribution", "stream", "differs", "sentence"}
            assert moment["kind"] in ("best", "worst")


def test_one_is_an_object_and_several_are_an_array_in_the_order_given(toprock, place):
    common = ("--features", place / "features", "--model", place / "model", "--json")
    out, _ = toprock("score", *common, "battle-003.mp4", "ghost", "battle-001", status=1)
    three, ghost, one = json.loads(out)
    assert (three["id"], one["id"]) == ("battle-003", "battle-001")
    assert set(ghost) == {"id", "error"}
    assert ghost["id"] == "ghost"
    out, _ = toprock("score", *common, "ghost", status=1)
    assert set(json.loads(out)) == {"id", "error"}


def test_ids_from_a_file_and_ids_that_look_like_options(toprock, place, tmp_path):
    store = shutil.copytree(place / "features", tmp_path / "f")
    FeatureStore(store).write(replace(FeatureStore(store).read("battle-000"), id="-rf"))
    common = ("--features", store, "--model", place / "model", "--json")
    (tmp_path / "ids").write_text("\ufeffbattle-002\r\n\r\n-rf\r\n", encoding="utf-8")
    scored = json.loads(toprock("score", *common, "--ids", tmp_path / "ids", "battle-001")[0])
    assert [r["id"] for r in scored] == ["battle-001", "battle-002", "-rf"]
    assert json.loads(toprock("score", *common, "--", "-rf")[0])["id"] == "-rf"
    found = json.loads(toprock("compare", *common, "--", "-rf", "battle-000")[0])
    assert (found["a"], found["b"], found["difference"]) == ("-rf", "battle-000", 0.0)
    (tmp_path / "ids").write_text("\n")
    _, told = toprock("score", *common, "--ids", tmp_path / "ids", status=2)
    assert "names nothing" in told


def test_compare_and_rank_have_the_documented_keys(toprock, place):
    common = ("--features", place / "features", "--model", place / "model", "--json")
    rows = json.loads(toprock("rank", *common)[0])
    assert [set(r) for r in rows] == [{"rank", "id", "score", "cautions"}] * place.count
    assert [r["rank"] for r in rows] == list(range(1, place.count + 1))
    assert rows == sorted(rows, key=lambda r: -r["score"])
    first, last = rows[0], rows[-1]
    found = json.loads(toprock("compare", first["id"], last["id"], *common)[0])
    assert set(found) == {
        "schema",
        "a",
        "b",
        "difference",
        "probability",
        "interval",
        "too_close",
        "verdict",
        "cautions",
    }
    assert found["difference"] == pytest.approx(first["score"] - last["score"])
    if found["probability"] is not None:
        assert 0 <= found["interval"][0] <= found["probability"] <= found["interval"][1] <= 1
    assert set(found["cautions"]) == {first["id"], last["id"]}
    rows = json.loads(toprock("rank", *common, "ghost", last["id"], status=1)[0])
    assert [set(r) for r in rows] == [{"rank", "id", "score", "cautions"}, {"id", "error"}]
    out, told = toprock("compare", "ghost", last["id"], *common, status=1)
    assert out == ""
    assert "no features of 'ghost'" in told


def test_files_of_one_name_are_told_apart(toprock, place, tmp_path):
    semi, final = same_performances(place, tmp_path)
    common = ("--model", place / "model", "--json")
    found = json.loads(toprock("compare", semi, final, *common)[0])
    assert (found["a"], found["b"]) == ("semi/anna", "final/anna")
    rows = json.loads(toprock("rank", tmp_path / "semi", tmp_path / "final", *common)[0])
    assert {r["id"] for r in rows} == {"semi/anna", "final/anna"}
    (tmp_path / "list.csv").write_text("id,video,intervals\nanna,final/anna.mp4,0-5\n")
    report = tmp_path / "r.html"
    out, _ = toprock("score", semi, tmp_path / "list.csv", final, final, *common, "--report", report)
    assert [r["id"] for r in json.loads(out)] == ["semi/anna", "anna", "final/anna", "final/anna"]
    assert "semi/anna" in report.read_text()
    (tmp_path / "other.csv").write_text("id,video\nanna,semi/anna.mp4\n")
    _, told = toprock("rank", tmp_path / "list.csv", tmp_path / "other.csv", *common, status=2)
    assert "two manifests mean different things by the id 'anna'" in told


def test_evaluate_has_the_documented_keys(toprock, place):
    common = ("--features", place / "features", "--json", "--moments", place / "in/moments.csv")
    out, _ = toprock("evaluate", *common, "--model", place / "model", "--pairs", place / "pairs.txt")
    found = json.loads(out)
    assert {"schema", "accuracy", "interval", "pairs", "videos", "both_unseen", "controls"} <= set(found)
    assert {"moment_auc_good", "moment_auc_bad", "moment_videos"} <= set(found)
    assert set(found["controls"]) == {"duration", "mean_motion", "cut_rate"}
    assert found["both_unseen"] is None
    low, high = found["interval"]
    assert 0 <= low <= found["accuracy"] <= high <= 1
    assert found["videos"] == place.count


def test_evaluate_trains_and_tests(toprock, place, tmp_path):
    pairs = [line.split() for line in (place / "pairs.txt").read_text().splitlines()]
    test = [p for p in pairs if {"battle-000", "battle-001"} & set(p)]
    for name, some in (("train", [p for p in pairs if p not in test]), ("test", test)):
        (tmp_path / name).write_text("".join(f"{a} {b}\n" for a, b in some))
    common = (
        "evaluate",
        "--features",
        place / "features",
        "--json",
        "--members",
        1,
        "--train-pairs",
        tmp_path / "train",
    )
    out, _ = toprock(*common, "--test-pairs", tmp_path / "test")
    found = json.loads(out)
    assert (found["pairs"], found["both_unseen_pairs"]) == (len(test), 1)
    assert set(found["controls"]) == {"duration", "mean_motion", "cut_rate", "memorisation"}
    alone = json.loads(toprock(*common, "--test-pairs", tmp_path / "test", "--static", "none")[0])
    assert alone["pairs"] == found["pairs"]
    _, told = toprock(*common, "--test-pairs", tmp_path / "test", "--static", "pose", status=1)
    assert "has no static features called 'pose'" in told
    (tmp_path / "test").write_text("battle-000 ghost\n")
    _, told = toprock(*common, "--test-pairs", tmp_path / "test", status=1)
    assert "ghost (never seen)" in told


def test_figures_that_cannot_be_are_null_and_said(toprock, place, tmp_path):
    common = ("evaluate", "--features", place / "features", "--model", place / "model")
    (tmp_path / "ties.csv").write_text("better,worse,outcome\nbattle-000,battle-001,tie\n")
    (tmp_path / "m.csv").write_text("id,start_s,end_s,label\nghost,0,1,good\n")
    more = ("--pairs", tmp_path / "ties.csv", "--moments", tmp_path / "m.csv")
    found = json.loads(toprock(*common, *more, "--json")[0])
    assert (found["accuracy"], found["interval"], found["moment_auc_good"]) == (None, None, None)
    assert (found["pairs"], found["moment_videos"]) == (0, 0)
    out, _ = toprock(*common, *more)
    assert "nan" not in out
    assert "no performance holds some" in out


def test_backbones_have_the_documented_keys(toprock):
    found = json.loads(toprock("backbones", "--json")[0])
    assert set(found) == {"schema", "backbones", "folders"}
    streams = {b["name"]: b["stream"] for b in found["backbones"]}
    embedded = {"flow": "dynamic", "flow-beat": "dynamic", "posture": "static"}
    assert {name: streams[name] for name in embedded} == embedded
    documented = {f.name for f in fields(BackboneSpec)} | {"state", "advice", "needs"}
    assert all(set(b) == documented for b in found["backbones"])
    needs = {b["name"]: b["needs"] for b in found["backbones"]}
    assert needs["flow"] == {"cores": 1, "accelerated": None}
    assert needs["videomae-base"] == {"cores": 4, "accelerated": {"cores": 1, "accelerators": 0.125}}
    out, _ = toprock("backbones")
    assert "flow" in out
    assert "Apache-2.0" in out


@pytest.mark.parametrize(
    ("arguments", "what"),
    [
        (("frobnicate",), "No such command 'frobnicate'"),
        (("score", "a.mp4"), "Missing option '--model'"),
        (("score", "--model", "m"), "nothing to judge is named"),
        (("score", "--model", "m", "--ids", "no-such-file"), "no-such-file: cannot be read"),
        (("compare", "a.mp4", "--model", "m"), "Missing argument"),
        (("clips", "--model", "m", "--out", "o"), "Missing argument"),
        (("clips", "a.mp4", "--model", "m"), "Missing option '--out'"),
        (("clips", "a.mp4", "--model", "m", "--out", "o", "--padding", "nan"), "Give 0 to 60 seconds"),
        (("clips", "a.mp4", "--model", "m", "--out", "c.mp4"), "--out is c.mp4, where a folder is wanted"),
        (("overlay", "a.mp4", "--model", "m"), "Missing option '--out'"),
        (
            ("overlay", "a.mp4", "--model", "m", "--out", "o.mov"),
            "where a file that ends in .mp4, or a folder is wanted",
        ),
        (("timeline", "a.mp4", "--model", "m", "--format", "srt", "--out", "o"), "'csv', 'eaf', 'vtt', 'label-studio'"),
        (("timeline", "--model", "m", "--format", "csv", "--out", "o"), "nothing to judge is named"),
        (
            ("timeline", "--features", "f", "--model", "m", "--format", "label-studio", "--out", "o"),
            "Give videos instead of --features",
        ),
        (("rank", "a.mp4", "--model", "m", "--frob"), "--frob"),
        (("extract", "x"), "Missing option '--out'"),
        (("extract", "x", "--out", "y", "--dynamic", "posture"), "'posture' is a static backbone"),
        (("extract", "x", "--out", "y", "--static", "nonsense"), "there is no backbone 'nonsense'. Allowed are"),
        (("extract", "x", "--out", "y", "--static", "none", "--dynamic", "none"), "nothing to extract"),
        (("extract", "x", "--out", "y", "--workers", "0"), "--workers"),
        (("train", "--features", "x", "--pairs", "p", "--out", "y", "--seed", "-1"), "--seed"),
        (("train", "--features", "x", "--pairs", "p", "--out", "y", "--seed", "9" * 30), "--seed"),
        (("train", "--features", "x", "--pairs", "p", "--out", "y", "--steps", "many"), "--steps"),
        (
            ("train", "--features", "x", "--pairs", "p", "--out", "y", "--dynamic", "none", "--static", "none"),
            "no stream to train on",
        ),
        (("evaluate", "--features", "x"), "either --model or --train-pairs"),
        (("evaluate", "--features", "x", "--model", "m", "--train-pairs", "p"), "either --model or --train-pairs"),
        (("evaluate", "--features", "x", "--model", "m"), "--pairs FILE"),
        (("evaluate", "--features", "x", "--train-pairs", "p"), "--test-pairs FILE"),
        (
            ("evaluate", "--features", "x", "--train-pairs", "p", "--test-pairs", "q", "--pairs", "r"),
            "Give one of them",
        ),
        (("backbones", "flow"), "unexpected extra argument"),
        (("features", "import", "x", "--out", "y", "--stream", "static"), "Missing option '--name'"),
        (("features", "import", "x", "--out", "y", "--name", "n", "--stream", "sound"), "'dynamic', 'static'"),
        ((*IMPORT, "--rate-hz", "-1"), "--rate-hz is -1.0"),
        ((*IMPORT, "--duration", "nan"), "--duration is nan"),
        ((*IMPORT, "--name", "flow"), "imported features cannot be called 'flow'"),
    ],
)
def test_wrong_use_is_answered_in_one_line(toprock, arguments, what, tmp_path):
    assert_one_line(toprock, arguments, what, tmp_path, status=2)


@pytest.mark.parametrize(
    ("arguments", "what"),
    [
        (("extract", "x", "--out", "y"), "x: there is no such file or folder"),
        (("extract", ".", "--out", "y"), "holds no video"),
        (("extract", "x.csv", "--out", "y"), "x.csv: cannot be read"),
        (("train", "--features", "x", "--pairs", "p", "--out", "y"), "x: is no feature store"),
        (("evaluate", "--features", "x", "--model", "m", "--pairs", "p"), "x: is no feature store"),
        (("score", "a.mp4", "--model", "m"), "m: is no model folder"),
        (("timeline", "a.mp4", "--model", "m", "--format", "vtt", "--out", "o"), "m: is no model folder"),
        (IMPORT, "x: there is no such file or folder"),
        (("features", "verify", "x"), "x: is no feature store"),
    ],
)
def test_what_is_not_there_is_named_in_one_line(toprock, arguments, what, tmp_path):
    assert_one_line(toprock, arguments, what, tmp_path, status=1)


def assert_one_line(toprock, arguments, what, folder, *, status):
    out, told = toprock(*arguments, status=status, cwd=folder)
    assert out == ""
    assert what in told
    assert len(told.splitlines()) == 1
    assert list(folder.iterdir()) == []


@pytest.mark.parametrize(
    "command",
    [
        (),
        ("extract",),
        ("train",),
        ("evaluate",),
        ("score",),
        ("compare",),
        ("rank",),
        ("timeline",),
        ("clips",),
        ("overlay",),
        ("demo",),
        ("features", "import"),
    ],
)
def test_help_needs_no_heavy_library(command):
    heavy = ("torch", "cv2", "av", "scipy", "numpy", "jinja2", "safetensors")
    code = (
        "import sys\nfrom toprock.cli import main\nsys.argv[0] = 'toprock'\n"
        f"try:\n    main()\nfinally:\n    print(*set({heavy}) & set(sys.modules), file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code, *command, "--help"], capture_output=True, text=True, check=True)
    assert "Usage: toprock" in done.stdout
    assert done.stderr.split() == []


@pytest.mark.parametrize("command", [train, evaluate])
def test_an_ensemble_is_as_large_by_command_as_in_the_library(command):
    assert inspect.signature(command).parameters["members"].default == Plan().members


def test_without_a_command_it_shows_what_there_is(toprock):
    out, _ = toprock(status=2)
    names = ("demo", "extract", "features", "train", "evaluate", "score", "compare", "rank", "backbones")
    for name in (*names, "timeline", "clips", "overlay"):
        assert f" {name} " in out
    out, _ = toprock("--version")
    assert out.startswith("toprock 0.")


def test_broken_output_is_no_traceback(toprock):
    with Path("/dev/full").open("w") as full:
        done = subprocess.run([sys.executable, "-m", "toprock", "backbones", "--json"], stdout=full, stderr=-1)
    assert (done.returncode, done.stderr.count(b"\n")) == (1, 1)
    assert done.stderr.startswith(b"error: standard output: No space left on device. See to it that it is there")
    half = subprocess.Popen([sys.executable, "-m", "toprock", "backbones", "--json"], stdout=-1, stderr=-1)
    half.stdout.close()
    assert (half.stderr.read(), half.wait()) == (b"", 1)
    half.stderr.close()


@pytest.mark.parametrize("closed", ["<&-", "2>&-", "<&- 2>&-"])
def test_closed_streams_never_mix_with_the_document(toprock, place, closed):
    words = [sys.executable, "-m", "toprock", "score", place.video(0), "gone.mp4", "-m", place / "model", "--json"]
    command = f"{shlex.join(map(str, words))} {closed}"
    done = subprocess.run(["sh", "-c", command], capture_output=True, text=True)
    assert done.returncode == 1
    assert [set(one) == {"id", "error"} for one in json.loads(done.stdout)] == [False, True]


def test_a_document_is_one_in_any_locale(fresh_toprock, place, tmp_path):
    (tmp_path / "ünï.mp4").symlink_to(place.video(0))
    locale = {"env": {**os.environ, "LC_ALL": "C", "PYTHONIOENCODING": "ascii"}}
    out, _ = fresh_toprock("score", tmp_path / "ünï.mp4", "--model", place / "model", "--json", **locale)
    assert json.loads(out)["id"] == "ünï"
    out, _ = fresh_toprock("score", tmp_path / "ünï.mp4", "--model", place / "model", **locale)
    assert out.startswith("\\xfcn\\xef ")
