"""What some numbers of the descriptors mean to people: which way a segment differs from others, in words.

Only numbers whose meaning is plain are named; what the rest say stays in the score.
"""

from __future__ import annotations

from functools import cache
from typing import NamedTuple


class Reading(NamedTuple):
    """One number of a descriptor: its place, and what it means where it is lower or higher than elsewhere."""

    place: int
    lower: str
    higher: str


_FLOW = (  # over the whole picture, and 212 and 214 over the performer's box
    Reading(9, "slower", "faster"),
    Reading(8, "with less of the picture moving", "with more of the picture moving"),
    Reading(12, "smoother", "jerkier"),
    Reading(6, "with less upward motion", "with more upward motion"),
    Reading(2, "with less downward motion", "with more downward motion"),
    Reading(212, "steadier in speed", "less steady in speed"),
    Reading(214, "with fewer changes of direction", "with more changes of direction"),
)
_POSTURE = (
    Reading(-24, "with a flatter outline", "with a taller outline"),
    Reading(-11, "with limbs stretched out farther", "more compact"),
    Reading(-6, "less symmetric", "more symmetric"),
    Reading(-7, "with less of the body in its upper half", "with more of the body in its upper half"),
)
_POSE = {
    "knee straight, mean": ("with knees more bent", "with knees straighter"),
    "elbow straight, mean": ("with elbows more bent", "with elbows straighter"),
    "hip straight, mean": ("with hips more folded", "with hips straighter"),
    "legs spread": ("with legs closer together", "with legs farther apart"),
    "arm up, mean": ("with arms lower", "with arms higher"),
    "leg up, mean": ("with legs lower", "with legs higher"),
    "trunk up": ("with the trunk less upright", "with the trunk more upright"),
    "reach, mean": ("reaching less far", "reaching farther"),
    "body symmetric about the trunk": ("less symmetric", "more symmetric"),
    "inverted": ("less upside down", "more upside down"),
    "balance off the support's middle": ("better balanced over the support", "farther off the support"),
}
_POSE_MOTION = {
    "hips: speed": ("with slower hips", "with faster hips"),
    "hands: speed": ("with slower hands", "with faster hands"),
    "feet: speed": ("with slower feet", "with faster feet"),
    "hips: jerk over speed": ("with smoother hips", "with jerkier hips"),
    "hands: jerk over speed": ("with smoother hands", "with jerkier hands"),
    "feet: jerk over speed": ("with smoother feet", "with jerkier feet"),
    "trunk turns: rate": ("with the trunk turning more slowly", "with the trunk turning faster"),
    "hips: upward velocity": ("with hips going down more", "with hips going up more"),
}


@cache
def readings(backbone: str) -> tuple[Reading, ...]:
    """The numbers of a backbone's features that have a plain meaning; none where nothing is known of it.

    >>> [reading.higher for reading in readings("flow")][0]
    'faster'
    >>> readings("dinov2-small")
    ()
    """
    if backbone in ("flow", "flow-beat"):
        return _FLOW
    if backbone == "posture":
        return _POSTURE
    if backbone == "pose":
        from toprock.backbones.pose.descriptor import POSE_NAMES

        return tuple(Reading(POSE_NAMES.index(name), *words) for name, words in _POSE.items())
    if backbone == "pose-motion":
        from toprock.backbones.pose.motion_descriptor import MOTION_NAMES

        return tuple(Reading(MOTION_NAMES.index(name), *words) for name, words in _POSE_MOTION.items())
    return ()
