"""Backbone "flow-beat" (dynamic stream): "flow", and how well the motion falls on the beats of the music."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from toprock.backbones import on_beat
from toprock.backbones.flow import FLOW_SETTINGS, Flow, FlowDescriber


class FlowBeat(Flow):
    """`Flow` with channels for timing on the beat, which are 0 where no beat is known.

    Args:
        settings: those of `Flow`, and `beat_memory_s`: over which time the slower channels look back.

    Raises:
        UsageError, RecipeMismatch: as `Flow`.

    >>> FlowBeat().spec.dimension - Flow().spec.dimension
    19
    """

    name = "flow-beat"
    defaults = FLOW_SETTINGS | {"version": 100 * FLOW_SETTINGS["version"] + 1, "beat_memory_s": 6.0}

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings)
        self.spec = replace(
            self.spec,
            dimension=self.spec.dimension + on_beat.DIMENSION,
            description="flow, and how well motion falls on the beats of the music",
        )
        self._beats_s = np.zeros(0)

    def hearing(self, beats_s: Sequence[float] | np.ndarray) -> FlowBeat:
        """The same backbone for a performance with these beats: seconds in the video, rising."""
        heard = copy.copy(self)
        heard._beats_s = np.array(beats_s, dtype=np.float64)
        return heard

    def describer(self) -> FlowDescriber:
        """Start looking at one interval."""
        return FlowDescriber(self.settings, on_beat.OnBeat(self._beats_s, self.settings["beat_memory_s"]))
