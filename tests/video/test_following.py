"""A file that is followed gives the pictures that it gives when it is finished, whatever its header says by then."""

from dataclasses import replace

import numpy as np
import pytest

from toprock.video import Look, read_pictures

LOOKS = [Look(64, 30), Look(48, 30, 5), Look(64, 45, 3)]
FRAGMENTS = {"movflags": "frag_keyframe+empty_moov+default_base_moof"}
FILMS = {
    "plain.mkv": {},
    "plain.ts": {},
    "fast.ts": {"rate_hz": 59.94, "frames": 120},
    "fast.mkv": {"rate_hz": 59.94, "frames": 120},
    "fast.mp4": {"rate_hz": 59.94, "frames": 120, "container_options": FRAGMENTS},
    "odd.mkv": {"rate_hz": 24.7, "gop": 250},
    "odd.ts": {"rate_hz": 24.7, "gop": 250, "b_frames": 4},
    "odd.mp4": {"rate_hz": 24.7, "container_options": FRAGMENTS},
    "fragments.mp4": {"container_options": FRAGMENTS},
    "sound.ts": {"sound_s": 1.0},
    "late-sound.mkv": {"sound": np.zeros(16_000, np.float32), "sound_from_s": 0.4},
    "late-sound.ts": {"sound": np.zeros(16_000, np.float32), "sound_from_s": 0.4},
    "late-pictures.mkv": {"times_s": [0.7 + i / 30 for i in range(60)], "sound_s": 2.0},
    "uneven.mkv": {"times_s": sorted([i / 15 for i in range(30)] + [i / 15 + 0.02 for i in range(0, 30, 3)])},
    "uneven.ts": {"times_s": sorted([i / 15 for i in range(30)] + [i / 15 + 0.02 for i in range(0, 30, 3)])},
    "uneven.mp4": {"times_s": [0.1 * i**0.8 for i in range(40)], "container_options": FRAGMENTS},
    "short.ts": {"frames": 3},
    "one.mkv": {"frames": 1},
    "still.webm": {"codec": "libvpx", "frames": 30},
}


@pytest.mark.parametrize("name", FILMS)
def test_pictures_are_those_of_the_finished_file(name, make_video, tmp_path):
    path = make_video(tmp_path / name, **{"frames": 60} | FILMS[name])
    with read_pictures(path, looks=LOOKS) as batch:
        expected = list(batch)
    with read_pictures(path, looks=LOOKS, follow_s=0.1) as followed:
        found = list(followed)
    begun = {"rate_hz": followed.info.rate_hz} if name == "uneven.mp4" else {}  # a mean over all fragments there are
    assert followed.info == replace(batch.info, duration_s=None, frames=followed.info.frames, **begun)
    assert [frame.time_s for frame in found] == [frame.time_s for frame in expected]
    for one, other in zip(found, expected, strict=True):
        assert one.images.keys() == other.images.keys()
        assert all(np.array_equal(image, other.images[side]) for side, image in one.images.items())
    assert (followed.end_s, followed.damaged, followed.ended) == (batch.end_s, batch.damaged, "quiet")


def test_a_file_cut_short_is_followed_to_its_end(make_video, tmp_path):
    path = make_video(tmp_path / "film.mkv", frames=90)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with read_pictures(path, looks=LOOKS, follow_s=0.1) as followed:
        assert 0.5 < [frame.time_s for frame in followed][-1] < 2.5
