"""Black and frozen pictures are measured in real videos."""

import subprocess

import pytest

from toprock.backbones import build
from toprock.features.extraction import describe_video
from toprock.performance import Performance


def film(path, source, *filters):
    graph = ["-vf", ",".join(filters)] if filters else []
    command = ["ffmpeg", "-v", "error", "-f", "lavfi", "-i", source, *graph, "-pix_fmt", "yuv420p", str(path)]
    subprocess.run(command, check=True)
    return path


def facts(path, intervals=()):
    (found,) = describe_video(path, [Performance("x", path, intervals)], [build("posture")])
    return found.facts


MOVING = "testsrc2=s=320x180:r=25:d=6,noise=alls=8:allf=t"


def test_a_moving_video_is_neither(tmp_path):
    found = facts(film(tmp_path / "a.mp4", MOVING))
    assert (found["black_share"], found["frozen_share"]) == (0.0, 0.0)


def test_the_share_of_black_pictures_is_measured(tmp_path):
    path = film(tmp_path / "a.mp4", MOVING, "tpad=start_duration=4:color=black")
    found = facts(path)
    assert found["black_share"] == pytest.approx(0.4, abs=0.02)
    assert found["frozen_share"] == 0.0
    assert facts(path, ((2.0, 6.0),))["black_share"] == pytest.approx(0.5, abs=0.03)


def test_the_share_of_frozen_pictures_is_measured(tmp_path):
    path = film(tmp_path / "a.mp4", MOVING, "tpad=stop_mode=clone:stop_duration=6")
    assert facts(path)["frozen_share"] == pytest.approx(0.5, abs=0.03)
    assert facts(path, ((0.0, 6.0),))["frozen_share"] < 0.05
    assert facts(path, ((1.0, 2.0), (9.0, 10.5)))["frozen_share"] == pytest.approx(0.6, abs=0.05)


def test_short_stills_are_no_freeze(tmp_path):
    assert facts(film(tmp_path / "a.mp4", MOVING, "fps=2,fps=25"))["frozen_share"] == 0.0
