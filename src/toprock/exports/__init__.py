"""What people take elsewhere: the timeline in their tools' formats, moments as clips, the video with its evidence.

>>> item = Item(toprock.load("model").assess("battle.mp4"))
>>> write_timeline([item], "battle.csv", format="csv").name
'battle.csv'
"""

from toprock.exports.clips import Clip, cut_clips
from toprock.exports.item import Item
from toprock.exports.overlay import write_overlay
from toprock.exports.preview import plays_in_browsers, write_preview
from toprock.exports.timeline import EXPORTS, TimelineFormat, write_timeline

__all__ = [
    "EXPORTS",
    "Clip",
    "Item",
    "TimelineFormat",
    "cut_clips",
    "plays_in_browsers",
    "write_overlay",
    "write_preview",
    "write_timeline",
]
