"""How a frame is shown: turned upright, pixels made square."""

from __future__ import annotations

import struct
from typing import Any

from toprock._decoder.output import Refusal

MAX_ASPECT = 32


def upright(frame: Any) -> tuple[int, bool]:
    """Quarter turns counter-clockwise, and whether mirrored sideways before them, that set it upright."""
    for data in frame.side_data:
        if getattr(data.type, "name", "") == "DISPLAYMATRIX":
            a, b, _, c, d = struct.unpack_from("<5i", bytes(data))
            return quarter_turns(a, b, c, d)
    return 0, False


def quarter_turns(a: int, b: int, c: int, d: int) -> tuple[int, bool]:
    """The same for the display matrix that maps a picture's x to (a, b) and its y to (c, d), y pointing down.

    A negative determinant mirrors. Angles between are set to the nearest quarter.
    """
    mirrored = a * d - b * c < 0
    if mirrored:
        a, b = -a, -b
    if abs(a) >= abs(b):
        return (0 if a >= 0 else 2), mirrored
    return (3 if b > 0 else 1), mirrored


def display_size(width: int, height: int, pixel_aspect: float) -> tuple[float, float]:
    """Width and height with pixels made square; an aspect that no camera has is not believed.

    Raises:
        Refusal: one side is more than MAX_ASPECT times the other, so that small pictures of it would be huge.
    """
    wide = width * (pixel_aspect if 0.1 <= pixel_aspect <= 10 else 1.0)
    if max(wide, height) > MAX_ASPECT * min(wide, height):
        raise Refusal(
            "VideoTooLarge",
            f"its pictures are {wide:.0f} x {height}, one side more than {MAX_ASPECT} times the other",
            "Crop it, or re-encode it.",
        )
    return wide, float(height)
