"""The value types that come out at the end: an assessment, its segments and its moments, and their JSON."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from toprock.backbones.base import Stream
from toprock.calibration import Caution, Scaled

Branch = Literal["high", "low", "average"]
BRANCHES: tuple[Branch, ...] = ("high", "low", "average")
SCHEMA = 1


@dataclass(frozen=True)
class SegmentEvidence:
    """What one segment of one stream added to the score.

    Attributes:
        stream: dynamic or static.
        start_s, end_s: seconds in the video file.
        contributions: one number a branch; they sum to `contribution`. Above 0 is better than typical.
        attention_high, attention_low: share of that branch's attention; sums to 1 over a stream's segments.
    """

    stream: Stream
    start_s: float
    end_s: float
    contributions: Mapping[Branch, float]
    attention_high: float
    attention_low: float

    @property
    def contribution(self) -> float:
        """Sum over the branches."""
        return sum(self.contributions.values())


@dataclass(frozen=True)
class Moment:
    """A span of time that raised (`best`) or lowered (`worst`) the score.

    Attributes:
        kind: best or worst.
        start_s, end_s: seconds in the video file.
        contribution: over all streams.
        stream: that spoke most; None where nobody has looked.
        differs: how that stream's segments there differ from those of the training performances, in words.
        sentence: on it, made of measured quantities.
    """

    kind: Literal["best", "worst"]
    start_s: float
    end_s: float
    contribution: float
    stream: Stream | None = None
    differs: tuple[str, ...] = ()
    sentence: str = ""


@dataclass(frozen=True)
class Assessment:
    """A score with its evidence: `score` = `bias` + sum of the segments' contributions.

    Attributes:
        id: of the performance.
        score: higher is better; only differences between scores of one model mean something.
        bias: the score of a typical training performance.
        percentile: share (0 to 100) of training performances, scored by models that had not seen them,
            that lie below; None where the model has no such scores.
        segments: all streams, in order of time within a stream.
        moments: best and worst, strongest first within a kind; no two overlap.
        model: name, created, training size and the like, for the report.
        recipes: stream -> recipe (JSON values) of the features.
        members: score by each ranker of the ensemble; `score` is their mean.
        scaled: the score on a scale that people read, with a 90 % interval; None where the model has none.
        cautions: what makes it less worth than it looks, the gravest first; nothing said of the score holds outside
            of what the model has learnt from.
    """

    id: str
    score: float
    bias: float
    percentile: float | None
    segments: tuple[SegmentEvidence, ...]
    moments: tuple[Moment, ...]
    model: Mapping[str, Any] = field(default_factory=dict)
    recipes: Mapping[str, Any] = field(default_factory=dict)
    members: tuple[float, ...] = ()
    scaled: Scaled | None = None
    cautions: tuple[Caution, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """The documented JSON object (schema 1)."""
        return {
            "schema": SCHEMA,
            "id": self.id,
            "cautions": [caution.to_json() for caution in self.cautions],
            "score": self.score,
            "bias": self.bias,
            "percentile": self.percentile,
            "scaled": None if self.scaled is None else self.scaled.model_dump(),
            "members": list(self.members),
            "segments": [
                {
                    "stream": s.stream,
                    "start_s": s.start_s,
                    "end_s": s.end_s,
                    "contribution": s.contribution,
                    "contributions": dict(s.contributions),
                    "attention_high": s.attention_high,
                    "attention_low": s.attention_low,
                }
                for s in self.segments
            ],
            "moments": [
                {
                    "kind": m.kind,
                    "start_s": m.start_s,
                    "end_s": m.end_s,
                    "contribution": m.contribution,
                    "stream": m.stream,
                    "differs": list(m.differs),
                    "sentence": m.sentence,
                }
                for m in self.moments
            ],
            "model": dict(self.model),
            "recipes": dict(self.recipes),
        }

    def noted(self) -> dict[str, Any]:
        """What the log of uses keeps of it."""
        scaled = self.scaled
        told = {} if scaled is None else {"scaled": scaled.value, "low": scaled.low, "high": scaled.high}
        return {"id": self.id, "score": self.score, **told, "cautions": [caution.kind for caution in self.cautions]}

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> Assessment:
        """The inverse of `to_json`.

        Raises:
            KeyError, TypeError, ValueError: it is no such object.

        >>> from toprock.assess import Assessment
        >>> Assessment.from_json(Assessment("a", 1.5, 0.5, None, (), ()).to_json()).score
        1.5
        """
        scaled = document.get("scaled")
        return cls(
            id=document["id"],
            score=float(document["score"]),
            bias=float(document["bias"]),
            percentile=document["percentile"],
            segments=tuple(
                SegmentEvidence(
                    s["stream"],
                    float(s["start_s"]),
                    float(s["end_s"]),
                    {branch: float(s["contributions"].get(branch, 0.0)) for branch in BRANCHES},
                    float(s["attention_high"]),
                    float(s["attention_low"]),
                )
                for s in document["segments"]
            ),
            moments=tuple(
                Moment(
                    m["kind"],
                    float(m["start_s"]),
                    float(m["end_s"]),
                    float(m["contribution"]),
                    m.get("stream"),
                    tuple(m.get("differs", ())),
                    m.get("sentence", ""),
                )
                for m in document["moments"]
            ),
            model=document.get("model", {}),
            recipes=document.get("recipes", {}),
            members=tuple(document.get("members", ())),
            scaled=None if scaled is None else Scaled.model_validate(scaled),
            cautions=tuple(Caution(c["kind"], c["text"], c.get("share")) for c in document.get("cautions", ())),
        )
