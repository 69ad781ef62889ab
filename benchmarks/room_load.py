"""How quickly a judging room answers when many judge at once: the time to a next pair, and from an answer to the next.

    python benchmarks/room_load.py                       # 20 annotators, 200 performances, SQLite
    python benchmarks/room_load.py --performances 500 --think 2

Each annotator is a thread with its own connection, who asks for a pair, thinks, and answers. The room is a process of
its own, its videos are invented: nobody watches them. `--think 0` has all of them answer as fast as the room does. One
pair is judged before the clock starts.
"""

from __future__ import annotations

import argparse
import os
import random
import statistics
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import urlencode

from toprock.library import Library

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from tests.web.servers import Client, invented, serving


def judge(port: int, token: str, number: int, answers: int, think_s: float) -> tuple[list[float], list[float]]:
    """Seconds that a next pair took, and that an answer took."""
    client, draw = Client(port, token), random.Random(number)
    asked = "/api/v1/judge/next?" + urlencode({"annotator": f"Judge {number}"})
    nexts, answered = [], []
    time.sleep(draw.uniform(0, think_s))
    for _ in range(answers):
        start = time.perf_counter()
        status, found = client.ask("GET", asked)
        nexts.append(time.perf_counter() - start)
        assert status == 200, found
        time.sleep(draw.uniform(0.5, 1.5) * think_s)
        body = {"token": found["pair"]["token"], "outcome": draw.choice(["left", "right", "tie"]), "seconds": think_s}
        start = time.perf_counter()
        status, found = client.ask("POST", "/api/v1/judgments", body)
        answered.append(time.perf_counter() - start)
        assert status == 200, found
    client.close()
    return nexts, answered


def main() -> None:
    """Print the 50th, 95th and 99th percentile."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--annotators", type=int, default=20)
    parser.add_argument("--performances", type=int, default=200)
    parser.add_argument("--answers", type=int, default=20, help="by each annotator")
    parser.add_argument("--think", type=float, default=1.0, help="seconds between a pair and its answer")
    parser.add_argument("--database", default="", help="an SQLAlchemy URL; by default SQLite")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        library = Library(Path(folder) / "room", database=options.database)
        invented(library, options.performances)
        with serving(library.folder.root, database=options.database) as port:
            token = (library.folder.root / "token").read_text().strip()
            judge(port, token, -1, 1, 0.0)  # what a room does once
            start = time.perf_counter()
            with ThreadPoolExecutor(options.annotators) as threads:
                found = list(
                    threads.map(
                        lambda number: judge(port, token, number, options.answers, options.think),
                        range(options.annotators),
                    )
                )
            took_s = time.perf_counter() - start
        library.close()
    count = options.annotators * options.answers
    print(
        f"{options.annotators} annotators, {options.performances} performances, {count} answers in {took_s:.1f} s "
        f"({count / took_s:.1f}/s), thinking {options.think:g} s; {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}"
    )
    for name, times in (("next pair", [t for n, _ in found for t in n]), ("answer", [t for _, a in found for t in a])):
        cuts = statistics.quantiles(times, n=100)
        told = "   ".join(f"p{at} {1000 * cuts[at - 1]:6.0f} ms" for at in (50, 95, 99))
        print(f"  {name:<10} {told}")


if __name__ == "__main__":
    main()
