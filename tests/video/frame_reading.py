"""Reading a video to its end, as most tests here do."""

from pathlib import Path
from typing import Any

from toprock.video import FrameReader, read_frames


def read(path: Path, rate_hz: float = 1000, short_side: int = 32, **more: Any) -> tuple[list, FrameReader]:
    """All frames, at any rate that a video has unless told otherwise, and the reader with what it counted."""
    with read_frames(path, rate_hz=rate_hz, short_side=short_side, **more) as frames:
        return list(frames), frames
