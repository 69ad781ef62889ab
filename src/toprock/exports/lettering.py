"""Text as masks: smooth letters of any script, with nothing but OpenCV.

OpenCV 5 brings a typeface (Rubik, with a fallback for other scripts); older ones have stroke letters of ASCII alone,
which are drawn large and made small.
"""

from __future__ import annotations

import unicodedata
from typing import Any

import cv2
import numpy as np

from toprock.exports.item import one_line

MEDIUM, BOLD = 500, 650
_MOST_LETTERS = 120
_FINER = 4
_CAPITAL = 0.7  # height of a capital, of the size
_STROKE_CAPITAL = 21.0  # the same for stroke letters, in pixels at scale 1
_PLAIN = str.maketrans({"\N{MINUS SIGN}": "-", "…": "...", "“": '"', "”": '"', "‘": "'", "’": "'"})


class Lettering:
    """Draws text.

    Args:
        typeface: whether to use OpenCV's typeface, where it has one.

    >>> mask = Lettering().mask("+0.12", 20, BOLD)
    >>> mask.dtype, mask.shape[0]
    (dtype('uint8'), 28)
    """

    def __init__(self, *, typeface: bool = True) -> None:
        self._face: Any = cv2.FontFace("sans") if typeface and hasattr(cv2, "FontFace") else None

    def width(self, text: str, size: float, weight: int = MEDIUM) -> int:
        """Pixels that a text takes."""
        if self._face is None:
            scale, thickness = _stroke(size, weight)
            return round(cv2.getTextSize(_ascii(text), cv2.FONT_HERSHEY_DUPLEX, scale, thickness)[0][0] / _FINER)
        return int(cv2.getTextSize((0, 0), _safe(text), (0, 0), self._face, round(size), weight)[2])

    def mask(self, text: str, size: float, weight: int = MEDIUM) -> np.ndarray:
        """(1.4 size, width) uint8: how much of each pixel the letters cover; they stand on row `size`."""
        height, base = round(1.4 * size), round(size)
        width = self.width(text, size, weight) + 4
        if self._face is None:
            scale, thickness = _stroke(size, weight)
            large = np.zeros((height * _FINER, width * _FINER), np.uint8)
            at = (_FINER, base * _FINER)
            cv2.putText(large, _ascii(text), at, cv2.FONT_HERSHEY_DUPLEX, scale, 255, thickness, cv2.LINE_AA)
            return cv2.resize(large, (width, height), interpolation=cv2.INTER_AREA)
        mask = np.zeros((height, width), np.uint8)
        cv2.putText(mask, _safe(text), (1, base), (255, 255, 255), self._face, round(size), weight)
        return mask

    def fitting(self, text: str, size: float, weight: int, width: int) -> str:
        """As much of a text as `width` pixels hold, with an ellipsis where it was cut."""
        text = text[:_MOST_LETTERS]
        if self.width(text, size, weight) <= width:
            return text
        while text and self.width(text + "…", size, weight) > width:
            text = text[:-1]
        return text.rstrip() + "…"

    def wrapped(self, text: str, size: float, weight: int, width: int, *, most: int) -> list[str]:
        """A text in lines of at most `width` pixels, the last of `most` with an ellipsis where more follows."""
        lines: list[str] = []
        words = one_line(text).split()
        while words and len(lines) < most:
            count = 1
            while count < len(words) and self.width(" ".join(words[: count + 1]), size, weight) <= width:
                count += 1
            last = len(lines) == most - 1
            lines.append(self.fitting(" ".join(words if last else words[:count]), size, weight, width))
            words = words[count:]
        return lines


def _safe(text: str) -> str:
    """One line without lone surrogates, on which OpenCV's typefaces crash."""
    return one_line(text).encode("utf-8", "replace").decode("utf-8")


def _ascii(text: str) -> str:
    plain = text.translate(_PLAIN)
    return (
        "".join(c for c in unicodedata.normalize("NFKD", one_line(plain)) if not unicodedata.combining(c))
        .encode("ascii", "replace")
        .decode("ascii")
    )


def _stroke(size: float, weight: int) -> tuple[float, int]:
    scale = _FINER * _CAPITAL * size / _STROKE_CAPITAL
    return scale, max(1, round(scale * (1.6 if weight < BOLD else 2.6)))
