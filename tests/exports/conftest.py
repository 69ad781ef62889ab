"""Performances to export, made from plain numbers, and their videos."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from toprock.assess import Assessment, Moment, SegmentEvidence
from toprock.calibration import Caution
from toprock.exports import Item
from toprock.performance import Performance

MOMENTS = (("best", 1.0, 2.0, 0.2), ("worst", 3.0, 4.5, -0.3))
MakeItem = Callable[..., Item]


@pytest.fixture(scope="session")
def make_item() -> MakeItem:
    """A function that makes an item; see `_make` for what it takes."""
    return _make


def _make(
    ident: str = "round-1",
    video: Path | None = None,
    *,
    spans: Sequence[tuple[float, float]] = ((0.0, 6.0),),
    cut: bool = False,
    moments: Sequence[tuple[str, float, float, float]] = MOMENTS,
    performer: str = "",
    bias: float = 0.5,
    cautions: Sequence[str] = (),
) -> Item:
    """Segments of half a second in two streams: motion gives +0.1 in the first half of the time, -0.2 in the second.

    `cut` makes intervals of the spans. Without a `video` only the features are at hand.
    """
    segments = []
    for stream, strength in (("dynamic", 1.0), ("static", 0.0)):
        starts = [a + k / 2 for a, b in spans for k in range(round(2 * (b - a)))]
        for place, start in enumerate(starts):
            value = strength * (0.1 if place < len(starts) / 2 else -0.2)
            parts = {"high": max(value, 0.0), "low": min(value, 0.0), "average": 0.0}
            share = 1 / len(starts)
            segments.append(SegmentEvidence(stream, start, start + 0.5, parts, share, share))  # type: ignore[arg-type]
    score = bias + math.fsum(s.contribution for s in segments)
    found = tuple(Moment(*moment) for moment in moments)  # type: ignore[arg-type]
    told = tuple(Caution("unlike", text) for text in cautions)
    assessment = Assessment(ident, score, bias, 62.5, tuple(segments), found, {"name": "club"}, cautions=told)
    performance = None
    if video is not None:
        performance = Performance(ident, video, tuple(spans) if cut else (), performer)
    elif performer:
        performance = Performance(ident, Path("nowhere.mp4"), (), performer)
    return Item(assessment, performance)


@pytest.fixture(scope="session")
def film_strip(make_video: Callable[..., Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six seconds of numbered pictures, 30 a second, of 384 x 256 pixels, silent."""
    return make_video(tmp_path_factory.mktemp("strip") / "strip.mp4", frames=180, size=(384, 256))
