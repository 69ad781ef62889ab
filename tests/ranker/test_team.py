"""Several processes train what one does, to the order of float sums."""

import importlib.util
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch

from toprock.comparisons import Pair
from toprock.errors import LostProcess, UsageError
from toprock.features import FeatureStore, PerformanceFeatures, Recipe
from toprock.features.store import StreamFeatures
from toprock.ranker import SavedModel
from toprock.ranker.launch import _meeting, assembled
from toprock.ranker.model import Ranker, RankerConfig
from toprock.ranker.team import ALONE, Team, by_torchrun

SCRIPT = Path(__file__).with_name("team_script.py")
SCORES = 1e-3
"""Of scores whose spread is 1 to 6. Sums of gradients in another order differ by 1e-7; training makes more of it."""
WEIGHTS, RATE = 1e-5, 5e-2
"""99 of 100 weights are so near. Where a gradient is next to nothing (that of a key's bias is nothing but rounding),
AdamW scales it up: such a weight may be apart by some learning rates (5e-3)."""


@pytest.fixture(scope="module")
def script():
    spec = importlib.util.spec_from_file_location("team_script", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def alone(script):
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    found = script.found()
    torch.set_num_threads(before)
    return found


def by_many(number, out, checkpoint):
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", str(number)]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [*command, SCRIPT, out, checkpoint], env=environment, capture_output=True, text=True, timeout=200
    )
    assert done.returncode == 0, done.stderr
    return json.loads(out.read_text())


def assert_near(one, other):
    apart = np.abs(one - other)[np.isfinite(one)]
    assert np.quantile(apart, 0.99) < WEIGHTS
    assert apart.max() < RATE


def test_three_processes_go_on_from_what_one_has_begun_and_end_alike(script, alone, tmp_path):
    def interrupt(at):
        if (at.stage, at.done) == ("member1of2", 1):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        script.found(tmp_path / "c", interrupt)
    together = by_many(3, tmp_path / "three.json", tmp_path / "c")
    for one, other in zip(alone["gradients"], together["gradients"], strict=True):
        assert np.abs(one).max() > 0.1
        np.testing.assert_allclose(one, other, atol=1e-6)
    assert alone["choice"]["steps"] == together["choice"]["steps"]
    np.testing.assert_allclose(alone["choice"]["curve"], together["choice"]["curve"], atol=0.03)  # of 102 pairs
    assert np.std(alone["scores"]) > 0.1
    np.testing.assert_allclose(alone["scores"], together["scores"], atol=SCORES)
    assert_near(*(np.concatenate(list(found["weights"].values())) for found in (alone, together)))


@pytest.mark.parametrize("size", [2, 3, 7])
def test_parts_of_draws_are_those_of_the_whole(size):
    """Dropout of every kind in the ranker, for each part of a batch as for all of it."""
    config = RankerConfig(dimensions={"static": 6}, width=16, layers=2, encoder_layers=1, dropout=0.5)
    torch.manual_seed(0)
    ranker = Ranker(config)
    x, mask = torch.randn(5, 9, 6), torch.ones(5, 9, dtype=torch.bool)
    places = torch.rand(5, 9)
    torch.manual_seed(1)
    whole = ranker.stream("static")(x, mask, places)
    for rank in range(size):
        team = Team()
        team.rank, team.size = rank, size
        part = team.encoded(5)
        assert part.stop > part.start
        torch.manual_seed(1)
        with team.whole_draws(5):
            own = ranker.stream("static")(x[part], mask[part], places[part])
        torch.testing.assert_close(own.contributions, whole.contributions[part], atol=1e-6, rtol=1e-5)
        torch.testing.assert_close(own.attention, whole.attention[part], atol=1e-6, rtol=1e-5)


def test_parts_are_all_rows_once():
    for size in (1, 2, 3, 7):
        rows = []
        for rank in range(size):
            team = Team()
            team.rank, team.size = rank, size
            rows += list(range(10))[team.part(10)]
        assert rows == list(range(10))


