"""Video files, safely: what is in them, their frames in one pass of bounded memory, and their sound.

All decoding happens in a guarded child process (`toprock._decoder`), because other people's files hang, crash
and swell decoders. Times are seconds as a player shows them, never index / rate.

>>> with read_frames("battle.mp4", rate_hz=2, short_side=120) as frames:
...     for time_s, image in frames:
...         print(time_s, image.shape)
...         break
0.0 (120, 160, 3)
"""

from toprock.video.limits import Limits
from toprock.video.reader import (
    FrameReader,
    Look,
    PictureReader,
    Pictures,
    VideoInfo,
    grab_pictures,
    probe,
    read_frames,
    read_pictures,
)
from toprock.video.sound import Sound, read_sound

__all__ = [
    "FrameReader",
    "Limits",
    "Look",
    "PictureReader",
    "Pictures",
    "Sound",
    "VideoInfo",
    "grab_pictures",
    "probe",
    "read_frames",
    "read_pictures",
    "read_sound",
]
