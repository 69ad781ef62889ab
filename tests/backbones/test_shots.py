import csv
from collections import defaultdict

import av
import cv2
import numpy as np
import pytest
from backbone_figures import FPS, HEIGHT, WIDTH, disc_video, texture

from toprock.backbones.base import Frame
from toprock.backbones.shots import ShotCuts


def cuts(frames):
    finder = ShotCuts()
    return [number for number, frame in enumerate(frames) if finder.push(frame)]


def middle(frame, share):
    """Of a decoded frame what lies within `share` of its sides, HEIGHT pixels high."""
    size = (round(frame.width * HEIGHT / share / frame.height / 2) * 2, round(HEIGHT / share / 2) * 2)
    image = frame.reformat(*size, format="rgb24").to_ndarray()
    y, x = (image.shape[0] - HEIGHT) // 2, round(size[0] * (1 - share) / 2)
    return np.ascontiguousarray(image[y : y + HEIGHT, x : size[0] - x])


def timed(pictures):
    return [Frame(number / FPS, picture) for number, picture in enumerate(pictures)]


def test_the_first_frame_begins_a_shot_and_a_still_scene_is_one():
    assert cuts(timed([texture(0)] * 20)) == [0]


def test_two_still_scenes_joined_are_two_shots():
    assert cuts(timed([texture(0)] * 9 + [texture(1)] * 9)) == [0, 9]


@pytest.mark.parametrize("canvas", [(128, 228), (128, 400), (300, 128)])
def test_bars_beside_a_picture_hide_no_cut(canvas):
    """As of a picture of a phone in a wide one, and the other way round."""

    def between_bars(picture):
        shown = np.zeros((*canvas, 3), np.uint8)
        y, x = (canvas[0] - 100) // 2, (canvas[1] - 100) // 2
        shown[y : y + 100, x : x + 100] = picture[:100, :100]
        return shown

    assert cuts(timed([between_bars(texture(seed)) for seed in (0, 1) for _ in range(9)])) == [0, 9]


def test_the_same_place_with_the_performer_elsewhere_and_the_light_changed():
    first = disc_video(lambda t: (0.4, 0.4), np.arange(10) / FPS, radius=0.3)
    second = disc_video(lambda t: (1.2, 0.6), np.arange(10) / FPS, radius=0.3)
    assert cuts(timed([f.image for f in first] + [cv2.flip(f.image, 1) for f in second])) == [0, 10]


@pytest.mark.parametrize("speed", [0.3, 1.0, 2.5])
def test_a_pan_is_no_cut(speed):
    wide = texture(2, width=WIDTH + 700)
    starts = [round(speed * HEIGHT * k / FPS) for k in range(30)]
    assert cuts(timed([wide[:, s : s + WIDTH] for s in starts if s < 700])) == [0]


def test_a_shaking_camera_is_no_cut():
    large = texture(3, width=WIDTH + 20, height=HEIGHT + 20)
    rng = np.random.default_rng(0)
    offsets = [(10, 10)] * 8 + [tuple(rng.integers(0, 20, 2)) for _ in range(40)]
    assert cuts(timed([large[y : y + HEIGHT, x : x + WIDTH] for x, y in offsets])) == [0]


def test_fast_motion_from_a_standstill_is_no_cut():
    times = np.arange(30) / FPS
    frames = disc_video(lambda t: (0.4 + max(0.0, min(t - 0.6, 0.6)) * 1.6, 0.5), times, radius=0.25)
    assert cuts(frames) == [0]


def test_a_flash_of_light_is_no_cut():
    dark = (texture(4) * 0.6).astype(np.uint8)
    bright = np.clip(dark.astype(int) + 50, 0, 255).astype(np.uint8)
    assert cuts(timed([dark] * 8 + [bright] + [dark] * 8)) == [0]


def test_another_picture_size_begins_a_shot():
    assert cuts(timed([texture(0)] * 4 + [texture(0, width=128)] * 4)) == [0, 4]


@pytest.mark.parametrize(("shown", "every", "right", "seen"), [(1.0, 2, 0.9, 0.7), (0.5, 6, 0.55, 0.45)])
def test_cuts_of_joined_real_clips(shared, shown, every, right, seen):
    """Half of the training videos; many joins show one room, one person and nearly one posture. And half of their
    pictures' sides, as if the camera were close: the performer fills them, and much of what moves is no cut."""
    folder = shared / "data/pushups"
    with (folder / "videos.csv").open() as file:
        names = [row["video"] for row in csv.DictReader(file) if row["split"] == "train"][::every]
    truth = defaultdict(list)
    with (folder / "moments.csv").open() as file:
        for row in csv.DictReader(file):
            if float(row["start_s"]) > 0:
                truth[row["video"]].append(float(row["start_s"]))
    hits = found = wanted = 0
    for name in names:
        finder, times, due = ShotCuts(), [], 0.0
        with av.open(str(folder / "videos" / name)) as container:
            for frame in container.decode(video=0):
                time_s = float(frame.time)
                if time_s + 1e-6 < due:
                    continue
                due += 1 / FPS
                if finder.push(Frame(time_s, middle(frame, shown))):
                    times.append(time_s)
        matched = {min((t for t in times[1:] if -1e-3 <= t - cut < 0.15), default=None) for cut in truth[name]}
        hits += len(matched - {None})
        found += len(times) - 1
        wanted += len(truth[name])
    assert hits / found > right
    assert hits / wanted > seen
