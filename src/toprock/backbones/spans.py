"""Which span of time a frame or a clip speaks for: the two plans of segments that backbones share."""

from __future__ import annotations

from collections import deque
from typing import Generic, TypeVar

T = TypeVar("T")

_SLACK_S = 1e-6
_LEAST_S = 1e-3  # no segment is shorter


class FrameSpans(Generic[T]):
    """Frames one after the other, each for the time half way to its neighbours in the same shot.

    >>> spans = FrameSpans()
    >>> spans.push(0.0, "a", new_shot=True), spans.push(1.0, "b", new_shot=False), spans.finish(2.0)
    ([], [(0.0, 0.5, 'a')], [(0.5, 2.0, 'b')])
    """

    def __init__(self) -> None:
        self._last: tuple[float, float, T] | None = None  # start_s, time_s, what

    def push(self, time_s: float, what: T, *, new_shot: bool) -> list[tuple[float, float, T]]:
        """Take the next frame; returns start, end and content of the one in front of it."""
        last = self._last
        if last is None:
            self._last = (time_s, time_s, what)
            return []
        border_s = time_s if new_shot else (last[1] + time_s) / 2
        self._last = (border_s, time_s, what)
        return [(last[0], border_s, last[2])]

    def finish(self, end_s: float) -> list[tuple[float, float, T]]:
        """The last frame, which lasts to `end_s`."""
        last, self._last = self._last, None
        return [] if last is None else [(last[0], max(end_s, last[1] + _LEAST_S), last[2])]


class ClipSpans(Generic[T]):
    """Clips of a fixed length in seconds, each of a fixed number of frames, at a fixed distance within a shot.

    A clip holds for each of its `frames` equal parts the frame nearest to the part's middle: a video with few
    frames shows some twice. No clip reaches over a cut. The last clip of a shot is moved back to end with it; a shot
    shorter than a clip is one short clip.

    Args:
        clip_s: length of a clip.
        every_s: from one clip's start to the next; at most `clip_s`, so that no time is left out.
        frames: F, in a clip.

    >>> spans = ClipSpans(clip_s=1.0, every_s=1.0, frames=2)
    >>> [spans.push(t / 4, t, new_shot=t == 0) for t in range(6)][-1]
    []
    >>> spans.finish(1.5)
    [(0.0, 1.0, [1, 3]), (0.5, 1.5, [3, 5])]
    """

    def __init__(self, *, clip_s: float, every_s: float, frames: int) -> None:
        self._clip_s, self._every_s, self._count = clip_s, every_s, frames
        self._frames: deque[tuple[float, T]] = deque()
        self._start_s = 0.0
        self._clips = 0
        self._held: tuple[float, float, list[T]] | None = None

    def push(self, time_s: float, what: T, *, new_shot: bool) -> list[tuple[float, float, list[T]]]:
        """Take the next frame; returns start, end and frames of the clips that are known to be complete."""
        done = self._close(time_s) if new_shot and self._frames else []
        if not self._frames:
            self._start_s, self._clips = time_s, 0
        self._frames.append((time_s, what))
        while time_s >= self._next_s() + self._clip_s - _SLACK_S:
            if self._held is not None:
                done.append(self._held)
            self._held = self._clip(self._next_s(), self._next_s() + self._clip_s)
            self._clips += 1
        # the shot may end at any time with a clip that reaches `clip_s` back, half a part of it included
        oldest_s = min(self._next_s(), time_s - self._clip_s) - self._clip_s / self._count
        while len(self._frames) > 1 and self._frames[1][0] <= oldest_s:
            self._frames.popleft()
        return done

    def finish(self, end_s: float) -> list[tuple[float, float, list[T]]]:
        """The clips left when the interval ends at `end_s`."""
        return self._close(end_s) if self._frames else []

    def _close(self, end_s: float) -> list[tuple[float, float, list[T]]]:
        held, self._held = self._held, None
        if held is None:
            done = [self._clip(self._start_s, max(end_s, self._start_s + _LEAST_S))]
        else:
            done = [held]
            while end_s - done[-1][1] > self._every_s / 4:  # else too short for one more
                whole = self._next_s() + self._clip_s < end_s - _SLACK_S  # where frames are far apart
                start_s = self._next_s() if whole else max(self._start_s, end_s - self._clip_s)
                done.append(self._clip(start_s, start_s + self._clip_s if whole else end_s))
                self._clips += 1
            done[-1] = (done[-1][0], max(end_s, done[-1][0] + _LEAST_S), done[-1][2])
        self._frames.clear()
        return done

    def _next_s(self) -> float:
        return self._start_s + self._clips * self._every_s

    def _clip(self, start_s: float, end_s: float) -> tuple[float, float, list[T]]:
        part_s = (end_s - start_s) / self._count
        found, at = [], 0
        frames = list(self._frames)
        for part in range(self._count):
            middle_s = start_s + (part + 0.5) * part_s
            while at + 1 < len(frames) and abs(frames[at + 1][0] - middle_s) <= abs(frames[at][0] - middle_s):
                at += 1
            found.append(frames[at][1])
        return start_s, end_s, found