def test_one_process_is_no_team():
    with assembled() as one, assembled(1) as other:
        assert one is other is ALONE


WRONG = ["no-such-command"]


def test_nothing_in_the_working_folder_is_imported(tmp_path, monkeypatch):
    (tmp_path / "typer.py").write_text("raise SystemExit('taken')")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(LostProcess, match=r"process 2 of 2 .* failed: .*no-such-command"), assembled(2, words=WRONG):
        pass


def test_the_meeting_place_is_open_to_this_machine_alone():
    store, listed = _meeting(), lambda name: Path(f"/proc/self/net/{name}").read_text().splitlines()
    listening = [line.split() for name in ("tcp", "tcp6") for line in listed(name)]
    places = [row[1] for row in listening if row[3] == "0A" and row[1].endswith(f":{store.port:04X}")]
    assert places == [f"0100007F:{store.port:04X}"]
    _meeting(store.port).set("here1", "yes")
    assert store.check(["here1"])


def test_torchrun_says_how_many(monkeypatch):
    for name, value in {"RANK": "0", "WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": "1"}.items():
        assert not by_torchrun()
        monkeypatch.setenv(name, value)
    with pytest.raises(UsageError, match="torchrun says how many"), assembled(2):
        pass


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A store of twelve performances, and their pairs."""
    folder, rng = tmp_path_factory.mktemp("team"), np.random.default_rng(0)
    store, recipe = FeatureStore(folder / "features", create=True), Recipe("static", "made-up", {})
    quality = rng.normal(size=12)
    times = np.stack([np.arange(20.0), np.arange(20.0) + 1], 1)
    for number, good in enumerate(quality):
        x = (rng.normal(size=(20, 6)) + good).astype(np.float16)
        store.write(PerformanceFeatures(f"v{number:02}", {recipe: StreamFeatures(x, times)}, {}))
    pairs = [Pair(f"v{a:02}", f"v{b:02}") for a in range(12) for b in range(12) if quality[a] > quality[b]]
    (folder / "pairs.txt").write_text("".join(f"{p.better} {p.worse}\n" for p in pairs))
    return folder


def command(out, processes):
    words = ["train", "--features", "features", "--pairs", "pairs.txt", "--out", out, "--name", "m"]
    return [*words, "--members", 2, "--steps", 60, "--processes", processes]


def others_of(pid):
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def test_a_lost_process_ends_all_and_the_checkpoint_goes_on(folder, toprock):
    words = [sys.executable, "-m", "toprock", *map(str, command("lost", 2))]
    begun = folder / "lost/checkpoint/member1of2.safetensors"
    with subprocess.Popen(words, cwd=folder, stderr=subprocess.PIPE, text=True) as process:
        until = time.monotonic() + 100
        while not begun.is_file() and process.poll() is None and time.monotonic() < until:
            time.sleep(0.01)
        (other,) = others_of(process.pid)
        os.kill(other, signal.SIGKILL)
        _, said = process.communicate(timeout=60)
    assert process.returncode == 1
    assert said.startswith("error: process 2 of 2 of this training was killed (signal 9). The same command goes on")
    assert len(said.splitlines()) == 1
    assert begun.is_file()
    toprock(*command("lost", 1), cwd=folder)
    toprock(*command("whole", 1), cwd=folder)
    one, other = (SavedModel.load(folder / name) for name in ("lost", "whole"))
    assert (one.config.bias, one.config.spread) == pytest.approx((other.config.bias, other.config.spread), abs=SCORES)
    for a, b in zip(one.members, other.members, strict=True):
        assert_near(*(torch.cat([w.flatten() for w in m.parameters()]).detach().numpy() for m in (a, b)))


def test_what_goes_wrong_is_told_once(folder, toprock):
    bad = folder / "ties.txt"
    bad.write_text("v00 v99\n")
    words = ["train", "--features", "features", "--pairs", bad, "--out", "none", "--processes", 2]
    _, said = toprock(*words, cwd=folder, status=1)
    assert said.count("v99") == 1
    assert not (folder / "none").exists()
