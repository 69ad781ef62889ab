"""Run chapters, and put what they found into docs/reliability.md, each in its own section.

python -m hardening                      # all of them, the long run
python -m hardening kills faults         # these two; the other sections of the report stay as they are
python -m hardening --short kills        # a short run, which is printed and not written down
"""

from __future__ import annotations

import argparse
import importlib
import sys
import tempfile
import time
from pathlib import Path

from hardening.chapter import Scale

REPORT = Path(__file__).resolve().parents[1] / "docs/reliability.md"
CHAPTERS = {
    "threats": "Threats, controls, tests",
    "fuzz_videos": "Damaged videos",
    "fuzz_readers": "Damaged files of other kinds",
    "fuzz_api": "Strange requests",
    "kills": "Killed at random moments",
    "faults": "A machine that fails",
    "real_videos": "Videos as cameras make them",
    "load": "Many readers at once",
    "determinism": "The same score again",
    "supply": "What it is built on",
}
HEAD = """# Reliability

What was done to break Toprock, and what came of it. `make hardening` runs every chapter and writes this page;
`make test` and `make test-long` run most of the same code on a small scale. "Lost" means a result that is gone, doubled
or different, a crash, a hang, or an error without words.
"""


def main() -> int:
    """Status 1 where anything was lost."""
    parser = argparse.ArgumentParser(prog="python -m hardening", description="Try to break it.")
    parser.add_argument("chapters", nargs="*", metavar="CHAPTER", help=", ".join(CHAPTERS))
    parser.add_argument("--short", action="store_true", help="a short run, printed only")
    parser.add_argument("--seed", type=int, default=0, help="of all that is drawn")
    options = parser.parse_args()
    if unknown := set(options.chapters) - set(CHAPTERS):
        parser.error(f"no chapter {', '.join(sorted(unknown))}; there are {', '.join(CHAPTERS)}")
    lost = 0
    for name in options.chapters or CHAPTERS:
        print(f"{CHAPTERS[name]} ({name})", file=sys.stderr, flush=True)
        start = time.monotonic()
        with tempfile.TemporaryDirectory(prefix=f"hardening-{name}-") as folder:
            scale = Scale(not options.short, Path(folder), options.seed)
            chapter = importlib.import_module(f"hardening.chapters.{name}").run(scale)
        text = chapter.markdown(CHAPTERS[name], name, time.monotonic() - start)
        print(text, flush=True)
        lost += len(chapter.lost)
        if not options.short:
            write_down(name, text)
    return 1 if lost else 0


def write_down(name: str, text: str) -> None:
    """Put a section into the report in place of the one that was there."""
    report = REPORT.read_text(encoding="utf-8") if REPORT.exists() else HEAD
    _, *sections = report.split("\n## ")
    found = {section.partition("\n")[0]: f"## {section.rstrip()}\n" for section in sections}
    found[CHAPTERS[name]] = text
    REPORT.write_text("\n".join([HEAD, *(found[t] for t in CHAPTERS.values() if t in found)]), encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())
