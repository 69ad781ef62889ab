"""The ranker with an unrestricted head: what exact evidence costs, or does not.

Each branch gathers what its attention looks at into one vector, and a small network scores the vector, as in GDLT (Xu
et al., CVPR 2022). Such a score is no sum over segments: to show something, it is shared out by attention.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from toprock.ranker.model import Ranker, RankerConfig, Seen, StreamRanker


class FreeHeadRanker(Ranker):
    """A `Ranker` in which a branch's score is any function of what it has gathered."""

    def build_stream(self, dimension: int, config: RankerConfig) -> StreamRanker:
        """The part that looks at one stream, untrained."""
        return FreeHeadStream(dimension, config)


class FreeHeadStream(StreamRanker):
    """One stream: the value maps give way to a network a branch."""

    gain: Tensor

    def __init__(self, dimension: int, config: RankerConfig) -> None:
        super().__init__(dimension, config)
        del self.value, self.value_average
        self.register_buffer("gain", torch.ones(()))
        sizes = (config.hidden + config.width, config.hidden + config.width, config.width)
        self.heads_free = nn.ModuleList(
            nn.Sequential(nn.Linear(size, config.hidden), nn.GELU(), nn.Dropout(config.dropout), last)
            for size in sizes
            for last in [nn.Linear(config.hidden, 1, bias=False)]
        )

    def judge(self, seen: Seen) -> Tensor:
        """(B, 3, T): each branch's score times its attention."""
        both = torch.cat([seen.valued, seen.looked_at], -1)
        gathered = [*(seen.weights[:, :2] @ both).unbind(1), (seen.weights[:, 2:] @ seen.plain)[:, 0]]
        present = seen.weights.sum(-1)  # (B, 3), 0 where the stream is absent
        scores = torch.cat([head(x) for head, x in zip(self.heads_free, gathered, strict=True)], 1) * present
        return self.gain * scores[..., None] * seen.weights

    @torch.no_grad()
    def scale(self, gain: float) -> None:
        """Multiply all that this stream says, in place."""
        self.zero *= gain
        self.gain *= gain
