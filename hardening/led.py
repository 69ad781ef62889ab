"""Changes one kind of file, led by the code that it reaches: `python -m hardening.led READER FOLDER SECONDS`."""

from __future__ import annotations

import sys
from pathlib import Path

import atheris


def main() -> None:
    """Until the time is over, or something goes wrong."""
    name, folder, seconds = sys.argv[1], Path(sys.argv[2]), sys.argv[3]
    with atheris.instrument_imports(include=["toprock", "json", "csv"]):
        from hardening.chapters.fuzz_readers import Whole, attempt
    whole = Whole(name, folder)
    corpus = folder / "corpus"
    corpus.mkdir()
    (corpus / "whole").write_bytes(whole.data)

    def one(data: bytes) -> None:
        whole.put(data)
        _, wrong = attempt(name, whole.path)
        if wrong:
            print(f"wrong: {wrong}", file=sys.stderr, flush=True)
            raise AssertionError(wrong)

    options = [
        f"-max_total_time={seconds}",
        "-timeout=20",
        "-rss_limit_mb=6000",
        f"-max_len={2 * len(whole.data) + 4096}",
    ]
    artifacts = f"-artifact_prefix={folder}/"
    atheris.Setup([sys.argv[0], *options, artifacts, "-print_final_stats=0", str(corpus)], one)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
