"""What reading a video takes of a machine, by backbone."""

from __future__ import annotations

from collections.abc import Sequence

from toprock.backbones.base import Backbone, Compute, NetworkBackbone
from toprock.engines import Needs

_LARGE_MB = 800.0


def needs_of(backbones: Sequence[Backbone], compute: Compute | None = None, *, accelerators: bool = False) -> Needs:
    """What one video takes while it is read.

    Args:
        backbones: that look at it.
        compute: where networks are to run.
        accelerators: whether there are such.

    >>> from toprock.backbones import build
    >>> needs_of([build("flow"), build("posture")])
    Needs(cpus=1, gpus=0.0)
    """
    sizes_mb = [backbone.spec.size_mb for backbone in backbones if isinstance(backbone, NetworkBackbone)]
    device = (compute or Compute()).device
    return needs_of_networks(sizes_mb, accelerator=device == "cuda" or (device == "auto" and accelerators))


def needs_of_networks(sizes_mb: Sequence[float], *, accelerator: bool) -> Needs:
    """The same, by the sizes of the networks that look on.

    Without a network a core is enough. A network without an accelerator takes four cores. With one it takes a core,
    which reads, and an eighth of the accelerator (a quarter, for large networks): reading is what takes the time there.

    >>> needs_of_networks([88.0], accelerator=False), needs_of_networks([88.0], accelerator=True)
    (Needs(cpus=4, gpus=0.0), Needs(cpus=1, gpus=0.125))
    """
    if not sizes_mb:
        return Needs()
    if accelerator:
        return Needs(cpus=1, gpus=0.25 if sum(sizes_mb) > _LARGE_MB else 0.125)
    return Needs(cpus=4)
