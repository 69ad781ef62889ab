"""Starts commands that need not wait for their libraries to be imported.

This process has imported what commands import, and forks for every command that it is asked for. Such a command is a
process as any other, with its own standard output, folder, environment and status; only its start is spared.
`conftest.py` is at the other end of the socket whose number is the argument.
"""

import atexit
import gc
import importlib
import json
import os
import runpy
import socket
import sys
import threading

IMPORTED = (
    *("av", "cv2", "jinja2", "numpy", "rich.progress", "rich.table", "safetensors.torch", "scipy.stats"),
    *("torch._dynamo", "toprock.assess.model", "toprock.evaluate", "toprock.exports", "toprock.peers"),
    "toprock.report",
)


def import_all() -> None:
    """Import what commands import."""
    for name in IMPORTED:
        importlib.import_module(name)
    gc.freeze()  # pages that no collection touches stay shared


def serve(server: socket.socket) -> None:
    """Of every command that is asked for, tell the number of its process and, when it has ended, its status."""
    while True:
        message, streams, *_ = socket.recv_fds(server, 1 << 20, 2)
        if not message:
            return
        pid = os.fork()
        if pid == 0:
            server.close()
            become(streams, **json.loads(message))
        for stream in streams:
            os.close(stream)
        server.send(str(pid).encode())
        server.send(str(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])).encode())


def become(
    streams: list[int], arguments: list[str], folder: str, environment: dict[str, str], module: str = "toprock"
) -> None:
    """Be `python -m MODULE ARGUMENTS` to the end, without taking the libraries apart again, which takes long."""
    for number, stream in enumerate(streams, 1):
        os.dup2(stream, number)
        os.close(stream)
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(folder)
    sys.path.insert(0, folder)
    sys.argv[1:] = arguments
    status = 1
    try:
        runpy.run_module(module, run_name="__main__", alter_sys=True)
    except SystemExit as end:
        status = end.code
    except BaseException:
        sys.excepthook(*sys.exc_info())
    threading._shutdown()
    atexit._run_exitfuncs()
    sys.stdout.flush()
    os._exit(status)


if __name__ == "__main__":
    sys.path.pop(0)
    import_all()
    serve(socket.socket(fileno=int(sys.argv[1])))
