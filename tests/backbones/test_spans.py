"""The two plans of segments: whole time covered, nothing over a cut, and the same as the embedded backbones'."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from toprock.backbones.spans import ClipSpans, FrameSpans


@given(
    gaps=st.lists(st.floats(0.01, 0.6), min_size=1, max_size=60),
    cuts=st.sets(st.integers(1, 59)),
    clip_s=st.floats(0.3, 3),
    share=st.floats(0.3, 1),
)
def test_clips_cover_every_shot_and_cross_no_cut(gaps, cuts, clip_s, share):
    times = [0.0, *itertools.accumulate(gaps)]
    spans = ClipSpans(clip_s=clip_s, every_s=share * clip_s, frames=4)
    clips = [c for n, t in enumerate(times) for c in spans.push(t, n, new_shot=n == 0 or n in cuts)]
    end_s = times[-1] + 0.1
    clips += spans.finish(end_s)
    borders = [0.0, *(times[n] for n in sorted(cuts) if n < len(times)), end_s]
    for start_s, stop_s in itertools.pairwise(borders):
        inside = [c for c in clips if start_s - 1e-9 <= c[0] < stop_s]
        assert inside[0][0] == pytest.approx(start_s)
        assert inside[-1][1] == pytest.approx(stop_s)
        assert all(a[1] >= b[0] - 1e-6 for a, b in itertools.pairwise(inside))
        assert all(len(c[2]) == 4 for c in inside)
        assert all(start_s - 1e-9 <= times[n] < stop_s for c in inside for n in c[2])
        assert all(c[1] - c[0] <= clip_s + max(share * clip_s / 4, *gaps, 0.1) + 1e-3 for c in inside)
    assert all(a[0] <= b[0] for a, b in itertools.pairwise(clips))


def test_a_clip_holds_the_frames_nearest_to_its_parts():
    spans = ClipSpans(clip_s=1.0, every_s=1.0, frames=4)
    for number in range(21):
        spans.push(number / 20, number, new_shot=number == 0)
    (start_s, end_s, frames), *_ = spans.finish(1.05)
    assert (start_s, end_s) == (0.0, 1.05)
    assert frames == [3, 8, 13, 18]


def test_a_slow_video_shows_frames_twice():
    spans = ClipSpans(clip_s=2.0, every_s=2.0, frames=8)
    for number in range(4):
        spans.push(number / 2, number, new_shot=number == 0)
    assert spans.finish(2.0)[0][2] == [0, 1, 1, 2, 2, 3, 3, 3]


def test_frames_share_the_time_between_them():
    spans = FrameSpans()
    out = spans.push(0.0, "a", new_shot=True) + spans.push(1.0, "b", new_shot=False)
    out += spans.push(3.0, "c", new_shot=True) + spans.finish(3.5)
    assert out == [(0.0, 0.5, "a"), (0.5, 3.0, "b"), (3.0, 3.5, "c")]
    assert spans.finish(4.0) == []
