"""The four loss terms, one function each, on the branch scores of the two sides of every pair.

After RAAN (Doughty et al., CVPR 2019) and Gao et al. (Sci Rep 16, 15795, 2026).
`better` and `worse` are (N, 3): s_high, s_low, s_average of the two sides of N pairs;
`weight` (N,) says how much each pair counts. In every branch a higher score means better.
"""

from __future__ import annotations

from collections.abc import Iterable

import torch
from pydantic import BaseModel, ConfigDict, Field
from torch import Tensor
from torch.nn import functional as F


class LossConfig(BaseModel):
    """Margins and weights of the terms; a weight of 0 turns a term off.

    Attributes:
        form: `hinge` (RAAN's) or `logistic` (Bradley-Terry) for the ranking term.
        margin_ranking, margin_average, margin_disagreement: m1, m2, m3.
        ranking, average, disagreement, overlap, entropy: weights of the terms. `average`, `disagreement` and
            `overlap` are off: where they were measured, they helped nothing (docs/results.md).
        entropy_floor: share of the entropy of even attention below which attention counts as collapsed.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    form: str = Field("hinge", pattern="^(hinge|logistic)$")
    margin_ranking: float = 1.0
    margin_average: float = 0.05
    margin_disagreement: float = 0.15
    ranking: float = 1.0
    average: float = 0.0
    disagreement: float = 0.0
    overlap: float = 0.0
    entropy: float = 1.0
    entropy_floor: float = Field(0.9, ge=0, le=1)


def ranking(better: Tensor, worse: Tensor, weight: Tensor, *, margin: float = 1.0, form: str = "hinge") -> Tensor:
    """Each branch ranks: mean over pairs of sum over b of max(0, m1 - d_b), or of -log sigmoid(d_b)."""
    difference = better - worse
    each = F.softplus(-difference) if form == "logistic" else F.relu(margin - difference)
    return _mean(each.sum(1), weight)


def tie(better: Tensor, worse: Tensor, weight: Tensor, *, margin: float = 1.0, form: str = "hinge") -> Tensor:
    """Equal ones stay within the margin: max(0, |d_b| - m1), or the logistic loss of half a win each way."""
    difference = better - worse
    if form == "logistic":
        each = 0.5 * (F.softplus(-difference) + F.softplus(difference))
    else:
        each = F.relu(difference.abs() - margin)
    return _mean(each.sum(1), weight)


def beats_average(better: Tensor, worse: Tensor, weight: Tensor, *, margin: float = 0.05) -> Tensor:
    """High and low tell apart more than the average does: sum over b of max(0, m2 - d_b + sg(d_average))."""
    difference = better - worse
    return _mean(F.relu(margin - difference[:, :2] + difference[:, 2:].detach()).sum(1), weight)


def useful_disagreement(better: Tensor, worse: Tensor, weight: Tensor, *, margin: float = 0.15) -> Tensor:
    """The better one's high beats the worse one's low: max(0, m3 - (s_high(i) - s_low(j)) + sg(d_average))."""
    average = (better[:, 2] - worse[:, 2]).detach()
    return _mean(F.relu(margin - (better[:, 0] - worse[:, 1]) + average), weight)


def overlap(attention: Iterable[Tensor]) -> Tensor:
    """How much different prototypes look at the same segments: mean cosine of their attention, off the diagonal.

    `attention` holds (B, P, T) a stream; rows of zeros (a hidden stream) count for nothing.
    """
    total, count = torch.zeros(()), torch.zeros(())
    for rows in attention:
        present = rows.sum((1, 2)) > 0
        unit = F.normalize(rows, dim=-1)
        cosine = unit @ unit.mT  # (B, P, P)
        size = rows.shape[1]
        off = (cosine.sum((1, 2)) - cosine.diagonal(dim1=1, dim2=2).sum(1)) / (size * (size - 1))
        total = total + off[present].sum()
        count = count + present.sum()
    return total / count.clamp(min=1)


def collapse(attention: Iterable[Tensor], masks: Iterable[Tensor], *, floor: float) -> Tensor:
    """How far attention has fallen below an entropy floor: mean of max(0, floor - H(a) / log T)."""
    total, count = torch.zeros(()), torch.zeros(())
    for rows, mask in zip(attention, masks, strict=True):
        length = mask.sum(1)  # (B,)
        present = (rows.sum((1, 2)) > 0) & (length > 1)
        entropy = -(rows * rows.clamp(min=1e-12).log()).sum(-1)  # (B, P)
        share = entropy / length.clamp(min=2).log()[:, None]
        total = total + F.relu(floor - share)[present].sum()
        count = count + present.sum() * rows.shape[1]
    return total / count.clamp(min=1)


def _mean(each: Tensor, weight: Tensor) -> Tensor:
    return (each * weight).sum() / weight.sum().clamp(min=1e-12)
