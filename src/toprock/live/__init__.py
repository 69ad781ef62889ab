"""A performance that is still going on: a file that is being written, a camera or a network stream, scored as it goes.

The score at the end is the score of the same file by `Model.assess`: its frames take the same way.

>>> with Watching(toprock.load("model"), "battle.mp4", quiet_s=0.5) as watching:
...     for update in watching:
...         if update.final:
...             print(update.assessment.id, watching.end.note)
battle Nothing more was written to it for 0.5 s.
"""

from toprock.live.source import Source, read_source
from toprock.live.watching import End, Update, Watching

__all__ = ["End", "Source", "Update", "Watching", "read_source"]
