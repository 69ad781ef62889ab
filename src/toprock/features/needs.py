"""What reading a video takes of a machine, by backbone."""

from __future__ import annotations

from collections.abc import Sequence

from toprock.backbones.base import Backbone, Compute, NetworkBackbone
from toprock.engines import Needs

_LARGE_MB = 800.0


def needs_of(backbones: Sequence[Backbone], compute: Compute | None = None, *, accelerators: bool = False) -> Needs:
    """What one video takes while it is read.

    Embedded backbones take a core. A network without an accelerator takes four cores (see docs/sizing.md: beyond them
    a video gains little). With one it takes a core, which reads, and a quarter of the accelerator (half, for large
    networks), so that several readers keep it busy.

    Args:
        backbones: that look at it.
        compute: where networks are to run.
        accelerators: whether there are such.

    >>> from toprock.backbones import build
    >>> needs_of([build("flow"), build("posture")])
    Needs(cpus=1, gpus=0.0)
    """
    networks = [backbone for backbone in backbones if isinstance(backbone, NetworkBackbone)]
    if not networks:
        return Needs()
    device = (compute or Compute()).device
    if device == "cuda" or (device == "auto" and accelerators):
        large = sum(backbone.spec.size_mb for backbone in networks) > _LARGE_MB
        return Needs(cpus=1, gpus=0.5 if large else 0.25)
    return Needs(cpus=4)
