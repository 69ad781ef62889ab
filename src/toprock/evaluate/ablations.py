"""The ranker with one thing changed at a time: what each part is worth."""

from __future__ import annotations

from collections.abc import Sequence

from toprock.backbones.base import Stream
from toprock.peers import Learner, Qsd

DEFAULT = "qsd"


def ablations(streams: Sequence[Stream]) -> dict[str, Learner]:
    """Name -> learner; the first is the default that the others are compared with.

    Args:
        streams: that the task has; what needs two of them is left out where there is one.
    """
    out: dict[str, Learner] = {DEFAULT: Qsd()}
    if len(streams) > 1:
        out |= {
            "dynamic stream alone": Qsd(streams=("dynamic",)),
            "static stream alone": Qsd(streams=("static",)),
            "early fusion": Qsd(early=True),
            "no stream dropout": Qsd(training={"stream_dropout": 0.0}),
        }
    return out | {
        "high and low must beat the average": Qsd(training={"loss.average": 1.0}),
        "useful disagreement": Qsd(training={"loss.disagreement": 1.0}),
        "high and low must look elsewhere": Qsd(training={"loss.overlap": 0.1}),
        "no entropy floor": Qsd(training={"loss.entropy": 0.0}),
        "every term": Qsd(training={"loss.average": 1.0, "loss.disagreement": 1.0, "loss.overlap": 0.1}),
        "Bradley-Terry loss": Qsd(training={"loss.form": "logistic"}),
        "2 prototypes a branch": Qsd(model={"prototypes": 2}),
        "4 prototypes a branch": Qsd(model={"prototypes": 4}),
        "1 head": Qsd(model={"heads": 1}),
        "2 decoder layers": Qsd(model={"layers": 2}),
        "positions": Qsd(model={"positions": True}),
        "temporal encoder": Qsd(model={"encoder_layers": 1}),
        "contrast with the own mean": Qsd(model={"contrast": 0.8}),
        "average in the score": Qsd(model={"average_in_score": True}),
        "unrestricted head": Qsd(free_head=True),
        "1 member": Qsd(members=1),
    }
