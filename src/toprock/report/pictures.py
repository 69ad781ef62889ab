"""Small pictures of the moments: when to look, and how to get them out of a video."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Literal, get_args

from toprock.assess.assessment import Assessment
from toprock.errors import VideoError

Pictures = Literal["full", "none", "blur"]
PICTURES: tuple[Pictures, ...] = get_args(Pictures)
SHORT_SIDE = 180
BLUR_CELLS = 8
"""What a blurred picture keeps of its shorter side. Familiar faces are told at 16 x 16 cells that hold nothing but the
face (Harmon and Julesz, Science 180, 1973): half of that for the whole picture leaves light and place alone."""
_QUALITY = 74
_PLACES = (0.15, 0.5, 0.85)  # of a moment's span: its beginning, middle and end


def picture_times(assessment: Assessment) -> list[float]:
    """Seconds to show: three a moment, one where it is shorter than half a second; rising, none twice."""
    times: set[float] = set()
    for moment in assessment.moments:
        length = moment.end_s - moment.start_s
        for place in _PLACES if length >= 0.5 else (0.5,):
            times.add(round(moment.start_s + place * length, 3))
    return sorted(times)


def grab_moments(
    assessment: Assessment, video: str | Path, *, short_side: int = SHORT_SIDE, blur: bool = False
) -> tuple[dict[float, bytes], str]:
    """JPEG pictures of an assessment's moments by time in seconds, and why there are none where that is so.

    Where `blur` is set, the pixels themselves are blurred: nothing finer than `BLUR_CELLS` is in the file.
    Never raises for a bad video: a report without pictures is still a report.
    """
    from toprock.video import grab_pictures

    times = picture_times(assessment)
    if not times:
        return {}, ""
    if not Path(video).is_file():
        return {}, "No pictures: the video is no longer where it was."
    try:
        images = grab_pictures(video, times, short_side=short_side)
    except VideoError as problem:
        return {}, f"No pictures: the video cannot be read ({problem.what})."
    return dict(zip(times, encode_jpeg(images, blur=blur), strict=True)), ""


def encode_jpeg(images: Sequence[object], *, blur: bool = False) -> list[bytes]:
    """RGB pictures (height, width, 3) uint8 as JPEG; where asked for, so coarse that nobody is recognised."""
    import cv2
    import numpy as np

    encoded = []
    for image in images:
        pixels = np.asarray(image)[:, :, ::-1]
        if blur:
            height, width = pixels.shape[:2]
            share = BLUR_CELLS / min(height, width)
            cells = (max(1, round(width * share)), max(1, round(height * share)))
            pixels = cv2.resize(cv2.resize(pixels, cells, interpolation=cv2.INTER_AREA), (width, height))
        good, data = cv2.imencode(".jpg", pixels, [cv2.IMWRITE_JPEG_QUALITY, _QUALITY])
        if not good:
            raise ValueError("a picture could not be encoded as JPEG")
        encoded.append(data.tobytes())
    return encoded
