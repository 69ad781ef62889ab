"""Runs a room or commands in a network of their own and counts what leaves it.

unshare --net --mount python quiet.py room FOLDER VIDEO...     # a room that takes in, looks and deletes
unshare --net --mount python quiet.py commands < LIST.json     # [name, [argument, ...]] each, one after the other

There is a way out of that network, a name server that nobody is, and a counter of what is sent that way. Prints one
line of JSON: packets sent by a probe (to see that the counter counts), and what was sent and done.
"""

from __future__ import annotations

import contextlib
import json
import os
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path
from typing import Any

import command_server

NOBODY = "192.0.2.1"


def run(*command: str) -> None:
    subprocess.run(command, check=True)


def packets() -> int:
    """How many have left by the way out."""
    (line,) = (line for line in Path("/proc/net/dev").read_text().splitlines() if line.strip().startswith("out0:"))
    return int(line.split()[10])


def lay_out() -> None:
    """A way out that leads nowhere, and nothing else; names are looked up there too."""
    Path("/proc/sys/net/ipv6/conf/default/disable_ipv6").write_text("1")
    run("ip", "link", "set", "lo", "up")
    run("ip", "link", "add", "out0", "type", "veth", "peer", "name", "far0")
    for name in ("out0", "far0"):
        run("ip", "link", "set", name, "arp", "off", "up")  # the system itself asks for nothing
    run("ip", "addr", "add", "10.9.9.1/24", "dev", "out0")
    run("ip", "route", "add", "default", "dev", "out0")
    with tempfile.NamedTemporaryFile("w", suffix=".conf") as file:
        file.write(f"nameserver {NOBODY}\noptions timeout:1 attempts:1\n")
        file.flush()
        run("mount", "--bind", file.name, "/etc/resolv.conf")
    for variable in [name for name in os.environ if name.lower().endswith("_proxy")]:
        del os.environ[variable]  # one on this machine would not be counted


def probe() -> int:
    """How many packets a datagram to nobody, and the question where somebody lives, are counted as."""
    before = packets()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        sender.sendto(b"x", (NOBODY, 9))
    with contextlib.suppress(OSError):
        socket.getaddrinfo("somebody.example", 443)
    return packets() - before


def ask(port: int, token: str, method: str, path: str, body: bytes | None = None) -> bytes:
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
    request = urllib.request.Request(f"http://127.0.0.1:{port}{path}", body, headers, method=method)
    with urllib.request.urlopen(request, timeout=60) as answer:
        return answer.read()


def use(port: int, token: str, videos: list[str]) -> list[str]:
    """Bring videos, wait until they have been looked at, delete them; returns the states of the jobs."""
    for _ in range(100):
        with contextlib.suppress(OSError):
            ask(port, token, "GET", "/healthz")
            break
        time.sleep(0.1)
    for video in videos:
        ask(port, token, "POST", f"/api/v1/performances?filename={Path(video).name}", Path(video).read_bytes())
    end = time.monotonic() + 120
    states = ["queued"]
    while time.monotonic() < end and {"queued", "running"} & set(states):
        states = [job["state"] for job in json.loads(ask(port, token, "GET", "/api/v1/jobs"))]
        time.sleep(0.3)
    ask(port, token, "GET", "/")
    keys = [p["key"] for p in json.loads(ask(port, token, "GET", "/api/v1/performances"))["performances"]]
    ask(port, token, "POST", "/api/v1/performances/delete", json.dumps({"keys": keys}).encode())
    return states


def room(folder: Path, videos: list[str]) -> dict[str, Any]:
    """What a room sent, the states of its jobs, and the files that it left."""
    before = packets()
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "toprock", "serve", str(folder), "--port", str(port), "--workers", "1"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as server:
        assert server.stderr is not None
        try:
            server.stderr.readline()
            jobs = use(port, (folder / "token").read_text().strip(), videos)
        finally:
            server.terminate()
    left = [str(path) for path in folder.rglob("*") if path.is_file() and path.parent != folder]
    return {"sent": packets() - before, "jobs": jobs, "left": left}


def commands(wanted: list[tuple[str, list[str]]]) -> dict[str, Any]:
    """Of each: how it ended, what it sent, and what it said on standard error; and of importing what they need."""
    found: dict[str, Any] = {}
    before = packets()
    command_server.import_all()
    found["importing"] = {"status": 0, "sent": packets() - before, "told": ""}
    for name, arguments in wanted:
        before = packets()
        with tempfile.TemporaryFile() as told, Path(os.devnull).open("wb") as out:
            pid = os.fork()
            if pid == 0:
                streams = [os.dup(out.fileno()), os.dup(told.fileno())]
                command_server.become(streams, arguments, str(Path.cwd()), dict(os.environ))
            status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
            told.seek(0)
            said = told.read().decode("utf-8", "replace")
        found[name] = {"status": status, "sent": packets() - before, "told": said[-2000:]}
    return found


def main() -> None:
    lay_out()
    probed = probe()
    kind, *more = sys.argv[1:]
    found = room(Path(more[0]), more[1:]) if kind == "room" else commands(json.load(sys.stdin))
    print(json.dumps({"probe": probed, "found": found}))


if __name__ == "__main__":
    main()
