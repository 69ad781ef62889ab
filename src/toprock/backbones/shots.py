"""Where a new shot begins: hard cuts, found from the frame in front alone.

A frame is suspected when it differs from the one in front more than frames lately did, and when either no large part
of the picture stays nearly as it was (a performer close to the camera changes much of it, a cut all of it), or it does
so many times more: a jump within one view. A suspect is a cut unless optical flow can explain it: the frame in front is
moved along the flow, brought to the same brightness and contrast, and what remains is set against the texture of the
picture. Motion, shake and pans are explained well; another picture, even of the same room, is not.
"""

from __future__ import annotations

from collections import deque
from functools import lru_cache

import cv2
import numpy as np

from toprock.backbones.base import Frame
from toprock.backbones.motion import small_grey

_SHORT_SIDE = 128
_COARSE = (48, 27)  # pixels, for the cheap comparison
_BLOCKS = (24, 14)
_PARTS = (12, 7)
_LEAST_CHANGED = 0.2  # of the picture's parts, that must have changed as well
_HISTORY = 12  # frames, 0.8 s at 15 a second
_RECENT = 4
_LEAST_DIFFERENCE = 3.0  # grey levels
_CHANGED = 1.0  # grey levels
_BLACK = 24  # grey levels, at most, of a bar
_FLOOR = 0.3  # grey levels added to differences in ratios
_OVER_USUAL = 1.65  # times the median of the history
_UNEXPLAINED = 0.9
_SUDDEN = 8.0  # times the largest recent difference: motion, even close to the camera, gathers more slowly
_SURPRISE_CAP = 4.5  # times the largest recent difference; more says no more
_SURPRISE_POWER = 0.7
_LONGEST_SHIFT = 0.4  # of a side, for a pan
_TEXTURE_FLOOR = 2.0  # grey levels


class ShotCuts:
    """Finds hard cuts in frames that are pushed in order, some 10 to 30 a second.

    The thresholds were set on videos joined from real clips, whole and cut down to half and a third of the picture; see
    tests/backbones.

    >>> import numpy as np
    >>> cuts, picture = ShotCuts(), np.zeros((128, 228, 3), np.uint8)
    >>> cuts.push(Frame(0.0, picture)), cuts.push(Frame(0.1, picture))
    (True, False)
    """

    def __init__(self) -> None:
        cv2.setNumThreads(1)
        self._differences: deque[float] = deque(maxlen=_HISTORY)
        self._grey: np.ndarray | None = None
        self._coarse: np.ndarray | None = None

    def push(self, frame: Frame) -> bool:
        """Look at the next frame; true when it begins a new shot, as the first frame does."""
        grey = small_grey(frame.image, _SHORT_SIDE)
        coarse = cv2.resize(frame.image, _COARSE, interpolation=cv2.INTER_AREA)
        before, before_coarse = self._grey, self._coarse
        self._grey, self._coarse = grey, coarse
        if before is None or before_coarse is None or before.shape != grey.shape:
            return True
        changed = cv2.absdiff(coarse, before_coarse)
        difference = float(changed.mean())
        surprise = self._surprise(difference)
        cut = (
            difference > _LEAST_DIFFERENCE
            and surprise > 1.0
            and self._over_usual(difference)
            and (surprise > _SUDDEN or self._everywhere(changed[_lit(np.maximum(coarse, before_coarse))]))
            and _unexplained(before, grey) * self._weight(surprise) > _UNEXPLAINED
            and _unexplained(*_aligned(before, grey)) * self._weight(surprise) > _UNEXPLAINED
        )
        if not cut:
            self._differences.append(difference)
        return cut

    @staticmethod
    def _weight(surprise: float) -> float:
        return min(surprise, _SURPRISE_CAP) ** _SURPRISE_POWER

    def _surprise(self, difference: float) -> float:
        recent = max(list(self._differences)[-_RECENT:], default=0.0)
        return (difference + _FLOOR) / (recent + _FLOOR)

    def _usual(self) -> float:
        return float(np.median(self._differences)) if self._differences else 0.0

    def _over_usual(self, difference: float) -> bool:
        return difference + _FLOOR > _OVER_USUAL * (self._usual() + _FLOOR)

    def _everywhere(self, changed: np.ndarray) -> bool:
        """Whether even the parts that changed least did so by more than motion elsewhere accounts for.

        Args:
            changed: of a picture without its bars, (height, width, 3).
        """
        if not changed.size:
            return False
        parts = cv2.resize(changed.mean(2), _PARTS, interpolation=cv2.INTER_AREA)
        least = float(np.quantile(parts, _LEAST_CHANGED))
        usual = self._usual() * _COARSE[0] * _COARSE[1] / changed[..., 0].size
        return least > 0.1 * float(changed.mean()) + 0.5 * usual + _CHANGED


def _lit(image: np.ndarray) -> tuple[slice, slice]:
    """Rows and columns of a picture between black bars."""
    lit = image.max(2) > _BLACK
    rows, columns = np.flatnonzero(lit.any(1)), np.flatnonzero(lit.any(0))
    if not len(rows):
        return slice(0, 0), slice(0, 0)
    return slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1)


def _unexplained(before: np.ndarray, grey: np.ndarray) -> float:
    """What flow leaves unexplained, over the texture of the pictures, mean over blocks; some 0.2 within
    a shot.

    Slow changes over the picture are taken out first, so that light going on or off is no cut.
    """
    flow = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_ULTRAFAST)  # a small picture makes one finer for good
    back = flow.calc(grey, before, None)
    height, width = grey.shape
    x, y = np.meshgrid(np.arange(width, dtype=np.float32), np.arange(height, dtype=np.float32))
    moved = cv2.remap(before, x + back[..., 0], y + back[..., 1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    left = _blocks(cv2.absdiff(_detail(moved, 15), _detail(grey, 15)))
    texture = np.maximum(_blocks(np.abs(_detail(moved, 9))), _blocks(np.abs(_detail(grey, 9))))
    return float((left / (texture + _TEXTURE_FLOOR)).mean())


def _aligned(before: np.ndarray, grey: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """What both pictures show after one shift of the camera that is too far for flow to follow."""
    height, width = grey.shape
    shift, _ = cv2.phaseCorrelate(before.astype(np.float32), grey.astype(np.float32), _window(width, height))
    dx = int(np.clip(round(shift[0]), -_LONGEST_SHIFT * width, _LONGEST_SHIFT * width))
    dy = int(np.clip(round(shift[1]), -_LONGEST_SHIFT * height, _LONGEST_SHIFT * height))
    old = before[max(0, -dy) : height - max(0, dy), max(0, -dx) : width - max(0, dx)]
    new = grey[max(0, dy) : height - max(0, -dy), max(0, dx) : width - max(0, -dx)]
    return np.ascontiguousarray(old), np.ascontiguousarray(new)


@lru_cache(maxsize=4)
def _window(width: int, height: int) -> np.ndarray:
    return cv2.createHanningWindow((width, height), cv2.CV_32F)


def _detail(picture: np.ndarray, width: int) -> np.ndarray:
    """`picture` less its mean over windows of `width` pixels."""
    values = picture.astype(np.float32)
    return values - cv2.blur(values, (width, width))


def _blocks(values: np.ndarray) -> np.ndarray:
    return cv2.resize(values, _BLOCKS, interpolation=cv2.INTER_AREA)
