"""Nothing but the moments gives quality away (a small run of benchmarks/synthetic_controls.py)."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from toprock.synthetic import choreograph
from toprock.synthetic.draw import draw_proportions_of


@pytest.fixture(scope="module")
def controls() -> ModuleType:
    path = Path(__file__).parents[2] / "benchmarks" / "synthetic_controls.py"
    spec = importlib.util.spec_from_file_location("synthetic_controls", path)
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def test_a_leak_would_be_found(controls: ModuleType) -> None:
    rng = np.random.default_rng(0)
    quality = rng.uniform(size=100)
    leak = -quality + rng.normal(0, 0.3, 100)
    assert controls.accuracy_with_interval(controls.two_way(leak, quality), draws=20)[0] > 0.7
    wide = np.column_stack([rng.normal(size=(100, 8)), leak])
    assert controls.accuracy_with_interval(controls.two_way(wide, quality), draws=20)[0] > 0.65


def test_pairwise_accuracy_counts_ties_half(controls: ModuleType) -> None:
    quality = np.array([0.0, 1.0, 2.0])
    assert controls.pairwise_accuracy(np.array([1.0, 1.0, 1.0]), quality) == 0.5
    assert controls.pairwise_accuracy(np.array([0.0, 2.0, 1.0]), quality) == pytest.approx(2 / 3)


def test_pictures_alone_say_nothing(controls: ModuleType) -> None:
    controls._STRIDE = 40
    table = controls.control_table([controls.measure((seed, index)) for seed in (1, 2) for index in range(20)])
    assert {"duration", "mean frame difference", "mean DIS flow", "linear on colour histograms"} <= set(table)
    for name, (accuracy, _, _) in table.items():
        assert 0.31 < accuracy < 0.69, name  # four standard errors with 40 performances


def test_the_body_moves_as_much_whatever_the_quality(controls: ModuleType) -> None:
    quality, speed = [], []
    for index in range(60):
        plan = choreograph(21, index)
        joints = plan.joints(draw_proportions_of(21, index))
        quality.append(plan.quality)
        speed.append(np.linalg.norm(np.diff(joints, axis=0), axis=2).mean())
    assert 0.36 < controls.pairwise_accuracy(np.array(speed), np.array(quality)) < 0.64
