"""Assessments to report, made from plain numbers: no model is needed to draw one. `strict` stands beside."""

from __future__ import annotations

import math
import sys
from collections.abc import Callable
from pathlib import Path
from types import MappingProxyType
from typing import Any

import cv2
import numpy as np
import pytest

from toprock.assess.assessment import Assessment, Moment, SegmentEvidence
from toprock.calibration import Caution, Scaled
from toprock.performance import Performance

sys.path.insert(0, str(Path(__file__).parent))

MODEL = {"name": "club-2026", "created": "2026-05-14", "performances": 75, "pairs": 1842, "toprock": "0.1.0"}
RECIPES = {
    "dynamic": {
        "stream": "dynamic",
        "backbone": "flow",
        "settings": {"rate_hz": 15.0},
        "hash": "9f31c2ab77d0e145",
    },
    "static": {
        "stream": "static",
        "backbone": "posture",
        "settings": {"rate_hz": 5.0},
        "hash": "1f0c22e0aa9bd310",
    },
}

MakeAssessment = Callable[..., Assessment]


@pytest.fixture(scope="session")
def make_assessment() -> MakeAssessment:
    """A function that makes a whole assessment; see `_make` for what it takes."""
    return _make


def _make(
    name: str = "round-1",
    *,
    length_s: float = 30.0,
    step_s: float = 0.5,
    streams: tuple[str, ...] = ("dynamic", "static"),
    level: float = 0.2,
    moments: int = 2,
    seed: int = 0,
    **changes: Any,
) -> Assessment:
    random = np.random.default_rng(seed)
    segments = []
    for stream in streams:
        starts = np.arange(0.0, length_s - 1.0 + 1e-9, step_s)
        quality = level + np.sin(starts / 3.1) + 0.3 * random.standard_normal(len(starts))
        high, low = (random.dirichlet(np.ones(len(starts))) for _ in range(2))
        for start, q, a, b in zip(starts.tolist(), quality.tolist(), high.tolist(), low.tolist(), strict=True):
            parts = {"high": a * max(q, 0.1), "low": b * min(q, 0.2), "average": q / len(starts) / 3}
            segments.append(SegmentEvidence(stream, start, start + 1.0, parts, a, b))  # type: ignore[arg-type]
    total = math.fsum(s.contribution for s in segments)
    chosen = []
    for i in range(moments):
        start = length_s * (i + 0.5) / moments - 1
        chosen += [Moment("best", start, start + 1.5, 0.1), Moment("worst", start + 2, start + 3.5, -0.1)]
    fields: dict[str, Any] = {
        "id": name,
        "score": 0.63 + total,
        "bias": 0.63,
        "percentile": 82.67,
        "segments": tuple(segments),
        "moments": tuple(sorted(chosen, key=lambda m: m.kind)),
        "model": MODEL,
        "recipes": {s: RECIPES[s] for s in streams},
    }
    return Assessment(**(fields | changes))


def scaled(value: float, low: float, high: float, scale: str = "training") -> Scaled:
    """A value with its interval."""
    return Scaled(value=value, low=low, high=high, scale=scale)  # type: ignore[arg-type]


@pytest.fixture(scope="session")
def club() -> tuple[list[Assessment], dict[str, Performance]]:
    """Seven performances of three, by four dates; one is undated, one's date is no date, and one has a caution."""
    people = ["Ami Tanaka", "Bo Lindqvist", "Ami Tanaka", "Bo Lindqvist", "Ami Tanaka", "Cleo Marsh", "Ami Tanaka"]
    dates = ["2026-01-10", "2026-01-10", "2026-03-01", "2026-04-11", "2026-02-14", "2026-04-11", "spring"]
    them, known = [], {}
    for i, (person, date) in enumerate(zip(people, dates, strict=True)):
        value = 20.0 + 9 * i
        caution = (Caution("black", "38% of its pictures are black.", 0.38),) if i == 2 else ()
        made = _make(
            f"night/{i}",
            seed=i,
            level=i / 5 - 0.6,
            length_s=30.0 - 2 * i,
            moments=1,
            scaled=scaled(value, value - 15, value + 12),
            cautions=caution,
        )
        them.append(made)
        known[made.id] = Performance(
            made.id, Path("gone.mp4"), (), person, f"Night {7 - i}", MappingProxyType({"date": date})
        )
    return them, known


@pytest.fixture(scope="session")
def jpeg() -> bytes:
    """A picture of 320 x 180 as JPEG."""
    image = np.random.default_rng(1).integers(0, 255, (9, 16, 3), dtype=np.uint8)
    return cv2.imencode(".jpg", cv2.resize(image, (320, 180)))[1].tobytes()
