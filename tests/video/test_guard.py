"""The child that decodes is bounded, reports every end, and never outlives its use."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from toprock.errors import DecoderFailed, UsageError
from toprock.video import FrameReader, Limits, probe, read_frames


@pytest.fixture(scope="module")
def film(make_video, tmp_path_factory) -> Path:
    """20 s of pictures big enough that they never fit into the pipe at once."""
    noise = np.random.default_rng(0).integers(0, 255, (96, 128, 3), np.uint8)
    return make_video(
        tmp_path_factory.mktemp("film") / "film.mp4",
        size=(128, 96),
        pictures=[np.roll(noise, i, axis=1) for i in range(600)],
    )


def stub(code: str) -> tuple[str, ...]:
    """A command that runs a misbehaving decoder; `send(kind, body)` writes one message of the protocol."""
    head = """
        import json, os, resource, signal, struct, sys, time
        job = json.loads(sys.stdin.buffer.raw.readline())
        def send(kind, body=b""):
            os.write(1, struct.pack("<cI", kind, len(body)) + body)
        INFO = json.dumps(dict(width=8, height=8, duration_s=9.0, rate_hz=25.0, codec="h264", container="mov",
                               frames=None, rotation=0)).encode()
        FRAME = struct.pack("<dIIIBBBB", 0.0, 8, 8, 24, 0, 0, 0, 0) + bytes(192)
    """
    return (sys.executable, "-c", textwrap.dedent(head) + textwrap.dedent(code))


def run(path: Path, code: str, **limits: float) -> list:
    reader = FrameReader(path, rate_hz=5, short_side=32, limits=Limits(**limits), _command=stub(code))
    with reader:
        return list(reader)


def gone(pid: int, within_s: float = 5.0) -> bool:
    """Whether a process ends within some time (a zombie has ended, but counts only if it is not ours)."""
    until = time.monotonic() + within_s
    while time.monotonic() < until:
        try:
            state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        except (FileNotFoundError, ProcessLookupError):
            return True
        if state == "Z" and Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1] != str(os.getpid()):
            return True
        time.sleep(0.02)
    return False


CRASHES = {
    "crashed (SIGSEGV)": "os.kill(os.getpid(), signal.SIGSEGV)",
    "crashed (SIGABRT)": "os.abort()",
    "crashed (SIGKILL)": "os.kill(os.getpid(), signal.SIGKILL)",
    "exit status 7": "os._exit(7)",
    "status 1): ValueError: odd": "raise ValueError('odd')",
    "status 0)": "pass",
}


@pytest.mark.parametrize("words", CRASHES)
@pytest.mark.parametrize("begun", [False, True])
def test_a_crash_is_named(film, words, begun):
    first = 'send(b"I", INFO); send(b"F", FRAME)' if begun else ""
    with pytest.raises(DecoderFailed) as caught:
        run(film, f"{first}\n{CRASHES[words]}")
    assert words in str(caught.value)
    assert str(film) in str(caught.value)
    assert "ffmpeg" in caught.value.advice


def test_a_crash_within_a_message_is_noticed(film):
    with pytest.raises(DecoderFailed, match="exit status 3"):
        run(film, 'send(b"I", INFO); os.write(1, struct.pack("<cI", b"F", 5000) + b"half"); os._exit(3)')


@pytest.mark.parametrize(
    "code",
    [
        "time.sleep(60)",
        "while True: pass",
        'send(b"I", INFO); send(b"F", FRAME); time.sleep(60)',
        'send(b"I", INFO); os.write(1, b"F"); time.sleep(60)',
        "os.close(1); time.sleep(60)",
        "signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(60)",
    ],
)
def test_a_hang_is_ended(film, code):
    start = time.monotonic()
    with pytest.raises(DecoderFailed, match=r"hung|silent"):
        run(film, code, stall_s=1.0)
    assert time.monotonic() - start < 10


def test_progress_without_frames_is_no_hang(film):
    code = """
        send(b"I", INFO)
        for _ in range(10):
            time.sleep(0.3); send(b"P")
        send(b"F", FRAME); send(b"D", json.dumps(dict(end_s=1.0, damaged=0)).encode())
    """
    assert len(run(film, textwrap.dedent(code), stall_s=2.0)) == 1


@pytest.mark.parametrize(
    "code",
    [
        'os.write(1, b"GARBAGE" * 100)',
        'send(b"I", b"not json")',
        'send(b"I", b"[]")',
        'send(b"I", b"{}")',
        'send(b"I", INFO); send(b"F", FRAME[:50])',
        'send(b"I", INFO); send(b"F", b"")',
        'send(b"I", INFO); os.write(1, struct.pack("<cI", b"F", 4_000_000_000))',
        'send(b"I", INFO); send(b"D", b"{}")',
        'send(b"F", FRAME)',
    ],
)
def test_nonsense_is_not_believed(film, code):
    with pytest.raises(DecoderFailed, match="nonsense"):
        run(film, code)


def test_too_little_memory_is_one_error_whatever_the_amount(film):
    refused = []
    for memory_mb in (40, 120, 200, 260):
        try:
            list(read_frames(film, rate_hz=5, short_side=96, limits=Limits(memory_mb=memory_mb)))
        except DecoderFailed as error:
            assert str(film) in str(error)
            assert error.advice
            refused.append(memory_mb)
    assert 40 in refused


def test_memory_is_bounded_by_the_kernel(film):
    code = """
        from toprock._decoder.__main__ import _bound
        _bound(job["limits"])
        try:
            hold = bytearray(3 << 30)
        except MemoryError:
            os._exit(66)
    """
    with pytest.raises(DecoderFailed, match="exit status 66"):
        run(film, textwrap.dedent(code), memory_mb=512)


def test_processor_time_is_bounded_by_the_kernel(film):
    code = """
        from toprock._decoder.__main__ import _bound
        _bound(job["limits"])
        while True: pass
    """
    with pytest.raises(DecoderFailed, match="1 s of processor time"):
        run(film, textwrap.dedent(code), cpu_s=1, stall_s=20)


def test_closing_early_leaves_no_process(film):
    reader = read_frames(film, rate_hz=1000, short_side=96)
    child = reader._child
    assert child is not None
    next(reader)
    reader.close()
    assert not Path(f"/proc/{child.pid}").exists()
    assert list(reader) == []
    reader.close()


def test_an_exception_in_the_loop_leaves_no_process(film):
    with pytest.raises(KeyboardInterrupt), read_frames(film, rate_hz=1000, short_side=96) as frames:
        child = frames._child
        for _ in frames:
            raise KeyboardInterrupt
    assert child is not None
    assert not Path(f"/proc/{child.pid}").exists()


def test_a_forgotten_reader_leaves_no_process(film):
    reader = read_frames(film, rate_hz=1000, short_side=96)
    assert reader._child is not None
    pid = reader._child.pid
    next(reader)
    del reader
    assert not Path(f"/proc/{pid}").exists()


def test_a_finished_reader_leaves_no_process_and_no_open_file(film):
    before = len(list(Path("/proc/self/fd").iterdir()))
    for _ in range(3):
        probe(film)
        list(read_frames(film, rate_hz=2, short_side=32))
    assert len(list(Path("/proc/self/fd").iterdir())) == before


PARENT = """
import sys, time
from toprock.video import FrameReader
reader = FrameReader(sys.argv[1], rate_hz=1000, short_side=96{more})
next(reader)
print(reader._child.pid, flush=True)
{after}
"""


@contextmanager
def reading(film: Path, *, after: str, more: str = "") -> Iterator[tuple[subprocess.Popen, int]]:
    """A process that reads a film, and the pid of its decoder; ends the process."""
    script = PARENT.format(after=after, more=more)
    parent = subprocess.Popen(
        [sys.executable, "-c", script, str(film)],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    assert parent.stdout is not None
    try:
        yield parent, int(parent.stdout.readline())
    finally:
        parent.kill()
        parent.wait()
        parent.stdout.close()


@pytest.mark.parametrize("kind", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
@pytest.mark.parametrize("after", ["time.sleep(60)", "for frame in reader: time.sleep(0.2)"])
def test_the_child_ends_with_its_parent(film, kind, after):
    with reading(film, after=after) as (parent, child):
        assert Path(f"/proc/{child}").exists()
        parent.send_signal(kind)
        parent.wait(timeout=10)
        assert gone(child)


def test_a_stuck_child_ends_with_its_parent(film):
    """One that neither writes nor lets Python run: only the kernel's signal ends it."""
    code = """
        from toprock._decoder.__main__ import _hold_leash
        _hold_leash()
        send(b"I", INFO); send(b"F", FRAME)
        sum(range(10**12))
    """
    stuck = f", _command={stub(textwrap.dedent(code))!r}"
    with reading(film, after="time.sleep(60)", more=stuck) as (parent, child):
        parent.kill()
        parent.wait()
        assert gone(child)


