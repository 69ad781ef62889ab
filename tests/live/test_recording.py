"""A network stream is recorded and scored as its record is; what cannot be reached or breaks off is named."""

import socket
import subprocess
import threading
from fractions import Fraction
from pathlib import Path
from types import SimpleNamespace

import av
import pytest

from toprock._decoder import relay
from toprock.errors import UnreadableVideo
from toprock.live import Source, Watching
from toprock.live.recording import Recording


@pytest.fixture(scope="module")
def short(film, tmp_path_factory):
    path = tmp_path_factory.mktemp("short") / "short.mp4"
    command = ["ffmpeg", "-v", "error", "-t", "3", "-i", str(film), "-an", "-r", "30", "-c:v", "libx264", "-bf", "0"]
    subprocess.run([*command, "-preset", "ultrafast", str(path)], check=True)
    return path


def test_a_stream_is_scored_as_its_record(rtsp, short, model, toprock, place, tmp_path):
    path = tmp_path / "record.mkv"
    with rtsp(short, "anna", "geheim") as (port, _):
        source = f"rtsp://anna:geheim@127.0.0.1:{port}/stage"
        with Watching(model, source, record=path) as watching:
            *early, last = watching
        assert sum(bool(update.segments) for update in early) >= 2
        assert (watching.end.reason, watching.end.broken) == ("lost", True)
        assert last.assessment.to_json() == model.assess(path).to_json()
        assert last.assessment.score == pytest.approx(model.assess(short).score, abs=0.05)  # times are rounded to ms
        said = toprock("watch", source, "--model", place / "model", "--for", 1.5)
        wrong = toprock("watch", f"rtsp://anna:falsch@127.0.0.1:{port}/stage", "--model", place / "model", status=1)
        absent = toprock("watch", source + "-2", "--model", place / "model", status=1)
    assert "it refuses the name and password" in wrong[1]
    assert "the server has no such stream" in absent[1]
    assert not [text for text in (*said, *wrong, *absent) if "geheim" in text or "falsch" in text or "anna" in text]


def test_a_stream_that_is_lost_ends_with_what_was_seen(rtsp, short, model):
    with rtsp(short) as (port, server), Watching(model, f"rtsp://127.0.0.1:{port}/stage", every_s=0.3) as watching:
        for last in watching:
            if last.segments and not last.final:
                server.kill()
        folder = watching.performance.video.parent
        assert folder.exists()
    assert (watching.end.reason, watching.end.note) == ("lost", f"rtsp://127.0.0.1:{port}/stage sends nothing more.")
    assert last.assessment.segments
    assert last.time_s < 2.9
    assert not folder.exists()


def test_a_record_is_whole_when_the_watching_is_stopped(rtsp, short, model, tmp_path):
    path = tmp_path / "record.mkv"
    with rtsp(short) as (port, _), Watching(model, f"rtsp://127.0.0.1:{port}/stage", record=path) as watching:
        for last in watching:
            if last.segments and not last.final:
                watching.stop()
    assert watching.end.reason == "stopped"
    assert last.assessment.to_json() == model.assess(path).to_json()
    with av.open(str(path)) as record:
        assert record.duration > 300_000


def test_a_full_disk_ends_with_what_was_recorded(rtsp, short, model, small_disk):
    path = small_disk("60k") / "record.mkv"
    with rtsp(short) as (port, _), Watching(model, f"rtsp://127.0.0.1:{port}/stage", record=path) as watching:
        *_, last = watching
    assert (watching.end.reason, watching.end.broken) == ("failed", True)
    assert "the disk is full. Free some space, and record again." in watching.end.note
    assert last.assessment.score == model.assess(path).score


def test_hosts_that_are_not_there(model):
    with pytest.raises(UnreadableVideo, match=r"rtsp://no-such-host\.invalid/a: there is no such host"):
        Watching(model, "rtsp://anna:geheim@no-such-host.invalid/a")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
        with pytest.raises(UnreadableVideo, match=rf"rtsp://127.0.0.1:{port}: .* \(Connection refused\)") as told:
            Watching(model, f"rtsp://anna:geheim@127.0.0.1:{port}")
        assert "geheim" not in str(told.value)


