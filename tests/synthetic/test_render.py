"""Frames and files."""

from __future__ import annotations

import csv
import hashlib
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import av
import numpy as np
import pytest

from toprock.errors import StorageError, UsageError
from toprock.performance import read_manifest
from toprock.synthetic import (
    SyntheticPerformance,
    choreograph,
    draw_performance,
    quality_pairs,
    render_performances,
    write_video,
)
from toprock.synthetic.draw import draw_frames, draw_proportions_of


@pytest.fixture(scope="module")
def rendered(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[SyntheticPerformance]]:
    out = tmp_path_factory.mktemp("battles")
    seen: list[int] = []
    performances = render_performances(out, count=3, seed=5, processes=1, on_progress=seen.append)
    assert seen == [1, 2, 3]
    return out, performances


def test_files_can_be_read_again(rendered: tuple[Path, list[SyntheticPerformance]]) -> None:
    out, performances = rendered
    manifest = read_manifest(out / "manifest.csv")
    assert [p.id for p in manifest] == ["battle-000", "battle-001", "battle-002"]
    assert len({p.performer for p in manifest}) == 3
    assert all(p.video.is_file() for p in manifest)
    with (out / "moments.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0]) == ["id", "start_s", "end_s", "label", "kind", "stream"]
    expected = [(p.id, m.start_s, m.label, m.stream) for p in performances for m in p.moments]
    assert [(r["id"], float(r["start_s"]), r["label"], r["stream"]) for r in rows] == expected
    with (out / "quality.csv").open(newline="") as file:
        quality = {r["id"]: (float(r["quality"]), float(r["duration_s"])) for r in csv.DictReader(file)}
    assert quality == {p.id: (pytest.approx(p.quality, abs=1e-6), p.duration_s) for p in performances}
    assert sorted(p.name for p in out.iterdir()) == ["manifest.csv", "moments.csv", "quality.csv", "videos"]
    assert len(list((out / "videos").iterdir())) == 3


def test_a_video_shows_the_drawn_frames(rendered: tuple[Path, list[SyntheticPerformance]]) -> None:
    _, performances = rendered
    plan, drawn = draw_performance(5, 1)
    assert plan.quality == performances[1].quality
    with av.open(str(performances[1].video)) as container:
        stream = container.streams.video[0]
        assert (stream.width, stream.height, stream.average_rate) == (256, 192, 20)
        decoded = [(f.time, f.to_ndarray(format="rgb24")) for f in container.decode(stream)]
    assert len(decoded) == round(performances[1].duration_s * 20)
    assert decoded[-1][0] == pytest.approx(performances[1].duration_s - 0.05, abs=1e-3)
    for (_, after), before in list(zip(decoded, drawn, strict=True))[::40]:
        assert np.abs(after.astype(int) - before).mean() < 8


def test_processes_change_no_byte(tmp_path: Path, rendered: tuple[Path, list[SyntheticPerformance]]) -> None:
    _, alone = rendered
    together = render_performances(tmp_path, count=2, seed=5, processes=2)
    for one, other in zip(alone, together, strict=False):
        assert one.moments == other.moments
        digests = [hashlib.sha256(p.video.read_bytes()).hexdigest() for p in (one, other)]
        assert digests[0] == digests[1]


def test_chosen_frames_are_those_of_the_whole() -> None:
    _, every = draw_performance(2, 4)
    _, some = draw_performance(2, 4, numbers=[0, 7])
    frames = [next(every) for _ in range(8)]
    for one, other in zip(some, (frames[0], frames[7]), strict=True):
        assert np.array_equal(one, other)


def test_performers_look_different() -> None:
    frames = [next(draw_performance(1, index)[1]).astype(int) for index in range(6)]
    for number, one in enumerate(frames):
        for other in frames[number + 1 :]:
            assert np.abs(one - other).mean() > 10


def test_a_planted_posture_shows_in_the_picture_and_only_then() -> None:
    plans = [choreograph(4, index) for index in range(40)]
    plan = next(p for p in plans if any(m.kind == "bent knees" for m in p.moments))
    moment = next(m for m in plan.moments if m.kind == "bent knees")
    body = draw_proportions_of(4, 0)
    numbers = [0, round((moment.start_s + moment.end_s) * 10)]
    pictures = [
        list(draw_frames(plan.joints(body, planted_postures=planted), np.random.default_rng(1), body, numbers))
        for planted in (True, False)
    ]
    changed = [(np.abs(a.astype(int) - b).max(axis=2) > 30).sum() for a, b in zip(*pictures, strict=True)]
    assert changed[1] > 400  # pixels, of a figure of some 3,000
    assert changed[1] > 5 * changed[0]


def test_the_whole_performer_stays_in_the_picture() -> None:
    from toprock.synthetic.scene import HEIGHT, WIDTH, Camera

    outside = []
    for index in range(30):
        joints = choreograph(9, index).joints(draw_proportions_of(9, index))
        camera = Camera.draw(np.random.default_rng(np.random.SeedSequence([9, index, 10])), len(joints), 20)
        pixels, _, _ = camera.project(joints)
        out = ((pixels < -2) | (pixels > (WIDTH + 2, HEIGHT + 2))).any(axis=2)
        outside.append(out.mean())
    assert np.mean(outside) < 0.01
    assert max(outside) < 0.1


def test_an_interruption_leaves_no_half_file(tmp_path: Path) -> None:
    def frames() -> Iterator[np.ndarray]:
        for number in range(40):
            if number == 30:
                raise KeyboardInterrupt
            yield np.full((64, 64, 3), number, np.uint8)

    with pytest.raises(KeyboardInterrupt):
        write_video(frames(), tmp_path / "a.mp4")
    assert list(tmp_path.iterdir()) == []


def test_a_refused_folder_is_a_storage_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a folder")
    with pytest.raises(StorageError, match="Choose another folder"):
        render_performances(tmp_path / "file", count=1, seed=1)


@pytest.mark.parametrize("wrong", [{"count": 0}, {"count": 1, "processes": 0}, {"count": 1, "prefix": "a/b"}])
def test_wrong_use_says_so(tmp_path: Path, wrong: dict[str, object]) -> None:
    with pytest.raises(UsageError):
        render_performances(tmp_path, seed=1, **wrong)  # type: ignore[arg-type]
    assert list(tmp_path.iterdir()) == []


def test_pairs_say_which_is_better() -> None:
    made = [SyntheticPerformance(name, name, quality, 20.0, (), Path(name)) for name, quality in
            (("a", 0.2), ("b", 0.9), ("c", 0.2), ("d", 0.25))]  # fmt: skip
    assert quality_pairs(made) == [("b", "d"), ("b", "a"), ("b", "c"), ("d", "a"), ("d", "c")]
    assert quality_pairs(made, min_difference=0.1) == [("b", "d"), ("b", "a"), ("b", "c")]


def test_importing_stays_light() -> None:
    code = "import sys, toprock.synthetic; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
