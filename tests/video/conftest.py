"""A plain video for all tests here; lets them import `frame_reading`, which stands beside them."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))


@pytest.fixture(scope="session")
def plain(make_video, tmp_path_factory) -> Path:
    """90 numbered pictures at 30 a second, with B-frames."""
    return make_video(tmp_path_factory.mktemp("plain") / "plain.mp4", frames=90)