def test_a_reader_made_in_a_thread_outlives_that_thread(film):
    made: list[FrameReader] = []
    maker = threading.Thread(target=lambda: made.append(read_frames(film, rate_hz=10, short_side=32)))
    maker.start()
    maker.join()
    with made[0] as frames:
        assert len(list(frames)) == 200


def test_memory_does_not_grow_with_length(make_video, tmp_path, film):
    """Peak memory of child and parent over 4000 frames, read slowly, against 600."""
    script = """
import sys
from pathlib import Path
from toprock.video import read_frames
def peak(pid):
    status = Path(f"/proc/{pid}/status").read_text()
    return next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM")) / 1024
frames = read_frames(sys.argv[1], rate_hz=1000, short_side=96)
child = frames._child.pid
for n, frame in enumerate(frames):
    if n in (500, int(sys.argv[2])):
        print(peak("self"), peak(child))
"""
    path = make_video(tmp_path / "long.mp4", frames=4000, rate_hz=25, size=(128, 96), gop=250)
    done = subprocess.run([sys.executable, "-c", script, str(path), "3950"], capture_output=True, text=True, check=True)
    early, late = ([float(v) for v in line.split()] for line in done.stdout.splitlines())
    assert late[0] - early[0] < 8
    assert late[1] - early[1] < 8
    assert sum(late) < 400


def test_nothing_in_the_working_folder_is_imported(film, tmp_path):
    for name in ("av.py", "json.py", "toprock.py"):
        (tmp_path / name).write_text("raise SystemExit('taken over')")
    script = """
import os, sys
os.chdir(sys.argv[2])
from toprock.video import probe
print(probe(sys.argv[1]).width)
"""
    done = subprocess.run(
        [sys.executable, "-P", "-c", script, str(film), str(tmp_path)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout.strip() == "128", done.stderr


def test_the_child_imports_little(film):
    script = "import sys, toprock._decoder.jobs; print('numpy' in sys.modules, 'torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "False"]


@pytest.mark.parametrize("values", [{"stall_s": 0}, {"max_pixels": -1}, {"memory_mb": float("nan")}, {"cpu_s": True}])
def test_limits_that_cannot_be(values):
    with pytest.raises(UsageError, match=next(iter(values))):
        Limits(**values)
    assert Limits(threads=0) == Limits(**Limits().to_json())
