"""Pretrained image and video models as backbones: checkpoint folders in the transformers layout.

Importing this package is light; torch and transformers are imported when a network is opened.
"""

from toprock.backbones.pretrained.backbone import PretrainedImage, PretrainedVideo, from_checkpoint
from toprock.backbones.pretrained.catalogue import CATALOGUE, Known
from toprock.backbones.pretrained.checkpoint import Checkpoint, locate, read_checkpoint
from toprock.backbones.pretrained.preparing import Preparation

__all__ = [
    "CATALOGUE",
    "Checkpoint",
    "Known",
    "Preparation",
    "PretrainedImage",
    "PretrainedVideo",
    "from_checkpoint",
    "locate",
    "read_checkpoint",
]
