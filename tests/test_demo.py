"""The demo, drawn small: what it leaves behind has every documented key."""

import json

import pytest

from toprock import demo, load
from toprock.ranker import Plan, TrainingConfig

KEYS = {"pairwise_accuracy", "moment_auc_good", "moment_auc_bad"}


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    out = tmp_path_factory.mktemp("demo")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(demo, "TRAIN", 6)
        patch.setattr(demo, "TEST", 4)
        return out, demo.run_demo(out, seed=4, plan=Plan(training=TrainingConfig(steps=48), members=2))


def test_it_leaves_results_a_report_and_a_model(made):
    out, returned = made
    results = json.loads((out / "results.json").read_text())
    assert KEYS | {"average_branch", "linear", "controls", "performances", "seconds"} <= set(results)
    assert set(results["average_branch"]) >= KEYS
    assert "pairwise_accuracy" in results["linear"]
    assert set(results["controls"]) == {"duration", "mean_motion", "mean_colour"}
    assert results["performances"] == {"train": 6, "test": 4}
    assert results["pairwise_accuracy"] == returned["pairwise_accuracy"]
    assert all(0 <= results[key] <= 1 for key in KEYS)
    report = (out / "report.html").read_text(encoding="utf-8")
    assert "test-00" in report
    assert "data:image/jpeg" in report
    trained_on = load(out / "model").saved.config.trained_on.performances
    assert len(trained_on) == 6
    assert all(ident.startswith("train") for ident in trained_on)


def test_it_tells_its_figures_in_words(made, capsys):
    out, results = made
    demo.summary(results, out)
    told = capsys.readouterr().out
    assert f"{results['pairwise_accuracy']:.1%}" in told
    assert str(out / "report.html") in told
