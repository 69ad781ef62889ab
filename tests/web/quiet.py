"""Runs a room in a network of its own and counts what leaves it: `unshare -n python quiet.py FOLDER VIDEO...`.

Prints one line of JSON: packets sent by a probe (to see that the counter counts), by the room, and what the room did.
"""

from __future__ import annotations

import contextlib
import json
import os
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path


def run(*command: str) -> None:
    subprocess.run(command, check=True)


def packets() -> int:
    counted = next(line for line in Path("/proc/net/dev").read_text().splitlines() if line.strip().startswith("out0:"))
    return int(counted.split(":")[1].split()[9])


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


def main() -> None:
    folder, videos = Path(sys.argv[1]), sys.argv[2:]
    Path("/proc/sys/net/ipv6/conf/default/disable_ipv6").write_text("1")
    run("ip", "link", "set", "lo", "up")
    run("ip", "link", "add", "out0", "type", "veth", "peer", "name", "far0")
    for name in ("out0", "far0"):
        run("ip", "link", "set", name, "up")
    run("ip", "addr", "add", "10.9.9.1/24", "dev", "out0")
    run("ip", "route", "add", "default", "dev", "out0")
    before = packets()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe, contextlib.suppress(OSError):
        probe.sendto(b"x", ("192.0.2.1", 9))
    time.sleep(0.5)
    probed = packets() - before
    time.sleep(3.5)  # the system asks a few more times who 192.0.2.1 is
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
    print(json.dumps({"probe": probed, "room": packets() - before, "jobs": jobs, "left": left}))


if __name__ == "__main__":
    os.environ.pop("http_proxy", None)
    main()
