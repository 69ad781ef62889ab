"""What is meant by a source, and that no password of an address is ever shown."""

import pytest

from toprock.errors import UnreadableVideo, UsageError
from toprock.live import read_source


@pytest.mark.parametrize(
    ("text", "shown", "ident"),
    [
        ("rtsp://10.0.0.5/stage", "rtsp://10.0.0.5/stage", "10.0.0.5/stage"),
        ("rtsp://anna:secret@cam:8554/live/1", "rtsp://cam:8554/live/1", "cam:8554/live/1"),
        ("RTSP://anna:se%2Fcret@cam", "rtsp://cam", "cam"),
        ("rtsp://[::1]:8554/a?user=anna&password=secret", "rtsp://[::1]:8554/a", "[::1]:8554/a"),
        ("rtsp://cam/user=anna_password=secret_channel=1", "rtsp://cam/...", "cam/..."),
    ],
)
def test_an_address_is_shown_without_its_password(text, shown, ident):
    source = read_source(text)
    assert (source.kind, source.shown, source.id, source.address) == ("network", shown, ident, text)
    assert "secret" not in repr(source)


@pytest.mark.parametrize(
    "text", ["rtsp://anna:sec/ret@cam/a", "rtsp://anna:s#ecret@cam", "rtsp:///ret", "rtsp://a:x/b"]
)
def test_an_address_that_cannot_be_understood_is_not_repeated(text):
    with pytest.raises(UsageError, match="cannot be understood") as told:
        read_source(text)
    assert text not in str(told.value)
    assert "ret" not in told.value.message


def test_other_networks_are_refused():
    with pytest.raises(
        UsageError, match=r"http:// cannot be watched. Give a file, a camera \(/dev/video0\) or rtsp://"
    ):
        read_source("http://example.org/a.ts")


def test_devices(tmp_path):
    with pytest.raises(UnreadableVideo, match="this is a device, but no camera"):
        read_source("/dev/null")
    with pytest.raises(UnreadableVideo, match=r"no such device. Cameras that are there: "):
        read_source("/dev/video99")
    assert read_source(str(tmp_path / "a b.ts")).id == "a b"
