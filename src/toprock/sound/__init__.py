"""The beats of the music: from the sound track of a video, or from a file that gives them."""

from toprock.sound.given import read_beats, with_beats
from toprock.sound.tracking import track_beats

__all__ = ["read_beats", "track_beats", "with_beats"]
