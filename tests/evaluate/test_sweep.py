"""Settings searched on training pairs: who goes on, what is chosen, what is kept, and the command."""

import json
import os
from pathlib import Path

import numpy as np
import pytest

from toprock.comparisons import Pair
from toprock.engines import LocalEngine
from toprock.errors import PairsError, UsageError
from toprock.evaluate.space import Range, Settings, Space, draw_trials, read_space
from toprock.evaluate.sweep import DEFAULT, sweep
from toprock.features import FeatureStore, PerformanceFeatures, Recipe
from toprock.features.store import StreamFeatures
from toprock.ranker import SavedModel

RECIPES = {"static": Recipe("static", "made-up", {})}
QUICK = Settings({"steps": 4})
SPACE = "[training]\nlearning_rate = { low = 1e-3, high = 1e-2, log = true }\n[model]\nwidth = [8, 16]\n"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A store of twelve performances of six performers, and their pairs."""
    folder, rng = tmp_path_factory.mktemp("sweep"), np.random.default_rng(0)
    store = FeatureStore(folder / "features", create=True)
    quality = rng.normal(size=12)
    times = np.stack([np.arange(10.0), np.arange(10.0) + 1], 1)
    for number, good in enumerate(quality):
        x = (rng.normal(size=(10, 6)) + 2 * good).astype(np.float16)
        store.write(PerformanceFeatures(f"v{number:02}", {RECIPES["static"]: StreamFeatures(x, times)}, {}))
    pairs = [(f"v{a:02}", f"v{b:02}") for a in range(12) for b in range(12) if quality[a] > quality[b]]
    (folder / "pairs.txt").write_text("".join(f"{a} {b}\n" for a, b in pairs))
    (folder / "space.toml").write_text(SPACE)
    return folder


def search(folder, out, space=None, on_row=None, performers=None, engine=None, **more):
    pairs = [Pair(*line.split()) for line in (folder / "pairs.txt").read_text().splitlines()]
    return sweep(
        FeatureStore(folder / "features"),
        pairs,
        space or read_space(folder / "space.toml"),
        recipes=RECIPES,
        performers=performers or {f"v{n:02}": f"p{n // 2}" for n in range(12)},
        folder=out,
        engine=engine or LocalEngine(1),
        on_row=on_row,
        **{"trials": 4, "seeds": 1, "base": QUICK, **more},
    )


def test_bad_trials_are_given_up_the_defaults_never_and_what_is_done_is_kept(folder, tmp_path):
    told = []
    found = search(folder, tmp_path, on_row=lambda *row: told.append(row), seeds=2)
    names = [trial.name for trial in found.trials]
    assert len(names) == len(set(names)) == 4
    assert DEFAULT in names
    whole = [trial for trial in found.trials if trial.whole]
    assert {trial.units for trial in whole} == {10}  # five folds, two seeds
    assert [trial.units for trial in found.trials if not trial.whole] == [2, 2]  # of three others one went on
    assert [t.name for t in whole] == sorted((t.name for t in whole), key=lambda n: -by_name(found)[n].accuracy)
    for trial in whole:
        low, high = trial.interval
        assert low <= trial.accuracy <= high
    kept = json.loads((tmp_path / "sweep.json").read_text())
    assert kept["schema"] == 1
    assert [trial["trial"] for trial in kept["trials"]] == names
    table = (tmp_path / "trials.csv").read_text().splitlines()
    assert len(table) == 5
    assert table[0] == "trial,accuracy,low,high,units,model.width,training.learning_rate"
    assert (tmp_path / "space.toml").read_text() == SPACE
    rows = len(list((tmp_path / "rows").iterdir()))
    assert rows == 4 * 2 + 2 * 3 + 2 * 5

    told.clear()
    again = search(folder, tmp_path, on_row=lambda *row: told.append(row), seeds=2)
    assert again == found
    assert all(done == total for _, done, total in told)  # nothing was done again


def by_name(found):
    return {trial.name: trial for trial in found.trials}


def test_an_interrupted_search_goes_on_and_processes_change_nothing(folder, tmp_path):
    def stop(what, done, total):
        if done == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        search(folder, tmp_path / "a", on_row=stop, trials=2)
    told = []
    found = search(folder, tmp_path / "a", on_row=lambda *row: told.append(row), trials=2, engine=LocalEngine(2))
    assert told[0][1:] == (3, 4)
    assert found == search(folder, tmp_path / "b", trials=2)


def test_the_defaults_are_left_only_for_a_gain_larger_than_its_standard_error(folder, tmp_path):
    useless = Space({"training.learning_rate": [1e-9]})  # never learns anything
    found = search(folder, tmp_path / "a", useless, trials=2)
    assert found.chosen == Settings()
    assert found.told.settings == {}
    assert found.told.accuracy == by_name(found)[DEFAULT].accuracy
    space, slow = Space({"training.learning_rate": [0.01], "training.steps": [30]}), Settings({"learning_rate": 1e-9})
    better = search(folder, tmp_path / "b", space, trials=2, base=QUICK.with_these(slow))
    assert better.told.default_accuracy < 0.8 < better.told.accuracy
    assert better.chosen.to_json() == {"training.learning_rate": 0.01, "training.steps": 30}
    assert better.told.settings == better.chosen.to_json()
    assert better.chosen.config(3).learning_rate == 0.01


def test_performers_are_kept_apart_and_test_pairs_are_held_out(folder, tmp_path):
    with pytest.raises(PairsError, match="too few performers"):
        search(folder, tmp_path, performers={f"v{n:02}": "ann" for n in range(12)})


def test_a_grid_is_tried_whole_or_in_part_and_ranges_are_drawn_within_their_ends():
    grid = Space({"training.noise": [0.0, 0.3], "loss.form": ["hinge", "logistic"], "model.width": [16]})
    every = draw_trials(grid, 9)
    assert [s.to_json()["training.noise"] for s in every] == [0.0, 0.0, 0.3, 0.3]
    assert every[1].config(0).loss.form == "logistic"
    assert every[1].model == {"width": 16}
    part = draw_trials(grid, 3, seed=1)
    assert len(part) == 3
    assert all(s in every for s in part)
    ranges = Space({"training.learning_rate": Range(1e-4, 1e-1, log=True), "training.batch": Range(8, 64, whole=True)})
    drawn = [s.training for s in draw_trials(ranges, 200)]
    rates = np.array([s["learning_rate"] for s in drawn])
    assert ((rates >= 1e-4) & (rates <= 1e-1)).all()
    assert 0.4 < (rates < 10**-2.5).mean() < 0.6  # half of them below the middle of the logarithms
    assert {type(s["batch"]) for s in drawn} == {int}
    assert draw_trials(ranges, 5) == draw_trials(ranges, 200)[:5]  # more trials are added to fewer


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("[trainning]\nnoise = [0]", "no section 'trainning'"),
        ("[training]\nnoize = [0]", "training has no setting 'noize'"),
        ("[training]\nseed = [0]", "training has no setting 'seed'"),
        ("[model]\ndimensions = [0]", "model has no setting 'dimensions'"),
        ("[training]\nnoise = [-1]", "training.noise cannot be -1"),
        ("[loss]\nform = ['x']", "loss.form cannot be x"),
        ("[model]\nheads = [7]", "model.heads cannot be 7"),
        ("[training]\nnoise = 0.1", "neither a list nor a range"),
        ("[training]\nnoise = { low = 1, high = 0 }", "training.noise is no range"),
        ("[training]\nnoise = { low = 0, high = 1, log = true }", "training.noise is no range"),
        ("[training]\nnoise = { low = 0, high = 1, step = 1 }", "neither a list nor a range"),
        ("[training]", "names no setting"),
        ("training", "cannot be read as TOML"),
    ],
)
def test_mistakes_in_a_space_are_told_with_their_place(tmp_path, text, what):
    path = tmp_path / "s.toml"
    path.write_text(text)
    with pytest.raises(UsageError, match=what):
        read_space(path)


def test_settings_that_make_no_ranker_together_are_refused(folder, tmp_path):
    with pytest.raises(UsageError, match="heads must divide width"):
        search(folder, tmp_path, Space({"model.width": [12], "model.heads": [8]}))


def test_the_command_searches_trains_and_tells(folder, toprock, tmp_path):
    (folder / "small.toml").write_text("[model]\nwidth = [8]\n")
    words = ["train", "--features", folder / "features", "--pairs", folder / "pairs.txt", "--out", tmp_path / "m"]
    out, said = toprock(*words, "--sweep", folder / "small.toml", "--seeds", 1, "--members", 1, "--steps", 4)
    assert "as by default" in out
    assert "model.width = 8" in out
    model = SavedModel.load(tmp_path / "m")
    assert model.config.swept.tried == 2
    card = (tmp_path / "m/README.md").read_text()
    assert "Settings searched on the training pairs alone: 2 tried, on 5 folds and 1 seed(s)" in card
    if model.config.swept.settings:
        assert model.config.ranker.width == 8
        assert "taken: " in said
        assert "looks better" in card
    else:
        assert model.config.ranker.width == 64
        assert "the defaults stay" in said
        assert "The defaults stayed" in card
    assert (tmp_path / "m/sweep/trials.csv").is_file()
    _, said = toprock(*words, "--trials", 3, status=2)
    assert "Add --sweep SPACE.toml" in said
    _, said = toprock(*words, "--sweep", folder / "small.toml", "--processes", 2, status=2)
    assert "--sweep searches from scratch" in said
    started = {"RANK": "0", "WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": "1"}
    _, said = toprock(*words, "--sweep", folder / "small.toml", env={**os.environ, **started}, status=2)
    assert "torchrun starts several" in said


def test_the_space_in_the_documents_is_one(tmp_path):
    text = (Path(__file__).parents[2] / "docs/training-at-scale.md").read_text()
    (tmp_path / "space.toml").write_text(text.split("```toml\n")[1].split("```")[0])
    space = read_space(tmp_path / "space.toml")
    assert list(space.choices) == ["training.learning_rate", "training.noise", "loss.form", "model.width"]
