from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest

from toprock.assess.assessment import Assessment, Moment
from toprock.errors import StorageError
from toprock.performance import Performance
from toprock.report import grab_moments, picture_times, write_report

Make = Callable[..., Assessment]


def moments(*spans: tuple[float, float]) -> Assessment:
    return Assessment("a", 0.0, 0.0, None, (), tuple(Moment("best", a, b, 0.0) for a, b in spans))


def test_three_pictures_a_moment_inside_its_span_and_one_for_a_short_one() -> None:
    assert picture_times(moments((2.0, 4.0))) == [2.3, 3.0, 3.7]
    assert picture_times(moments((2.0, 2.4))) == [2.2]
    assert picture_times(moments()) == []


def test_pictures_show_the_moment_they_stand_for(tmp_path: Path, make_video: Callable, read_number: Callable) -> None:
    video = make_video(tmp_path / "v.mp4", frames=90, rate_hz=30, size=(384, 256))
    pictures, why = grab_moments(moments((1.0, 2.0)), video)
    assert why == ""
    for time_s, data in pictures.items():
        image = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
        assert min(image.shape[:2]) == 180
        assert abs(read_number(image) - time_s * 30) <= 1


def test_a_missing_or_broken_video_is_a_reason_not_an_error(tmp_path: Path) -> None:
    pictures, why = grab_moments(moments((1.0, 2.0)), tmp_path / "gone.mp4")
    assert not pictures and "no longer" in why
    broken = tmp_path / "broken.mp4"
    broken.write_bytes(b"not a video at all" * 100)
    pictures, why = grab_moments(moments((1.0, 2.0)), broken)
    assert not pictures and "cannot be read" in why and str(tmp_path) not in why


def test_write_report_takes_pictures_from_the_video(
    tmp_path: Path, make_video: Callable, make_assessment: Make
) -> None:
    video = make_video(tmp_path / "v.mp4", frames=60, rate_hz=30, size=(320, 240))
    assessment = make_assessment(length_s=2.0, moments=0)
    assessment = Assessment(**{**vars(assessment), "moments": (Moment("best", 0.5, 1.5, 0.1),)})
    out = tmp_path / "deep" / "report.html"
    for given in (
        {"videos": {"round-1": video}},
        {"performances": {"round-1": Performance("round-1", video)}},
    ):
        assert write_report([assessment], out, **given) == out
        assert out.read_text(encoding="utf-8").count("data:image/jpeg") == 3
    assert [p.name for p in out.parent.iterdir()] == ["report.html"]


def test_write_report_without_a_usable_video_still_reports(tmp_path: Path, make_assessment: Make) -> None:
    out = write_report([make_assessment()], tmp_path / "r.html", videos={"round-1": tmp_path / "gone.mp4"})
    text = out.read_text(encoding="utf-8")
    assert "the video is no longer where it was" in text and "data:image" not in text


def test_a_failed_write_leaves_the_old_report(tmp_path: Path, make_assessment: Make) -> None:
    with pytest.raises(StorageError):
        (tmp_path / "file").write_text("x")
        write_report([make_assessment()], tmp_path / "file" / "r.html")
    assert (tmp_path / "file").read_text() == "x"


def test_blurred_pictures_hold_nothing_finer_than_a_few_cells(
    tmp_path: Path, make_video: Callable, read_number: Callable
) -> None:
    video = make_video(tmp_path / "v.mp4", frames=90, rate_hz=30, size=(256, 256))
    sharp, _ = grab_moments(moments((1.0, 2.0)), video)
    blurred, why = grab_moments(moments((1.0, 2.0)), video, blur=True)
    assert why == "" and list(blurred) == list(sharp)
    for time_s in sharp:
        clear, soft = (cv2.imdecode(np.frombuffer(d[time_s], np.uint8), cv2.IMREAD_COLOR) for d in (sharp, blurred))
        assert clear.shape == soft.shape == (180, 180, 3)
        again = cv2.resize(cv2.resize(soft, (16, 16), interpolation=cv2.INTER_AREA), (180, 180)).astype(float)
        assert np.abs(again - soft).mean() < 6  # sixteen cells a side tell all of it
        assert np.abs(cv2.Laplacian(soft, cv2.CV_64F)).mean() < 0.2 * np.abs(cv2.Laplacian(clear, cv2.CV_64F)).mean()


def test_reports_with_pictures_without_and_blurred(tmp_path: Path, make_video: Callable, make_assessment: Make) -> None:
    video = make_video(tmp_path / "v.mp4", frames=60, rate_hz=30, size=(320, 240))
    one = Assessment(**{**vars(make_assessment(length_s=2.0, moments=0)), "moments": (Moment("best", 0.5, 1.5, 0.1),)})
    texts = {}
    for mode in ("full", "none", "blur"):
        out = write_report([one], tmp_path / f"{mode}.html", videos={one.id: video}, pictures=mode)
        texts[mode] = out.read_text(encoding="utf-8")
    found = {mode: set(re.findall(r"data:image/jpeg;base64,([^\"]+)", text)) for mode, text in texts.items()}
    assert len(found["full"]) == len(found["blur"]) == 3 and not found["full"] & found["blur"]
    assert "data:image" not in texts["none"] and "asked for without them" in texts["none"]
    assert "pictures are blurred" in texts["blur"] and "blur(" not in texts["blur"]