def test_a_host_that_never_answers_is_given_up(monkeypatch):
    monkeypatch.setattr(relay, "_SILENT_S", 0.5)
    with socket.create_server(("127.0.0.1", 0)) as deaf:
        job = {"format": "rtsp", "address": f"rtsp://anna:geheim@127.0.0.1:{deaf.getsockname()[1]}/a"}
        with pytest.raises(relay.Refusal, match=r"no answer in 0\.5 s") as told:
            relay._opened({**job, "limits": {"max_streams": 64}})
    assert "geheim" not in told.value.what + told.value.advice


@pytest.mark.parametrize(
    "answer", [b"", b"HTTP/1.1 200 OK\r\n\r\n<html>", b"RTSP/1.0 200 OK\r\nCSeq: 1\r\n" + b"X: y\r\n" * 99]
)
def test_a_host_that_talks_nonsense_is_given_up(model, answer):
    def talk():
        with server.accept()[0] as visitor:
            visitor.recv(999)
            visitor.sendall(answer)

    with socket.create_server(("127.0.0.1", 0)) as server:
        threading.Thread(target=talk, daemon=True).start()
        with pytest.raises(UnreadableVideo, match="the stream cannot be opened") as told:
            Watching(model, f"rtsp://anna:geheim@127.0.0.1:{server.getsockname()[1]}/a")
    assert "geheim" not in str(told.value)


def test_what_is_no_camera(tmp_path):
    with pytest.raises(UnreadableVideo, match=r"/dev/zero: it cannot be used as a camera \("):
        Recording(Source("camera", "/dev/zero", "/dev/zero", "zero"), tmp_path / "out.mkv")
    assert not list(tmp_path.iterdir())


class Disk:
    """The parent's side of a relay, without the process between."""

    def __init__(self, path: Path) -> None:
        self.file, self.told = path.open("wb"), {}

    def media(self, at, data):
        self.file.seek(at)
        self.file.write(data)

    def progress(self):
        pass

    def info(self, values):
        self.told |= values

    def done(self, **values):
        self.told |= values
        self.file.close()


def test_bare_pictures_are_coded_as_those_of_cheap_cameras(tmp_path):
    """The source is FFmpeg's test picture, which comes as a camera's pictures do; there is no camera here."""
    disk, stop = Disk(tmp_path / "out.mkv"), SimpleNamespace(wanted=False)
    with av.open("testsrc2=size=128x96:rate=30:duration=2", format="lavfi") as source:
        relay.copy(source, disk, stop, {"max_pixels": 1e6, "max_duration_s": 60})
    assert disk.told == {"codec": "wrapped_avframe", "ended": "lost", "damaged": 0}
    with av.open(str(tmp_path / "out.mkv")) as record:
        times_s = [float(frame.time) for frame in record.decode(video=0)]
        assert record.streams.video[0].codec_context.name == "h264"
    assert times_s == pytest.approx([i / 30 for i in range(60)], abs=2e-3)


class Lane(relay._Copied):
    """Notes what would be written."""

    def __init__(self):
        out = SimpleNamespace(
            add_stream_from_template=lambda stream: None, mux=lambda p: self.written.append((p.pts, p.dts))
        )
        self.written = []
        super().__init__(out, None)


def packet(pts, dts, key=False):
    return SimpleNamespace(pts=pts, dts=dts, is_keyframe=key, duration=10, time_base=Fraction(1, 100), stream=None)


def test_packets_get_times_that_rise():
    lane = Lane()
    for one in (
        *(
            packet(0, 0),
            packet(None, None, True),
            packet(None, None),
            packet(20, 20),
            packet(50, 30),
            packet(None, None),
        ),
        *(packet(5, 5), packet(15, 15), packet(900_000, 900_000)),
    ):
        lane(one)
    assert lane.written == [(0, 0), (10, 10), (20, 20), (50, 30), (40, 40), (50, 50), (60, 60), (70, 70)]
