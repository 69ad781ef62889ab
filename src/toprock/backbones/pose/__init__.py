"""Posture and motion from body points: MoveNet finds them, a tracker stays with one performer, descriptors tell.

movenet.py            17 points of one person in one picture
tracking.py           one performer through the pictures of a shot
descriptor.py         one posture as numbers
motion_descriptor.py  how the points move within a clip, as numbers
pose.py, pose_motion.py  the two backbones; backbone.py is what they share
"""

from toprock.backbones.base import BackboneSpec
from toprock.backbones.pose.pose import Pose
from toprock.backbones.pose.pose_motion import PoseMotion

__all__ = ["SPECS", "Pose", "PoseMotion"]

SPECS: dict[str, BackboneSpec] = {kind.name: kind.spec for kind in (Pose, PoseMotion)}
"""What can be known of the two without their weights."""
