"""For how long a performance's pictures are black, or stand still as no living scene does."""

from __future__ import annotations

import cv2
import numpy as np

from toprock.backbones.base import Frame

_BLACK, _DARK_SPREAD = 24.0, 8.0  # grey levels: mean, and standard deviation
_SAME, _SAME_ANYWHERE = 0.1, 6.0  # grey levels between two pictures: mean, and most
_POP = 2.0  # grey levels, mean
_FROZEN_S, _POPS_APART_S = 1.0, 0.5


class Soundness:
    """Looks at pictures in order and adds up the time for which they are black or frozen.

    Attributes:
        black_s: seconds with a picture that is dark all over.
        frozen_s: seconds in spans of at least one in which nothing changes. A black picture counts as black alone.

    >>> sound, white = Soundness(), np.full((72, 128, 3), 255, np.uint8)
    >>> for number in range(30):
    ...     sound.push(Frame(number / 10, white))
    >>> sound.finish(3.0)
    >>> sound.black_s, sound.frozen_s
    (0.0, 3.0)
    """

    def __init__(self) -> None:
        self.black_s = self.frozen_s = 0.0
        self._last: Frame | None = None
        self._black = False
        self._still_since_s = 0.0  # nothing but pops has happened since
        self._popped_s: float | None = None

    def push(self, frame: Frame) -> None:
        """Look at the next picture."""
        mean, spread = cv2.meanStdDev(frame.image)
        black = bool(mean.max() < _BLACK and spread.max() < _DARK_SPREAD)
        last = self._last
        if last is None or black != self._black or frame.image.shape != last.image.shape:
            self._end(frame.time_s)
            self._still_since_s = frame.time_s
        else:
            self._add_black(frame.time_s)
            self._compare(cv2.absdiff(frame.image, last.image), last.time_s, frame.time_s)
        self._black, self._last = black, frame

    def finish(self, end_s: float) -> None:
        """Count what lasts until the end of an interval; the next picture begins another."""
        self._end(end_s)
        self._last, self._black = None, False

    def _compare(self, difference: np.ndarray, before_s: float, now_s: float) -> None:
        """A picture that is coded anew pops up a little changed; two changes in a row are movement."""
        mean = float(difference.mean())
        if mean <= _SAME and difference.max() <= _SAME_ANYWHERE:
            return
        since_s = self._still_since_s if self._popped_s is None else self._popped_s
        if mean <= _POP and before_s - since_s >= _POPS_APART_S:
            self._popped_s = now_s
            return
        self._add_frozen(now_s)
        self._still_since_s, self._popped_s = now_s, None

    def _end(self, now_s: float) -> None:
        if self._last is not None:
            self._add_black(now_s)
            self._add_frozen(now_s)
        self._popped_s = None

    def _add_black(self, now_s: float) -> None:
        if self._black and self._last is not None:
            self.black_s += max(0.0, now_s - self._last.time_s)

    def _add_frozen(self, now_s: float) -> None:
        """Nothing has changed from `_still_since_s` until now."""
        if not self._black and now_s - self._still_since_s >= _FROZEN_S:
            self.frozen_s += now_s - self._still_since_s
