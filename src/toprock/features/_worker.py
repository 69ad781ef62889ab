"""A worker of the engine: `python -m toprock.features._worker`; lines of JSON in, lines of JSON out.

The first line sets it up; every further one is a video. It answers with progress and then either
`{"failed": {id: why}}`, `{"full": message}` or `{"weights": message}`, and ends when its input does. SIGTERM ends it
at once: its decoder and its temporary files go with it, and a write that it was at is finished, or as if never begun.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import time

from toprock.errors import StorageError, WeightsError
from toprock.features.engine import extract_group, performance_of
from toprock.features.recipe import Recipe
from toprock.features.store import FeatureStore
from toprock.video import Limits


def main() -> None:
    """Serve jobs until the input ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # an interrupt is the parent's to answer
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # whatever a library prints must not end up among the answers

    def answer(message: dict[str, object]) -> None:
        answers.write(json.dumps(message) + "\n")
        answers.flush()

    setup = json.loads(sys.stdin.readline())
    store = FeatureStore(setup["store"])
    backbones = [Recipe.from_json(value).build() for value in setup["recipes"]]
    limits = Limits(**setup["limits"])
    for line in sys.stdin:
        last = time.monotonic()

        def on_time(time_s: float) -> None:
            nonlocal last
            if time.monotonic() - last > 1.0:
                last = time.monotonic()
                answer({"time_s": time_s})

        group = [performance_of(plain) for plain in json.loads(line)["performances"]]
        try:
            answer({"failed": extract_group(group, store, backbones, limits, on_time)})
        except StorageError as problem:
            answer({"full": problem.message, "advice": problem.advice})
        except WeightsError as problem:
            answer({"weights": problem.message, "advice": problem.advice})


if __name__ == "__main__":
    try:
        main()
    except BrokenPipeError:  # nobody is left who would listen
        os._exit(1)
