"""A performance that is still going on: a file that is being written, a camera or a network stream, scored as it goes.

The score at the end is the score of the same file by `Model.assess`: its frames take the same way.

>>> with Watching(toprock.load("model"), "battle.ts") as watching:
...     for update in watching:
...         print(f"{update.time_s:.1f} s: {update.assessment.score:+.3f}")
10.0 s: +0.512
"""

from toprock.live.source import Source, read_source
from toprock.live.watching import End, Update, Watching

__all__ = ["End", "Source", "Update", "Watching", "read_source"]
