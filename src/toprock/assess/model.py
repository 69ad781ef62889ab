"""A trained model as people use it: a video in, a score with its evidence out."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from toprock.assess.assessment import BRANCHES, Assessment, Branch, Moment, SegmentEvidence
from toprock.assess.evidence import find_moments
from toprock.assess.explain import explained
from toprock.backbones.base import Compute
from toprock.backbones.readings import readings
from toprock.calibration import Caution, unlikeness
from toprock.errors import FeaturesError, ModelError, RecipeMismatch, ToprockError
from toprock.features.encoding import Encoding
from toprock.features.extraction import Following, describe_video
from toprock.features.store import FeatureStore, PerformanceFeatures
from toprock.performance import Performance, tell_apart, whole_video
from toprock.ranker.batch import Arrays, collate
from toprock.ranker.from_store import arrays_of, seen_of
from toprock.ranker.model import Output
from toprock.ranker.saved import SavedModel
from toprock.ranker.training import bias, branch_scores
from toprock.video import Limits


@dataclass(frozen=True)
class Comparison:
    """Which of two scored higher, and how sure that is.

    Attributes:
        a, b: ids.
        difference: score of a less score of b.
        probability: that a is better, fitted on pairs that rankers had not seen; None where that could not be.
        interval: 90 % interval of that probability.
        too_close: whether no winner should be named; None where there is no probability.
        first, second: the assessments.
        unknown: why there is no probability; empty where there is one.
    """

    a: str
    b: str
    difference: float
    probability: float | None = None
    interval: tuple[float, float] | None = None
    too_close: bool | None = None
    first: Assessment | None = field(default=None, repr=False, compare=False)
    second: Assessment | None = field(default=None, repr=False, compare=False)
    unknown: str = ""

    @property
    def verdict(self) -> str:
        """How sure it is who is better, in a sentence."""
        if self.probability is None or self.interval is None:
            return f"How likely it is that the higher score is the better performance is not known: {self.unknown}."
        first = self.probability >= 0.5
        chance = self.probability if first else 1 - self.probability
        low, high = self.interval if first else (1 - self.interval[1], 1 - self.interval[0])
        name = self.a if first else self.b
        sure = f"with a chance of {100 * chance:.0f} % (90 % interval {100 * low:.0f} % to {100 * high:.0f} %)"
        text = f"{name} is better {sure}."
        if self.too_close:
            text = f"Too close to call: the higher score is right {sure}."
        if any(one is not None and one.cautions for one in (self.first, self.second)):
            text += " That holds for performances like those learnt from; mind the cautions."
        return text

    def to_json(self) -> dict[str, object]:
        """The documented JSON object (schema 1)."""
        return {
            "schema": 1,
            "a": self.a,
            "b": self.b,
            "difference": self.difference,
            "probability": self.probability,
            "interval": self.interval,
            "too_close": self.too_close,
            "verdict": self.verdict,
            "cautions": {
                one.id: [caution.to_json() for caution in one.cautions]
                for one in (self.first, self.second)
                if one is not None
            },
        }


@dataclass(frozen=True)
class Failure:
    """A performance that could not be assessed, and why."""

    id: str
    error: str

    def to_json(self) -> dict[str, object]:
        """The documented JSON object."""
        return {"id": self.id, "error": self.error}


Judged = str | Path | Performance | PerformanceFeatures


class Model:
    """A trained model; see `toprock.load`.

    Args:
        saved: the model in memory.
        limits: bounds on what reading a video may use.
        compute: where and how the networks of its backbones run, where it has such.
    """

    def __init__(self, saved: SavedModel, *, limits: Limits | None = None, compute: Compute | None = None) -> None:
        self.saved = saved
        self.limits = limits
        self._encoding = Encoding(compute)  # networks are loaded once, however many videos are scored

    @property
    def paces(self) -> dict[str, str]:
        """How the networks that have been used so far run: name of the backbone -> device, precision, threads."""
        return self._encoding.paces()

    def assess(self, what: Judged, *, on_time: Callable[[float], None] | None = None) -> Assessment:
        """Score one performance and split the score over its segments.

        Args:
            what: a video file, a Performance (video and intervals), or features from a store.
            on_time: called with the time in seconds reached while a video is read.

        Raises:
            VideoError: the video cannot be used.
            RecipeMismatch: features were made by another recipe than the model's.
            FeaturesError: it is too short to hold one segment.
            WeightsError: a backbone's weights are not on this machine, or are others than those used.
            ModelError: the model is damaged.

        >>> assessment = toprock.load("model").assess("battle.mp4")
        >>> sum(s.contribution for s in assessment.segments) + assessment.bias == assessment.score
        True
        >>> assessment.moments[0].kind in ("best", "worst")
        True
        """
        found = what if isinstance(what, PerformanceFeatures) else self.describe(what, on_time)
        outputs = self._look(found)
        segments = self._split(found, outputs, self.saved.members[0].counted)
        config = self.saved.config
        score = config.bias + sum(s.contribution for s in segments)
        if not math.isfinite(score):
            raise ModelError(f"the model '{config.name}' gives scores that are no numbers", advice="Train it again.")
        return Assessment(
            id=found.id,
            score=score,
            bias=config.bias,
            percentile=self.saved.percentile(score),
            segments=segments,
            moments=self._moments(found, segments),
            model={
                "name": config.name,
                "created": config.created,
                "toprock": config.toprock,
                "performances": len(config.trained_on.performances),
                "performers": config.trained_on.performers,
                "pairs": config.trained_on.pairs,
                "held_out": len(config.held_out),
            },
            recipes={str(stream): recipe for stream, recipe in config.recipes.items()},
            members=tuple(self._members(outputs)),
            scaled=self.saved.scaled(score),
            cautions=self._cautions(found),
        )

    def assess_all(self, them: Iterable[Judged]) -> list[Assessment | Failure]:
        """Score several in order; one that fails becomes a Failure and the others go on.

        Files of one name get as many parent folders in front of their ids as tell them apart.

        >>> [a.id for a in toprock.load("model").assess_all(["final/anna.mp4", "semi/anna.mp4"])]
        ['final/anna', 'semi/anna']
        """
        results: list[Assessment | Failure] = []
        for what in _named(them):
            try:
                results.append(self.assess(what))
            except ToprockError as problem:
                results.append(Failure(what.id, str(problem)))
        return results

    def compare(self, a: Judged, b: Judged) -> Comparison:
        """Score two and tell how far apart they are, and how sure that is; errors as in `assess`.

        >>> found = toprock.load("model").compare("final/anna.mp4", "battle.mp4")
        >>> found.a, found.b, found.too_close in (True, False, None)
        ('anna', 'battle', True)
        """
        one, two = (self.assess(what) for what in _named([a, b]))
        return self.compared(one, two)

    def compared(self, one: Assessment, two: Assessment) -> Comparison:
        """Two assessments of this model beside each other.

        A pair with a performance that the model has learnt from has the chances of such pairs; a pair of two that it
        has learnt from has them too, and they are too modest for it.
        """
        config = self.saved.config
        known = sum(ident in config.seen for ident in (one.id, two.id))
        apart = np.subtract(one.members, two.members)
        difference = one.score - two.score
        chance = self.saved.chance(difference, float(apart.std()), unseen="one" if known else "both")
        if chance is None:
            return Comparison(one.id, two.id, difference, unknown=config.uncalibrated, first=one, second=two)
        return Comparison(
            one.id, two.id, difference, chance.probability, chance.interval, chance.too_close, first=one, second=two
        )

    def rank(self, them: Iterable[Judged]) -> list[Assessment]:
        """Score several and put the best first.

        Raises:
            ToprockError: one of them cannot be assessed; use `assess_all` to go on without it.
        """
        return sorted((self.assess(what) for what in _named(them)), key=lambda a: (-a.score, a.id))

    def features_of(self, store: FeatureStore, ident: str) -> PerformanceFeatures:
        """Features from a store, checked to be of the model's recipes.

        Raises:
            RecipeMismatch: the store has others only; names what differs.
        """
        found = store.read(ident)
        self._arrays(found)
        return found

    def _arrays(self, found: PerformanceFeatures) -> Arrays:
        """What the rankers look at. A stream that is absent is done without; one of another recipe is refused."""
        arrays = arrays_of(found, self.saved.recipes)
        others = {recipe.stream for recipe in found.streams} - set(arrays)
        if not arrays or others & set(self.saved.recipes):
            raise _mismatch(found, self.saved)
        arrays = {stream: array for stream, array in arrays.items() if len(array)}
        if not arrays:
            raise FeaturesError(
                f"'{found.id}' is too short to be judged: it holds no whole segment",
                advice="Leave it out, or give a longer part of its video.",
            )
        return arrays

    def describe(
        self,
        what: str | Path | Performance,
        on_time: Callable[[float], None] | None = None,
        following: Following | None = None,
    ) -> PerformanceFeatures:
        """What the model looks at in a video, for `assess`; arguments as there and in `describe_video`.

        Raises:
            VideoError, RecipeMismatch, WeightsError: as `assess`.
        """
        performance = what if isinstance(what, Performance) else whole_video(what)
        backbones = [recipe.build() for recipe in self.saved.recipes.values()]
        (found,) = describe_video(
            performance.video,
            [performance],
            backbones,
            limits=self.limits,
            on_time=on_time,
            encoding=self._encoding,
            following=following,
        )
        return found

    def evidence(
        self, found: PerformanceFeatures, *, branches: Sequence[Branch] | None = None
    ) -> tuple[SegmentEvidence, ...]:
        """What every segment contributes: by default what is in the score, else that of the branches named.

        Raises:
            RecipeMismatch: the features were made by another recipe than the model's.
        """
        counted = self.saved.members[0].counted
        if branches is not None:
            counted = torch.tensor([float(b in branches) for b in BRANCHES])
        return self._split(found, self._look(found), counted)

    def scores_of(self, found: PerformanceFeatures, hidden: Sequence[Sequence[tuple[float, float]]]) -> list[float]:
        """The score where spans of time are hidden from every stream, and attention is shared out over the rest.

        Args:
            found: the performance.
            hidden: spans in seconds, one list a score wanted. A segment that lies in them by half or more is hidden; a
                stream without a segment left says nothing.

        Raises:
            RecipeMismatch: the features were made by another recipe than the model's.
        """
        arrays, parts = self._arrays(found), []
        for spans in hidden:
            part = {}
            for stream, x in arrays.items():
                part[stream] = x[_seen_share(found.streams[self.saved.recipes[stream]].times, spans) > 0.5]
            parts.append(part)
        some = [number for number, part in enumerate(parts) if any(len(x) for x in part.values())]
        scores = np.zeros(len(hidden))
        for member in self.saved.members:
            if some:
                scores[some] += member.final(branch_scores(member, [parts[number] for number in some])).double().numpy()
        return (self.saved.config.bias + scores / len(self.saved.members)).tolist()

    @torch.no_grad()
    def _look(self, found: PerformanceFeatures) -> list[Output]:
        """What each member says of a performance."""
        arrays = self._arrays(found)
        return [member(collate([arrays], member.config.dimensions)) for member in self.saved.members]

    def _members(self, outputs: Sequence[Output]) -> list[float]:
        """The score of each member; the bias is that of the ensemble plus its own difference from it."""
        members = self.saved.members
        return [float(member.final(out.scores[0])) + bias(member) for member, out in zip(members, outputs, strict=True)]

    def _split(
        self, found: PerformanceFeatures, outputs: Sequence[Output], counted: Tensor
    ) -> tuple[SegmentEvidence, ...]:
        """Contributions and attention of every segment, as a mean over the members."""
        segments = []
        for stream in self._arrays(found):
            times = found.streams[self.saved.recipes[stream]].times
            shares = torch.stack([out.streams[stream].contributions[0] for out in outputs]).mean(0)
            shares = (shares * counted[:, None]).T.double()  # (T, 3)
            rows = torch.stack([out.streams[stream].attention[0] for out in outputs]).mean(0)  # (P, T)
            high, low = rows.unflatten(0, (2, -1)).mean(1).double()  # (T,) each
            segments += [
                SegmentEvidence(stream, start_s, end_s, dict(zip(BRANCHES, share, strict=True)), at_high, at_low)
                for (start_s, end_s), share, at_high, at_low in zip(
                    times.tolist(), shares.tolist(), high.tolist(), low.tolist(), strict=True
                )
            ]
        return tuple(segments)

    def _moments(self, found: PerformanceFeatures, segments: Sequence[SegmentEvidence]) -> tuple[Moment, ...]:
        """Best and worst moments, with what differed there from the training performances."""
        recipes, standard = self.saved.recipes, {}
        for stream, x in self._arrays(found).items():
            mean, spread = self.saved.typical_of(stream)
            standard[stream] = (x.astype(np.float64) - mean) / spread
        meant = {stream: readings(recipes[stream].backbone) for stream in standard if not recipes[stream].imported}
        return explained(find_moments(segments), segments, standard, meant)

    def _cautions(self, found: PerformanceFeatures) -> tuple[Caution, ...]:
        """What is unlike the training performances."""
        away = {stream: unlikeness(x, *self.saved.typical_of(stream)) for stream, x in self._arrays(found).items()}
        seen = replace(seen_of(found, self.saved.recipes), unlikeness=away)
        return self.saved.config.domain.cautions(seen, self.saved.recipes)


def load(folder: str | Path, *, limits: Limits | None = None, compute: Compute | None = None) -> Model:
    """Load a model folder that `toprock train` wrote.

    Args:
        folder: holds model.safetensors and config.json.
        limits: bounds on what reading a video may use.
        compute: where and how the networks of its backbones run, where it has such.

    Raises:
        ModelError: it is no model folder, is damaged, or was written by a newer version.

    >>> toprock.load("model").assess("battle.mp4").id
    'battle'
    """
    return Model(SavedModel.load(folder), limits=limits, compute=compute)


def _seen_share(times: np.ndarray, hidden: Sequence[tuple[float, float]]) -> np.ndarray:
    """(T,): share of each segment (T, 2) in seconds that lies outside spans, which do not overlap."""
    start, end = times[:, 0], np.maximum(times[:, 1], times[:, 0] + 1e-3)
    gone = sum((np.clip(np.minimum(end, b) - np.maximum(start, a), 0, None) for a, b in hidden), np.zeros(len(times)))
    return 1 - gone / (end - start)


def _named(them: Iterable[Judged]) -> list[Performance | PerformanceFeatures]:
    """Files as performances, with ids that tell them apart."""
    them = list(them)
    files = [whole_video(what) for what in them if isinstance(what, (str, Path))]
    apart = iter(tell_apart(files, taken={what.id for what in them if not isinstance(what, (str, Path))}))
    return [next(apart) if isinstance(what, (str, Path)) else what for what in them]


def _mismatch(found: PerformanceFeatures, saved: SavedModel) -> FeaturesError:
    differences: Sequence[str] = [
        difference
        for wanted in saved.recipes.values()
        if wanted not in found.streams
        for recipe in found.streams
        if recipe.stream == wanted.stream
        for difference in wanted.differences(recipe)
    ]
    what = "; ".join(differences) or "it has none of the model's streams"
    advice = "Extract again with the model's recipe (toprock extract --like MODEL), or score the video itself."
    imported = [r for r in saved.recipes.values() if r.imported]
    if imported:
        names = ", ".join(f"{r.stream} '{r.backbone}' {r.shape}" for r in imported)
        advice = f"The model needs imported features: {names}. Store them with toprock features import."
    return RecipeMismatch(
        f"the features of '{found.id}' were made by another recipe than the model's: {what}", advice=advice
    )
